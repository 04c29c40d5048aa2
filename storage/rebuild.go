package storage

import (
	"errors"
	"io"
	"math"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// rebuild reads the tables and logs of a Pebble that does not open into a new
// one in memory, keeping the newest version of each key. It holds all of them
// in memory at once: this is the last resort.
func (v *salvager) rebuild(name string) (*pebble.DB, error) {
	fsys := v.src.opt.FS
	opt := v.src.opt
	opt.ReadOnly = false
	db, err := pebble.Open(name, opt.pebbleOptions(vfs.NewMem(), v.src.health, false))
	if err != nil {
		return nil, err
	}
	r := &rebuilder{v: v, db: db, newest: map[string]uint64{}}
	dir := fsys.PathJoin(v.src.dir, name)
	err = errors.Join(r.tables(dir), r.logs(dir))
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

type rebuilder struct {
	v      *salvager
	db     *pebble.DB
	newest map[string]uint64 // key to sequence number
}

// entry takes one version of a key. Range deletions are not followed.
func (r *rebuilder) entry(kind pebble.InternalKeyKind, seq uint64, k, v []byte) error {
	if err := r.v.ctx.Err(); err != nil {
		return err
	}
	if have, ok := r.newest[string(k)]; ok && have > seq || derived(k) {
		return nil
	}
	switch kind {
	case pebble.InternalKeyKindSet, pebble.InternalKeyKindSetWithDelete:
		r.newest[string(k)] = seq
		return r.db.Set(k, v, pebble.NoSync)
	case pebble.InternalKeyKindDelete, pebble.InternalKeyKindSingleDelete:
		r.newest[string(k)] = seq
		return r.db.Delete(k, pebble.NoSync)
	}
	return nil
}

// derived says whether a record of data/ is of those whose range deletions
// rebuilding does not see.
func derived(k []byte) bool {
	const kindAt = 1 + len(alias{})
	return len(k) > kindAt && (k[0] == prefixCursor || k[0] == prefixDoc && k[kindAt] == docSnapshot)
}

func (r *rebuilder) tables(dir string) error {
	fsys := r.v.src.opt.FS
	names, err := fsys.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		bad, err := r.table(fsys.PathJoin(dir, name))
		if err != nil {
			return err
		}
		if bad != nil {
			r.v.report.lose(&DamagedError{What: "table " + name, Cause: bad})
		}
	}
	return nil
}

// table reads a table forward to its first bad block and backward to its last.
func (r *rebuilder) table(path string) (bad, err error) {
	t, err := r.v.src.openTable(r.v.ctx, path)
	if err != nil {
		return err, nil
	}
	defer t.Close()
	it, err := t.NewIter(sstable.NoTransforms, nil, nil, sstable.AssertNoBlobHandles)
	if err != nil {
		return err, nil
	}
	defer func() { _ = it.Close() }() // it answers only what Error did
	for kv := it.First(); kv != nil; kv = it.Next() {
		v, _, err := kv.Value(nil)
		if err == nil {
			err = r.entry(kv.Kind(), uint64(kv.SeqNum()), kv.K.UserKey, v)
		}
		if err != nil {
			return nil, err
		}
	}
	if bad = it.Error(); bad == nil {
		return nil, nil
	}
	for kv := it.Last(); kv != nil; kv = it.Prev() {
		v, _, err := kv.Value(nil)
		if err == nil {
			err = r.entry(kv.Kind(), uint64(kv.SeqNum()), kv.K.UserKey, v)
		}
		if err != nil {
			return nil, err
		}
	}
	return bad, nil
}

// logs reads the write-ahead logs, each up to its first bad record.
func (r *rebuilder) logs(dir string) error {
	logs, err := wal.Scan(wal.Dir{FS: r.v.src.opt.FS, Dirname: dir})
	if err != nil {
		return err
	}
	for _, l := range logs {
		in := l.OpenForRead()
		bad, err := r.log(in)
		if err = errors.Join(err, in.Close()); err != nil {
			return err
		}
		if bad != nil {
			r.v.report.lose(&DamagedError{What: "log " + l.String(), Cause: bad})
		}
	}
	return nil
}

func (r *rebuilder) log(in wal.Reader) (bad, err error) {
	for {
		rec, _, err := in.NextRecord()
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return err, nil
		}
		repr, err := io.ReadAll(io.LimitReader(rec, math.MaxUint32))
		if err != nil {
			return err, nil
		}
		if bad, err := r.batch(repr); bad != nil || err != nil {
			return bad, err
		}
	}
}

func (r *rebuilder) batch(repr []byte) (bad, err error) {
	h, ok := batchrepr.ReadHeader(repr)
	if !ok {
		return errors.New("batch without a header"), nil
	}
	entries := batchrepr.Read(repr)
	for seq := uint64(h.SeqNum); ; seq++ {
		kind, k, v, ok, err := entries.Next()
		if err != nil || !ok {
			return err, nil
		}
		if err := r.entry(kind, seq, k, v); err != nil {
			return nil, err
		}
	}
}
