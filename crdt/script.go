package crdt

// hunk says that del items at position pos of the old sequence are replaced by
// the items from to to-1 of the new one.
type hunk struct{ pos, del, from, to int }

// maxScriptCost bounds the work and memory of a script: sequences that differ
// by more are replaced as a whole between their common ends.
const maxScriptCost = 1000

// script gives the hunks, in ascending order, that turn an old sequence of n
// items into a new one of m: the fewest deletions and insertions that do (Myers,
// An O(ND) Difference Algorithm and Its Variations, 1986, greedy form).
func script(n, m int, same func(i, j int) bool) []hunk {
	start := 0
	for start < n && start < m && same(start, start) {
		start++
	}
	for n > start && m > start && same(n-1, m-1) {
		n, m = n-1, m-1
	}
	if n == start && m == start {
		return nil
	}
	if n == start || m == start {
		return []hunk{{start, n - start, start, m}}
	}
	trace := search(n-start, m-start, func(i, j int) bool { return same(start+i, start+j) })
	if trace == nil {
		return []hunk{{start, n - start, start, m}}
	}
	return backtrack(trace, n, m, start)
}

// search gives, for every cost d, the furthest x on each diagonal k = x - y, at
// index d + k; or nil when the cost passes maxScriptCost.
func search(n, m int, same func(i, j int) bool) [][]int32 {
	var trace [][]int32
	prev := []int32{0, 0, 0}
	for d := 0; d <= n+m && d <= maxScriptCost; d++ {
		row := make([]int32, 2*d+3) // diagonals -d-1 to d+1, at d+1+k
		for k := -d; k <= d; k += 2 {
			x := 0
			if d > 0 {
				x = next(prev, d, k)
			}
			for x < n && x-k < m && same(x, x-k) {
				x++
			}
			row[d+1+k] = int32(x)
			if x >= n && x-k >= m {
				return append(trace, row)
			}
		}
		trace = append(trace, row)
		prev = row
	}
	return nil
}

// next is where diagonal k starts at cost d: one insertion from diagonal k+1 or
// one deletion from diagonal k-1. prev is the row of cost d-1.
func next(prev []int32, d, k int) int {
	down, right := -1, -1
	if k+1 <= d-1 {
		down = int(prev[d+k+1])
	}
	if k-1 >= -(d - 1) {
		right = int(prev[d+k-1]) + 1
	}
	return max(down, right)
}

// backtrack walks the cheapest way back and joins its steps into hunks.
func backtrack(trace [][]int32, n, m, start int) []hunk {
	var rev []hunk
	x, y := n-start, m-start
	for d := len(trace) - 1; d > 0; d-- {
		k := x - y
		prev := trace[d-1]
		sx := next(prev, d, k)
		px, py := sx, sx-k-1 // an insertion came from diagonal k+1
		if !(k+1 <= d-1 && int(prev[d+k+1]) == sx) {
			px, py = sx-1, sx-k
		}
		h := hunk{start + px, sx - px, start + py, start + sx - k}
		if l := len(rev) - 1; l >= 0 && rev[l].pos == h.pos+h.del && rev[l].from == h.to {
			rev[l] = hunk{h.pos, h.del + rev[l].del, h.from, rev[l].to}
		} else {
			rev = append(rev, h)
		}
		x, y = px, py
	}
	for i, j := 0, len(rev)-1; i < j; i, j = i+1, j-1 {
		rev[i], rev[j] = rev[j], rev[i]
	}
	return rev
}
