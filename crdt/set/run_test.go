package set

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/dagcbor"
)

// varied makes a chain whose heads and epoch change now and then, with deps,
// absent signatures and absent payloads.
func varied(t *rapid.T, tb testing.TB) []*Set {
	a, r := newAuthor("a"), newRand()
	var out []*Set
	for i := range rapid.IntRange(1, 12).Draw(t, "items") {
		switch rapid.IntRange(0, 5).Draw(t, "variation") {
		case 0:
			a.header.Epoch[0]++
		case 1:
			a.header.Heads = []Heads{{testScope, []crdt.AccessOpID{{byte(i)}}}}
		case 2:
			a.header.Deps = []crdt.ChangeSetID{{byte(i)}, {byte(i), 1}}
		case 3:
			a.header.Deps = nil
		}
		s := a.set(tb, a.edit(tb, text(r, 60)), a.edit(tb, text(r, 60)))
		if rapid.Bool().Draw(t, "unsigned") {
			s.Sig = nil
		}
		if rapid.Bool().Draw(t, "bare") {
			s = s.Bare()
		}
		out = append(out, s)
	}
	return out
}

var setCmp = cmp.AllowUnexported(Set{})

func TestRuns(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		items := varied(rt, t)
		limit := rapid.SampledFrom([]int{1, 1000, 3000, MaxItem}).Draw(rt, "limit")
		var got []*Set
		for rest := items; len(rest) > 0; {
			n := CutRun(rest, limit)
			if n < 1 {
				rt.Fatal("an empty run")
			}
			b, err := EncodeRun(rest[:n])
			if err != nil {
				rt.Fatal(err)
			}
			if n > 1 && len(b) > limit {
				rt.Fatalf("run of %d bytes, limit %d", len(b), limit)
			}
			run, err := DecodeRun(b)
			if err != nil {
				rt.Fatal(err)
			}
			if again, err := EncodeRun(run); err != nil || !bytes.Equal(again, b) {
				rt.Fatal("encodes differently", err)
			}
			got, rest = append(got, run...), rest[n:]
		}
		if d := cmp.Diff(items, got, setCmp); d != "" {
			rt.Fatal(d)
		}
		n, err := Authenticate(got)
		last := -1
		for i, s := range items {
			if s.Sig != nil {
				last = i
			}
		}
		if n != last+1 || (err != nil) != (last < 0) {
			rt.Fatalf("%d authentic, %v; the last signature is on %d", n, err, last)
		}
		for i, s := range items[:n] {
			cover := &Cover{Items: items[i+1 : n]}
			b, err := cover.Encode()
			if err != nil {
				rt.Fatal(err)
			}
			cover, err = DecodeCover(b)
			if err != nil {
				rt.Fatal(err)
			}
			if again, err := cover.Encode(); err != nil || !bytes.Equal(again, b) {
				rt.Fatal("cover encodes differently", err)
			}
			if err := cover.Verify(s); err != nil {
				rt.Fatalf("cover of item %d: %v", i, err)
			}
			other := items[(i+1)%len(items)]
			if err := cover.Verify(other); len(cover.Items) > 0 && err == nil {
				rt.Fatalf("the cover of item %d covers another", i)
			}
		}
	})
}

func TestRunRefuses(t *testing.T) {
	items := chain(t, "a", 3)
	other := chain(t, "b", 1)
	twin := newAuthor("a") // the same device forks its chain
	twin.set(t, twin.edit(t, "otherwise"))
	forked := twin.set(t, twin.edit(t, "otherwise"))
	for name, run := range map[string][]*Set{
		"reversed": {items[1], items[0]}, "gap": {items[0], items[2]}, "other chain": {items[0], other[0]},
		"fork": {items[0], forked},
	} {
		if _, err := EncodeRun(run); !errors.Is(err, ErrChain) {
			t.Errorf("%s: %v", name, err)
		}
		if n, err := Authenticate(run); n != 0 || !errors.Is(err, ErrChain) {
			t.Errorf("%s: %d authentic, %v", name, n, err)
		}
		if n := CutRun(run, MaxItem); n != 1 {
			t.Errorf("%s: %d make a run", name, n)
		}
	}
	for _, run := range [][]*Set{nil, make([]*Set, MaxRun+1)} {
		if _, err := EncodeRun(run); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d items: %v", len(run), err)
		}
	}
	if n, err := Authenticate(nil); n != 0 || err != ErrSignature {
		t.Error(n, err)
	}
	b, err := EncodeRun(items)
	if err != nil {
		t.Fatal(err)
	}
	for n := range b {
		if _, err := DecodeRun(b[:n]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("%d of %d bytes: %v", n, len(b), err)
		}
	}
	if _, err := DecodeRun(append(b, 0)); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
	if _, err := DecodeRun(make([]byte, MaxItem+1)); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

// TestNobodyVouchesForAnother: an item that names ours as prev but is of another
// chain proves nothing of ours, however well it is signed.
func TestNobodyVouchesForAnother(t *testing.T) {
	victim := chain(t, "a", 1)[0]
	victim.Sig = nil
	for name, spoil := range map[string]func(*author){
		"device":      func(a *author) { *a = author{key: testKey("b"), header: a.header}; a.header.Device = deviceOf(a.key) },
		"incarnation": func(a *author) { a.header.Incarnation[0]++ },
		"document":    func(a *author) { a.header.Doc[0]++ },
		"scope": func(a *author) {
			a.header.Scope, a.header.Heads = crdt.ScopeID{}, []Heads{{crdt.ScopeID{}, a.header.Path}}
		},
		"seq":     func(a *author) { a.header.Seq++ },
		"nothing": func(*author) {},
	} {
		a := newAuthor("a")
		a.header.Seq, a.header.Prev = 2, victim.ID()
		spoil(a)
		next := a.set(t, []byte("change"))
		if err := next.Verify(); err != nil {
			t.Fatal(name, err)
		}
		n, err := Authenticate([]*Set{victim, next})
		cover := Cover{Items: []*Set{next.Bare()}}
		coverErr := cover.Verify(victim)
		if name == "nothing" {
			if n != 2 || err != nil || coverErr != nil {
				t.Error(n, err, coverErr)
			}
			continue
		}
		if n != 0 || !errors.Is(err, ErrChain) || !errors.Is(coverErr, ErrChain) {
			t.Errorf("another %s: %d authentic, %v, %v", name, n, err, coverErr)
		}
	}
}

// TestRunFlips flips every bit of a run of which the last item is signed: if it
// decodes and the signature covers it, payload and header hash do not match.
func TestRunFlips(t *testing.T) {
	items := chain(t, "a", 3)
	items[0].Sig, items[1].Sig = nil, nil
	b, err := EncodeRun(items)
	if err != nil {
		t.Fatal(err)
	}
	flips(t, b, func(b []byte) error {
		got, err := DecodeRun(b)
		if err != nil {
			return err
		}
		if n, err := Authenticate(got); n != len(items) || err != nil {
			return ErrSignature
		}
		for _, s := range got {
			if err := s.CheckPayload(); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestCoverRefuses(t *testing.T) {
	items := chain(t, "a", 4)
	bare := func(from, to int) (out []*Set) {
		for _, s := range items[from:to] {
			b := s.Bare()
			out = append(out, b)
		}
		return out
	}
	unsigned := bare(1, 4)
	for _, s := range unsigned {
		s.Sig = nil
	}
	twin := newAuthor("a")
	twin.set(t, twin.edit(t, "otherwise"))
	fork := []*Set{twin.set(t, twin.edit(t, "otherwise")).Bare()}
	wrong := bare(1, 4)
	wrong[2].Sig = slices.Clone(wrong[2].Sig)
	wrong[2].Sig[0] ^= 1
	for name, tc := range map[string]struct {
		cover []*Set
		want  error
	}{
		"good": {bare(1, 4), nil}, "shorter": {bare(1, 2), nil}, "own": {nil, nil}, "gap": {bare(2, 4), ErrChain},
		"fork": {fork, ErrChain}, "unsigned": {unsigned, ErrSignature}, "wrong": {wrong, ErrSignature},
	} {
		c := Cover{Items: tc.cover}
		if err := c.Verify(items[0]); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	none := Cover{}
	if err := none.Verify(unsigned[0]); err != ErrSignature {
		t.Error(err)
	}
	if _, err := (&Cover{Items: make([]*Set, MaxCover+1)}).Encode(); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
	encode := func(runs ...[]*Set) []byte {
		b := dagcbor.AppendArray(nil, 3)
		b = dagcbor.AppendUint(dagcbor.AppendText(b, typeCover), version)
		b = dagcbor.AppendArray(b, len(runs))
		for _, r := range runs {
			run, err := EncodeRun(r)
			if err != nil {
				t.Fatal(err)
			}
			b = dagcbor.AppendBytes(b, run)
		}
		return b
	}
	good, err := (&Cover{Items: bare(1, 4)}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"payload": encode(items[1:4]), "unsigned": encode(unsigned), "signed early": encode(bare(1, 4)),
		"bad run": dagcbor.AppendBytes(append(encode(nil...)[:len(encode())-1], 0x81), []byte{1}),
		"cut":     good[:len(good)-1], "long": make([]byte, MaxItem+1),
	} {
		if _, err := DecodeCover(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParts(t *testing.T) {
	whole := make([]byte, 300_000)
	r := newRand()
	for i := range whole {
		whole[i] = byte(r.Uint32())
	}
	for _, size := range []int{MinPart, MinPart + 1, 100_000, len(whole) - 1} {
		parts := Split(whole, size)
		var a Assembler
		for i := range parts {
			b := parts[i].Encode()
			if len(b) > size {
				t.Errorf("part of %d bytes in a frame of %d", len(b), size)
			}
			p, err := DecodePart(b)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(parts[i], p); d != "" {
				t.Fatal(d)
			}
			got, err := a.Add(p)
			if err != nil {
				t.Fatal(err)
			}
			if done := i == len(parts)-1; done != (got != nil) || done && !bytes.Equal(got, whole) {
				t.Fatalf("after part %d of %d: %d bytes", i, len(parts), len(got))
			} else if done != (a.Pending() == 0) {
				t.Fatalf("%d bytes pending", a.Pending())
			}
		}
	}
	if Split(whole, len(whole)) != nil {
		t.Error("split what fits")
	}
	if n := len(Split(make([]byte, MaxItem), MinPart)); n > MaxPartCount {
		t.Errorf("the largest item in the smallest parts makes %d, limit %d", n, MaxPartCount)
	}
	parts := Split(whole, 100_000)
	spoilt := parts[3]
	spoilt.Data = bytes.Clone(spoilt.Data)
	spoilt.Data[0] ^= 1
	short, alone := parts[0], parts[0]
	short.Data = short.Data[1:]
	alone.Count, alone.Total = 1, len(alone.Data)
	for name, seq := range map[string][]Part{
		"starts late": {parts[1]}, "skips": {parts[0], parts[2]}, "repeats": {parts[0], parts[0]},
		"another": {parts[0], Split(whole[1:], 100_000)[1]}, "spoilt": {parts[0], parts[1], parts[2], spoilt},
		"short": {short}, "one of one": {alone},
	} {
		var a Assembler
		var err error
		for _, p := range seq {
			_, err = a.Add(p)
		}
		if !errors.Is(err, ErrPart) || a.Pending() != 0 {
			t.Errorf("%s: %v, %d bytes held", name, err, a.Pending())
		}
	}
	for name, spoil := range map[string]func(*Part){
		"total": func(p *Part) { p.Total++ }, "index": func(p *Part) { p.Index = p.Count }, "count": func(p *Part) { p.Count++ },
		"one": func(p *Part) { p.Count = 1 }, "data": func(p *Part) { p.Data = p.Data[1:] }, "no data": func(p *Part) { p.Data = nil },
		"over": func(p *Part) { p.Total = MaxItem + 1 },
	} {
		p := parts[0]
		spoil(&p)
		if _, err := DecodePart(p.Encode()); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("split into tiny frames")
		}
	}()
	Split(whole, MinPart-1)
}
