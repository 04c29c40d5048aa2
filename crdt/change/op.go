package change

import "encoding/hex"

// Actor is an Automerge actor id, as raw bytes. Pipes' own are 16 bytes long
// ([crdt.ActorID]); those of imported changes have 1 to [MaxActorLen].
type Actor string

// String returns the id as hex, as Automerge prints it.
func (a Actor) String() string { return hex.EncodeToString([]byte(a)) }

// OpID names an operation: a Lamport counter and an index into
// [Change.Actors]. The zero OpID names the root map as an object, and the head
// of a list as an element.
type OpID struct {
	Ctr   uint32
	Actor uint32
}

// IsZero reports whether the id is the root or the head.
func (id OpID) IsZero() bool { return id.Ctr == 0 }

// Action is what an operation does. The numbers are Automerge's.
type Action uint8

// The actions, in Automerge's order.
const (
	MakeMap Action = iota
	Set
	MakeList
	Delete
	MakeText
	Increment
	MakeTable
	Mark // begins a mark if it has a name, ends one otherwise

	numActions
)

var actionNames = [numActions]string{"make map", "set", "make list", "delete", "make text", "increment", "make table", "mark"}

// String returns a lower-case name.
func (a Action) String() string {
	if a < numActions {
		return actionNames[a]
	}
	return "unknown action"
}

// Makes reports whether the action creates an object.
func (a Action) Makes() bool {
	return a == MakeMap || a == MakeList || a == MakeText || a == MakeTable
}

// IsList reports whether the object that the action creates holds elements
// (a list or a text) instead of keys.
func (a Action) IsList() bool { return a == MakeList || a == MakeText }

// ValueType is the type of a [Value]. The numbers are Automerge's.
type ValueType uint8

// The types of values.
const (
	Null ValueType = iota
	False
	True
	Uint  // ULEB128
	Int   // SLEB128
	Float // IEEE 754, 8 bytes, little endian
	String
	Bytes
	Counter   // SLEB128
	Timestamp // SLEB128, milliseconds since 1970

)

// Value is a scalar as the change holds it.
type Value struct {
	Type ValueType
	Raw  string // the encoded value, as its type says
}

// Op is one operation. What [Change.Ops] yields is overwritten by the next
// step; the strings may be kept, Pred may not.
type Op struct {
	ID     OpID   // its own id; Actor is 0, the author
	Obj    OpID   // the object it changes; zero is the root map
	Key    string // the key in a map; empty in a list or a text
	Elem   OpID   // the element in a list: the one changed, or the one inserted after
	Insert bool   // makes a new element after Elem
	Action Action
	Value  Value
	Pred   []OpID // the operations it overwrites, ascending

	Expand   bool   // marks only: whether it grows with text at its edge
	MarkName string // marks only: the name where the mark begins, if HasName
	HasName  bool
}
