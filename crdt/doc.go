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
//
// # Reading and writing
//
// A [View] reads one state of a document through paths, a [Tx] writes through
// them. Both stand on an engine's [Reader] and [Writer], which know objects by
// id. Who calls [Engine.Begin] commits, or rolls back when anything failed:
//
//	w, err := engine.Begin()
//	...
//	tx := crdt.NewTx(w)
//	if err := tx.Set(crdt.At("title"), "hello"); err != nil {
//		w.Rollback()
//		return err
//	}
//	change, err := w.Commit("", seconds)
//
// # Struct mapping
//
// [View.Read] and [Tx.WriteDiff] map Go values to documents: structs and maps
// with string keys to maps, slices to lists, string to text, []byte to bytes,
// integers to int64 (uint64 above its range), floats to float64, bool to bool,
// [time.Time] to a time in milliseconds, nil to null, [Counter] to a counter,
// [Scalar] and types with a text form (encoding.TextMarshaler) to immutable
// strings. Reading accepts any number that the field holds without loss, so a
// float64 without fraction fits an int. A struct's fields are named by tags:
//
//	Title string   `automerge:"title"`               // a text
//	Color string   `automerge:"color,scalar"`        // an immutable string
//	Likes int      `automerge:"likes,counter"`
//	Tags  []string `automerge:"tags,list,omitempty"`  // absent when empty
//	Cache any      `automerge:"-"`                   // not in the document
//
// The options text, list and map name what such a field is anyway; list also
// makes a []byte a list of integers. Fields of embedded structs count as the
// struct's own. What a document has and the struct does not is left alone.
package crdt
