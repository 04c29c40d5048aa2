// Package acl says who may: persons, groups and documents' own lists, each a log
// of signed operations, and the keys that follow from them.
//
// It is not a user database and not a key server. Nobody is asked: whether an
// operation or an item counts is a function of the operations known, the same on
// every replica whatever the order they came in.
//
// # Scopes
//
// A scope is a DAG of signed operations that descend from one genesis; the id of
// the genesis is the id of the scope. The members of a person are devices, those
// of a group or of a document's own list are persons and groups. A person's owner
// is its recovery key; a group's or list's owner is a person.
//
// # Layers of this package
//
//   - [Op] is the operation: strict codec, id, signature.
//   - [Log] is the DAG of one scope. It knows the past of each operation and
//     nothing about rights.
//   - [State] holds the logs of many scopes, admits what its author was allowed to
//     write, and answers [State.Authorize], [State.Members] and [State.Explain].
//   - [Secret] and [Keyring] are the keys: epochs sealed to their readers with
//     HPKE (RFC 9180), chained so that the newest opens all before it.
//   - [Author] builds and signs operations that the rules above accept.
//
// # Admission
//
// Most of what can be wrong with an operation is settled by the operation and its
// past alone, and can never change: a grant that is not in the past, a role too
// low, a key that is not the author's. [State.Add] refuses those at the door, so
// they are neither kept nor carried nor counted, and nobody without a grant can
// make a log grow. An operation that names operations not known yet waits for
// them. What stands admitted is judged on the whole set known.
//
// The package is pure: no clock, no randomness of its own, no goroutines, no I/O.
// A [Log], [State] or [Keyring] is not safe for concurrent writers.
package acl
