package crdt

import "iter"

// Engine holds the operations of one document. The methods of an Engine and of
// everything it returns may be called by several goroutines; each call sees the
// document between two operations of the others. After Close every method
// answers [ErrClosed].
//
// While a [Writer] is open, all methods but At, Begin and Close answer
// [ErrBusy]. The suite in crdt/enginetest says what an engine has to do.
type Engine interface {
	History

	// At reads the document as it was at heads, or with nil as it is: such a
	// Reader follows the document, and sees what an open transaction wrote.
	// Heads that the document has not seen are an error ([ErrNoChange]).
	At(heads []ChangeHash) (Reader, error)
	// Begin opens the document's one transaction. A second is [ErrBusy].
	Begin() (Writer, error)
	// Save gives the whole document in Automerge's file format.
	Save() ([]byte, error)
	// Close gives back the document's memory. An open transaction is lost.
	// Closing twice is not an error.
	Close() error
}

// History is the document as a set of changes.
type History interface {
	// Heads are the changes that no other change depends on, sorted.
	Heads() ([]ChangeHash, error)
	// Apply adds changes, as uncompressed chunks in any order, and then compares
	// the heads with want. Changes that the document has are skipped. Unless
	// want is nil, heads that differ are a *[HeadsError]: then the engine's
	// state must be thrown away.
	Apply(changes [][]byte, want []ChangeHash) error
	// Since gives the changes that are neither among have nor before them, each
	// after those it depends on. Hashes that the document has not seen are ignored.
	Since(have []ChangeHash) ([][]byte, error)
	// Change gives the change h as an uncompressed chunk, or [ErrNoChange].
	Change(h ChangeHash) ([]byte, error)
	// Missing gives the changes that are still needed before the document holds
	// heads and everything it was given, sorted.
	Missing(heads []ChangeHash) ([]ChangeHash, error)
}

// Forker is the second, optional half of an [Engine].
type Forker interface {
	// Fork copies the document as it was at heads, nil meaning now. The copy
	// writes as actor.
	Fork(heads []ChangeHash, actor ActorID) (Engine, error)
	// Actor writes the document's local changes.
	Actor() ActorID
	// SetActor says who writes from now on.
	SetActor(ActorID) error
	// EmptyChange writes a change without operations, which depends on all heads.
	EmptyChange(message string, seconds int64) (Change, error)
}

// Prop is a place in an object: in a map Key counts, in a list Index.
type Prop struct {
	Key   string
	Index int
}

// Entry is one value in a map or a list, and its place there.
type Entry struct {
	Prop
	Value Value
}

// Info is an object's kind and its number of keys, items or code points.
type Info struct {
	Kind Kind
	Len  int
}

// Mark is an annotation on the code points Start to End-1 of a text.
type Mark struct {
	Start, End int
	Name       string
	Value      Value
}

// Expand says whether text inserted at a mark's border becomes part of it.
type Expand uint8

const (
	ExpandAfter  Expand = iota // at its end, like bold: what editors expect
	ExpandBefore               // at its start
	ExpandBoth                 // at both
	ExpandNone                 // at neither, like a link
)

// Reader reads one state of a document. Ids that the document does not have are
// [ErrNoObject], an object of the wrong kind is [ErrType]. An object that was made
// after the state which is read is either empty or [ErrNoObject].
type Reader interface {
	ObjectReader
	TextReader
}

// ObjectReader reads maps and lists.
type ObjectReader interface {
	// Info describes an object.
	Info(obj ObjID) (Info, error)
	// Get gives the winning value at p, and whether there is one.
	Get(obj ObjID, p Prop) (Value, bool, error)
	// Conflicts gives all values at p, the winner first, then by falling id.
	Conflicts(obj ObjID, p Prop) ([]Value, error)
	// Entries gives the values in obj, by key in byte order or by index. The
	// object must not be written to meanwhile.
	Entries(obj ObjID) iter.Seq2[Entry, error]
}

// TextReader reads texts.
type TextReader interface {
	// Text gives the whole text. An item that is no string reads as U+FFFC.
	Text(obj ObjID) (string, error)
	// Marks gives a text's marks by start, end and name.
	Marks(obj ObjID) ([]Mark, error)
}

// Writer is an open transaction. Operations that fail leave no trace. Reading
// sees what was written. Commit and Rollback end it; afterwards every method
// answers [ErrDone]. Ids of what was made before a Rollback must not be used
// again: the next transaction may give them to something else.
type Writer interface {
	Reader
	ObjectWriter
	TextWriter

	// Ops counts the operations so far.
	Ops() (int, error)
	// Commit makes them one change, with a time in seconds since 1970. Without
	// operations there is no change, and the one returned is zero.
	Commit(message string, seconds int64) (Change, error)
	// Rollback undoes them.
	Rollback() error
}

// ObjectWriter writes into maps and lists. A value that is an object makes a
// new, empty one, and its id is returned; for scalars the id is zero.
type ObjectWriter interface {
	// Put replaces what is at p. In a list p must exist ([ErrRange]).
	Put(obj ObjID, p Prop, v Value) (ObjID, error)
	// Insert puts v before index in a list; index may be its length.
	Insert(obj ObjID, index int, v Value) (ObjID, error)
	// Delete removes what is at p: a missing key is no error, an index past the
	// end is [ErrRange].
	Delete(obj ObjID, p Prop) error
	// Increment adds n to the counter at p; anything else there is [ErrType].
	Increment(obj ObjID, p Prop, n int64) error
}

// TextWriter writes into texts. Positions count code points.
type TextWriter interface {
	// Splice deletes del code points at pos and inserts text there.
	Splice(obj ObjID, pos, del int, text string) error
	// Mark marks m.Start to m.End-1, which must not be empty. A null value takes
	// the mark of that name away.
	Mark(obj ObjID, m Mark, x Expand) error
}

// Change is a change that was just written.
type Change struct {
	Hash  ChangeHash
	Bytes []byte // the uncompressed chunk, nil when there was nothing to commit
}
