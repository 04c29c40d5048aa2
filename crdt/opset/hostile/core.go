package main

import (
	"fmt"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/am"
)

// roundTrip applies chunks to an empty document and wants the heads, given as
// their concatenation: after the apply, after a save and load, and that the
// document can still be written to.
func roundTrip(chunks [][]byte, heads []byte) error {
	var want []crdt.ChangeHash
	for ; len(heads) > 0; heads = heads[32:] {
		want = append(want, crdt.ChangeHash(heads[:32]))
	}
	me := crdt.ActorID{0xee, 1: 1}
	d, err := am.New(me, nil)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Apply(chunks, want); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	if err := reload(d, want); err != nil {
		return err
	}
	c, err := d.EmptyChange("", 0)
	if err != nil {
		return fmt.Errorf("local change: %w", err)
	}
	return reload(d, []crdt.ChangeHash{c.Hash})
}

// reload saves and loads d and wants the heads.
func reload(d *am.Doc, want []crdt.ChangeHash) error {
	save, err := d.Save()
	if err != nil {
		return fmt.Errorf("save: %w", err)
	}
	again, err := am.Load(save, d.Actor(), nil)
	if err != nil {
		return fmt.Errorf("load of save: %w", err)
	}
	defer again.Close()
	if err := again.Apply(nil, want); err != nil {
		return fmt.Errorf("load of save: %w", err)
	}
	return nil
}
