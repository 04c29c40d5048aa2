package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/am"
	"github.com/pipes-sync/pipes/replica"
)

const (
	manyBare     = "bare core, loop in C: made, saved, freed"
	manyEngine   = "crdt/am: made, saved, closed"
	manyTogether = "replica.NewDoc, 64 callers"
	manyAlone    = "replica.NewDoc, one caller"
	manyOpen     = "replica.Open with all of them"
	manyList     = "Docs, all of them"
	manyRead     = "first read of one"
	manyHeap     = "heap for all, listed"
	manyResident = "resident memory for all, listed"
	manyCallers  = 64
)

// smallTitle is the text in each small document.
const smallTitle = "a small document"

// childEnv names, in the environment, the directory of a replica that this program
// is to open once instead of running: see opened.
const childEnv = "PIPES_BENCH_OPEN"

// many makes many small documents and opens a replica that has them.
func many(_ context.Context, e *env) (*section, error) {
	each := fmt.Sprintf("µs each of %d", e.docs)
	return &section{
		Title: "Many small documents",
		Note: fmt.Sprintf("A document has a text of %d characters and a number. NewDoc returns when the "+
			"document is on the disk: its key, its list of members, its genesis and its first change set. The replica of %d "+
			"documents is then opened in a new process, from the file cache; memory is what that process has "+
			"more than before it opened the replica.", len(smallTitle), e.docs),
		Rows: []*row{
			{Name: manyBare, Unit: each},
			{Name: manyEngine, Unit: each, Base: manyBare, bound: bound{of: cpuRatioOf, limit: 1.5, unit: "x of CPU"}},
			{Name: manyTogether, Unit: each, Base: manyBare},
			{Name: manyAlone, Unit: fmt.Sprintf("µs each of %d", e.docsAlone), Base: manyBare},
			{Name: manyOpen, Unit: "ms"},
			{Name: manyList, Unit: "ms"},
			{Name: manyRead, Unit: "ms"},
			{Name: manyHeap, Unit: "MB"},
			{Name: manyResident, Unit: "MB"},
		},
		round: func(ctx context.Context, s *section) error { return s.manyRound(ctx, e) },
	}, nil
}

func (s *section) manyRound(ctx context.Context, e *env) error {
	each := 1e6 / float64(e.docs)
	var bareBytes, bytes int64
	err := s.clock(ctx, manyBare, each, func() error {
		if bareBytes = bareSmall(e.docs, smallTitle); bareBytes < 0 {
			return errors.New("the core refused a document")
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = s.clock(ctx, manyEngine, each, func() (err error) {
		bytes, err = engineSmall(e.docs)
		return err
	})
	if err != nil {
		return err
	}
	if bytes < bareBytes/2 || bytes > bareBytes*2 { // actors, and so saves, differ a little
		return fmt.Errorf("saves of %d bytes, %d from the bare core", bytes, bareBytes)
	}
	dir := filepath.Join(e.dir, "many")
	defer os.RemoveAll(dir)
	if err := s.manyReplica(ctx, dir, e); err != nil {
		return err
	}
	o, err := openElsewhere(ctx, dir)
	if err != nil {
		return err
	}
	if want := e.docs + e.docsAlone; o.Docs != want {
		return fmt.Errorf("%d documents are there, want %d", o.Docs, want)
	}
	s.put(manyOpen, o.Open.Seconds()*1e3)
	s.put(manyList, o.List.Seconds()*1e3)
	s.put(manyRead, o.Read.Seconds()*1e3)
	s.put(manyHeap, float64(o.Heap)/1e6)
	if o.Resident != 0 {
		s.put(manyResident, float64(o.Resident)/1e6)
	}
	return nil
}

// engineSmall makes n small documents, one after the other.
func engineSmall(n int) (saved int64, err error) {
	for i := range n {
		d, err := am.New(crdt.ActorID{1}, nil)
		if err != nil {
			return 0, err
		}
		err = transact(d, func(tx *crdt.Tx) error { return tx.Set(nil, smallDoc(i)) })
		if err == nil {
			var save []byte
			save, err = d.Save()
			saved += int64(len(save))
		}
		if err := errors.Join(err, d.Close()); err != nil {
			return 0, err
		}
	}
	return saved, nil
}

func smallDoc(i int) map[string]any { return map[string]any{"title": smallTitle, "n": i} }

func (s *section) manyReplica(ctx context.Context, dir string, e *env) error {
	r, err := replica.Open(ctx, dir, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	create := func(i int) error {
		_, err := r.NewDoc(ctx, smallDoc(i))
		return err
	}
	err = s.clock(ctx, manyAlone, 1e6/float64(e.docsAlone), func() error { return parallel(e.docsAlone, 1, create) })
	if err != nil {
		return err
	}
	err = s.clock(ctx, manyTogether, 1e6/float64(e.docs), func() error { return parallel(e.docs, manyCallers, create) })
	if err != nil {
		return err
	}
	return r.Close()
}

// opening is what it took a process to open a replica.
type opening struct {
	Open, List, Read time.Duration
	Docs             int
	Heap, Resident   int64 // bytes; Resident is 0 where the system does not tell
}

// openElsewhere has this program, started anew, open a replica: so nothing that was
// measured before counts in.
func openElsewhere(ctx context.Context, dir string) (o opening, err error) {
	self, err := os.Executable()
	if err != nil {
		return o, err
	}
	c := exec.CommandContext(ctx, self)
	c.Env, c.Stderr = append(os.Environ(), childEnv+"="+dir), os.Stderr
	out, err := c.Output()
	if err != nil {
		return o, fmt.Errorf("open elsewhere: %w", err)
	}
	return o, json.Unmarshal(out, &o)
}

// opened is what the new process does: it opens the replica, lists its documents,
// reads one, and writes an opening as JSON.
func opened(ctx context.Context, dir string, out io.Writer) error {
	var o opening
	heapBefore := heap()
	residentBefore, _ := resident()
	start := time.Now()
	r, err := replica.Open(ctx, dir, &replica.Options{NoCreate: true})
	if err != nil {
		return err
	}
	defer r.Close()
	o.Open = time.Since(start)
	var some crdt.DocID
	start = time.Now()
	for info, err := range r.Docs(ctx) {
		if err != nil {
			return err
		}
		some = info.Doc
		o.Docs++
	}
	o.List = time.Since(start)
	o.Heap = heap() - heapBefore
	if now, ok := resident(); ok {
		o.Resident = now - residentBefore
	}
	start = time.Now()
	d, err := r.Doc(ctx, some)
	if err != nil {
		return err
	}
	if title, err := d.Get("title"); err != nil || title != smallTitle {
		return fmt.Errorf("document %s has the title %v: %w", some, title, err)
	}
	o.Read = time.Since(start)
	return json.NewEncoder(out).Encode(o)
}
