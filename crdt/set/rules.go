package set

import (
	"errors"
	"fmt"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
)

const (
	chunkTypeAt = 8 // the hash of a change covers its chunk from the type on
	chunkPlain  = 1 // the type of an uncompressed change
)

// Checked is what [CheckContent] found in a payload.
type Checked struct {
	Hashes []crdt.ChangeHash // of each change, in order
	Seq    uint64            // Automerge seq of the chain's last change, this set included
}

// CheckContent holds opened content against the rules that bind a set to its
// changes, and answers the changes' hashes. They are:
//
//   - each is an uncompressed Automerge change chunk (type 1) with a valid checksum;
//   - its actor is [crdt.DeriveActor] of the header's document, device and
//     incarnation, and its seq continues the chain's exactly: seq is that of the
//     chain's last change before this set, 0 if there is none;
//   - or it is a schema change (see [SchemaActor]), which stands outside the chain;
//   - its deps are changes before it in this set, or inPast says that a set in the
//     closure of the header's prev and deps carries them ([Graph.InPast]). A schema
//     change may be carried by several sets: one in the past is enough.
//
// Errors are [*InertError]. Operations are not decoded: package crdt/change and
// the document's guard do that next.
func CheckContent(h *Header, content Content, seq uint64, inPast func(crdt.ChangeHash) bool) (Checked, error) {
	out := Checked{Hashes: make([]crdt.ChangeHash, 0, len(content.Changes)), Seq: seq}
	actor := crdt.DeriveActor(h.Doc, h.Device, h.Incarnation)
	inSet := make(map[crdt.ChangeHash]bool, len(content.Changes))
	for i, c := range content.Changes {
		head, err := change.ParseHeader(c)
		if err == nil && c[chunkTypeAt] != chunkPlain {
			err = errors.New("compressed chunk")
		}
		if err != nil {
			return Checked{}, inert(ReasonChange, i, err)
		}
		switch {
		case string(head.Actor) == string(actor[:]):
			if head.Seq != out.Seq+1 {
				return Checked{}, inert(ReasonSeq, i, fmt.Errorf("seq %d after %d", head.Seq, out.Seq))
			}
			out.Seq++
		case !isSchema(head.Actor, c):
			return Checked{}, inert(ReasonActor, i, fmt.Errorf("actor %s is not the chain's", head.Actor))
		}
		for _, d := range head.Deps {
			if !inSet[d] && !inPast(d) {
				return Checked{}, inert(ReasonDeps, i, errors.New("a dependency is not in the past"))
			}
		}
		inSet[head.Hash] = true
		out.Hashes = append(out.Hashes, head.Hash)
	}
	return out, nil
}

// isSchema reports whether a change by actor is a schema change.
func isSchema(actor change.Actor, chunk []byte) bool {
	want, err := SchemaActor(chunk)
	return err == nil && string(actor) == string(want[:])
}

// SchemaActor is the actor that a schema change must have ([crdt.SchemaActor]). The
// actor of chunk may be any 16 bytes; its checksum must be right.
func SchemaActor(chunk []byte) (crdt.ActorID, error) {
	zeroed, err := withActor(chunk, crdt.ActorID{})
	if err != nil {
		return crdt.ActorID{}, err
	}
	return crdt.SchemaActor(zeroed), nil
}

// SchemaChange is chunk, an uncompressed change with no deps and seq 1, under the
// actor that [SchemaActor] derives. Its operations must not name their author but
// by index, which is how Automerge writes them.
func SchemaChange(chunk []byte) ([]byte, error) {
	actor, err := SchemaActor(chunk)
	if err != nil {
		return nil, err
	}
	return withActor(chunk, actor)
}

func withActor(chunk []byte, actor crdt.ActorID) ([]byte, error) {
	p, err := change.Split(chunk)
	if err == nil && (len(p.Actor) != len(actor) || p.Seq != 1 || len(p.Deps) != 0) {
		err = errors.New("a schema change has a 16-byte actor, seq 1 and no deps")
	}
	if err != nil {
		return nil, fmt.Errorf("set: schema change: %w", err)
	}
	p.Actor = change.Actor(actor[:])
	out, _ := p.Join()
	return out, nil
}
