// Package netsync says how replicas talk: in frames, over a connection or in a
// file, and in which order what arrives is checked.
//
// It is not a transport and not a store. It reads and writes frames, and decides
// what an arriving item is; whoever calls it keeps what it admits.
//
// # Frames
//
// A frame is an unsigned LEB128 length and so many bytes of dag-cbor, at most
// [MaxFrame]: an array whose first item is the frame's type.
//
//	begin    = [1, version, device, incarnation]
//	ops      = [2, scope, [operation, ...]]     signature and encoding of each (package acl)
//	document = [3, document item]               genesis and signature (package set)
//	run      = [4, run, cover]                  consecutive items of one chain (package set)
//	part     = [5, part, cover]                 a piece of a run larger than a frame
//	end      = [6, frames, SHA-256]
//
// # Bundles
//
// A bundle is a file of frames, for a stick, a mail or a mailbox. It starts with
// [BundleMagic] and a begin frame, and ends with an end frame, which counts the
// frames before it and hashes every byte before it: a bundle that was cut or
// changed on its way is refused before anything of it is used. The hash protects
// from accidents. Authenticity comes from the signatures inside, so it does not
// matter who carried a bundle or who made it.
//
// Frames come in phases, and never one of an earlier phase after one of a later:
// logs of persons, logs of other scopes, documents, runs. Who reads them in order
// never meets content before the rights it depends on.
//
// # Order of checks
//
// [Admit] is the one function that decides on arriving items, cheap checks before
// dear ones; see there.
//
// The package is pure: no clock, no randomness, no goroutines; of I/O it sees an
// io.Reader and an io.Writer.
package netsync
