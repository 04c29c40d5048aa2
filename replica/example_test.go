package replica_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/replica"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// README.md shows this function; a test in doc/ holds the two to be the same.
func Example() {
	type Note struct {
		Title string
		Tags  []string
	}
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "notes")
	check(err)
	defer os.RemoveAll(dir)

	ann, err := replica.Open(ctx, filepath.Join(dir, "ann"), nil)
	check(err)
	defer ann.Close()
	ben, err := replica.Open(ctx, filepath.Join(dir, "ben"), nil)
	check(err)
	defer ben.Close()

	// carry gives one what the other may have: a file, here in memory.
	carry := func(from, to *replica.Replica) {
		var bundle bytes.Buffer
		_, err := from.ExportBundle(ctx, &bundle, replica.ExportOptions{For: to.Person()})
		check(err)
		_, err = to.ImportBundle(ctx, bytes.NewReader(bundle.Bytes()), replica.ImportOptions{})
		check(err)
	}

	carry(ben, ann) // nothing but who Ben is, so that Ann can share with him
	doc, err := replica.Create(ctx, ann, Note{Title: "Picnic"})
	check(err)
	_, err = ann.Share(ctx, doc.ID(), ben.Person(), acl.Writer)
	check(err)
	carry(ann, ben)

	// Both write, and neither sees the other.
	bens, err := replica.Find[Note](ctx, ben, doc.ID())
	check(err)
	check(doc.Change(ctx, func(n *Note) error { n.Title = "Picnic at noon"; return nil }))
	check(bens.Change(ctx, func(n *Note) error { n.Tags = append(n.Tags, "food"); return nil }))

	carry(ann, ben)
	carry(ben, ann)
	note, err := doc.Value(ctx)
	check(err)
	fmt.Println(note.Title, note.Tags)
	// Output: Picnic at noon [food]
}
