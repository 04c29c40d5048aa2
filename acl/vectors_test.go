package acl

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"testing/cryptotest"

	"github.com/pipes-sync/pipes/crdt"
)

var update = flag.Bool("update", false, "rewrite doc/vectors/acl.json")

var vectorsFile = filepath.Join("..", "doc", "vectors", "acl.json")

type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }
func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// vectors are what another implementation checks itself against.
type vectors struct {
	Note    string          `json:"note"`
	Cases   []vectorCase    `json:"cases"`
	Invalid []vectorInvalid `json:"invalid"`
}

type vectorCase struct {
	Suite   Suite          `json:"suite"`
	Devices []vectorDevice `json:"devices"`
	Ops     []vectorOp     `json:"ops"`
	Refused []vectorBad    `json:"refused"` // authentic, and in none of these places allowed
	Epochs  []vectorEpoch  `json:"epochs"`
}

type vectorDevice struct {
	Person   hexBytes `json:"person"`
	Device   hexBytes `json:"device"`
	HPKEKey  hexBytes `json:"hpke_private_key"`
	Opens    []int    `json:"opens"`  // epochs, by index
	Scopes   []int    `json:"scopes"` // groups and lists, as index of their genesis among ops
	RoleThen []Role   `json:"roles"`  // the device's role in each
}

type vectorOp struct {
	Type     string   `json:"type"`
	ID       hexBytes `json:"id"`
	Encoding hexBytes `json:"encoding"`
	Sig      hexBytes `json:"sig"`
}

type vectorBad struct {
	Name  string `json:"name"`
	Error string `json:"error"` // incarnation, heads, denied, chain or fork
	vectorOp
}

type vectorEpoch struct {
	Scope      hexBytes `json:"scope"`
	Epoch      hexBytes `json:"epoch"`
	Secret     hexBytes `json:"secret"`
	Commit     hexBytes `json:"commit"`
	PersonKey  hexBytes `json:"person_hpke_public_key,omitempty"`
	Doc        hexBytes `json:"doc"`
	ContentKey hexBytes `json:"content_key"`
	From       *int     `json:"implicit_from,omitempty"` // the owner's epoch it derives from, by index
}

type vectorInvalid struct {
	Name     string   `json:"name"`
	Error    string   `json:"error"` // cbor, form, type or signature
	Encoding hexBytes `json:"encoding"`
	Sig      hexBytes `json:"sig"`
}

func opVector(o *Op) vectorOp {
	id, sig := o.ID(), o.Sig()
	return vectorOp{o.Type().String(), id[:], o.Encoding(), sig[:]}
}

// makeCase writes a history with an operation of each type.
func makeCase(t *testing.T, suite Suite) vectorCase {
	w := newWorld(t, suite)
	ann, bob := w.person(2), w.person(1)
	a, b := ann.devices[0], bob.devices[0]
	group, list := a.scope(KindGroup), a.scope(KindList)
	a.grant(group, bob, Writer)
	a.grantGroup(list, group, Reader)
	a.rotate(list)
	b.rotate(group)
	private := b.scope(KindList)
	lives := w.restoredTwice(a, list)
	c := vectorCase{Suite: suite, Refused: w.badLives(a, b, list, lives)}
	epochs := []Ref{{ann.id, w.epochOf(ann)}, {bob.id, w.epochOf(bob)}}
	for _, scope := range []crdt.ScopeID{group, list, private} {
		epochs = append(epochs, genesisRef(scope))
		if k := w.keys(scope); k.Current != crdt.EpochID(scope) {
			epochs = append(epochs, Ref{scope, crdt.AccessOpID(k.Current)})
		}
	}
	for _, o := range w.ops {
		c.Ops = append(c.Ops, opVector(o))
	}
	for _, d := range []*testDevice{a, ann.devices[1], b} {
		key, err := d.hpke.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		v := vectorDevice{Person: d.Person[:], Device: d.Device[:], HPKEKey: key}
		for i, e := range epochs {
			if _, err := d.ring.Open(w.s, e.Scope, crdt.EpochID(e.Op)); err == nil {
				v.Opens = append(v.Opens, i)
			}
		}
		for i, o := range w.ops {
			if o.Type() != TypeGenesis {
				continue
			}
			if _, at, err := w.s.Path(d.Party, o.Scope); err == nil {
				v.Scopes, v.RoleThen = append(v.Scopes, i), append(v.RoleThen, at.Role)
			}
		}
		c.Devices = append(c.Devices, v)
	}
	for _, e := range epochs {
		c.Epochs = append(c.Epochs, epochVector(w, a.ring, b.ring, e, epochs))
	}
	return c
}

func epochVector(w *world, a, b *Keyring, e Ref, all []Ref) vectorEpoch {
	secret, err := a.Open(w.s, e.Scope, crdt.EpochID(e.Op))
	if err != nil {
		if secret, err = b.Open(w.s, e.Scope, crdt.EpochID(e.Op)); err != nil {
			w.t.Fatal(err)
		}
	}
	doc, commit := crdt.DocID{0xd0, 0xc}, secret.Commitment(e.Scope)
	v := vectorEpoch{
		Scope: e.Scope[:], Epoch: e.Op[:], Secret: bytes.Clone(secret.Bytes()), Commit: commit[:],
		Doc: doc[:], ContentKey: secret.ContentKey(doc).Bytes(),
	}
	sc := w.s.scopes[e.Scope]
	if sc.body.Kind == KindPerson {
		key, err := secret.PersonKey(e.Scope, sc.body.Suite)
		if err != nil {
			w.t.Fatal(err)
		}
		v.PersonKey = key.PublicKey().Bytes()
	} else if e.Op == crdt.AccessOpID(e.Scope) {
		owner, epoch, _ := w.s.ownerEpoch(sc)
		i := slices.Index(all, Ref{owner.log.id, crdt.AccessOpID(epoch)})
		v.From = &i
	}
	return v
}

// makeInvalid breaks good operations in named ways.
func makeInvalid(t *testing.T, good []vectorOp) []vectorInvalid {
	g := good[0] // a person's genesis
	enc := func(b []byte, f func([]byte) []byte) hexBytes { return f(bytes.Clone(b)) }
	long := func(b []byte) []byte { return slices.Concat(b[:10], []byte{0x18, 1}, b[11:]) }
	sig := bytes.Clone(g.Sig)
	sig[40] ^= 1
	grant := good[slices.IndexFunc(good, func(o vectorOp) bool { return o.Type == "grant" })]
	owner := bytes.Clone(grant.Encoding)
	at := bytes.LastIndex(owner, []byte{0x18, 40, 0x80}) // role admin, then narrowing
	owner[at+1] = byte(Owner)
	return []vectorInvalid{
		{"version in two bytes", "cbor", enc(g.Encoding, long), g.Sig},
		{"a byte after the operation", "cbor", enc(g.Encoding, func(b []byte) []byte { return append(b, 0) }), g.Sig},
		{"the last byte cut off", "cbor", enc(g.Encoding, func(b []byte) []byte { return b[:len(b)-1] }), g.Sig},
		{"array of indefinite length", "cbor", enc(g.Encoding, func(b []byte) []byte { b[0] = 0x9f; return append(b, 0xff) }), g.Sig},
		{"null for the scope", "cbor", enc(g.Encoding, func(b []byte) []byte { b[12] = 0xf6; return b }), g.Sig},
		{"type revoke", "type", enc(g.Encoding, func(b []byte) []byte { b[11] = 3; return b }), g.Sig},
		{"version 2", "type", enc(g.Encoding, func(b []byte) []byte { b[10] = 2; return b }), g.Sig},
		{"a granted owner", "form", owner, grant.Sig},
		{"one bit of the signature", "signature", g.Encoding, sig},
		{"another operation's signature", "signature", g.Encoding, good[1].Sig},
	}
}

func TestVectors(t *testing.T) {
	if *update {
		cryptotest.SetGlobalRandom(t, 1) // crypto/hpke seals the same each time
		v := vectors{Note: "Access operations, their ids, signatures and keys: see package acl. All byte strings are in hex."}
		for _, suite := range []Suite{SuiteX25519, SuiteHybrid} {
			v.Cases = append(v.Cases, makeCase(t, suite))
		}
		v.Invalid = makeInvalid(t, v.Cases[0].Ops)
		b, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsFile, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Cases) == 0 || len(v.Invalid) == 0 {
		t.Fatal("no vectors")
	}
	for _, c := range v.Cases {
		t.Run(c.Suite.String(), func(t *testing.T) { checkCase(t, c) })
	}
	for _, c := range v.Invalid {
		checkInvalid(t, c)
	}
}

func checkCase(t *testing.T, c vectorCase) {
	s := &State{}
	var ops []*Op
	for _, v := range c.Ops {
		o, err := DecodeParts(v.Encoding, v.Sig)
		if err != nil {
			t.Fatal(err)
		}
		id := o.ID()
		if !bytes.Equal(id[:], v.ID) || !bytes.Equal(o.Encoding(), v.Encoding) || o.Type().String() != v.Type {
			t.Fatalf("%s %x: read as %s %s", v.Type, v.ID, o.Type(), o.ID())
		}
		if res, err := s.Add(o); err != nil || res.Outcome != Added {
			t.Fatal(res, err)
		}
		ops = append(ops, o)
	}
	for _, v := range c.Refused {
		want := map[string]error{"incarnation": ErrIncarnation, "heads": ErrOlderHeads, "denied": ErrDenied, "chain": ErrBrokenChain, "fork": ErrFork}[v.Error]
		o, err := DecodeParts(v.Encoding, v.Sig)
		if err != nil {
			t.Fatal(v.Name, err)
		}
		if _, err := s.Add(o); want == nil || !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", v.Name, err, want)
		}
	}
	for _, d := range c.Devices {
		checkDevice(t, s, ops, c, d)
	}
	for _, e := range c.Epochs {
		secret, err := NewSecret(e.Secret)
		if err != nil {
			t.Fatal(err)
		}
		if commit := secret.Commitment(crdt.ScopeID(e.Scope)); !bytes.Equal(commit[:], e.Commit) {
			t.Errorf("commitment of epoch %x", e.Epoch)
		}
		if !bytes.Equal(secret.ContentKey(crdt.DocID(e.Doc)).Bytes(), e.ContentKey) {
			t.Errorf("content key of epoch %x", e.Epoch)
		}
	}
}

func checkDevice(t *testing.T, s *State, ops []*Op, c vectorCase, d vectorDevice) {
	key, err := c.Suite.KEM().NewPrivateKey(d.HPKEKey)
	if err != nil {
		t.Fatal(err)
	}
	who := Party{crdt.ScopeID(d.Person), crdt.DeviceID(d.Device)}
	ring := NewKeyring(who, key)
	for i, e := range c.Epochs {
		secret, err := ring.Open(s, crdt.ScopeID(e.Scope), crdt.EpochID(e.Epoch))
		if opens := slices.Contains(d.Opens, i); opens != (err == nil) {
			t.Errorf("device %s, epoch %d: %v", who.Device, i, err)
		} else if opens && !bytes.Equal(secret.Bytes(), e.Secret) {
			t.Errorf("device %s opened epoch %d to another secret", who.Device, i)
		}
	}
	for i, o := range ops {
		if o.Type() != TypeGenesis {
			continue
		}
		_, a, err := s.Path(who, o.Scope)
		if j := slices.Index(d.Scopes, i); (j >= 0) != (err == nil) || j >= 0 && a.Role != d.RoleThen[j] {
			t.Errorf("device %s in scope %d: %s, %v", who.Device, i, a.Role, err)
		}
	}
}

func checkInvalid(t *testing.T, c vectorInvalid) {
	want := map[string]error{"cbor": ErrMalformed, "form": ErrMalformed, "type": ErrUnknownType, "signature": ErrBadSignature}[c.Error]
	o, err := DecodeParts(c.Encoding, c.Sig)
	if err == nil {
		err = o.Verify()
	}
	if want == nil || !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", c.Name, err, want)
	}
}

// TestVectorsElsewhere has another language read the vectors, with nothing of ours.
func TestVectorsElsewhere(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("node is needed in CI: ", err)
		}
		t.Skip("SKIPPED: no node here, so only Go has read the vectors")
	}
	out, err := exec.Command(node, filepath.Join("testdata", "check.mjs"), vectorsFile).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
