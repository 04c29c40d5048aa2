package storage

import (
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
)

func TestJournalKeepsWhatWasNotEnded(t *testing.T) {
	fsys := vfs.NewMem()
	s, err := Init(t.Context(), "r", &Options{FS: fsys, Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	j, notes, err := s.OpenJournal()
	if err != nil || len(notes) != 0 {
		t.Fatalf("a new journal has %v, %v", notes, err)
	}
	var slots []Slot
	for _, note := range []string{"a", "b", strings.Repeat("c", MaxNote)} {
		slot, err := j.Begin([]byte(note))
		if err != nil {
			t.Fatal(err)
		}
		slots = append(slots, slot)
	}
	if err := j.End(slots[0]); err != nil {
		t.Fatal(err)
	}
	if slot, err := j.Begin([]byte("d")); err != nil || slot != slots[0] {
		t.Fatalf("slot %v, %v: want the free one, %v", slot, err, slots[0])
	}
	if err := j.End(slots[1]); err != nil {
		t.Fatal(err)
	}
	if _, err := j.f.WriteAt([]byte{1}, slots[2].Offset); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil { // as a process that dies
		t.Fatal(err)
	}

	j, notes, err = s.OpenJournal()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Note{{Text: []byte("d")}, {Text: []byte(strings.Repeat("c", MaxNote)), Marked: true}}, notes); diff != "" {
		t.Error(diff)
	}
	if err := j.Clear(); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, notes, err = s.OpenJournal()
	if err != nil || len(notes) != 0 {
		t.Errorf("after Clear: %v, %v", notes, err)
	}
	j.Close()
}

// A slot that was torn while it was written announces nothing.
func TestJournalTornSlot(t *testing.T) {
	fsys := vfs.NewMem()
	s, err := Init(t.Context(), "r", &Options{FS: fsys, Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	j, _, err := s.OpenJournal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Begin([]byte("whole")); err != nil {
		t.Fatal(err)
	}
	if _, err := j.f.WriteAt([]byte("x"), 10); err != nil {
		t.Fatal(err)
	}
	j.Close()
	if _, notes, err := s.OpenJournal(); err != nil || len(notes) != 0 {
		t.Errorf("torn slot read as %v, %v", notes, err)
	}
}
