package acl

// Limits of what this version accepts. They are part of the format: replicas that
// disagree on one disagree on who may do what.
const (
	// MaxPath is a device's grant and four more: groups nest at most four deep.
	MaxPath = 5
	// MaxHeads bounds a row of heads. Eight concurrent tips of one scope are
	// more than humans make; whoever sees more names eight that cover its grant.
	MaxHeads = 8
	// MaxDeps bounds the tips one operation joins.
	MaxDeps = 16
	// MaxOpsPerGrant bounds the operations of one life of a device under one
	// grant, so that no member can flood a scope. It is counted along the chain,
	// which is in each operation's past: all replicas count alike. Lives are not
	// added up, or one could use up what another, which knows nothing of it, goes
	// on to write. A device that knows of its lives has MaxIncarnations times this.
	MaxOpsPerGrant = 2000
	// MaxDepth bounds the length of a line of admins appointing admins: one
	// succession a year for two centuries.
	MaxDepth = 255
	// MaxOpSize leaves room for a frame around an operation in 1 MiB.
	MaxOpSize = 1<<20 - 4096
	// MaxRecipients fills an operation of MaxOpSize in suite 2: 1,240 bytes each.
	MaxRecipients = 800
	// MaxParents bounds the epochs one epoch joins.
	MaxParents = 8
	// MaxIncarnations bounds the lives of a device in the past of one that it
	// announces, itself included: a restore a year for longer than devices last.
	// Lives that know nothing of each other are not counted together. All restores
	// of one backup have to count, and what reads an operation and its past cannot
	// tell two of them from two thousand; a bound on all that is known would keep
	// those that came first, and replicas would disagree for good. So whoever has a
	// device's key can begin more, and make logs grow, as an admin can by linking
	// devices: who feeds a State bounds each peer's share.
	MaxIncarnations = 64
	// MaxIncarnationRows bounds the scopes whose heads an incarnation names.
	MaxIncarnationRows = 256
	// MaxTime is the largest claimed time, in Unix milliseconds: what every
	// language's integers hold (2^53-1).
	MaxTime = 1<<53 - 1
	// MaxSeq bounds the operations of one life in one scope under all its grants.
	MaxSeq = 1<<31 - 1
	// MaxWaiting and MaxWaitingBytes bound the operations a State keeps while
	// it waits for what they name. Whoever feeds it bounds each peer's share.
	MaxWaiting      = 1 << 14
	MaxWaitingBytes = 64 << 20
)

// Sizes that the suites fix.
const (
	keySizeX25519   = 32                  // RFC 9180, table 2
	keySizeHybrid   = 1184 + 32           // ML-KEM-768 encapsulation key and X25519
	sealSizeX25519  = 32 + 32 + 16        // encapsulated key, secret, tag
	sealSizeHybrid  = 1088 + 32 + 32 + 16 // the same for MLKEM768-X25519
	chainSealedSize = 24 + 32 + 16        // nonce, secret, tag
	sigSize         = 64                  // Ed25519
	nonceSize       = 16                  // of a genesis and of a join
)
