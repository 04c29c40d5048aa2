package acl

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/crdt"
)

func TestExplain(t *testing.T) {
	w := newWorld(t, SuiteX25519)
	ann, bob, eve := w.person(1), w.person(1), w.person(1)
	a := ann.devices[0]
	glass := bob.link(Reader)
	group, list := a.scope(KindGroup), a.scope(KindList)
	a.grant(group, bob, Writer)
	a.grantGroup(list, group, Writer)
	names := map[[32]byte]string{ann.id: "ann", bob.id: "bob", eve.id: "eve", group: "family", list: "recipes"}
	name := func(id [32]byte) string { return names[id] }
	device := func(d *testDevice) string { return d.Device.String() }

	for _, c := range []struct {
		who    Party
		action Action
		scope  crdt.ScopeID
		role   Role
		want   string
	}{
		{Party{Person: ann.id}, ActionShare, list, Owner, "ann may share in recipes: person ann is owner of list recipes"},
		{Party{Person: bob.id}, ActionWrite, list, Writer, "bob may write in recipes: person bob is writer of group family by grant of ann, and group family is writer of list recipes by grant of ann"},
		{Party{Person: bob.id}, ActionShare, list, Writer, "bob may not share in recipes: person bob is writer of group family by grant of ann, and group family is writer of list recipes by grant of ann; but in recipes the role is too low: writer, needs admin"},
		{glass.Party, ActionWrite, group, Reader, "device " + device(glass) + " of bob may not write in family: device " + device(glass) + " is reader of person bob by grant of bob, and person bob is writer of group family by grant of ann; but in family the role is too low: reader, needs writer"},
		{Party{Person: eve.id}, ActionRead, list, 0, "eve may not read in recipes: in recipes nobody granted it"},
		{Party{bob.id, a.Device}, ActionRead, list, 0, "device " + device(a) + " of bob may not read in recipes: in bob nobody granted it"},
		{Party{Person: bob.id}, ActionCarry, bob.id, Owner, "bob may carry in bob: it is the person's own scope"},
		{Party{Person: group}, ActionCarry, group, 0, "family may not carry in family: in family nobody granted it"},
	} {
		e, err := w.s.Explain(c.who, c.action, c.scope)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, e.Sentence(name)); diff != "" || e.Role != c.role || e.Allowed != (e.Denied == nil) {
			t.Errorf("%s, %s", diff, e.Role)
		}
	}
	if _, err := w.s.Explain(Party{}, ActionRead, crdt.ScopeID{1}); !errors.Is(err, ErrPending) {
		t.Fatal(err)
	}
	e, _ := w.s.Explain(Party{Person: eve.id}, ActionRead, list)
	if want := eve.id.String() + " may not read in " + list.String() + ": in " + list.String() + " nobody granted it"; e.Sentence(nil) != want {
		t.Fatal(e.Sentence(nil))
	}
}

func TestMembers(t *testing.T) {
	w := newWorld(t, SuiteX25519)
	ann, bob := w.person(2), w.person(1)
	a := ann.devices[0]
	group, list := a.scope(KindGroup), a.scope(KindList)
	inGroup := a.grant(group, bob, Admin)
	first := a.grant(list, bob, Reader)
	through := a.grantGroup(list, group, Writer)
	got, err := w.s.Members(list)
	if err != nil {
		t.Fatal(err)
	}
	genesis, _ := w.s.Log(list)
	want := []Member{
		{PersonPrincipal, ann.id, Owner, 0, crdt.AccessOpID(list), ann.id, genesis.Genesis().Time, nil},
		{PersonPrincipal, bob.id, Writer, 1, through.ID(), ann.id, through.Time, []crdt.ScopeID{group}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	if got[1].Person() != bob.id || inGroup.Time >= first.Time {
		t.Fatal("not the history meant")
	}
	devices, err := w.s.Members(ann.id)
	if err != nil || len(devices) != 3 || devices[0].Device() != ann.recovery.Device || devices[0].Role != Owner || devices[1].By != ann.id {
		t.Fatal(devices, err)
	}
	if _, err := w.s.Members(crdt.ScopeID{1}); !errors.Is(err, ErrPending) {
		t.Fatal(err)
	}
}

// TestBuildersRefuse: a builder never signs what the rules refuse.
func TestBuildersRefuse(t *testing.T) {
	w := newWorld(t, SuiteX25519)
	ann, bob := w.person(1), w.person(1)
	a, b := ann.devices[0], bob.devices[0]
	glass := ann.link(Reader)
	group, list := a.scope(KindGroup), a.scope(KindList)
	a.grant(list, bob, Writer)
	silent, words := a.Author, ann.recovery
	silent.Incarnation, words.Incarnation = w.life(), w.life()

	grant := func(by Author, kind PrincipalKind, id crdt.ScopeID, role Role) func() (*Op, error) {
		return func() (*Op, error) { return w.s.GrantTo(by, list, kind, id, role, nil, w.tick()) }
	}
	for name, c := range map[string]struct {
		build func() (*Op, error)
		want  error
	}{
		"a writer grants":           {grant(b.Author, PersonPrincipal, bob.id, Reader), ErrDenied},
		"a reading device grants":   {grant(glass.Author, PersonPrincipal, bob.id, Reader), ErrDenied},
		"the recovery key in lists": {grant(ann.recovery, PersonPrincipal, bob.id, Reader), ErrDenied},
		"an owner is granted":       {grant(a.Author, PersonPrincipal, bob.id, Owner), ErrMalformed},
		"a group as admin":          {grant(a.Author, GroupPrincipal, group, Admin), ErrMalformed},
		"a device in a list":        {grant(a.Author, DevicePrincipal, bob.id, Reader), ErrMalformed},
		"a list in itself":          {grant(a.Author, GroupPrincipal, list, Reader), ErrBadBody},
		"a reading device's list": {func() (*Op, error) {
			return w.s.NewScope(glass.Author, KindList, [16]byte{}, 0, 1)
		}, ErrDenied},
		"a scope of kind person": {func() (*Op, error) { return w.s.NewScope(a.Author, KindPerson, [16]byte{}, 0, 1) }, ErrMalformed},
		"a stranger's device": {func() (*Op, error) {
			return w.s.NewScope(Author{Party{ann.id, b.Device}, b.Incarnation, b.Sign}, KindList, [16]byte{}, 0, 1)
		}, ErrDenied},
		"another's signature": {func() (*Op, error) {
			return w.s.NewScope(Author{a.Party, a.Incarnation, b.Sign}, KindList, [16]byte{}, 0, 1)
		}, ErrBadSignature},
		"the same life again":    {func() (*Op, error) { return w.s.NewIncarnation(a.Author, nil, 1) }, ErrMalformed},
		"a life of the recovery": {func() (*Op, error) { return w.s.NewIncarnation(words, nil, 1) }, ErrBadBody},
		"a life of another person's device": {func() (*Op, error) {
			return w.s.NewIncarnation(Author{Party{ann.id, b.Device}, b.Incarnation, b.Sign}, nil, 1)
		}, ErrDenied},
		"a list in a life not announced": {func() (*Op, error) {
			return w.s.NewScope(silent, KindList, [16]byte{}, 0, 1)
		}, ErrIncarnation},
		"a grant in a life not announced": {grant(silent, PersonPrincipal, bob.id, Reader), ErrIncarnation},
		"an epoch in a life not announced": {func() (*Op, error) {
			o, _, err := w.s.NewEpoch(silent, ann.id, a.sealing(), 1)
			return o, err
		}, ErrIncarnation},
		"an unknown person": {func() (*Op, error) {
			return w.s.NewScope(Author{Party{crdt.ScopeID{1}, a.Device}, a.Incarnation, a.Sign}, KindList, [16]byte{}, 0, 1)
		}, ErrPending},
		"a reader rotates": {func() (*Op, error) {
			o, _, err := w.s.NewEpoch(glass.Author, list, glass.sealing(), 1)
			return o, err
		}, ErrDenied},
	} {
		o, err := c.build()
		if !errors.Is(err, c.want) || o != nil {
			t.Errorf("%s: %v %v, want %v", name, o != nil, err, c.want)
		}
	}
}

// TestManyTips: more concurrent tips than an operation can name do not stop anybody.
func TestManyTips(t *testing.T) {
	w := newWorld(t, SuiteX25519)
	ann := w.person(1)
	for range 24 {
		ann.link(Writer)
	}
	start := &State{}
	start.Load(func(yield func(*Op) bool) {
		for _, o := range w.ops {
			if !yield(o) {
				return
			}
		}
	})
	for _, d := range ann.devices[1:] { // all at once, seeing only the start
		d.Incarnation = w.life()
		w.add(start.NewIncarnation(d.Author, nil, 1))
	}
	log, _ := w.s.Log(ann.id)
	if n := len(log.Heads()); n != 24 {
		t.Fatalf("%d tips", n)
	}
	last := ann.devices[24]
	for _, d := range []*testDevice{ann.devices[1], last} {
		list := d.scope(KindList) // names 8 of 24 heads, its own life among their past
		if a, err := d.authorize(list); err != nil || a.Role != Writer {
			t.Fatal(a, err)
		}
	}
	by := ann.devices[0].Author
	for range 3 {
		by.Incarnation = w.life()
		w.add(w.s.NewIncarnation(by, nil, w.tick()))
	}
	if n := len(log.Heads()); n != 1 {
		t.Fatalf("%d tips after two joins", n)
	}
}

func TestNames(t *testing.T) {
	for _, r := range []Role{Relay, Reader, Writer, Admin, Owner} {
		b, _ := r.MarshalText()
		var got Role
		if err := got.UnmarshalText(b); err != nil || got != r {
			t.Errorf("%s: %v %v", b, got, err)
		}
	}
	if _, err := ParseRole("king"); !errors.Is(err, ErrBadRole) {
		t.Error(err)
	}
	for _, a := range []Action{ActionCarry, ActionRead, ActionWrite, ActionShare} {
		if got, err := ParseAction(a.String()); err != nil || got != a {
			t.Errorf("%s: %v %v", a, got, err)
		}
	}
	for _, name := range []string{"", "delete"} {
		if _, err := ParseAction(name); !errors.Is(err, ErrBadAction) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
