package am

// #include "core.h"
// #cgo noescape pipes_apply
// #cgo nocallback pipes_apply
// #cgo noescape pipes_change
// #cgo nocallback pipes_change
import "C"

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/pipes-sync/pipes/crdt"
)

// Save implements [crdt.Engine].
func (d *Doc) Save() ([]byte, error) {
	if err := d.lockIdle(); err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	if C.pipes_save(d.c) == C.FAILED {
		return nil, d.failure("save")
	}
	save := d.take()
	d.size = max(d.size, len(save))
	return save, nil
}

// Heads implements [crdt.History].
func (d *Doc) Heads() ([]crdt.ChangeHash, error) {
	if err := d.lockIdle(); err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	return d.headsLocked()
}

func (d *Doc) headsLocked() ([]crdt.ChangeHash, error) {
	if C.pipes_heads(d.c) == C.FAILED {
		return nil, d.failure("heads")
	}
	return d.hashes(), nil
}

// hashes reads an answer of hashes and sorts them.
func (d *Doc) hashes() []crdt.ChangeHash {
	var hs []crdt.ChangeHash
	for h := range slices.Chunk(d.answer(), len(crdt.ChangeHash{})) {
		hs = append(hs, crdt.ChangeHash(h))
	}
	slices.SortFunc(hs, crdt.CompareIDs)
	return hs
}

// Apply implements [crdt.History]. THE CHANGES MUST HAVE PASSED crdt/change AND
// crdt/opset: see the package documentation.
func (d *Doc) Apply(changes [][]byte, want []crdt.ChangeHash) error {
	return d.apply(changes, want, func(all []byte, lens []C.uint64_t) C.int {
		return C.pipes_apply(d.c, bytePtr(all), unsafe.SliceData(lens), C.size_t(len(lens)))
	})
}

// apply calls the core with the changes end to end and their lengths, and then
// compares the heads.
func (d *Doc) apply(changes [][]byte, want []crdt.ChangeHash, call func([]byte, []C.uint64_t) C.int) error {
	if err := d.lockIdle(); err != nil {
		return err
	}
	defer d.mu.Unlock()
	if len(changes) > 0 {
		all := slices.Concat(changes...)
		lens := make([]C.uint64_t, len(changes))
		for i, c := range changes {
			lens[i] = C.uint64_t(len(c))
		}
		d.size += len(all)
		if call(all, lens) == C.FAILED {
			return d.failure("apply")
		}
	}
	if want == nil {
		return nil
	}
	got, err := d.headsLocked()
	if err != nil {
		return err
	}
	if !slices.Equal(got, slices.SortedFunc(slices.Values(want), crdt.CompareIDs)) {
		return &crdt.HeadsError{Want: want, Got: got}
	}
	return nil
}

// Since implements [crdt.History].
func (d *Doc) Since(have []crdt.ChangeHash) ([][]byte, error) {
	if err := d.lockIdle(); err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	have = slices.DeleteFunc(slices.Clone(have), func(h crdt.ChangeHash) bool { return !d.hasLocked(h) })
	h := flatten(have)
	got := C.pipes_since(d.c, h.at())
	if got == C.FAILED {
		return nil, d.failure("since")
	}
	return d.changes(), nil
}

func (d *Doc) hasLocked(h crdt.ChangeHash) bool {
	C.pipes_change(d.c, bytePtr(h[:]))
	return d.c.len > 0
}

// changes reads an answer of chunks.
func (d *Doc) changes() [][]byte {
	var all [][]byte
	for b := d.answer(); len(b) > 0; {
		var chunk []byte
		chunk, b = cutChunk(b)
		all = append(all, chunk)
	}
	d.release()
	return all
}

// cutChunk copies the first chunk of an answer.
func cutChunk(b []byte) (chunk, rest []byte) {
	n := int(*(*uint64)(unsafe.Pointer(unsafe.SliceData(b))))
	return append([]byte{}, b[8:8+n]...), b[8+(n+7)&^7:]
}

// Change implements [crdt.History].
func (d *Doc) Change(h crdt.ChangeHash) ([]byte, error) {
	if err := d.lockIdle(); err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	if C.pipes_change(d.c, bytePtr(h[:])) == C.FAILED {
		return nil, d.failure("change")
	}
	if d.c.len == 0 {
		return nil, fmt.Errorf("%w: %s", crdt.ErrNoChange, h)
	}
	return d.changes()[0], nil
}

// Missing implements [crdt.History].
func (d *Doc) Missing(heads []crdt.ChangeHash) ([]crdt.ChangeHash, error) {
	if err := d.lockIdle(); err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	h := flatten(heads)
	if C.pipes_missing(d.c, h.at()) == C.FAILED {
		return nil, d.failure("missing")
	}
	return slices.Compact(d.hashes()), nil
}

// Fork implements [crdt.Forker].
func (d *Doc) Fork(heads []crdt.ChangeHash, actor crdt.ActorID) (crdt.Engine, error) {
	if err := d.lockIdle(); err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	at, err := d.stateLocked(heads)
	if err != nil {
		return nil, err
	}
	var c *C.pipes_doc
	got := C.pipes_fork(d.c, at.at(), bytePtr(actor[:]), C.size_t(len(actor)), &c)
	e := wrap(c, actor, &d.opts)
	e.size = d.size
	if got == C.FAILED {
		err := e.failure("fork")
		e.Close()
		return nil, err
	}
	return e, nil
}

// Actor implements [crdt.Forker].
func (d *Doc) Actor() crdt.ActorID {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.actor
}

// SetActor implements [crdt.Forker].
func (d *Doc) SetActor(actor crdt.ActorID) error {
	if err := d.lockIdle(); err != nil {
		return err
	}
	defer d.mu.Unlock()
	if C.pipes_set_actor(d.c, bytePtr(actor[:]), C.size_t(len(actor))) == C.FAILED {
		return d.failure("set actor")
	}
	d.actor = actor
	return nil
}

// EmptyChange implements [crdt.Forker].
func (d *Doc) EmptyChange(message string, seconds int64) (crdt.Change, error) {
	if err := d.lockIdle(); err != nil {
		return crdt.Change{}, err
	}
	defer d.mu.Unlock()
	return d.commitLocked(message, seconds, true)
}

// commitLocked makes a change of the pending operations, or an empty one.
func (d *Doc) commitLocked(message string, seconds int64, empty bool) (c crdt.Change, err error) {
	if C.pipes_commit(d.c, strPtr(message), C.size_t(len(message)), C.int64_t(seconds), C.bool(empty)) == C.FAILED {
		return c, d.failure("commit")
	}
	b := d.answer()
	if len(b) == 0 {
		return c, nil
	}
	c.Hash = crdt.ChangeHash(b[:32])
	c.Bytes, _ = cutChunk(b[32:])
	d.size += len(c.Bytes)
	d.release()
	return c, nil
}

// state is the heads to read at, as C wants them; the zero state is now.
type state struct {
	hashes []byte
	n      int
}

// flatten keeps nil, now, apart from no heads, the empty document.
func flatten(heads []crdt.ChangeHash) state {
	if heads == nil {
		return state{}
	}
	s := state{hashes: make([]byte, 0, 32*len(heads)+1), n: len(heads)}
	for _, h := range heads {
		s.hashes = append(s.hashes, h[:]...)
	}
	return s
}

func (s state) at() C.pipes_at {
	return C.pipes_at{hashes: bytePtr(s.hashes), n: C.size_t(s.n)}
}

// stateLocked is flatten for heads that the document has to have.
func (d *Doc) stateLocked(heads []crdt.ChangeHash) (state, error) {
	for _, h := range heads {
		if !d.hasLocked(h) {
			return state{}, fmt.Errorf("%w: %s", crdt.ErrNoChange, h)
		}
	}
	return flatten(heads), nil
}
