package replica

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/storage"
)

func TestEditEveryKind(t *testing.T) {
	a := newAPI(t)
	doc := a.newDoc(`{"text":"a𝄞c","list":[1],"gone":true}`)
	var got editAnswer
	a.decode(a.ok("POST", doc+"/edit", typeLines, strings.Join([]string{
		`{"set": ["new", {"k": [1, 2.5, "x", null]}]}`,
		`{"del": ["gone"]}`,
		`{"insert": ["list", 1, "end"]}`,
		`{"splice": ["text", 2, 1, "d"]}`,
		`{"splice": ["text", 1, 2, ""], "unit": "utf16"}`,
		`{"counter": ["n", 5]}`,
		``,
		`{"commit": "first"}`,
		`{"inc": ["n", -2]}`,
	}, "\n")), &got)
	if got.Ops != 7 || got.Changes != 2 || len(got.Heads) != 1 {
		t.Errorf("answer %+v", got)
	}
	want := `{"list":[1,"end"],"n":3,"new":{"k":[1,2.5,"x",null]},"text":"ad"}` + "\n"
	if value := a.ok("GET", doc, "", ""); value != want {
		t.Errorf("got %s, want %s", value, want)
	}
	log := a.log(doc)
	if len(log) != 3 || log[1].Message != "first" || log[2].Message != "" || log[2].Hash != got.Heads[0] {
		t.Errorf("log %+v", log)
	}
}

func TestEditBadLines(t *testing.T) {
	a := newAPI(t)
	for _, bad := range []string{
		`x`, `[]`, `{}`, `{"set":["a"]}`, `{"set":["a",1,2]}`, `{"set":["a",1],"del":["a"]}`, `{"frob":["a"]}`,
		`{"set":["a",1]} {"set":["a",2]}`, `{"set":["a",1]`, `{"set":["a",1],"set":["a",2]}`, `{"set":[1,1]}`,
		`{"splice":["t",0,0]}`, `{"splice":["t","0",0,"x"]}`, `{"splice":["t",9,0,"x"]}`, `{"splice":["t",0,9,""]}`,
		`{"splice":["t",-1,0,"x"]}`, `{"splice":["t",0,-1,"x"]}`, `{"splice":["t",0,0,null]}`, `{"splice":["n",0,0,"x"]}`,
		`{"splice":["t",1,0,"x"],"unit":"bytes"}`, `{"set":["t",1],"unit":"utf16"}`, `{"splice":["t",1,1,"x"],"unit":"utf16"}`,
		`{"inc":["n",1]}`, `{"inc":["none",1]}`, `{"inc":["n",1.5]}`, `{"del":["none"]}`, `{"del":[""]}`, `{"set":["none/x",1]}`,
		`{"insert":["l",5,1]}`, `{"insert":["t",0,1]}`, `{"insert":["l",-1,1]}`, `{"commit":1}`, `{"commit":null}`, `{"set":["a~",1]}`,
		`{"set":["a",` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `]}`,
		`{"set":["a","` + strings.Repeat("x", maxLine) + `"]}`,
	} {
		t.Run(bad[:min(len(bad), 50)], func(t *testing.T) {
			doc := a.newDoc(`{"t":"𝄞","n":1,"l":[]}`)
			status, text := a.call("POST", doc+"/edit", typeLines,
				"{\"set\":[\"kept\",1]}\n{\"commit\":\"\"}\n{\"set\":[\"dropped\",1]}\n"+bad+"\n{\"set\":[\"after\",1]}\n")
			var p Problem
			a.decode(text, &p)
			if status != 400 || p.Line != 4 || p.Exit != 2 || !strings.Contains(p.Detail, "line 4") {
				t.Errorf("%d %s", status, text)
			}
			if got := a.ok("GET", doc, "", ""); got != "{\"kept\":1,\"l\":[],\"n\":1,\"t\":\"𝄞\"}\n" {
				t.Errorf("left %s", got)
			}
		})
	}
}

// TestEditAnswersWhileItReads writes the next line only after the last commit was
// acknowledged, and finds what was acknowledged on the disk.
func TestEditAnswersWhileItReads(t *testing.T) {
	a := newAPI(t)
	doc := a.newDoc(`{}`)
	pr, pw := io.Pipe()
	defer pw.Close()
	resp := a.send("POST", doc+"/edit", typeLines, pr, "Accept", typeLines)
	defer resp.Body.Close()
	answer := bufio.NewReader(resp.Body)
	read := func() (ack editAck) {
		t.Helper()
		line, err := answer.ReadString('\n')
		if err != nil {
			t.Fatalf("%v after %q", err, line)
		}
		a.decode(line, &ack)
		return ack
	}
	for i := 1; i <= 3; i++ {
		if _, err := fmt.Fprintf(pw, "{\"set\":[\"n\",%d]}\n{\"commit\":\"%d\"}\n", i, i); err != nil {
			t.Fatal(err)
		}
		ack := read()
		if ack.Line != 2*i || ack.Ops != i || ack.Changes != i {
			t.Fatalf("acknowledgement %d: %+v", i, ack)
		}
		var heads []crdt.ChangeHash
		a.decode(a.ok("GET", doc+"/heads", "", ""), &heads)
		if diff := cmp.Diff(heads, ack.Heads); diff != "" {
			t.Fatal(diff)
		}
	}
	// An empty commit is acknowledged too; nothing is no change.
	fmt.Fprintf(pw, "{\"commit\":\"\"}\n")
	if ack := read(); ack.Line != 7 || ack.Changes != 3 {
		t.Fatalf("empty commit: %+v", ack)
	}
	fmt.Fprintf(pw, "{\"set\":[\"n\",4]}") // the end of the input commits
	pw.Close()
	if ack := read(); ack.Line != 8 || ack.Ops != 4 || ack.Changes != 4 {
		t.Fatalf("at the end: %+v", ack)
	}
	if sum := read(); sum.Line != 0 || sum.Ops != 4 || sum.Changes != 4 {
		t.Fatalf("sum: %+v", sum)
	}
	if line, err := answer.ReadString('\n'); err != io.EOF {
		t.Fatalf("after the sum: %q %v", line, err)
	}
}

func TestEditReportsProblemByLine(t *testing.T) {
	a := newAPI(t)
	doc := a.newDoc(`{}`)
	resp := a.send("POST", doc+"/edit", typeLines, strings.NewReader("{\"set\":[\"a\",1]}\n{\"commit\":\"\"}\nbad\n"), "Accept", typeLines)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
	var last problemRow
	a.decode(lines[len(lines)-1], &last)
	if len(lines) != 2 || last.Problem == nil || last.Problem.Line != 3 || last.Problem.Exit != 2 {
		t.Errorf("%s", text)
	}
}

func TestEditSplitsLongRuns(t *testing.T) {
	const limit, n = 1000, 2*1000 + 10
	a := newAPIWith(t, limit)
	doc := a.newDoc(`{"l":[]}`)
	var in bytes.Buffer
	for i := range n {
		fmt.Fprintf(&in, "{\"insert\":[\"l\",%d,%d]}\n", i, i)
	}
	resp := a.send("POST", doc+"/edit", typeLines, &in, "Accept", typeLines)
	defer resp.Body.Close()
	var acks []editAck
	for d := json.NewDecoder(resp.Body); ; {
		var ack editAck
		if err := d.Decode(&ack); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		acks = append(acks, ack)
	}
	if len(acks) != 4 || acks[0].Line != limit || acks[1].Line != 2*limit || acks[2].Line != n || acks[3].Ops != n {
		t.Fatalf("acknowledgements %+v", acks)
	}
	var list []int
	a.decode(a.ok("GET", doc+"?path=l", "", ""), &list)
	if len(list) != n || list[n-1] != n-1 {
		t.Errorf("%d items", len(list))
	}
}

// TestEditSplitsLargeLines: one line may be more than a change can hold.
func TestEditSplitsLargeLines(t *testing.T) {
	const limit = 1000
	a := newAPIWith(t, limit)
	doc := a.newDoc(`{"t":"[]"}`)
	want := "[]"
	edit := func(lines ...string) {
		t.Helper()
		a.ok("POST", doc+"/edit", typeLines, strings.Join(lines, "\n"))
		var got string
		a.decode(a.ok("GET", doc+"?path=t", "", ""), &got)
		if got != want {
			t.Fatalf("%d bytes instead of %d", len(got), len(want))
		}
	}
	piece := strings.Repeat("x", 2_500)
	want = "[" + piece + "]"
	edit(`{"splice":["t",1,0,"` + piece + `"]}`)
	want = "[y" + strings.Repeat("z", 1_500) + "]"
	edit(`{"set":["t","` + want + `"]}`)
	// A splice that ends past the text leaves nothing of itself, not even its first piece.
	if status, text := a.call("POST", doc+"/edit", typeLines, `{"splice":["t",0,3000,""]}`); status != 400 {
		t.Errorf("%d %s", status, text)
	}
	edit()
	want = "[]"
	edit(`{"splice":["t",1,1501,""]}`)
	for _, c := range a.log(doc) {
		if c.Ops > limit {
			t.Errorf("a change of %d operations", c.Ops)
		}
	}
}

// TestEditTakesTheLongestLine is one at the real limits.
func TestEditTakesTheLongestLine(t *testing.T) {
	a := newAPI(t)
	doc := a.newDoc(`{}`)
	text := strings.Repeat("é", (maxLine-len(`{"set":["t",""]}`))/2)
	a.ok("POST", doc+"/edit", typeLines, `{"set":["t","`+text+`"]}`)
	if got := a.ok("GET", doc, "", ""); got != `{"t":"`+text+"\"}\n" {
		t.Errorf("%d bytes", len(got))
	}
}

func TestEditBoundsWhatIsUncommitted(t *testing.T) {
	a := newAPI(t)
	doc := a.newDoc(`{}`)
	line := `{"set":["a",` + strings.Repeat(" ", maxLine-20) + "1]}\n"
	n := maxUncommitted/len(line) + 1
	in := io.MultiReader(strings.NewReader("{\"set\":[\"kept\",1]}\n{\"commit\":\"\"}\n"), strings.NewReader(strings.Repeat(line, n)))
	resp := a.send("POST", doc+"/edit", typeLines, in)
	defer resp.Body.Close()
	var p Problem
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
		t.Fatal(err)
	}
	if p.Line != n+2 || p.Exit != 2 {
		t.Errorf("%+v", p)
	}
	if got := a.ok("GET", doc, "", ""); got != "{\"kept\":1}\n" {
		t.Errorf("left %s", got)
	}
}

// drawValue draws a JSON value that nests at most depth deep.
func drawValue(t *rapid.T, depth int) any {
	switch kind := rapid.IntRange(0, 5).Draw(t, "kind"); {
	case kind <= 1:
		return rapid.StringOfN(rapid.RuneFrom([]rune("ab𝄞")), 0, 12, -1).Draw(t, "text")
	case kind == 2 || depth == 0:
		return int64(rapid.IntRange(0, 9).Draw(t, "number"))
	case kind == 3:
		list := []any{}
		for range rapid.IntRange(0, 5).Draw(t, "items") {
			list = append(list, drawValue(t, depth-1))
		}
		return list
	}
	m := map[string]any{}
	for i := range rapid.IntRange(0, 4).Draw(t, "keys") {
		m[fmt.Sprint("k", i)] = drawValue(t, depth-1)
	}
	return m
}

// TestPiecesAddUp: however small a change may be, what an edit comes to is the same,
// and no change is larger.
func TestPiecesAddUp(t *testing.T) {
	r, err := Init(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.IntRange(2, 9).Draw(rt, "limit")
		before, value := drawValue(rt, 1), drawValue(rt, 3)
		initial := map[string]any{"set": before, "list": []any{before}, "text": "0123456789"}
		pos := rapid.IntRange(0, 10).Draw(rt, "pos")
		del := rapid.IntRange(0, 10-pos).Draw(rt, "del")
		ops := []editOp{
			{kind: "set", path: crdt.At("set"), value: value},
			{kind: "insert", path: crdt.At("list"), pos: 1, value: value},
			{kind: "splice", path: crdt.At("text"), pos: pos, n: int64(del), text: "new 𝄞 text"},
		}
		want := map[string]any{"set": value, "list": []any{before, value}, "text": "0123456789"[:pos] + "new 𝄞 text" + "0123456789"[pos+del:]}

		d, err := r.NewDoc(t.Context(), initial)
		if err != nil {
			rt.Fatal(err)
		}
		run := editRun{doc: d, limit: limit}
		if err := run.apply(t.Context(), "", slices.Values(ops), 0); err != nil {
			rt.Fatal(err)
		}
		got, err := d.Get()
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatal(diff)
		}
		for c, err := range d.Log(t.Context()) {
			// What is removed of a value that was there is not counted: 12 at most.
			if err != nil || c.Seq > 1 && c.Ops > limit+12 {
				rt.Fatalf("limit %d: a change of %d operations, %v", limit, c.Ops, err)
			}
		}
	})
}

func TestCutRunes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, n := rapid.String().Draw(t, "s"), rapid.IntRange(0, 5).Draw(t, "n")
		head, tail := cutRunes(s, n)
		runes := []rune(s)
		k := min(n, len(runes))
		if head != string(runes[:k]) || tail != string(runes[k:]) {
			t.Fatalf("%q cut at %d: %q and %q", s, n, head, tail)
		}
	})
}

func FuzzParseEditOp(f *testing.F) {
	for _, s := range []string{
		`{"set":["a/b",{"x":[1,"y"]}]}`, `{"del":["a"]}`, `{"insert":["a",0,1]}`, `{"splice":["t",1,2,"x"],"unit":"utf16"}`,
		`{"inc":["n",-1]}`, `{"counter":["n",1]}`, `{"commit":"m"}`, `{"set":["a",1],"set":["a",2]}`, `{`, `{}{}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		op, err := parseEditOp(line)
		if err != nil {
			if p := ProblemOf(err); p.Exit != 2 {
				t.Fatalf("%v is exit %d", err, p.Exit)
			}
			return
		}
		if !json.Valid(line) {
			t.Fatalf("%q was taken for JSON", line)
		}
		if _, known := editArgs[op.kind]; !known && op.kind != "commit" {
			t.Fatalf("kind %q", op.kind)
		}
	})
}

func FuzzPatches(f *testing.F) {
	f.Add([]byte(`[{"op":"add","path":"/a","value":1},{"op":"move","from":"/a","path":"/b/-"}]`))
	f.Add([]byte(`{"a":{"b":null},"c":[1,2]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, parse := range []func([]byte) (func(*crdt.Tx) error, error){parseJSONPatch, parseMergePatch, parseEdits} {
			if patch, err := parse(body); err != nil && ProblemOf(err).Exit != 2 || err == nil && patch == nil {
				t.Fatalf("%q: %v", body, err)
			}
		}
	})
}

// lineSource gives lines until it has given all of them.
type lineSource struct{ next, all int }

func (s *lineSource) Read(p []byte) (int, error) {
	if s.next == s.all {
		return 0, io.EOF
	}
	s.next++
	return copy(p, fmt.Sprintf("{\"set\":[\"n\",%d]}\n{\"commit\":\"\"}\n", s.next)), nil
}

// TestEditEndsWithTheDisk: after a change that could not be kept, what follows it
// is not read, even if there is room again.
func TestEditEndsWithTheDisk(t *testing.T) {
	fsys := &fullFS{FS: vfs.NewMem()}
	fsys.free.Store(1 << 10)
	r := must(Open(t.Context(), "r", &Options{Storage: storage.Options{FS: fsys, Reserve: -1}}))(t)
	doc := must(r.NewDoc(t.Context(), map[string]any{"n": 0}))(t)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = must(Open(t.Context(), "r", &Options{Storage: storage.Options{FS: fsys, Reserve: 1 << 20}}))(t)
	defer r.Close()
	source := &lineSource{all: 50_000}
	req := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/docs/"+doc.ID().String()+"/edit", source)
	req.Header.Set("Content-Type", typeLines)
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, req)
	if w.Code != http.StatusInsufficientStorage {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if source.next == source.all {
		t.Error("all of the input was read")
	}
}
