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

// collect raises m to what c says.
func (c *clock) collect(m map[int32]int32) {
	for ; c != nil; c = c.base {
		for _, e := range c.news {
			if old, ok := m[e.branch]; !ok || e.pos > old {
				m[e.branch] = e.pos
			}
		}
	}
}

// rebaseAt is the least number of entries above a whole clock at which the next
// whole one is written.
const rebaseAt = 16

// with answers c raised to m: c itself if m says nothing new.
func (c *clock) with(m map[int32]int32) *clock {
	var news []entry
	for branch, pos := range m {
		if pos > c.at(branch) {
			news = append(news, entry{branch, pos})
		}
	}
	if news == nil {
		return c
	}
	next := &clock{base: c, news: news, above: len(news)}
	if c != nil {
		next.above += c.above
		next.size = c.size
	}
	if next.above > max(rebaseAt, next.size) {
		whole := make(map[int32]int32, next.size+len(news))
		next.collect(whole)
		next = &clock{news: make([]entry, 0, len(whole)), size: len(whole)}
		for branch, pos := range whole {
			next.news = append(next.news, entry{branch, pos})
		}
	}
	slices.SortFunc(next.news, byBranch)
	return next
}
