// The part of the Automerge core's C interface that this package uses, declared
// anew so that it builds against the static library of automerge-go alone. Types
// and signatures are those of automerge.h in automerge-go
// v0.0.0-20230903201930-b80ce8aadbb9 (automerge-c, MIT licence).
#ifndef PIPES_AUTOMERGE_H
#define PIPES_AUTOMERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct AMactorId AMactorId;
typedef struct AMchange AMchange;
typedef struct AMdoc AMdoc;
typedef struct AMitem AMitem;
typedef struct AMmark AMmark;
typedef struct AMobjId AMobjId;
typedef struct AMresult AMresult;
typedef struct AMbyteSpan { const uint8_t *src; size_t count; } AMbyteSpan;
typedef struct AMitems { uint8_t detail[8 + 8 + 8]; } AMitems;
typedef struct AMunknownValue { AMbyteSpan bytes; uint8_t type_code; } AMunknownValue;

enum { AM_OBJ_TYPE_LIST = 1, AM_OBJ_TYPE_MAP = 2, AM_OBJ_TYPE_TEXT = 3 };
typedef uint8_t AMobjType;
enum { AM_STATUS_OK = 0 };
typedef uint8_t AMstatus;
enum {
	AM_VAL_TYPE_BOOL = 1 << 2,
	AM_VAL_TYPE_BYTES = 1 << 3,
	AM_VAL_TYPE_CHANGE = 1 << 4,
	AM_VAL_TYPE_CHANGE_HASH = 1 << 5,
	AM_VAL_TYPE_COUNTER = 1 << 6,
	AM_VAL_TYPE_F64 = 1 << 8,
	AM_VAL_TYPE_INT = 1 << 9,
	AM_VAL_TYPE_NULL = 1 << 11,
	AM_VAL_TYPE_OBJ_TYPE = 1 << 12,
	AM_VAL_TYPE_STR = 1 << 13,
	AM_VAL_TYPE_TIMESTAMP = 1 << 17,
	AM_VAL_TYPE_UINT = 1 << 18,
	AM_VAL_TYPE_UNKNOWN = 1 << 19,
	AM_VAL_TYPE_VOID = 1 << 0,
};
typedef uint32_t AMvalType;
typedef uint8_t AMmarkExpand; // 1 none, 2 before, 3 after, 4 both

// Results and items.
AMstatus AMresultStatus(const AMresult *result);
AMbyteSpan AMresultError(const AMresult *result);
void AMresultFree(AMresult *result);
AMitem *AMresultItem(AMresult *result);
AMitems AMresultItems(AMresult *result);
size_t AMresultSize(const AMresult *result);
AMresult *AMresultCat(const AMresult *dest, const AMresult *src);
AMitem *AMitemsNext(AMitems *items, ptrdiff_t n);
AMvalType AMitemValType(const AMitem *item);
const AMobjId *AMitemObjId(const AMitem *item);
AMresult *AMitemResult(const AMitem *item);
bool AMitemKey(const AMitem *item, AMbyteSpan *value);
bool AMitemToActorId(const AMitem *item, const AMactorId **value);
bool AMitemToBool(const AMitem *item, bool *value);
bool AMitemToBytes(const AMitem *item, AMbyteSpan *value);
bool AMitemToChange(AMitem *item, AMchange **value);
bool AMitemToChangeHash(const AMitem *item, AMbyteSpan *value);
bool AMitemToCounter(const AMitem *item, int64_t *value);
bool AMitemToDoc(AMitem *item, AMdoc **value);
bool AMitemToF64(const AMitem *item, double *value);
bool AMitemToInt(const AMitem *item, int64_t *value);
bool AMitemToMark(const AMitem *item, const AMmark **value);
bool AMitemToStr(const AMitem *item, AMbyteSpan *value);
bool AMitemToTimestamp(const AMitem *item, int64_t *value);
bool AMitemToUint(const AMitem *item, uint64_t *value);
bool AMitemToUnknown(const AMitem *item, AMunknownValue *value);
AMresult *AMitemFromBool(bool value);
AMresult *AMitemFromBytes(const uint8_t *src, size_t count);
AMresult *AMitemFromChangeHash(AMbyteSpan value);
AMresult *AMitemFromCounter(int64_t value);
AMresult *AMitemFromF64(double value);
AMresult *AMitemFromInt(int64_t value);
AMresult *AMitemFromNull(void);
AMresult *AMitemFromStr(AMbyteSpan value);
AMresult *AMitemFromTimestamp(int64_t value);
AMresult *AMitemFromUint(uint64_t value);

// Ids and changes.
AMresult *AMactorIdFromBytes(const uint8_t *src, size_t count);
AMbyteSpan AMactorIdBytes(const AMactorId *actor_id);
const AMactorId *AMobjIdActorId(const AMobjId *obj_id);
uint64_t AMobjIdCounter(const AMobjId *obj_id);
AMobjType AMobjObjType(const AMdoc *doc, const AMobjId *obj_id);
AMresult *AMchangeFromBytes(const uint8_t *src, size_t count);
AMbyteSpan AMchangeHash(const AMchange *change);
AMbyteSpan AMchangeRawBytes(const AMchange *change);

// Documents and their history.
AMresult *AMcreate(const AMactorId *actor_id);
AMresult *AMload(const uint8_t *src, size_t count);
AMresult *AMsave(AMdoc *doc);
AMresult *AMfork(AMdoc *doc, const AMitems *heads);
AMresult *AMsetActorId(AMdoc *doc, const AMactorId *actor_id);
AMresult *AMapplyChanges(AMdoc *doc, const AMitems *items);
AMresult *AMgetChanges(AMdoc *doc, const AMitems *have_deps);
AMresult *AMgetChangeByHash(AMdoc *doc, const uint8_t *src, size_t count);
AMresult *AMgetHeads(AMdoc *doc);
AMresult *AMgetMissingDeps(AMdoc *doc, const AMitems *heads);
AMresult *AMcommit(AMdoc *doc, AMbyteSpan message, const int64_t *seconds);
AMresult *AMemptyChange(AMdoc *doc, AMbyteSpan message, const int64_t *seconds);
size_t AMpendingOps(const AMdoc *doc);
size_t AMrollback(AMdoc *doc);

// Reading and writing. A NULL object is the root, NULL heads are now.
size_t AMobjSize(const AMdoc *doc, const AMobjId *obj, const AMitems *heads);
AMresult *AMmapGet(const AMdoc *doc, const AMobjId *obj, AMbyteSpan key, const AMitems *heads);
AMresult *AMmapGetAll(const AMdoc *doc, const AMobjId *obj, AMbyteSpan key, const AMitems *heads);
AMresult *AMmapRange(const AMdoc *doc, const AMobjId *obj, AMbyteSpan begin, AMbyteSpan end, const AMitems *heads);
AMresult *AMlistGet(const AMdoc *doc, const AMobjId *obj, size_t pos, const AMitems *heads);
AMresult *AMlistGetAll(const AMdoc *doc, const AMobjId *obj, size_t pos, const AMitems *heads);
AMresult *AMlistRange(const AMdoc *doc, const AMobjId *obj, size_t begin, size_t end, const AMitems *heads);
AMresult *AMtext(const AMdoc *doc, const AMobjId *obj, const AMitems *heads);
AMresult *AMmarks(const AMdoc *doc, const AMobjId *obj, const AMitems *heads);
AMbyteSpan AMmarkName(const AMmark *mark);
AMresult *AMmarkValue(const AMmark *mark);
size_t AMmarkStart(const AMmark *mark);
size_t AMmarkEnd(const AMmark *mark);
AMresult *AMmapDelete(AMdoc *doc, const AMobjId *obj, AMbyteSpan key);
AMresult *AMmapIncrement(AMdoc *doc, const AMobjId *obj, AMbyteSpan key, int64_t value);
AMresult *AMmapPutBool(AMdoc *doc, const AMobjId *obj, AMbyteSpan key, bool value);
AMresult *AMmapPutBytes(AMdoc *doc, const AMobjId *obj, AMbyteSpan key, AMbyteSpan value);
AMresult *AMmapPutCounter(AMdoc *doc, const AMobjId *obj, AMbyteSpan key, int64_t value);
AMresult *AMmapPutNull(AMdoc *doc, const AMobjId *obj, AMbyteSpan key);
AMresult *AMmapPutObject(AMdoc *doc, const AMobjId *obj, AMbyteSpan key, AMobjType type);
AMresult *AMmapPutF64(AMdoc *doc, const AMobjId *obj, AMbyteSpan key, double value);
AMresult *AMmapPutInt(AMdoc *doc, const AMobjId *obj, AMbyteSpan key, int64_t value);
AMresult *AMmapPutStr(AMdoc *doc, const AMobjId *obj, AMbyteSpan key, AMbyteSpan value);
AMresult *AMmapPutTimestamp(AMdoc *doc, const AMobjId *obj, AMbyteSpan key, int64_t value);
AMresult *AMmapPutUint(AMdoc *doc, const AMobjId *obj, AMbyteSpan key, uint64_t value);
AMresult *AMlistDelete(AMdoc *doc, const AMobjId *obj, size_t pos);
AMresult *AMlistIncrement(AMdoc *doc, const AMobjId *obj, size_t pos, int64_t value);
AMresult *AMlistPutBool(AMdoc *doc, const AMobjId *obj, size_t pos, bool insert, bool value);
AMresult *AMlistPutBytes(AMdoc *doc, const AMobjId *obj, size_t pos, bool insert, AMbyteSpan value);
AMresult *AMlistPutCounter(AMdoc *doc, const AMobjId *obj, size_t pos, bool insert, int64_t value);
AMresult *AMlistPutF64(AMdoc *doc, const AMobjId *obj, size_t pos, bool insert, double value);
AMresult *AMlistPutInt(AMdoc *doc, const AMobjId *obj, size_t pos, bool insert, int64_t value);
AMresult *AMlistPutNull(AMdoc *doc, const AMobjId *obj, size_t pos, bool insert);
AMresult *AMlistPutObject(AMdoc *doc, const AMobjId *obj, size_t pos, bool insert, AMobjType type);
AMresult *AMlistPutStr(AMdoc *doc, const AMobjId *obj, size_t pos, bool insert, AMbyteSpan value);
AMresult *AMlistPutTimestamp(AMdoc *doc, const AMobjId *obj, size_t pos, bool insert, int64_t value);
AMresult *AMlistPutUint(AMdoc *doc, const AMobjId *obj, size_t pos, bool insert, uint64_t value);
AMresult *AMspliceText(AMdoc *doc, const AMobjId *obj, size_t pos, ptrdiff_t del, AMbyteSpan text);
AMresult *AMmarkCreate(AMdoc *doc, const AMobjId *obj, size_t start, size_t end, AMmarkExpand expand, AMbyteSpan name, const AMitem *value);
AMresult *AMmarkClear(AMdoc *doc, const AMobjId *obj, size_t start, size_t end, AMmarkExpand expand, AMbyteSpan name);

#endif
