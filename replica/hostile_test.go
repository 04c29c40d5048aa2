package replica

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
)

// What a member may do wrong inside a seal that only readers open. The set is
// authentic and granted, so it is kept; it contributes nothing, says why, and the
// document goes on.
func TestInertSets(t *testing.T) {
	put := func(tx *crdt.Tx) error { return tx.Set(crdt.At("evil"), 1) }
	for name, forge := range map[string]func(f *forger, h set.Header, secret [32]byte) *set.Set{
		"other actor": func(f *forger, h set.Header, secret [32]byte) *set.Set {
			return f.seal(h, secret, f.change(crdt.ActorID{1}, put).Bytes)
		},
		"no change": func(f *forger, h set.Header, secret [32]byte) *set.Set {
			return f.seal(h, secret, []byte("not a change"))
		},
		"wrong key": func(f *forger, h set.Header, secret [32]byte) *set.Set {
			return f.seal(h, [32]byte{1}, f.change(f.d.actor(), put).Bytes)
		},
		"seq skipped": func(f *forger, h set.Header, secret [32]byte) *set.Set {
			f.d.Set(f.t.Context(), 0, "skipped") // its own replica has it, nobody else will
			return f.seal(h, secret, f.change(f.d.actor(), put).Bytes)
		},
		"dep withheld": func(f *forger, h set.Header, secret [32]byte) *set.Set {
			ch := f.change(f.d.actor(), put)
			h.Deps = nil // its change rests on a's, and it does not say so
			return f.seal(h, secret, ch.Bytes)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			p := newPair(t, acl.Writer, map[string]any{"text": "hello"})
			f := &forger{t, p.db}
			h, secret := f.next()
			s := forge(f, h, secret)
			report, err := p.a.ImportBundle(ctx, f.bundle(s), ImportOptions{})
			if err != nil || report.Sets != 1 {
				t.Fatalf("%+v, %v", report, err)
			}
			if err := p.da.Set(ctx, "still", "works"); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{"text": "hello", "works": "still"}
			if diff := cmp.Diff(want, must(p.da.Get())(t)); diff != "" {
				t.Error(diff)
			}
			st := must(p.da.Status(ctx))(t)
			if len(st.Apart) != 1 || st.Apart[0].Set != s.ID() {
				t.Fatalf("left out: %+v", st.Apart)
			}
			t.Log(st.Apart[0].State, st.Apart[0].Reason)
			// It stays so when the document is read again.
			p.a.unloadBefore(farFuture)
			if diff := cmp.Diff(want, must(p.da.Get())(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A set whose second change is bad contributes nothing, not even its first.
func TestInertSetIsInertAsAWhole(t *testing.T) {
	ctx := t.Context()
	p := newPair(t, acl.Writer, map[string]any{"text": "hello"})
	f := &forger{t, p.db}
	h, secret := f.next()
	good := f.change(p.db.actor(), func(tx *crdt.Tx) error { return tx.Set(crdt.At("first"), 1) })
	must(p.da.Get())(t) // the content is open: the guard takes the first change
	bad := badSecond(t, p.db, good)
	s := f.seal(h, secret, good.Bytes, bad)
	if _, err := p.a.ImportBundle(ctx, f.bundle(s), ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if diff := cmp.Diff(map[string]any{"text": "hello"}, must(p.da.Get())(t)); diff != "" {
			t.Error(diff)
		}
		if st := must(p.da.Status(ctx))(t); len(st.Apart) != 1 {
			t.Errorf("left out: %+v", st.Apart)
		}
		p.a.unloadBefore(farFuture)
	}
	if err := p.da.Set(ctx, true, "goes on"); err != nil {
		t.Fatal(err)
	}
}

func TestRefusedSets(t *testing.T) {
	put := func(tx *crdt.Tx) error { return tx.Set(crdt.At("evil"), 1) }
	for name, tc := range map[string]struct {
		role  acl.Role
		forge func(f *forger, h set.Header, secret [32]byte) *set.Set
		want  error
	}{
		"reader writes": {acl.Reader, func(f *forger, h set.Header, secret [32]byte) *set.Set {
			return f.seal(h, secret, f.change(f.d.actor(), put).Bytes)
		}, ErrDenied},
		"path of another": {acl.Writer, func(f *forger, h set.Header, secret [32]byte) *set.Set {
			h.Path = []crdt.AccessOpID{h.Path[0], crdt.AccessOpID(h.Scope)} // the owner's place
			return f.seal(h, secret, f.change(f.d.actor(), put).Bytes)
		}, ErrDenied},
		"incarnation not announced": {acl.Writer, func(f *forger, h set.Header, secret [32]byte) *set.Set {
			h.Incarnation[0]++
			return f.seal(h, secret, f.change(f.d.actor(), put).Bytes)
		}, ErrBadBundle},
		"signature flipped": {acl.Writer, func(f *forger, h set.Header, secret [32]byte) *set.Set {
			s := f.seal(h, secret, f.change(f.d.actor(), put).Bytes)
			s.Sig[3] ^= 1
			return s
		}, ErrBadBundle},
		"payload flipped": {acl.Writer, func(f *forger, h set.Header, secret [32]byte) *set.Set {
			s := f.seal(h, secret, f.change(f.d.actor(), put).Bytes)
			s.Payload[30] ^= 1
			return s
		}, ErrBadBundle},
		"unknown before it": {acl.Writer, func(f *forger, h set.Header, secret [32]byte) *set.Set {
			h.Seq, h.Prev = 2, crdt.ChangeSetID{1}
			return f.seal(h, secret, f.change(f.d.actor(), put).Bytes)
		}, ErrWaiting},
		"unknown heads": {acl.Writer, func(f *forger, h set.Header, secret [32]byte) *set.Set {
			h.Heads = append([]set.Heads(nil), h.Heads...)
			h.Heads[0].Ops = []crdt.AccessOpID{{1}}
			return f.seal(h, secret, f.change(f.d.actor(), put).Bytes)
		}, ErrWaiting},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			p := newPair(t, tc.role, map[string]any{"text": "hello"})
			before := must(p.da.Heads(ctx))(t)
			f := &forger{t, p.db}
			h, secret := f.next()
			report, err := p.a.ImportBundle(ctx, f.bundle(tc.forge(f, h, secret)), ImportOptions{})
			if !errors.Is(err, tc.want) {
				t.Fatalf("%v, want %v", err, tc.want)
			}
			var imp *ImportError
			if !errors.As(err, &imp) || report.Sets != 0 {
				t.Errorf("%T, %+v", err, report)
			}
			t.Log(err)
			if diff := cmp.Diff(before, must(p.da.Heads(ctx))(t)); diff != "" {
				t.Error(diff)
			}
			if check := must(p.a.Check(ctx, nil))(t); check.Damaged > 0 || check.Sets != 1 {
				t.Errorf("%+v", check)
			}
		})
	}
}

// A bundle for somebody else holds nothing for us, and nothing of it is kept.
func TestForeignBundle(t *testing.T) {
	ctx := t.Context()
	p := newPair(t, acl.Writer, map[string]any{"text": "hello"})
	stranger := openAt(t, t.TempDir())
	var b bytes.Buffer
	must(p.a.ExportBundle(ctx, &b, ExportOptions{For: p.b.Person()}))(t)
	report, err := stranger.ImportBundle(ctx, bytes.NewReader(b.Bytes()), ImportOptions{})
	if !errors.Is(err, ErrDenied) || report.Docs+report.Sets != 0 || report.Foreign == 0 {
		t.Errorf("%+v, %v", report, err)
	}
	for i, err := range stranger.Docs(ctx) {
		t.Error(i, err)
	}
}

// Replaying a bundle changes nothing; an older one after a newer one neither.
func TestReplayedBundle(t *testing.T) {
	ctx := t.Context()
	p := newPair(t, acl.Writer, map[string]any{"text": "hello"})
	var old bytes.Buffer
	must(p.a.ExportBundle(ctx, &old, ExportOptions{For: p.b.Person()}))(t)
	if err := p.da.Set(ctx, 1, "n"); err != nil {
		t.Fatal(err)
	}
	carry(t, p.a, p.b)
	heads := must(p.db.Heads(ctx))(t)
	for range 2 {
		report := must(p.b.ImportBundle(ctx, bytes.NewReader(old.Bytes()), ImportOptions{}))(t)
		if report.Sets+report.Ops+report.Docs != 0 || report.Known != 1 {
			t.Errorf("%+v", report)
		}
		if diff := cmp.Diff(heads, must(p.db.Heads(ctx))(t)); diff != "" {
			t.Error(diff)
		}
	}
}
