package opset_test

import (
	"fmt"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
	"github.com/pipes-sync/pipes/crdt/opset"
)

func Example() {
	author := change.Actor("an actor's bytes")
	write := func(h change.Header, o change.Op) *change.Change {
		c, err := change.Build(h, []change.Actor{author}, []change.Op{o}, "")
		if err != nil {
			panic(err)
		}
		return c
	}
	first := write(change.Header{Actor: author, Seq: 1, StartOp: 1}, change.Op{Key: "k", Action: change.Set})
	second := write(change.Header{Actor: author, Seq: 2, StartOp: 2, Deps: []crdt.ChangeHash{first.Hash}},
		change.Op{Key: "k", Action: change.Set, Pred: []change.OpID{{Ctr: 1}}})
	third := write(change.Header{Actor: author, Seq: 3, StartOp: 3, Deps: []crdt.ChangeHash{second.Hash}},
		change.Op{Key: "other", Action: change.Set, Pred: []change.OpID{{Ctr: 2}}})

	s := opset.New(opset.Options{})
	for _, c := range []*change.Change{second, first, third} {
		for _, o := range s.Add(c) {
			fmt.Println(o.Change.Seq, o.Status, o.Err)
		}
	}
	// Output:
	// 2 pending <nil>
	// 1 applied <nil>
	// 2 applied <nil>
	// 3 invalid opset: predecessor is not a value of that key in the causal past: operation 0
}
