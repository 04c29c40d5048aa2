package am

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/pipes-sync/pipes/crdt"
)

// poison is a change chunk on which the bare core aborts: what the guard refuses.
const poison = "../opset/testdata/hostile/loadinc-0039152a.bin"

// TestMain makes the test binary a process that dies, where it is asked to.
func TestMain(m *testing.M) {
	if path := os.Getenv("PIPES_TEST_MARK"); path != "" {
		die(path, os.Getenv("PIPES_TEST_CHANGE"))
	}
	os.Exit(m.Run())
}

// die applies a change with a mark in the file at path, and then waits to be killed.
func die(path, change string) {
	chunk, err := os.ReadFile(change)
	if err != nil {
		panic(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	d, err := New(crdt.ActorID{1}, nil)
	if err != nil {
		panic(err)
	}
	d.ApplyMarked([][]byte{chunk}, nil, Mark{f.Fd(), 3})
	os.Stdout.WriteString("alive\n")
	select {}
}

// The mark tells an abort of the core from a kill.
func TestMarkTellsAnAbortFromAKill(t *testing.T) {
	innocent := filepath.Join(t.TempDir(), "innocent")
	d, err := New(crdt.ActorID{2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	w, err := d.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := crdt.NewTx(w).Set(crdt.At("n"), 1); err != nil {
		t.Fatal(err)
	}
	ch, err := w.Commit("", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(innocent, ch.Bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, change string
		aborts       bool
	}{
		{"abort", poison, true},
		{"kill", innocent, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "mark")
			if err := os.WriteFile(file, make([]byte, 8), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "PIPES_TEST_MARK="+file, "PIPES_TEST_CHANGE="+tc.change)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
			if !tc.aborts {
				out.Read(make([]byte, 6)) // alive: it has applied the change
				cmd.Process.Signal(syscall.SIGKILL)
			}
			if err := cmd.Wait(); err == nil {
				t.Fatal("the process did not die")
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want := make([]byte, 8)
			if tc.aborts {
				want[3] = 1
			}
			if !bytes.Equal(got, want) {
				t.Errorf("the file holds %v, want %v", got, want)
			}
		})
	}
}
