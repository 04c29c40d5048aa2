package main

// #cgo CFLAGS: -I${SRCDIR}/../crdt/am
// #include "automerge.h"
//
// static AMbyteSpan span(const char *s, size_t n) { return (AMbyteSpan){(const uint8_t *)s, n}; }
//
// // small makes n documents with a title and a number, one after the other: made,
// // written, committed, saved and freed. It gives the bytes of all saves, or -1.
// static int64_t small(size_t n, const char *title, size_t len) {
// 	int64_t seconds = 0, total = 0;
// 	for (size_t i = 0; i < n; i++) {
// 		AMresult *own = AMcreate(NULL), *made, *save;
// 		AMdoc *doc = NULL;
// 		AMbyteSpan bytes;
// 		if (AMresultStatus(own) != AM_STATUS_OK || !AMitemToDoc(AMresultItem(own), &doc)) {
// 			AMresultFree(own);
// 			return -1;
// 		}
// 		made = AMmapPutObject(doc, NULL, span("title", 5), AM_OBJ_TYPE_TEXT);
// 		AMresultFree(AMspliceText(doc, AMitemObjId(AMresultItem(made)), 0, 0, span(title, len)));
// 		AMresultFree(AMmapPutInt(doc, NULL, span("n", 1), (int64_t)i));
// 		AMresultFree(AMcommit(doc, (AMbyteSpan){NULL, 0}, &seconds));
// 		save = AMsave(doc);
// 		if (!AMitemToBytes(AMresultItem(save), &bytes)) {
// 			total = INT64_MIN; // stays below zero
// 		} else {
// 			total += (int64_t)bytes.count;
// 		}
// 		AMresultFree(save);
// 		AMresultFree(made);
// 		AMresultFree(own);
// 	}
// 	return total < 0 ? -1 : total;
// }
import "C"

import "unsafe"

// bareSmall makes n small documents in a loop in C and answers how many bytes their
// saves have; -1 after an error.
func bareSmall(n int, title string) int64 {
	return int64(C.small(C.size_t(n), (*C.char)(unsafe.Pointer(unsafe.StringData(title))), C.size_t(len(title))))
}
