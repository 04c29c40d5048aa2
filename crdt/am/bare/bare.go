// Package bare is the Automerge core called from a loop in C, without Go in
// between. It is no engine: it exists to be measured beside crdt/am.
package bare

// #cgo CFLAGS: -I${SRCDIR}/..
// #include "automerge.h"
// #include <stdlib.h>
//
// static AMbyteSpan name(const char *s, size_t n) { return (AMbyteSpan){(const uint8_t *)s, n}; }
//
// // replay types n edits into a text, committing after every group of them, and
// // gives the length of the text, or -1 after an error.
// static int64_t replay(const uint32_t *pos, const uint32_t *del, const uint32_t *len, const uint8_t *text, size_t n, size_t group) {
// 	AMresult *own = AMcreate(NULL), *made;
// 	AMdoc *doc = NULL;
// 	int64_t seconds = 0, size = -1;
// 	if (AMresultStatus(own) != AM_STATUS_OK || !AMitemToDoc(AMresultItem(own), &doc)) {
// 		AMresultFree(own);
// 		return -1;
// 	}
// 	made = AMmapPutObject(doc, NULL, name("text", 4), AM_OBJ_TYPE_TEXT);
// 	const AMobjId *obj = AMitemObjId(AMresultItem(made));
// 	int bad = 0;
// 	for (size_t i = 0; i < n; i++) {
// 		AMresult *r = AMspliceText(doc, obj, pos[i], del[i], (AMbyteSpan){text, len[i]});
// 		bad |= AMresultStatus(r) != AM_STATUS_OK;
// 		AMresultFree(r);
// 		text += len[i];
// 		if ((i + 1) % group == 0 || i + 1 == n) {
// 			AMresultFree(AMcommit(doc, (AMbyteSpan){NULL, 0}, &seconds));
// 		}
// 	}
// 	if (!bad) {
// 		size = AMobjSize(doc, obj, NULL);
// 	}
// 	AMresultFree(made);
// 	AMresultFree(own);
// 	return size;
// }
import "C"

import (
	"unsafe"

	_ "github.com/automerge/automerge-go" // links the core's static library
)

// Edits is a trace: edit i deletes Del[i] code points at Pos[i] and inserts the
// next Len[i] bytes of Text there.
type Edits struct {
	Pos, Del, Len []uint32
	Text          []byte
}

// Replay types the edits into an empty text, commits after every group of them,
// frees the document, and gives the length of the text; -1 after an error.
func Replay(e Edits, group int) int64 {
	ptr := func(s []uint32) *C.uint32_t { return (*C.uint32_t)(unsafe.Pointer(unsafe.SliceData(s))) }
	text := (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(e.Text)))
	return int64(C.replay(ptr(e.Pos), ptr(e.Del), ptr(e.Len), text, C.size_t(len(e.Pos)), C.size_t(group)))
}
