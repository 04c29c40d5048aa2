// What Go calls: one call per request, each of which frees every result of the
// core before it returns and leaves its answer in the document's buffer.
#ifndef PIPES_CORE_H
#define PIPES_CORE_H

#include "automerge.h"

// The numbers of crdt.Kind.
enum {
	KIND_NULL, KIND_MAP, KIND_LIST, KIND_TEXT, KIND_STRING, KIND_INT, KIND_UINT,
	KIND_FLOAT, KIND_BOOL, KIND_BYTES, KIND_TIME, KIND_COUNTER, KIND_UNKNOWN,
};

// What a request answers with, beside what is in the buffer.
enum { FAILED = -1, NONE = 0, FOUND = 1, RANGE = 2, MISMATCH = 3 };

// pipes_doc is one document. buf holds the answer of the last request: records,
// bytes, or after FAILED an error message.
typedef struct {
	AMresult *own; // keeps doc alive
	AMdoc *doc;
	uint8_t *buf;
	size_t len, cap;
} pipes_doc;

// pipes_rec is a value in the buffer. actor, key and str follow it in that order,
// then padding to a multiple of 8 bytes.
typedef struct {
	uint64_t num;            // int, uint, bool, float bits, milliseconds, counter
	uint64_t counter;        // of the id; 0 for none
	uint64_t index, end;     // a mark's start and end
	uint64_t str_len;        // string, bytes, unknown; or a mark's value
	uint32_t actor_len, key_len;
	uint32_t kind, code;     // code: type of an unknown value
} pipes_rec;

// pipes_at selects a state: hashes is n heads of 32 bytes, or NULL for now.
typedef struct {
	const uint8_t *hashes;
	size_t n;
} pipes_at;

// pipes_prop is a place in an object: a key when is_key is set.
typedef struct {
	const uint8_t *key;
	size_t key_len, index;
	bool is_key;
} pipes_prop;

// pipes_val is a value to write; kind is an object's for a new one.
typedef struct {
	uint32_t kind;
	uint64_t num;
	const uint8_t *str;
	size_t str_len;
} pipes_val;

// Documents. pipes_open and pipes_fork set *out; their own errors are in its
// buffer, so *out has to be closed in any case.
int pipes_open(const uint8_t *save, size_t len, const uint8_t *actor, size_t actor_len, pipes_doc **out);
int pipes_fork(pipes_doc *d, pipes_at at, const uint8_t *actor, size_t actor_len, pipes_doc **out);
void pipes_close(pipes_doc *d);
void pipes_shrink(pipes_doc *d);
int pipes_set_actor(pipes_doc *d, const uint8_t *actor, size_t actor_len);
int pipes_save(pipes_doc *d);
void pipes_trim(void);
void pipes_setup(void);

// History. Hashes are left as 32 bytes each, changes as an 8-byte length and
// the chunk, padded to a multiple of 8.
int pipes_heads(pipes_doc *d);
int pipes_apply(pipes_doc *d, const uint8_t *chunks, const uint64_t *lens, size_t n);
int pipes_apply_marked(pipes_doc *d, const uint8_t *chunks, const uint64_t *lens, size_t n, int fd, int64_t at);
int pipes_since(pipes_doc *d, pipes_at have);
int pipes_change(pipes_doc *d, const uint8_t *hash);
int pipes_missing(pipes_doc *d, pipes_at heads);
int pipes_commit(pipes_doc *d, const uint8_t *msg, size_t len, int64_t seconds, bool empty);
size_t pipes_pending(pipes_doc *d);
void pipes_rollback(pipes_doc *d);

// Reading. *len gets the size, records go to the buffer.
size_t pipes_size(pipes_doc *d, const AMobjId *obj, pipes_at at);
int pipes_get(pipes_doc *d, const AMobjId *obj, pipes_prop p, pipes_at at);
int pipes_all(pipes_doc *d, const AMobjId *obj, pipes_prop p, pipes_at at);
int pipes_items(pipes_doc *d, const AMobjId *obj, bool map, size_t begin, size_t end, pipes_at at);
int pipes_text(pipes_doc *d, const AMobjId *obj, pipes_at at);
int pipes_marks(pipes_doc *d, const AMobjId *obj, pipes_at at);

// pipes_handle finds the object counter@actor among the values at p and gives a
// result that keeps *out alive until it is freed, or NULL.
AMresult *pipes_handle(pipes_doc *d, const AMobjId *obj, pipes_prop p, pipes_at at,
	uint64_t counter, const uint8_t *actor, size_t actor_len, const AMobjId **out);

// Writing.
int pipes_put(pipes_doc *d, const AMobjId *obj, pipes_prop p, bool insert, pipes_val v);
int pipes_delete(pipes_doc *d, const AMobjId *obj, pipes_prop p);
int pipes_increment(pipes_doc *d, const AMobjId *obj, pipes_prop p, int64_t n);
int pipes_splice(pipes_doc *d, const AMobjId *obj, size_t pos, size_t del, const uint8_t *text, size_t len);
int pipes_mark(pipes_doc *d, const AMobjId *obj, size_t start, size_t end, uint8_t expand,
	const uint8_t *name, size_t name_len, pipes_val v);

#endif
