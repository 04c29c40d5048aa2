// Command hostile attacks the guard and then the Automerge core behind it.
//
// It mutates histories that real cores wrote, at the level of operations and of
// bytes, and shows every change to the guard (package change, then package
// opset). What the guard accepts goes to the real core in a child process, which
// must apply it, save it and load it again with equal heads. A child that aborts
// is a hole in the guard: the input is printed and a new child started.
//
//	go run ./crdt/opset/hostile -n 1000000
//	go run ./crdt/opset/hostile -n 1000 -seed 42 -shards 4
//
// Equal seed, shards and n make equal inputs. The exit code is 1 if anything was
// found.
package main

import (
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/pipes-sync/pipes/crdt/change"
	"github.com/pipes-sync/pipes/crdt/opset"
)

func main() {
	if os.Getenv(childEnv) != "" {
		if err := child(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "hostile: child:", err)
			os.Exit(1)
		}
		return
	}
	n := flag.Int("n", 1_000_000, "mutated changes to show to the guard")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the mutations")
	shards := flag.Int("shards", 1, "parallel runs, each with a child of its own")
	flag.Parse()
	total, err := attack(*n, *seed, *shards)
	if err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
	fmt.Printf("seed %d, %d shards: %v\n", *seed, *shards, total)
	for _, e := range slices.Sorted(maps.Keys(total.reasons)) {
		fmt.Printf("%9d  %s\n", total.reasons[e], e)
	}
	if total.aborts+total.complaints > 0 {
		os.Exit(1)
	}
}

// tally counts what happened.
type tally struct {
	changes, accepted, runs int
	aborts, complaints      int
	slowest                 time.Duration
	reasons                 map[string]int
}

func (t tally) String() string {
	return fmt.Sprintf("%d mutated changes, %d accepted, %d histories run by the core: %d aborts, %d not saved and loaded; slowest %v",
		t.changes, t.accepted, t.runs, t.aborts, t.complaints, t.slowest.Round(time.Millisecond))
}

// attack runs the shards and adds up.
func attack(n int, seed uint64, shards int) (total tally, err error) {
	real, err := seeds()
	if err != nil {
		return total, err
	}
	tallies, errs := make([]tally, shards), make([]error, shards)
	var wg sync.WaitGroup
	for i := range shards {
		wg.Go(func() {
			s := shard{r: rand.New(rand.NewPCG(seed, uint64(i))), seeds: real}
			s.reasons = map[string]int{}
			errs[i] = s.run(n / shards)
			tallies[i] = s.tally
		})
	}
	wg.Wait()
	total.reasons = map[string]int{}
	for i, t := range tallies {
		if errs[i] != nil {
			return total, errs[i]
		}
		total.changes += t.changes
		total.accepted += t.accepted
		total.runs += t.runs
		total.aborts += t.aborts
		total.complaints += t.complaints
		total.slowest = max(total.slowest, t.slowest)
		for e, k := range t.reasons {
			total.reasons[e] += k
		}
	}
	return total, nil
}

// shard is one run with one child.
type shard struct {
	tally
	r     *rand.Rand
	seeds [][]*change.Change
	child *runner
}

func (s *shard) run(n int) (err error) {
	if s.child, err = startRunner(); err != nil {
		return err
	}
	defer func() { s.child.stop() }()
	for s.changes < n {
		if err := s.history(); err != nil {
			return err
		}
	}
	return nil
}

// history attacks one document: a real beginning, then some changes.
func (s *shard) history() error {
	real := s.seeds[s.r.IntN(len(s.seeds))]
	at := 1 + s.r.IntN(min(len(real), 40))
	h, err := newHistory(real[:at])
	if err != nil {
		return err
	}
	m := mutator{s.r, h}
	accepted := 0
	for range 1 + s.r.IntN(10) {
		var next *change.Change
		if at < len(real) {
			next = real[at]
		}
		s.changes++
		c, err := m.next(next).build()
		ok := err == nil
		if ok {
			ok, err = h.offer(c)
		}
		if !ok {
			s.note(err)
			continue
		}
		accepted++
	}
	if s.accepted += accepted; accepted == 0 {
		return nil
	}
	return s.judge(h)
}

// note counts why the guard refused.
func (s *shard) note(err error) {
	what := "waits, known or equivocates"
	if invalid := (*opset.InvalidError)(nil); errors.As(err, &invalid) {
		err = invalid.Rule
	}
	if bad := (*change.Error)(nil); errors.As(err, &bad) {
		what = fmt.Sprintf("%v: %s", bad.Kind, bad.What)
	} else if double := (*opset.EquivocationError)(nil); err != nil && !errors.As(err, &double) {
		what = err.Error()
	}
	s.reasons[what]++
}

// judge shows a history to the core.
func (s *shard) judge(h *history) (err error) {
	s.runs++
	var chunks [][]byte
	for _, c := range h.accepted {
		chunks = append(chunks, c.Encode())
	}
	start := time.Now()
	complaint, died := s.child.run(h.state.Heads(), chunks)
	s.slowest = max(s.slowest, time.Since(start))
	switch {
	case died:
		s.aborts++
		s.child.stop()
		if s.child, err = startRunner(); err != nil {
			return err
		}
		complaint = "the core aborted"
	case complaint != "":
		s.complaints++
	default:
		return nil
	}
	fmt.Printf("%s:\n", complaint)
	for _, c := range chunks {
		fmt.Println("  " + hex.EncodeToString(c))
	}
	return nil
}
