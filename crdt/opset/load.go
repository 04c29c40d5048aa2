package opset

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"

	"github.com/pipes-sync/pipes/crdt/change"
)

// ErrSnapshot is the error of [Load] for bytes that are no snapshot of this
// version. Build the state from the changes instead.
var ErrSnapshot = errors.New("opset: bad snapshot")

// Load reads what [State.AppendBinary] wrote. It is strict: what it accepts it
// writes back byte for byte, and a loaded state never panics. It takes memory in
// proportion to b. It cannot know whether the history is true; a snapshot is a
// cache of one's own and must come from where nobody else writes.
func Load(b []byte, opts Options) (*State, error) {
	if len(b) == 0 || b[0] != snapshotVersion {
		return nil, ErrSnapshot
	}
	l := loader{b: b[1:], s: New(opts)}
	l.actors()
	l.keys()
	l.objects()
	l.elems()
	l.changes()
	l.ops()
	l.heads()
	if l.bad || len(l.b) != 0 {
		return nil, ErrSnapshot
	}
	return l.s, nil
}

// loader reads a snapshot. After the first fault bad is set and b is empty.
type loader struct {
	b   []byte
	s   *State
	bad bool
}

// must reports whether ok holds; if not, the snapshot is bad.
func (l *loader) must(ok bool) bool {
	if !ok {
		l.bad, l.b = true, nil
	}
	return ok
}

// num reads a number below limit.
func (l *loader) num(limit int) uint32 {
	v, n := binary.Uvarint(l.b)
	if !l.must(n == 1 || n > 1 && l.b[n-1] != 0) || !l.must(v < uint64(max(limit, 0))) {
		return 0
	}
	l.b = l.b[n:]
	return uint32(v)
}

// count reads a count of things of at least size bytes each.
func (l *loader) count(size int) int { return int(l.num(len(l.b)/size + 1)) }

func (l *loader) take(n int) []byte {
	if !l.must(n <= len(l.b)) {
		return nil
	}
	x := l.b[:n]
	l.b = l.b[n:]
	return x
}

// counter reads a counter of an operation.
func (l *loader) counter() uint32 { return l.num(change.MaxCounter + 1) }

// leastChange is the size of the smallest change in a snapshot.
const leastChange = 32 + 4

func (l *loader) actors() {
	for range l.count(2 + leastChange) { // every actor has a change
		id := change.Actor(l.take(int(l.num(change.MaxActorLen + 1))))
		_, twice := l.s.actorOf[id]
		if !l.must(id != "" && !twice) {
			return
		}
		l.s.newActor(id)
	}
}

func (l *loader) keys() {
	s := l.s
	for range l.count(2) {
		k := string(l.take(int(l.num(change.MaxKey + 1))))
		_, twice := s.keyOf[k]
		if !l.must(k != "" && !twice && utf8.ValidString(k)) {
			return
		}
		s.keyOf[k] = uint32(len(s.keys))
		s.keys = append(s.keys, k)
	}
}

func (l *loader) objects() {
	for range l.count(1) {
		v := l.num((MaxDepth + 1) << 1)
		if !l.must(v>>1 > 0) {
			return
		}
		l.s.objects = append(l.s.objects, objectRec{v&1 == 1, uint8(v >> 1)})
	}
}

func (l *loader) elems() {
	for range l.count(2) {
		actor := l.num(len(l.s.actors))
		l.s.elems = append(l.s.elems, opRef{l.counter(), actor})
	}
}

func (l *loader) changes() {
	s := l.s
	for i := range l.count(leastChange) {
		rec := changeRec{firstNew: uint32(len(s.news))}
		copy(rec.hash[:], l.take(len(rec.hash)))
		rec.actor, rec.maxOp = l.num(len(s.actors)), l.counter()
		back := l.num(i + 1)
		news := l.count(2)
		if l.bad || !l.must(!s.Has(rec.hash)) {
			return
		}
		if back > 0 {
			rec.parent = uint32(i) + 1 - back
			rec.cost = s.changes[rec.parent-1].cost + 1 + uint32(news)
		}
		for range news {
			a := l.num(len(s.actors))
			if l.bad {
				return
			}
			s.news = append(s.news, clockEntry{a, l.num(len(s.actors[a].changes) + 1)})
		}
		a := &s.actors[rec.actor]
		if n := len(a.changes); n > 0 && !l.must(s.changes[a.changes[n-1]].maxOp <= rec.maxOp) {
			return
		}
		a.changes = append(a.changes, uint32(i))
		rec.seq = uint32(len(a.changes))
		s.index[rec.hash] = uint32(i)
		s.changes = append(s.changes, rec)
		s.maxOp = max(s.maxOp, uint64(rec.maxOp))
	}
	for _, a := range s.actors {
		l.must(len(a.changes) > 0)
	}
}

func (l *loader) ops() {
	made := make([]bool, len(l.s.objects))
	total := 0
	for i := range l.s.actors {
		a := &l.s.actors[i]
		if l.bad {
			return
		}
		top := l.s.changes[a.changes[len(a.changes)-1]].maxOp
		l.spans(a, top)
		last := uint32(0)
		for range l.count(2) {
			o := objectAt{l.num(int(top-last) + 1), l.num(len(made))}
			if !l.must(o.ctr > 0 && o.object > 0 && !made[o.object]) {
				return
			}
			o.ctr += last
			last, made[o.object] = o.ctr, true
			a.objects = append(a.objects, o)
			total++
		}
	}
	l.must(total == len(l.s.objects)-1)
}

// spans reads the spans of an actor whose highest counter is top.
func (l *loader) spans(a *actorRec, top uint32) {
	s := l.s
	end := uint32(0)
	for range l.count(3) {
		p := span{start: end + l.num(int(top)-int(end)+1)}
		v := l.num(min(int(top)-int(p.start)+1, maxSpan)<<3 | 7 + 1)
		p.n = v>>3 | v<<29
		p.obj = l.num(len(s.objects))
		if l.bad {
			return
		}
		list, ok := s.objects[p.obj].list, p.start > 0 && p.len() > 0
		switch {
		case p.is(flagInsert):
			ok = ok && list && !(p.is(flagMark) && p.is(flagCounter))
		case list:
			p.key = l.num(len(s.elems) - int(p.len()) + 1)
			ok = ok && !p.is(flagMark)
		default:
			p.key = l.num(len(s.keys) - int(p.len()) + 1)
			ok = ok && !p.is(flagMark)
		}
		if !l.must(ok) {
			return
		}
		end = p.start + p.len()
		a.spans = append(a.spans, p)
	}
}

func (l *loader) heads() {
	next := 0
	for range l.count(1) {
		at := int(l.num(len(l.s.changes)))
		if !l.must(at >= next) {
			return
		}
		l.s.heads = append(l.s.heads, uint32(at))
		next = at + 1
	}
	l.must((len(l.s.heads) == 0) == (len(l.s.changes) == 0))
}
