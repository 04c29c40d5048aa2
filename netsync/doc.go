// Package netsync says how replicas talk: in frames, over a connection or in a
// file, and in which order what arrives is checked.
//
// It is not a transport and not a store. It reads and writes frames, and decides
// what an arriving item is; whoever calls it keeps what it admits.
//
// # Frames
//
// A frame is an unsigned LEB128 length, in its shortest form, and so many bytes of
// dag-cbor, at most [MaxFrame]: an array whose first item is the frame's type.
//
//	begin    = [1, version, device, incarnation]
//	ops      = [2, scope, [operation, ...]]     signature and encoding of each (package acl)
//	document = [3, document item]               genesis and signature (package set)
//	run      = [4, run, cover]                  consecutive items of one chain (package set)
//	part     = [5, part, cover]                 a piece of a run larger than a frame
//	end      = [6, frames, SHA-256]
//
// Cover is the empty byte string where there is none, and of at most
// [MaxCoverBytes]. A run of several items encodes to at most half a frame less 4
// KiB, so that its headers fit a cover; only a single item may be longer, and
// travels in parts. Of its parts the last may carry the cover.
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
// operations, documents, runs and their parts. Who reads them in order never meets
// content before the rights it depends on. Among operations those of persons come
// first, by the writer's courtesy: a reader keeps what comes too early waiting.
//
// # Order of checks
//
// [Admit] is the one function that decides on arriving items, cheap checks before
// dear ones, and [AdmitDocument] on arriving documents; see there. An item is judged
// by what it names and never by who carried it.
//
// The package is pure: no clock, no randomness, no goroutines; of I/O it sees an
// io.Reader and an io.Writer.
package netsync
