package crdt

import (
	"encoding"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// TestIDText: every id reads back from its text form, alone and in JSON, and no other
// kind of text reads as one.
func TestIDText(t *testing.T) {
	id := [32]byte{1, 2, 31: 3}
	type readable interface {
		encoding.TextMarshaler
		encoding.TextUnmarshaler
	}
	for _, c := range []struct {
		id, got readable
		text    string
	}{
		{(*DocID)(&id), new(DocID), "bafyrei"},
		{(*ScopeID)(&id), new(ScopeID), "bafyrei"},
		{(*ChangeSetID)(&id), new(ChangeSetID), "bafyrei"},
		{(*AccessOpID)(&id), new(AccessOpID), "bafyrei"},
		{(*EpochID)(&id), new(EpochID), "bafyrei"},
		{(*DeviceID)(&id), new(DeviceID), "12D3KooW"},
		{(*ChangeHash)(&id), new(ChangeHash), "010200"},
		{&Incarnation{1, 2, 7: 0xff}, new(Incarnation), "01020000000000ff"},
	} {
		text, err := c.id.MarshalText()
		if err != nil || !strings.HasPrefix(string(text), c.text) {
			t.Errorf("%T: %s, %v", c.id, text, err)
		}
		if err := c.got.UnmarshalText(text); err != nil {
			t.Errorf("%T: %v", c.id, err)
		}
		quoted, _ := json.Marshal(c.id)
		if again, err := json.Marshal(c.got); err != nil || string(again) != string(quoted) {
			t.Errorf("%T: read as %s, %v, want %s", c.id, again, err, quoted)
		}
		for _, bad := range []string{"", "x", string(text[1:]), string(text) + "0", strings.Repeat("g", len(text)), string(text) + strings.Repeat("0", 100)} {
			if err := c.got.UnmarshalText([]byte(bad)); !errors.Is(err, ErrBadID) || len(err.Error()) > 200 {
				t.Errorf("%T of %.20q: %v", c.id, bad, err)
			}
		}
	}
}
