// Package storage says what is kept: sealed values under typed keys, in one
// directory per replica. It is not a database for applications and interprets
// no value: change sets, head records, snapshots and access operations are
// opaque bytes that come back as they were put, or with an error.
//
// # Directory
//
//	DIR/replica     marker: format version and kind of key provider; written last, so a
//	                directory has a replica if and only if it has this file
//	DIR/lock        locked while a process has the replica open; always empty
//	DIR/holder      who holds the lock: pid, host, since when, command
//	DIR/root.key    the root key, 0600; or DIR/passphrase.json: salt and argon2id parameters
//	DIR/journal     what is being done at this moment, see [Journal]
//	DIR/keys/       a small Pebble: one wrapped key per document, one for the store
//	DIR/data/       Pebble: everything else
//
// # Keys in data/
//
// The bars are not written; numbers are big endian; tag and alias are the first
// 16 bytes (chain and tag8: 8) of HMAC-SHA256 under a key of the store, so that
// no key tells which document, device or change set it belongs to:
//
//	d|alias|c|chain 8|seq 8|tag8    change set: id 32, value
//	d|alias|m|tag                   named record of a document, its genesis among them
//	d|alias|q|tag                   quarantined item: id 32, value
//	d|alias|s|n 8                   snapshot, derived, droppable
//	d|alias|x|tag                   index: change set id -> chain, seq (not sealed: the keys show it)
//	h|alias                         head record, dense, for scans over all documents
//	k|tag                           singleton, by name
//	o|alias|c|order 8|tag8          access operation of a scope: scope 32, id 32, value
//	o|alias|x|tag                   index: operation id -> order (not sealed)
//	p|alias|tag                     cursor of a peer in a scope: scope 32, value
//
// Everything of one document lies under d|alias and h|alias, so that one range
// delete reaches it.
//
// # Seal
//
// A value is stored as a random nonce of 24 bytes and its XChaCha20-Poly1305
// ciphertext, with the full Pebble key as associated data: a value moved to
// another key does not open. Values of a document are sealed under its own
// random key, the others under keys derived (HKDF-SHA256) from the store key.
// Document keys and store key are wrapped under the root key and lie in keys/
// alone: without them a copy of data/ is noise.
//
// # Durability and failure
//
// What [Batch.Commit] acknowledged survives a crash and a power cut. A batch is
// there whole or not at all. Commits of different goroutines share one fsync;
// there is no lock of the store around them.
//
// After an error of the disk that leaves its contents in doubt (a failed write
// or fsync of a log, say) the store is frozen as by a power cut at that moment:
// nothing more reaches the disk, and every call answers [ErrStoreFailed]. Open
// the directory again to go on. While the disk is nearly full, commits answer
// [ErrDiskFull] and reads go on; writing is possible again once there is room.
//
// A log is read up to a torn end, as a power cut leaves it. Damage further in
// is told from that and reported, except near the end (measured: in the last
// 40 KiB of 170; Pebble's note of how far a log was synced may fall behind
// further in longer ones). Damage there takes the records after it along in
// silence, acknowledged ones too. What peers know of this device reveals it.
//
// # Lifetimes
//
// A Store is safe for concurrent use; a Batch is not. Slices passed in are
// copied before the call returns; slices returned belong to the caller. An
// iteration sees the store as it was when it began. [Store.Close] waits for
// running calls and iterations, so it must not be called from inside one.
//
// The package starts no goroutines; Pebble has its own, which Close ends.
package storage
