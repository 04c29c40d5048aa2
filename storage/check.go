package storage

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage"
	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/pipes-sync/pipes/crdt"
)

// CheckReport is what Check found.
type CheckReport struct {
	Tables    int // files whose every block was read and its checksum compared
	Documents int
	Records   int // values opened and index entries followed
	Damaged   int
	// Problems are the first of what is damaged, each a *DamagedError.
	Problems []error
}

func (r *CheckReport) add(err error) {
	r.Damaged++
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, err)
	}
}

// Check reads everything: each block of each table from the disk, past all
// caches; each value, whether its seal opens under its key; each index entry
// and head record, whether what it stands for is there. Writes may go on
// meanwhile and are not looked at. Damage is no error of Check but in the
// report.
func (s *Store) Check(ctx context.Context) (*CheckReport, error) {
	r := &CheckReport{}
	err := s.call(func() error {
		for _, db := range []*pebble.DB{s.keys.db, s.data} {
			if err := s.checkTables(ctx, db, r); err != nil {
				return err
			}
		}
		return s.checkRecords(ctx, r)
	})
	if err != nil {
		return nil, fmt.Errorf("storage: check: %w", err)
	}
	return r, nil
}

func (s *Store) checkTables(ctx context.Context, db *pebble.DB, r *CheckReport) error {
	dir := dataDir
	if db == s.keys.db {
		dir = keysDir
	}
	if !s.opt.ReadOnly {
		if err := db.Flush(); err != nil {
			return err
		}
	}
	levels, err := db.SSTables()
	if err != nil {
		return err
	}
	for _, tables := range levels {
		for _, t := range tables {
			if err := ctx.Err(); err != nil {
				return err
			}
			name := s.opt.FS.PathJoin(s.dir, dir, fmt.Sprintf("%s.sst", t.FileNum))
			err := s.checkTable(ctx, name)
			if missing(err) {
				continue // compacted away since; if not, reading its records tells
			}
			if r.Tables++; err != nil {
				r.add(&DamagedError{What: "table " + name, Cause: err})
			}
		}
	}
	return nil
}

func (s *Store) checkTable(ctx context.Context, name string) error {
	r, err := s.openTable(ctx, name)
	if err != nil {
		return err
	}
	return errors.Join(r.ValidateBlockChecksums(), r.Close())
}

// openTable reads a table file by itself, without Pebble's cache.
func (s *Store) openTable(ctx context.Context, name string) (*sstable.Reader, error) {
	f, err := s.opt.FS.Open(name)
	if err != nil {
		return nil, err
	}
	var in objstorage.Readable
	if in, err = sstable.NewSimpleReadable(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r, err := sstable.NewReader(ctx, in, sstable.ReaderOptions{})
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return r, nil
}

// checker goes through the records of one snapshot.
type checker struct {
	s    *Store
	snap *pebble.Snapshot
	r    *CheckReport
	docs map[alias]*docState
}

type docState struct {
	*docKey
	records, sets, head bool
}

func (s *Store) checkRecords(ctx context.Context, r *CheckReport) (err error) {
	c := &checker{s, s.data.NewSnapshot(), r, map[alias]*docState{}}
	defer func() { err = errors.Join(err, c.snap.Close()) }()
	if err := s.eachKey(func(dk *docKey, err error) bool {
		if err != nil {
			r.add(err)
		} else {
			c.docs[dk.alias] = &docState{docKey: dk}
		}
		return true
	}); err != nil {
		r.add(err)
	}
	r.Documents = len(c.docs)
	bad, err := walk(ctx, c.snap, nil, nil, func(k, v []byte) error {
		r.Records++
		if err := c.record(k, v); err != nil {
			r.add(err)
		}
		return nil
	})
	for _, err := range bad {
		r.add(&DamagedError{What: "block", Cause: err})
	}
	if len(bad) == 0 { // else the missing ones are in the bad blocks
		c.documents()
	}
	return err
}

// documents compares heads with what they stand for.
func (c *checker) documents() {
	for _, d := range c.docs {
		switch {
		case d.head && !d.records:
			c.r.add(damaged(d.doc, headKey(d.alias), errors.New("the document has no records")))
		case d.sets && !d.head:
			c.r.add(damaged(d.doc, headKey(d.alias), errors.New("the document has change sets but no head record")))
		}
	}
}

// record checks one record of data/.
func (c *checker) record(k, v []byte) error {
	var none crdt.DocID
	switch k[0] {
	case prefixDoc, prefixHead:
		return c.docRecord(k, v)
	case prefixOp:
		return c.opRecord(k, v)
	case prefixCursor:
		_, err := unseal(c.s.values.cursors, none, k, v)
		return err
	case prefixSingleton:
		_, err := unseal(c.s.values.singletons, none, k, v)
		return err
	}
	return damaged(none, k, errors.New("nothing is kept under such keys"))
}

func (c *checker) docRecord(k, v []byte) error {
	const kindAt = 1 + len(alias{})
	if len(k) < kindAt {
		return damaged(crdt.DocID{}, k, errors.New("the key is too short"))
	}
	d := c.docs[alias(k[1:kindAt])]
	if d == nil {
		return damaged(crdt.DocID{}, k, errors.New("its document has no key"))
	}
	if k[0] == prefixHead {
		d.head = true
	} else {
		d.records = true
		if len(k) > kindAt && k[kindAt] == docIndex {
			return c.setIndex(d, k, v)
		}
	}
	plain, err := unseal(d.aead, d.doc, k, v)
	switch {
	case err != nil:
		return err
	case k[0] == prefixDoc && len(k) > kindAt && k[kindAt] == docChangeSet:
		d.sets = true
		cs, err := decodeChangeSet(d.doc, k, plain)
		if err != nil {
			return err
		}
		t := c.s.name.tag("set", cs.ID[:])
		return c.pointsBack(d.doc, tagKey(prefixDoc, d.alias, docIndex, t), cs.Place.encode())
	}
	return nil
}

func (c *checker) setIndex(d *docState, k, v []byte) error {
	at, ok := decodePlace(v)
	if !ok || len(k) != 2+len(alias{})+len(tag{}) {
		return damaged(d.doc, k, errors.New("malformed index entry"))
	}
	return c.pointsTo(d.doc, k, changeSetKey(d.alias, at, tag(k[2+len(alias{}):])))
}

func (c *checker) opRecord(k, v []byte) error {
	const kindAt = 1 + len(alias{})
	var none crdt.DocID
	if len(k) <= kindAt {
		return damaged(none, k, errors.New("the key is too short"))
	}
	a := alias(k[1:kindAt])
	if k[kindAt] == opIndex {
		if len(v) != 8 || len(k) != kindAt+1+len(tag{}) {
			return damaged(none, k, errors.New("malformed index entry"))
		}
		return c.pointsTo(none, k, opKey(a, binary.BigEndian.Uint64(v), tag(k[kindAt+1:])))
	}
	plain, err := unseal(c.s.values.ops, none, k, v)
	if err != nil {
		return err
	}
	op, err := decodeOp(k, plain)
	if err != nil {
		return err
	}
	return c.pointsBack(none, tagKey(prefixOp, a, opIndex, c.s.name.tag("op", op.ID[:])), orderBytes(op.Order))
}

// pointsTo says whether the record of an index entry is there.
func (c *checker) pointsTo(doc crdt.DocID, index, record []byte) error {
	_, err := get(c.snap, record)
	if errors.Is(err, ErrNotFound) {
		err = errors.New("the index points to nothing")
	}
	if err != nil {
		return damaged(doc, index, err)
	}
	return nil
}

// pointsBack says whether the index entry of a record is there. Of two equal
// operations stored under different orders the index knows one.
func (c *checker) pointsBack(doc crdt.DocID, index, want []byte) error {
	have, err := get(c.snap, index)
	switch {
	case errors.Is(err, ErrNotFound):
		err = errors.New("a record has no index entry")
	case err == nil && !bytes.Equal(have, want):
		err = errors.New("the index entry points elsewhere")
	}
	if err != nil {
		return damaged(doc, index, err)
	}
	return nil
}
