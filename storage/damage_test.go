package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/pipes-sync/pipes/crdt"
)

func readAll(t testing.TB, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func rewrite(t testing.TB, fs vfs.FS, path string, data []byte) {
	t.Helper()
	if err := writeSmall(fs, fs.PathDir(path), fs.PathBase(path), data); err != nil {
		t.Fatal(err)
	}
}

// files lists the files of a directory that match.
func files(t testing.TB, fs vfs.FS, dir, pattern string) (paths []string) {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if ok, _ := filepath.Match(pattern, name); ok {
			paths = append(paths, fs.PathJoin(dir, name))
		}
	}
	return paths
}

// cloneDir copies a closed replica to a new file system.
func cloneDir(t testing.TB, fs vfs.FS, dir string) vfs.FS {
	t.Helper()
	to := vfs.NewMem()
	if _, err := vfs.Clone(fs, to, dir, dir); err != nil {
		t.Fatal(err)
	}
	return to
}

const manySets = 40

// many makes a closed replica of so many documents with manySets change sets
// each, in tables if flushed, else in the log.
func many(t testing.TB, docs int, flushed bool) vfs.FS {
	t.Helper()
	fs := vfs.NewMem()
	s := initStore(t, fs, "r")
	for d := range docs {
		commit(t, s, func(b *Batch) {
			b.NewDoc(docID(d))
			b.PutMeta(docID(d), "genesis", []byte("g"))
			b.PutHead(docID(d), fmt.Appendf(nil, "head %d", d))
			for n := range manySets {
				at := Place{s.Chain(docID(d), deviceID(n%3), crdt.Incarnation{}), uint64(n)}
				b.PutChangeSet(docID(d), ChangeSet{at, setID(n), bytes.Repeat([]byte{byte(n)}, 300)})
			}
		})
	}
	commit(t, s, func(b *Batch) {
		for n := range 5 {
			b.PutOp(scopeID(1), uint64(n), opID(n), []byte("op"))
		}
		b.PutSnapshot(docID(0), 1, []byte("snapshot"))
		b.PutCursor(deviceID(1), scopeID(1), []byte("cursor"))
		b.PutSingleton("device key", []byte("secret"))
	})
	if flushed {
		if err := errors.Join(s.data.Flush(), s.keys.db.Flush()); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	return fs
}

func TestFlippedTableBlock(t *testing.T) {
	const docs = 12
	clean := many(t, docs, true)
	tables := files(t, clean, "r/data", "*.sst")
	if len(tables) != 1 {
		t.Fatal(tables)
	}
	size := len(readAll(t, clean, tables[0]))
	whole := 0
	for _, at := range []int{size / 10, size / 2, size * 3 / 4} {
		fs := cloneDir(t, clean, "r")
		data := readAll(t, fs, tables[0])
		data[at] ^= 0x10
		rewrite(t, fs, tables[0], data)
		s := openStore(t, fs, "r")
		hurt := map[crdt.DocID]bool{}
		for d := range docs {
			for n := range manySets {
				if _, err := s.ChangeSet(docID(d), setID(n)); err != nil {
					var damage *DamagedError
					if !errors.As(err, &damage) || damage.Doc != docID(d) {
						t.Fatalf("byte %d: %v", at, err)
					}
					hurt[docID(d)] = true
				}
			}
		}
		if len(hurt) == 0 || len(hurt) > 3 {
			t.Errorf("byte %d: %d documents are damaged", at, len(hurt))
		}
		for d := range docs {
			var err error
			for _, e := range s.ChangeSets(docID(d), Place{}) {
				err = e
			}
			if err != nil != hurt[docID(d)] && !hurt[docID(d)] || err != nil && !errors.Is(err, ErrDamaged) {
				t.Errorf("byte %d: iteration over a document, damaged %v: %v", at, hurt[docID(d)], err)
			}
		}
		if err := writeSet(s, docID(99), 1, 10); err != nil {
			t.Errorf("byte %d: write beside damage: %v", at, err)
		}
		r, err := s.Check(context.Background())
		if err != nil || r.Damaged == 0 || !errors.Is(r.Problems[0], ErrDamaged) {
			t.Errorf("byte %d: check: %+v, %v", at, r, err)
		}
		closeStore(t, s)

		rep, err := Salvage(context.Background(), "r", "new", &Options{FS: fs})
		if err != nil || rep.Lost == 0 || rep.Documents != docs+1 {
			t.Fatalf("byte %d: salvage: %+v, %v", at, rep, err)
		}
		s = openStore(t, fs, "new")
		for d := range docs {
			lost := manySets - len(all(t, s.ChangeSets(docID(d), Place{})))
			if lost != 0 && !hurt[docID(d)] || lost > 20 {
				t.Errorf("byte %d: document %d, damaged %v, lost %d change sets", at, d, hurt[docID(d)], lost)
			}
			if lost == 0 {
				whole++
			}
		}
		if r, err := s.Check(context.Background()); err != nil {
			t.Error(r, err)
		}
		closeStore(t, s)
	}
	if whole < 3*docs-9 {
		t.Errorf("only %d documents were salvaged whole", whole)
	}
}

// A bad block among the heads names its documents and leaves the others.
func TestFlippedHeads(t *testing.T) {
	fs := vfs.NewMem()
	s := initStore(t, fs, "r")
	const docs = 600
	commit(t, s, func(b *Batch) {
		for d := range docs {
			b.NewDoc(docID(d))
			b.PutHead(docID(d), make([]byte, 100))
		}
	})
	if err := s.data.Flush(); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	table := files(t, fs, "r/data", "*.sst")[0]
	data := readAll(t, fs, table)
	data[len(data)/2] ^= 1
	rewrite(t, fs, table, data)
	s = openStore(t, fs, "r")
	good, bad := map[crdt.DocID]bool{}, map[crdt.DocID]bool{}
	for h, err := range s.Heads() {
		var damage *DamagedError
		if errors.As(err, &damage) {
			bad[damage.Doc] = true
		} else if err != nil {
			t.Fatal(err)
		} else {
			good[h.Doc] = true
		}
	}
	if len(bad) == 0 || len(bad) > 60 || len(good)+len(bad) != docs || bad[crdt.DocID{}] {
		t.Errorf("%d heads, %d damaged", len(good), len(bad))
	}
}

func TestDamagedLog(t *testing.T) {
	const docs = 8
	clean := many(t, docs, false)
	logs := files(t, clean, "r/data", "*.log")
	if len(logs) != 1 {
		t.Fatal(logs)
	}
	log := logs[0]
	size := len(readAll(t, clean, log))
	count := func(s *Store) int { return len(all(t, s.Heads())) }

	// Torn: as after a power cut, the end is gone. What is whole stays.
	fs := cloneDir(t, clean, "r")
	rewrite(t, fs, log, readAll(t, fs, log)[:size*3/4])
	s := openStore(t, fs, "r")
	if n := count(s); n < docs/2 || n >= docs {
		t.Errorf("%d of %d documents after a torn log", n, docs)
	}
	closeStore(t, s)

	// Flipped in the middle: that is no torn end, and what follows must not
	// vanish in silence. (In the last block or so Pebble cannot tell.)
	for _, at := range []int{100, size / 4, size / 2} {
		fs = cloneDir(t, clean, "r")
		data := readAll(t, fs, log)
		data[at] ^= 0x40
		rewrite(t, fs, log, data)
		if _, err := Open(context.Background(), "r", &Options{FS: fs}); !errors.Is(err, ErrDamaged) {
			t.Errorf("log flipped at %d of %d: %v", at, size, err)
			continue
		}
		r, err := Salvage(context.Background(), "r", "new", &Options{FS: fs})
		if err != nil || !r.Rebuilt || r.Lost == 0 {
			t.Fatalf("salvage: %+v, %v", r, err)
		}
		s = openStore(t, fs, "new")
		if n := count(s); at > 100 && n == 0 || n >= docs {
			t.Errorf("salvaged %d of %d documents", n, docs)
		}
		closeStore(t, s)
	}
}

func TestMissingFiles(t *testing.T) {
	clean := many(t, 10, true)
	for _, tc := range []struct {
		file       string
		salvageErr error
		docs       int
		snapshots  int
	}{
		{"data/MANIFEST-*", nil, 10, 0},
		{"data/marker.manifest.*", nil, 10, 0},
		{"data/*.sst", nil, 0, 0},
		{"keys/MANIFEST-*", nil, 10, 1},
		{"keys/*.sst", ErrDamaged, 0, 0},
		{"replica", nil, 10, 1},
		{"root.key", ErrWrongKey, 0, 0},
	} {
		t.Run(strings.ReplaceAll(tc.file, "/", " "), func(t *testing.T) {
			fs := cloneDir(t, clean, "r")
			removed := files(t, fs, filepath.Dir("r/"+tc.file), filepath.Base(tc.file))
			if len(removed) == 0 {
				t.Fatal("nothing to remove")
			}
			for _, f := range removed {
				if err := fs.Remove(f); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Open(context.Background(), "r", &Options{FS: fs})
			want := ErrDamaged
			if tc.file == "root.key" {
				want = ErrWrongKey
			}
			if !errors.Is(err, want) {
				t.Fatalf("open: %v", err)
			}
			r, err := Salvage(context.Background(), "r", "new", &Options{FS: fs})
			if !errors.Is(err, tc.salvageErr) {
				t.Fatalf("salvage: %+v, %v", r, err)
			}
			if err != nil {
				if _, err := Open(context.Background(), "new", &Options{FS: fs}); !errors.Is(err, ErrNoReplica) {
					t.Errorf("left by a salvage that failed: %v", err)
				}
				return
			}
			s := openStore(t, fs, "new")
			heads := all(t, s.Heads())
			if len(heads) != tc.docs || r.Lost == 0 || len(r.Problems) != r.Lost {
				t.Errorf("salvaged %d heads: %+v", len(heads), r)
			}
			for _, h := range heads {
				if n := len(all(t, s.ChangeSets(h.Doc, Place{}))); n != manySets {
					t.Errorf("%d change sets", n)
				}
			}
			if n := len(all(t, s.Snapshots(docID(0)))); n != tc.snapshots {
				t.Errorf("%d snapshots", n)
			}
			if tc.docs > 0 {
				v, err := s.Singleton("device key")
				check(t, "singleton", string(v), err, "secret")
				op, err := s.Op(scopeID(1), opID(3))
				check(t, "operation", op.Order, err, 3)
			}
			if rep, err := s.Check(context.Background()); err != nil || rep.Damaged != 0 {
				t.Errorf("check: %+v, %v", rep, err)
			}
		})
	}
}
