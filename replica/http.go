package replica

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/pipes-sync/pipes/crdt"
)

// Bounds of what a client may send. They protect the process from a client that
// errs; the real bound of a document is the change guard's.
const (
	// maxBody is the largest JSON document or patch: it has to be in memory as
	// a whole, several times over.
	maxBody = 16 << 20
	// maxSmallBody is the largest request that only names things.
	maxSmallBody = 64 << 10
	// maxBundleBody is the largest bundle: more than a laptop's whole replica,
	// and less than what fills its disk unnoticed.
	maxBundleBody = 64 << 30
)

// Media types of the API beside application/json.
const (
	typeJSON      = "application/json"
	typeLines     = "application/x-ndjson"
	typeMerge     = "application/merge-patch+json"
	typeJSONPatch = "application/json-patch+json"
	typeBundle    = "application/vnd.pipes.bundle"
)

// Handler serves the local HTTP API, described in doc/openapi.yaml. It trusts
// whoever can reach it: serve it on a socket that only the user can open, or
// check tokens, hosts and origins in front of it.
//
// Responses that stream (edit, bundle, check) need an HTTP server that can write
// while it reads, as net/http's can. Errors are [Problem] objects.
func (r *Replica) Handler() http.Handler {
	h := &handler{r: r, mux: http.NewServeMux(), log: r.log, maxOps: maxChangeOps}
	for _, rt := range h.routes() {
		h.mux.HandleFunc(rt.pattern, h.wrap(rt.serve))
	}
	return h
}

type handler struct {
	r      *Replica
	mux    *http.ServeMux
	log    *slog.Logger
	maxOps int // where long runs of edits are split
}

// serveFunc answers a request, or gives an error before it wrote anything. An
// error afterwards breaks the connection off.
type serveFunc func(w http.ResponseWriter, r *http.Request) error

type route struct {
	pattern string // of http.ServeMux; a test holds them against openapi.yaml
	serve   serveFunc
}

func (h *handler) routes() []route {
	return []route{
		{"GET /v1/health", h.health},
		{"GET /v1/status", h.status},
		{"GET /v1/id", h.id},
		{"GET /v1/persons", h.persons},
		{"GET /v1/docs", h.docs},
		{"POST /v1/docs", h.newDoc},
		{"GET /v1/docs/{id}", h.getDoc},
		{"PATCH /v1/docs/{id}", h.patchDoc},
		{"POST /v1/docs/{id}/edit", h.editDoc},
		{"GET /v1/docs/{id}/heads", h.heads},
		{"GET /v1/docs/{id}/status", h.docStatus},
		{"GET /v1/docs/{id}/log", h.docLog},
		{"GET /v1/docs/{id}/at/{heads}", h.docAt},
		{"GET /v1/docs/{id}/acl", h.acl},
		{"POST /v1/docs/{id}/acl", h.share},
		{"GET /v1/bundle", h.exportBundle},
		{"POST /v1/bundle", h.importBundle},
		{"POST /v1/backup", h.backup},
		{"POST /v1/check", h.check},
	}
}

// ServeHTTP answers also what no route fits with a problem.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, pattern := h.mux.Handler(r); pattern == "" {
		miss := &missWriter{header: http.Header{}}
		h.mux.ServeHTTP(miss, r)
		p := problemf(problemUsage, "%s %s: %s", r.Method, r.URL.Path, http.StatusText(miss.status))
		if p.Status = miss.status; p.Status == http.StatusNotFound {
			p.Exit, p.Kind = 4, exitKinds[4]
		}
		if allow := miss.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
		}
		writeProblem(w, p)
		return
	}
	h.mux.ServeHTTP(w, r)
}

// missWriter hears what the mux says about a request without a route.
type missWriter struct {
	header http.Header
	status int
}

func (m *missWriter) Header() http.Header         { return m.header }
func (m *missWriter) Write(p []byte) (int, error) { return len(p), nil }
func (m *missWriter) WriteHeader(status int)      { m.status = status }

func (h *handler) wrap(serve serveFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sw := &startedWriter{ResponseWriter: w}
		err := serve(sw, r)
		if err == nil {
			return
		}
		p := ProblemOf(err)
		// A request without an address comes from this process, which gets the problem itself.
		if p.Status >= 500 && r.RemoteAddr != "" && r.Context().Err() == nil {
			h.log.Warn("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		}
		if sw.started {
			// Half of an answer must not look like a whole one.
			panic(http.ErrAbortHandler)
		}
		writeProblem(w, p)
	}
}

// startedWriter knows whether an answer has begun.
type startedWriter struct {
	http.ResponseWriter
	started bool
}

func (s *startedWriter) WriteHeader(status int) {
	s.started = true
	s.ResponseWriter.WriteHeader(status)
}

func (s *startedWriter) Write(p []byte) (int, error) {
	s.started = true
	return s.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (s *startedWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// doc opens the document that the path names, by its id or a prefix of it.
func (h *handler) doc(r *http.Request) (*Doc, error) {
	id, err := h.r.ResolveDoc(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return h.r.Doc(r.Context(), id)
}

// queryPath reads ?path=.
func queryPath(r *http.Request) (crdt.Path, error) { return parsePath(r.URL.Query().Get("path")) }

func parsePath(s string) (crdt.Path, error) {
	p, err := crdt.ParsePath(s)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	return p, nil
}

// readBody reads a whole bounded body.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
}

// readJSON decodes a small body strictly.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSmallBody))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return badRequest("body: %v", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return badRequest("body: more than one JSON value")
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := encodeJSON(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", typeJSON)
	w.WriteHeader(status)
	w.Write(body) // a client that went away is no concern of ours
	return nil
}

// encodeJSON is json.Marshal with a newline and without escapes for HTML.
func encodeJSON(v any) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return []byte(b.String()), err
}

// wantsLines says whether the client asked for an answer line by line.
func wantsLines(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), typeLines) }
