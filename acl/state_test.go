package acl

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/crdt"
)

// TestLate: a list whose owner's log is not known waits, and follows by itself.
func TestLate(t *testing.T) {
	w := newWorld(t, SuiteX25519)
	ann, bob := w.person(1), w.person(1)
	list := ann.devices[0].scope(KindList)
	ann.devices[0].grant(list, bob, Writer)

	s := &State{}
	for _, o := range slices.Backward(w.ops) {
		if o.Scope == ann.id && o.Type() == TypeGenesis {
			continue
		}
		res, err := s.Add(o)
		if err != nil {
			t.Fatal(err)
		}
		if waits := o.Scope != bob.id || o.Type() != TypeGenesis; waits && res.Outcome != Pending {
			t.Fatalf("%s of %s: %v", o.Type(), o.Scope, res.Outcome)
		}
	}
	if s.Status(genesisRef(list)) != Waiting {
		t.Fatal(s.Status(genesisRef(list)))
	}
	res, err := s.Add(w.ops[0])
	if err != nil || res.Outcome != Added {
		t.Fatal(res, err)
	}
	var got []crdt.AccessOpID
	for _, c := range res.Changes {
		if c.Status != Effective || c.Err != nil {
			t.Fatalf("change %+v", c)
		}
		got = append(got, c.Op.ID())
	}
	if len(got) != 6 || got[0] != w.ops[0].ID() { // ann's genesis, device, life, epoch; the list and its grant
		t.Fatalf("%d changes", len(got))
	}
	for range s.Waiting() {
		t.Fatal("something still waits")
	}
	if odd := (&State{}).Load(slices.Values(w.ops)); odd != nil {
		t.Fatalf("loading: %v", odd)
	}
}

// TestWaitingRefused: what waited and then turns out to be not allowed is told.
func TestWaitingRefused(t *testing.T) {
	w := newWorld(t, SuiteX25519)
	ann, eve := w.person(1), w.person(1)
	list := ann.devices[0].scope(KindList)
	e := eve.devices[0]
	path := []crdt.AccessOpID{w.deviceGrant(e), crdt.AccessOpID(list)} // eve's device on ann's list
	row, _ := w.s.Heads(eve.id)
	o := &Op{
		Scope: list, Device: e.Device, Path: path, Incarnation: e.Incarnation, Heads: []Row{row}, Seq: 1,
		Deps: []crdt.AccessOpID{crdt.AccessOpID(list)}, Time: 1,
		Body: &Grant{Principal: Principal{Kind: PersonPrincipal, ID: eve.id}, Role: Admin},
	}
	if err := o.Sign(e.Sign); err != nil {
		t.Fatal(err)
	}
	s := &State{}
	if res, err := s.Add(o); err != nil || res.Outcome != Pending || !cmp.Equal(res.Missing, []Ref{genesisRef(list)}) {
		t.Fatal(res, err)
	}
	if res, err := s.Add(o); err != nil || res.Outcome != Duplicate {
		t.Fatal(res.Outcome, err)
	}
	var denied *DeniedError
	for _, op := range w.ops {
		res, err := s.Add(op)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range res.Changes {
			if c.Err != nil && c.Op == o {
				errors.As(c.Err, &denied)
			}
		}
	}
	if denied == nil || denied.Why != DeniedHeads { // ann's own row is not named
		t.Fatalf("denied: %v", denied)
	}
	if s.Status(o.Ref()) != Unknown {
		t.Fatal(s.Status(o.Ref()))
	}
}

func TestForget(t *testing.T) {
	_, log, lines := newLines(t, 1)
	l := lines[0]
	l.next(t, log.Genesis().ID())
	two, three := l.next(t), l.next(t)
	s := &State{}
	for _, o := range []*Op{log.Genesis(), two, three} {
		if _, err := s.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	if !s.Forget(two.ID()) || s.Forget(two.ID()) || s.Status(two.Ref()) != Unknown || s.Status(three.Ref()) != Waiting {
		t.Fatal("forgetting")
	}
	if got := s.waiting.bytes; got != three.Size() {
		t.Fatalf("%d bytes wait, want %d", got, three.Size())
	}
	s.waiting.bytes = MaxWaitingBytes
	if _, err := s.Add(two); !errors.Is(err, ErrFull) {
		t.Fatalf("with the pool full: %v", err)
	}
}

// TestAuthorize is the table of rights: who may what, and which link is missing.
func TestAuthorize(t *testing.T) {
	w := newWorld(t, SuiteX25519)
	ann, bob, eve := w.person(1), w.person(1), w.person(1)
	a := ann.devices[0]
	pen, glass := ann.link(Writer), ann.link(Reader)
	group, list := a.scope(KindGroup), a.scope(KindList)
	a.grant(group, bob, Admin)
	inList := a.grantGroup(list, group, Writer)
	b, e := bob.devices[0], eve.devices[0]

	for name, c := range map[string]struct {
		d     *testDevice
		scope crdt.ScopeID
		want  Authority // Device and Scope left out
	}{
		"an admin device speaks as owner": {a, list, Authority{Person: ann.id, Role: Owner, Grant: crdt.AccessOpID(list)}},
		"a lesser device only writes":     {pen, list, Authority{Person: ann.id, Role: Writer, Grant: crdt.AccessOpID(list)}},
		"a device that only reads":        {glass, list, Authority{Person: ann.id, Role: Reader, Grant: crdt.AccessOpID(list)}},
		"an admin of the group":           {b, group, Authority{Person: bob.id, Role: Admin, Depth: 1, Grant: w.ops[len(w.ops)-2].ID()}},
		"is a writer where the group is":  {b, list, Authority{Person: bob.id, Role: Writer, Depth: 1, Grant: inList.ID()}},
		"in its own person":               {pen, ann.id, Authority{Person: ann.id, Role: Writer, Depth: 1, Grant: w.deviceGrant(pen)}},
	} {
		c.want.Device, c.want.Scope = c.d.Device, c.scope
		got, err := c.d.authorize(c.scope)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}

	path, _, err := w.s.Path(b.Party, list)
	if err != nil {
		t.Fatal(err)
	}
	heads, err := w.s.ItemHeads(b.Author, list, path)
	if err != nil {
		t.Fatal(err)
	}
	notGroup := slices.DeleteFunc(slices.Clone(heads), func(r Row) bool { return r.Scope == group })
	old := slices.Clone(heads)
	i := slices.IndexFunc(old, func(r Row) bool { return r.Scope == list })
	old[i].Heads = []crdt.AccessOpID{crdt.AccessOpID(list)}
	for name, c := range map[string]struct {
		device crdt.DeviceID
		path   []crdt.AccessOpID
		heads  []Row
		why    Denial
	}{
		"another's key":         {e.Device, path, heads, DeniedOtherParty},
		"no path":               {b.Device, nil, heads, DeniedPathShape},
		"a link left out":       {b.Device, path[1:], notGroup, DeniedHeads},
		"a row left out":        {b.Device, path, heads[:2], DeniedHeads},
		"a grant not yet known": {b.Device, path, old, DeniedNotInPast},
		"the owner's place":     {b.Device, append(slices.Clone(path[:2]), crdt.AccessOpID(list)), heads, DeniedHeads},
		"an epoch on the path":  {b.Device, append([]crdt.AccessOpID{w.epochOf(bob)}, path[1:]...), heads, DeniedNotAGrant},
	} {
		_, err := w.s.Authorize(list, c.device, c.path, c.heads)
		var denied *DeniedError
		if !errors.As(err, &denied) || denied.Why != c.why {
			t.Errorf("%s: %v, want: %s", name, err, c.why)
		}
	}
	row, _ := w.s.Heads(ann.id)
	if _, err := w.s.Authorize(ann.id, ann.recovery.Device, []crdt.AccessOpID{crdt.AccessOpID(ann.id)}, []Row{row}); !errors.Is(err, ErrDenied) {
		t.Errorf("an item by a recovery key: %v", err)
	}
	old[i].Heads = []crdt.AccessOpID{{1}}
	var pending *PendingError
	if _, err := w.s.Authorize(list, b.Device, path, old); !errors.As(err, &pending) || !cmp.Equal(pending.Missing, []Ref{{list, crdt.AccessOpID{1}}}) {
		t.Errorf("unknown head: %v", err)
	}
	if _, err := (&State{}).Authorize(list, b.Device, path, heads); !errors.As(err, &pending) || len(pending.Missing) != 3 {
		t.Errorf("nothing known: %v", err)
	}
}

func (w *world) deviceGrant(d *testDevice) crdt.AccessOpID {
	path, _, err := w.s.Path(d.Party, d.Person)
	if err != nil {
		w.t.Fatal(err)
	}
	return path[0]
}

func (w *world) epochOf(p *testPerson) crdt.AccessOpID { return crdt.AccessOpID(w.keys(p.id).Current) }

func TestNotOlder(t *testing.T) {
	w := newWorld(t, SuiteX25519)
	ann := w.person(1)
	list := ann.devices[0].scope(KindList)
	first, _ := w.s.Heads(list)
	ann.devices[0].rotate(list)
	second, _ := w.s.Heads(list)
	person, _ := w.s.Heads(ann.id)
	for name, c := range map[string]struct {
		heads, before []Row
		want          bool
	}{
		"newer":              {[]Row{second}, []Row{first}, true},
		"the same":           {[]Row{first}, []Row{first}, true},
		"older":              {[]Row{first}, []Row{second}, false},
		"only scopes common": {[]Row{first}, []Row{person}, true},
	} {
		if got, err := w.s.NotOlder(c.heads, c.before); err != nil || got != c.want {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	if _, err := w.s.NotOlder([]Row{{list, []crdt.AccessOpID{{1}}}}, []Row{first}); !errors.Is(err, ErrPending) {
		t.Errorf("unknown: %v", err)
	}
}

// TestCircle: groups may be members of each other; paths and member lists end.
func TestCircle(t *testing.T) {
	w := newWorld(t, SuiteX25519)
	ann, bob := w.person(1), w.person(1)
	a := ann.devices[0]
	one, two := a.scope(KindGroup), a.scope(KindGroup)
	oneInTwo, twoInOne := a.grantGroup(two, one, Writer), a.grantGroup(one, two, Writer)
	a.grant(two, bob, Reader)
	path := []crdt.AccessOpID{w.deviceGrant(a), crdt.AccessOpID(one), oneInTwo.ID(), twoInOne.ID()}
	var rows []Row
	for _, scope := range []crdt.ScopeID{ann.id, one, two, bob.id} { // bob's to make up the number
		row, err := w.s.Heads(scope)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b Row) int { return compareIDs(a.Scope, b.Scope) })
	var denied *DeniedError
	if _, err := w.s.Authorize(one, a.Device, path, rows); !errors.As(err, &denied) || denied.Why != DeniedPathShape {
		t.Fatalf("a path in a circle: %v", err)
	}
	members, err := w.s.Members(one)
	if err != nil || len(members) != 2 || members[0].Role != Owner || members[1].Role != Reader {
		t.Fatal(members, err)
	}
}

// TestDeepGroups: a device and four links reach, five do not.
func TestDeepGroups(t *testing.T) {
	w := newWorld(t, SuiteX25519)
	ann, bob := w.person(1), w.person(1)
	a, b := ann.devices[0], bob.devices[0]
	scopes := []crdt.ScopeID{a.scope(KindGroup)}
	a.grant(scopes[0], bob, Writer)
	for range 4 {
		next := a.scope(KindGroup)
		a.grantGroup(next, scopes[len(scopes)-1], Writer)
		scopes = append(scopes, next)
	}
	for i, scope := range scopes {
		at, err := b.authorize(scope)
		if reaches := i < MaxPath-1; reaches != (err == nil) || reaches && at.Role != Writer {
			t.Errorf("through %d groups: %s, %v", i, at.Role, err)
		}
	}
}
