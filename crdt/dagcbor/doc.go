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
// There are two ways in, equally strict. [Marshal] and [Unmarshal] work by
// reflection on structs tagged `cbor:",toarray"`; Unmarshal encodes what it
// decoded and compares, so that what a Go type cannot hold exactly (a [32]byte
// field given 31 bytes) is refused. [Reader] and the Append functions serve code
// on a hot path.
//
// Only this package imports github.com/fxamacker/cbor.
package dagcbor
