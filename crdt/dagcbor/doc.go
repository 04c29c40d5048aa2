// Package dagcbor reads and writes the one encoding in which Pipes signs and
// hashes: profile A, a strict, deterministic subset of CBOR (RFC 8949) that every
// DAG-CBOR reader understands.
//
// It is not a general CBOR library. The profile has four kinds of item and
// nothing else:
//
//	integer  -2^63 .. 2^63-1, in its shortest form
//	bytes    definite length
//	text     definite length, valid UTF-8
//	array    definite length, at most [MaxArray] items, nested at most [MaxDepth] deep
//
// There are no maps, tags, floats, booleans, null or undefined (write 0 and 1,
// the empty byte string and []), and no indefinite lengths. Lengths and integers take their shortest
// form (RFC 8949 §4.2.1), so one value has one encoding, and the SHA-256 of an
// object's bytes names it.
//
// The Append functions write items and a [Reader] reads them, without reflection.
// What refuses a value that a field cannot hold exactly is the reader's own call:
// [Reader.Fixed] for ids, [Reader.Uint] with its bound. [Check] holds bytes of any
// shape against the profile.
//
// The tests hold all of it against a CBOR library.
package dagcbor
