package doc

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages lists the project's Markdown files, from here.
func pages(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "node_modules"):
			return fs.SkipDir
		case filepath.Ext(path) == ".md":
			names = append(names, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notSlug = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// anchors are the names under which a page's headings can be reached.
func anchors(md string) map[string]bool {
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(md, -1) {
		slug := notSlug.ReplaceAllString(strings.ToLower(m[1]), "")
		found[strings.ReplaceAll(slug, " ", "-")] = true
	}
	return found
}

// TestLinks follows every relative link of every page, to its heading if it names one.
func TestLinks(t *testing.T) {
	n := 0
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(readFile(t, page), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			n++
			file, anchor, _ := strings.Cut(m[1], "#")
			target := page
			if file != "" {
				target = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			} else if anchor != "" && !anchors(readFile(t, target))[anchor] {
				t.Errorf("%s links to %s, which has no such heading", page, m[1])
			}
		}
	}
	if n == 0 {
		t.Error("no links found")
	}
}

var (
	namedTest = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9_]*)`")
	namedFile = regexp.MustCompile("`([a-z0-9_/]+/[a-z0-9_]+\\.(?:go|json|mjs|c|h))`")
	namedFunc = regexp.MustCompile("`([A-Za-z0-9_.]+)` in `([a-z0-9_/]+\\.go)`")
)

// TestNamedCodeExists holds tests, files and functions that pages name against the
// code: `TestX`, `dir/file.go`, and `Type.Method` in `dir/file.go`.
func TestNamedCodeExists(t *testing.T) {
	tests, funcs := declared(t)
	for _, page := range pages(t) {
		md := readFile(t, page)
		for _, m := range namedTest.FindAllStringSubmatch(md, -1) {
			if !tests[m[1]] {
				t.Errorf("%s names %s, which there is not", page, m[1])
			}
		}
		for _, m := range namedFile.FindAllStringSubmatch(md, -1) {
			if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
				t.Errorf("%s names a file: %v", page, err)
			}
		}
		for _, m := range namedFunc.FindAllStringSubmatch(md, -1) {
			if !funcs[m[2]][m[1]] {
				t.Errorf("%s names %s in %s, which there is not", page, m[1], m[2])
			}
		}
	}
}

// declared lists the functions of every Go file: tests by name, others by file, as
// Func or Type.Method.
func declared(t *testing.T) (tests map[string]bool, funcs map[string]map[string]bool) {
	t.Helper()
	tests, funcs = map[string]bool{}, map[string]map[string]bool{}
	for _, path := range goFiles(t) {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, "../"))
		funcs[name] = map[string]bool{}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if strings.HasSuffix(path, "_test.go") {
				tests[fn.Name.Name] = true
			}
			funcs[name][receiver(fn)+fn.Name.Name] = true
		}
	}
	return tests, funcs
}

// receiver is "Type." for a method, else "".
func receiver(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return ""
	}
	typ := fn.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.Ident:
			return x.Name + "."
		default:
			return ""
		}
	}
}

// goFiles lists the project's Go files, from here.
func goFiles(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "testdata" || d.Name() == "node_modules"):
			return fs.SkipDir
		case filepath.Ext(path) == ".go":
			names = append(names, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
