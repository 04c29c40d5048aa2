package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestMain is the main of the process that openElsewhere starts.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := opened(context.Background(), dir, os.Stdout); err != nil {
			io.WriteString(os.Stderr, err.Error())
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// tiny is an env that takes little time. Its trace has text of one to four bytes a
// code point, and deletes some.
func tiny(t *testing.T) *env {
	return &env{
		dir: t.TempDir(), keys: 50, reads: 100, commitFor: 20 * time.Millisecond, docs: 70, docsAlone: 3,
		trace: &trace{
			edits: []edit{{0, 0, "héllo"}, {5, 0, " wörld 😀"}, {0, 1, "H"}, {11, 2, ""}, {11, 0, "!"}},
			end:   "Héllo wörld!",
		},
	}
}

// Every section measures every row in every round, and verifies what it did.
func TestSections(t *testing.T) {
	rep, err := measureAll(t.Context(), tiny(t), options{rounds: 2}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Sections) != len(sections()) {
		t.Errorf("%d sections", len(rep.Sections))
	}
	for _, s := range rep.Sections {
		for _, r := range s.Rows {
			if len(r.Samples) != 2 {
				t.Errorf("%s: %s: %d samples", s.Name, r.Name, len(r.Samples))
			}
			if r.Unit != "MB" && r.Unit != "B" && !(r.Median > 0) {
				t.Errorf("%s: %s: %v", s.Name, r.Name, r.Median)
			}
			if (r.Base != "") != (r.Ratio > 0) || (r.bound.of != nil) != (r.Reached != nil) {
				t.Errorf("%s: %s is not concluded", s.Name, r.Name)
			}
		}
	}
	var out bytes.Buffer
	if err := rep.print(&out); err != nil || !strings.Contains(out.String(), rowPipelined) {
		t.Errorf("printed: %v\n%s", err, &out)
	}
}

// A result that is not what it should be is an error, not a time.
func TestWrongResults(t *testing.T) {
	e := tiny(t)
	e.trace.end = strings.ToUpper(e.trace.end) // as many code points: the loop in C cannot tell
	s, err := paper(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if s.typeEngine(t.Context(), e.trace) == nil {
		t.Error("the engine's text passes for the trace's")
	}
	for _, name := range []string{rowPipelined, rowBlocking} {
		if s.typeReplica(t.Context(), name, e) == nil {
			t.Errorf("%s: its text passes for the trace's", name)
		}
	}
	e.trace.end += "x"
	if _, err := measureAll(t.Context(), e, options{rounds: 1, only: "paper"}, io.Discard); err == nil {
		t.Error("a longer text passes for the trace's")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := measureAll(ctx, tiny(t), options{rounds: 1, only: "guard"}, io.Discard); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := openElsewhere(t.Context(), t.TempDir()); err == nil {
		t.Error("a replica was opened where there is none")
	}
}

func TestConclude(t *testing.T) {
	s := &section{Rows: []*row{
		{Name: "base", Samples: []float64{2, 4, 30}, CPUSamples: []float64{1, 1, 1}},
		{Name: "fast", Base: "base", Samples: []float64{1, 8, 30}, CPUSamples: []float64{3, 2, 7}, bound: bound{of: ratioOf, limit: 1, unit: "x"}},
		{Name: "slow", Base: "base", Samples: []float64{4, 8, 90}, bound: bound{of: ratioOf, limit: 1.9, unit: "x"}},
		{Name: "many", Samples: []float64{7, 9}, bound: bound{of: valueOf, least: true, limit: 8, unit: "/s"}},
		{Name: "few", Samples: []float64{7, 8}, bound: bound{of: valueOf, least: true, limit: 8, unit: "/s"}},
		{Name: "busy", Samples: []float64{1}, CPUSamples: []float64{5}, bound: bound{of: cpuOf, limit: 4, unit: "ns"}},
		{Name: "not told", bound: bound{of: valueOf, limit: 1, unit: "MB"}},
	}}
	s.conclude()
	want := [][]string{
		heading[:],
		{"base", "", "4.00", "2.00", "30.0", "1.00", "", "", "", ""},
		{"fast", "", "8.00", "1.00", "30.0", "3.00", "1.00 x", "3.00 x", "<= 1 x", "yes"},
		{"slow", "", "8.00", "4.00", "90.0", "", "2.00 x", "", "<= 1.9 x", "NO"},
		{"many", "", "8.00", "7.00", "9.00", "", "", "", ">= 8 /s", "yes"},
		{"few", "", "7.50", "7.00", "8.00", "", "", "", ">= 8 /s", "NO"},
		{"busy", "", "1.00", "1.00", "1.00", "5.00", "", "", "<= 4 ns", "NO"},
		{"not told", "", "-", "-", "-", "", "", "", "", ""},
	}
	if diff := cmp.Diff(want, s.cells()); diff != "" {
		t.Error(diff)
	}
	defer func() {
		if recover() == nil {
			t.Error("a row that is not there is not noticed")
		}
	}()
	s.put("other", 1)
}

func TestTables(t *testing.T) {
	cells := [][]string{{"", "unit", "median"}, {"naïve", "s", "1.00"}, {"b", "", "12345"}}
	var text, md strings.Builder
	if err := errors.Join(writeTable(&text, cells), writeMarkdown(&md, cells)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("         unit  median\n  naïve  s       1.00\n  b             12345\n", text.String()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("|  | unit | median |\n|---|---|--:|\n| naïve | s | 1.00 |\n| b |  | 12345 |\n", md.String()); diff != "" {
		t.Error(diff)
	}
	for v, want := range map[float64]string{0: "0.000", 0.0123: "0.012", 1.234: "1.23", -12.34: "-12.3", 99.96: "100.0", 12345.6: "12346"} {
		if got := figure(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
	if diff := cmp.Diff("a bb\nccccc\nd", wrap("a  bb ccccc d", 5)); diff != "" {
		t.Error(diff)
	}
}

func TestMachine(t *testing.T) {
	f := machine(t.TempDir())
	if f.CPUs < 1 || !strings.Contains(f.String(), f.Go) {
		t.Error(f)
	}
	if got := fileSystem(filepath.Join(t.TempDir(), "none")); got != unknown {
		t.Errorf("a directory that is not there is on %s", got)
	}
	if _, err := os.Stat("/proc/self/mounts"); err != nil {
		t.Skip("the rest is told by /proc")
	}
	if got := fileSystem("/proc/self"); got != "proc" {
		t.Errorf("/proc is %s", got)
	}
	if n, ok := resident(); !ok || n < 1<<20 {
		t.Errorf("%d bytes resident", n)
	}
	if f.CPU == "" || len(strings.Fields(f.LoadBefore)) != 3 {
		t.Error(f)
	}
}

func TestParse(t *testing.T) {
	for _, args := range []string{"--rounds 0", "more", "--no-such", "--write-doc --only paper"} {
		if o, err := parse(strings.Fields(args), io.Discard); err == nil {
			t.Errorf("%s is taken for %+v", args, o)
		}
	}
	if _, err := parse([]string{"-h"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
	o, err := parse(strings.Fields("--rounds 7 --only guard,many --json f"), io.Discard)
	if diff := cmp.Diff(options{rounds: 7, only: "guard,many", json: "f"}, o, cmp.AllowUnexported(options{})); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if _, err := chosen("guard,none"); err == nil {
		t.Error("a section that is not there is not noticed")
	}
	if some, err := chosen("many,guard"); err != nil || len(some) != 2 || some[0].name != "many" {
		t.Error(some, err)
	}
}

// The whole program, on the real trace.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("types 259,778 edits; run without -short")
	}
	t.Chdir("..")
	scratch := t.TempDir()
	file, profile := filepath.Join(t.TempDir(), "out.json"), filepath.Join(t.TempDir(), "cpu")
	var out bytes.Buffer
	args := []string{"--only", "guard", "--rounds", "1", "--dir", scratch, "--json", file, "--cpuprofile", profile}
	if err := run(t.Context(), args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "2599 changes, 259779 operations") {
		t.Error(out.String())
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rep report
	if err := json.Unmarshal(b, &rep); err != nil || len(rep.Sections) != 1 || rep.Sections[0].find(rowGuard).Median == 0 {
		t.Errorf("%v\n%s", err, b)
	}
	if left, err := os.ReadDir(scratch); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
	if st, err := os.Stat(profile); err != nil || st.Size() == 0 {
		t.Error(err)
	}
	t.Chdir(scratch)
	if err := run(t.Context(), nil, io.Discard, io.Discard); !errors.Is(err, os.ErrNotExist) {
		t.Error("away from the module:", err)
	}
}

func TestPublish(t *testing.T) {
	t.Chdir(t.TempDir())
	rep := &report{
		Started: time.Unix(0, 0).UTC(), Seconds: 130, Rounds: 5,
		Machine:  facts{CPU: "Z80", CPUs: 1, System: "cpm/z80", Go: "go0", FileSystem: "fat", LoadBefore: "1 2 3", LoadAfter: "4 5 6"},
		Sections: []*section{{Name: "s", Title: "Some", Note: "What it does.", Rows: []*row{{Name: "r", Unit: "ns", Samples: []float64{1}}}}},
	}
	rep.Sections[0].conclude()
	if err := rep.publish(options{writeDoc: true}, io.Discard); !errors.Is(err, os.ErrNotExist) {
		t.Error("without a directory for it:", err)
	}
	if err := os.Mkdir("doc", 0o777); err != nil {
		t.Fatal(err)
	}
	if err := rep.publish(options{writeDoc: true}, io.Discard); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(numbersFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"(1970-01-01, medians of 5 rounds in turns)", "in about 2 minutes", "The machine: 1 CPUs (Z80)",
		"\n## Some\n\nWhat it does.\n\n|  | unit |", "\n| r | ns | 1.00 | 1.00 | 1.00 |",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}
