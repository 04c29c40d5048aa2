package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/pipes-sync/pipes/crdt"
)

// SalvageReport is what Salvage saved and what it could not.
type SalvageReport struct {
	Documents int // whose keys were saved
	Records   int // copied
	// Rebuilt is set where Pebble could not open the directory and its files
	// were read one by one. Snapshots and cursors are then left out: they can
	// be derived again, and dropped ones could not be told from others.
	Rebuilt bool
	Lost    int
	// Problems are the first of what was lost: bad blocks and files, and
	// records whose seal does not open.
	Problems []error
}

func (r *SalvageReport) lose(errs ...error) {
	for _, err := range errs {
		r.Lost++
		if len(r.Problems) < maxProblems {
			r.Problems = append(r.Problems, err)
		}
	}
}

// Salvage copies every value of the replica in src that still opens to a new
// replica in dst, with the same keys and a new incarnation, and leaves both
// closed. It needs the root key and the store key of src, and changes
// nothing there but the lock. Indexes are made anew. Where logs and tables are read one by one, an
// older version of a record may come back in place of a lost newer one.
func Salvage(ctx context.Context, src, dst string, o *Options) (*SalvageReport, error) {
	from := o.withDefaults()
	from.ReadOnly = true
	s, err := newStore(ctx, src, &from)
	if err != nil {
		return nil, err
	}
	if s.lock, err = lockDir(s.opt.FS, s.dir); err != nil && !errors.Is(err, ErrReadOnly) {
		return nil, err
	}
	v := &salvager{ctx: ctx, src: s, docs: map[alias]*docKey{}}
	err = inNewDir(ctx, dst, o, func(d *Store) error { return v.run(d) })
	err = errors.Join(err, s.release())
	if err != nil {
		return nil, fmt.Errorf("storage: salvage %s: %w", src, err)
	}
	return &v.report, nil
}

type salvager struct {
	ctx      context.Context
	src, dst *Store
	docs     map[alias]*docKey
	batch    *pebble.Batch
	report   SalvageReport
}

func (v *salvager) run(dst *Store) (err error) {
	v.dst = dst
	root, m, err := v.root()
	if err != nil {
		return err
	}
	if v.src.keys, err = v.keyring(root); err != nil {
		return err
	}
	key, _, err := loadStoreKey(v.src.keys.db, v.src.keys.wrap)
	if err != nil {
		return fmt.Errorf("nothing opens without it: %w", err)
	}
	v.src.useStoreKey(key)
	if v.src.data, err = v.openOrRebuild(dataDir); err != nil {
		return err
	}
	if err := dst.adopt(root, key); err != nil {
		return err
	}
	if err := v.copyKeys(); err != nil {
		return err
	}
	if err := v.copyData(); err != nil {
		return err
	}
	if err := errors.Join(dst.keys.db.Flush(), dst.data.Flush()); err != nil {
		return err
	}
	if _, err := copySmall(dst.opt.FS, v.src.dir, dst.dir, keyFiles[:]...); err != nil {
		return err
	}
	return m.write(dst.opt.FS, dst.dir)
}

// root gets the root key, with or without a marker.
func (v *salvager) root() (root Secret, m marker, err error) {
	s := v.src
	if m, err = readMarker(s.opt.FS, s.dir); err == nil {
		root, err = s.rootKey(m)
		return root, m, err
	}
	if !errors.Is(err, ErrDamaged) {
		return root, m, err
	}
	v.report.lose(err)
	root, err = s.opt.Keys.Open(s.opt.FS, s.dir)
	return root, marker{layoutVersion, s.opt.Keys.Kind(), true, rootCheck(root)}, err
}

func (v *salvager) keyring(root Secret) (*keyring, error) {
	db, err := v.openOrRebuild(keysDir)
	return &keyring{db: db, wrap: root.derive("wrap").aead(), docs: map[crdt.DocID]*docKey{}}, err
}

// openOrRebuild opens one of the source's Pebbles, or what is left of it.
func (v *salvager) openOrRebuild(name string) (*pebble.DB, error) {
	db, err := v.src.openPebble(name, false)
	if !errors.Is(err, ErrDamaged) {
		return db, err
	}
	v.report.lose(err)
	v.report.Rebuilt = true
	return v.rebuild(name)
}

// adopt makes the empty Pebbles of a salvaged replica.
func (s *Store) adopt(root, key Secret) error {
	db, err := s.openPebble(keysDir, true)
	if err != nil {
		return err
	}
	s.keys = &keyring{db: db, wrap: root.derive("wrap").aead(), docs: map[crdt.DocID]*docKey{}}
	rand.Read(s.inc[:])
	if err := s.health.guard(func() error { return saveStoreKey(db, s.keys.wrap, key, s.inc) }); err != nil {
		return err
	}
	s.useStoreKey(key)
	return s.openData(true)
}

// write copies a record as it is, in batches.
func (v *salvager) write(db *pebble.DB, k, val []byte) error {
	const enough = 1 << 20
	if v.batch == nil {
		v.batch = db.NewBatch()
	}
	err := v.batch.Set(k, val, nil)
	if err == nil && v.batch.Len() > enough {
		err = v.flush()
	}
	return err
}

func (v *salvager) flush() error {
	if v.batch == nil {
		return nil
	}
	err := v.dst.health.guard(func() error {
		if err := v.dst.health.room(v.batch.Len()); err != nil {
			return err
		}
		return v.batch.Commit(pebble.NoSync)
	})
	err = errors.Join(err, v.batch.Close())
	v.batch = nil
	return err
}

func (v *salvager) copyKeys() error {
	prefix := []byte{wrappedDoc}
	bad, err := walk(v.ctx, v.src.keys.db, prefix, after(prefix), func(k, val []byte) error {
		dk, err := v.src.keys.unwrap(k, val)
		if err != nil {
			v.report.lose(err)
			return nil
		}
		v.docs[dk.alias] = dk
		v.report.Documents++
		return v.write(v.dst.keys.db, k, val)
	})
	v.report.lose(bad...)
	return errors.Join(err, v.flush())
}

func (v *salvager) copyData() error {
	bad, err := walk(v.ctx, v.src.data, nil, nil, v.copyRecord)
	v.report.lose(bad...)
	err = errors.Join(err, v.flush())
	if err != nil || len(bad) == 0 {
		return err
	}
	// Between the first and the last bad block records may be left that the
	// walk did not reach: the keys that are known are asked for one by one.
	for a, dk := range v.docs {
		if err := v.copyMissing(headKey(a)); err != nil {
			return err
		}
		prefix := under(prefixDoc, a, docIndex)
		_, err := walk(v.ctx, v.src.data, prefix, after(prefix), func(k, val []byte) error {
			at, ok := decodePlace(val)
			if !ok || len(k) != len(prefix)+len(tag{}) {
				return nil
			}
			return v.copyMissing(changeSetKey(dk.alias, at, tag(k[len(prefix):])))
		})
		if err != nil {
			return err
		}
	}
	return v.flush()
}

// copyMissing copies one record of the source, if it can be read and has not
// been copied.
func (v *salvager) copyMissing(k []byte) error {
	switch _, err := get(v.dst.data, k); {
	case err == nil:
		return nil
	case !errors.Is(err, ErrNotFound):
		return err
	}
	val, err := get(v.src.data, k)
	if err != nil {
		return nil // lost with its block, which is in the report
	}
	return v.copyRecord(k, val)
}

// copyRecord copies a record if its seal opens, and makes its index entry.
func (v *salvager) copyRecord(k, val []byte) error {
	index, entry, err := v.verify(k, val)
	if err != nil {
		v.report.lose(err)
		return nil
	}
	if index == nil && entry == nil && isIndex(k) {
		return nil
	}
	if index != nil {
		if err := v.write(v.dst.data, index, entry); err != nil {
			return err
		}
	}
	v.report.Records++
	return v.write(v.dst.data, k, val)
}

// isIndex says whether k is an index entry, of documents or of operations.
func isIndex(k []byte) bool {
	const kindAt = 1 + len(alias{})
	return len(k) > kindAt && (k[0] == prefixDoc && k[kindAt] == docIndex || k[0] == prefixOp && k[kindAt] == opIndex)
}

// verify opens a record and answers the index entry it should have, if any.
func (v *salvager) verify(k, val []byte) (index, entry []byte, err error) {
	const kindAt = 1 + len(alias{})
	var none crdt.DocID
	s := v.src
	switch {
	case isIndex(k):
		return nil, nil, nil
	case len(k) >= kindAt && (k[0] == prefixDoc || k[0] == prefixHead):
		dk := v.docs[alias(k[1:kindAt])]
		if dk == nil {
			return nil, nil, damaged(none, k, errors.New("its document's key is lost"))
		}
		plain, err := unseal(dk.aead, dk.doc, k, val)
		if err != nil || len(k) == kindAt || k[kindAt] != docChangeSet {
			return nil, nil, err
		}
		cs, err := decodeChangeSet(dk.doc, k, plain)
		return tagKey(prefixDoc, dk.alias, docIndex, s.name.tag("set", cs.ID[:])), cs.Place.encode(), err
	case len(k) > kindAt && k[0] == prefixOp:
		plain, err := unseal(s.values.ops, none, k, val)
		if err != nil {
			return nil, nil, err
		}
		op, err := decodeOp(k, plain)
		return tagKey(prefixOp, alias(k[1:kindAt]), opIndex, s.name.tag("op", op.ID[:])), orderBytes(op.Order), err
	case len(k) > 0 && k[0] == prefixCursor:
		_, err = unseal(s.values.cursors, none, k, val)
	case len(k) > 0 && k[0] == prefixSingleton:
		_, err = unseal(s.values.singletons, none, k, val)
	default:
		err = damaged(none, k, errors.New("nothing is kept under such keys"))
	}
	return nil, nil, err
}
