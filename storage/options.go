package storage

import (
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options configures [Init] and [Open]. The zero Options is ready to use.
type Options struct {
	// FS is the file system; nil means the operating system's.
	FS vfs.FS
	// Keys holds the root key; nil means [FileKey].
	Keys KeyProvider
	// Logger gets events; nil discards them. Keys and values never go there.
	Logger *slog.Logger
	// Reserve is the free space in bytes below which commits answer
	// ErrDiskFull; 0 means 64 MiB (16 MiB if Lean), negative means none.
	Reserve int64
	// Lean halves table and memory sizes, for small devices.
	Lean bool
	// ReadOnly opens without writing a byte, also on a read-only file system.
	// There no lock can be taken: nobody else may write meanwhile.
	ReadOnly bool
}

// withDefaults returns a copy in which every field has its meaning.
func (o *Options) withDefaults() Options {
	var r Options
	if o != nil {
		r = *o
	}
	if r.FS == nil {
		r.FS = vfs.Default
	}
	if r.Keys == nil {
		r.Keys = FileKey{}
	}
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case r.Reserve < 0:
		r.Reserve = 0
	case r.Reserve == 0 && r.Lean:
		r.Reserve = defaultReserveLean
	case r.Reserve == 0:
		r.Reserve = defaultReserve
	}
	return r
}

// formatVersion is Pebble's on-disk format. It is set explicitly because with
// the default a flipped bit in the middle of a log silently loses what follows.
const formatVersion = pebble.FormatMajorVersion(24)

// eraser is Pebble's deleting cleaner that also says it needs the contents of
// obsolete files, which it does not: that marker is the only way to keep Pebble
// from recycling logs, and a recycled log keeps purged bytes. Clean and String
// come from DeleteCleaner, which is less deeply embedded than the marker.
type eraser struct {
	pebble.DeleteCleaner
	archiving
}

type archiving struct{ pebble.ArchiveCleaner }

// pebbleOptions are those of data/, or of keys/ if small.
func (o *Options) pebbleOptions(fs vfs.FS, h *health, small bool) *pebble.Options {
	p := &pebble.Options{
		FS:                 fs,
		Logger:             pebbleLog{h},
		EventListener:      h.listen(),
		FormatMajorVersion: formatVersion,
		Cleaner:            eraser{},
		ReadOnly:           o.ReadOnly,
		MemTableSize:       4 << 20,
		CacheSize:          32 << 20,
	}
	size := int64(tableSize)
	if o.Lean {
		p.MemTableSize, p.CacheSize, size = 2<<20, 4<<20, tableSizeLean
	}
	if small {
		p.MemTableSize, p.CacheSize = 512<<10, 1<<20
	}
	// Values are ciphertext: compressing them costs time and gains nothing.
	// Filters answer "is this id known?", which is mostly no, without a read.
	for i := range p.Levels {
		p.TargetFileSizes[i] = size
		p.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	// Purged bytes must leave the disk: no blob files, no virtual tables.
	p.Experimental.ValueSeparationPolicy = func() (off pebble.ValueSeparationPolicy) { return off }
	p.Experimental.EnableDeleteOnlyCompactionExcises = func() bool { return false }
	return p
}
