package storage_test

import (
	"context"
	"fmt"
	"log"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/storage"
)

func Example() {
	ctx := context.Background()
	s, err := storage.Init(ctx, "me", &storage.Options{FS: vfs.NewMem()}) // leave out FS for a real disk
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	doc, device, life := crdt.DocID{1}, crdt.DeviceID{2}, crdt.Incarnation{3}
	b := s.Batch()
	b.NewDoc(doc)
	for seq := range uint64(3) {
		b.PutChangeSet(doc, storage.ChangeSet{
			Place: storage.Place{Chain: s.Chain(doc, device, life), Seq: seq + 1},
			ID:    crdt.ChangeSetID{byte(seq)},
			Value: fmt.Appendf(nil, "change set %d", seq+1),
		})
	}
	b.PutHead(doc, []byte("at 3"))
	if err := b.Commit(); err != nil { // durable now
		log.Fatal(err)
	}

	for cs, err := range s.ChangeSets(doc, storage.Place{Chain: s.Chain(doc, device, life), Seq: 2}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(cs.Seq, string(cs.Value))
	}
	// Output:
	// 2 change set 2
	// 3 change set 3
}
