package main

import (
	"embed"
	"fmt"
	"math/rand/v2"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
	"github.com/pipes-sync/pipes/crdt/opset"
)

// seeds are histories written by real cores; see seeds/README.md.
//
//go:embed seeds/*.bin
var seedFiles embed.FS

// seeds decodes every seed.
func seeds() (all [][]*change.Change, err error) {
	entries, err := seedFiles.ReadDir("seeds")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		b, err := seedFiles.ReadFile("seeds/" + e.Name())
		if err != nil {
			return nil, err
		}
		var h []*change.Change
		for chunk, err := range change.Chunks(b) {
			if err != nil {
				return nil, fmt.Errorf("%s: %w", e.Name(), err)
			}
			c, err := change.Decode(chunk)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", e.Name(), err)
			}
			h = append(h, c)
		}
		all = append(all, h)
	}
	return all, nil
}

// made is an operation that later ones may refer to.
type made struct {
	id
	op
}

// history is a document under attack: what the guard accepted so far.
type history struct {
	state    *opset.State
	accepted []*change.Change
	made     []made
	maxOp    map[crdt.ChangeHash]uint64
	last     map[change.Actor]crdt.ChangeHash
	keys     []string
}

// newHistory replays real changes, each of which the guard must accept.
func newHistory(real []*change.Change) (*history, error) {
	h := &history{state: opset.New(opset.Options{}), maxOp: map[crdt.ChangeHash]uint64{}, last: map[change.Actor]crdt.ChangeHash{}}
	for _, c := range real {
		if ok, err := h.offer(c); !ok {
			return nil, fmt.Errorf("a real change was refused: %w", err)
		}
	}
	return h, nil
}

// offer shows a change to the guard.
func (h *history) offer(c *change.Change) (bool, error) {
	o := h.state.Add(c)[0]
	if o.Status != opset.Applied {
		if o.Status == opset.Pending {
			h.state.Forget()
		}
		return false, o.Err
	}
	h.accepted = append(h.accepted, c)
	h.maxOp[c.Hash], h.last[c.Actor] = c.MaxOp(), c.Hash
	d := draftOf(c)
	for i, o := range d.ops {
		h.made = append(h.made, made{id{uint32(c.StartOp) + uint32(i), c.Actor}, o})
		if o.key != "" {
			h.keys = append(h.keys, o.key)
		}
	}
	return true, nil
}

// pick returns a random operation, mostly a recent one, that satisfies ok.
func (h *history) pick(r *rand.Rand, ok func(*made) bool) (m made, found bool) {
	n := len(h.made)
	for range 12 {
		if n == 0 {
			return m, false
		}
		i := r.IntN(n)
		if r.IntN(2) == 0 {
			i = n - 1 - r.IntN(min(n, 20))
		}
		if ok(&h.made[i]) {
			return h.made[i], true
		}
	}
	return m, false
}
