package crdt

import "testing"

func TestAscending(t *testing.T) {
	a, b, c := DocID{1}, DocID{1, 31: 1}, DocID{2}
	for _, tt := range []struct {
		name string
		ids  []DocID
		want bool
	}{
		{"none", nil, true},
		{"one", []DocID{b}, true},
		{"sorted", []DocID{a, b, c}, true},
		{"twice", []DocID{a, b, b}, false},
		{"last byte", []DocID{b, a}, false},
		{"first byte", []DocID{c, b}, false},
	} {
		if got := Ascending(tt.ids); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	if CompareIDs(a, b) >= 0 || CompareIDs(b, a) <= 0 || CompareIDs(b, b) != 0 {
		t.Error("ids are not ordered by their bytes")
	}
}
