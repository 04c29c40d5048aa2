package opset

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestAddAll: changes offered together are all taken or leave no trace, and what
// follows is judged as if they had never been offered.
func TestAddAll(t *testing.T) {
	taken, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s := drawStory(t)
		plain, grouped := New(Options{}), New(Options{})
		for rest := s.changes; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "together")
			before, _ := grouped.AppendBinary(nil)
			out, ok := grouped.AddAll(rest[:n])
			if len(out) > n || ok != (out[len(out)-1].Status == Applied || out[len(out)-1].Status == Known) {
				t.Fatalf("%v: %v", out, ok)
			}
			if ok {
				taken++
			} else {
				refused++
				if after, _ := grouped.AppendBinary(nil); !bytes.Equal(before, after) {
					t.Fatal("refused, and the state is another")
				}
			}
			for _, c := range rest[:n] {
				plain.Add(c)
				if !ok {
					grouped.Add(c)
				}
			}
			rest = rest[n:]
			want, _ := plain.AppendBinary(nil)
			if got, _ := grouped.AppendBinary(nil); !bytes.Equal(got, want) {
				t.Fatalf("the state is not that of single changes (%d, %v)", n, ok)
			}
		}
	})
	if taken == 0 || refused == 0 {
		t.Errorf("%d taken, %d refused", taken, refused)
	}
}
