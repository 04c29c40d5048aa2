package change

import "math"

// runKind is the kind of run that a cursor stands in.
type runKind uint8

const (
	nulls   runKind = iota // no value
	repeats                // one value, several times
	literal                // values that each differ from the one before
)

// runs is a cursor over a run-length encoded column. A run is a signed count
// and what it counts: n > 0, one value n times; n < 0, -n values; 0, then a
// count of nulls. The one canonical form: a value that repeats is a run of two
// or more, values that do not repeat are one literal, equal neighbours never
// meet, and a column of nulls alone is left out.
type runs[T comparable] struct {
	reader
	read     func(*reader) T
	kind     runKind
	left     int // rows left in this run
	rows     int // rows not yet claimed by a run
	val      T
	hasVal   bool // val is the value of the row before
	any      bool // a value was seen
	nullable bool
}

// start sets the cursor to the first of rows rows. A column that is absent is
// all nulls, if it may be.
func (c *runs[T]) start(data string, rows int, nullable bool, f *fault, read func(*reader) T) {
	*c = runs[T]{reader: reader{data, f}, read: read, rows: rows, nullable: nullable, kind: literal}
	if data == "" && nullable {
		c.kind, c.left, c.rows, c.any = nulls, math.MaxInt, 0, true
	}
}

// next returns the value of the next row; ok is false for a null.
func (c *runs[T]) next() (v T, ok bool) {
	if c.left == 0 && !c.run() {
		return v, false
	}
	c.left--
	switch c.kind {
	case repeats:
		return c.val, true
	case nulls:
		return v, false
	}
	v = c.read(&c.reader)
	if c.hasVal && v == c.val {
		c.stop("repeated value in a literal run")
	}
	c.val, c.hasVal, c.any = v, true, true
	return v, true
}

// run reads the head of the next run, and its value if that repeats.
func (c *runs[T]) run() bool {
	if c.s == "" {
		c.f.malformed("column ends early")
		return false
	}
	n, kind, least := c.sleb(), repeats, int64(2)
	switch {
	case n < 0 && n != math.MinInt64:
		n, kind, least = -n, literal, 1
		if c.kind == literal && c.any {
			c.stop("two literal runs in a row")
		}
	case n == 0:
		n, kind, least = int64(min(c.uleb(), math.MaxInt64)), nulls, 1
		if !c.nullable || c.kind == nulls {
			c.stop("misplaced run of nulls")
		}
	}
	if n > int64(c.rows) {
		c.f.malformed("run is longer than the change")
		n = 0
	}
	if n < least {
		c.stop("run is too short")
		c.left, c.rows = 0, 0
		return false
	}
	c.kind, c.left, c.rows = kind, int(n), c.rows-int(n)
	switch kind {
	case nulls:
		c.hasVal = false
	case repeats:
		v := c.read(&c.reader)
		if c.hasVal && v == c.val {
			c.stop("two runs of one value")
		}
		c.val, c.hasVal, c.any = v, true, true
	}
	return true
}

// end reports as a fault what is left of the column after the last row.
func (c *runs[T]) end() {
	if c.s != "" || c.rows != 0 {
		c.stop("column does not fit the number of rows")
	}
	if c.nullable && !c.any {
		c.stop("column of nulls")
	}
}

// deltas is a cursor over a column of differences. Nulls leave the sum alone.
type deltas struct {
	runs[int64]
	sum int64
}

func (c *deltas) next() (v int64, ok bool) {
	d, ok := c.runs.next()
	if !ok {
		return 0, false
	}
	if d > MaxCounter || d < -MaxCounter {
		c.stop("difference is out of range")
		return 0, false
	}
	c.sum += d
	if c.sum < 0 || c.sum > MaxCounter {
		c.stop("counter is out of range")
		return 0, false
	}
	return c.sum, true
}

// bools is a cursor over a column of booleans: counts of false, true, false,
// and so on, of which only the first may be zero.
type bools struct {
	reader
	val   bool
	first bool // no run was read yet
	any   bool // a run of true was read
	left  int
	rows  int
}

// start sets the cursor to the first of rows rows. With optional, an absent
// column is all false, and a column that is all false must be absent.
func (c *bools) start(data string, rows int, optional bool, f *fault) {
	*c = bools{reader: reader{data, f}, val: true, first: true, any: !optional, rows: rows}
	if optional && data == "" {
		*c = bools{reader: reader{"", f}, any: true, left: math.MaxInt}
	}
}

func (c *bools) next() bool {
	for c.left == 0 {
		if c.s == "" {
			c.f.malformed("column ends early")
			return false
		}
		n := c.uleb()
		if n > uint64(c.rows) || n == 0 && !c.first {
			c.stop("bad run of booleans")
			return false
		}
		c.val, c.first = !c.val, false
		c.any = c.any || c.val
		c.left, c.rows = int(n), c.rows-int(n)
	}
	c.left--
	return c.val
}

// end reports as a fault what is left of the column after the last row.
func (c *bools) end() {
	if c.s != "" || c.rows != 0 {
		c.stop("column does not fit the number of rows")
	}
	if !c.any {
		c.stop("column of false")
	}
}
