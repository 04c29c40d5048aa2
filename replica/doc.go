// Package replica is one node: start here.
//
// It is not a server and needs none. A [Replica] is one process's copy of the
// documents and keys of a person, in a directory on that person's own disk.
// Everything works offline; replicas exchange what they have through bundles.
//
//	r, err := replica.Open(ctx, "./me", nil)
//	defer r.Close()
//	doc, err := replica.Create(ctx, r, Note{Title: "hi"})
//	err = doc.Change(ctx, func(n *Note) error { n.Tags = append(n.Tags, "x"); return nil })
//
// # What a call promises
//
// Change and Flush return when what they wrote is durable. What was imported is
// durable when ImportBundle returns. Reading never waits for the network.
//
// # Who may
//
// A document names a scope, whose members read or write it; a new document has a
// list of its own with one member, its owner. Change sets are signed by the device
// and sealed for the scope's readers; what arrives is checked before it is kept
// (package netsync) and again when it is opened. A change set that fails then is
// inert: it stays, and contributes nothing. [Replica.Status] names it.
//
// # Locks
//
// A Replica and a Doc are safe for concurrent use. Each document has one lock;
// there is none around commits, so documents share fsyncs. Callbacks run under
// their document's lock: they must not call methods of the same Doc.
package replica
