package opset

// A change's clock says of each actor how many of its changes are in the causal
// past. Neighbours in history have nearly the same clock, so a change keeps only
// what is new against one of its deps, its parent. When the way up gets longer
// than a whole clock, a change keeps the whole; so a clock is read in time
// proportional to the number of actors, and takes memory in proportion to what
// its author learned.

// clockEntry is one actor's part of a clock.
type clockEntry struct{ actor, seq uint32 }

// aloneAfter is the length of the way up, beyond the number of actors, at which
// a clock is kept whole.
const aloneAfter = 32

// clock is one clock unfolded, with a list of what was raised since mark.
type clock struct {
	seq    []uint32 // by actor; len is the number of actors
	isNew  []bool   // by actor
	raised []uint32 // the actors whose entry is new
	of     int      // 1 + the place of the change whose clock this is, with itself; 0: none
}

// reset empties the clock for n actors.
func (k *clock) reset(n int) {
	k.seq, k.isNew = append(k.seq[:0], make([]uint32, n)...), append(k.isNew[:0], make([]bool, n)...)
	k.raised, k.of = k.raised[:0], 0
}

// grow makes room for n actors.
func (k *clock) grow(n int) {
	for len(k.seq) < n {
		k.seq, k.isNew = append(k.seq, 0), append(k.isNew, false)
	}
}

// mark forgets what was raised.
func (k *clock) mark() {
	for _, a := range k.raised {
		k.isNew[a] = false
	}
	k.raised = k.raised[:0]
}

func (k *clock) raise(actor, seq uint32) {
	if seq <= k.seq[actor] {
		return
	}
	k.seq[actor] = seq
	if !k.isNew[actor] {
		k.isNew[actor] = true
		k.raised = append(k.raised, actor)
	}
}

// follow raises the clock to that of the change at a place, and that itself.
func (s *State) follow(k *clock, at uint32) {
	for up := at + 1; up != 0; {
		c := &s.changes[up-1]
		k.raise(c.actor, c.seq)
		for _, e := range s.newsOf(up - 1) {
			k.raise(e.actor, e.seq)
		}
		up = c.parent
	}
}

func (s *State) newsOf(at uint32) []clockEntry {
	end := uint32(len(s.news))
	if int(at)+1 < len(s.changes) {
		end = s.changes[at+1].firstNew
	}
	return s.news[s.changes[at].firstNew:end]
}

// past unfolds the clock of a change with these deps. What was raised since the
// mark is what is new against the parent, which is the last dep applied.
func (s *State) past(k *clock, deps []uint32) (parent uint32, ok bool) {
	if len(deps) == 0 {
		k.reset(len(s.actors))
		return 0, false
	}
	for _, d := range deps {
		parent = max(parent, d)
	}
	if k.of != int(parent)+1 {
		k.reset(len(s.actors))
		s.follow(k, parent)
	}
	k.mark()
	for _, d := range deps {
		if d != parent {
			s.follow(k, d)
		}
	}
	k.of = 0
	return parent, true
}

// keepClock appends the news of the change that is about to be appended, whose
// past is in k, and returns what its record says of its clock.
func (s *State) keepClock(k *clock, parent uint32, hasParent bool) (up, firstNew, cost uint32) {
	firstNew = uint32(len(s.news))
	if hasParent {
		cost = s.changes[parent].cost + 1 + uint32(len(k.raised))
		if cost <= uint32(len(s.actors)+aloneAfter) {
			for _, a := range k.raised {
				s.news = append(s.news, clockEntry{a, k.seq[a]})
			}
			return parent + 1, firstNew, cost
		}
	}
	for a, seq := range k.seq {
		if seq > 0 {
			s.news = append(s.news, clockEntry{uint32(a), seq})
		}
	}
	return 0, firstNew, 0
}
