#include "buffer.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

void pipes_shrink(pipes_doc *d) {
	free(d->buf);
	d->buf = NULL;
	d->len = d->cap = 0;
}

void pipes_setup(void) {
#ifdef __GLIBC__
	if (!getenv("MALLOC_ARENA_MAX")) {
		mallopt(M_ARENA_MAX, 2);
	}
#endif
}

void pipes_trim(void) {
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

// Documents.

static int adopt(pipes_doc *d, AMresult *r) {
	if (AMresultStatus(r) != AM_STATUS_OK) {
		return done(d, r);
	}
	d->own = r;
	AMitemToDoc(AMresultItem(r), &d->doc);
	return NONE;
}

static pipes_doc *new_doc(void) {
	pipes_doc *d = calloc(1, sizeof *d);
	if (!d) {
		abort();
	}
	return d;
}

int pipes_set_actor(pipes_doc *d, const uint8_t *actor, size_t actor_len) {
	AMresult *r = AMactorIdFromBytes(actor, actor_len);
	const AMactorId *id;
	if (AMresultStatus(r) != AM_STATUS_OK || !AMitemToActorId(AMresultItem(r), &id)) {
		return done(d, r);
	}
	int got = done(d, AMsetActorId(d->doc, id));
	AMresultFree(r);
	return got;
}

int pipes_open(const uint8_t *save, size_t len, const uint8_t *actor, size_t actor_len, pipes_doc **out) {
	pipes_doc *d = *out = new_doc();
	if (adopt(d, save ? AMload(save, len) : AMcreate(NULL)) == FAILED) {
		return FAILED;
	}
	return pipes_set_actor(d, actor, actor_len);
}

int pipes_fork(pipes_doc *d, pipes_at at, const uint8_t *actor, size_t actor_len, pipes_doc **out) {
	pipes_doc *e = *out = new_doc();
	heads h;
	select_heads(&h, at);
	int got = adopt(e, AMfork(d->doc, h.p));
	free_heads(&h);
	return got == FAILED ? got : pipes_set_actor(e, actor, actor_len);
}

void pipes_close(pipes_doc *d) {
	if (d->own) {
		AMresultFree(d->own);
	}
	free(d->buf);
	free(d);
}

int pipes_save(pipes_doc *d) {
	d->len = 0;
	AMresult *r = AMsave(d->doc);
	AMbyteSpan s;
	if (AMresultStatus(r) == AM_STATUS_OK && AMitemToBytes(AMresultItem(r), &s)) {
		append(d, s);
	}
	return done(d, r);
}

// History.

static int put_hashes(pipes_doc *d, AMresult *r) {
	d->len = 0;
	AMitems items = AMresultItems(r);
	AMbyteSpan s;
	for (AMitem *i; (i = AMitemsNext(&items, 1));) {
		if (AMitemToChangeHash(i, &s)) {
			append(d, s);
		}
	}
	return done(d, r);
}

int pipes_heads(pipes_doc *d) { return put_hashes(d, AMgetHeads(d->doc)); }

int pipes_missing(pipes_doc *d, pipes_at want) {
	heads h;
	select_heads(&h, want);
	int got = put_hashes(d, AMgetMissingDeps(d->doc, h.p));
	free_heads(&h);
	return got;
}

// parse reads the chunks into one result. Joining results copies them, so they
// are joined like the digits of a binary number: each is copied log(n) times.
static AMresult *parse(pipes_doc *d, const uint8_t *chunks, const uint64_t *lens, size_t n) {
	AMresult *digits[64] = {0}, *all = NULL;
	int failure = NONE;
	for (size_t i = 0; i < n && failure == NONE; chunks += lens[i++]) {
		AMresult *r = AMchangeFromBytes(chunks, lens[i]);
		if (AMresultStatus(r) != AM_STATUS_OK) {
			failure = done(d, r);
			break;
		}
		int k = 0;
		for (; digits[k]; k++) {
			AMresult *both = AMresultCat(digits[k], r);
			AMresultFree(digits[k]);
			AMresultFree(r);
			digits[k] = NULL;
			r = both;
		}
		digits[k] = r;
	}
	for (int k = 0; k < 64; k++) {
		if (!digits[k]) {
			continue;
		}
		if (all) {
			AMresult *both = AMresultCat(digits[k], all);
			AMresultFree(digits[k]);
			AMresultFree(all);
			all = both;
		} else {
			all = digits[k];
		}
	}
	if (failure != NONE && all) {
		AMresultFree(all);
		all = NULL;
	}
	return all;
}

int pipes_apply(pipes_doc *d, const uint8_t *chunks, const uint64_t *lens, size_t n) {
	AMresult *r = parse(d, chunks, lens, n);
	if (!r) {
		return FAILED;
	}
	AMitems items = AMresultItems(r);
	int got = done(d, AMapplyChanges(d->doc, &items));
	AMresultFree(r);
	return got;
}

static void put_change(pipes_doc *d, AMitem *i) {
	AMchange *c;
	if (i && AMitemToChange(i, &c)) {
		AMbyteSpan s = AMchangeRawBytes(c);
		uint64_t n = s.count;
		append(d, (AMbyteSpan){(uint8_t *)&n, sizeof n});
		append(d, s);
		pad(d);
	}
}

int pipes_since(pipes_doc *d, pipes_at have) {
	heads h;
	select_heads(&h, have);
	AMresult *r = AMgetChanges(d->doc, h.p);
	free_heads(&h);
	d->len = 0;
	AMitems items = AMresultItems(r);
	for (AMitem *i; (i = AMitemsNext(&items, 1));) {
		put_change(d, i);
	}
	return done(d, r);
}

int pipes_change(pipes_doc *d, const uint8_t *hash) {
	AMresult *r = AMgetChangeByHash(d->doc, hash, 32);
	d->len = 0;
	put_change(d, AMresultItem(r));
	return done(d, r);
}

int pipes_commit(pipes_doc *d, const uint8_t *msg, size_t len, int64_t seconds, bool empty) {
	AMbyteSpan message = {len ? msg : NULL, len};
	AMresult *r = (empty ? AMemptyChange : AMcommit)(d->doc, message, &seconds);
	d->len = 0;
	AMbyteSpan hash;
	if (AMresultStatus(r) == AM_STATUS_OK && AMitemToChangeHash(AMresultItem(r), &hash)) {
		AMresult *c = AMgetChangeByHash(d->doc, hash.src, hash.count);
		append(d, hash);
		put_change(d, AMresultItem(c));
		AMresultFree(c);
	}
	return done(d, r);
}

size_t pipes_pending(pipes_doc *d) { return AMpendingOps(d->doc); }

void pipes_rollback(pipes_doc *d) { AMrollback(d->doc); }
