package replica

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// export gives a bundle and its report.
func (a *api) export(query string) (bundle []byte, report ExportReport) {
	a.t.Helper()
	resp := a.send("GET", "/v1/bundle"+query, "", nil)
	defer resp.Body.Close()
	bundle, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		a.t.Fatalf("export: %s %v", resp.Status, err)
	}
	a.decode(resp.Trailer.Get(reportTrailer), &report)
	return bundle, report
}

func TestBundlesOverHTTP(t *testing.T) {
	ann, ben := newAPI(t), newAPI(t)
	contact, report := ben.export("")
	if report.Persons != 1 || report.Docs != 0 {
		t.Errorf("contact: %+v", report)
	}
	ann.ok("POST", "/v1/bundle", typeBundle, string(contact))
	doc := ann.newDoc(`{"title":"Picnic"}`)
	ann.ok("POST", doc+"/acl", typeJSON, `{"person":"`+ben.r.Person().String()+`","role":"reader"}`)
	bundle, report := ann.export("?for=" + ben.r.Person().String())
	if report.Docs != 1 || report.Sets == 0 {
		t.Errorf("for Ben: %+v", report)
	}

	flipped := bytes.Clone(bundle)
	flipped[len(flipped)/2] ^= 1
	for _, bad := range [][]byte{flipped, bundle[:len(bundle)-1], nil} {
		if status, text := ben.call("POST", "/v1/bundle", typeBundle, string(bad)); status != 422 {
			t.Errorf("damaged: %d %s", status, text)
		}
	}
	if text := ben.ok("GET", "/v1/docs", "", ""); text != "[]\n" {
		t.Errorf("a damaged bundle left %s", text)
	}

	last := ben.lastLine("/v1/bundle", bytes.NewReader(bundle))
	var got struct{ Result ImportReport }
	ben.decode(last, &got)
	if got.Result.Docs != 1 || got.Result.Sets != report.Sets {
		t.Errorf("imported %s", last)
	}
	if text := ben.ok("GET", doc+"?path=title", "", ""); text != "\"Picnic\"\n" {
		t.Errorf("Ben has %s", text)
	}
	if status, text := ben.call("PATCH", doc, typeMerge, `{"title":"mine"}`); status != http.StatusForbidden {
		t.Errorf("a reader wrote: %d %s", status, text)
	}
	last = ben.lastLine("/v1/bundle", bytes.NewReader(flipped))
	var row problemRow
	ben.decode(last, &row)
	if row.Problem == nil || row.Problem.Exit != 5 || row.Problem.Report == nil {
		t.Errorf("by lines: %s", last)
	}
}

// lastLine asks for an answer by lines, and gives the one that counts.
func (a *api) lastLine(path string, body io.Reader) string {
	a.t.Helper()
	resp := a.send("POST", path, "", body, "Accept", typeLines)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		a.t.Fatalf("%s: %s %v %s", path, resp.Status, err, text)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for _, line := range lines[:len(lines)-1] {
		var p progressRow
		a.decode(line, &p)
		if p.Progress.Done > p.Progress.Total {
			a.t.Errorf("progress %s", line)
		}
	}
	return lines[len(lines)-1]
}

func TestCareOverHTTP(t *testing.T) {
	a := newAPI(t)
	a.newDoc(`{"title":"Picnic"}`)
	var got struct{ Result CheckReport }
	a.decode(a.lastLine("/v1/check", nil), &got)
	if got.Result.Documents != 1 || got.Result.Damaged != 0 {
		t.Errorf("check by lines: %+v", got)
	}
	var report CheckReport
	a.decode(a.ok("POST", "/v1/check", "", ""), &report)
	if report.Documents != 1 || report.Damaged != 0 {
		t.Errorf("check: %+v", report)
	}

	dest := filepath.Join(t.TempDir(), "kept")
	body, err := json.Marshal(map[string]string{"dir": dest})
	if err != nil {
		t.Fatal(err)
	}
	a.ok("POST", "/v1/backup", typeJSON, string(body))
	if _, err := os.Stat(filepath.Join(dest, "data")); err != nil {
		t.Error(err)
	}
	if status, text := a.call("POST", "/v1/backup", typeJSON, string(body)); status < 400 {
		t.Errorf("backup over a backup: %d %s", status, text)
	}
}

// TestClosedReplica: every route says so, and none hangs or panics.
func TestClosedReplica(t *testing.T) {
	a := newAPI(t)
	doc := a.newDoc(`{}`)
	if err := a.r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v1/health", "/v1/status", "/v1/persons", "/v1/docs", doc, doc + "/heads", doc + "/log", doc + "/acl", doc + "/status", "/v1/bundle"} {
		if status, text := a.call("GET", path, "", ""); status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	for path, body := range map[string]string{doc + "/edit": `{"set":["a",1]}`, "/v1/docs": `{}`, "/v1/check": ""} {
		if status, text := a.call("POST", path, typeLines, body); status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
}
