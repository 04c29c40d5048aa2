package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pipes-sync/pipes/replica"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"pipes": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PIPES_DIR", filepath.Join(e.WorkDir, "me"))
			e.Setenv("TMPDIR", filepath.Join(e.WorkDir, "tmp"))
			return os.Mkdir(filepath.Join(e.WorkDir, "tmp"), 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": code, "field": fieldOf, "flip": flip, "hold": hold, "daemon": daemon, "empty": empty,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// code runs a program and wants an exit code: code 4 pipes get ...
func code(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit %d, want %d", got, want)
	}
}

// fieldOf keeps a field of the JSON object that was printed last: field doc DOC.
// Of an array it takes the element that args[2] counts.
func fieldOf(ts *testscript.TestScript, neg bool, args []string) {
	text := []byte(ts.ReadFile("stdout"))
	if len(args) > 2 {
		var rows []json.RawMessage
		ts.Check(json.Unmarshal(text, &rows))
		i, err := strconv.Atoi(args[2])
		ts.Check(err)
		text = rows[i]
	}
	var value string
	if args[0] == "." {
		ts.Check(json.Unmarshal(text, &value))
	} else {
		var row map[string]any
		ts.Check(json.Unmarshal(text, &row))
		value = fmt.Sprint(row[args[0]])
	}
	ts.Setenv(args[1], value)
}

// flip inverts a bit in the middle of a file.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	name := ts.MkAbs(args[0])
	b, err := os.ReadFile(name)
	ts.Check(err)
	b[len(b)/2] ^= 1
	ts.Check(os.WriteFile(name, b, 0o600))
}

// hold keeps the replica in a directory open until the script ends.
func hold(ts *testscript.TestScript, neg bool, args []string) {
	r, err := replica.Open(context.Background(), ts.MkAbs(args[0]), nil)
	ts.Check(err)
	ts.Defer(func() { r.Close() })
}

// daemon serves the replica in a directory at its socket until the script ends.
func daemon(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	r, err := replica.Open(context.Background(), dir, nil)
	ts.Check(err)
	l, err := net.Listen("unix", filepath.Join(dir, "api.sock"))
	ts.Check(err)
	s := &http.Server{Handler: r.Handler()}
	go s.Serve(l)
	ts.Defer(func() {
		s.Close()
		r.Close()
	})
}

// empty wants nothing to be in a directory.
func empty(ts *testscript.TestScript, neg bool, args []string) {
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(entries) > 0 {
		ts.Fatalf("%s has %v", args[0], entries)
	}
}

// pipes is a command in a directory of its own.
func pipes(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := exec.LookPath("pipes") // testscript.Main put it there
	if err != nil {
		t.Skip("only under testscript's main")
	}
	cmd := exec.CommandContext(t.Context(), exe, append([]string{"--dir", dir}, args...)...)
	cmd.Stderr = os.Stderr
	return cmd
}

func output(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := pipes(t, dir, args...).Output()
	if err != nil {
		t.Fatalf("pipes %v: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

// TestKilledWhileEditing: whatever was acknowledged is there after kill -9.
func TestKilledWhileEditing(t *testing.T) {
	dir := t.TempDir()
	output(t, dir, "init")
	doc := output(t, dir, "new")
	next, total := 0, 0
	for round := range 3 {
		cmd := pipes(t, dir, "edit", doc, "--acks")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func(from int) {
			for i := from; ; i++ { // until the pipe breaks
				if _, err := fmt.Fprintf(in, "{\"set\":[\"k%d\",%d]}\n{\"commit\":\"\"}\n", i, i); err != nil {
					return
				}
			}
		}(next)
		acked := 0
		lines := bufio.NewScanner(out)
		for acked < 50*(round+1) && lines.Scan() {
			var ack struct{ Ops int }
			if err := json.Unmarshal(lines.Bytes(), &ack); err != nil {
				t.Fatalf("%v in %q", err, lines.Text())
			}
			acked = ack.Ops
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(out) // acknowledged too, up to the last whole line
		if err != nil {
			t.Fatal(err)
		}
		whole := strings.Split(string(rest), "\n")
		for _, line := range whole[:len(whole)-1] {
			var ack struct{ Ops int }
			if json.Unmarshal([]byte(line), &ack) == nil {
				acked = ack.Ops
			}
		}
		cmd.Wait() // it was killed
		if acked < 50 {
			t.Fatalf("only %d edits were acknowledged", acked)
		}
		var value map[string]int
		if err := json.Unmarshal([]byte(output(t, dir, "get", doc)), &value); err != nil {
			t.Fatal(err)
		}
		total = next + acked
		for i := range total {
			if got, ok := value[fmt.Sprintf("k%d", i)]; !ok || got != i {
				t.Fatalf("round %d: edit %d of %d acknowledged is lost", round, i, total)
			}
		}
		// What was not acknowledged may be there too, but whole and in order.
		for i := range len(value) {
			if _, ok := value[fmt.Sprintf("k%d", i)]; !ok {
				t.Fatalf("round %d: %d edits are there, but not number %d", round, len(value), i)
			}
		}
		next = len(value)
	}
	if out := output(t, dir, "check", "--json"); !strings.Contains(out, `"damaged":0`) {
		t.Error(out)
	}
	t.Logf("%d edits acknowledged over three kills", total)
}

// TestInterrupt: an edit that waits for a terminal ends at once, with 130.
func TestInterrupt(t *testing.T) {
	dir := t.TempDir()
	output(t, dir, "init")
	doc := output(t, dir, "new")
	cmd := pipes(t, dir, "edit", doc, "--acks")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(in, "{\"set\":[\"a\",1]}\n{\"commit\":\"\"}\n{\"set\":[\"b\",1]}\n")
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	exit := (*exec.ExitError)(nil)
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Errorf("ended with %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v to end", took)
	}
	if got := output(t, dir, "get", doc); got != `{"a":1}` {
		t.Errorf("left %s", got)
	}
}

func TestOrderArgs(t *testing.T) {
	parser, err := newParser(&app{cli: &cli{}, out: io.Discard, err: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ in, want string }{
		{"set D n -1", "set -- D n -1"},
		{"set D n -1 --json", "set --json -- D n -1"},
		{"--json set --dir X D n -1", "--json set --dir X -- D n -1"},
		{"--dir set set D n 1", "--dir set set -- D n 1"},
		{"--dir=set set D n 1", "--dir=set set -- D n 1"},
		{"splice D t 0 1 -x", "splice -- D t 0 1 -x"},
		{"splice D t 0 1 --json --quiet", "splice --quiet -- D t 0 1 --json"},
		{"splice D t 0 1 --", "splice -- D t 0 1 --"},
		{"get D -p --json", "get --json -- D -p"},
		{"get D -- --json", "get -- D --json"},
		{"get --help", "get --help --"},
		{"get -h", "get -h --"},
		{"at D H -p", "at -- D H -p"},
		{"share D P --role writer", "share D P --role writer"},
		{"new -", "new -"},
		{"--json", "--json"},
		{"", ""},
	} {
		got := strings.Join(orderArgs(parser.Model, strings.Fields(c.in)), " ")
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q: %s", c.in, diff)
		}
	}
}

// A passphrase is taken as it is or refused, never cut.
func TestPassphraseIsNotCut(t *testing.T) {
	name := filepath.Join(t.TempDir(), "passphrase")
	for n, ok := range map[int]bool{1: true, maxPassphrase: true, maxPassphrase + 1: false, 2 * maxPassphrase: false} {
		if err := os.WriteFile(name, []byte(strings.Repeat("x", n)+"\r\nsecond line"), 0o600); err != nil {
			t.Fatal(err)
		}
		if text, err := readPassphrase(name); (err == nil) != ok || ok && len(text) != n {
			t.Errorf("%d bytes: read %d, %v", n, len(text), err)
		}
	}
}
