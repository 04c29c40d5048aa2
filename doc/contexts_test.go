package doc

import (
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// table answers the rows of the Markdown table that follows a heading, cells
// trimmed, header and rule left out.
func table(t *testing.T, page, after string) (rows [][]string) {
	t.Helper()
	_, rest, ok := strings.Cut(readFile(t, page), "\n"+after+"\n")
	if !ok {
		t.Fatalf("%s has no heading %q", page, after)
	}
	for line := range strings.Lines(rest) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			if rows != nil || strings.HasPrefix(line, "#") {
				break
			}
			continue
		}
		var cells []string
		for c := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.TrimSpace(c))
		}
		rows = append(rows, cells)
	}
	if len(rows) < 3 {
		t.Fatalf("%s has no table after %q", page, after)
	}
	return rows[2:]
}

// label is a string that a signature, hash, key or object begins with.
var label = regexp.MustCompile(`^pipes [a-z]+( [a-z]+)*( v[0-9]+)?[ \n\x00]?$`)

// TestContexts holds the tables of contexts and labels in protocol.md and
// storage-format.md against the strings in the code, both ways: a context that is
// used and not listed could be used twice.
func TestContexts(t *testing.T) {
	listed := map[string]string{} // label to page
	for page, headings := range map[string][]string{
		"protocol.md":       {"## Contexts", "## Labels"},
		"storage-format.md": {"## Labels and contexts"},
	} {
		for _, h := range headings {
			for _, row := range table(t, page, h) {
				text, err := strconv.Unquote(strings.Trim(row[0], "`"))
				if err != nil {
					t.Fatalf("%s: %s: %v", page, row[0], err)
				}
				if listed[text] != "" {
					t.Errorf("%s lists %q again", page, text)
				}
				listed[text] = page
			}
		}
	}
	used := map[string]string{} // label to file
	for _, path := range goFiles(t) {
		top, _, _ := strings.Cut(strings.TrimPrefix(path, "../"), "/")
		if strings.HasSuffix(path, "_test.go") || top == "cmd" || top == "bench" || top == "doc" {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			for _, text := range labelsIn(n, top == "storage") {
				used[text] = path
			}
			return true
		})
	}
	for text, path := range used {
		if listed[text] == "" {
			t.Errorf("%s uses %q, which no page lists", path, text)
		}
	}
	for text, page := range listed {
		if used[text] == "" {
			t.Errorf("%s lists %q, which no code uses", page, text)
		}
	}
}

// labelsIn answers the labels in a node: literal ones, and in package storage those
// made by Secret.derive of a purpose.
func labelsIn(n ast.Node, storage bool) []string {
	switch n := n.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING && label.MatchString(text) {
			if storage && text == "pipes storage " {
				return nil // derive's own, which is seen at its calls
			}
			return []string{text}
		}
	case *ast.CallExpr:
		sel, ok := n.Fun.(*ast.SelectorExpr)
		if !ok || !storage || sel.Sel.Name != "derive" || len(n.Args) != 1 {
			return nil
		}
		if lit, ok := n.Args[0].(*ast.BasicLit); ok {
			purpose, _ := strconv.Unquote(lit.Value)
			return []string{"pipes storage " + purpose + " v1"}
		}
	}
	return nil
}

// limits evaluates limits.go of a package, which may use those of others.
type limits struct {
	t    *testing.T
	fset *token.FileSet
	done map[string]*types.Package
}

// Import implements types.Importer.
func (l *limits) Import(path string) (*types.Package, error) {
	dir, ours := strings.CutPrefix(path, module)
	if !ours {
		return importer.Default().Import(path)
	}
	return l.load(dir), nil
}

func (l *limits) load(dir string) *types.Package {
	if p := l.done[dir]; p != nil {
		return p
	}
	names, err := filepath.Glob(filepath.Join("..", dir, "limits.go"))
	if err != nil || len(names) == 0 {
		l.t.Fatalf("package %s has no limits.go", dir)
	}
	f, err := parser.ParseFile(l.fset, names[0], nil, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	// What rests on constants of other files stays unknown, and is unexported.
	conf := types.Config{Importer: l, Error: func(error) {}}
	p, _ := conf.Check(module+dir, l.fset, []*ast.File{f}, nil)
	l.done[dir] = p
	return p
}

// TestLimits holds the tables of limits against the constants, both ways.
func TestLimits(t *testing.T) {
	for page, dirs := range map[string][]string{
		"protocol.md":       {"crdt/dagcbor", "crdt/change", "crdt/opset", "crdt/set", "acl", "netsync"},
		"storage-format.md": {"storage"},
	} {
		l := &limits{t, token.NewFileSet(), map[string]*types.Package{}}
		want := map[string]string{}
		for _, dir := range dirs {
			scope := l.load(dir).Scope()
			for _, name := range scope.Names() {
				c, ok := scope.Lookup(name).(*types.Const)
				if ok && c.Exported() {
					want[filepath.Base(dir)+"."+name] = c.Val().ExactString()
					if c.Val().Kind() != constant.Int {
						t.Errorf("%s.%s has no value that can be worked out", dir, name)
					}
				}
			}
		}
		for _, row := range table(t, page, "## Limits") {
			name := strings.Trim(row[0], "`")
			value, ok := want[name]
			switch {
			case !ok:
				t.Errorf("%s lists %s, which there is not", page, name)
			case strings.ReplaceAll(row[1], ",", "") != value:
				t.Errorf("%s says %s is %s; it is %s", page, name, row[1], value)
			case row[2] == "":
				t.Errorf("%s gives no reason for %s", page, name)
			}
			delete(want, name)
		}
		for _, name := range slices.Sorted(maps.Keys(want)) {
			t.Errorf("%s does not list %s = %s", page, name, want[name])
		}
	}
}
