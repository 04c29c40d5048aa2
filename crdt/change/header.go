package change

import (
	"encoding/binary"
	"strings"

	"github.com/pipes-sync/pipes/crdt"
)

// Header is what a change says of itself before its operations.
type Header struct {
	Hash    crdt.ChangeHash
	Deps    []crdt.ChangeHash // ascending; the changes it follows directly
	Actor   Actor             // the author
	Seq     uint64            // 1 for the author's first change, and so on
	StartOp uint64            // the counter of its first operation
	Time    int64             // seconds since 1970 as the author claims; 0 for none
	Message string            // commit message; empty for none
}

// ParseHeader reads the header of one change chunk, of type 1 or 2, and leaves
// the operations alone: they may be malformed. The hash is checked, so a header
// that parses is the one its author wrote. Nothing refers to b afterwards.
func ParseHeader(b []byte) (Header, error) {
	body, hash, err := chunkBody(b)
	if err != nil {
		return Header{}, err
	}
	var f fault
	r := reader{body, &f}
	h := parseHeader(&r)
	h.Hash = hash
	// A header is small; it must not hold on to a large body.
	h.Actor, h.Message = Actor(strings.Clone(string(h.Actor))), strings.Clone(h.Message)
	if f.err != nil {
		return Header{}, f.err
	}
	return h, nil
}

func parseHeader(r *reader) (h Header) {
	h.Deps = parseDeps(r)
	h.Actor = Actor(r.str(MaxActorLen, "actor"))
	if h.Actor == "" {
		r.stop("no actor")
	}
	if h.Seq = r.uleb(); h.Seq == 0 || h.Seq > MaxCounter {
		r.stop("seq is out of range")
	}
	if h.StartOp = r.uleb(); h.StartOp == 0 || h.StartOp > MaxCounter {
		r.stop("start op is out of range")
	}
	if h.Time = r.sleb(); h.Time > MaxTime || h.Time < -MaxTime {
		r.f.overLimit("time")
	}
	h.Message = r.text(MaxMessage, "message")
	return h
}

func parseDeps(r *reader) []crdt.ChangeHash {
	n := r.uleb()
	if n > MaxDeps {
		r.f.overLimit("deps")
	}
	if n > uint64(len(r.s)/len(crdt.ChangeHash{})) {
		r.stop("too short for its deps")
	}
	if n == 0 || r.f.err != nil {
		return nil
	}
	deps := make([]crdt.ChangeHash, n)
	for i := range deps {
		copy(deps[i][:], r.take(uint64(len(deps[i]))))
		if i > 0 && string(deps[i-1][:]) >= string(deps[i][:]) {
			r.stop("deps are not ascending")
		}
	}
	return deps
}

func (h *Header) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(h.Deps)))
	for _, d := range h.Deps {
		b = append(b, d[:]...)
	}
	b = appendStr(b, string(h.Actor))
	b = binary.AppendUvarint(binary.AppendUvarint(b, h.Seq), h.StartOp)
	return appendStr(appendSleb(b, h.Time), h.Message)
}
