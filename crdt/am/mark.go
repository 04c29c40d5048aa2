package am

// #include "core.h"
// #cgo noescape pipes_apply_marked
// #cgo nocallback pipes_apply_marked
import "C"

import (
	"unsafe"

	"github.com/pipes-sync/pipes/crdt"
)

// Mark is a byte of an open file that tells, after the process has died, whether it
// was the core that ended it.
type Mark struct {
	FD     uintptr
	Offset int64
}

// ApplyMarked is [Doc.Apply], and sets m's byte to 1 if the core aborts on these
// changes. A kill from outside leaves the byte as it is. The first call installs a
// handler for SIGABRT and SIGILL, which hands both on to the Go runtime's.
func (d *Doc) ApplyMarked(changes [][]byte, want []crdt.ChangeHash, m Mark) error {
	return d.apply(changes, want, func(all []byte, lens []C.uint64_t) C.int {
		return C.pipes_apply_marked(d.c, bytePtr(all), unsafe.SliceData(lens), C.size_t(len(lens)), C.int(m.FD), C.int64_t(m.Offset))
	})
}
