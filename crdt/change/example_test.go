package change_test

import (
	"fmt"

	"github.com/pipes-sync/pipes/crdt/change"
)

func Example() {
	author := change.Actor("an actor's bytes")
	c, err := change.Build(
		change.Header{Actor: author, Seq: 1, StartOp: 1, Message: "first"},
		[]change.Actor{author},
		[]change.Op{
			{Key: "title", Action: change.MakeText},
			{Obj: change.OpID{Ctr: 1}, Insert: true, Action: change.Set, Value: change.Value{Type: change.String, Raw: "h"}},
			{Obj: change.OpID{Ctr: 1}, Elem: change.OpID{Ctr: 2}, Insert: true, Action: change.Set, Value: change.Value{Type: change.String, Raw: "i"}},
		}, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	again, err := change.Decode(c.Encode())
	if err != nil {
		fmt.Println(err)
		return
	}
	for o := range again.Ops() {
		fmt.Println(o.ID.Ctr, o.Action, o.Key+o.Value.Raw)
	}
	// Output:
	// 1 make text title
	// 2 set h
	// 3 set i
}
