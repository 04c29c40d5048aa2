package doc

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const readme = "../README.md"

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fenced answers the first block of code of a language.
func fenced(t *testing.T, md, lang string) string {
	t.Helper()
	_, rest, ok := strings.Cut(md, "\n```"+lang+"\n")
	code, _, ok2 := strings.Cut(rest, "```")
	if !ok || !ok2 {
		t.Fatalf("no block of %s", lang)
	}
	return code
}

// TestReadmeExample holds the README's example to be the one that is compiled and run.
func TestReadmeExample(t *testing.T) {
	src := readFile(t, "../replica/example_test.go")
	_, body, ok := strings.Cut(src, "func Example() {\n")
	end := strings.Index(body, "\n}\n")
	if !ok || end < 0 {
		t.Fatal("replica/example_test.go has no function Example")
	}
	var want strings.Builder
	for line := range strings.Lines(body[:end+1]) {
		want.WriteString(strings.TrimPrefix(line, "\t"))
	}
	if got := fenced(t, readFile(t, readme), "go"); got != want.String() {
		t.Errorf("README.md shows\n%s\nreplica/example_test.go has\n%s", got, want.String())
	}
}

// TestReadmeSession runs the README's session and reads what it prints at the end.
func TestReadmeSession(t *testing.T) {
	md := readFile(t, readme)
	script := fenced(t, md, "sh")
	const build = "go build -o pipes ./cmd/pipes\n"
	script, ok := strings.CutPrefix(script, build)
	if !ok {
		t.Fatalf("the session does not begin with %q", build)
	}
	_, after, _ := strings.Cut(md, "Both print `")
	want, _, ok := strings.Cut(after, "`")
	if !ok {
		t.Fatal("README.md does not say what the session prints")
	}
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "pipes"), "./cmd/pipes")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd = exec.Command("sh", "-eu", "-c", script)
	cmd.Dir = dir
	var talk strings.Builder
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, talk.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if last := lines[max(0, len(lines)-2):]; !slices.Equal(last, []string{want, want}) {
		t.Errorf("the session ends with %q, README.md says twice %q", last, want)
	}
}

var (
	codeSpan  = regexp.MustCompile("`[^`\n]+`|(?m)^    .*$")
	makeCall  = regexp.MustCompile(`\bmake ([a-z]+)`)
	pipesCall = regexp.MustCompile(`(?:^|[\s(])(?:\./cmd/)?pipes((?: --dir \S+)?)((?: [a-z]+)+)`)
)

// codeOf answers the code in a page: spans, indented and fenced blocks.
func codeOf(md string) string {
	var code strings.Builder
	for i, part := range strings.Split(md, "```") {
		if i%2 == 1 {
			code.WriteString(part)
			continue
		}
		for _, span := range codeSpan.FindAllString(part, -1) {
			code.WriteString(strings.Trim(span, "`") + "\n")
		}
	}
	return code.String()
}

// TestNamedCommandsExist holds make targets and commands named in README.md and
// CONTRIBUTING.md against the Makefile and the command line. What is planned is
// named in one section alone, which is left out.
func TestNamedCommandsExist(t *testing.T) {
	targets := regexp.MustCompile(`(?m)^([a-z]+):`).FindAllStringSubmatch(readFile(t, "../Makefile"), -1)
	commands := cliCommands(t)
	for _, page := range []string{readme, "../CONTRIBUTING.md", "testing.md", "storage-format.md"} {
		md := readFile(t, page)
		before, planned, _ := strings.Cut(md, "\n## What is not there yet\n")
		if at := strings.Index(planned, "\n## "); at >= 0 {
			before += planned[at:]
		}
		code := codeOf(before)
		for _, m := range makeCall.FindAllStringSubmatch(code, -1) {
			if !slices.ContainsFunc(targets, func(t []string) bool { return t[1] == m[1] }) {
				t.Errorf("%s names make %s, which the Makefile does not have", page, m[1])
			}
		}
		for _, m := range pipesCall.FindAllStringSubmatch(code, -1) {
			words := strings.Fields(m[2])
			one, two := words[0], strings.Join(words[:min(2, len(words))], " ")
			if !slices.Contains(commands, one) && !slices.Contains(commands, two) {
				t.Errorf("%s names pipes %s, which there is not", page, two)
			}
		}
	}
}

// cliCommands reads the commands out of the struct that kong is given.
func cliCommands(t *testing.T) (names []string) {
	f, err := parser.ParseFile(token.NewFileSet(), "../cmd/pipes/cli.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if ts, ok := n.(*ast.TypeSpec); ok && ts.Name.Name == "cli" {
			names = commandsIn(ts.Type.(*ast.StructType), "")
		}
		return true
	})
	if len(names) < 10 {
		t.Fatalf("only %d commands found", len(names))
	}
	return names
}

func commandsIn(s *ast.StructType, prefix string) (names []string) {
	for _, f := range s.Fields.List {
		if f.Tag == nil {
			continue
		}
		raw, _ := strconv.Unquote(f.Tag.Value)
		tag := reflect.StructTag(raw)
		if _, ok := tag.Lookup("cmd"); !ok {
			continue
		}
		name := strings.ToLower(f.Names[0].Name)
		if n, ok := tag.Lookup("name"); ok {
			name = n
		}
		if inner, ok := f.Type.(*ast.StructType); ok {
			names = append(names, commandsIn(inner, prefix+name+" ")...)
		} else {
			names = append(names, prefix+name)
		}
	}
	return names
}
