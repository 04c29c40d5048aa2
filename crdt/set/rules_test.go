package set

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
)

// schemaChange makes a schema change of a given shape.
func schemaChange(t *testing.T, seed string) []byte {
	t.Helper()
	c, _ := buildPut(t, change.Actor(make([]byte, 16)), 1, 1, nil, seed)
	s, err := SchemaChange(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func hashOf(c []byte) crdt.ChangeHash { return sha256.Sum256(c[chunkTypeAt:]) }

func TestCheckContent(t *testing.T) {
	a := newAuthor("a")
	one, two, three := a.edit(t, "1"), a.edit(t, "2"), a.edit(t, "3")
	schema := schemaChange(t, "notes/1")
	actor := a.actor()
	foreign, _ := buildPut(t, "another actor...", 1, 1, nil, "x")
	seen := hashOf(foreign)
	onForeign, _ := buildPut(t, change.Actor(actor[:]), 1, 1, []crdt.ChangeHash{seen}, "x")
	onSchema, _ := buildPut(t, change.Actor(actor[:]), 1, 1, []crdt.ChangeHash{hashOf(schema)}, "x")

	forged, _ := buildPut(t, change.Actor(schemaActor(t, schema)), 1, 1, nil, "another shape")
	late, _ := buildPut(t, change.Actor(schemaActor(t, schema)), 2, 2, []crdt.ChangeHash{hashOf(schema)}, "x")
	broken := bytes.Clone(one)
	broken[len(broken)-1] ^= 1

	for name, tc := range map[string]struct {
		changes [][]byte
		seq     uint64
		want    Reason
		at      int
	}{
		"first":               {changes: [][]byte{one}},
		"three":               {changes: [][]byte{one, two, three}},
		"schema first":        {changes: [][]byte{schema, onSchema}},
		"schema only":         {changes: [][]byte{schema}, seq: 7},
		"deps in the past":    {changes: [][]byte{onForeign}},
		"gap":                 {changes: [][]byte{one, three}, want: ReasonSeq, at: 1},
		"repeated":            {changes: [][]byte{one, one}, want: ReasonSeq, at: 1},
		"starts late":         {changes: [][]byte{two}, want: ReasonSeq},
		"starts again":        {changes: [][]byte{one}, seq: 1, want: ReasonSeq},
		"foreign actor":       {changes: [][]byte{foreign}, want: ReasonActor},
		"forged schema":       {changes: [][]byte{forged}, want: ReasonActor},
		"schema actor's next": {changes: [][]byte{schema, late}, want: ReasonActor, at: 1},
		"deps elsewhere":      {changes: [][]byte{onSchema}, want: ReasonDeps},
		"deps later in set":   {changes: [][]byte{onSchema, schema}, want: ReasonDeps},
		"bad checksum":        {changes: [][]byte{broken}, want: ReasonChange},
		"compressed":          {changes: [][]byte{deflated(t, one)}, want: ReasonChange},
		"garbage":             {changes: [][]byte{one, {1}}, want: ReasonChange, at: 1},
		"two in one":          {changes: [][]byte{append(bytes.Clone(one), two...)}, want: ReasonChange},
	} {
		got, err := CheckContent(&a.header, Content{Changes: tc.changes}, tc.seq, func(h crdt.ChangeHash) bool { return h == seen })
		if reasonOf(err) != tc.want {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err != nil {
			if at := err.(*InertError).Change; at != tc.at {
				t.Errorf("%s: at change %d, want %d", name, at, tc.at)
			}
			continue
		}
		want := Checked{Seq: tc.seq}
		for _, c := range tc.changes {
			want.Hashes = append(want.Hashes, hashOf(c))
			if !bytes.Equal(c, schema) {
				want.Seq++
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	if two := hashOf(two); two != a.lastOf(t, 2) {
		t.Error("hash of a change is not Automerge's")
	}
	if _, err := CheckContent(&a.header, Content{Changes: [][]byte{two}}, 1, func(crdt.ChangeHash) bool { return false }); reasonOf(err) != ReasonDeps {
		t.Errorf("a chain whose own past is unknown: %v", err)
	}
}

func (a *author) lastOf(t *testing.T, seq int) crdt.ChangeHash {
	b := newAuthor("a")
	for i := range seq {
		b.edit(t, string(rune('1'+i)))
	}
	return b.last
}

func schemaActor(t *testing.T, schema []byte) string {
	t.Helper()
	h, err := change.ParseHeader(schema)
	if err != nil {
		t.Fatal(err)
	}
	return string(h.Actor)
}

// deflated is a change as a compressed chunk (type 2), with the same checksum.
func deflated(t *testing.T, c []byte) []byte {
	t.Helper()
	_, n := binary.Uvarint(c[chunkTypeAt+1:])
	var body bytes.Buffer
	w, err := flate.NewWriter(&body, 9)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(c[chunkTypeAt+1+n:])
	_ = w.Close()
	out := append(bytes.Clone(c[:chunkTypeAt]), 2)
	out = append(binary.AppendUvarint(out, uint64(body.Len())), body.Bytes()...)
	if _, err := change.ParseHeader(out); err != nil {
		t.Fatal("the test's compressed chunk is wrong: ", err)
	}
	return out
}

func TestSchemaChange(t *testing.T) {
	s := schemaChange(t, "notes/1")
	again, err := SchemaChange(s) // whatever the actor was
	if err != nil || !bytes.Equal(again, s) {
		t.Error("a schema change is not its own schema change", err)
	}
	if bytes.Equal(schemaChange(t, "notes/2"), s) {
		t.Error("two schemas, one change")
	}
	second, _ := buildPut(t, "another actor...", 2, 2, nil, "x")
	short, _ := buildPut(t, "short", 1, 1, nil, "x")
	on, _ := buildPut(t, "another actor...", 1, 1, []crdt.ChangeHash{{1}}, "x")
	for name, c := range map[string][]byte{"seq 2": second, "short actor": short, "deps": on, "garbage": {1}} {
		if _, err := SchemaChange(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
