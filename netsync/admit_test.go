package netsync

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
)

func TestAdmit(t *testing.T) {
	for _, c := range admitCases {
		t.Run(c.name, func(t *testing.T) {
			n, items := c.give(newWard(t))
			before := n.graph.Len()
			verdicts, err := n.admit(items)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, describe(verdicts)); diff != "" {
				t.Fatalf("verdicts (-want +got):\n%s", diff)
			}
			admitted := 0
			for i, v := range verdicts {
				if v.Set != items.Sets[i] {
					t.Errorf("verdict %d is on another item", i)
				}
				if v.Status == Admitted {
					admitted++
				}
				if in := n.graph.Has(v.Set.ID()); in != (v.Status == Admitted || v.Status == Known) {
					t.Errorf("item %d is %s; in the graph: %v", i, v.Status, in)
				}
				if v.Err != nil && v.Err.Error() == "" {
					t.Errorf("item %d: an error that says nothing", i)
				}
			}
			if n.graph.Len() != before+admitted {
				t.Errorf("%d items entered the graph, %d were admitted", n.graph.Len()-before, admitted)
			}
			if err := n.check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAdmitOneByOne: a run means what its items mean alone.
func TestAdmitOneByOne(t *testing.T) {
	for _, c := range admitCases {
		n, items := c.give(newWard(t))
		m, again := c.give(newWard(t))
		if _, err := n.admit(items); err != nil {
			t.Fatal(err)
		}
		for i, s := range again.Sets {
			one := Items{Sets: []*set.Set{s}, Cover: &set.Cover{}}
			for _, s := range again.Sets[i+1:] {
				one.Cover.Items = append(one.Cover.Items, s.Bare())
			}
			if again.Cover != nil {
				one.Cover.Items = append(one.Cover.Items, again.Cover.Items...)
			}
			if _, err := m.admit(one); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(n.graph.Tips(), m.graph.Tips()); diff != "" {
			t.Errorf("%s: tips of the run, of its items (-want +got):\n%s", c.name, diff)
		}
		if err := m.check(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestAdmitSignatures: of admitted items those that were verified keep their
// signature, and the others none; what is not admitted stays as it came.
func TestAdmitSignatures(t *testing.T) {
	w := newWard(t)
	x := w.b.write()
	w.a.freeze()
	r := append(w.a.run(4), w.a.write(x.ID()), w.a.write())
	n := w.node(r[0])
	items := of(r[0], forged(r[1]), r[2], r[3], r[4], forged(r[5]))
	if _, err := n.admit(items); err != nil {
		t.Fatal(err)
	}
	want := [][]byte{r[0].Sig, nil, nil, r[3].Sig, r[4].Sig, forged(r[5]).Sig}
	for i, s := range items.Sets {
		if diff := cmp.Diff(want[i], s.Sig); diff != "" {
			t.Errorf("signature %d (-want +got):\n%s", i, diff)
		}
	}
	if _, err := n.admit(of(x)); err != nil {
		t.Fatal(err)
	}
	verdicts, err := n.retry()
	if err != nil {
		t.Fatal(err)
	}
	got := describe(verdicts)
	if diff := cmp.Diff([]string{"known", "known", "known", "known", "admitted", "refused: signature"}, got); diff != "" {
		t.Errorf("again (-want +got):\n%s", diff)
	}
	if err := n.check(); err != nil {
		t.Error(err)
	}
}

// TestAdmitKeepsWaiting: what waits for operations is admitted when they are here,
// with the signatures it came with.
func TestAdmitKeepsWaiting(t *testing.T) {
	w := newWard(t)
	n := w.node()
	w.ann.devices[0].grant(w.s, w.list, w.dan, acl.Writer)
	r := w.dan.devices[0].author(w.s, w.doc).run(3)
	v, err := n.admit(of(r...))
	if err != nil || v[0].Status != Pending || v[0].Set.Sig == nil {
		t.Fatal(describe(v), err)
	}
	var missing *MissingError
	if !errors.As(v[0].Err, &missing) || len(missing.Ops) == 0 || !strings.Contains(missing.Error(), missing.Ops[0].Op.String()) {
		t.Fatalf("waits for %v", v[0].Err)
	}
	n.learn(w.s)
	if v, err = n.retry(); err != nil || v[2].Status != Admitted {
		t.Fatal(describe(v), err)
	}
	if err := n.check(); err != nil {
		t.Error(err)
	}
}

// TestAdmitUnloadedScope: a replica loads the logs that an item names. An item whose
// author came by another way before is judged without the logs of that way.
func TestAdmitUnloadedScope(t *testing.T) {
	w := newWard(t)
	d := w.ann.devices[0]
	group := d.scope(w.s, acl.KindGroup)
	d.grant(w.s, group, w.bob, acl.Writer)
	grant := d.grantGroup(w.s, w.list, group, acl.Writer)
	direct := w.b.fork()
	w.b.next.Path, w.b.next.Heads = w.claimBy(w.bob, group, grant.ID())
	w.b.frozen = true
	n := w.node(w.b.write())
	direct.next.Seq, direct.next.Prev = w.b.next.Seq, w.b.next.Prev
	item := direct.write()

	n.access = acl.State{}
	for scope := range w.s.Scopes() {
		if scope != group {
			log, _ := w.s.Log(scope)
			n.access.Load(log.All())
		}
	}
	v, err := n.admit(of(item))
	if err != nil || v[0].Status != Admitted {
		t.Fatal(describe(v), err)
	}
}

func TestAdmitOwnErrors(t *testing.T) {
	w := newWard(t)
	r := w.a.run(3)
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		sets []*set.Set
		edit func(*Context)
		want error
	}{
		"items that do not follow":  {[]*set.Set{r[0], r[2]}, nil, ErrItems},
		"items twice":               {[]*set.Set{r[0], r[0]}, nil, ErrItems},
		"items of different claims": {[]*set.Set{r[2], w.moreHeads()}, nil, ErrItems},
		"no header":                 {r[1:2], func(c *Context) { c.Header = func(crdt.ChangeSetID) (*set.Header, error) { return nil, boom } }, boom},
		"another document's graph":  {r[1:2], func(c *Context) { c.Graph = graphOf(t, r[0]) }, set.ErrChain},
	} {
		t.Run(name, func(t *testing.T) {
			n := w.node(r[0])
			ctx := n.context()
			if c.edit != nil {
				c.edit(ctx)
			}
			v, err := Admit(ctx, of(c.sets...))
			if !errors.Is(err, c.want) || v != nil {
				t.Fatalf("%v, %v; want %v", describe(v), err, c.want)
			}
			if n.graph.Len() != 1 {
				t.Error("something entered the graph")
			}
		})
	}
}

// moreHeads is Ann's next item, whose heads are newer.
func (w *ward) moreHeads() *set.Set {
	w.ann.devices[0].grant(w.s, w.list, w.dan, acl.Reader)
	return w.a.write()
}

// graphOf pretends that s is an item of another document.
func graphOf(t *testing.T, s *set.Set) *set.Graph {
	h := s.Header
	h.Doc = crdt.DocID{1}
	h.Prev = crdt.ChangeSetID(h.Doc)
	g := set.NewGraph(h.Doc)
	if _, err := g.Add(&h, s.ID()); err != nil {
		t.Fatal(err)
	}
	return g
}

// TestAdmitLongCovers: nothing is kept that could not be handed on.
func TestAdmitLongCovers(t *testing.T) {
	w := newWard(t)
	plain, fat := w.headers(set.MaxCover+2, 0), w.headers(900, set.MaxDeps)
	for name, c := range map[string]struct {
		chain []*set.Set
		run   int // items of it that are the run
		n     int // those that are the cover
		want  string
	}{
		"as many as there may be":          {plain, 1, set.MaxCover, "admitted: covered by 4096"},
		"one more":                         {plain, 1, set.MaxCover + 1, "refused: signature"},
		"as many bytes":                    {fat, 1, 800, "admitted: covered by 800"},
		"more bytes":                       {fat, 1, 899, "refused: signature"},
		"as many for the first of the run": {plain, 10, set.MaxCover - 9, "admitted"},
		"one more for the first":           {plain, 10, set.MaxCover - 8, "refused: signature"},
	} {
		t.Run(name, func(t *testing.T) {
			run := copySets(c.chain[:c.run])
			cover := copySets(c.chain[c.run : c.run+c.n])
			cover[c.n-1].Sign(w.a.key)
			for i := range cover {
				cover[i] = cover[i].Bare()
			}
			n := w.node()
			v, err := n.admit(Items{Sets: run, Cover: &set.Cover{Items: cover}})
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(v)[0]; got != c.want {
				t.Fatalf("%s, want %s", got, c.want)
			}
			if err := n.check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// headers is a chain of n unsigned items. From the second on they name deps that
// nobody has, so that nobody takes them; as a cover they serve.
func (w *ward) headers(n, deps int) []*set.Set {
	w.tb.Helper()
	ids := make([]crdt.ChangeSetID, deps)
	for i := range ids {
		ids[i] = crdt.ChangeSetID{byte(i + 1)}
	}
	chain := []*set.Set{unsigned(w.ann.devices[0].author(w.s, w.doc).write())}
	for len(chain) < n {
		last := chain[len(chain)-1]
		chain = append(chain, w.resign(last, nil, func(h *set.Header) { h.Seq++; h.Prev = last.ID(); h.Deps = ids }))
	}
	return chain
}

func TestAdmitDocument(t *testing.T) {
	w := newWard(t)
	edited := func(edit func(*set.Genesis)) *set.Document {
		g := w.doc.Genesis
		edit(&g)
		d, err := set.NewDocument(g, w.ann.devices[0].key)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	spoilt := *w.doc.Document
	spoilt.Sig = bytes.Clone(spoilt.Sig)
	spoilt.Sig[3] ^= 1
	tests := []struct {
		name string
		doc  *set.Document
		want string
	}{
		{"the owner's", w.doc.Document, "admitted"},
		{"a writer's", w.bob.devices[0].document(w.s, w.list).Document, "admitted"},
		{"a reader's", w.cyd.devices[0].document(w.s, w.list).Document, "refused: the role is too low"},
		{"a stranger's", edited(func(g *set.Genesis) { g.Path, g.Heads = w.bob.devices[0].claim(w.s, w.list) }), "refused: the grant is for somebody else"},
		{"a wrong signature", &spoilt, "refused: signature"},
		{"heads unknown", edited(func(g *set.Genesis) {
			g.Heads = slices.Clone(g.Heads)
			g.Heads[0].Ops = []crdt.AccessOpID{{1}}
		}), "pending: 0 sets, 1 ops"},
		{"scope unknown", edited(func(g *set.Genesis) {
			g.Scope = crdt.ScopeID{1}
			g.Heads = []set.Heads{{Scope: g.Scope, Ops: []crdt.AccessOpID{{1}}}}
		}), "pending: 0 sets, 1 ops"},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			if got := describe([]Verdict{AdmitDocument(w.s, c.doc)}); got[0] != c.want {
				t.Errorf("%s, want %s", got[0], c.want)
			}
		})
	}
}

func TestTexts(t *testing.T) {
	got := []string{
		Admitted.String(), Known.String(), Pending.String(), Refused.String(), Status(9).String(),
		TypeBegin.String(), TypeOps.String(), TypeDocument.String(), TypeRun.String(), TypePart.String(), TypeEnd.String(), Type(9).String(),
		(&MissingError{}).Error(),
		(&BundleError{Offset: 16, Reason: "truncated"}).Error(),
	}
	want := []string{
		"admitted", "known", "pending", "refused", "status(9)",
		"begin", "ops", "document", "run", "part", "end", "frame(9)",
		"netsync: waits",
		"netsync: bundle refused at byte 16: truncated",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	more := &MissingError{Sets: []crdt.ChangeSetID{{1}, {2}, {3}}}
	if !strings.HasSuffix(more.Error(), " and 2 more") {
		t.Error(more)
	}
}
