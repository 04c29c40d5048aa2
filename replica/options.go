package replica

import (
	"log/slog"
	"time"

	"github.com/pipes-sync/pipes/storage"
)

// Options configures a replica. The zero value works.
type Options struct {
	// Storage says where the root key is, which file system, how much space to
	// keep free. Its Logger is set from Logger.
	Storage storage.Options
	// Logger gets events; nil discards them. Content and keys never go there.
	Logger *slog.Logger
	// NoCreate makes Open answer ErrNoReplica where there is none.
	NoCreate bool
	// Name is what the person is called on this device. It is used when a
	// replica is created, and shown to nobody else.
	Name string
	// LockWait is how long to wait for another process that has the directory
	// open; zero means not at all.
	LockWait time.Duration
	// MaxOpen is how many documents stay in memory; zero means 256.
	MaxOpen int
	// Idle is how long an unused document stays in memory; zero means a minute.
	Idle time.Duration

	snapshotEvery int // for tests; zero means the constant
}

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	d.Storage.Logger = d.Logger
	if d.MaxOpen == 0 {
		d.MaxOpen = 256
	}
	if d.Idle == 0 {
		d.Idle = time.Minute
	}
	if d.snapshotEvery == 0 {
		d.snapshotEvery = snapshotEvery
	}
	return d
}
