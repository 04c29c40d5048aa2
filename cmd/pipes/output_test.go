package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func TestPlainIsPrintable(t *testing.T) {
	for in, want := range map[string]string{
		`"text"`: "text", `12`: "12", `[]`: "[]",
		`"bell\u0007 esc\u001b[31m"`: `"bell\a esc\x1b[31m"`, `"c1\u009b"`: `"c1\u009b"`, `"ümlaut"`: "ümlaut",
	} {
		if got := plain(json.RawMessage(in)); got != want {
			t.Errorf("%s prints as %s, want %s", in, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	a := &app{cli: &cli{}, err: io.Discard}
	var out bytes.Buffer
	rows := `[{"hash":"0123456789abcdef","time":1700000000,"since":0,"message":"a\nb"}]`
	if err := a.table("none", "hash", "time", "since", "message")(&out, json.RawMessage(rows)); err != nil {
		t.Fatal(err)
	}
	got := out.String()
	for _, want := range []string{"HASH ", "0123456789ab ", "2023-11-1", `"a\nb"`, " - "} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if err := a.table("none", "x")(&out, json.RawMessage(`{}`)); err == nil {
		t.Error("an object is no table")
	}
}

func TestClock(t *testing.T) {
	for when, want := range map[int64]string{0: levelWarn, 1_790_000_000: levelOK, 5_000_000_000: levelWarn} {
		p := &patient{}
		p.clock(time.Unix(when, 0))
		if p.found[0].State != want || (want == levelWarn) != (p.found[0].Do != "") {
			t.Errorf("%d: %+v", when, p.found[0])
		}
	}
}

func TestSpace(t *testing.T) {
	for _, c := range []struct {
		free  uint64
		known bool
		want  string
	}{
		{0, false, levelOK}, {reserve - 1, true, levelFail}, {reserve, true, levelWarn}, {100 * reserve, true, levelOK},
	} {
		p := &patient{}
		if p.space(c.free, c.known); p.found[0].State != c.want {
			t.Errorf("%d, %v: %+v", c.free, c.known, p.found[0])
		}
	}
}

// TestAcksWithoutSum: an answer that ends before the sum is no success.
func TestAcksWithoutSum(t *testing.T) {
	const ack, sum = "{\"line\":1,\"ops\":1}\n", "{\"ops\":1,\"changes\":1}\n"
	for _, c := range []struct {
		in, out string
		ok      bool
	}{
		{ack + sum, ack + sum, true},
		{sum, sum, true},
		{ack, ack, false},
		{"", "", false},
		{ack + `{"ops":1`, ack, false},
		{ack + "no JSON\n", ack, false},
		{ack + `{"problem":{"detail":"line 2: bad","exit":2}}` + "\n", ack, false},
	} {
		var out bytes.Buffer
		if err := copyAcks(&out, strings.NewReader(c.in)); (err == nil) != c.ok || out.String() != c.out {
			t.Errorf("%q: printed %q, error %v", c.in, out.String(), err)
		}
	}
}

// talkative is an error as Pebble's are: a second line, and a stack with %+v.
type talkative struct{}

func (talkative) Error() string { return "checksum mismatch\nmore" }
func (talkative) Format(w fmt.State, verb rune) {
	io.WriteString(w, "checksum mismatch\nattached stack trace")
}

// TestLogIsBrief: a stack is nothing for a terminal.
func TestLogIsBrief(t *testing.T) {
	var out bytes.Buffer
	a := &app{cli: &cli{}, err: &out}
	a.logger().Error("found", "error", talkative{})
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "checksum mismatch") || strings.Contains(got, "stack") {
		t.Errorf("logged:\n%s", got)
	}
}
