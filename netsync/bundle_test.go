package netsync

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// smallBundle is a real one: three persons' logs and a list's, a document, two runs,
// one of them with a cover.
func smallBundle(tb testing.TB) ([]byte, *ward) {
	tb.Helper()
	w := newWard(tb)
	n := w.node()
	x := w.a.run(2)
	y := w.b.write(x[1].ID())
	if _, err := n.admit(of(x...)); err != nil {
		tb.Fatal(err)
	}
	if _, err := n.admit(covered(of(unsigned(y)), w.b.write(), w.b.write())); err != nil {
		tb.Fatal(err)
	}
	b, err := n.bundle(w.ann.devices[0], never)
	if err != nil {
		tb.Fatal(err)
	}
	return b, w
}

// isRefused fails the test unless err says that a bundle is refused.
func isRefused(t *testing.T, what string, err error) {
	t.Helper()
	var refused *BundleError
	if !errors.As(err, &refused) || !errors.Is(err, ErrBundle) || refused.Reason == "" {
		t.Fatalf("%s: %v", what, err)
	}
}

// spell writes a bundle of raw frames with a right end frame, whatever they are.
func spell(frames ...[]byte) []byte {
	b := []byte(BundleMagic)
	for _, f := range frames {
		b = append(binary.AppendUvarint(b, uint64(len(f))), f...)
	}
	end := Encode(End{Frames: uint64(len(frames)), Hash: sha256.Sum256(b)})
	return append(binary.AppendUvarint(b, uint64(len(end))), end...)
}

// split is the inverse of spell: the frames of a good bundle, but for the end.
func split(t testing.TB, b []byte) (frames [][]byte) {
	t.Helper()
	b = b[len(BundleMagic):]
	for len(b) > 0 {
		n, k := binary.Uvarint(b)
		frames = append(frames, slices.Clone(b[k:k+int(n)]))
		b = b[k+int(n):]
	}
	return frames[:len(frames)-1]
}

func TestBundle(t *testing.T) {
	b, w := smallBundle(t)
	begin, err := VerifyBundle(iotest.OneByteReader(bytes.NewReader(b)))
	if err != nil {
		t.Fatal(err)
	}
	if begin.Device != w.ann.devices[0].Device {
		t.Errorf("begins with %v", begin)
	}
	if again := spell(split(t, b)...); !bytes.Equal(again, b) {
		t.Error("written by hand it is another file")
	}
	var n node
	got, err := n.receive(b)
	if err != nil {
		t.Fatal(err)
	}
	var rest []string
	for _, word := range got {
		if word != "added op" {
			rest = append(rest, word)
		}
	}
	want := []string{"admitted", "admitted", "admitted", "admitted: covered by 2"}
	if diff := cmp.Diff(want, rest); diff != "" {
		t.Errorf("document and items (-want +got):\n%s", diff)
	}
	if err := n.check(); err != nil {
		t.Error(err)
	}
	// What it holds is what it can be written of again.
	again, err := n.bundle(w.ann.devices[0], never)
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("%d bytes again, want %d; %v", len(again), len(b), err)
	}
}

func TestBundleReader(t *testing.T) {
	b, _ := smallBundle(t)
	r, err := NewBundleReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	off := r.Offset()
	for i, want := range split(t, b)[1:] {
		f, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(Encode(f), want) {
			t.Errorf("frame %d is another", i+1)
		}
		if off += int64(len(binary.AppendUvarint(nil, uint64(len(want)))) + len(want)); r.Offset() != off {
			t.Errorf("at byte %d, want %d", r.Offset(), off)
		}
	}
	for range 2 {
		if f, err := r.Next(); err != io.EOF || f != nil {
			t.Errorf("after the end: %v, %v", f, err)
		}
	}
}

func TestBundleTruncated(t *testing.T) {
	b, _ := smallBundle(t)
	for n := range b {
		_, err := VerifyBundle(bytes.NewReader(b[:n]))
		isRefused(t, fmt.Sprintf("the first %d of %d bytes", n, len(b)), err)
		if !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
}

func TestBundleBitFlips(t *testing.T) {
	b, _ := smallBundle(t)
	for i := range b {
		for bit := range 8 {
			b[i] ^= 1 << bit
			_, err := VerifyBundle(bytes.NewReader(b))
			isRefused(t, fmt.Sprintf("bit %d of byte %d", bit, i), err)
			b[i] ^= 1 << bit
		}
	}
}

// TestBundleRefused: what is no bundle, each with a right hash where it can have one.
func TestBundleRefused(t *testing.T) {
	good, _ := smallBundle(t)
	frames := split(t, good)
	begin, ops, run := frames[0], frames[1], frames[len(frames)-1]
	doc := frames[slices.IndexFunc(frames, func(f []byte) bool { return f[1] == byte(TypeDocument) })]
	end := func(frames uint64, hash [32]byte) []byte {
		e := Encode(End{frames, hash})
		at := len(good) - len(e) - 1
		return append(append(slices.Clone(good[:at]), byte(len(e))), e...)
	}
	sum := sha256.Sum256(good[:len(good)-len(Encode(End{Frames: uint64(len(frames))}))-1])
	// The same frames, one of them with a length that is longer than need be.
	padded := slices.Concat([]byte(BundleMagic), []byte{byte(len(begin)) | 0x80, 0}, begin)
	e := Encode(End{1, sha256.Sum256(padded)})
	padded = append(append(padded, byte(len(e))), e...)
	overCanon := spell(begin) // the hash over what the length should be
	overCanon = slices.Concat([]byte(BundleMagic), []byte{byte(len(begin)) | 0x80, 0}, overCanon[len(BundleMagic)+1:])

	tests := map[string]struct {
		b    []byte
		want string
	}{
		"an empty file":                    {nil, "not a bundle"},
		"another magic":                    {append([]byte("pipes bundle v2\n"), good[len(BundleMagic):]...), "not a bundle"},
		"magic only":                       {[]byte(BundleMagic), "truncated"},
		"no frames but the end":            {spell(), "out of order"},
		"no begin":                         {spell(frames[1:]...), "out of order"},
		"begin twice":                      {spell(begin, begin), "out of order"},
		"begin in the middle":              {spell(begin, ops, begin), "out of order"},
		"a document before ops":            {spell(begin, doc, ops), "out of order"},
		"a run before a document":          {spell(begin, ops, run, doc), "out of order"},
		"a part before a document":         {spell(begin, Encode(Part{Part: []byte{1}}), doc), "out of order"},
		"two ends":                         {spell(begin, Encode(End{Frames: 1, Hash: sha256.Sum256(spell(begin)[:len(BundleMagic)+1+len(begin)])})), "after its end"},
		"a byte after the end":             {append(slices.Clone(good), 0), "after its end"},
		"another bundle after it":          {append(slices.Clone(good), good...), "after its end"},
		"a frame missing":                  {slices.Concat(good[:len(BundleMagic)+1+len(begin)], good[len(BundleMagic)+3+len(begin)+len(ops):]), "not those that were written"},
		"too few frames":                   {end(uint64(len(frames))-1, sum), "not those that were written"},
		"too many frames":                  {end(uint64(len(frames))+1, sum), "not those that were written"},
		"another hash":                     {end(uint64(len(frames)), [32]byte{}), "not those that were written"},
		"a frame type of later":            {spell(begin, []byte{0x81, 7}), "unknown to this version"},
		"a later version":                  {spell(append([]byte{0x84, 1, 2}, begin[3:]...)), "unknown to this version"},
		"an empty frame":                   {spell(begin, nil), "malformed"},
		"a length of 2 for 1 byte":         {padded, "shortest form"},
		"the same, hash of the short form": {overCanon, "shortest form"},
		"a length of 1 MiB + 1":            {append(spell()[:len(BundleMagic)], 0x81, 0x80, 0x40), "at most 1048576"},
		"a length of 2^21":                 {append(spell()[:len(BundleMagic)], 0x80, 0x80, 0x80, 1), "more than 1048576"},
		"a length without an end":          {append(spell()[:len(BundleMagic)], bytes.Repeat([]byte{0xff}, 40)...), "more than 1048576"},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			begin, err := VerifyBundle(bytes.NewReader(c.b))
			isRefused(t, name, err)
			if !strings.Contains(err.Error(), c.want) || begin != (Begin{}) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
	if b := end(uint64(len(frames)), sum); !bytes.Equal(b, good) {
		t.Error("the end frame of these tests is not the one it should be")
	}
}

// TestBundleErrorsStick: nothing is read behind what was refused.
func TestBundleErrorsStick(t *testing.T) {
	b, _ := smallBundle(t)
	frames := split(t, b)
	r, err := NewBundleReader(bytes.NewReader(spell(frames[0], nil, frames[1])))
	if err != nil {
		t.Fatal(err)
	}
	_, first := r.Next()
	isRefused(t, "an empty frame", first)
	if f, again := r.Next(); again != first || f != nil {
		t.Errorf("then %v, %v", f, again)
	}
}

// TestBundleReadErrors: an error of the file is no fault of the bundle.
func TestBundleReadErrors(t *testing.T) {
	b, _ := smallBundle(t)
	boom := errors.New("boom")
	for _, n := range []int{0, 5, len(BundleMagic), len(BundleMagic) + 1, 100, len(b) - 1, len(b)} {
		_, err := VerifyBundle(io.MultiReader(bytes.NewReader(b[:n]), iotest.ErrReader(boom)))
		if !errors.Is(err, boom) || errors.Is(err, ErrBundle) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

// TestBundleMemory: what is claimed costs nothing, what is there costs its frame.
func TestBundleMemory(t *testing.T) {
	allocated := func(r io.Reader) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		VerifyBundle(r)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	claim := append(append([]byte(BundleMagic), 0x80, 0x80, 0x40), 1, 2, 3) // 1 MiB, and 3 bytes
	if n := allocated(bytes.NewReader(claim)); n > 256<<10 {
		t.Errorf("a claim of 1 MiB allocates %d bytes", n)
	}
	begin := Encode(Begin{})
	head := slices.Concat([]byte(BundleMagic), []byte{byte(len(begin))}, begin)
	frame := Encode(Run{Run: make([]byte, MaxFrame-100)})
	frame = append(binary.AppendUvarint(nil, uint64(len(frame))), frame...)
	readers := []io.Reader{bytes.NewReader(head)}
	for range 64 {
		readers = append(readers, bytes.NewReader(frame))
	}
	if n := allocated(io.MultiReader(readers...)); n > 6*MaxFrame { // one buffer, grown as it was filled
		t.Errorf("64 frames of 1 MiB allocate %d bytes", n)
	}
}

// TestBundleRewritten: a carrier who changes a frame and writes a right hash changes
// nothing but what is left out. Each item is held against its author's signature.
func TestBundleRewritten(t *testing.T) {
	good, _ := smallBundle(t)
	frames := split(t, good)
	var honest node
	if _, err := honest.receive(good); err != nil {
		t.Fatal(err)
	}
	const step = 151 // one bit of so many, for time; all of them pass too
	taken := 0
	for f := range frames {
		for bit := 0; bit < 8*len(frames[f]); bit += step {
			frames[f][bit/8] ^= 1 << (bit % 8)
			b := spell(frames...)
			frames[f][bit/8] ^= 1 << (bit % 8)
			n := node{}
			if _, err := n.receive(b); err != nil {
				isRefused(t, "a rewritten bundle", err)
				continue
			}
			taken++
			n.within(t, &honest)
			if t.Failed() {
				t.Fatalf("bit %d of frame %d", bit, f)
			}
		}
	}
	if taken == 0 {
		t.Error("no rewritten bundle was read: nothing was tested")
	}
}

// within fails the test if n holds anything that m does not, or is not whole.
func (n *node) within(t *testing.T, m *node) {
	t.Helper()
	for scope := range n.access.Scopes() {
		log, _ := n.access.Log(scope)
		theirs, ok := m.access.Log(scope)
		if !ok {
			t.Errorf("scope %s came from nowhere", scope)
			continue
		}
		for op := range log.All() {
			if _, ok := theirs.Get(op.ID()); !ok {
				t.Errorf("operation %s came from nowhere", op.ID())
			}
		}
	}
	if n.doc == nil {
		return
	}
	if n.doc.ID() != m.doc.ID() {
		t.Errorf("document %s came from nowhere", n.doc.ID())
		return
	}
	for id := range n.graph.All() {
		if !m.graph.Has(id) {
			t.Errorf("item %s came from nowhere", id)
		}
	}
	if err := n.check(); err != nil {
		t.Error(err)
	}
}
