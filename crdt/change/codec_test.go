package change

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// chunks reads a testdata file of concatenated chunks.
func chunks(t testing.TB, name string) (out [][]byte) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	for c, err := range Chunks(b) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// collect copies the operations out of a change.
func collect(c *Change) (ops []Op) {
	for o := range c.Ops() {
		o := *o
		o.Pred = append([]OpID(nil), o.Pred...)
		ops = append(ops, o)
	}
	return ops
}

func TestRealChanges(t *testing.T) {
	for _, name := range []string{"js350-types.bin", "js350-random.bin"} {
		for i, b := range chunks(t, name) {
			c, err := Decode(b)
			if err != nil {
				t.Errorf("%s: change %d: %v", name, i, err)
				continue
			}
			if err := c.Canonical(); err != nil {
				t.Errorf("%s: change %d: %v", name, i, err)
			}
			again, err := Build(c.Header, c.Actors, collect(c), c.Extra)
			if err != nil {
				t.Errorf("%s: change %d: %v", name, i, err)
				continue
			}
			if diff := cmp.Diff(c.Encode(), again.Encode()); diff != "" {
				t.Errorf("%s: change %d: built from its operations (-want +got):\n%s", name, i, diff)
			}
		}
	}
}
