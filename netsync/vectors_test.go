package netsync

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
)

var update = flag.Bool("update", false, "rewrite doc/vectors/bundle.json")

var vectorsFile = filepath.Join("..", "doc", "vectors", "bundle.json")

type hexa []byte

func (h hexa) MarshalText() ([]byte, error)      { return []byte(hex.EncodeToString(h)), nil }
func (h *hexa) UnmarshalText(b []byte) (e error) { *h, e = hex.DecodeString(string(b)); return e }

// vectors are what another implementation checks itself against.
type vectors struct {
	About   string               `json:"about"`
	Keys    map[string]keyVector `json:"keys"`
	Secret  hexa                 `json:"epoch_secret"`
	Scope   hexa                 `json:"scope"`
	Doc     hexa                 `json:"document"`
	Title   string               `json:"title"`
	Bundle  hexa                 `json:"bundle"`
	Frames  []frameVector        `json:"frames"`
	Sets    []setVector          `json:"sets"`
	Refused []editVector         `json:"refused"` // whole bundles that are none
	Judged  []editVector         `json:"judged"`  // bundles with a right hash, and what comes of their items
}

type keyVector struct {
	Person hexa `json:"person"`
	Seed   hexa `json:"seed"` // Ed25519
	Public hexa `json:"public"`
}

// frameVector is a frame of the bundle: where its length stands, and its type.
type frameVector struct {
	Offset int    `json:"offset"`
	Length int    `json:"length"`
	Type   string `json:"type"`
}

// setVector is a change set of the bundle, in order.
type setVector struct {
	ID      hexa   `json:"id"`
	Signed  bool   `json:"signed"`            // in the bundle; else a later item or the cover vouches
	Covered int    `json:"covered"`           // by so many headers of a cover
	Time    int64  `json:"time"`              // sealed
	Changes []hexa `json:"automerge_changes"` // sealed
}

// editVector is the bundle after some edits, which are made from the last to the
// first: at an offset, cut so many bytes and put others.
type editVector struct {
	Name     string   `json:"name"`
	Edits    []edit   `json:"edits"`
	Reason   string   `json:"reason,omitempty"`
	Verdicts []string `json:"verdicts,omitempty"` // on the document and each item of the runs
}

type edit struct {
	At  int  `json:"at"`
	Cut int  `json:"cut"`
	Put hexa `json:"put"`
}

func (v editVector) apply(b []byte) []byte {
	for _, e := range slices.Backward(v.Edits) {
		b = slices.Concat(b[:e.At], e.Put, b[e.At+e.Cut:])
	}
	return b
}

// edits are what makes b of a: one edit before the end frame, one from there on.
func edits(a, b []byte) (out []edit) {
	part := func(a, b []byte, at int) {
		i, j := 0, 0
		for i < min(len(a), len(b)) && a[i] == b[i] {
			i++
		}
		for j < min(len(a), len(b))-i && a[len(a)-1-j] == b[len(b)-1-j] {
			j++
		}
		if a, b = a[i:len(a)-j], b[i:len(b)-j]; len(a)+len(b) > 0 {
			out = append(out, edit{at + i, len(a), b})
		}
	}
	end := len(Encode(End{})) + 1
	if len(b) < end {
		part(a, b, 0)
		return out
	}
	part(a[:len(a)-end], b[:len(b)-end], 0)
	part(a[len(a)-end:], b[len(b)-end:], len(a)-end)
	return out
}

func makeVectors(t *testing.T) vectors {
	b, w := smallBundle(t)
	doc := w.doc.ID()
	v := vectors{
		About:  "a bundle, as package netsync writes and judges it: its keys, frames, change sets, and what must be refused; bytes in hex",
		Keys:   map[string]keyVector{},
		Secret: w.doc.secret[:], Scope: w.list[:], Doc: doc[:], Title: "Ward round", Bundle: b,
	}
	for name, p := range map[string]*person{"owner": w.ann, "writer": w.bob, "reader": w.cyd, "nobody": w.dan} {
		key := p.devices[0].key
		v.Keys[name] = keyVector{p.id[:], hexa(key.Seed()), hexa(key.Public().(ed25519.PublicKey))}
	}
	at := len(BundleMagic)
	frames := split(t, b)
	for _, f := range append(frames, Encode(End{Frames: uint64(len(frames))})) {
		length := 1
		if len(f) >= 0x80 {
			length = 2
		}
		v.Frames = append(v.Frames, frameVector{at, len(f), Type(f[1]).String()})
		at += length + len(f)
	}
	v.Sets = setVectors(t, w, frames)
	v.Refused = refusedVectors(b, frames)
	v.Judged = judgedVectors(t, w, b, frames)
	return v
}

func runsOf(t *testing.T, frames [][]byte) (runs []Items, at []int) {
	for i, raw := range frames {
		f, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if f, ok := f.(Run); ok {
			items, err := DecodeItems(f.Run, f.Cover)
			if err != nil {
				t.Fatal(err)
			}
			runs, at = append(runs, items), append(at, i)
		}
	}
	return runs, at
}

func setVectors(t *testing.T, w *ward, frames [][]byte) (out []setVector) {
	var coder set.Coder
	runs, _ := runsOf(t, frames)
	for _, run := range runs {
		for _, s := range run.Sets {
			content, err := coder.Open(s, set.ContentKey(w.doc.secret, w.doc.ID()))
			if err != nil {
				t.Fatal(err)
			}
			id := s.ID()
			v := setVector{ID: bytes.Clone(id[:]), Signed: s.Sig != nil, Time: content.Time}
			for _, c := range content.Changes {
				v.Changes = append(v.Changes, c)
			}
			if run.Cover != nil && s == run.Sets[len(run.Sets)-1] {
				v.Covered = len(run.Cover.Items)
			}
			out = append(out, v)
		}
	}
	return out
}

func refusedVectors(good []byte, frames [][]byte) (out []editVector) {
	add := func(name, reason string, b []byte) {
		out = append(out, editVector{Name: name, Edits: edits(good, b), Reason: reason})
	}
	begin := frames[0]
	flip := slices.Clone(good)
	flip[len(flip)/2] ^= 0x10
	late := slices.Concat(frames[:2], frames[3:], frames[2:3]) // operations after the runs
	next := slices.Clone(frames)
	next[0] = slices.Concat(begin[:2], []byte{2}, begin[3:])
	long := slices.Concat([]byte(BundleMagic), []byte{byte(len(begin)) | 0x80, 0}, good[len(BundleMagic)+1:])
	add("an empty file", "magic", nil)
	add("another magic", "magic", slices.Concat([]byte("pipes bundle v2\n"), good[len(BundleMagic):]))
	add("the last byte cut off", "truncated", good[:len(good)-1])
	add("a bit flipped", "hash", flip)
	add("a byte after the end", "after the end", append(slices.Clone(good), 0))
	add("a frame left out, with the old end frame", "hash", slices.Concat(spell(append(slices.Clone(frames[:1]), frames[2:]...)...)[:len(good)-len(frames[1])-2-len(Encode(End{}))-1], good[len(good)-len(Encode(End{}))-1:]))
	add("operations after runs", "order", spell(late...))
	add("no begin frame", "order", spell(frames[1:]...))
	add("begin twice", "order", spell(append([][]byte{begin}, frames...)...))
	add("begin of version 2", "version", spell(next...))
	add("an unknown frame", "version", spell(append(slices.Clone(frames), []byte{0x81, 7})...))
	add("a length in two bytes for one", "length", long)
	add("a frame beyond 1 MiB", "length", slices.Concat(good[:len(BundleMagic)], []byte{0x81, 0x80, 0x40}, good[len(BundleMagic)+1:]))
	return out
}

func judgedVectors(t *testing.T, w *ward, good []byte, frames [][]byte) (out []editVector) {
	runs, at := runsOf(t, frames)
	with := func(name string, run int, change func(*Items)) {
		items := Items{Sets: copySets(runs[run].Sets), Cover: runs[run].Cover}
		change(&items)
		fs, err := RunFrames(items.Sets, items.Cover)
		if err != nil {
			t.Fatal(err)
		}
		changed := slices.Clone(frames)
		changed[at[run]] = Encode(fs[0])
		b := spell(changed...)
		words, err := judge(b)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, editVector{Name: name, Edits: edits(good, b), Verdicts: words})
	}
	last := func(it *Items) **set.Set { return &it.Sets[len(it.Sets)-1] }
	with("as it is", 0, func(*Items) {})
	with("a wrong signature", 0, func(it *Items) { *last(it) = forged(*last(it)) })
	with("no signature", 0, func(it *Items) { *last(it) = unsigned(*last(it)) })
	with("no payload", 0, func(it *Items) { it.Sets[0] = it.Sets[0].Bare() })
	with("no cover", 1, func(it *Items) { it.Cover = nil })
	with("a cover with a wrong signature", 1, func(it *Items) {
		c := copySets(it.Cover.Items)
		c[len(c)-1] = forged(c[len(c)-1])
		it.Cover = &set.Cover{Items: c}
	})
	with("another incarnation", 1, func(it *Items) {
		it.Sets[0] = w.resign(it.Sets[0], w.b.key, func(h *set.Header) { h.Incarnation = crdt.Incarnation{0xff} })
	})
	with("another document", 1, func(it *Items) {
		other := crdt.DocID{0xff}
		it.Sets[0] = w.resign(it.Sets[0], w.b.key, func(h *set.Header) { h.Doc, h.Prev = other, crdt.ChangeSetID(other) })
	})
	with("another device under the writer's grant", 1, func(it *Items) {
		d := w.cyd.devices[0]
		it.Sets[0] = w.resign(it.Sets[0], d.key, func(h *set.Header) { h.Device = d.Device })
	})
	return out
}

// judge is what comes of a bundle's document and of each item of its runs, when it
// is first offered.
func judge(b []byte) (words []string, err error) {
	n := node{}
	var r *BundleReader
	if r, err = NewBundleReader(bytes.NewReader(b)); err != nil {
		return nil, err
	}
	f, err := r.Next()
	for ; err == nil; f, err = r.Next() {
		more, err := n.frame(f, new(set.Assembler))
		if err != nil {
			return nil, err
		}
		if f.Type() != TypeOps {
			words = append(words, more...)
		}
	}
	if err != io.EOF {
		return nil, err
	}
	return words, nil
}

func TestVectors(t *testing.T) {
	if *update {
		b, err := json.MarshalIndent(makeVectors(t), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsFile, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Frames) == 0 || len(v.Sets) == 0 || len(v.Refused) == 0 || len(v.Judged) == 0 {
		t.Fatal("vectors are missing")
	}
	checkBundle(t, v)
	checkSets(t, v)
	for _, c := range v.Refused {
		_, err := VerifyBundle(bytes.NewReader(c.apply(v.Bundle)))
		isRefused(t, c.Name, err)
	}
	for _, c := range v.Judged {
		words, err := judge(c.apply(v.Bundle))
		if diff := cmp.Diff(c.Verdicts, words); err != nil || diff != "" {
			t.Errorf("%s: %v, verdicts (-want +got):\n%s", c.Name, err, diff)
		}
	}
}

// checkBundle holds frames and document against the bundle.
func checkBundle(t *testing.T, v vectors) {
	r, err := NewBundleReader(bytes.NewReader(v.Bundle))
	if err != nil {
		t.Fatal(err)
	}
	var got []frameVector
	at, f, err := int64(len(BundleMagic)), Frame(r.Begin()), error(nil)
	for ; err == nil; f, err = r.Next() {
		got = append(got, frameVector{int(at), len(Encode(f)), f.Type().String()})
		at = r.Offset()
		if d, ok := f.(Document); ok {
			checkDocument(t, v, d)
		}
	}
	got = append(got, frameVector{int(at), len(v.Bundle) - int(at) - 1, TypeEnd.String()})
	if diff := cmp.Diff(v.Frames, got); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
}

func checkDocument(t *testing.T, v vectors, f Document) {
	d, err := set.DecodeDocument(slices.Clone(f.Item))
	if err != nil {
		t.Fatal(err)
	}
	about, err := d.Genesis.Open([32]byte(v.Secret))
	if err != nil || about.Title != v.Title || d.ID() != crdt.DocID(v.Doc) || d.Genesis.Scope != crdt.ScopeID(v.Scope) {
		t.Errorf("document %s of scope %s: %q, %v", d.ID(), d.Genesis.Scope, about.Title, err)
	}
	if owner := v.Keys["owner"]; d.Genesis.Device != crdt.DeviceID(owner.Public) || !bytes.Equal(ed25519.NewKeyFromSeed(owner.Seed)[32:], owner.Public) {
		t.Error("the document is not the owner's")
	}
}

func checkSets(t *testing.T, v vectors) {
	w := &ward{doc: &document{secret: [32]byte(v.Secret)}}
	n := node{}
	if _, err := n.receive(v.Bundle); err != nil {
		t.Fatal(err)
	}
	w.doc.Document = n.doc
	if diff := cmp.Diff(v.Sets, setVectors(t, w, split(t, v.Bundle))); diff != "" {
		t.Errorf("change sets (-want +got):\n%s", diff)
	}
	for _, s := range v.Sets {
		if !n.graph.Has(crdt.ChangeSetID(s.ID)) {
			t.Errorf("change set %x is not admitted", s.ID)
		}
	}
}

// TestVectorsElsewhere has another language read the vectors, with nothing of ours.
func TestVectorsElsewhere(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("node is needed in CI: ", err)
		}
		t.Skip("SKIPPED: no node here, so only Go has read the vectors")
	}
	out, err := exec.Command(node, filepath.Join("testdata", "check.mjs"), vectorsFile).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
