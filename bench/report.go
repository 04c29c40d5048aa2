package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
)

// report is what a run found.
type report struct {
	Started  time.Time  `json:"started"`
	Seconds  float64    `json:"seconds"`
	Machine  facts      `json:"machine"`
	Rounds   int        `json:"rounds"`
	Sections []*section `json:"sections"`
}

// print writes the report for people.
func (r *report) print(w io.Writer) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s; %s\n", r.rounds(), r.Machine)
	for _, s := range r.Sections {
		fmt.Fprintf(&out, "\n%s (%s)\n", s.Title, s.Name)
		if err := writeTable(&out, s.cells()); err != nil {
			return err
		}
	}
	fmt.Fprintf(&out, "\n%.0f s in all\n", r.Seconds)
	_, err := w.Write(out.Bytes())
	return err
}

func (r *report) rounds() string {
	if r.Rounds == 1 {
		return "1 round"
	}
	return fmt.Sprintf("medians of %d rounds in turns", r.Rounds)
}

// markdownHead opens doc/numbers.md.
const markdownHead = `# Numbers

Written by ` + "`go run ./bench --write-doc`" + ` (%s, %s): change nothing by hand.

The same numbers for your machine, in about %d minutes:

    make bench
    go run ./bench --rounds 9 --json numbers.json
    go run ./bench --only commits --cpuprofile cpu.prof

The machine: %s.

Times differ between machines, and on one machine from minute to minute. So what is
compared was measured in turns, in one process and one run, and a ratio is the median of
the ratios within a round: quote ratios. CPU is the time of all processors, in the unit
of its row, and "of CPU" the ratio of that; where it is far from the time, the program
waited for the disk or for other programs, or ran on several processors. A bound is what
we hold ourselves to, and NO stands by one that this run missed. Work that needs no disk
is held to its CPU time. Options are the defaults: every change is checked, signed, sealed
and synced, and every result was verified before its time counted.
`

// markdown writes the report as a page of the documentation.
func (r *report) markdown(w io.Writer) error {
	var out bytes.Buffer
	minutes := max(1, int(r.Seconds/60+0.5))
	fmt.Fprintf(&out, markdownHead, r.Started.Format(time.DateOnly), r.rounds(), minutes, r.Machine)
	for _, s := range r.Sections {
		fmt.Fprintf(&out, "\n## %s\n\n%s\n\n", s.Title, wrap(s.Note, 90))
		if err := writeMarkdown(&out, s.cells()); err != nil {
			return err
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}

// wrap breaks text at spaces into lines of at most width bytes, if its words allow.
func wrap(text string, width int) string {
	var out strings.Builder
	line := 0
	for _, word := range strings.Fields(text) {
		switch {
		case line == 0:
		case line+1+len(word) > width:
			out.WriteByte('\n')
			line = 0
		default:
			out.WriteByte(' ')
			line++
		}
		out.WriteString(word)
		line += len(word)
	}
	return out.String()
}
