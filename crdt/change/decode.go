package change

import (
	"iter"
	"math"
	"strings"
	"unicode/utf8"
)

// Change is one decoded change. It cannot be changed; its slices belong to it.
// Make one with [Decode] or [Build].
type Change struct {
	Header
	Actors []Actor // [0] is the author; the others, ascending, whom the operations name
	Extra  string  // bytes after the columns that a later version may understand

	body string  // everything after the chunk's header
	cols columns // parts of body
	ops  int
	odd  error // what Canonical answers
}

// Decode reads exactly one change chunk, of type 1 or, inflated, of type 2.
// Everything that limits.go bounds is checked before memory is taken for it.
// Nothing refers to b afterwards. Errors wrap one of the sentinels.
func Decode(b []byte) (*Change, error) {
	body, hash, err := chunkBody(b)
	if err != nil {
		return nil, err
	}
	c := &Change{body: body}
	var f fault
	r := reader{body, &f}
	c.Header = parseHeader(&r)
	c.Hash = hash
	c.Actors = parseActors(&r, c.Actor)
	c.cols = parseColumns(&r)
	if len(r.s) > MaxExtra {
		f.overLimit("extra bytes")
	}
	c.Extra = r.s
	if f.err == nil {
		c.ops = countOps(c.cols.data[colAction], &f)
	}
	if f.err != nil {
		return nil, f.err
	}
	if err := c.checkOps(); err != nil {
		return nil, err
	}
	return c, nil
}

// NumOps is the number of operations.
func (c *Change) NumOps() int { return c.ops }

// MaxOp is the counter of the last operation; StartOp-1 if there is none.
func (c *Change) MaxOp() uint64 { return c.StartOp + uint64(c.ops) - 1 }

// Size is the length of the change in memory, in bytes.
func (c *Change) Size() int { return len(c.body) + 32*len(c.Deps) + 16*len(c.Actors) + 512 }

// Encode returns the change as an uncompressed chunk, byte for byte as the core
// and the JavaScript library write it. Give engines this, never received bytes.
func (c *Change) Encode() []byte { return frame(c.Hash, c.body) }

func parseActors(r *reader, author Actor) []Actor {
	n := r.uleb()
	if n > MaxActors {
		r.f.overLimit("actors")
	}
	if n > uint64(len(r.s)/2) { // a length and at least one byte each
		r.stop("too short for its actors")
	}
	if r.f.err != nil {
		return nil
	}
	actors := make([]Actor, 1, 1+n)
	actors[0] = author
	for i := range n {
		a := Actor(r.str(MaxActorLen, "actor"))
		if a == "" || a == author || i > 0 && strings.Compare(string(actors[i]), string(a)) >= 0 {
			r.stop("other actors are not ascending")
			return nil
		}
		actors = append(actors, a)
	}
	return actors
}

// countOps adds up the runs of the action column, which has no nulls.
func countOps(data string, f *fault) int {
	r := reader{data, f}
	total := int64(0)
	for r.s != "" {
		n := r.sleb()
		skip := int64(1)
		if n < 0 {
			n = -max(n, -math.MaxInt64)
			skip = n
		}
		if n > MaxOps-total {
			f.overLimit("operations")
			return 0
		}
		total += n
		for ; skip > 0 && r.s != ""; skip-- {
			r.uleb()
		}
	}
	return int(total)
}

// Ops yields the operations in order. The Op is one and the same each time.
func (c *Change) Ops() iter.Seq[*Op] {
	return func(yield func(*Op) bool) {
		var d decoder
		d.start(c, new(fault))
		for range c.ops {
			d.next()
			if !yield(&d.op) {
				return
			}
		}
	}
}

// checkOps walks all operations once, so that Ops need not.
func (c *Change) checkOps() error {
	if c.StartOp+uint64(c.ops)-1 > MaxCounter {
		return overLimit("operation counter")
	}
	var d decoder
	var f fault
	d.start(c, &f)
	judge, makes := judge{actors: c.Actors}, 0
	for i := range c.ops {
		d.next()
		if f.err == nil {
			d.checkShape()
		}
		if f.err != nil {
			return atOp(f.err, i)
		}
		if d.op.Action.Makes() {
			if makes++; makes > MaxMakes {
				return overLimit("objects made")
			}
		}
		judge.op(&d.op, i)
	}
	d.end()
	if f.err != nil {
		return f.err
	}
	c.odd = judge.verdict()
	return nil
}

func atOp(err error, i int) error {
	if e, ok := err.(*Error); ok {
		return &Error{e.Kind, i, e.What}
	}
	return err
}

// checkShape reports as a fault what no operation can look like.
func (d *decoder) checkShape() {
	o := &d.op
	f := d.fault
	switch {
	case o.Key == "" && o.Elem.IsZero() && !o.Insert:
		f.malformed("neither a key nor an element")
	case o.Key == "" && o.Obj.IsZero():
		f.malformed("element of the root, which is a map")
	case o.Insert && o.Key != "":
		f.malformed("insert under a key")
	case o.Insert && len(o.Pred) > 0:
		f.malformed("insert with predecessors")
	case o.Obj.Ctr >= o.ID.Ctr || o.Elem.Ctr >= o.ID.Ctr:
		f.malformed("refers to itself or later")
	}
	for _, p := range o.Pred {
		if p.Ctr >= o.ID.Ctr {
			f.malformed("predecessor is not earlier")
		}
	}
	checkValue(o.Value, f)
}

// checkValue holds a value against its type: it has one encoding.
func checkValue(v Value, f *fault) {
	r := reader{v.Raw, f}
	switch v.Type {
	case Null, False, True:
	case Uint:
		r.uleb()
	case Int, Counter, Timestamp:
		r.sleb()
	case Float:
		r.take(8)
	case String:
		if !utf8.ValidString(v.Raw) {
			f.malformed("string is not UTF-8")
		}
		return
	case Bytes:
		return
	default:
		f.malformed("unknown type of value")
	}
	if r.s != "" {
		f.malformed("value is too long for its type")
	}
}
