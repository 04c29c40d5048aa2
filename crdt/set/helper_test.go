package set

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
)

// hash32 derives test bytes from a name.
func hash32(name string) [32]byte { return sha256.Sum256([]byte(name)) }

func testKey(name string) ed25519.PrivateKey {
	seed := hash32("key " + name)
	return ed25519.NewKeyFromSeed(seed[:])
}

func deviceOf(key ed25519.PrivateKey) crdt.DeviceID {
	return crdt.DeviceID(key.Public().(ed25519.PublicKey))
}

func testNonce(name string) (n [24]byte) {
	h := hash32("nonce " + name)
	copy(n[:], h[:])
	return n
}

var (
	testScope  = crdt.ScopeID(hash32("scope"))
	testDoc    = crdt.DocID(hash32("doc"))
	testEpoch  = crdt.EpochID(hash32("epoch"))
	testSecret = hash32("epoch secret")
	testInc    = crdt.Incarnation{1, 2, 3, 4, 5, 6, 7, 8}
)

// author writes a chain of sets.
type author struct {
	key     ed25519.PrivateKey
	header  Header // template of the next set
	seq     uint64 // Automerge's
	startOp uint64
	last    crdt.ChangeHash
	coder   Coder
}

func newAuthor(name string) *author {
	key := testKey(name)
	return &author{
		key: key,
		header: Header{
			Suite: Suite1, Scope: testScope, Doc: testDoc,
			Path:   []crdt.AccessOpID{hash32("grant of " + name)},
			Device: deviceOf(key), Incarnation: testInc,
			Seq: 1, Prev: crdt.ChangeSetID(testDoc),
			Heads: []Heads{{Scope: testScope, Ops: []crdt.AccessOpID{hash32("grant of " + name)}}},
			Epoch: testEpoch, Count: 1, PayloadLen: minPayload,
		},
		startOp: 1,
	}
}

func (a *author) actor() crdt.ActorID {
	return crdt.DeriveActor(a.header.Doc, a.header.Device, a.header.Incarnation)
}

// edit is a change that puts text under a key of the root.
func (a *author) edit(tb testing.TB, text string) []byte {
	tb.Helper()
	a.seq++
	var deps []crdt.ChangeHash
	if a.seq > 1 {
		deps = append(deps, a.last)
	}
	actor := a.actor()
	c, hash := buildPut(tb, change.Actor(actor[:]), a.seq, a.startOp, deps, text)
	a.startOp++
	a.last = hash
	return c
}

func buildPut(tb testing.TB, actor change.Actor, seq, startOp uint64, deps []crdt.ChangeHash, text string) ([]byte, crdt.ChangeHash) {
	tb.Helper()
	h := change.Header{Deps: deps, Actor: actor, Seq: seq, StartOp: startOp, Time: 1700000000 + int64(seq)}
	op := change.Op{Key: "k", Action: change.Set, Value: change.Value{Type: change.String, Raw: text}}
	if seq > 1 {
		op.Key, op.Pred = "k", []change.OpID{{Ctr: uint32(startOp - 1)}}
	}
	c, err := change.Build(h, []change.Actor{actor}, []change.Op{op}, "")
	if err != nil {
		tb.Fatal(err)
	}
	return c.Encode(), c.Hash
}

// set seals and signs the author's next set.
func (a *author) set(tb testing.TB, changes ...[]byte) *Set {
	tb.Helper()
	content := Content{Time: 1700000000000 + int64(a.header.Seq), Changes: changes}
	var nonce [24]byte
	binary.BigEndian.PutUint64(nonce[:], a.header.Seq)
	s, err := a.coder.Seal(a.header, content, ContentKey(testSecret, testDoc), nonce)
	if err != nil {
		tb.Fatal(err)
	}
	s.Sign(a.key)
	a.header.Seq++
	a.header.Prev = s.ID()
	return s
}

// text is n letters of an alphabet of 37: 5.2 bits each.
func text(r *rand.Rand, n int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789 "
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

func newRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// chain answers n sets of one change of 100 letters each.
func chain(tb testing.TB, name string, n int) []*Set {
	tb.Helper()
	a, r := newAuthor(name), newRand()
	out := make([]*Set, n)
	for i := range out {
		out[i] = a.set(tb, a.edit(tb, text(r, 100)))
	}
	return out
}
