package storage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/pipes-sync/pipes/crdt"
)

const benchValue = 300

// rawSyncs is the price of the disk: records of the same size appended to a
// file and synced one by one. It answers records a second.
func rawSyncs(b *testing.B, dir string, d time.Duration) float64 {
	f, err := os.Create(filepath.Join(dir, "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	record := make([]byte, 2*benchValue) // a change set, its index entry and a head, sealed
	n, start := 0, time.Now()
	for ; time.Since(start) < d; n++ {
		if _, err := f.Write(record); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(start).Seconds()
}

// BenchmarkCommit is synced commits a second, by the number of writers, to 64
// documents, beside raw append and fsync in the same run: x_raw is the ratio.
func BenchmarkCommit(b *testing.B) {
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			dir := b.TempDir()
			s := must(Init(context.Background(), filepath.Join(dir, "r"), nil))
			defer s.Close()
			const docs = 64
			commit(b, s, func(batch *Batch) {
				for d := range docs {
					batch.NewDoc(docID(d))
				}
			})
			value, head := make([]byte, benchValue), make([]byte, 80)
			raw := rawSyncs(b, dir, time.Second)
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			start := time.Now()
			for w := range writers {
				wg.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						doc := docID((w + int(n)) % docs)
						batch := s.Batch()
						batch.PutChangeSet(doc, ChangeSet{Place{Chain{byte(w)}, uint64(n)}, crdt.ChangeSetID{byte(n), byte(n >> 8), byte(n >> 16), byte(w)}, value})
						batch.PutHead(doc, head)
						if err := batch.Commit(); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			rate := float64(b.N) / time.Since(start).Seconds()
			b.StopTimer()
			raw = (raw + rawSyncs(b, dir, time.Second)) / 2 // before and after: disks change their mind
			b.ReportMetric(rate, "commits/s")
			b.ReportMetric(raw, "raw/s")
			b.ReportMetric(rate/raw, "x_raw")
		})
	}
}

// tenThousand makes a closed replica of so many documents.
func tenThousand(b *testing.B) string {
	dir := filepath.Join(b.TempDir(), "r")
	s := must(Init(context.Background(), dir, nil))
	for i := range 100 {
		commit(b, s, func(batch *Batch) {
			for k := range 100 {
				doc := docID(i*100 + k)
				batch.NewDoc(doc)
				batch.PutMeta(doc, "genesis", make([]byte, benchValue))
				batch.PutHead(doc, make([]byte, 120))
				batch.PutChangeSet(doc, ChangeSet{Place{Chain{1}, 1}, setID(k), make([]byte, benchValue)})
			}
		})
	}
	closeStore(b, s)
	return dir
}

func BenchmarkOpen10kDocuments(b *testing.B) {
	dir := tenThousand(b)
	for b.Loop() {
		s := must(Open(context.Background(), dir, nil))
		b.StopTimer()
		closeStore(b, s)
		b.StartTimer()
	}
}

func BenchmarkHeads10kDocuments(b *testing.B) {
	s := openStore(b, vfs.Default, tenThousand(b))
	for b.Loop() {
		n := 0
		for _, err := range s.Heads() {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 10_000 {
			b.Fatal(n)
		}
	}
}

func BenchmarkChangeSetByID(b *testing.B) {
	s := openStore(b, vfs.Default, tenThousand(b))
	for n := 0; b.Loop(); n++ {
		if _, err := s.ChangeSet(docID(n%10_000), setID(n%100)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnknownID(b *testing.B) {
	s := openStore(b, vfs.Default, tenThousand(b))
	for n := 0; b.Loop(); n++ {
		if has, err := s.HasChangeSet(docID(n%10_000), setID(1000+n)); err != nil || has {
			b.Fatal(has, err)
		}
	}
}
