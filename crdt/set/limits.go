package set

import "github.com/pipes-sync/pipes/crdt/dagcbor"

const (
	// MaxPath: a device's grant in its person, then its person's grant in the
	// scope, reached through groups that nest at most 4 deep.
	MaxPath = 5

	// MaxDeps: more concurrent tips than this are rare, and an author who has
	// more merges them in two sets.
	MaxDeps = 16

	// MaxHeadOps bounds the operations that name one scope's heads, for the same
	// reason; logs of operations branch less than documents.
	MaxHeadOps = 8

	// MaxCount bounds the changes of one set: what arrives during one fsync.
	MaxCount = 256

	// MaxSeq keeps sequence numbers exact in readers whose numbers are doubles.
	MaxSeq = 1<<53 - 1

	// MaxPayload bounds a sealed payload: twice the largest value and its
	// history, and little enough to hold in memory many times over.
	MaxPayload = 2 << 20

	// MaxContent bounds the plain encoding of a payload's content, whatever its
	// codec: a bomb inflates to this and no further. Sealed and padded without
	// compression it still fits MaxPayload.
	MaxContent = MaxPayload - 64<<10

	// minPayload is a nonce, a tag, and the shortest bucket that holds a length
	// and one byte.
	minPayload = nonceSize + tagSize + lengthSize + 1

	// MaxHeader holds the longest header: full path, deps and heads are 2,502
	// bytes.
	MaxHeader = 4 << 10

	// MaxTitle and MaxSchema bound a document's sealed title and schema name, in
	// bytes of UTF-8.
	MaxTitle  = 1 << 10
	MaxSchema = 256

	// maxSealedGenesis holds title and schema at their longest, padded.
	maxSealedGenesis = 2 << 10

	// MaxGenesis bounds a document genesis with its signature.
	MaxGenesis = 8 << 10

	// MaxItem bounds an encoded item, and a run, which may be one large item.
	MaxItem = MaxPayload + 2*MaxHeader

	// MaxRun bounds the items of a run: one is decoded to about 1 KiB, whatever
	// it costs to send.
	MaxRun = 1024

	// MaxCover bounds the headers between an item and the signature that covers
	// it. Authors sign every set; only a peer that dropped signatures sends more
	// than a few.
	MaxCover = 4 * MaxRun

	// MinPart is the smallest frame that an item is cut for, and MaxPartCount the
	// parts that the largest item then makes.
	MinPart      = 16 << 10
	MaxPartCount = MaxItem/(MinPart-maxPartFrame) + 1

	// maxPartFrame is a part's bytes beside its data, rounded up.
	maxPartFrame = 128
)

// A run's rows must fit an array.
var _ [dagcbor.MaxArray - MaxRun]struct{}
