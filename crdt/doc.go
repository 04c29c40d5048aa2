// Package crdt says what travels: the identifiers of documents, devices, scopes,
// changes and change sets, and the document API that applications read and write
// through.
//
// It is not a CRDT implementation. An [Engine] holds the operations of one
// document; [github.com/pipes-sync/pipes/crdt/am] binds the Automerge core.
// Everything written once for every engine lives here: paths, transactions,
// conversion of Go values, JSON, text index units.
//
// The package is pure: no clock, no randomness, no goroutines, no I/O.
package crdt
