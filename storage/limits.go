package storage

const (
	// MaxValue bounds one value. Change sets are at most 2 MiB; what is larger
	// is a snapshot, and one of a document beyond 64 MiB is better cut in
	// parts: sealing needs each value whole in memory.
	MaxValue = 64 << 20

	// MaxBatch bounds the sealed bytes of one batch. Pebble ends at 4 GiB; a
	// frame or a local change is far below, and a batch lives in memory twice.
	MaxBatch = 256 << 20

	// MaxName bounds the name of a record, in bytes. Names are constants of
	// programs, never user input.
	MaxName = 128

	// maxSmallFile bounds marker, holder, key and passphrase files when read:
	// they are a few hundred bytes, and a foreign file must not fill memory.
	maxSmallFile = 64 << 10

	// maxProblems bounds the problems a report lists one by one. All are
	// counted; a thousand tell as much as a million.
	maxProblems = 1000

	// Argon2id parameters of a passphrase file are read from disk: bounded so
	// that a tampered file cannot ask for all memory or run for ever.
	maxArgonMemory = 1 << 20 // KiB, hence 1 GiB
	maxArgonTime   = 64
	maxArgonLanes  = 16
)

const (
	// tableSize is the flat target size of tables: a purge rewrites whole
	// tables, so small ones keep it short.
	tableSize     = 4 << 20
	tableSizeLean = 2 << 20

	// defaultReserve is kept free for flushes, compactions and purges, which
	// need room to make room: two memtables and two rounds of tables.
	defaultReserve     = 64 << 20
	defaultReserveLean = 16 << 20

	// probeSize is what is written to see whether a full disk has room again.
	probeSize = 1 << 20
)
