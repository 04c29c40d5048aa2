#include "buffer.h"

// Reading.

// put_value fills rec from item and gives what has to follow the record: the
// content of a string. Objects get the kind of the object.
static AMbyteSpan put_value(pipes_doc *d, pipes_rec *rec, const AMitem *item) {
	AMbyteSpan s = {NULL, 0};
	bool b;
	int64_t n;
	double f;
	AMunknownValue u;
	switch (AMitemValType(item)) {
	case AM_VAL_TYPE_STR:
		rec->kind = KIND_STRING;
		AMitemToStr(item, &s);
		break;
	case AM_VAL_TYPE_INT:
		rec->kind = KIND_INT;
		AMitemToInt(item, &n);
		rec->num = n;
		break;
	case AM_VAL_TYPE_UINT:
		rec->kind = KIND_UINT;
		AMitemToUint(item, &rec->num);
		break;
	case AM_VAL_TYPE_F64:
		rec->kind = KIND_FLOAT;
		AMitemToF64(item, &f);
		memcpy(&rec->num, &f, sizeof f);
		break;
	case AM_VAL_TYPE_BOOL:
		rec->kind = KIND_BOOL;
		AMitemToBool(item, &b);
		rec->num = b;
		break;
	case AM_VAL_TYPE_BYTES:
		rec->kind = KIND_BYTES;
		AMitemToBytes(item, &s);
		break;
	case AM_VAL_TYPE_TIMESTAMP:
		rec->kind = KIND_TIME;
		AMitemToTimestamp(item, &n);
		rec->num = n;
		break;
	case AM_VAL_TYPE_COUNTER:
		rec->kind = KIND_COUNTER;
		AMitemToCounter(item, &n);
		rec->num = n;
		break;
	case AM_VAL_TYPE_UNKNOWN:
		rec->kind = KIND_UNKNOWN;
		AMitemToUnknown(item, &u);
		rec->code = u.type_code;
		s = u.bytes;
		break;
	case AM_VAL_TYPE_OBJ_TYPE:
		switch (AMobjObjType(d->doc, AMitemObjId(item))) {
		case AM_OBJ_TYPE_LIST: rec->kind = KIND_LIST; break;
		case AM_OBJ_TYPE_TEXT: rec->kind = KIND_TEXT; break;
		default: rec->kind = KIND_MAP;
		}
		break;
	default:
		rec->kind = KIND_NULL;
	}
	return s;
}

// put_rec appends item, its id and key. index and end are a mark's.
static void put_rec(pipes_doc *d, const AMitem *item, AMbyteSpan key, uint64_t index, uint64_t end) {
	pipes_rec rec = {.index = index, .end = end};
	AMbyteSpan actor = {NULL, 0}, s = put_value(d, &rec, item);
	const AMobjId *id = AMitemObjId(item);
	if (id) {
		rec.counter = AMobjIdCounter(id);
		actor = AMactorIdBytes(AMobjIdActorId(id));
	}
	rec.actor_len = actor.count;
	rec.key_len = key.count;
	rec.str_len = s.count;
	append(d, (AMbyteSpan){(const uint8_t *)&rec, sizeof rec});
	append(d, actor);
	append(d, key);
	append(d, s);
	pad(d);
}

// put_items appends every value of r, which it frees.
static int put_items(pipes_doc *d, AMresult *r) {
	d->len = 0;
	AMitems items = AMresultItems(r);
	int got = NONE;
	for (AMitem *i; (i = AMitemsNext(&items, 1));) {
		if (AMitemValType(i) == AM_VAL_TYPE_VOID) {
			continue;
		}
		AMbyteSpan key = {NULL, 0};
		AMitemKey(i, &key);
		put_rec(d, i, key, 0, 0);
		got = FOUND;
	}
	return done(d, r) == FAILED ? FAILED : got;
}

size_t pipes_size(pipes_doc *d, const AMobjId *obj, pipes_at at) {
	heads h;
	select_heads(&h, at);
	size_t n = AMobjSize(d->doc, obj, h.p);
	free_heads(&h);
	return n;
}

int pipes_get(pipes_doc *d, const AMobjId *obj, pipes_prop p, pipes_at at) {
	heads h;
	select_heads(&h, at);
	AMresult *r = p.is_key ? AMmapGet(d->doc, obj, span(p.key, p.key_len), h.p)
	                       : AMlistGet(d->doc, obj, p.index, h.p);
	int got = put_items(d, r);
	if (got == FAILED && !p.is_key && p.index >= AMobjSize(d->doc, obj, h.p)) {
		got = NONE;
	}
	free_heads(&h);
	return got;
}

static AMresult *all(pipes_doc *d, const AMobjId *obj, pipes_prop p, const heads *h) {
	return p.is_key ? AMmapGetAll(d->doc, obj, span(p.key, p.key_len), h->p)
	                : AMlistGetAll(d->doc, obj, p.index, h->p);
}

int pipes_all(pipes_doc *d, const AMobjId *obj, pipes_prop p, pipes_at at) {
	heads h;
	select_heads(&h, at);
	int got = put_items(d, all(d, obj, p, &h));
	if (got == FAILED && !p.is_key && p.index >= AMobjSize(d->doc, obj, h.p)) {
		got = NONE;
	}
	free_heads(&h);
	return got;
}

int pipes_items(pipes_doc *d, const AMobjId *obj, bool map, size_t begin, size_t end, pipes_at at) {
	heads h;
	select_heads(&h, at);
	AMbyteSpan none = {NULL, 0};
	int got = put_items(d, map ? AMmapRange(d->doc, obj, none, none, h.p)
	                           : AMlistRange(d->doc, obj, begin, end, h.p));
	free_heads(&h);
	return got;
}

int pipes_text(pipes_doc *d, const AMobjId *obj, pipes_at at) {
	heads h;
	select_heads(&h, at);
	AMresult *r = AMtext(d->doc, obj, h.p);
	d->len = 0;
	AMbyteSpan s;
	if (AMresultStatus(r) == AM_STATUS_OK && AMitemToStr(AMresultItem(r), &s)) {
		append(d, s);
	}
	free_heads(&h);
	return done(d, r);
}

int pipes_marks(pipes_doc *d, const AMobjId *obj, pipes_at at) {
	heads h;
	select_heads(&h, at);
	AMresult *r = AMmarks(d->doc, obj, h.p);
	d->len = 0;
	AMitems items = AMresultItems(r);
	const AMmark *m = (const AMmark *)d; // the core leaves a NULL as it is
	for (AMitem *i; (i = AMitemsNext(&items, 1));) {
		if (AMitemToMark(i, &m)) {
			AMresult *v = AMmarkValue(m);
			put_rec(d, AMresultItem(v), AMmarkName(m), AMmarkStart(m), AMmarkEnd(m));
			AMresultFree(v);
		}
	}
	free_heads(&h);
	return done(d, r);
}

AMresult *pipes_handle(pipes_doc *d, const AMobjId *obj, pipes_prop p, pipes_at at,
	uint64_t counter, const uint8_t *actor, size_t actor_len, const AMobjId **out) {
	heads h;
	select_heads(&h, at);
	AMresult *r = all(d, obj, p, &h), *own = NULL;
	free_heads(&h);
	AMitems items = AMresultItems(r);
	for (AMitem *i; !own && (i = AMitemsNext(&items, 1));) {
		const AMobjId *id = AMitemObjId(i);
		if (AMitemValType(i) != AM_VAL_TYPE_OBJ_TYPE || AMobjIdCounter(id) != counter) {
			continue;
		}
		AMbyteSpan a = AMactorIdBytes(AMobjIdActorId(id));
		if (a.count == actor_len && memcmp(a.src, actor, actor_len) == 0) {
			own = AMitemResult(i);
			*out = AMitemObjId(AMresultItem(own));
		}
	}
	AMresultFree(r);
	return own;
}

// Writing.

static AMobjType obj_type(uint32_t kind) {
	switch (kind) {
	case KIND_LIST: return AM_OBJ_TYPE_LIST;
	case KIND_TEXT: return AM_OBJ_TYPE_TEXT;
	}
	return AM_OBJ_TYPE_MAP;
}

static double as_float(uint64_t bits) {
	double f;
	memcpy(&f, &bits, sizeof f);
	return f;
}

static AMresult *map_put(AMdoc *doc, const AMobjId *obj, AMbyteSpan key, pipes_val v) {
	switch (v.kind) {
	case KIND_STRING: return AMmapPutStr(doc, obj, key, span(v.str, v.str_len));
	case KIND_INT: return AMmapPutInt(doc, obj, key, v.num);
	case KIND_UINT: return AMmapPutUint(doc, obj, key, v.num);
	case KIND_FLOAT: return AMmapPutF64(doc, obj, key, as_float(v.num));
	case KIND_BOOL: return AMmapPutBool(doc, obj, key, v.num);
	case KIND_BYTES: return AMmapPutBytes(doc, obj, key, span(v.str, v.str_len));
	case KIND_TIME: return AMmapPutTimestamp(doc, obj, key, v.num);
	case KIND_COUNTER: return AMmapPutCounter(doc, obj, key, v.num);
	case KIND_NULL: return AMmapPutNull(doc, obj, key);
	}
	return AMmapPutObject(doc, obj, key, obj_type(v.kind));
}

static AMresult *list_put(AMdoc *doc, const AMobjId *obj, size_t i, bool insert, pipes_val v) {
	switch (v.kind) {
	case KIND_STRING: return AMlistPutStr(doc, obj, i, insert, span(v.str, v.str_len));
	case KIND_INT: return AMlistPutInt(doc, obj, i, insert, v.num);
	case KIND_UINT: return AMlistPutUint(doc, obj, i, insert, v.num);
	case KIND_FLOAT: return AMlistPutF64(doc, obj, i, insert, as_float(v.num));
	case KIND_BOOL: return AMlistPutBool(doc, obj, i, insert, v.num);
	case KIND_BYTES: return AMlistPutBytes(doc, obj, i, insert, span(v.str, v.str_len));
	case KIND_TIME: return AMlistPutTimestamp(doc, obj, i, insert, v.num);
	case KIND_COUNTER: return AMlistPutCounter(doc, obj, i, insert, v.num);
	case KIND_NULL: return AMlistPutNull(doc, obj, i, insert);
	}
	return AMlistPutObject(doc, obj, i, insert, obj_type(v.kind));
}

int pipes_put(pipes_doc *d, const AMobjId *obj, pipes_prop p, bool insert, pipes_val v) {
	if (p.is_key) {
		return put_items(d, map_put(d->doc, obj, span(p.key, p.key_len), v));
	}
	if (p.index >= AMobjSize(d->doc, obj, NULL) + insert) {
		return RANGE;
	}
	return put_items(d, list_put(d->doc, obj, p.index, insert, v));
}

int pipes_delete(pipes_doc *d, const AMobjId *obj, pipes_prop p) {
	if (p.is_key) {
		return done(d, AMmapDelete(d->doc, obj, span(p.key, p.key_len)));
	}
	if (p.index >= AMobjSize(d->doc, obj, NULL)) {
		return RANGE;
	}
	return done(d, AMlistDelete(d->doc, obj, p.index));
}

int pipes_increment(pipes_doc *d, const AMobjId *obj, pipes_prop p, int64_t n) {
	pipes_at now = {NULL, 0};
	int got = pipes_get(d, obj, p, now);
	if (got != FOUND || ((pipes_rec *)d->buf)->kind != KIND_COUNTER) {
		return got == FAILED ? FAILED : MISMATCH;
	}
	return done(d, p.is_key ? AMmapIncrement(d->doc, obj, span(p.key, p.key_len), n)
	                        : AMlistIncrement(d->doc, obj, p.index, n));
}

int pipes_splice(pipes_doc *d, const AMobjId *obj, size_t pos, size_t del, const uint8_t *text, size_t len) {
	size_t size = AMobjSize(d->doc, obj, NULL);
	if (pos > size || del > size - pos) {
		return RANGE;
	}
	return done(d, AMspliceText(d->doc, obj, pos, del, span(text, len)));
}

static AMresult *item(pipes_val v) {
	switch (v.kind) {
	case KIND_STRING: return AMitemFromStr(span(v.str, v.str_len));
	case KIND_INT: return AMitemFromInt(v.num);
	case KIND_UINT: return AMitemFromUint(v.num);
	case KIND_FLOAT: return AMitemFromF64(as_float(v.num));
	case KIND_BOOL: return AMitemFromBool(v.num);
	case KIND_BYTES: return AMitemFromBytes(span(v.str, v.str_len).src, v.str_len);
	case KIND_TIME: return AMitemFromTimestamp(v.num);
	case KIND_COUNTER: return AMitemFromCounter(v.num);
	}
	return AMitemFromNull();
}

int pipes_mark(pipes_doc *d, const AMobjId *obj, size_t start, size_t end, uint8_t expand,
	const uint8_t *name, size_t name_len, pipes_val v) {
	if (start >= end || end > AMobjSize(d->doc, obj, NULL)) {
		return RANGE;
	}
	if (v.kind == KIND_NULL) {
		return done(d, AMmarkClear(d->doc, obj, start, end, expand, span(name, name_len)));
	}
	AMresult *r = item(v);
	int got = done(d, AMmarkCreate(d->doc, obj, start, end, expand, span(name, name_len), AMresultItem(r)));
	AMresultFree(r);
	return got;
}
