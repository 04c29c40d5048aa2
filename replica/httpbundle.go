package replica

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// reportTrailer carries the report of an export behind the bundle.
const reportTrailer = "Pipes-Report"

// exportBundle streams a bundle. Its report comes as a trailer, in JSON.
func (h *handler) exportBundle(w http.ResponseWriter, r *http.Request) error {
	var o ExportOptions
	if name := r.URL.Query().Get("for"); name != "" {
		person, err := h.r.ResolvePerson(r.Context(), name)
		if err != nil {
			return err
		}
		o.For = person
	}
	w.Header().Set("Content-Type", typeBundle)
	report, err := h.r.ExportBundle(r.Context(), w, o)
	if err != nil {
		w.Header().Del("Content-Type")
		return err
	}
	line, err := json.Marshal(report)
	if err != nil {
		return err
	}
	w.Header().Set(http.TrailerPrefix+reportTrailer, string(line))
	return nil
}

// importBundle reads the body twice, for a bundle is checked as a whole before
// anything of it is taken: a body that cannot go back is copied to a temporary
// file first. What is in it is sealed, there as here.
func (h *handler) importBundle(w http.ResponseWriter, r *http.Request) error {
	if f, ok := r.Body.(io.ReadSeeker); ok {
		return h.importFrom(w, r, f)
	}
	f, err := os.CreateTemp("", "pipes-import-*.bundle")
	if err != nil {
		return fmt.Errorf("replica: import: %w", err)
	}
	_, err = io.Copy(f, http.MaxBytesReader(w, r.Body, maxBundleBody))
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		err = fmt.Errorf("replica: import: %w", err)
	} else {
		err = h.importFrom(w, r, f)
	}
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

func (h *handler) importFrom(w http.ResponseWriter, r *http.Request, f io.ReadSeeker) error {
	return h.withProgress(w, r, func(progress func(done, total int64)) (any, error) {
		return h.r.ImportBundle(r.Context(), f, ImportOptions{Progress: progress})
	})
}

func (h *handler) backup(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Dir string `json:"dir"`
	}
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	if !filepath.IsAbs(req.Dir) {
		return badRequest("dir %q is not absolute", req.Dir)
	}
	report, err := h.r.Backup(r.Context(), req.Dir)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, report)
}

func (h *handler) check(w http.ResponseWriter, r *http.Request) error {
	return h.withProgress(w, r, func(progress func(done, total int64)) (any, error) {
		return h.r.Check(r.Context(), progress)
	})
}

// progressRow is how far a long request is.
type progressRow struct {
	Progress struct {
		Done  int64 `json:"done"`
		Total int64 `json:"total"` // 0 while it is not known
	} `json:"progress"`
}

// progressEvery keeps progress from becoming the work.
const progressEvery = 100 * time.Millisecond

// withProgress answers with what work gives. To a client that asked for lines it
// says meanwhile how far it is, and ends with {"result": ...} or {"problem": ...}.
// A problem carries the report of what was done all the same.
func (h *handler) withProgress(w http.ResponseWriter, r *http.Request, work func(func(done, total int64)) (any, error)) error {
	if !wantsLines(r) {
		report, err := work(func(int64, int64) {})
		if err != nil {
			return withReport(err, report)
		}
		return writeJSON(w, http.StatusOK, report)
	}
	w.Header().Set("Content-Type", typeLines)
	var said time.Time
	report, err := work(func(done, total int64) {
		if time.Since(said) < progressEvery {
			return
		}
		said = time.Now()
		var row progressRow
		row.Progress.Done, row.Progress.Total = done, total
		sendLine(w, row) // a client that went away ends the work through its context
	})
	if err != nil {
		return sendLine(w, problemRow{withReport(err, report)})
	}
	return sendLine(w, resultRow{report})
}

// withReport puts a report on a problem.
func withReport(err error, report any) *Problem {
	p := *ProblemOf(err)
	p.Report = report
	return &p
}

// The last line of an answer by lines is one of these.
type (
	resultRow struct {
		Result any `json:"result"`
	}
	problemRow struct {
		Problem *Problem `json:"problem"`
	}
)

// sendLine writes one line of JSON and flushes it.
func sendLine(w http.ResponseWriter, v any) error {
	line, err := encodeJSON(v)
	if err == nil {
		_, err = w.Write(line)
	}
	if err == nil {
		err = http.NewResponseController(w).Flush()
	}
	return err
}
