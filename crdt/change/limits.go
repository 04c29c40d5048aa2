package change

// Every limit that a decoder holds remote bytes to, with its reason. They are
// part of the rules: a change refused by one replica must be refused by all, so
// none of them may change without a new version of the change set.
const (
	// MaxOps is the number of operations in one change, and so the length of
	// any run. Real editing sessions reach 276,758 in 100 edits (a file pasted
	// whole, twice). A run of any length is six bytes, so what a change claims
	// costs its reader time, not bytes: at this size the slowest reader
	// measured, the 2023 core, needs about 2 s, and the guard 0.1 s.
	MaxOps = 1 << 19

	// MaxMakes is the number of objects that one change may make. They are the
	// dearest operations for everybody who keeps them.
	MaxMakes = 1 << 17

	// MaxPreds is the number of predecessors of one operation: the writers that
	// set one key at the same time without knowing of each other.
	MaxPreds = 1 << 10

	// MaxTotalPreds bounds the predecessors of all operations of a change
	// together, for they too come in runs.
	MaxTotalPreds = MaxOps

	// MaxActors is the number of other actors that one change may name: whoever
	// wrote what it deletes, overwrites or stands beside.
	MaxActors = 1 << 12

	// MaxActorLen is the length of an actor id in bytes. Pipes and Automerge use
	// 16; longer ones occur in imported documents.
	MaxActorLen = 64

	// MaxDeps is the number of changes that one change may follow directly: the
	// heads of a document that so many writers changed at once.
	MaxDeps = 1 << 10

	// MaxBody is the length of a change without its chunk header, inflated. A
	// change set holds 2 MiB; imported changes may be larger.
	MaxBody = 4 << 20

	// MaxValue is the length of one value in bytes (the change set's own limit).
	MaxValue = 1 << 20

	// MaxKey is the length in bytes of a map key or the name of a mark. Keys
	// are kept in memory for as long as the document is open.
	MaxKey = 16 << 10

	// MaxMessage is the length of a commit message in bytes.
	MaxMessage = 16 << 10

	// MaxExtra is the length of what follows the columns. No writer of today
	// puts anything there.
	MaxExtra = 4 << 10

	// MaxCounter is the largest operation counter and the largest seq. The core
	// keeps both in 32 bits; half of that leaves room for local edits after
	// the highest one a peer can send.
	MaxCounter = 1<<31 - 1

	// MaxTime is the greatest time, in seconds, before or after 1970. A save of
	// the core keeps the differences between times in 64 bits, so those of two
	// changes must not be further apart; JavaScript holds integers up to here.
	MaxTime = 1<<53 - 1

	// MaxRatio is the most by which a compressed change may grow, beyond
	// freeInflate. Text compresses 3 to 10 times.
	MaxRatio = 128

	// freeInflate may be inflated from any number of bytes: one value of the
	// greatest length may be all zeros.
	freeInflate = MaxValue + 64<<10

	// maxColumns is the number of columns that a change can have: 14 are known.
	maxColumns = 14
)
