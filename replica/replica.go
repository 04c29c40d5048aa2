package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/storage"
)

// Replica is one process's copy of a person's documents and keys.
type Replica struct {
	dir     string
	opt     Options
	log     *slog.Logger
	store   *storage.Store
	id      *identity
	access  *access
	journal *storage.Journal
	// suspects were being applied when a process ended, for no known reason.
	suspects struct {
		sync.Mutex
		notes [][]byte // as in the journal, newest first
	}

	docs    registry
	closing chan struct{}  // closed when Close begins
	closed  chan struct{}  // closed when it is done
	working sync.WaitGroup // goroutines of this replica
}

// Open opens the replica in dir, and creates one if there is none, unless
// Options.NoCreate. Errors: ErrNoReplica, ErrLocked, ErrWrongPassphrase,
// ErrDamaged and others of package storage.
func Open(ctx context.Context, dir string, o *Options) (*Replica, error) {
	opt := o.withDefaults()
	store, err := openStore(ctx, dir, &opt)
	if errors.Is(err, ErrNoReplica) && !opt.NoCreate {
		r, made := Init(ctx, dir, o)
		if !errors.Is(made, ErrExists) {
			return r, made
		}
		store, err = openStore(ctx, dir, &opt) // somebody else was faster
	}
	if err != nil {
		return nil, err
	}
	if err := finish(store, &opt); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return newReplica(store, dir, opt)
}

// finish founds the person of a store that has none because the process that made
// it ended too early: there is nothing else in it then.
func finish(store *storage.Store, opt *Options) error {
	if _, err := store.Singleton(identityRecord); !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	for _, err := range store.Scopes() {
		if err != nil {
			return err
		}
		return nil // an identity that is lost: loading it says so
	}
	if err := checkName(opt.Name); err != nil {
		return err
	}
	return found(store, opt.Name)
}

// Init creates a replica, with a new person whose first device it is, and opens
// it. Where one lives it answers an [*ExistsError].
func Init(ctx context.Context, dir string, o *Options) (*Replica, error) {
	opt := o.withDefaults()
	if err := checkName(opt.Name); err != nil {
		return nil, err
	}
	var store *storage.Store
	err := waitLock(ctx, opt.LockWait, func() (err error) {
		store, err = storage.Init(ctx, dir, &opt.Storage)
		return err
	})
	if errors.Is(err, ErrExists) {
		return nil, whoLives(ctx, dir, opt)
	}
	if err != nil {
		return nil, err
	}
	if err := found(store, opt.Name); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return newReplica(store, dir, opt)
}

func checkName(name string) error {
	if len(name) > maxName || !utf8.ValidString(name) {
		return fmt.Errorf("replica: a name is UTF-8 of at most %d bytes, and not %.20q of %d", maxName, name, len(name))
	}
	return nil
}

// found keeps a new identity and the log of its person.
func found(store *storage.Store, name string) error {
	id, ops, err := newIdentity(name, store.Incarnation())
	if err != nil {
		return err
	}
	b := store.Batch()
	defer b.Discard()
	for i, op := range ops {
		enc, err := op.MarshalBinary()
		if err != nil {
			return err
		}
		b.PutOp(op.Scope, uint64(i), op.ID(), enc)
	}
	b.PutSingleton(identityRecord, id.encode())
	return b.Commit()
}

// whoLives says who has the directory, as far as it can be read.
func whoLives(ctx context.Context, dir string, opt Options) error {
	e := &ExistsError{Dir: dir}
	store, err := storage.Open(ctx, dir, &opt.Storage)
	if err != nil {
		return e
	}
	if id, err := loadIdentity(store); err == nil {
		e.Person, e.Device = id.person, id.device
	}
	return errors.Join(e, store.Close())
}

func openStore(ctx context.Context, dir string, opt *Options) (s *storage.Store, err error) {
	err = waitLock(ctx, opt.LockWait, func() (err error) {
		s, err = storage.Open(ctx, dir, &opt.Storage)
		return err
	})
	return s, err
}

// waitLock tries again while another process holds the lock, for at most wait.
func waitLock(ctx context.Context, wait time.Duration, try func() error) error {
	deadline := time.Now().Add(wait)
	for {
		err := try()
		if !errors.Is(err, ErrLocked) || !time.Now().Before(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(min(50*time.Millisecond, time.Until(deadline))):
		}
	}
}

func newReplica(store *storage.Store, dir string, opt Options) (*Replica, error) {
	r := &Replica{dir: dir, opt: opt, log: opt.Logger, store: store, closing: make(chan struct{}), closed: make(chan struct{})}
	if err := r.load(); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	r.docs.init()
	r.working.Go(r.unloadIdle)
	r.log.Info("replica opened", "dir", dir, "person", r.id.person.String(), "device", r.id.device.String())
	return r, nil
}

func (r *Replica) load() (err error) {
	if r.id, err = loadIdentity(r.store); err != nil {
		return err
	}
	if r.access, err = newAccess(r.store, r.id); err != nil {
		return err
	}
	if err := r.access.announce(); err != nil {
		return err
	}
	return r.openJournal()
}

// Close waits for running calls, writes what is not durable yet, and gives the
// directory back. Closing twice is not an error; later calls answer ErrClosed.
func (r *Replica) Close() error {
	if !r.docs.close() {
		<-r.closed
		return nil
	}
	defer close(r.closed)
	close(r.closing)
	err := r.closeDocs()
	r.working.Wait()
	r.access.close()
	return errors.Join(err, r.journal.Close(), r.store.Close())
}

// Person is whose replica it is.
func (r *Replica) Person() crdt.ScopeID { return r.id.person }

// Device is the device whose replica it is: its public key.
func (r *Replica) Device() crdt.DeviceID { return r.id.device }

// Incarnation is this life of the replica.
func (r *Replica) Incarnation() crdt.Incarnation { return r.id.incarnation }

// Name is what the person is called on this device; it may be empty.
func (r *Replica) Name() string { return r.id.name }

// Dir is the replica's directory.
func (r *Replica) Dir() string { return r.dir }
