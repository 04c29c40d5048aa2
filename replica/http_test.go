package replica

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/crdt"
)

// api is a replica behind a real HTTP server.
type api struct {
	t   testing.TB
	r   *Replica
	url string
}

func newAPI(t testing.TB) *api { return newAPIWith(t, maxChangeOps) }

// newAPIWith splits runs of edits at maxOps operations.
func newAPIWith(t testing.TB, maxOps int) *api {
	t.Helper()
	r, err := Init(t.Context(), t.TempDir(), &Options{Name: "Ann"})
	if err != nil {
		t.Fatal(err)
	}
	h := r.Handler()
	h.(*handler).maxOps = maxOps
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.Close()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return &api{t, r, s.URL}
}

// call sends a request and reads the whole answer.
func (a *api) call(method, path, contentType, body string) (int, string) {
	a.t.Helper()
	resp := a.send(method, path, contentType, strings.NewReader(body))
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (a *api) send(method, path, contentType string, body io.Reader, header ...string) *http.Response {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, body)
	if err != nil {
		a.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp
}

// ok is call for what must work.
func (a *api) ok(method, path, contentType, body string) string {
	a.t.Helper()
	status, text := a.call(method, path, contentType, body)
	if status >= 300 {
		a.t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	return text
}

// newDoc creates a document and gives its address.
func (a *api) newDoc(initial string) string {
	a.t.Helper()
	var row struct{ Doc string }
	a.decode(a.ok("POST", "/v1/docs", typeJSON, initial), &row)
	return "/v1/docs/" + row.Doc
}

func (a *api) decode(text string, v any) {
	a.t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(v); err != nil {
		a.t.Fatalf("%v in %q", err, text)
	}
}

// loggedChange is a row of the log, as far as tests look at it.
type loggedChange struct {
	Hash    crdt.ChangeHash
	Message string
	Ops     int
}

func (a *api) log(doc string) (rows []loggedChange) {
	a.t.Helper()
	a.decode(a.ok("GET", doc+"/log", "", ""), &rows)
	return rows
}

func TestHandlerAnswers(t *testing.T) {
	a := newAPI(t)
	doc := a.newDoc(`{"title": "hi", "list": [1, {"x": "<&>"}], "a/b": 1}`)
	var heads []string
	a.decode(a.ok("GET", doc+"/heads", "", ""), &heads)
	short := doc[:len("/v1/docs/bafyrei")+10]

	for _, c := range []struct {
		name, method, path, media, body string
		status                          int
		want                            string // the body; for a problem its kind
	}{
		{"health", "GET", "/v1/health", "", "", 200, `{"state":"ok"}`},
		{"value", "GET", doc, "", "", 200, `{"a/b":1,"list":[1,{"x":"<&>"}],"title":"hi"}`},
		{"prefix", "GET", short + "?path=title", "", "", 200, `"hi"`},
		{"path", "GET", doc + "?path=list/1/x", "", "", 200, `"<&>"`},
		{"escaped path", "GET", doc + "?path=a~1b", "", "", 200, `1`},
		{"bad path", "GET", doc + "?path=a~2b", "", "", 400, "usage"},
		{"no path", "GET", doc + "?path=none", "", "", 404, "not_found"},
		{"no document", "GET", "/v1/docs/bafyreiaaaaaaaaaaaa", "", "", 404, "not_found"},
		{"short prefix", "GET", "/v1/docs/bafyreiaaa", "", "", 404, "not_found"},
		{"no route", "GET", "/v1/nothing", "", "", 404, "not_found"},
		{"no method", "PUT", doc, "", "", 405, "usage"},
		{"new without object", "POST", "/v1/docs", typeJSON, `[1]`, 400, "usage"},
		{"new without JSON", "POST", "/v1/docs", typeJSON, `{`, 400, "usage"},
		{"at", "GET", doc + "/at/" + heads[0] + "?path=title", "", "", 200, `"hi"`},
		{"at prefix", "GET", doc + "/at/" + heads[0][:8], "", "", 200, `{"a/b":1,"list":[1,{"x":"<&>"}],"title":"hi"}`},
		{"at nothing", "GET", doc + "/at/" + strings.Repeat("0", 64), "", "", 404, "not_found"},
		{"at no prefix", "GET", doc + "/at/00000000", "", "", 404, "not_found"},
		{"at no hash", "GET", doc + "/at/xyz", "", "", 400, "usage"},
		{"patch of what", "PATCH", doc, "text/plain", "x", 400, "usage"},
		{"patch without a type", "PATCH", doc, "", "x", 400, "usage"},
		{"share nobody", "POST", doc + "/acl", typeJSON, `{"person":"Nobody","role":"reader"}`, 404, "not_found"},
		{"share no role", "POST", doc + "/acl", typeJSON, `{"person":"Ann","role":"king"}`, 400, "usage"},
		{"share owner", "POST", doc + "/acl", typeJSON, `{"person":"Ann","role":"owner"}`, 400, "usage"},
		{"share badly", "POST", doc + "/acl", typeJSON, `{"who":"Ann"}`, 400, "usage"},
		{"export for nobody", "GET", "/v1/bundle?for=Nobody", "", "", 404, "not_found"},
		{"import rubbish", "POST", "/v1/bundle", typeBundle, "rubbish", 422, "verification_failed"},
		{"backup to a relative place", "POST", "/v1/backup", typeJSON, `{"dir":"x"}`, 400, "usage"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, text := a.call(c.method, c.path, c.media, c.body)
			if status != c.status {
				t.Fatalf("status %d, want %d: %s", status, c.status, text)
			}
			if status < 300 {
				if got := strings.TrimSuffix(text, "\n"); got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
				return
			}
			var p Problem
			a.decode(text, &p)
			if p.Kind != c.want || p.Status != c.status || p.Exit == 0 || p.Detail == "" || !strings.HasPrefix(p.Type, "tag:") {
				t.Errorf("problem %+v, want kind %s", p, c.want)
			}
		})
	}
}

func TestHandlerLists(t *testing.T) {
	a := newAPI(t)
	if got := a.ok("GET", "/v1/docs", "", ""); got != "[]\n" {
		t.Errorf("no documents: %q", got)
	}
	doc := a.newDoc(`{}`)
	a.ok("PATCH", doc+"?message=why", typeMerge, `{"a":1}`)
	for path, want := range map[string][]string{
		"/v1/docs":       {"doc", "scope", "heads", "bytes", "state"},
		doc + "/log":     {"hash", "actor", "device", "person", "seq", "time", "message", "ops"},
		doc + "/acl":     {"person", "role", "grant", "by", "since"},
		"/v1/persons":    {"person", "devices"},
		"/v1/id":         {"person", "device", "name", "addrs"},
		"/v1/status":     {"store", "documents", "free", "reserve"},
		doc + "/status":  {"doc", "heads", "sets", "changes"},
		"/v1/docs?lines": {"doc"},
	} {
		text := a.ok("GET", path, "", "")
		var rows []map[string]any
		if text[0] == '[' {
			a.decode(text, &rows)
		} else {
			rows = make([]map[string]any, 1)
			a.decode(text, &rows[0])
		}
		if len(rows) == 0 {
			t.Errorf("%s: nothing", path)
			continue
		}
		for _, field := range want {
			if _, ok := rows[len(rows)-1][field]; !ok {
				t.Errorf("%s lacks %s: %s", path, field, text)
			}
		}
	}
	resp := a.send("GET", doc+"/log", "", nil, "Accept", typeLines)
	defer resp.Body.Close()
	lines, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(lines, []byte("\n")); n != 1 || !bytes.Contains(lines, []byte(`"message":"why"`)) {
		t.Errorf("log by lines: %s", lines)
	}
}

func TestNewDocOfAnySize(t *testing.T) {
	a := newAPIWith(t, 1000)
	text := strings.Repeat("ä", 2_400)
	list := slices.Repeat([]int{7}, 2_600)
	want, err := json.Marshal(map[string]any{"list": list, "nested": map[string]any{"text": text}, "small": 1})
	if err != nil {
		t.Fatal(err)
	}
	doc := a.newDoc(string(want))
	if got := a.ok("GET", doc, "", ""); got != string(want)+"\n" {
		t.Errorf("got %d bytes, want %d", len(got), len(want))
	}
	if n := len(a.log(doc)); n < 5 {
		t.Errorf("%d changes, of which none may have more than 1000 operations", n)
	}
	if status, body := a.call("POST", "/v1/docs", typeJSON, `{"a":"`+strings.Repeat("x", maxBody)+`"}`); status != 413 {
		t.Errorf("too large: %d %s", status, body)
	}
}

func TestProblemOf(t *testing.T) {
	for _, c := range []struct {
		err          error
		exit, status int
	}{
		{ErrDenied, 6, 403}, {ErrNotFound, 4, 404}, {ErrExists, 1, 409}, {ErrAmbiguous, 2, 400},
		{ErrWaiting, 1, 409}, {ErrBadBundle, 5, 422}, {ErrDamaged, 5, 500}, {ErrLocked, 11, 409},
		{ErrDiskFull, 1, 507}, {ErrStoreFailed, 1, 503}, {ErrWrongPassphrase, 12, 401}, {ErrNoReplica, 10, 404},
		{ErrClosed, 1, 503}, {ErrTooLarge, 2, 413}, {crdt.ErrNoPath, 4, 404}, {crdt.ErrNoChange, 4, 404},
		{crdt.ErrType, 2, 400}, {crdt.ErrRange, 2, 400}, {crdt.ErrBadID, 2, 400},
		{&http.MaxBytesError{Limit: 5}, 2, 413}, {fmt.Errorf("else"), 1, 500},
	} {
		p := ProblemOf(fmt.Errorf("around: %w", c.err))
		if p.Exit != c.exit || p.Status != c.status || p.Kind != exitKinds[c.exit] {
			t.Errorf("%v: exit %d (%s), status %d, want %d and %d", c.err, p.Exit, p.Kind, p.Status, c.exit, c.status)
		}
	}
	if ProblemOf(nil) != nil {
		t.Error("nil is no problem")
	}
	// A bad line is a bad request, but a broken store is not the line's fault.
	if p := ProblemOf(crdt.ErrNoPath).atLine(3); p.Exit != 2 || p.Line != 3 || p.Status != 400 {
		t.Errorf("bad line: %+v", p)
	}
	if p := ProblemOf(ErrStoreFailed).atLine(3); p.Exit != 1 || p.Status != 503 {
		t.Errorf("broken store: %+v", p)
	}
}

// TestOpenAPI holds the routes against the paths of the description, both ways.
func TestOpenAPI(t *testing.T) {
	text, err := os.ReadFile("../doc/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, paths, ok := strings.Cut(string(text), "\npaths:\n")
	if !ok {
		t.Fatal("openapi.yaml has no paths")
	}
	paths, _, _ = strings.Cut(paths, "\ncomponents:\n")
	var described []string
	path := ""
	for _, m := range regexp.MustCompile(`(?m)^  (/\S*):$|^    (get|post|patch|put|delete):$`).FindAllStringSubmatch(paths, -1) {
		if m[1] != "" {
			path = m[1]
			continue
		}
		described = append(described, strings.ToUpper(m[2])+" "+path)
	}
	var served []string
	for _, rt := range (&handler{}).routes() {
		served = append(served, rt.pattern)
	}
	slices.Sort(described)
	slices.Sort(served)
	if diff := cmp.Diff(served, described); diff != "" {
		t.Errorf("served, not described (-), or described, not served (+):\n%s", diff)
	}
}
