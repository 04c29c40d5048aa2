package replica

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/storage"
)

var (
	simSeed  = flag.Uint64("seed", 0, "the one seed that TestConverge runs; 0: many")
	simSeeds = flag.Uint64("seeds", 20, "how many seeds TestConverge runs")
)

// TestConverge lets three replicas edit one document, exchange bundles late, twice
// and in any order, forget what is in memory, close, and lose power. After every
// step each must hold what a plain model says, and at the end all hold the same.
//
// A seed fixes what is done. Keys and ids are random all the same, and with them
// which of two concurrent values wins.
func TestConverge(t *testing.T) {
	for seed := range *simSeeds {
		if seed++; *simSeed != 0 {
			seed = *simSeed
		}
		if simulate(t, seed); t.Failed() {
			t.Fatalf("replay with: go test ./replica -run TestConverge -seed %d", seed)
		}
		if *simSeed != 0 {
			return
		}
	}
}

// written is what a replica must hold: every write that it made or was told of.
// Writes never overwrite one another, so that knowing them is knowing the document.
type written struct {
	keys map[string]int64 // in the map "m"
	tags map[string]bool  // in the list of the typed view
	incs map[string]int64 // of the counter
	runs map[string]bool  // of text, each inserted whole
}

func newWritten() *written {
	return &written{keys: map[string]int64{}, tags: map[string]bool{}, incs: map[string]int64{}, runs: map[string]bool{}}
}

func (w *written) clone() *written {
	c := newWritten()
	c.learn(w)
	return c
}

func (w *written) learn(of *written) {
	maps.Copy(w.keys, of.keys)
	maps.Copy(w.tags, of.tags)
	maps.Copy(w.incs, of.incs)
	maps.Copy(w.runs, of.runs)
}

// simNote is the typed view of the document: its list is made by a schema change.
type simNote struct {
	Tags []string `automerge:"tags"`
}

// node is a replica of the simulation, and what it must hold.
type node struct {
	fs   *vfs.MemFS
	r    *Replica
	d    *Doc
	want *written
}

type parcel struct {
	to    int
	bytes []byte
	holds *written
}

type sim struct {
	t       testing.TB
	rng     *rand.Rand
	seed    uint64
	nodes   []*node
	doc     crdt.DocID
	parcels []parcel
	writes  int
}

func simulate(t *testing.T, seed uint64) {
	s := &sim{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 7))}
	for range 3 {
		n := &node{fs: vfs.NewCrashableMem(), want: newWritten()}
		s.nodes = append(s.nodes, n)
		s.open(n)
	}
	first := s.nodes[0]
	first.d = must(first.r.NewDoc(t.Context(), map[string]any{"m": map[string]any{}, "text": "", "n": crdt.Counter(0)}))(t)
	s.doc = first.d.ID()
	for _, n := range s.nodes[1:] {
		carry(t, n.r, first.r)
		must(first.r.Share(t.Context(), s.doc, n.r.Person(), acl.Writer))(t)
	}
	for i := range s.nodes[1:] {
		s.export(0, i+1)
		s.take(len(s.parcels) - 1)
	}
	for range 60 {
		s.step()
	}
	s.finish()
	for _, n := range s.nodes {
		if err := n.r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func (s *sim) open(n *node) {
	s.t.Helper()
	n.r = must(Open(context.Background(), "r", &Options{Storage: storage.Options{FS: n.fs, Reserve: -1}, snapshotEvery: 4}))(s.t)
	if s.doc != (crdt.DocID{}) {
		n.d = must(n.r.Doc(context.Background(), s.doc))(s.t)
	}
}

// step does one thing to one replica.
func (s *sim) step() {
	i := s.rng.IntN(len(s.nodes))
	n := s.nodes[i]
	switch k := s.rng.IntN(20); {
	case k < 9:
		s.write(n)
	case k < 12:
		s.export(i, (i+1+s.rng.IntN(len(s.nodes)-1))%len(s.nodes))
	case k < 16 && len(s.parcels) > 0:
		s.take(s.rng.IntN(len(s.parcels))) // it stays, to be taken again
	case k < 17:
		n.r.unloadBefore(farFuture)
	case k < 18:
		if err := n.r.Close(); err != nil {
			s.t.Error(err)
		}
		s.open(n)
	case k < 19:
		cut := n.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: s.rng.IntN(101), RNG: s.rng})
		if err := n.r.Close(); err != nil {
			s.t.Error(err)
		}
		n.fs = cut
		s.open(n)
	default:
		s.check(n)
	}
}

// write makes one to five changes, some of them not waited for.
func (s *sim) write(n *node) {
	ctx := context.Background()
	for range 1 + s.rng.IntN(5) {
		s.writes++
		name := fmt.Sprintf("w%d", s.writes)
		by := int64(1 + s.rng.IntN(9))
		pos := s.rng.Float64()
		var err error
		switch s.rng.IntN(4) {
		case 0:
			_, err = n.d.Begin(ctx, "", func(tx *crdt.Tx) error { return tx.Set(crdt.At("m", name), by) })
			n.want.keys[name] = by
		case 1:
			_, err = n.d.Begin(ctx, name, func(tx *crdt.Tx) error { return tx.Increment(crdt.At("n"), by) })
			n.want.incs[name] = by
		case 2:
			run := "<" + name + ">"
			_, err = n.d.Begin(ctx, "", func(tx *crdt.Tx) error {
				text, err := tx.Text(crdt.At("text"))
				if err != nil {
					return err
				}
				at := int(pos * float64(len(text)))
				for at > 0 && text[at-1] != '>' { // between runs
					at--
				}
				return tx.Splice(crdt.At("text"), at, 0, run)
			})
			n.want.runs[run] = true
		default:
			err = (&Of[simNote]{n.d}).Change(ctx, func(v *simNote) error {
				v.Tags = slices.Insert(v.Tags, int(pos*float64(len(v.Tags))), name)
				return nil
			})
			n.want.tags[name] = true
		}
		if err != nil {
			s.t.Fatalf("write: %v", err)
		}
	}
	if err := n.d.Flush(ctx); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sim) export(from, to int) {
	var b bytes.Buffer
	must(s.nodes[from].r.ExportBundle(context.Background(), &b, ExportOptions{For: s.nodes[to].r.Person()}))(s.t)
	s.parcels = append(s.parcels, parcel{to, b.Bytes(), s.nodes[from].want.clone()})
}

func (s *sim) take(i int) {
	s.t.Helper()
	p := s.parcels[i]
	n := s.nodes[p.to]
	must(n.r.ImportBundle(context.Background(), bytes.NewReader(p.bytes), ImportOptions{}))(s.t)
	n.want.learn(p.holds)
	if n.d == nil {
		n.d = must(n.r.Doc(context.Background(), s.doc))(s.t)
	}
}

// check holds a replica's document against the model.
func (s *sim) check(n *node) {
	s.t.Helper()
	got := must(n.d.Get())(s.t).(map[string]any)
	keys := map[string]int64{}
	for k, v := range got["m"].(map[string]any) {
		keys[k] = v.(int64)
	}
	tags := map[string]bool{}
	list, _ := got["tags"].([]any)
	for _, v := range list {
		tags[v.(string)] = true
	}
	if len(list) != len(tags) {
		s.t.Errorf("tags twice: %v", list)
	}
	runs := map[string]bool{}
	for _, run := range bytes.SplitAfter([]byte(got["text"].(string)), []byte(">")) {
		if len(run) > 0 {
			runs[string(run)] = true
		}
	}
	sum := int64(0)
	for _, by := range n.want.incs {
		sum += by
	}
	if c := got["n"].(crdt.Counter); int64(c) != sum {
		s.t.Errorf("counter %d, want %d", c, sum)
	}
	for _, diff := range []string{cmp.Diff(n.want.keys, keys), cmp.Diff(n.want.tags, tags), cmp.Diff(n.want.runs, runs)} {
		if diff != "" {
			s.t.Error(diff)
		}
	}
	if st := must(n.d.Status(context.Background()))(s.t); len(st.Apart) > 0 {
		s.t.Errorf("left out: %+v", st.Apart)
	}
}

// finish exchanges everything and compares the replicas with each other, as they
// are and read anew from the disk.
func (s *sim) finish() {
	for i := range s.nodes {
		for j := range s.nodes {
			if i != j {
				s.export(i, j)
				s.take(len(s.parcels) - 1)
			}
		}
	}
	for i := range s.nodes { // what the first learned last
		if i != len(s.nodes)-1 {
			s.export(len(s.nodes)-1, i)
			s.take(len(s.parcels) - 1)
		}
	}
	ctx := context.Background()
	heads, value := must(s.nodes[0].d.Heads(ctx))(s.t), must(s.nodes[0].d.Get())(s.t)
	for range 2 {
		for _, n := range s.nodes {
			s.check(n)
			if diff := cmp.Diff(heads, must(n.d.Heads(ctx))(s.t)); diff != "" {
				s.t.Error(diff)
			}
			if diff := cmp.Diff(value, must(n.d.Get())(s.t)); diff != "" {
				s.t.Error(diff)
			}
			n.r.unloadBefore(farFuture)
		}
	}
	for _, n := range s.nodes {
		if report, err := n.r.Check(ctx, nil); err != nil || len(report.Apart) > 0 {
			s.t.Errorf("%+v, %v", report, err)
		}
	}
}
