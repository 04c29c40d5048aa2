package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pipes-sync/pipes/crdt/change"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		if err := child(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestAttack is the program in small, with a fixed seed.
func TestAttack(t *testing.T) {
	got, err := attack(1000, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(got)
	if got.aborts+got.complaints > 0 {
		t.Errorf("the guard let through what the core cannot bear: %v", got)
	}
	if got.accepted < 100 || got.changes-got.accepted < 100 {
		t.Errorf("the mutations are all of one kind: %v", got)
	}
	again, err := attack(1000, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if again.accepted != got.accepted || again.runs != got.runs {
		t.Errorf("one seed, two attacks: %v, then %v", got, again)
	}
}

// TestCoreNeedsGuard shows hostile lists to the core without the guard: the
// program must notice that it aborts, complains, or cannot load its own save.
func TestCoreNeedsGuard(t *testing.T) {
	files, err := filepath.Glob("../testdata/hostile/[go]*.bin")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	r, err := startRunner()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { r.stop() }()
	noticed := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var chunks [][]byte
		for c, err := range change.Chunks(b) {
			if err == nil {
				chunks = append(chunks, c)
			}
		}
		complaint, died := r.run(nil, chunks)
		t.Logf("%s: %q, died %v", filepath.Base(f), complaint, died)
		if died {
			r.stop()
			if r, err = startRunner(); err != nil {
				t.Fatal(err)
			}
		}
		if died || complaint != "" {
			noticed++
		}
	}
	if noticed == 0 {
		t.Error("the core took everything")
	}
}
