// Package change is not a CRDT: it is the strict codec of Automerge's unit of
// history, the binary change (chunk types 1 and 2 of the Automerge binary
// format, https://automerge.org/automerge-binary-format-spec).
//
// A change has exactly one encoding here. [Decode] refuses everything that the
// canonical writers (the Rust core since 2023, and the JavaScript library built
// on it) would have written differently: numbers that are longer than needed,
// runs that could be merged, columns that could be left out, operation ids that
// point forward. So the hash of a change that decodes is the hash of what it
// says, and a core that stores operations and encodes them again, as Automerge's
// save does, comes back to the same hash.
//
// Which operations a writer can mean is a second question, in two parts.
// [Change.Canonical] answers what can be seen from the change alone; package
// opset answers what needs the history before it.
//
// # Cost
//
// A change is kept as its columns, not as a slice of operations: a run of
// 100,000 typed letters is a few bytes in the first three columns and its text.
// [Change.Ops] walks the columns and fills one [Op] over and over. Memory is
// bounded by the input and the limits of limits.go, never by a count that the
// input merely claims. A change of 60 bytes may well say that it holds 2^40
// operations; it is refused at the run that says so.
package change
