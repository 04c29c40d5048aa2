package dagcbor

const (
	// MaxDepth bounds nested arrays. The deepest object of the protocol is an
	// operation's heads: object, heads, row, ids. Twice that leaves room for
	// bodies; recursion stays shallow.
	MaxDepth = 8

	// MaxArray bounds the items of one array. Go values are allocated by count,
	// so this caps what a small input can claim; the longest arrays of the
	// protocol (recipients of an epoch, items of a run) stay well below it.
	MaxArray = 1 << 14
)
