package set

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
)

// The compact form, before compression. Numbers are shortest LEB128, signed ones
// zigzag.
//
//	compact = time (signed), count, first seq, form per change (1 byte each),
//	          then per change: verbatim: length, chunk
//	                           after:    startOp (signed difference), length, rest
//	                           deps:     count, 32 bytes each, then as after
//	rest    = the change from its time on
//
// The reader derives what is missing: magic, checksum, type and length; the actor
// from the header; seq, which continues from the first; and for form after, deps =
// the hash of the change before. startOp is the difference to that of the last
// change that is not verbatim, 0 at first. A change that does not come back
// byte-exact is written verbatim; one after it cannot be of form after.
const (
	formVerbatim = 0
	formAfter    = 1
	formDeps     = 2
)

// compactor walks a set's changes as writer and reader of the compact form do.
type compactor struct {
	actor   change.Actor
	seq     uint64          // of the next change that is not verbatim
	startOp uint64          // of the last change that is not verbatim
	last    crdt.ChangeHash // of the change before, zero if that is verbatim
}

func newCompactor(h *Header) compactor {
	actor := crdt.DeriveActor(h.Doc, h.Device, h.Incarnation)
	return compactor{actor: change.Actor(actor[:])}
}

// passed remembers a change that is not verbatim.
func (z *compactor) passed(p *change.Parts, hash crdt.ChangeHash) {
	z.seq, z.startOp, z.last = p.Seq+1, p.StartOp, hash
}

// appendCompact appends the compact form, and reports whether any change was
// shortened: if none was, it is no better than the plain form.
func appendCompact(b []byte, h *Header, content Content) (out []byte, shortened bool) {
	z := newCompactor(h)
	forms := make([]byte, len(content.Changes))
	var body []byte
	var firstSeq uint64
	for i, c := range content.Changes {
		p, err := change.Split(c)
		if err != nil || p.Actor != z.actor || shortened && p.Seq != z.seq {
			body = z.appendVerbatim(body, c)
			continue
		}
		again, hash := p.Join()
		if !bytes.Equal(again, c) { // Join promises this; what it broke would be lost for good
			body = z.appendVerbatim(body, c)
			continue
		}
		if !shortened {
			firstSeq, shortened = p.Seq, true
		}
		forms[i] = formAfter
		if len(p.Deps) != 1 || p.Deps[0] != z.last {
			forms[i] = formDeps
			body = binary.AppendUvarint(body, uint64(len(p.Deps)))
			for _, d := range p.Deps {
				body = append(body, d[:]...)
			}
		}
		body = binary.AppendVarint(body, int64(p.StartOp-z.startOp))
		body = binary.AppendUvarint(body, uint64(len(p.Rest)))
		body = append(body, p.Rest...)
		z.passed(&p, hash)
	}
	b = binary.AppendVarint(b, content.Time)
	b = binary.AppendUvarint(b, uint64(len(forms)))
	b = binary.AppendUvarint(b, firstSeq)
	b = append(b, forms...)
	return append(b, body...), shortened
}

func (z *compactor) appendVerbatim(b, c []byte) []byte {
	z.last = crdt.ChangeHash{}
	return append(binary.AppendUvarint(b, uint64(len(c))), c...)
}

// decodeCompact undoes appendCompact. Each change it rebuilds is longer than what
// was read for it by less than 100 bytes.
func decodeCompact(h *Header, b []byte) (Content, error) {
	r := numbers{b: b}
	content := Content{Time: r.varint()}
	n := r.uvarint()
	if n < 1 || n > MaxCount {
		return content, fmt.Errorf("%d changes", n)
	}
	z := newCompactor(h)
	z.seq = r.uvarint()
	forms := r.take(n)
	content.Changes = make([][]byte, len(forms))
	for i, form := range forms {
		c, err := z.expand(&r, form)
		if err != nil {
			return content, fmt.Errorf("change %d: %w", i, err)
		}
		content.Changes[i] = c
	}
	if r.err == nil && len(r.b) != 0 {
		r.err = errors.New("bytes after the last change")
	}
	return content, r.err
}

// expand reads one change and puts back what the writer left out.
func (z *compactor) expand(r *numbers, form byte) ([]byte, error) {
	p := change.Parts{Actor: z.actor, Seq: z.seq}
	switch {
	case form == formVerbatim:
		z.last = crdt.ChangeHash{}
		return r.take(r.uvarint()), r.err
	case form == formAfter && z.last != crdt.ChangeHash{}:
		p.Deps = []crdt.ChangeHash{z.last}
	case form == formDeps:
		n := r.uvarint()
		if n > uint64(len(r.b))/32 {
			return nil, errors.New("more dependencies than bytes")
		}
		p.Deps = make([]crdt.ChangeHash, n)
		for i := range p.Deps {
			copy(p.Deps[i][:], r.take(32))
		}
	default:
		return nil, fmt.Errorf("form %d", form)
	}
	p.StartOp = z.startOp + uint64(r.varint())
	p.Rest = r.take(r.uvarint())
	if r.err != nil {
		return nil, r.err
	}
	c, hash := p.Join()
	z.passed(&p, hash)
	return c, nil
}

// numbers reads LEB128 numbers of shortest form; its first error sticks.
type numbers struct {
	b   []byte
	err error
}

func (r *numbers) uvarint() uint64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 || n > 1 && r.b[n-1] == 0 {
		r.err = errors.New("bad number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *numbers) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (r *numbers) take(n uint64) []byte {
	if r.err == nil && n > uint64(len(r.b)) {
		r.err = errors.New("input ends")
	}
	if r.err != nil {
		return nil
	}
	s := r.b[:n:n]
	r.b = r.b[n:]
	return s
}
