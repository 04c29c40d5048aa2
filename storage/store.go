package storage

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/pipes-sync/pipes/crdt"
)

// A Store is one replica's directory, open. Its methods may be called by
// several goroutines at once.
type Store struct {
	dir    string
	opt    Options
	lock   io.Closer // nil on a read-only file system
	health *health
	live   atomic.Bool // open and in use, see disk
	disk   *disk
	data   *pebble.DB
	keys   *keyring
	name   namer
	inc    crdt.Incarnation

	// values seal what belongs to no document.
	values struct{ ops, cursors, singletons cipher.AEAD }

	calls struct {
		sync.Mutex
		closed  bool
		running sync.WaitGroup // added to under the mutex, while not closed
	}
}

// Init creates a replica in dir, which may exist but must have none, and opens
// it. A creation that was interrupted is begun anew. It answers
// ErrReplicaExists, ErrNotEmpty if there is anything else, ErrLocked, ErrReadOnly or an error of the file system.
func Init(ctx context.Context, dir string, o *Options) (*Store, error) {
	s, err := newStore(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	fsys := s.opt.FS
	if err := claim(fsys, s.dir); err != nil {
		return nil, err
	}
	if err := makeDir(fsys, s.dir); err != nil {
		return nil, fmt.Errorf("storage: create %s: %w", dir, readOnlyDisk(err))
	}
	if s.lock, err = lockDir(fsys, s.dir); err != nil {
		return nil, err
	}
	if err := s.create(); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

func (s *Store) create() error {
	fsys := s.opt.FS
	there, err := exists(fsys, s.dir, markerFile)
	if err != nil {
		return fmt.Errorf("storage: create: %w", err)
	}
	switch _, err := readMarker(fsys, s.dir); {
	case there && errors.Is(err, ErrNoReplica): // interrupted
		for _, d := range []string{dataDir, keysDir} {
			if err := fsys.RemoveAll(fsys.PathJoin(s.dir, d)); err != nil {
				return fmt.Errorf("storage: create: %w", err)
			}
		}
	case there && err == nil:
		return fmt.Errorf("%w: %s", ErrReplicaExists, s.dir)
	case !errors.Is(err, ErrNoReplica):
		return err
	}
	m := marker{Format: layoutVersion, Keys: s.opt.Keys.Kind()}
	if err := m.write(fsys, s.dir); err != nil {
		return err
	}
	root, err := s.opt.Keys.Create(fsys, s.dir)
	if err != nil {
		return err
	}
	if err := s.openKeys(root, true); err != nil {
		return err
	}
	if err := s.openData(true); err != nil {
		return err
	}
	m.Ready, m.RootCheck = true, rootCheck(root)
	if err := m.write(fsys, s.dir); err != nil {
		return err
	}
	s.live.Store(true)
	return nil
}

// Open opens the replica in dir. It answers ErrNoReplica, ErrLocked,
// ErrNewerFormat, ErrWrongPassphrase, ErrWrongKey, ErrDamaged, ErrReadOnly or
// an error of the file system.
func Open(ctx context.Context, dir string, o *Options) (*Store, error) {
	s, err := newStore(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	// Looked at before the lock, which would create files.
	if _, err := readMarker(s.opt.FS, s.dir); err != nil {
		return nil, err
	}
	s.lock, err = lockDir(s.opt.FS, s.dir)
	if err != nil && !(s.opt.ReadOnly && errors.Is(err, ErrReadOnly)) {
		return nil, err
	}
	m, err := readMarker(s.opt.FS, s.dir) // again: under the lock it stays so
	if err == nil {
		err = s.load(m)
	}
	if err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

// rootKey asks the provider and compares what it says with the marker.
func (s *Store) rootKey(m marker) (root Secret, err error) {
	if have := s.opt.Keys.Kind(); m.Keys != have {
		kind := ErrWrongKey
		if m.Keys == kindPassphrase {
			kind = ErrWrongPassphrase
		}
		return root, &KeyError{s.dir, kind, fmt.Sprintf("its root key is kept by %q, not by %q", m.Keys, have)}
	}
	root, err = s.opt.Keys.Open(s.opt.FS, s.dir)
	if err == nil && m.RootCheck != rootCheck(root) {
		err = &KeyError{s.dir, ErrWrongKey, "the root key is of another replica"}
	}
	return root, err
}

func (s *Store) load(m marker) error {
	root, err := s.rootKey(m)
	if err != nil {
		return err
	}
	if err := s.openKeys(root, false); err != nil {
		return err
	}
	if err := s.openData(false); err != nil {
		return err
	}
	s.live.Store(true)
	return nil
}

// newStore checks what Init and Open are given.
func newStore(ctx context.Context, dir string, o *Options) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("storage: open %s: %w", dir, err)
	}
	s := &Store{dir: dir, opt: o.withDefaults()}
	if vfs.Root(s.opt.FS) == vfs.Default {
		abs, err := filepath.Abs(dir) // the working directory may change
		if err != nil {
			return nil, fmt.Errorf("storage: open: %w", err)
		}
		s.dir = abs
	}
	s.health = &health{dir: s.dir, log: s.opt.Logger, fs: s.opt.FS, reserve: uint64(s.opt.Reserve)}
	home := strings.TrimSuffix(s.opt.FS.PathJoin(s.dir, "x"), "x")
	s.disk = &disk{FS: s.opt.FS, h: s.health, home: home, live: &s.live}
	return s, nil
}

// openPebble opens one of the two Pebbles, or creates it if there is none. To
// open one that has lost its manifest would begin anew over what is there.
func (s *Store) openPebble(name string, create bool) (db *pebble.DB, err error) {
	dir := s.opt.FS.PathJoin(s.dir, name)
	if !s.opt.ReadOnly {
		if err := makeDir(s.opt.FS, dir); err != nil {
			return nil, fmt.Errorf("storage: open %s: %w", name, readOnlyDisk(err))
		}
	}
	err = s.health.guard(func() (err error) {
		defer func() { // some errors of the disk make Open panic
			switch r := recover().(type) {
			case nil:
			case runtime.Error, fatal:
				panic(r)
			case error:
				err = r
			default:
				panic(r)
			}
		}()
		o := s.opt.pebbleOptions(s.disk, s.health, name == keysDir)
		if create {
			// The first log of a new Pebble is begun before its format is
			// raised, and would lose flipped bits in silence: not used.
			o.ErrorIfExists = true
			if db, err = pebble.Open(dir, o); err != nil {
				return err
			}
			if err = db.Close(); err != nil {
				return err
			}
		}
		o.ErrorIfExists, o.ErrorIfNotExists = false, true
		db, err = pebble.Open(dir, o)
		return err
	})
	if err != nil && (pebble.IsCorruptionError(err) || errors.Is(err, pebble.ErrDBDoesNotExist) || missing(err)) {
		return nil, &DamagedError{What: "files of " + dir, Cause: err}
	}
	if err != nil {
		return nil, fmt.Errorf("storage: open %s: %w", dir, readOnlyDisk(err))
	}
	return db, nil
}

func (s *Store) openKeys(root Secret, create bool) error {
	db, err := s.openPebble(keysDir, create)
	if err != nil {
		return err
	}
	wrap := root.derive("wrap").aead()
	s.keys = &keyring{db: db, wrap: wrap, docs: map[crdt.DocID]*docKey{}}
	var key Secret
	if create {
		key = randomSecret()
		rand.Read(s.inc[:])
		err = s.health.guard(func() error { return saveStoreKey(db, wrap, key, s.inc) })
	} else {
		key, s.inc, err = loadStoreKey(db, wrap)
	}
	if err != nil {
		return err
	}
	s.useStoreKey(key)
	return nil
}

// useStoreKey derives what names keys and seals values of no document.
func (s *Store) useStoreKey(key Secret) {
	s.name = namer{key.derive("names")}
	s.keys.name = s.name
	s.values.ops = key.derive("operations").aead()
	s.values.cursors = key.derive("cursors").aead()
	s.values.singletons = key.derive("singletons").aead()
}

func (s *Store) openData(create bool) (err error) {
	s.data, err = s.openPebble(dataDir, create)
	return err
}

// Incarnation tells this life of the directory from others: it is new after
// Init and after Restore.
func (s *Store) Incarnation() crdt.Incarnation { return s.inc }

// Dir is the directory of the replica.
func (s *Store) Dir() string { return s.dir }

// Chain names the change sets of one device and incarnation to one document.
func (s *Store) Chain(doc crdt.DocID, dev crdt.DeviceID, inc crdt.Incarnation) Chain {
	return s.name.chain(doc, dev, inc)
}

// Err is nil while the store works, else what the next commit would answer:
// ErrClosed, ErrStoreFailed, ErrReadOnly or ErrDiskFull.
func (s *Store) Err() error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if s.opt.ReadOnly {
		return ErrReadOnly
	}
	return s.health.ask(0)
}

// enter begins a call; where it answers nil, leave must follow.
func (s *Store) enter() error {
	s.calls.Lock()
	defer s.calls.Unlock()
	if s.calls.closed {
		return ErrClosed
	}
	if err := s.health.failure(); err != nil {
		return err
	}
	s.calls.running.Add(1)
	return nil
}

func (s *Store) leave() { s.calls.running.Done() }

// Close ends the store. It waits for running calls and iterations; later calls
// answer ErrClosed, a second Close too. After a failure it answers
// ErrStoreFailed, and the directory can be opened again.
func (s *Store) Close() error {
	s.calls.Lock()
	if s.calls.closed {
		s.calls.Unlock()
		return ErrClosed
	}
	s.calls.closed = true
	s.calls.Unlock()
	s.health.closing.Store(true)
	if !s.health.stuck.Load() {
		s.calls.running.Wait()
	}
	return s.release()
}

// release closes what was opened, in reverse.
func (s *Store) release() error {
	s.health.closing.Store(true)
	var errs []error
	for _, db := range []*pebble.DB{s.data, s.keysDB()} {
		if db == nil || s.health.stuck.Load() {
			continue // a stuck Pebble cannot write either: the disk is frozen
		}
		errs = append(errs, s.health.guard(db.Close))
	}
	if s.lock != nil {
		if err := s.opt.FS.Remove(s.opt.FS.PathJoin(s.dir, holderFile)); err != nil {
			s.opt.Logger.Warn("holder file not removed", "dir", s.dir, "error", err)
		}
		errs = append(errs, s.lock.Close())
	}
	if err := s.health.failure(); err != nil {
		return err
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("storage: close: %w", err)
	}
	return nil
}

func (s *Store) keysDB() *pebble.DB {
	if s.keys == nil {
		return nil
	}
	return s.keys.db
}
