package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// heading is that of a section's table. Columns up to alignLeft are text.
var heading = [...]string{"", "unit", "median", "min", "max", "CPU", "ratio", "of CPU", "bound", "reached"}

const alignLeft = 2

// cells are the rows of a section as text, the heading first.
func (s *section) cells() [][]string {
	out := [][]string{heading[:]}
	for _, r := range s.Rows {
		c := []string{r.Name, r.Unit, "-", "-", "-", "", "", "", r.Bound, ""}
		if len(r.Samples) > 0 {
			c[2], c[3], c[4] = figure(r.Median), figure(slices.Min(r.Samples)), figure(slices.Max(r.Samples))
		}
		if len(r.CPUSamples) > 0 {
			c[5] = figure(r.CPU)
		}
		if r.Ratio > 0 {
			c[6] = figure(r.Ratio) + " x"
		}
		if r.CPURatio > 0 {
			c[7] = figure(r.CPURatio) + " x"
		}
		if r.Reached != nil {
			c[9] = map[bool]string{true: "yes", false: "NO"}[*r.Reached]
		}
		out = append(out, c)
	}
	return out
}

// figure writes three digits that count, or all before the point.
func figure(v float64) string {
	switch a := max(v, -v); {
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// writeTable aligns cells in columns.
func writeTable(w io.Writer, cells [][]string) error {
	width := make([]int, len(cells[0]))
	for _, row := range cells {
		for i, c := range row {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	for _, row := range cells {
		var line strings.Builder
		for i, c := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c))
			if i < alignLeft {
				c += pad
			} else {
				c = pad + c
			}
			line.WriteString("  " + c)
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// writeMarkdown writes cells as a Markdown table.
func writeMarkdown(w io.Writer, cells [][]string) error {
	for i, row := range cells {
		if _, err := fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | ")); err != nil {
			return err
		}
		if i == 0 {
			if _, err := fmt.Fprintln(w, "|---|---|"+strings.Repeat("--:|", len(row)-alignLeft)); err != nil {
				return err
			}
		}
	}
	return nil
}
