package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/replica"
)

type demoCmd struct {
	Keep string `help:"Keep both replicas and the bundles in this directory, which must not exist yet." placeholder:"DIR" type:"path"`
}

func (demoCmd) Help() string {
	return `Ann and Ben each have a replica of their own. They share a note by bundle files, edit it at the same time without seeing one another, exchange bundles again, and hold the same. It needs no network and leaves nothing behind. Exit code 5 says that the two differ.`
}

// demo is the stage: two replicas, and a directory for what passes between them.
type demo struct {
	ctx      context.Context
	dir      string
	out      io.Writer // where the story goes
	step     int
	ann, ben *replica.Replica
}

func (c demoCmd) Run(a *app) (err error) {
	d := &demo{ctx: a.ctx, dir: c.Keep, out: a.out}
	if a.JSON || a.Quiet {
		d.out = io.Discard
	}
	if c.Keep == "" {
		if d.dir, err = os.MkdirTemp("", "pipes-demo-*"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	} else if err := os.Mkdir(c.Keep, 0o700); err != nil {
		return (&exitError{code: exitFailed, text: err.Error()}).next("name a directory that does not exist yet")
	}
	result, err := d.run(a)
	if err != nil {
		return err
	}
	if a.JSON {
		writeJSONLine(a.out, result)
	}
	if !result.Same {
		return (&exitError{code: exitDiffers, text: "the two replicas hold different things"}).
			next("this is a bug: run it again with --keep DIR and report it")
	}
	if c.Keep != "" {
		a.say("kept in %s: try pipes --dir %s docs", c.Keep, filepath.Join(c.Keep, "ann"))
	}
	return nil
}

// demoResult is what the demo comes to.
type demoResult struct {
	Same  bool              `json:"same"`
	Doc   crdt.DocID        `json:"doc"`
	Heads []crdt.ChangeHash `json:"heads"`
	Value json.RawMessage   `json:"value"`
}

func (d *demo) tell(format string, args ...any) {
	d.step++
	fmt.Fprintf(d.out, "%2d. "+format+"\n", append([]any{d.step}, args...)...)
}

func (d *demo) show(who string, value []byte) { fmt.Fprintf(d.out, "      %s has %s\n", who, value) }

// run plays the whole story.
func (d *demo) run(a *app) (result demoResult, err error) {
	if d.ann, err = d.open(a, "ann", "Ann"); err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, d.ann.Close()) }()
	if d.ben, err = d.open(a, "ben", "Ben"); err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, d.ben.Close()) }()
	d.tell("Ann and Ben each make a replica on their own disk. No account, no server.")
	fmt.Fprintf(d.out, "      Ann is %s\n      Ben is %s\n", d.ann.Person(), d.ben.Person())

	note, err := d.meet()
	if err != nil {
		return result, err
	}
	if err := d.editApart(note); err != nil {
		return result, err
	}
	return d.merge(note)
}

func (d *demo) open(a *app, dir, name string) (*replica.Replica, error) {
	opt := a.options(nil)
	opt.Name = name
	return replica.Init(d.ctx, filepath.Join(d.dir, dir), opt)
}

// meet makes a note of Ann's that Ben has too.
func (d *demo) meet() (note crdt.DocID, err error) {
	if err := d.carry(d.ben, d.ann, "ben-contact"); err != nil {
		return note, err
	}
	d.tell("Ben gives Ann a bundle file, on a stick say: now Ann knows him.")

	doc, err := d.ann.NewDoc(d.ctx, map[string]any{
		"title": "Picnic", "text": "Bring bread.", "day": "Saturday", "bring": map[string]any{},
	})
	if err != nil {
		return note, err
	}
	note = doc.ID()
	if _, err := d.ann.Share(d.ctx, note, d.ben.Person(), acl.Writer); err != nil {
		return note, err
	}
	d.tell("Ann writes a note and makes Ben a writer of it.")

	if err := d.carry(d.ann, d.ben, "note-for-ben"); err != nil {
		return note, err
	}
	value, _, err := d.read(d.ben, note)
	if err != nil {
		return note, err
	}
	d.tell("Ann's bundle goes to Ben. It is sealed: only he can read it.")
	d.show("Ben", value)
	return note, nil
}

// editApart lets both write while neither sees the other.
func (d *demo) editApart(note crdt.DocID) error {
	edits := []struct {
		who *replica.Replica
		fn  func(*crdt.Tx) error
	}{
		{d.ann, func(tx *crdt.Tx) error {
			return errors.Join(
				tx.Splice(crdt.At("text"), 0, 0, "Noon at the lake. "),
				tx.Set(crdt.At("day"), "Sunday"),
				tx.Set(crdt.At("bring", "Ann"), "bread"))
		}},
		{d.ben, func(tx *crdt.Tx) error {
			return errors.Join(
				tx.Splice(crdt.At("text"), len("Bring bread"), 0, " and cheese"),
				tx.Set(crdt.At("bring", "Ben"), "cheese"),
				tx.Delete(crdt.At("title")))
		}},
	}
	for _, e := range edits {
		doc, err := e.who.Doc(d.ctx, note)
		if err != nil {
			return err
		}
		if err := doc.Change(d.ctx, e.fn); err != nil {
			return err
		}
	}
	d.tell("Both go offline. Ann types at the start of the text and moves the day; Ben types")
	fmt.Fprintln(d.out, "    in the middle and removes the title.")
	for _, who := range []*replica.Replica{d.ann, d.ben} {
		value, _, err := d.read(who, note)
		if err != nil {
			return err
		}
		d.show(who.Name(), value)
	}
	return nil
}

// merge exchanges bundles both ways and compares.
func (d *demo) merge(note crdt.DocID) (result demoResult, err error) {
	if err := d.carry(d.ann, d.ben, "from-ann"); err != nil {
		return result, err
	}
	if err := d.carry(d.ben, d.ann, "from-ben"); err != nil {
		return result, err
	}
	d.tell("They exchange bundles both ways.")
	ann, annHeads, err := d.read(d.ann, note)
	if err != nil {
		return result, err
	}
	ben, benHeads, err := d.read(d.ben, note)
	if err != nil {
		return result, err
	}
	d.show("Ann", ann)
	d.show("Ben", ben)
	same := bytes.Equal(ann, ben) && slices.Equal(annHeads, benHeads)
	if same {
		d.tell("Both hold the same, and nothing that either wrote is lost.")
	}
	return demoResult{same, note, annHeads, ann}, nil
}

// carry takes what one may give another from replica to replica, in a file.
func (d *demo) carry(from, to *replica.Replica, name string) (err error) {
	f, err := os.Create(filepath.Join(d.dir, name+".bundle"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := from.ExportBundle(d.ctx, f, replica.ExportOptions{For: to.Person()}); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err = to.ImportBundle(d.ctx, f, replica.ImportOptions{})
	return err
}

// read gives what a replica holds of the note.
func (d *demo) read(r *replica.Replica, note crdt.DocID) (value []byte, heads []crdt.ChangeHash, err error) {
	doc, err := r.Doc(d.ctx, note)
	if err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer
	if err := doc.Read(d.ctx, func(v crdt.View) error { return v.WriteJSON(&b, nil) }); err != nil {
		return nil, nil, err
	}
	heads, err = doc.Heads(d.ctx)
	return b.Bytes(), heads, err
}
