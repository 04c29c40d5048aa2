package storage

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// health is what the file system, Pebble's events and the calls of the store
// tell one another about the state of the disk.
type health struct {
	dir     string
	log     *slog.Logger
	fs      vfs.FS // asked for free space
	reserve uint64

	// cause is set once, by the first failure: the store is frozen.
	cause atomic.Pointer[error]
	// full is set when a table could not be written for lack of space, and
	// cleared by the next one that could, or by a probe.
	full    atomic.Bool
	probing sync.Mutex
	// spare is how many bytes may be written, and askAt until when (Unix
	// nanoseconds), before free space is asked for again.
	spare, askAt atomic.Int64
	// closing ends the wait of table writers for space.
	closing atomic.Bool
	// stuck is set when a goroutine of Pebble hit a bug and was stopped in
	// place, perhaps with locks held: Pebble must not be called again.
	stuck atomic.Bool
}

// freeze stops all writing, as a power cut would. The first cause is kept.
func (h *health) freeze(cause error) {
	if h.cause.CompareAndSwap(nil, &cause) {
		h.log.Error("store failed", "dir", h.dir, "cause", cause)
	}
}

func (h *health) frozen() bool { return h.cause.Load() != nil }

// failure is nil or a *FailedError.
func (h *health) failure() error {
	if cause := h.cause.Load(); cause != nil {
		return &FailedError{h.dir, *cause}
	}
	return nil
}

// free answers the bytes available, and false where that cannot be known.
func (h *health) free() (uint64, bool) {
	u, err := h.fs.GetDiskUsage(h.dir)
	return u.AvailBytes, err == nil
}

// Free space is asked for again after askEvery, or when an askPart of what was above
// the reserve is written since: the question costs as much as a small commit.
const (
	askEvery = 50 * time.Millisecond
	askPart  = 8
)

// room refuses writes of n bytes that would eat into the reserve.
func (h *health) room(n int) error {
	if !h.full.Load() && h.spare.Add(-int64(n)) >= 0 && time.Now().UnixNano() < h.askAt.Load() {
		return nil
	}
	return h.ask(n)
}

// ask is room by what the file system says now.
func (h *health) ask(n int) error {
	free, known := h.free()
	if known && h.reserve > 0 && free < h.reserve+uint64(n) || h.full.Load() && !h.probe() {
		h.spare.Store(0)
		return &DiskFullError{h.dir, free, h.reserve}
	}
	spare := uint64(math.MaxInt64)
	if known && h.reserve > 0 {
		spare = (free - h.reserve) / askPart
	}
	h.spare.Store(int64(min(spare, math.MaxInt64)))
	h.askAt.Store(time.Now().Add(askEvery).UnixNano())
	return nil
}

const probeFile = "room"

// probe tries whether there is room after all, by writing a file and removing
// it: free space says nothing about quotas, and Pebble need not come back to
// the table it could not write.
func (h *health) probe() bool {
	if !h.probing.TryLock() {
		return false
	}
	defer h.probing.Unlock()
	path := h.fs.PathJoin(h.dir, probeFile)
	f, err := h.fs.Create(path, writeCategory)
	if err != nil {
		return false
	}
	_, err = f.Write(make([]byte, probeSize))
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close(), h.fs.Remove(path))
	if err == nil {
		h.roomAgain()
	}
	return err == nil
}

// roomAgain notes that the disk takes writes.
func (h *health) roomAgain() {
	if h.full.Swap(false) {
		h.log.Info("disk has room again", "dir", h.dir)
	}
}

// isNoSpace says whether the disk or the user's quota is full.
func isNoSpace(err error) bool { return err != nil && (vfs.IsNoSpaceError(err) || isQuota(err)) }

// pebbleLog hands Pebble's log on. What Pebble holds for fatal ends the store,
// not the process.
type pebbleLog struct{ *health }

// Infof drops Pebble's account of every flush and compaction.
func (pebbleLog) Infof(string, ...any) {}

func (l pebbleLog) Errorf(format string, args ...any) {
	l.log.Warn("pebble reported an error", "dir", l.dir, "text", fmt.Sprintf(format, args...))
}

// fatal is what unwinds a caller's goroutine out of Pebble.
type fatal struct{ error }

// Fatalf never returns: Pebble counts on that. A caller's goroutine unwinds to
// its [health.guard]; one of Pebble's own is stopped where it is, because
// unwinding it would end the process, and its locks may be held for ever.
func (l pebbleLog) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	l.freeze(err)
	l.stuck.Store(true)
	if underGuard() {
		panic(fatal{err})
	}
	select {}
}

// guard calls f, which calls Pebble, and turns fatal ends into errors.
func (h *health) guard(f func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case fatal:
			err = h.failure()
		default:
			panic(r)
		}
	}()
	err = f()
	if failed := h.failure(); failed != nil {
		// Whatever Pebble says: once frozen, nothing is promised any more.
		return failed
	}
	return err
}

// underGuard says whether this goroutine entered Pebble through guard.
func underGuard() bool {
	pc := make([]uintptr, 256)
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc)])
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, "storage.(*health).guard") {
			return true
		}
		if !more {
			return false
		}
	}
}

// listen has Pebble's events logged. Setting DataCorruption matters by itself:
// without it Pebble calls Fatalf at the first bad block.
func (h *health) listen() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			h.log.Warn("pebble background error", "dir", h.dir, "error", err)
		},
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			h.log.Error("data corruption found", "path", i.Path, "error", i.Details)
		},
	}
}
