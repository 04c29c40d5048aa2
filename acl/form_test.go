package acl

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pipes-sync/pipes/crdt"
)

// samples are one operation of each kind of body, from a real history.
func samples(t testing.TB, suite Suite) []*Op {
	w := newWorld(t, suite)
	ann, bob := w.person(2), w.person(1)
	a := ann.devices[0]
	group, list := a.scope(KindGroup), a.scope(KindList)
	row, _ := w.s.Heads(list)
	again := a.Author
	again.Incarnation = crdt.Incarnation{1, 2}
	w.add(w.s.NewIncarnation(again, []Row{row}, w.tick()))
	a.grant(group, bob, Writer)
	a.grantGroup(list, group, Reader)
	bob.devices[0].rotate(group)
	return w.ops
}

func TestRoundTrip(t *testing.T) {
	bothSuites(t, func(t *testing.T, w *world) {
		for _, o := range samples(t, w.suite) {
			stored, err := o.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			got, err := Decode(stored)
			if err != nil {
				t.Fatalf("%s: %v", o.Type(), err)
			}
			if err := got.Verify(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(o, got, cmp.AllowUnexported(Op{}), cmpopts.EquateEmpty()); diff != "" {
				t.Fatal(diff)
			}
			clear(stored)
			if !bytes.Equal(got.Encoding(), o.Encoding()) {
				t.Fatal("the operation keeps the bytes it was decoded from")
			}
		}
	})
}

// TestFlips: of all operations with one bit flipped, none decodes and verifies,
// and what decodes encodes to the bytes it came from.
func TestFlips(t *testing.T) {
	for _, o := range samples(t, SuiteX25519) {
		enc, sig := o.Encoding(), o.Sig()
		for i := range len(enc) * 8 {
			enc[i/8] ^= 1 << (i % 8)
			got, err := DecodeParts(enc, sig[:])
			switch {
			case err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknownType):
				t.Fatalf("untyped error: %v", err)
			case err == nil && !bytes.Equal(got.Encoding(), enc):
				t.Fatalf("%s: bit %d makes a second encoding", o.Type(), i)
			case err == nil && got.Verify() == nil:
				t.Fatalf("%s: bit %d is not signed", o.Type(), i)
			}
			enc[i/8] ^= 1 << (i % 8)
		}
	}
}

func TestUnknownTypes(t *testing.T) {
	o := samples(t, SuiteX25519)[1]
	enc, sig := o.Encoding(), o.Sig()
	const at = 1 + 9 + 1 // array head, label, version
	for typ := range reservedTypes {
		var b []byte
		if typ < 24 {
			b = append(bytes.Clone(enc[:at]), byte(typ))
		} else {
			b = append(bytes.Clone(enc[:at]), 0x18, byte(typ))
		}
		if _, err := DecodeParts(append(b, enc[at+1:]...), sig[:]); !errors.Is(err, ErrUnknownType) || errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", typ, err)
		}
	}
	next := bytes.Clone(enc)
	next[at-1] = 2
	if _, err := DecodeParts(next, sig[:]); !errors.Is(err, ErrUnknownType) {
		t.Errorf("version 2: %v", err)
	}
	far := append(append(bytes.Clone(enc[:at]), 0x19, 1, byte(TypeGrant)), enc[at+1:]...)
	if _, err := DecodeParts(far, sig[:]); !errors.Is(err, ErrUnknownType) {
		t.Errorf("type 258: %v", err)
	}
}

// bend answers a copy of o that a test may change.
func bend(t testing.TB, o *Op) *Op {
	b, _ := o.MarshalBinary()
	c, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestForm: what no author can have meant is refused before signatures and logs.
func TestForm(t *testing.T) {
	ops := samples(t, SuiteX25519)
	pick := func(f func(*Op) bool) *Op {
		for _, o := range ops {
			if f(o) {
				return o
			}
		}
		t.Fatal("no such sample")
		return nil
	}
	person := pick(func(o *Op) bool { return o.Type() == TypeGenesis })
	list := pick(func(o *Op) bool { g, ok := o.Body.(*Genesis); return ok && g.Kind == KindList })
	device := pick(func(o *Op) bool { g, ok := o.Body.(*Grant); return ok && g.Seal != nil && g.Join != nil })
	member := pick(func(o *Op) bool { g, ok := o.Body.(*Grant); return ok && g.Seal != nil && g.Join == nil })
	group := pick(func(o *Op) bool { g, ok := o.Body.(*Grant); return ok && g.Principal.Kind == GroupPrincipal })
	epoch := pick(func(o *Op) bool { e, ok := o.Body.(*Epoch); return ok && len(e.Parents) > 0 })
	life := pick(func(o *Op) bool { n, ok := o.Body.(*Incarnation); return ok && n.Heads != nil })
	grant := func(o *Op) *Grant { return o.Body.(*Grant) }
	ep := func(o *Op) *Epoch { return o.Body.(*Epoch) }
	id := crdt.AccessOpID{1}

	for name, c := range map[string]struct {
		o *Op
		f func(o *Op)
	}{
		"time before 1970":           {person, func(o *Op) { o.Time = -1 }},
		"time beyond integers":       {person, func(o *Op) { o.Time = MaxTime + 1 }},
		"seq 0":                      {device, func(o *Op) { o.Seq = 0 }},
		"seq 1 with prev":            {epoch, func(o *Op) { o.Seq, o.Prev = 1, id }},
		"no deps at the start":       {device, func(o *Op) { o.Seq, o.Prev, o.Deps = 1, crdt.AccessOpID{}, nil }},
		"deps not ascending":         {member, func(o *Op) { o.Deps = []crdt.AccessOpID{{2}, {1}} }},
		"dep twice":                  {member, func(o *Op) { o.Deps = []crdt.AccessOpID{{2}, {2}} }},
		"prev among deps":            {device, func(o *Op) { o.Seq, o.Prev, o.Deps = 2, id, []crdt.AccessOpID{id} }},
		"17 deps":                    {member, func(o *Op) { o.Deps = make([]crdt.AccessOpID, MaxDeps+1) }},
		"path of six":                {member, func(o *Op) { o.Path = make([]crdt.AccessOpID, MaxPath+1) }},
		"no path":                    {member, func(o *Op) { o.Path = nil }},
		"heads of its own scope":     {member, func(o *Op) { o.Heads[0].Scope = o.Scope }},
		"empty row":                  {member, func(o *Op) { o.Heads[0].Heads = nil }},
		"nine heads":                 {member, func(o *Op) { o.Heads[0].Heads = make([]crdt.AccessOpID, MaxHeads+1) }},
		"heads not ascending":        {member, func(o *Op) { o.Heads[0].Heads = []crdt.AccessOpID{{2}, {1}} }},
		"rows not ascending":         {member, func(o *Op) { o.Heads = append(o.Heads, o.Heads[0]) }},
		"genesis with deps":          {person, func(o *Op) { o.Deps = []crdt.AccessOpID{id} }},
		"person of another key":      {person, func(o *Op) { o.Body.(*Genesis).Owner[0]++ }},
		"person with a path":         {person, func(o *Op) { o.Path = []crdt.AccessOpID{id} }},
		"list by another's heads":    {list, func(o *Op) { o.Body.(*Genesis).Owner[0]++ }},
		"list without a path":        {list, func(o *Op) { o.Path = nil }},
		"kind 4":                     {list, func(o *Op) { o.Body.(*Genesis).Kind = 4 }},
		"suite 3":                    {list, func(o *Op) { o.Body.(*Genesis).Suite = 3 }},
		"suite 0":                    {list, func(o *Op) { o.Body.(*Genesis).Suite = 0 }},
		"granted owner":              {member, func(o *Op) { grant(o).Role = Owner }},
		"role between":               {member, func(o *Op) { grant(o).Role = 31 }},
		"principal 4":                {group, func(o *Op) { grant(o).Principal.Kind = 4 }},
		"group as admin":             {group, func(o *Op) { grant(o).Role = Admin }},
		"device without consent":     {device, func(o *Op) { grant(o).Join = nil }},
		"person with consent":        {member, func(o *Op) { grant(o).Join = &Join{} }},
		"device without key":         {device, func(o *Op) { grant(o).Principal.HPKEKey = nil }},
		"device with half a key":     {device, func(o *Op) { grant(o).Principal.HPKEKey = make([]byte, 16) }},
		"person with key":            {member, func(o *Op) { grant(o).Principal.HPKEKey = make([]byte, 32) }},
		"secret for a relay":         {member, func(o *Op) { grant(o).Role = Relay }},
		"secret for a group":         {group, func(o *Op) { grant(o).Seal = grant(member).Seal }},
		"person's secret to nothing": {member, func(o *Op) { grant(o).Seal.To = crdt.EpochID{} }},
		"device's secret to epoch":   {device, func(o *Op) { grant(o).Seal.To = crdt.EpochID{1} }},
		"short secret":               {member, func(o *Op) { grant(o).Seal.Sealed = grant(o).Seal.Sealed[1:] }},
		"parents not ascending": {epoch, func(o *Op) {
			ep(o).Parents = []crdt.EpochID{{2}, {1}}
			ep(o).Chain = append(ep(o).Chain, ep(o).Chain[0])
		}},
		"parent without chain":     {epoch, func(o *Op) { ep(o).Chain = nil }},
		"short chain":              {epoch, func(o *Op) { ep(o).Chain[0] = ep(o).Chain[0][1:] }},
		"no recipients":            {epoch, func(o *Op) { ep(o).Recipients = nil }},
		"recipient twice":          {epoch, func(o *Op) { ep(o).Recipients = append(ep(o).Recipients, ep(o).Recipients[0]) }},
		"recipient's short secret": {epoch, func(o *Op) { ep(o).Recipients[0].Sealed = nil }},
		"person as device":         {epoch, func(o *Op) { ep(o).Recipients[0].To = crdt.EpochID{} }},
		"epoch with half a key":    {epoch, func(o *Op) { ep(o).HPKEKey = make([]byte, 31) }},
		"life within a chain":      {life, func(o *Op) { o.Seq, o.Prev = 2, id }},
		"life of its own log":      {life, func(o *Op) { o.Body.(*Incarnation).Heads[0].Scope = o.Scope }},
		"life with an empty row":   {life, func(o *Op) { o.Body.(*Incarnation).Heads[0].Heads = nil }},
	} {
		o := bend(t, c.o)
		c.f(o)
		if err := o.checkForm(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: checked: %v", name, err)
		}
		if err := o.Sign(func([]byte) ([]byte, error) { t.Errorf("%s: signed", name); return nil, nil }); err == nil {
			t.Errorf("%s: signed", name)
		}
		sig := o.Sig()
		if _, err := DecodeParts(o.Encoding(), sig[:]); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: decoded: %v", name, err)
		}
	}
}

// TestVerify: what costs keys to know is checked with the signature.
func TestVerify(t *testing.T) {
	w := newWorld(t, SuiteX25519)
	ann := w.person(1)
	for name, c := range map[string]struct {
		f    func(nd *NewDevice)
		want error
	}{
		"consent to another key": {func(nd *NewDevice) { nd.HPKEKey = bytes.Clone(nd.HPKEKey); nd.HPKEKey[3]++ }, ErrBadSignature},
		"consent forged":         {func(nd *NewDevice) { nd.Join.Sig[0]++ }, ErrBadSignature},
		"consent to another person": {func(nd *NewDevice) {
			d, other := (&testPerson{w: w, id: crdt.ScopeID{5}}).newDevice(Admin)
			*nd, _ = other, d
		}, ErrBadSignature},
	} {
		_, nd := ann.newDevice(Reader)
		c.f(&nd)
		if _, err := w.s.GrantDevice(ann.devices[0].Author, nd, nil, 1); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d, nd := ann.newDevice(Reader)
	nd.HPKEKey = make([]byte, 32) // the point 0, of small order
	nd.Join, _ = NewJoin(d.Sign, ann.id, nd.HPKEKey, [16]byte{})
	if _, err := w.s.GrantDevice(ann.devices[0].Author, nd, nil, 1); !errors.Is(err, ErrBadKey) {
		t.Errorf("a key nobody can seal to: %v", err)
	}
	d, nd = ann.newDevice(Reader)
	nd.HPKEKey = bytes.Repeat([]byte{0xff}, keySizeHybrid) // no ML-KEM key
	nd.Join, _ = NewJoin(d.Sign, ann.id, nd.HPKEKey, [16]byte{})
	if _, err := w.s.GrantDevice(ann.devices[0].Author, nd, nil, 1); !errors.Is(err, ErrBadKey) {
		t.Errorf("no key at all: %v", err)
	}
}
