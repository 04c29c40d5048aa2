package main

// #cgo CFLAGS: -I${SRCDIR}/../crdt/am
// #include "automerge.h"
// #include <stdio.h>
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
//
// enum { KEY = 16 };
//
// static AMbyteSpan key(char *buf, size_t i) { return span(buf, snprintf(buf, KEY, "key-%06zu", i)); }
//
// // keys gives a document with n keys of the numbers from 0 on, or NULL.
// static AMresult *keys(size_t n) {
// 	AMresult *own = AMcreate(NULL);
// 	AMdoc *doc = NULL;
// 	char buf[KEY];
// 	int64_t seconds = 0;
// 	if (AMresultStatus(own) != AM_STATUS_OK || !AMitemToDoc(AMresultItem(own), &doc)) {
// 		AMresultFree(own);
// 		return NULL;
// 	}
// 	for (size_t i = 0; i < n; i++) {
// 		AMresultFree(AMmapPutInt(doc, NULL, key(buf, i), (int64_t)i));
// 	}
// 	AMresultFree(AMcommit(doc, (AMbyteSpan){NULL, 0}, &seconds));
// 	return own;
// }
//
// // read_keys reads the keys, and gives how many reads were right.
// static size_t read_keys(AMresult *own, size_t n, size_t stride, size_t reads) {
// 	AMdoc *doc = NULL;
// 	char buf[KEY];
// 	size_t right = 0;
// 	AMitemToDoc(AMresultItem(own), &doc);
// 	for (size_t i = 0; i < reads; i++) {
// 		size_t at = i * stride % n;
// 		int64_t got = -1;
// 		AMresult *r = AMmapGet(doc, NULL, key(buf, at), NULL);
// 		right += AMitemToInt(AMresultItem(r), &got) && got == (int64_t)at;
// 		AMresultFree(r);
// 	}
// 	return right;
// }
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// bareSmall makes n small documents in a loop in C and answers how many bytes their
// saves have; -1 after an error.
func bareSmall(n int, title string) int64 {
	return int64(C.small(C.size_t(n), (*C.char)(unsafe.Pointer(unsafe.StringData(title))), C.size_t(len(title))))
}

// bareMap is a document of the core with n keys, which [newKeyed] has too.
type bareMap struct {
	own *C.AMresult
	n   int
}

func newBareMap(n int) (*bareMap, error) {
	own := C.keys(C.size_t(n))
	if own == nil {
		return nil, errors.New("the core makes no document")
	}
	return &bareMap{own, n}, nil
}

// read reads so many keys, each stride keys from the one before.
func (m *bareMap) read(stride, reads int) error {
	if right := int(C.read_keys(m.own, C.size_t(m.n), C.size_t(stride), C.size_t(reads))); right != reads {
		return fmt.Errorf("%d reads of %d are right", right, reads)
	}
	return nil
}

func (m *bareMap) close() { C.AMresultFree(m.own) }
