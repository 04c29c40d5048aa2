package replica

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
	"github.com/pipes-sync/pipes/storage"
)

// access is what this replica knows of who may, and the secrets it holds. Logs are
// read from the store when they are first asked for, so that ten thousand lists
// that nobody looks at cost nothing.
type access struct {
	store *storage.Store
	id    *identity

	mu struct {
		sync.Mutex
		state  acl.State
		keys   *acl.Keyring
		loaded map[crdt.ScopeID]bool
		// generation counts what may have changed an answer given before.
		generation uint64
	}
}

func newAccess(store *storage.Store, id *identity) (*access, error) {
	a := &access{store: store, id: id}
	a.mu.keys = id.keyring()
	a.mu.loaded = map[crdt.ScopeID]bool{}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.loadLocked(id.person); err != nil {
		return nil, err
	}
	if _, ok := a.mu.state.Log(id.person); !ok {
		return nil, fmt.Errorf("%w: no log of person %s", ErrDamaged, id.person)
	}
	return a, nil
}

// announce makes this life of the replica known in the person's log, unless it is:
// no item of it may be signed before. A restored or salvaged store begins a new one.
func (a *access) announce() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	log, _ := a.mu.state.Log(a.id.person)
	for op := range log.All() {
		if op.Type() == acl.TypeIncarnation && op.Device == a.id.device && op.Incarnation == a.id.incarnation {
			return nil
		}
	}
	op, err := a.mu.state.NewIncarnation(a.id.author(), nil, time.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("replica: announce incarnation: %w", err)
	}
	return a.commitLocked(op)
}

// loadLocked brings the log of a scope into memory, and the logs its operations
// rest on. A scope that is not in the store is no error.
func (a *access) loadLocked(scope crdt.ScopeID) (err error) {
	if a.mu.loaded[scope] {
		return nil
	}
	a.mu.loaded[scope] = true
	defer func() {
		if err != nil {
			delete(a.mu.loaded, scope) // half a log is none
		}
	}()
	for stored, err := range a.store.Ops(scope) {
		if err != nil {
			return fmt.Errorf("replica: read log of scope %s: %w", scope, err)
		}
		op, err := acl.DecodeVerified(stored.Value)
		if err != nil {
			return fmt.Errorf("%w: operation %s: %w", ErrDamaged, stored.ID, err)
		}
		if err := a.needsLocked(op); err != nil {
			return err
		}
		if _, err := a.mu.state.Add(op); err != nil {
			return fmt.Errorf("%w: operation %s: %w", ErrDamaged, stored.ID, err)
		}
	}
	return nil
}

// needsLocked loads the scopes that an operation names.
func (a *access) needsLocked(op *acl.Op) error {
	var errs []error
	for _, row := range op.Heads {
		errs = append(errs, a.loadLocked(row.Scope))
	}
	if g, ok := op.Body.(*acl.Grant); ok && g.Principal.Kind != acl.DevicePrincipal {
		errs = append(errs, a.loadLocked(crdt.ScopeID(g.Principal.ID)))
	}
	return errors.Join(errs...)
}

// view runs f with the logs of scopes loaded. f must not keep the state.
func (a *access) view(f func(*acl.State) error, scopes ...crdt.ScopeID) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, scope := range scopes {
		if err := a.loadLocked(scope); err != nil {
			return err
		}
	}
	return f(&a.mu.state)
}

// scopesIn are the scopes whose logs it takes to judge what names heads.
func scopesIn(heads []set.Heads) []crdt.ScopeID {
	scopes := make([]crdt.ScopeID, len(heads))
	for i, row := range heads {
		scopes[i] = row.Scope
	}
	return scopes
}

// add takes operations in and answers when those that count are durable. What
// names operations that are not here waits in memory. refused says why an
// operation is none; the error is this replica's own.
func (a *access) add(ops []*acl.Op, refused func(*acl.Op, error)) (added int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	batch := a.store.Batch()
	defer batch.Discard()
	for _, op := range ops {
		if err := errors.Join(a.loadLocked(op.Scope), a.needsLocked(op)); err != nil {
			a.forgetLocked()
			return 0, err
		}
		res, err := a.mu.state.Add(op)
		if err != nil {
			refused(op, err)
			continue
		}
		for _, c := range res.Changes {
			switch {
			case c.Err != nil:
				refused(c.Op, c.Err)
			case c.Status == acl.Effective:
				a.putLocked(batch, c.Op)
				added++
			}
		}
	}
	if added == 0 {
		return 0, nil
	}
	a.mu.generation++
	if err := batch.Commit(); err != nil {
		a.forgetLocked()
		return 0, err
	}
	return added, nil
}

func (a *access) putLocked(batch *storage.Batch, op *acl.Op) {
	enc, err := op.MarshalBinary()
	if err != nil {
		panic("replica: " + err.Error()) // a verified operation always encodes
	}
	log, _ := a.mu.state.Log(op.Scope)
	batch.PutOp(op.Scope, uint64(log.Len()), op.ID(), enc)
}

// forgetLocked drops what is in memory, which is ahead of a disk that did not
// take it.
func (a *access) forgetLocked() {
	a.mu.state = acl.State{}
	a.mu.loaded = map[crdt.ScopeID]bool{}
	a.mu.generation++
}

// standing is this device's place in a scope, and the key of a document there.
// It stays right while the generation does.
type standing struct {
	generation uint64
	role       acl.Role
	path       []crdt.AccessOpID
	heads      []set.Heads
	epoch      crdt.EpochID
	secret     [32]byte

	sealFor crdt.DocID // what seal is the key of
	seal    set.Key
}

// key is the key of a document's change sets now. Deriving it costs a tenth of a
// commit, so a standing, which belongs to one document, remembers it.
func (s *standing) key(doc crdt.DocID) set.Key {
	if s.sealFor != doc {
		s.sealFor, s.seal = doc, set.ContentKey(s.secret, doc)
	}
	return s.seal
}

// standing answers what this device writes into headers of a scope's items, and
// the secret it seals under. It is old itself if nothing has changed since.
// Errors: *acl.DeniedError if the role is below need, acl.ErrNoKey.
func (a *access) standing(scope crdt.ScopeID, need acl.Action, old *standing) (*standing, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if old != nil && old.generation == a.mu.generation && old.role >= need.Needs() {
		return old, nil
	}
	if err := errors.Join(a.loadLocked(scope), a.loadLocked(a.id.person)); err != nil {
		return nil, err
	}
	st, err := standingIn(&a.mu.state, a.mu.keys, a.id, scope, need)
	if err == nil {
		st.generation = a.mu.generation
	}
	return st, err
}

// standingIn works out a standing by what state knows.
func standingIn(state *acl.State, keys *acl.Keyring, id *identity, scope crdt.ScopeID, need acl.Action) (*standing, error) {
	path, auth, err := state.Path(id.party(), scope)
	if err != nil {
		return nil, err
	}
	if auth.Role < need.Needs() {
		return nil, &acl.DeniedError{Scope: scope, Grant: auth.Grant, Why: acl.DeniedRole, Have: auth.Role, Need: need.Needs()}
	}
	rows, err := state.ItemHeads(id.author(), scope, path)
	if err != nil {
		return nil, err
	}
	st := &standing{role: auth.Role, path: path}
	for _, r := range rows {
		st.heads = append(st.heads, set.Heads{Scope: r.Scope, Ops: r.Heads})
	}
	now, err := state.Keys(scope)
	if err != nil {
		return nil, err
	}
	if now.Debt() {
		return nil, fmt.Errorf("%w: scope %s has no usable epoch", acl.ErrNoKey, scope)
	}
	secret, err := keys.Open(state, scope, now.Current)
	if err != nil {
		return nil, err
	}
	st.epoch, st.secret = now.Current, [32]byte(secret.Bytes())
	return st, nil
}

// secret opens the secret of an epoch that an item was sealed under.
func (a *access) secret(scope crdt.ScopeID, epoch crdt.EpochID) ([32]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.loadLocked(scope); err != nil {
		return [32]byte{}, err
	}
	s, err := a.mu.keys.Open(&a.mu.state, scope, epoch)
	if err != nil {
		return [32]byte{}, err
	}
	return [32]byte(s.Bytes()), nil
}

// now is the generation that answers given now belong to.
func (a *access) now() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.generation
}

func (a *access) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.keys.Zero()
}
