package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/pipes-sync/pipes/replica"
)

type editCmd struct {
	Doc  string `arg:"" help:"Id of the document."`
	Acks bool   `help:"Print a line for every commit as soon as it is safe on the disk."`
}

func (editCmd) Help() string {
	return `Each line is one of

    {"set": ["path", value]}               {"del": ["path"]}
    {"insert": ["path", index, value]}     {"splice": ["path", pos, del, "text"]}
    {"inc": ["path", n]}                   {"counter": ["path", n]}
    {"commit": "message"}

A commit line makes what is before it one change; the end of the input commits too. A line that cannot be applied ends
the run: what was committed before stays, the rest is dropped. A line may have 1 MiB, a run without commit 64 MiB; a
very long run becomes several changes.

With --acks, what a printed line counts survives whatever happens to this process afterwards:

    {"line":3,"ops":2,"changes":1,"heads":["..."]}     everything up to line 3 is on the disk`
}

func (c editCmd) Run(a *app) error {
	path, err := docURL(c.Doc, "/edit")
	if err != nil {
		return err
	}
	accept := typeJSON
	if c.Acks {
		accept = typeLines
	}
	return a.with(func(cl *client) error {
		resp, err := cl.do("POST", path, io.NopCloser(a.in), "Content-Type", typeLines, "Accept", accept)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if c.Acks {
			return copyAcks(a.out, resp.Body)
		}
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		return a.print(raw, fields)
	})
}

// copyAcks hands on one line at a time, each as soon as it is there. The last is
// the sum, or the problem.
func copyAcks(w io.Writer, body io.Reader) error {
	lines := bufio.NewReader(body)
	for whole := false; ; {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 && whole {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the answer broke off: %w", err)
		}
		var row struct {
			Line    *int             `json:"line"`
			Problem *replica.Problem `json:"problem"`
		}
		if err := json.Unmarshal(line, &row); err != nil {
			return fmt.Errorf("the answer is not JSON: %w", err)
		}
		if row.Problem != nil {
			return row.Problem
		}
		whole = row.Line == nil
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
}
