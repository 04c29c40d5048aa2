package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/am"
	"github.com/pipes-sync/pipes/replica"
)

// A keyed is the same map three times: in the bare core, in the engine, and in a
// document of a replica.
type keyed struct {
	bare   *bareMap
	keys   []string
	paths  []crdt.Path // of the keys
	engine *am.Doc
	view   crdt.View
	doc    *replica.Doc
	bound  bound // of one read
}

// mapRead reads maps of few and of many keys.
func mapRead(ctx context.Context, e *env) (*section, error) {
	r, err := replica.Open(ctx, filepath.Join(e.dir, "mapread"), nil)
	if err != nil {
		return nil, err
	}
	s := &section{
		Title: "Reading a map",
		Note: fmt.Sprintf("All keys, each far from the one before, %d reads a round: most of what a read touches is in no cache "+
			"of the processor. View.Get is the engine through the document API; Doc.Read is one call of the "+
			"replica for all reads, Doc.Get one for each.", e.reads),
	}
	var maps []*keyed
	s.close = func() error {
		errs := []error{r.Close()}
		for _, m := range maps {
			m.bare.close()
			errs = append(errs, m.engine.Close())
		}
		return errors.Join(errs...)
	}
	for i, n := range []int{1, e.keys} {
		m, err := newKeyed(ctx, r, n)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		m.bound = bound{of: cpuOf, limit: []float64{500, 1500}[i], unit: "ns of CPU"}
		maps = append(maps, m)
		s.Rows = append(s.Rows, m.rows()...)
	}
	s.round = func(ctx context.Context, s *section) error {
		for _, m := range maps {
			if err := m.round(ctx, s, e.reads); err != nil {
				return err
			}
		}
		return nil
	}
	return s, nil
}

func newKeyed(ctx context.Context, r *replica.Replica, n int) (*keyed, error) {
	m := &keyed{}
	values := map[string]any{}
	for i := range n {
		key := fmt.Sprintf("key-%06d", i)
		m.keys, m.paths = append(m.keys, key), append(m.paths, crdt.At(key))
		values[key] = i
	}
	fill := func(tx *crdt.Tx) error { return tx.Set(nil, values) }
	var err error
	if m.doc, err = r.NewDoc(ctx, nil); err != nil {
		return nil, err
	}
	if err := m.doc.Change(ctx, fill); err != nil {
		return nil, err
	}
	if m.engine, err = am.New(crdt.ActorID{1}, nil); err != nil {
		return nil, err
	}
	err = transact(m.engine, fill)
	if err == nil {
		var reader crdt.Reader
		reader, err = m.engine.At(nil)
		m.view = crdt.NewView(reader)
	}
	if err == nil {
		m.bare, err = newBareMap(n)
	}
	if err != nil {
		return nil, errors.Join(err, m.engine.Close())
	}
	return m, nil
}

// name is that of a row.
func (m *keyed) name(what string) string {
	if len(m.keys) == 1 {
		return "1 key: " + what
	}
	return fmt.Sprintf("%d keys: %s", len(m.keys), what)
}

const (
	readBare = "bare core, loop in C"
	readView = "crdt/am, View.Get"
	readRead = "replica, Doc.Read"
	readGet  = "replica, Doc.Get"
)

func (m *keyed) rows() []*row {
	return []*row{
		{Name: m.name(readBare), Unit: "ns"},
		{Name: m.name(readView), Unit: "ns", Base: m.name(readBare), bound: m.bound},
		{Name: m.name(readRead), Unit: "ns", Base: m.name(readBare), bound: m.bound},
		{Name: m.name(readGet), Unit: "ns", Base: m.name(readBare)},
	}
}

func (m *keyed) round(ctx context.Context, s *section, reads int) error {
	each := 1e9 / float64(reads)
	err := s.clock(ctx, m.name(readBare), each, func() error { return m.bare.read(stride, reads) })
	if err != nil {
		return err
	}
	err = s.clock(ctx, m.name(readView), each, func() error { return m.readAll(m.view, reads) })
	if err != nil {
		return err
	}
	err = s.clock(ctx, m.name(readRead), each, func() error {
		return m.doc.Read(ctx, func(v crdt.View) error { return m.readAll(v, reads) })
	})
	if err != nil {
		return err
	}
	return s.clock(ctx, m.name(readGet), each, func() error {
		for i := range reads {
			at := m.at(i)
			if got, err := m.doc.Get(m.keys[at]); err != nil || got != int64(at) {
				return fmt.Errorf("key %d reads %v, %w", at, got, err)
			}
		}
		return nil
	})
}

// stride is how many keys lie between one read and the next. It is a prime that
// divides no number of keys in use, so all of them are read.
const stride = 7919

// at is the key of read i.
func (m *keyed) at(i int) int { return i * stride % len(m.keys) }

func (m *keyed) readAll(v crdt.View, reads int) error {
	for i := range reads {
		at := m.at(i)
		if got, err := v.Get(m.paths[at]); err != nil || got.Int() != int64(at) {
			return fmt.Errorf("key %d reads %v, %w", at, got, err)
		}
	}
	return nil
}
