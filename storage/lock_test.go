package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestChild is not a test: it is what other tests run in a process of their own.
func TestChild(t *testing.T) {
	dir := os.Getenv("STORAGE_TEST_DIR")
	switch os.Getenv("STORAGE_TEST_CHILD") {
	case "hold":
		s, err := Open(context.Background(), dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("holding")
		fmt.Scanln() // until the parent closes the pipe
		closeStore(t, s)
	case "write":
		writeUntilKilled(t, dir)
	default:
		t.Skip("only as a child")
	}
}

func child(t *testing.T, what, dir string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe, "-test.run=^TestChild$")
	c.Env = append(os.Environ(), "STORAGE_TEST_CHILD="+what, "STORAGE_TEST_DIR="+dir, "GOCOVERDIR="+t.TempDir())
	c.Stderr = os.Stderr
	return c
}

func TestLockedByAnotherProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "r")
	ctx := context.Background()
	s, err := Init(ctx, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	var locked *LockedError
	if _, err := Open(ctx, dir, nil); !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("second open in one process: %v", err)
	}
	closeStore(t, s)

	c := child(t, "hold", dir)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if line := make([]byte, 8); must(out.Read(line)) == 0 || string(line) != "holding\n" {
		t.Fatalf("child said %q", line)
	}
	_, err = Open(ctx, dir, nil)
	if !errors.As(err, &locked) || locked.PID != c.Process.Pid || locked.Host == "" || locked.Since.IsZero() ||
		!strings.Contains(locked.Command, "test") || !strings.Contains(err.Error(), fmt.Sprint(c.Process.Pid)) {
		t.Errorf("open beside another process: %v", err)
	}
	if _, err := Init(ctx, dir, nil); !errors.Is(err, ErrLocked) {
		t.Errorf("init beside another process: %v", err)
	}
	in.Close()
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	s, err = Open(ctx, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{
		"": 0o700, dataDir: 0o700, keysDir: 0o700, rootKeyFile: 0o600, markerFile: 0o600, holderFile: 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: %v, %v", name, info.Mode(), err)
		}
	}
	closeStore(t, s)
	if err := os.WriteFile(filepath.Join(dir, holderFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	closeStore(t, openStore(t, vfs.Default, dir))
	if got := (&LockedError{Dir: "d"}).Error(); !strings.Contains(got, "another process") {
		t.Error(got)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
