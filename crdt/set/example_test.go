package set_test

import (
	"crypto/ed25519"
	"fmt"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
	"github.com/pipes-sync/pipes/crdt/set"
)

// A device founds a document, seals a change into the first set of its chain, and
// a reader who holds the epoch's secret opens it.
func Example() {
	key := ed25519.NewKeyFromSeed(make([]byte, 32)) // in earnest: random
	device := crdt.DeviceID(key.Public().(ed25519.PublicKey))
	scope, grant, epoch := crdt.ScopeID{1}, crdt.AccessOpID{2}, crdt.EpochID{1}
	secret := [32]byte{42}
	heads := []set.Heads{{Scope: scope, Ops: []crdt.AccessOpID{grant}}}

	genesis := set.Genesis{Scope: scope, Device: device, Path: []crdt.AccessOpID{grant}, Heads: heads, Epoch: epoch}
	if err := genesis.Seal(set.About{Title: "Shopping"}, secret, [24]byte{1}); err != nil {
		panic(err)
	}
	doc, err := set.NewDocument(genesis, key)
	if err != nil {
		panic(err)
	}

	inc := crdt.Incarnation{7}
	actor := crdt.DeriveActor(doc.ID(), device, inc)
	edit, err := change.Build(
		change.Header{Actor: change.Actor(actor[:]), Seq: 1, StartOp: 1},
		[]change.Actor{change.Actor(actor[:])},
		[]change.Op{{Key: "milk", Action: change.Set, Value: change.Value{Type: change.True}}}, "")
	if err != nil {
		panic(err)
	}
	var coder set.Coder
	sealed, err := coder.Seal(set.Header{
		Scope: scope, Doc: doc.ID(), Path: []crdt.AccessOpID{grant}, Device: device, Incarnation: inc,
		Seq: 1, Prev: crdt.ChangeSetID(doc.ID()), Heads: heads, Epoch: epoch,
	}, set.Content{Time: 1780000000000, Changes: [][]byte{edit.Encode()}}, set.ContentKey(secret, doc.ID()), [24]byte{2})
	if err != nil {
		panic(err)
	}
	sealed.Sign(key)

	got, err := set.DecodeSet(sealed.Encode())
	if err != nil {
		panic(err)
	}
	fmt.Println("signature:", got.Verify(), "payload:", got.CheckPayload())
	content, err := coder.Open(got, set.ContentKey(secret, doc.ID()))
	if err != nil {
		panic(err)
	}
	checked, err := set.CheckContent(&got.Header, content, 0, func(crdt.ChangeHash) bool { return false })
	fmt.Println("changes:", len(checked.Hashes), "at seq", checked.Seq, err)
	// Output:
	// signature: <nil> payload: <nil>
	// changes: 1 at seq 1 <nil>
}

// Who receives a run checks one signature, whatever its length.
func ExampleAuthenticate() {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	header := set.Header{
		Path: []crdt.AccessOpID{{1}}, Device: crdt.DeviceID(key.Public().(ed25519.PublicKey)),
		Heads: []set.Heads{{Ops: []crdt.AccessOpID{{1}}}},
	}
	var coder set.Coder
	var items []*set.Set
	for seq := range uint64(3) {
		header.Seq = seq + 1
		s, err := coder.Seal(header, set.Content{Changes: [][]byte{{byte(seq)}}}, set.Key{}, [24]byte{byte(seq)})
		if err != nil {
			panic(err)
		}
		items, header.Prev = append(items, s), s.ID()
	}
	items[2].Sign(key)
	run, err := set.EncodeRun(items)
	if err != nil {
		panic(err)
	}

	received, err := set.DecodeRun(run)
	if err != nil {
		panic(err)
	}
	fmt.Println(set.Authenticate(received))
	// Output: 3 <nil>
}

func ExampleGraph() {
	doc := crdt.DocID{9}
	g := set.NewGraph(doc)
	first := set.Header{Doc: doc, Device: crdt.DeviceID{1}, Seq: 1, Prev: crdt.ChangeSetID(doc)}
	reply := set.Header{Doc: doc, Device: crdt.DeviceID{2}, Seq: 1, Prev: crdt.ChangeSetID(doc), Deps: []crdt.ChangeSetID{{1}}}

	r, _ := g.Add(&reply, crdt.ChangeSetID{2})
	fmt.Println(r.Status, len(r.Missing))
	r, _ = g.Add(&first, crdt.ChangeSetID{1})
	fmt.Println(r.Status)
	r, _ = g.Add(&reply, crdt.ChangeSetID{2})
	fmt.Println(r.Status, g.Covers(crdt.ChangeSetID{2}, crdt.ChangeSetID{1}), len(g.Tips()))
	// Output:
	// pending 1
	// added
	// added true 1
}
