// What core.c and values.c share.
#ifndef PIPES_BUFFER_H
#define PIPES_BUFFER_H

#include "core.h"

#include <stdlib.h>
#include <string.h>

static inline AMbyteSpan span(const uint8_t *src, size_t count) {
	// The core takes NULL for "none"; an empty string is none of that.
	return (AMbyteSpan){src ? src : (const uint8_t *)"", count};
}

// The buffer.

static inline uint8_t *grow(pipes_doc *d, size_t n) {
	if (d->cap - d->len < n) {
		size_t cap = d->cap * 2 > d->len + n ? d->cap * 2 : d->len + n;
		uint8_t *p = realloc(d->buf, cap);
		if (!p) {
			abort();
		}
		d->buf = p;
		d->cap = cap;
	}
	uint8_t *at = d->buf + d->len;
	d->len += n;
	return at;
}

static inline void append(pipes_doc *d, AMbyteSpan s) {
	if (s.count) {
		memcpy(grow(d, s.count), s.src, s.count);
	}
}

static inline void pad(pipes_doc *d) {
	size_t n = -d->len & 7;
	memset(grow(d, n), 0, n);
}

static inline int fail(pipes_doc *d, AMbyteSpan message) {
	d->len = 0;
	append(d, message);
	return FAILED;
}

static inline int failed(pipes_doc *d, const AMresult *r) {
	return fail(d, AMresultError(r));
}

// done frees r and says whether it was an error.
static inline int done(pipes_doc *d, AMresult *r) {
	int got = AMresultStatus(r) == AM_STATUS_OK ? NONE : failed(d, r);
	AMresultFree(r);
	return got;
}

// Heads.

// hashes makes a result of n hashes; it is NULL when the core refuses one.
static inline AMresult *hashes(const uint8_t *src, size_t n) {
	AMresult *all = NULL;
	for (size_t i = 0; i < n; i++) {
		AMresult *one = AMitemFromChangeHash(span(src + 32 * i, 32));
		if (!all) {
			all = one;
			continue;
		}
		AMresult *both = AMresultCat(all, one);
		AMresultFree(all);
		AMresultFree(one);
		all = both;
	}
	return all;
}

// heads is a state as the core wants it: p is NULL for now.
typedef struct {
	AMresult *own;
	AMitems items;
	const AMitems *p;
} heads;

static inline void select_heads(heads *h, pipes_at at) {
	memset(h, 0, sizeof *h);
	if (!at.hashes) {
		return;
	}
	h->own = hashes(at.hashes, at.n);
	if (h->own) {
		h->items = AMresultItems(h->own);
	}
	h->p = &h->items; // zeroed items are the empty set
}

static inline void free_heads(heads *h) {
	if (h->own) {
		AMresultFree(h->own);
	}
}

#endif
