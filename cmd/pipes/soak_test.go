package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

var (
	soak     = flag.Bool("soak", false, "the whole paper trace and 50 kills, instead of a part and 4")
	soakSeed = flag.Uint64("soak.seed", 0, "seed of the moments to kill at; 0 takes one of the clock")
)

// paper is the automerge-paper trace as edit lines: one change in 100 edits, whose
// message is its number.
type paper struct {
	changes [][]byte
	text    string // at the end, if all of it is used
}

func loadPaper(t *testing.T, edits int) paper {
	t.Helper()
	f, err := os.Open("../../testdata/traces/automerge-paper.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var trace struct {
		EndContent string `json:"endContent"`
		Txns       []struct {
			Patches [][3]any `json:"patches"`
		} `json:"txns"`
	}
	if err := json.NewDecoder(z).Decode(&trace); err != nil {
		t.Fatal(err)
	}
	p := paper{text: trace.EndContent}
	var lines bytes.Buffer
	n := 0
	for i, txn := range trace.Txns[:min(edits, len(trace.Txns))] {
		for _, patch := range txn.Patches {
			line, err := json.Marshal(map[string]any{"splice": []any{"text", patch[0], patch[1], patch[2]}})
			if err != nil {
				t.Fatal(err)
			}
			lines.Write(append(line, '\n'))
			n++
		}
		if n >= 100 || i == min(edits, len(trace.Txns))-1 {
			fmt.Fprintf(&lines, "{\"commit\":\"%d\"}\n", len(p.changes))
			p.changes = append(p.changes, bytes.Clone(lines.Bytes()))
			lines.Reset()
			n = 0
		}
	}
	if edits < len(trace.Txns) {
		p.text = ""
	}
	return p
}

// node is a replica driven by the command line.
type node struct {
	t        *testing.T
	bin, dir string
}

func (n node) cmd(args ...string) *exec.Cmd {
	cmd := exec.Command(n.bin, append([]string{"--dir", n.dir}, args...)...)
	cmd.Stderr = os.Stderr
	return cmd
}

// run answers the field of a command's JSON.
func (n node) run(field string, in io.Reader, args ...string) string {
	n.t.Helper()
	cmd := n.cmd(append([]string{"--json"}, args...)...)
	cmd.Stdin = in
	out, err := cmd.Output()
	if err != nil {
		n.t.Fatalf("pipes %v: %v", args, err)
	}
	if field == "" {
		return string(out)
	}
	var v map[string]any
	if err := json.Unmarshal(out, &v); err != nil {
		n.t.Fatalf("pipes %v: %v: %s", args, err, out)
	}
	return fmt.Sprint(v[field])
}

func (n node) text(doc string) (text string) {
	n.t.Helper()
	if err := json.Unmarshal([]byte(n.run("", nil, "get", doc, "text")), &text); err != nil {
		n.t.Fatal(err)
	}
	return text
}

// A whole editing history through the command line into one replica, by bundle into
// another; and once more, killed again and again: what was acknowledged is there.
func TestPaperThroughTheCommandLine(t *testing.T) {
	edits, kills := 20_000, 4
	if *soak {
		edits, kills = 1<<30, 50
	} else if testing.Short() {
		t.Skip("starts many processes; run without -short")
	}
	bin := filepath.Join(t.TempDir(), "pipes")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p := loadPaper(t, edits)
	a, b := node{t, bin, filepath.Join(t.TempDir(), "a")}, node{t, bin, filepath.Join(t.TempDir(), "b")}
	a.run("person", nil, "init")
	person := b.run("person", nil, "init")

	doc := a.run("doc", bytes.NewReader([]byte(`{"text":""}`)), "new", "-")
	a.run("changes", bytes.NewReader(bytes.Join(p.changes, nil)), "edit", doc)
	whole := a.text(doc)
	if p.text != "" && whole != p.text {
		t.Errorf("%d bytes of text, want %d", len(whole), len(p.text))
	}
	hello, bundle := filepath.Join(t.TempDir(), "b.bundle"), filepath.Join(t.TempDir(), "a.bundle")
	b.run("", nil, "bundle", "export", hello)
	a.run("", nil, "bundle", "import", hello)
	a.run("", nil, "share", doc, person, "--role", "writer")
	a.run("", nil, "bundle", "export", bundle, "--for", person)
	b.run("", nil, "bundle", "import", bundle)
	if b.text(doc) != whole {
		t.Error("the other replica's text differs")
	}

	killed := a.run("doc", bytes.NewReader([]byte(`{"text":""}`)), "new", "-")
	a.killAgainAndAgain(killed, p, kills)
	if a.text(killed) != whole {
		t.Error("the text of the run that was killed differs")
	}
	a.run("", nil, "check")
}

// killAgainAndAgain writes p into doc, kills the writer at random moments, and holds
// what is there against what was acknowledged.
func (n node) killAgainAndAgain(doc string, p paper, kills int) {
	seed := *soakSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	n.t.Logf("-soak.seed=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	done, acknowledged := 0, 0
	for range kills {
		acked := n.editAndKill(doc, p.changes[done:], time.Duration(rng.IntN(80))*time.Millisecond)
		there := n.changesIn(doc)
		if there < done+acked {
			n.t.Fatalf("%d changes are there, %d were acknowledged before the kill", there, done+acked)
		}
		acknowledged += acked
		done = there
	}
	n.t.Logf("%d kills, %d of %d changes acknowledged before one", kills, acknowledged, len(p.changes))
	n.run("changes", bytes.NewReader(bytes.Join(p.changes[done:], nil)), "edit", doc)
}

// editAndKill streams changes, kills the process after a while, and answers how many
// changes it had acknowledged by then: lines this process has read.
func (n node) editAndKill(doc string, changes [][]byte, after time.Duration) (acked int) {
	cmd := n.cmd("edit", doc, "--acks")
	cmd.Stderr = nil
	in, err := cmd.StdinPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	go func() {
		for _, c := range changes {
			if _, err := in.Write(c); err != nil {
				return // killed
			}
		}
		in.Close()
	}()
	acks := bufio.NewReader(out)
	if _, err := acks.Peek(1); err == nil { // up and writing: now the clock runs
		time.AfterFunc(after, func() { cmd.Process.Kill() })
	}
	for {
		line, err := acks.ReadBytes('\n')
		if err != nil {
			break
		}
		var ack struct {
			Line    int `json:"line"`
			Changes int `json:"changes"`
		}
		if json.Unmarshal(line, &ack) == nil && ack.Line > 0 {
			acked = ack.Changes
		}
	}
	cmd.Wait()
	return acked
}

// changesIn answers how many of the trace's changes a document holds, in order and
// without a gap.
func (n node) changesIn(doc string) int {
	n.t.Helper()
	var rows []struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal([]byte(n.run("", nil, "log", doc)), &rows); err != nil {
		n.t.Fatal(err)
	}
	count := 0
	for _, row := range rows {
		if row.Message == "" {
			continue // the change that made the document
		}
		if row.Message != strconv.Itoa(count) {
			n.t.Fatalf("change %q after %d", row.Message, count-1)
		}
		count++
	}
	return count
}
