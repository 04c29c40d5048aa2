package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/am"
	"github.com/pipes-sync/pipes/replica"
	"github.com/pipes-sync/pipes/storage"
)

const (
	commitDocs = 64
	editBytes  = 100
)

// A record is what one commit of the replica puts into the store.
type record struct {
	value, head []byte
	size        int // as the store writes it, sealed and with its keys
}

// writerCounts are how many write at the same time.
var writerCounts = [...]int{1, 8, 64}

func commitRow(writers int, what string) string {
	if writers == 1 {
		return "1 writer: " + what
	}
	return fmt.Sprintf("%d writers: %s", writers, what)
}

const (
	commitRaw     = "append, fsync (one writer)"
	commitStorage = "storage, Batch.Commit"
	commitReplica = "replica, Doc.Change"
	commitEngine  = "crdt/am alone, the same edits, no disk"
)

// commits counts synced commits a second.
func commits(ctx context.Context, e *env) (*section, error) {
	records, err := sampleRecords(ctx, filepath.Join(e.dir, "sample"))
	if err != nil {
		return nil, err
	}
	bytes := 0
	for _, r := range records {
		bytes += r.size
	}
	s := &section{
		Title: fmt.Sprintf("Commits of %d bytes typed, a second", editBytes),
		Note: fmt.Sprintf("An edit sets a key, appends to a list or appends to a text, in turn, in one of %d "+
			"documents. The replica signs, seals and syncs each; the store alone is given the records the replica "+
			"gave it; a file is appended and synced with as many bytes, %d on average, by one writer. "+
			"A call counts when what it wrote is on the disk. Each runs for %v a round in a new directory. CPU is "+
			"how many there were for each second of all processors: with enough writers that is the limit, and the "+
			"faster the disk the lower the ratio to it.",
			commitDocs, bytes/len(records), e.commitFor),
	}
	atLeast := map[string]float64{commitStorage: 8, commitReplica: 5}
	for _, n := range writerCounts {
		raw := commitRow(n, commitRaw)
		s.Rows = append(s.Rows, &row{Name: raw, Unit: "/s"})
		for _, what := range []string{commitStorage, commitReplica} {
			r := &row{Name: commitRow(n, what), Unit: "/s", Base: raw}
			if n == 64 {
				r.bound = bound{of: ratioOf, least: true, limit: atLeast[what], unit: "x"}
			}
			s.Rows = append(s.Rows, r)
		}
	}
	s.Rows = append(s.Rows, &row{Name: commitEngine, Unit: "/s"})
	s.round = func(ctx context.Context, s *section) error {
		for _, n := range writerCounts {
			for _, m := range []struct {
				what string
				run  func(context.Context, *section, string, int, *env) error
			}{
				{commitRaw, rawCommits(records)},
				{commitStorage, storageCommits(records)},
				{commitReplica, replicaCommits},
			} {
				if err := m.run(ctx, s, commitRow(n, m.what), n, e); err != nil {
					return err
				}
			}
		}
		return engineEdits(ctx, s, e)
	}
	return s, nil
}

// startDoc is what a document of this section begins as.
func startDoc() map[string]any {
	return map[string]any{"map": map[string]any{}, "list": []any{}, textKey: ""}
}

// makeEdit answers the k-th edit of a document.
func makeEdit(k int) func(*crdt.Tx) error {
	typed := strings.Repeat(string(rune('a'+k%26)), editBytes)
	switch k % 3 {
	case 0:
		return func(tx *crdt.Tx) error {
			return tx.Set(crdt.At("map", fmt.Sprintf("key-%d", k%16)), crdt.Scalar(typed))
		}
	case 1:
		return func(tx *crdt.Tx) error {
			return appendTo(tx, "list", func(p crdt.Path, n int) error { return tx.Insert(p, n, crdt.Scalar(typed)) })
		}
	}
	return func(tx *crdt.Tx) error {
		return appendTo(tx, textKey, func(p crdt.Path, n int) error { return tx.Splice(p, n, 0, typed) })
	}
}

func appendTo(tx *crdt.Tx, key string, f func(p crdt.Path, n int) error) error {
	p := crdt.At(key)
	n, err := tx.Len(p)
	if err != nil {
		return err
	}
	return f(p, n)
}

// sampleRecords lets a replica commit one edit of each kind and answers what it gave
// its store.
func sampleRecords(ctx context.Context, dir string) (records []record, err error) {
	r, err := replica.Open(ctx, dir, nil)
	if err != nil {
		return nil, err
	}
	doc, err := r.NewDoc(ctx, startDoc())
	for k := range 3 {
		if err == nil {
			err = doc.Change(ctx, makeEdit(k))
		}
	}
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	s, err := storage.Open(ctx, dir, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	head, err := s.Head(doc.ID())
	if err != nil {
		return nil, err
	}
	for cs, err := range s.ChangeSets(doc.ID(), storage.Place{}) {
		if err != nil {
			return nil, err
		}
		b := s.Batch()
		b.PutChangeSet(doc.ID(), cs)
		b.PutHead(doc.ID(), head)
		records = append(records, record{value: cs.Value, head: head, size: b.Size()})
		b.Discard()
	}
	if len(records) != 4 {
		return nil, fmt.Errorf("%d change sets, want 4", len(records))
	}
	return records[1:], nil // the first made the document
}

// rate runs commit over and over for the time of a round, by so many writers, and
// notes how many a second there were, and how many a second of processor time. It
// answers how many in all.
func (s *section) rate(ctx context.Context, name string, writers int, d time.Duration, commit func(writer, n int) error) (int, error) {
	var wg sync.WaitGroup
	done, errs := make([]int, writers), make([]error, writers)
	took, err := timed(ctx, name, func() error {
		end := time.Now().Add(d)
		for w := range writers {
			wg.Go(func() {
				for ; errs[w] == nil && time.Now().Before(end); done[w]++ {
					errs[w] = commit(w, done[w])
				}
			})
		}
		wg.Wait()
		return errors.Join(errs...)
	})
	if err != nil {
		return 0, err
	}
	total := 0
	for _, n := range done {
		total += n
	}
	r := s.find(name)
	r.Samples = append(r.Samples, float64(total)/took.wall)
	r.CPUSamples = append(r.CPUSamples, float64(total)/took.cpu)
	return total, nil
}

// rawCommits is the price of the disk, whatever the number of writers beside it.
func rawCommits(records []record) func(context.Context, *section, string, int, *env) error {
	return func(ctx context.Context, s *section, name string, _ int, e *env) error {
		f, err := os.Create(filepath.Join(e.dir, "raw"))
		if err != nil {
			return err
		}
		defer os.Remove(f.Name())
		defer f.Close()
		largest := 0
		for _, r := range records {
			largest = max(largest, r.size)
		}
		buf := make([]byte, largest)
		_, err = s.rate(ctx, name, 1, e.commitFor, func(_, n int) error {
			if _, err := f.Write(buf[:records[n%len(records)].size]); err != nil {
				return err
			}
			return f.Sync()
		})
		return err
	}
}

func storageCommits(records []record) func(context.Context, *section, string, int, *env) error {
	return func(ctx context.Context, s *section, name string, writers int, e *env) (err error) {
		dir := filepath.Join(e.dir, "storage")
		defer os.RemoveAll(dir)
		store, err := storage.Init(ctx, dir, nil)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, store.Close()) }()
		docs := make([]crdt.DocID, commitDocs)
		b := store.Batch()
		for i := range docs {
			docs[i][0] = byte(i + 1)
			b.NewDoc(docs[i])
		}
		if err := b.Commit(); err != nil {
			return err
		}
		_, err = s.rate(ctx, name, writers, e.commitFor, func(w, n int) error {
			doc, r := docs[(w+n*writers)%commitDocs], records[n%len(records)]
			cs := storage.ChangeSet{Place: storage.Place{Chain: storage.Chain{1}, Seq: uint64(n + 1)}, Value: r.value}
			binary.BigEndian.PutUint64(cs.ID[:], uint64(n)<<8|uint64(w))
			b := store.Batch()
			b.PutChangeSet(doc, cs)
			b.PutHead(doc, r.head)
			return b.Commit()
		})
		return err
	}
}

func replicaCommits(ctx context.Context, s *section, name string, writers int, e *env) (err error) {
	dir := filepath.Join(e.dir, "replica")
	defer os.RemoveAll(dir)
	r, err := replica.Open(ctx, dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	docs := make([]*replica.Doc, commitDocs)
	err = parallel(commitDocs, commitDocs, func(i int) (err error) {
		docs[i], err = r.NewDoc(ctx, startDoc())
		return err
	})
	if err != nil {
		return err
	}
	total, err := s.rate(ctx, name, writers, e.commitFor, func(w, n int) error {
		return docs[(w+n*writers)%commitDocs].Change(ctx, makeEdit(n))
	})
	if err != nil {
		return err
	}
	there := 0
	for _, d := range docs {
		st, err := d.Status(ctx)
		if err != nil {
			return err
		}
		if there += st.Changes - 1; len(st.Apart) > 0 { // but for the one that made it
			return fmt.Errorf("%s: %d change sets contribute nothing", name, len(st.Apart))
		}
	}
	if there != total {
		return fmt.Errorf("%s: %d commits were acknowledged, %d are there", name, total, there)
	}
	return nil
}

// engineEdits is the part of a commit that the core takes: edits by one goroutine,
// made into changes that go nowhere.
func engineEdits(ctx context.Context, s *section, e *env) (err error) {
	docs := make([]*am.Doc, commitDocs)
	defer func() {
		for _, d := range docs {
			if d != nil {
				err = errors.Join(err, d.Close())
			}
		}
	}()
	for i := range docs {
		if docs[i], err = am.New(crdt.ActorID{byte(i)}, nil); err != nil {
			return err
		}
		if err := transact(docs[i], func(tx *crdt.Tx) error { return tx.Set(nil, startDoc()) }); err != nil {
			return err
		}
	}
	_, err = s.rate(ctx, commitEngine, 1, e.commitFor, func(_, n int) error {
		return transact(docs[n%commitDocs], makeEdit(n))
	})
	return err
}

// parallel calls f with 0 to n-1, so many at a time.
func parallel(n, workers int, f func(i int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil; i += workers {
				errs[w] = f(i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
