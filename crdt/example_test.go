//go:build cgo

package crdt_test

import (
	"fmt"
	"log"
	"os"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/am"
)

func Example() {
	e, err := am.New(crdt.ActorID{1}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	w, err := e.Begin()
	if err != nil {
		log.Fatal(err)
	}
	tx := crdt.NewTx(w)
	err = tx.Set(nil, map[string]any{"title": "hello", "likes": crdt.Counter(1)})
	if err == nil {
		err = tx.Splice(crdt.At("title"), 5, 0, ", world")
	}
	if err != nil {
		w.Rollback()
		log.Fatal(err)
	}
	c, err := w.Commit("first words", 1700000000)
	if err != nil {
		log.Fatal(err)
	}
	r, err := e.At([]crdt.ChangeHash{c.Hash})
	if err != nil {
		log.Fatal(err)
	}
	crdt.NewView(r).WriteJSON(os.Stdout, nil)
	// Output: {"likes":1,"title":"hello, world"}
}

func ExampleView_Read() {
	type task struct {
		Title string   `automerge:"title"`
		Tags  []string `automerge:"tags"`
		Done  bool     `automerge:"done"`
	}
	e, err := am.New(crdt.ActorID{1}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	w, err := e.Begin()
	if err != nil {
		log.Fatal(err)
	}
	tx := crdt.NewTx(w)
	if err := tx.WriteDiff(nil, task{}, task{Title: "write", Tags: []string{"now"}}); err != nil {
		log.Fatal(err)
	}
	var t task
	if err := tx.Read(nil, &t); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", t)
	// Output: {Title:write Tags:[now] Done:false}
}
