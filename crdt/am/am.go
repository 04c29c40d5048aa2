package am

// #include "core.h"
// #cgo noescape pipes_open
// #cgo nocallback pipes_open
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	_ "github.com/automerge/automerge-go" // links the core's static library

	"github.com/pipes-sync/pipes/crdt"
)

// Options adjusts [New] and [Load]. The zero value, or nil, works.
type Options struct {
	// Leaked is called, on another goroutine and some time later, for a Doc that
	// became unreachable without Close: a bug of the caller. nil ignores it.
	Leaked func(crdt.ActorID)
}

// trimEvery says how often freed memory is given back to the system, which glibc's
// allocator would keep: whenever documents that were closed had this many bytes,
// counted as saves and changes. In memory that is up to a thousand times as much.
const trimEvery = 256 << 10

// closed are the bytes of documents closed since the last trim.
var closed atomic.Int64

// largeAnswer is the size in bytes from which an answer's buffer is not kept.
const largeAnswer = 256 << 10

// Doc is one document in the core. It is a [crdt.Engine] and a [crdt.Forker].
type Doc struct {
	mu      sync.Mutex
	c       *C.pipes_doc // nil after Close
	tx      *writer      // the open transaction
	actor   crdt.ActorID
	opts    Options
	size    int // bytes of the save or of all changes, whichever is known
	objects objects
	cleanup runtime.Cleanup
}

var (
	_ crdt.Engine = (*Doc)(nil)
	_ crdt.Forker = (*Doc)(nil)
)

// New makes an empty document that writes as actor.
func New(actor crdt.ActorID, opts *Options) (*Doc, error) {
	return open(nil, actor, opts)
}

// Load reads what [Doc.Save] wrote. THE BYTES MUST BE OUR OWN: see the package
// documentation.
func Load(save []byte, actor crdt.ActorID, opts *Options) (*Doc, error) {
	if len(save) == 0 {
		return nil, errors.New("am: load: no bytes")
	}
	return open(save, actor, opts)
}

// setup keeps glibc's allocator from making a heap for every thread that calls C:
// Go moves goroutines between threads, and each heap keeps what was freed there,
// 30 to 40 MB after a hundred documents of 10 MB. MALLOC_ARENA_MAX overrides it.
var setup = sync.OnceFunc(func() { C.pipes_setup() })

func open(save []byte, actor crdt.ActorID, opts *Options) (*Doc, error) {
	setup()
	var c *C.pipes_doc
	got := C.pipes_open(bytePtr(save), C.size_t(len(save)), bytePtr(actor[:]), C.size_t(len(actor)), &c)
	d := wrap(c, actor, opts)
	d.size = len(save)
	if got == C.FAILED {
		err := d.failure("open")
		d.Close()
		return nil, err
	}
	return d, nil
}

func wrap(c *C.pipes_doc, actor crdt.ActorID, opts *Options) *Doc {
	d := &Doc{c: c, actor: actor, objects: newObjects()}
	if opts != nil {
		d.opts = *opts
	}
	if d.opts.Leaked != nil {
		d.cleanup = runtime.AddCleanup(d, d.opts.Leaked, actor)
	}
	return d
}

// Close frees the document's memory. Every later call, on the Doc and what it
// returned, answers [crdt.ErrClosed]; another Close does nothing.
func (d *Doc) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.c == nil {
		return nil
	}
	d.cleanup.Stop()
	d.objects.reset()
	C.pipes_close(d.c)
	d.c, d.tx = nil, nil
	if closed.Add(int64(d.size)) > trimEvery {
		Trim()
	}
	return nil
}

// Trim gives memory that documents freed back to the system now. Close does so
// from time to time.
func Trim() {
	closed.Store(0)
	C.pipes_trim()
}

// lock takes the document's lock, unless it is closed. The caller unlocks.
func (d *Doc) lock() error {
	d.mu.Lock()
	if d.c == nil {
		d.mu.Unlock()
		return crdt.ErrClosed
	}
	return nil
}

// lockIdle is lock for what must not happen during a transaction: the core
// would commit it.
func (d *Doc) lockIdle() error {
	if err := d.lock(); err != nil {
		return err
	}
	if d.tx != nil {
		d.mu.Unlock()
		return crdt.ErrBusy
	}
	return nil
}

// answer is what the last call left in the buffer: C memory, valid until the
// next call.
func (d *Doc) answer() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(d.c.buf)), int(d.c.len))
}

// take copies the answer, and frees it if it is large.
func (d *Doc) take() []byte {
	b := append([]byte{}, d.answer()...)
	d.release()
	return b
}

// release frees the buffer after a large answer.
func (d *Doc) release() {
	if d.c.cap > largeAnswer {
		C.pipes_shrink(d.c)
	}
}

// failure is the error that the core reported.
func (d *Doc) failure(what string) error {
	return fmt.Errorf("am: %s: %s", what, d.answer())
}

// bytePtr is b for C, NULL when it is empty.
func bytePtr(b []byte) *C.uint8_t {
	return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b)))
}

func strPtr(s string) *C.uint8_t {
	return (*C.uint8_t)(unsafe.Pointer(unsafe.StringData(s)))
}
