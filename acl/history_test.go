package acl

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/pipes-sync/pipes/crdt"
)

// history makes random operations of persons, devices, groups and lists. About
// half of the authors break some rule on purpose.
type history struct {
	*rapid.T
	dice    *rand.Rand                           // even odds, which rapid's own draws are not
	lives   map[crdt.DeviceID][]crdt.Incarnation // that each device has begun, or tried to
	tally   map[error]int                        // of what lives wrote: nil for a later one's that counts
	w       *world
	all     []*Op // hostile ones too
	persons []*testPerson
	devices []*testDevice
	scopes  []crdt.ScopeID // groups and lists
}

func drawHistory(t *rapid.T, tb testing.TB, steps int) *history {
	seed := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed")
	h := &history{T: t, w: newWorld(tb, SuiteX25519), dice: rand.New(rand.NewChaCha8([32]byte(seed)))}
	h.lives, h.tally = map[crdt.DeviceID][]crdt.Incarnation{}, map[error]int{}
	for range 3 {
		p := h.w.person(1)
		if h.flip(50) {
			p.link(pickOne(h, []Role{Relay, Reader, Writer, Admin}))
		}
		h.persons = append(h.persons, p)
		h.devices = append(h.devices, p.devices...)
		for _, d := range p.devices {
			h.lives[d.Device] = []crdt.Incarnation{d.Incarnation}
		}
	}
	for range 2 + h.dice.IntN(3) {
		kind := pickOne(h, []Kind{KindGroup, KindList})
		h.scopes = append(h.scopes, h.persons[h.dice.IntN(3)].devices[0].scope(kind))
	}
	h.all = slices.Clone(h.w.ops)
	for range steps {
		h.step()
	}
	return h
}

func (h *history) flip(percent int) bool { return h.dice.IntN(100) < percent }

func pickOne[E any](h *history, list []E) E { return list[h.dice.IntN(len(list))] }

// step draws one operation: first as an honest author would, then bent.
func (h *history) step() {
	d, scope := h.who()
	body := h.body(d, scope)
	by := h.author(d, body)
	if body.Type() == TypeIncarnation && h.flip(80) {
		scope = d.Person
	}
	path, _, err := h.w.s.Path(by.Party, scope)
	if err != nil || h.flip(15) {
		path = h.bentPath(path)
	}
	if scope != d.Person && len(path) > 1 && h.flip(3) {
		by = h.recoveryOf(d)
		path[0] = crdt.AccessOpID(d.Person)
	}
	o := &Op{Scope: scope, Device: by.Device, Incarnation: by.Incarnation, Path: path, Seq: 1, Body: body, Time: h.w.tick()}
	if g, ok := body.(*Genesis); ok {
		path, _, _ = h.w.s.Path(by.Party, crdt.ScopeID(g.Owner))
		if o.Path = path; len(path) == 0 {
			o.Path = h.bentPath(nil)[:1]
		}
		o.Heads = []Row{h.row(g.Owner)}
	} else {
		h.place(o, by)
	}
	if o.Sign(by.Sign) != nil {
		return // its form alone is bad: the decoder's business
	}
	h.all = append(h.all, o)
	_, err = h.w.s.Add(o)
	for _, why := range []error{ErrIncarnation, ErrOlderHeads} {
		if errors.Is(err, why) {
			h.tally[why]++
		}
	}
	if err == nil && h.w.s.Status(o.Ref()) == Effective {
		if lives := h.lives[by.Device]; len(lives) > 1 && by.Incarnation != lives[0] {
			h.tally[nil]++
		}
		h.w.ops = append(h.w.ops, o)
		if g, ok := body.(*Genesis); ok && g.Kind != KindPerson {
			h.scopes = append(h.scopes, o.Scope)
		}
	}
}

// who picks a device and a scope for it to write in: mostly where it is an admin.
func (h *history) who() (*testDevice, crdt.ScopeID) {
	var d *testDevice
	var scope crdt.ScopeID
	for range 6 {
		d = pickOne(h, h.devices)
		scope = pickOne(h, append(slices.Clone(h.scopes), d.Person))
		if _, a, err := h.w.s.Path(d.Party, scope); err == nil && a.Role >= Admin || h.flip(15) {
			break
		}
	}
	return d, scope
}

// author is d in one of its lives, an earlier one perhaps, which knows nothing of the
// later; sometimes in one that nobody announced, or that is another device's, or its
// person's recovery key. An incarnation begins a new life, mostly.
func (h *history) author(d *testDevice, body Body) Author {
	by := d.Author
	lives := h.lives[d.Device]
	switch {
	case body.Type() == TypeIncarnation && h.flip(90):
		by.Incarnation = h.w.life()
		h.lives[d.Device] = append(lives, by.Incarnation)
		if h.flip(60) {
			d.Incarnation = by.Incarnation
		}
	case h.flip(5):
		by.Incarnation = pickOne(h, h.devices).Incarnation
	case h.flip(5):
		by.Incarnation = h.w.life()
	case h.flip(30) && len(lives) > 0:
		by.Incarnation = pickOne(h, lives)
	}
	if h.flip(8) {
		key := h.recoveryOf(d)
		by.Device, by.Sign = key.Device, key.Sign // in whatever life
	}
	return by
}

func (h *history) recoveryOf(d *testDevice) Author {
	return h.persons[slices.IndexFunc(h.persons, func(p *testPerson) bool { return p.id == d.Person })].recovery
}

// place sets seq, prev, deps and heads, sometimes of an older or impossible view.
func (h *history) place(o *Op, by Author) {
	log, _ := h.w.s.Log(o.Scope)
	for prior := range log.All() {
		if prior.life() == o.life() {
			o.Seq, o.Prev = prior.Seq+1, prior.ID()
		}
	}
	if h.flip(3) {
		o.Seq++
	}
	if h.flip(30) || o.Seq == 1 && len(log.Heads()) > MaxDeps {
		for range 1 + h.dice.IntN(3) {
			o.Deps = append(o.Deps, h.someOp(log))
		}
	} else {
		o.Deps = log.pick(MaxDeps, nil, o.Prev)
	}
	if h.flip(3) {
		o.Deps = append(o.Deps, crdt.AccessOpID{9, 9})
	}
	o.Deps = slices.DeleteFunc(o.Deps, func(id crdt.AccessOpID) bool { return id == o.Prev })
	slices.SortFunc(o.Deps, compareIDs)
	o.Deps = slices.Compact(o.Deps)
	if rows, err := h.w.s.rows(by, o.Scope, o.Path); err == nil {
		o.Heads = rows
	}
	for i := range o.Heads {
		if h.flip(8) {
			o.Heads[i] = h.row(o.Heads[i].Scope)
		}
	}
	if h.flip(3) && len(o.Heads) > 0 {
		o.Heads = o.Heads[1:]
	}
	if len(o.Heads) == 0 && h.flip(4) {
		o.Heads = []Row{h.row(pickOne(h, h.persons).id)}
	}
}

func (h *history) someOp(log *Log) crdt.AccessOpID {
	return slices.Collect(log.All())[h.dice.IntN(log.Len())].ID()
}

// row names one operation of a scope, however old, or one that is not there.
func (h *history) row(scope crdt.ScopeID) Row {
	log, ok := h.w.s.Log(scope)
	if !ok || h.flip(10) {
		return Row{scope, []crdt.AccessOpID{{8, 8}}}
	}
	return Row{scope, []crdt.AccessOpID{h.someOp(log)}}
}

// bentPath mixes links of other paths in.
func (h *history) bentPath(path []crdt.AccessOpID) []crdt.AccessOpID {
	path = slices.Clone(path)
	ops := h.w.ops
	for range 1 + h.dice.IntN(2) {
		id := pickOne(h, ops).ID()
		if i := h.dice.IntN(1 + len(path)); i < len(path) && h.flip(60) {
			path[i] = id
		} else if len(path) < MaxPath {
			path = slices.Insert(path, i, id)
		}
	}
	return path
}

func (h *history) body(d *testDevice, scope crdt.ScopeID) Body {
	switch k := h.dice.IntN(12); {
	case k == 1 || k >= 10 || len(h.lives[d.Device]) == 0 && h.flip(60):
		n := &Incarnation{}
		for _, scope := range slices.SortedFunc(slices.Values(h.scopes), compareIDs) {
			if h.flip(70) {
				n.Heads = append(n.Heads, h.row(scope))
			}
		}
		return n
	case k == 0:
		return &Genesis{Kind: pickOne(h, []Kind{KindGroup, KindList}), Owner: pickOne(h, h.persons).id, Suite: 1, Nonce: h.w.bytes16()}
	case k <= 3:
		return h.epoch(scope)
	}
	g := &Grant{Role: pickOne(h, []Role{Relay, Reader, Writer, Admin, Admin})}
	switch k := h.dice.IntN(10); {
	case k <= 4:
		g.Principal = Principal{Kind: PersonPrincipal, ID: pickOne(h, h.persons).id}
	case k <= 7:
		g.Principal = Principal{Kind: GroupPrincipal, ID: pickOne(h, h.scopes)}
		g.Role = min(g.Role, Writer)
	case k == 8:
		kinds := []PrincipalKind{PersonPrincipal, GroupPrincipal} // perhaps not what the scope is
		g.Principal = Principal{Kind: pickOne(h, kinds), ID: pickOne(h, append(slices.Clone(h.scopes), d.Person))}
		g.Role = min(g.Role, Writer)
	default:
		p := pickOne(h, h.persons)
		nd, info := p.newDevice(g.Role)
		g.Principal = Principal{DevicePrincipal, info.Device, info.HPKEKey}
		join, _ := NewJoin(nd.Sign, scope, info.HPKEKey, info.Join.Nonce)
		g.Join = &join
		if p.id == d.Person {
			h.devices = append(h.devices, nd)
		}
	}
	if id := h.someEpoch(scope); g.Role >= Reader && g.Principal.Kind != GroupPrincipal && h.flip(40) {
		g.Seal = &Seal{Epoch: id, Commit: [32]byte{byte(5 + h.dice.IntN(2))}, Sealed: make([]byte, sealSizeX25519)}
		if g.Principal.Kind == PersonPrincipal {
			g.Seal.To = crdt.EpochID{1}
		}
	}
	return g
}

func (h *history) someEpoch(scope crdt.ScopeID) crdt.EpochID {
	log, _ := h.w.s.Log(scope)
	ids := []crdt.EpochID{crdt.EpochID(scope)}
	for o := range log.All() {
		if o.Type() == TypeEpoch {
			ids = append(ids, crdt.EpochID(o.ID()))
		}
	}
	return pickOne(h, ids)
}

func (h *history) epoch(scope crdt.ScopeID) *Epoch {
	e := &Epoch{Commit: [32]byte{5}}
	r := Recipient{ID: pickOne(h, h.persons).id, To: crdt.EpochID{1}, Sealed: make([]byte, sealSizeX25519)}
	log, _ := h.w.s.Log(scope)
	if (log.Genesis().Body.(*Genesis).Kind == KindPerson) != h.flip(5) {
		r.To = crdt.EpochID{}
		e.HPKEKey = h.devices[0].hpke.PublicKey().Bytes()
	}
	e.Recipients = []Recipient{r}
	if h.flip(60) {
		e.Parents = []crdt.EpochID{h.someEpoch(scope)}
		e.Chain = [][]byte{make([]byte, chainSealedSize)}
	}
	return e
}

// deliver gives all operations in a random order, some twice, to a new State.
func (h *history) deliver() *State {
	order := slices.Clone(h.all)
	h.dice.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	s := &State{}
	for i, o := range order {
		before := s.Status(o.Ref())
		res, err := s.Add(o)
		if before != Unknown && (err != nil || res.Outcome != Duplicate) {
			h.Fatalf("%s op came by itself and is offered: %v %v", before, res.Outcome, err)
		}
		if i%5 == 0 {
			s.Add(order[i/2])
		}
	}
	return s
}

// TestHistories holds State against the naive evaluator, over random histories
// with hostile authors and over every order of arrival.
func TestHistories(t *testing.T) {
	kept, lost := 0, 0
	lives := map[error]int{nil: 0, ErrIncarnation: 0, ErrOlderHeads: 0}
	rapid.Check(t, func(rt *rapid.T) {
		h := drawHistory(rt, t, 30)
		n := newNaive(h.all)
		want := n.counting()
		kept, lost = kept+len(want), lost+len(h.all)-len(want)
		for _, s := range []*State{h.w.s, h.deliver(), h.deliver()} {
			h.compare(s, n, want)
		}
		h.compareItems(n)
		for err := range lives {
			lives[err] += h.tally[err]
		}
	})
	if !t.Failed() && (kept == 0 || lost*10 < kept || lives[nil] == 0 || lives[ErrIncarnation] == 0) {
		t.Fatalf("%d operations count and %d do not, of later lives %v: the histories are too tame", kept, lost, lives)
	}
	t.Logf("%d operations count, %d do not; of later lives %v", kept, lost, lives)
}
