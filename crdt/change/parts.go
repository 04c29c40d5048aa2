package change

import (
	"encoding/binary"
	"strings"

	"github.com/pipes-sync/pipes/crdt"
)

// Parts is an uncompressed change chunk taken apart, so that an archive of a
// run of changes can leave out what follows from the change before: magic,
// checksum, type and length, and often deps, actor, seq and start op.
type Parts struct {
	Deps    []crdt.ChangeHash
	Actor   Actor
	Seq     uint64
	StartOp uint64
	Rest    []byte // time, message, other actors, columns and what follows
}

// Split takes one chunk apart. The header is checked as [ParseHeader] does, what
// is in Rest is not; Rest is a part of chunk. A compressed chunk is
// [ErrCompressed]: it cannot be rebuilt byte for byte from less than itself.
func Split(chunk []byte) (Parts, error) {
	if len(chunk) >= headLen && chunk[headLen-1] == typeCompressed {
		return Parts{}, ErrCompressed
	}
	body, _, err := chunkBody(chunk)
	if err != nil {
		return Parts{}, err
	}
	var f fault
	r := reader{body, &f}
	p := Parts{Deps: parseDeps(&r), Actor: Actor(r.str(MaxActorLen, "actor"))}
	p.Actor = Actor(strings.Clone(string(p.Actor)))
	p.Seq, p.StartOp = r.uleb(), r.uleb()
	if f.err != nil {
		return Parts{}, f.err
	}
	p.Rest = chunk[len(chunk)-len(r.s):]
	return p, nil
}

// Join builds the chunk again, with the hash that it has: byte for byte what
// [Split] was given.
func (p Parts) Join() (chunk []byte, hash crdt.ChangeHash) {
	n := len(p.Deps)*len(hash) + len(p.Actor) + len(p.Rest) + 32
	b := binary.AppendUvarint(make([]byte, 0, n), uint64(len(p.Deps)))
	for _, d := range p.Deps {
		b = append(b, d[:]...)
	}
	b = appendStr(b, string(p.Actor))
	b = binary.AppendUvarint(binary.AppendUvarint(b, p.Seq), p.StartOp)
	b = append(b, p.Rest...)
	hash = hashBody(b)
	return frame(hash, b), hash
}
