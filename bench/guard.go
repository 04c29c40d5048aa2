package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/pipes-sync/pipes/crdt/change"
	"github.com/pipes-sync/pipes/crdt/opset"
)

const (
	rowGuard    = "decode and check"
	rowDecode   = "of it, decode"
	rowRetained = "state kept"
)

// guard checks the paper's changes as if they came from elsewhere.
func guard(_ context.Context, e *env) (*section, error) {
	d, err := typed(e.trace)
	if err != nil {
		return nil, err
	}
	chunks, err := d.Since(nil)
	if err := errors.Join(err, d.Close()); err != nil {
		return nil, err
	}
	ops := 0
	for _, chunk := range chunks {
		c, err := change.Decode(chunk)
		if err != nil {
			return nil, err
		}
		ops += c.NumOps()
	}
	round := func(ctx context.Context, s *section) error {
		perOp := 1e9 / float64(ops)
		err := s.clock(ctx, rowDecode, perOp, func() error {
			for _, chunk := range chunks {
				if _, err := change.Decode(chunk); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		before := heap()
		state := opset.New(opset.Options{})
		if err := s.clock(ctx, rowGuard, perOp, func() error { return check(state, chunks) }); err != nil {
			return err
		}
		s.put(rowRetained, float64(heap()-before)/float64(ops))
		runtime.KeepAlive(state)
		return nil
	}
	return &section{
		Title: fmt.Sprintf("The guard: %d changes, %d operations", len(chunks), ops),
		Note: "The paper's changes, decoded strictly and held against the document's history, per operation. " +
			"State kept is what Go's heap has grown by, after a collection.",
		Rows: []*row{
			{Name: rowGuard, Unit: "ns", bound: bound{of: cpuOf, limit: 500, unit: "ns of CPU"}},
			{Name: rowDecode, Unit: "ns"},
			{Name: rowRetained, Unit: "B", bound: bound{of: valueOf, limit: 24, unit: "B"}},
		},
		round: round,
	}, nil
}

// check decodes changes and feeds them to the guard, which must take each.
func check(state *opset.State, chunks [][]byte) error {
	for i, chunk := range chunks {
		c, err := change.Decode(chunk)
		if err != nil {
			return err
		}
		if out := state.Add(c)[0]; out.Status != opset.Applied {
			return fmt.Errorf("change %d is %s: %w", i, out.Status, out.Err)
		}
	}
	return nil
}
