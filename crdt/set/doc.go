// Package set is the unit of exchange: the change set, which carries 1 to 256
// Automerge changes of one device to one document, signed once and sealed once.
//
// It is not a store, a session or an access rule. It says what a change set is,
// who signed it, what it contains and where it stands among the others of its
// document; whether it counts is decided above (package acl).
//
// # Objects
//
// All objects are profile A of package dagcbor, so their ids are hashes that any
// DAG-CBOR tool can follow:
//
//	genesis = ["pipes doc", 1, scope, device, path, heads, nonce, imported root, epoch, sealed]
//	header  = ["pipes set", 1, suite, scope, doc, path, device, incarnation, seq, prev, deps,
//	           heads, epoch, kind, count, codec, payloadLen, payloadHash]
//	doc     = ["pipes doc item", 1, genesis bytes, signature]
//	item    = ["pipes item", 1, header bytes, signature or empty, payload or empty]
//	run     = ["pipes run", 1, first header bytes, [row, ...]]
//	cover   = ["pipes cover", 1, [run bytes, ...]]
//	part    = ["pipes part", 1, hash of the whole, total, index, count, bytes]
//
// A [Genesis] founds a document; its hash is the document's id. A [Set] is a
// header, byte-exact as its author wrote it, with a signature and a payload either
// of which may be absent. The hash of the header is the set's id: the signature is
// evidence, not identity. The sets of one device and incarnation are a chain, each
// naming the one before as prev; the first names the document.
//
// # Signatures
//
// Ed25519 over "pipes change set v1\x00" || id, and for a genesis over
// "pipes document v1\x00" || id. Valid is exactly what crypto/ed25519 of the Go
// standard library accepts: RFC 8032 §5.1.7 without the cofactor, S below the group
// order, a key that is not canonical or of small order included (see the vectors).
//
// prev commits a signature to everything before it in its chain, so one signature
// covers the items before it: [Authenticate], [Cover].
//
// # Payloads
//
// A payload is 24 bytes of nonce and XChaCha20-Poly1305 under the content key,
// with the header, payloadLen and payloadHash zeroed, as associated data. The
// plaintext is a 4-byte length, the coded content and zeros up to a PADME bucket.
// Content is a time and the changes; a [Coder] codes, seals and opens it. What an
// opened payload must hold is checked by [CheckContent]; an item that fails is
// inert: it stays in its chain and contributes nothing.
//
// # Graph
//
// A [Graph] is the DAG of one document's headers, without payloads: forks, tips,
// who precedes whom, and what another replica lacks.
package set
