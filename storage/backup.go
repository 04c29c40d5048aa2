package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// BackupReport names what a backup consists of, relative to its directory.
type BackupReport struct {
	Dir  string
	Data []string // noise without the keys
	Keys []string // keep these elsewhere: with them the backup outlives every purge
}

// keyFiles are those of the providers in this package.
var keyFiles = [...]string{rootKeyFile, passphraseFile}

// Backup writes a consistent copy of the replica to dest, which must not
// exist. Every batch acknowledged before is in it. Tables are linked rather
// than copied where the file system can.
//
// dest is laid out as a replica's directory, see the package comment, and has
// one that Restore reads. Data and keys are apart: whoever has dest/keys and
// the root key (root.key, or passphrase.json and the passphrase) can read
// dest/data also after the documents were purged here. A backup cannot be
// reached by a purge; keep the report's Keys on another medium.
func (s *Store) Backup(ctx context.Context, dest string) (*BackupReport, error) {
	fsys := s.opt.FS
	if strings.HasPrefix(fsys.PathJoin(dest, "x"), s.disk.home) {
		return nil, fmt.Errorf("storage: backup: %s lies inside the replica", dest)
	}
	if there, err := exists(fsys, dest, ""); err != nil || there {
		return nil, fmt.Errorf("storage: backup to %s: %w", dest, firstOf(err, errThere))
	}
	r := &BackupReport{Dir: dest, Data: []string{dataDir, markerFile}, Keys: []string{keysDir}}
	err := s.call(func() error {
		if err := makeDir(fsys, dest); err != nil {
			return err
		}
		// Data before keys: what is sealed in it then has its key in the copy.
		if err := s.data.Checkpoint(fsys.PathJoin(dest, dataDir), pebble.WithFlushedWAL()); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.keys.db.Checkpoint(fsys.PathJoin(dest, keysDir), pebble.WithFlushedWAL()); err != nil {
			return err
		}
		copied, err := copySmall(fsys, s.dir, dest, keyFiles[:]...)
		if err != nil {
			return err
		}
		r.Keys = append(r.Keys, copied...)
		_, err = copySmall(fsys, s.dir, dest, markerFile)
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("storage: backup to %s: %w", dest, err), fsys.RemoveAll(dest))
	}
	return r, nil
}

var errThere = errors.New("it exists")

// copySmall copies those files that are there and answers their names.
func copySmall(fsys vfs.FS, from, to string, names ...string) (copied []string, err error) {
	for _, name := range names {
		text, err := readSmall(fsys, from, name)
		if missing(err) {
			continue
		}
		if err == nil {
			err = writeSmall(fsys, to, name, text)
		}
		if err != nil {
			return copied, err
		}
		copied = append(copied, name)
	}
	return copied, nil
}

// Restore makes a replica in dir, which must have none, of a backup whose
// parts lie together again in backup. The new replica has a new incarnation.
// It is left closed. The backup is only read.
func Restore(ctx context.Context, backup, dir string, o *Options) error {
	m, err := readMarker(o.withDefaults().FS, backup)
	if err != nil {
		return err
	}
	return inNewDir(ctx, dir, o, func(s *Store) error {
		fsys := s.opt.FS
		for _, d := range []string{dataDir, keysDir} {
			there, err := vfs.Clone(fsys, fsys, fsys.PathJoin(backup, d), fsys.PathJoin(s.dir, d), vfs.CloneSync)
			if err != nil {
				return fmt.Errorf("storage: restore: %w", err)
			}
			if !there {
				return &DamagedError{What: "backup " + backup, Cause: fmt.Errorf("it has no %s", d)}
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if _, err := copySmall(fsys, backup, s.dir, keyFiles[:]...); err != nil {
			return fmt.Errorf("storage: restore: %w", err)
		}
		if err := s.load(m); err != nil {
			return err
		}
		if err := s.renew(); err != nil {
			return err
		}
		return m.write(fsys, s.dir) // last: an interrupted restore is no replica
	})
}

// renew gives the store a new incarnation.
func (s *Store) renew() error {
	old, _, err := loadStoreKey(s.keys.db, s.keys.wrap)
	if err != nil {
		return err
	}
	rand.Read(s.inc[:])
	return s.health.guard(func() error { return saveStoreKey(s.keys.db, s.keys.wrap, old, s.inc) })
}

// inNewDir runs f on a closed store in a new, locked directory, and removes
// what f left there if it fails.
func inNewDir(ctx context.Context, dir string, o *Options, f func(*Store) error) error {
	s, err := newStore(ctx, dir, o)
	if err != nil {
		return err
	}
	fsys := s.opt.FS
	if err := claim(fsys, s.dir); err != nil {
		return err
	}
	if err := makeDir(fsys, s.dir); err != nil {
		return fmt.Errorf("storage: create %s: %w", dir, readOnlyDisk(err))
	}
	if s.lock, err = lockDir(fsys, s.dir); err != nil {
		return err
	}
	if _, err = readMarker(fsys, s.dir); !errors.Is(err, ErrNoReplica) {
		return errors.Join(firstOf(err, fmt.Errorf("%w: %s", ErrReplicaExists, dir)), s.release())
	}
	for _, d := range []string{dataDir, keysDir} { // of an interrupted creation
		err = fsys.RemoveAll(fsys.PathJoin(s.dir, d))
		if err != nil && !missing(err) {
			return errors.Join(fmt.Errorf("storage: create %s: %w", dir, err), s.release())
		}
	}
	err = errors.Join(f(s), s.release())
	if err != nil {
		for _, name := range []string{markerFile, dataDir, keysDir, rootKeyFile, passphraseFile} {
			err = errors.Join(err, fsys.RemoveAll(fsys.PathJoin(s.dir, name)))
		}
	}
	return err
}
