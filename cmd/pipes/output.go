package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
)

// say talks to whoever looks on, unless told to be quiet.
func (a *app) say(format string, args ...any) {
	if !a.Quiet {
		fmt.Fprintf(a.err, format+"\n", args...)
	}
}

// print writes raw JSON as one line, or hands it to human.
func (a *app) print(raw json.RawMessage, human func(io.Writer, json.RawMessage) error) error {
	if !a.JSON {
		return human(a.out, raw)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, raw); err != nil {
		return err
	}
	line.WriteByte('\n')
	_, err := a.out.Write(line.Bytes())
	return err
}

// printValue is print for what is made here.
func (a *app) printValue(v any, human func(io.Writer, json.RawMessage) error) error {
	raw, err := marshal(v)
	if err != nil {
		return err
	}
	return a.print(raw, human)
}

// marshal is json.Marshal without escapes for HTML.
func marshal(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

func writeJSONLine(w io.Writer, v any) {
	if raw, err := marshal(v); err == nil {
		w.Write(raw) // there is nobody else to tell
	}
}

// document is the human form of a document: indented for eyes, one line for pipes.
func document(w io.Writer, raw json.RawMessage) error {
	var b bytes.Buffer
	var err error
	if isTerminal(w) {
		err = json.Indent(&b, bytes.TrimSpace(raw), "", "  ")
	} else {
		err = json.Compact(&b, raw)
	}
	if err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err = w.Write(b.Bytes())
	return err
}

// field gives the human form of one field of an object.
func field(name string) func(io.Writer, json.RawMessage) error {
	return func(w io.Writer, raw json.RawMessage) error {
		var m map[string]json.RawMessage
		if err := json.Unmarshal(raw, &m); err != nil {
			return err
		}
		_, err := fmt.Fprintln(w, plain(m[name]))
		return err
	}
}

// fields prints an object, a field a line.
func fields(w io.Writer, raw json.RawMessage) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return err
		}
		fmt.Fprintf(t, "%v\t%s\n", name, plain(v))
	}
	return t.Flush()
}

// table prints an array of objects, the named columns of them. When there are
// none, it says so.
func (a *app) table(empty string, columns ...string) func(io.Writer, json.RawMessage) error {
	return func(w io.Writer, raw json.RawMessage) error {
		var rows []map[string]json.RawMessage
		if err := json.Unmarshal(raw, &rows); err != nil {
			return err
		}
		if len(rows) == 0 {
			a.say("%s", empty)
			return nil
		}
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, strings.ToUpper(strings.Join(columns, "\t")))
		for _, row := range rows {
			cells := make([]string, len(columns))
			for i, c := range columns {
				cells[i] = cell(c, row[c])
			}
			fmt.Fprintln(t, strings.Join(cells, "\t"))
		}
		return t.Flush()
	}
}

// cell shortens what is long and never typed, and reads times.
func cell(column string, raw json.RawMessage) string {
	switch column {
	case "hash":
		s := plain(raw)
		return s[:min(len(s), 12)]
	case "time", "since":
		var n int64
		if json.Unmarshal(raw, &n) != nil || n <= 0 {
			return "-"
		}
		if column == "time" {
			return time.Unix(n, 0).Format(time.DateTime)
		}
		return time.UnixMilli(n).Format(time.DateTime)
	}
	return plain(raw)
}

// plain is a JSON value without the quotes of a string. Control characters stay
// escaped: what others wrote must not drive the terminal.
func plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return string(raw)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
		return fmt.Sprintf("%q", s)
	}
	return s
}

// progress shows how far a long request is, to a person who has waited a second.
type progress struct {
	a     *app
	what  string
	start time.Time
	bar   *progressbar.ProgressBar
}

func (a *app) progress(what string) *progress {
	return &progress{a: a, what: what, start: time.Now()}
}

func (p *progress) set(done, total int64) {
	if p.a.Quiet || !isTerminal(p.a.err) || time.Since(p.start) < time.Second {
		return
	}
	if total <= 0 {
		total = -1 // a spinner
	}
	if p.bar == nil {
		p.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(p.a.err),
			progressbar.OptionSetDescription(p.what),
			progressbar.OptionEnableColorCodes(p.a.colour(p.a.err)),
			progressbar.OptionClearOnFinish())
	}
	p.bar.ChangeMax64(total)
	p.bar.Set64(done) // a bar that cannot be drawn is no reason to stop
}

func (p *progress) end() {
	if p.bar != nil {
		p.bar.Finish()
		p.bar.Clear()
	}
}
