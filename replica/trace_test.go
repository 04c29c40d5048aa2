package replica

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
	"github.com/pipes-sync/pipes/netsync"
)

// trace is an editing trace: see testdata/traces/README.md.
type trace struct {
	EndContent string `json:"endContent"`
	Txns       []struct {
		Parents []int   `json:"parents"`
		Agent   int     `json:"agent"`
		Patches []patch `json:"patches"`
	} `json:"txns"`
}

type patch struct {
	pos, del int
	ins      string
}

func (p *patch) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[3]any{&p.pos, &p.del, &p.ins})
}

func loadTrace(t testing.TB, name string) trace {
	t.Helper()
	f, err := os.Open("../testdata/traces/" + name + ".json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var tr trace
	if err := json.NewDecoder(z).Decode(&tr); err != nil {
		t.Fatal(err)
	}
	return tr
}

// splice begins a change with patches of the text at "text".
func splice(t testing.TB, d *Doc, patches []patch) {
	t.Helper()
	_, err := d.Begin(context.Background(), "", func(tx *crdt.Tx) error {
		for _, p := range patches {
			if err := tx.Splice(crdt.At("text"), p.pos, p.del, p.ins); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// tip is the last set of a replica's own in a document.
func tip(t testing.TB, d *Doc) (id crdt.ChangeSetID) {
	t.Helper()
	if err := d.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := d.with(t.Context(), "test", func(st *docState) error {
		id = st.graph.Vector()[d.r.chain()][0].ID
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// deliver hands over what the set last rests on, itself included, and the other
// replica lacks: less than a bundle holds.
func deliver(t testing.TB, from, to *Doc, last crdt.ChangeSetID) {
	t.Helper()
	var lacks []crdt.ChangeSetID
	err := to.with(t.Context(), "test", func(theirs *docState) error {
		vector := theirs.graph.Vector()
		return from.with(t.Context(), "test", func(st *docState) error {
			all, _ := st.graph.Missing(vector)
			for _, id := range all {
				if st.graph.Covers(last, id) {
					lacks = append(lacks, id)
				}
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	var runs []netsync.Items
	for _, id := range lacks {
		runs = append(runs, netsync.Items{Sets: []*set.Set{must(from.r.readSet(from.id, id))(t)}})
	}
	for _, verdicts := range must(to.receive(runs))(t) {
		for _, v := range verdicts {
			if v.Status != netsync.Admitted {
				t.Fatalf("%s: %v", v.Status, v.Err)
			}
		}
	}
}

// Two people type at the same time. Each change is made on exactly what its author
// had seen, and both replicas end with the same text.
func TestConcurrentTraceWithItsRealParents(t *testing.T) {
	if testing.Short() {
		t.Skip("26,078 changes; run without -short")
	}
	ctx := t.Context()
	tr := loadTrace(t, "friendsforever.concurrent")
	a, b := openAt(t, t.TempDir()), openAt(t, t.TempDir())
	first := must(a.NewDoc(ctx, map[string]any{"text": ""}))(t)
	carry(t, b, a)
	must(a.Share(ctx, first.ID(), b.Person(), acl.Writer))(t)
	carry(t, a, b)
	docs := []*Doc{first, must(b.Doc(ctx, first.ID()))(t)}

	joined := map[int]crdt.ChangeSetID{} // txns that the other has seen: the set that ends with them
	for _, x := range tr.Txns {
		for _, p := range x.Parents {
			if tr.Txns[p].Agent != x.Agent {
				joined[p] = crdt.ChangeSetID{}
			}
		}
	}
	for i, x := range tr.Txns {
		for _, p := range x.Parents {
			if tr.Txns[p].Agent != x.Agent {
				deliver(t, docs[1-x.Agent], docs[x.Agent], joined[p])
			}
		}
		splice(t, docs[x.Agent], x.Patches)
		if _, ok := joined[i]; ok {
			joined[i] = tip(t, docs[x.Agent])
		}
	}
	for _, d := range docs {
		if err := d.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	carry(t, a, b)
	carry(t, b, a)
	for _, d := range docs {
		if diff := cmp.Diff(tr.EndContent, must(d.Text("text").Get())(t)); diff != "" {
			t.Error(diff)
		}
		if n := must(d.Status(ctx))(t); n.Changes != len(tr.Txns)+1 || len(n.Apart) > 0 {
			t.Errorf("%d changes, %d apart", n.Changes, len(n.Apart))
		}
	}
	if diff := cmp.Diff(must(docs[0].Heads(ctx))(t), must(docs[1].Heads(ctx))(t)); diff != "" {
		t.Error(diff)
	}
}

// A whole editing history goes into one replica and by bundle to the other.
func TestPaperTraceByBundle(t *testing.T) {
	if testing.Short() {
		t.Skip("259,778 edits; run without -short")
	}
	ctx := t.Context()
	tr := loadTrace(t, "automerge-paper")
	a, b := openAt(t, t.TempDir()), openAt(t, t.TempDir())
	doc := must(a.NewDoc(ctx, map[string]any{"text": ""}))(t)
	carry(t, b, a)
	must(a.Share(ctx, doc.ID(), b.Person(), acl.Writer))(t)
	var patches []patch
	for i, x := range tr.Txns {
		if patches = append(patches, x.Patches...); len(patches) >= 100 || i == len(tr.Txns)-1 {
			splice(t, doc, patches)
			patches = nil
		}
	}
	if err := doc.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	carry(t, a, b)
	theirs := must(b.Doc(ctx, doc.ID()))(t)
	for _, d := range []*Doc{doc, theirs} {
		if got := must(d.Text("text").Get())(t); got != tr.EndContent {
			t.Errorf("%d bytes of text, want %d", len(got), len(tr.EndContent))
		}
	}
}
