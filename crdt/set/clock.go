package set

import (
	"cmp"
	"slices"
)

// A vector clock says what precedes an item: per branch (a line of items of one
// chain, without forks) the last position that does. An item's own branch is not
// in its clock: there everything before it precedes it.
//
// Clocks are shared. Items of a branch that learn nothing new of others have the
// same one; an item that does has a clock holding only what is new, above the one
// before. Every so often a clock is written out whole, so that a look-up passes
// few steps, and so that memory is in proportion to what items learned, not to
// items times branches.
type clock struct {
	base  *clock
	news  []entry // ascending by branch, each above what base says
	above int     // entries in this and the clocks it rests on, down to a whole one
	size  int     // entries when this clock's base was last written out whole
}

type entry struct {
	branch int32
	pos    int32
}

func byBranch(a, b entry) int { return cmp.Compare(a.branch, b.branch) }

// at answers the last position of branch that precedes, -1 for none.
func (c *clock) at(branch int32) int32 {
	for ; c != nil; c = c.base {
		if i, ok := slices.BinarySearchFunc(c.news, entry{branch: branch}, byBranch); ok {
			return c.news[i].pos
		}
	}
	return -1
}

// horizon gathers what several clocks say: per branch the last position. It is
// scratch memory of a graph, empty between uses.
type horizon struct {
	pos     []int32 // by branch, one more than the position; 0 for none
	touched []int32 // branches with a position
}

// raise notes that branch precedes up to pos.
func (z *horizon) raise(branch, pos int32) {
	if n := int(branch) + 1 - len(z.pos); n > 0 {
		z.pos = append(z.pos, make([]int32, n)...)
	}
	if z.pos[branch] == 0 {
		z.touched = append(z.touched, branch)
	}
	z.pos[branch] = max(z.pos[branch], pos+1)
}

// join raises z to what c says.
func (z *horizon) join(c *clock) {
	for ; c != nil; c = c.base {
		for _, e := range c.news {
			z.raise(e.branch, e.pos)
		}
	}
}

// drop forgets what z says of branch.
func (z *horizon) drop(branch int32) {
	if i := slices.Index(z.touched, branch); i >= 0 {
		z.touched = slices.Delete(z.touched, i, i+1)
		z.pos[branch] = 0
	}
}

// drain answers what z says that c does not, ascending, and empties z.
func (z *horizon) drain(c *clock) []entry {
	var news []entry
	slices.Sort(z.touched)
	for _, branch := range z.touched {
		if pos := z.pos[branch] - 1; pos > c.at(branch) {
			news = append(news, entry{branch, pos})
		}
		z.pos[branch] = 0
	}
	z.touched = z.touched[:0]
	return slices.Clip(news)
}

// rebaseAt is the least number of entries above a whole clock at which the next
// whole one is written.
const rebaseAt = 16

// with answers c raised to what z says, c itself if that is nothing new, and
// empties z.
func (c *clock) with(z *horizon) *clock {
	news := z.drain(c)
	if news == nil {
		return c
	}
	next := &clock{base: c, news: news, above: len(news)}
	if c != nil {
		next.above += c.above
		next.size = c.size
	}
	if next.above <= max(rebaseAt, next.size) {
		return next
	}
	z.join(next)
	whole := z.drain(nil)
	return &clock{news: whole, size: len(whole)}
}
