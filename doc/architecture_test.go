// Package doc keeps the documentation honest.
package doc

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/pipes-sync/pipes/"

// layer is one row of the table in architecture.md.
type layer struct {
	rank int
	may  []string // import prefixes reserved to the rows that name them
}

func readLayers(t *testing.T) map[string]layer {
	t.Helper()
	md, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(md), "```layers\n")
	table, _, ok := strings.Cut(table, "```")
	if !ok {
		t.Fatal("architecture.md has no layers table")
	}
	layers := map[string]layer{}
	for line := range strings.Lines(table) {
		pkg, rest, _ := strings.Cut(line, ":")
		_, may, _ := strings.Cut(rest, "!")
		layers[strings.TrimSpace(pkg)] = layer{len(layers), strings.Fields(may)}
	}
	return layers
}

func matches(imp, prefix string) bool {
	return imp == prefix || strings.HasPrefix(imp, strings.TrimSuffix(prefix, "/")+"/")
}

// TestLayers holds every package's imports (tests excepted) against the table.
func TestLayers(t *testing.T) {
	layers := readLayers(t)
	reserved := map[string]bool{}
	for _, l := range layers {
		for _, p := range l.may {
			reserved[p] = true
		}
	}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		pkg := strings.TrimPrefix(f[0], module)
		l, ok := layers[pkg]
		if strings.HasPrefix(pkg, "examples/") {
			l, ok = layer{rank: len(layers), may: []string{"time", "log/slog"}}, true
		}
		if !ok {
			t.Errorf("package %s is not in architecture.md", pkg)
			continue
		}
		for _, imp := range f[1:] {
			if dep, ours := strings.CutPrefix(imp, module); ours && layers[dep].rank >= l.rank {
				t.Errorf("%s imports %s, which is not above it in architecture.md", pkg, dep)
			}
			for p := range reserved {
				if matches(imp, p) && !allows(l, imp) {
					t.Errorf("%s imports %s, which architecture.md does not allow", pkg, imp)
				}
			}
		}
	}
}

func allows(l layer, imp string) bool {
	for _, p := range l.may {
		if matches(imp, p) {
			return true
		}
	}
	return false
}
