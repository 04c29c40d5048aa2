//go:build cgo

package am_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/change"
	"github.com/pipes-sync/pipes/crdt/opset"
)

// TestGuard: what this engine writes is what crdt/change and crdt/opset let in.
func TestGuard(t *testing.T) {
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var peers []goPeer
		for i := range 3 {
			d := ok[crdt.Engine](t)(open(crdt.ActorID{byte(rnd.IntN(256)), byte(i)}))
			defer d.Close()
			peers = append(peers, goPeer{d})
		}
		for range 10 {
			peers[rnd.IntN(3)].edit(t, rnd)
			exchange(t, peers[rnd.IntN(3)], peers[rnd.IntN(3)])
		}
		exchange(t, peers[0], peers[1])
		exchange(t, peers[1], peers[2])
		guard := opset.New(opset.Options{})
		for _, b := range ok[[][]byte](t)(peers[2].Since(nil)) {
			c, err := change.Decode(b)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if !bytes.Equal(c.Encode(), b) {
				t.Fatalf("seed %d: %s encodes otherwise", seed, c.Hash)
			}
			if out := guard.Add(c); out[0].Status != opset.Applied {
				t.Fatalf("seed %d: %s: %v %v", seed, c.Hash, out[0].Status, out[0].Err)
			}
		}
	}
}
