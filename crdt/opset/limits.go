package opset

// Limits that are rules: the same on every replica, for ever within [Version].
const (
	// MaxJump is how far a change's first counter may lie above the highest
	// counter of its causal past. A writer that edits an old version of a
	// document (JavaScript's changeAt) counts on from the highest counter it
	// has seen anywhere, so the gap can be as large as the concurrent work it
	// knows. Without a bound one change could use up the 31 bits that
	// counters have; with it that takes 2,048 of them.
	MaxJump = 1 << 20

	// MaxDepth is the number of objects inside one another; the root map is not
	// counted. Readers recurse.
	MaxDepth = 128

	// MaxRepeats bounds the work that one change makes by changing one key or
	// element again and again. The core walks all operations on a place for
	// each new one, so the n-th of a change costs n; this is the sum. It allows
	// 11,000 increments of one counter in one change, which take the core less
	// than a second; without it a change of 60 bytes takes it minutes.
	MaxRepeats = 1 << 26
)

// Limits that are not rules.
const (
	// defaultPending and defaultPendingBytes bound the queue of one document:
	// changes that wait are an attack or a gap that the network will fill.
	defaultPending      = 4096
	defaultPendingBytes = 16 << 20
)
