package replica

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
	"github.com/pipes-sync/pipes/netsync"
)

// pair is two persons' replicas that share a document.
type pair struct {
	a, b   *Replica
	da, db *Doc
}

// newPair makes a document of a's, shared with b as role, that both have.
func newPair(t testing.TB, role acl.Role, initial map[string]any) *pair {
	t.Helper()
	p := &pair{a: openAt(t, t.TempDir()), b: openAt(t, t.TempDir())}
	p.da = must(p.a.NewDoc(t.Context(), initial))(t)
	carry(t, p.b, p.a)
	must(p.a.Share(t.Context(), p.da.ID(), p.b.Person(), role))(t)
	carry(t, p.a, p.b)
	p.db = must(p.b.Doc(t.Context(), p.da.ID()))(t)
	return p
}

// forger is a hostile member: it has a replica's keys and writes what it likes on
// the real wire.
type forger struct {
	t testing.TB
	d *Doc
}

// next is a correct header of the forger's next set, and the secret to seal under.
func (f *forger) next() (h set.Header, secret [32]byte) {
	f.t.Helper()
	err := f.d.opened(f.t.Context(), "forge", func(*content) (err error) {
		f.d.mu.standing, err = f.d.r.access.standing(f.d.mu.state.doc.Genesis.Scope, acl.ActionRead, f.d.mu.standing)
		if err == nil {
			h, _ = f.d.headerLocked(nil)
			secret = f.d.mu.standing.secret
		}
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return h, secret
}

// seal makes a signed set of h with these changes.
func (f *forger) seal(h set.Header, secret [32]byte, changes ...[]byte) *set.Set {
	f.t.Helper()
	s, err := new(set.Coder).Seal(h, set.Content{Time: time.Now().UnixMilli(), Changes: changes}, set.ContentKey(secret, f.d.id), nonce24())
	if err != nil {
		f.t.Fatal(err)
	}
	s.Sign(f.d.r.id.sign)
	return s
}

// change writes a correct change in a copy of the document that is thrown away.
func (f *forger) change(actor crdt.ActorID, write func(*crdt.Tx) error) crdt.Change {
	f.t.Helper()
	var ch crdt.Change
	err := f.d.opened(f.t.Context(), "forge", func(c *content) error {
		fork, err := c.engine.(crdt.Forker).Fork(nil, actor)
		if err != nil {
			return err
		}
		defer fork.Close()
		w, err := fork.Begin()
		if err != nil {
			return err
		}
		if err := write(crdt.NewTx(w)); err != nil {
			return err
		}
		ch, err = w.Commit("", 0)
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return ch
}

// bundle puts sets into a bundle of their own.
func (f *forger) bundle(sets ...*set.Set) *bytes.Reader {
	f.t.Helper()
	var b bytes.Buffer
	w, err := netsync.NewBundleWriter(&b, netsync.Begin{Device: f.d.r.id.device})
	if err != nil {
		f.t.Fatal(err)
	}
	for _, s := range sets {
		frames, err := netsync.RunFrames([]*set.Set{s}, nil)
		for _, fr := range frames {
			err = errors.Join(err, w.Write(fr))
		}
		if err != nil {
			f.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.t.Fatal(err)
	}
	return bytes.NewReader(b.Bytes())
}
