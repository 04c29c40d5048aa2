package enginetest

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/crdt"
)

// Engine makes the documents under test.
type Engine struct {
	New  func(crdt.ActorID) (crdt.Engine, error)
	Load func(save []byte, actor crdt.ActorID) (crdt.Engine, error)
}

// Run holds an engine to everything that package crdt says of it.
func Run(t *testing.T, e Engine) {
	t.Run("scalars", e.scalars)
	t.Run("maps", e.maps)
	t.Run("lists", e.lists)
	t.Run("texts", e.texts)
	t.Run("marks", e.marks)
	t.Run("expansions", e.expansions)
	t.Run("refusals", e.refusals)
	t.Run("transactions", e.transactions)
	t.Run("conflicts", e.conflicts)
	t.Run("history", e.history)
	t.Run("heads", e.states)
	t.Run("save", e.save)
	t.Run("close", e.close)
	t.Run("fork", e.fork)
	t.Run("model", e.model)
	t.Run("convergence", e.convergence)
}

// actor is one of a few writers; a greater n has a greater actor.
func actor(n byte) crdt.ActorID { return crdt.ActorID{0: n, 15: 1} }

func (e Engine) open(t testing.TB, n byte) crdt.Engine {
	t.Helper()
	d, err := e.New(actor(n))
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// value checks the error of a call that returns something, too.
func value[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		must(t, err)
		return v
	}
}

func refuses(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

func equal(t testing.TB, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmp.Exporter(isValue)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// change runs f in a transaction and commits it.
func change(t testing.TB, d crdt.Engine, f func(w crdt.Writer)) crdt.Change {
	t.Helper()
	w := value[crdt.Writer](t)(d.Begin())
	f(w)
	return value[crdt.Change](t)(w.Commit("", 0))
}

func put(t testing.TB, w crdt.Writer, obj crdt.ObjID, key string, v crdt.Value) crdt.ObjID {
	t.Helper()
	return value[crdt.ObjID](t)(w.Put(obj, crdt.Prop{Key: key}, v))
}

func insert(t testing.TB, w crdt.Writer, obj crdt.ObjID, i int, v crdt.Value) crdt.ObjID {
	t.Helper()
	return value[crdt.ObjID](t)(w.Insert(obj, i, v))
}

func now(t testing.TB, d crdt.Engine) crdt.Reader {
	t.Helper()
	return value[crdt.Reader](t)(d.At(nil))
}

func heads(t testing.TB, d crdt.Engine) []crdt.ChangeHash {
	t.Helper()
	return value[[]crdt.ChangeHash](t)(d.Heads())
}

// sync gives each document the changes that it lacks of the other's.
func sync(t testing.TB, a, b crdt.Engine) {
	t.Helper()
	ha, hb := heads(t, a), heads(t, b)
	fromA := value[[][]byte](t)(a.Since(hb))
	fromB := value[[][]byte](t)(b.Since(ha))
	must(t, a.Apply(fromB, nil))
	must(t, b.Apply(fromA, heads(t, a)))
}

// text is the content of a text in a dump.
type text struct {
	Content string
	Marks   []crdt.Mark
}

// dump is everything in an object, with kinds: map[string]any, []any, text, and
// crdt.Value without id for a scalar.
func dump(t testing.TB, r crdt.Reader, v crdt.Value) any {
	t.Helper()
	switch v.Kind() {
	case crdt.KindMap:
		m := map[string]any{}
		last := ""
		for e, err := range r.Entries(v.ID) {
			must(t, err)
			if e.Key <= last {
				t.Fatalf("key %q after %q", e.Key, last)
			}
			last = e.Key
			m[e.Key] = dump(t, r, e.Value)
		}
		return m
	case crdt.KindList:
		list := []any{}
		for e, err := range r.Entries(v.ID) {
			must(t, err)
			if e.Index != len(list) {
				t.Fatalf("index %d, want %d", e.Index, len(list))
			}
			list = append(list, dump(t, r, e.Value))
		}
		return list
	case crdt.KindText:
		marks := value[[]crdt.Mark](t)(r.Marks(v.ID))
		for i := range marks {
			marks[i].Value.ID = crdt.ObjID{}
		}
		return text{value[string](t)(r.Text(v.ID)), marks}
	}
	v.ID = crdt.ObjID{}
	return v
}

func dumpRoot(t testing.TB, r crdt.Reader) any {
	t.Helper()
	return dump(t, r, crdt.ObjectAt(crdt.KindMap, crdt.Root))
}

func sorted(hs ...crdt.ChangeHash) []crdt.ChangeHash {
	slices.SortFunc(hs, crdt.CompareIDs)
	return hs
}
