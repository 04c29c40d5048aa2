package netsync

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt/set"
)

// bundle writes all that the node has: every log, the document, every run.
func (n *node) bundle(from *device, cut func() bool) ([]byte, error) {
	var b bytes.Buffer
	w, err := NewBundleWriter(&b, Begin{Device: from.Device})
	if err != nil {
		return nil, err
	}
	for _, kind := range []acl.Kind{acl.KindPerson, acl.KindGroup, acl.KindList} {
		for scope := range n.access.Scopes() {
			log, _ := n.access.Log(scope)
			if log.Genesis().Body.(*acl.Genesis).Kind != kind {
				continue
			}
			if err := writeLog(w, log); err != nil {
				return nil, err
			}
		}
	}
	if n.doc == nil {
		err := w.Close()
		return b.Bytes(), err
	}
	if err := w.Write(Document{Item: n.doc.Encode()}); err != nil {
		return nil, err
	}
	runs, err := n.runs(cut)
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		if err := writeRun(w, r); err != nil {
			return nil, err
		}
	}
	err = w.Close()
	return b.Bytes(), err
}

func writeLog(w *BundleWriter, log *acl.Log) error {
	var ops [][]byte
	for op := range log.All() {
		enc, err := op.MarshalBinary()
		if err != nil {
			return err
		}
		ops = append(ops, enc)
	}
	for _, f := range OpsFrames(log.Scope(), ops) {
		if err := w.Write(f); err != nil {
			return err
		}
	}
	return nil
}

func writeRun(w *BundleWriter, r Items) error {
	frames, err := RunFrames(r.Sets, r.Cover)
	if err != nil {
		return err
	}
	for _, f := range frames {
		if err := w.Write(f); err != nil {
			return err
		}
	}
	return nil
}

// received is what came of a bundle: the words of describe, and for what never
// reached Admit a word of its own.
type received []string

// receive takes a bundle in, as a replica does: verified whole, then read. Items
// that are not those of its document are judged like all others. The error is one of
// the bundle or of the node; what is in the bundle makes no error.
func (n *node) receive(b []byte) (out received, err error) {
	if _, err := VerifyBundle(bytes.NewReader(b)); err != nil {
		return nil, err
	}
	r, err := NewBundleReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	var parts set.Assembler
	for {
		f, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		words, err := n.frame(f, &parts)
		if err != nil {
			return nil, err
		}
		out = append(out, words...)
	}
	if n.doc == nil {
		return out, nil
	}
	verdicts, err := n.retry()
	return append(out, describe(verdicts)...), err
}

func (n *node) frame(f Frame, parts *set.Assembler) ([]string, error) {
	switch f := f.(type) {
	case Ops:
		return n.ops(f), nil
	case Document:
		d, err := set.DecodeDocument(slices.Clone(f.Item))
		if err != nil {
			return []string{"bad document"}, nil
		}
		v := AdmitDocument(&n.access, d)
		if n.doc == nil && v.Status == Admitted {
			n.open(d)
		}
		return describe([]Verdict{v}), nil
	case Run:
		return n.run(slices.Clone(f.Run), slices.Clone(f.Cover))
	case Part:
		p, err := set.DecodePart(f.Part)
		if err != nil {
			return []string{"bad part"}, nil
		}
		whole, err := parts.Add(p)
		if err != nil {
			return []string{"bad part"}, nil
		}
		if whole != nil {
			return n.run(whole, slices.Clone(f.Cover))
		}
		return []string{"part"}, nil
	}
	return nil, fmt.Errorf("unexpected %s", f.Type())
}

func (n *node) ops(f Ops) (words []string) {
	for _, enc := range f.Ops {
		op, err := acl.Decode(enc)
		if err != nil {
			words = append(words, "bad op")
			continue
		}
		res, err := n.access.Add(op)
		if err != nil {
			words = append(words, "refused op")
			continue
		}
		words = append(words, res.Outcome.String()+" op")
	}
	return words
}

func (n *node) run(run, cover []byte) ([]string, error) {
	items, err := DecodeItems(run, cover)
	if err != nil || n.doc == nil {
		return []string{"bad run"}, nil
	}
	verdicts, err := n.admit(items)
	return describe(verdicts), err
}

func never() bool { return false }
