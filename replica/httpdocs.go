package replica

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"

	"github.com/pipes-sync/pipes/crdt"
)

// headsAnswer follows every write.
type headsAnswer struct {
	Heads []crdt.ChangeHash `json:"heads"`
}

func (h *handler) docs(w http.ResponseWriter, r *http.Request) error {
	rows := newRowWriter(w, r)
	for d, err := range h.r.Docs(r.Context()) {
		if err != nil {
			return err
		}
		if err := rows.add(d); err != nil {
			return err
		}
	}
	return rows.end()
}

func (h *handler) newDoc(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(w, r, maxBody)
	if err != nil {
		return err
	}
	var initial any = map[string]any{}
	if len(bytes.TrimSpace(body)) > 0 {
		if initial, err = crdt.ParseJSON(body); err != nil {
			return badRequest("%v", err)
		}
	}
	root, ok := initial.(map[string]any)
	if !ok {
		return badRequest("a document is a JSON object, as {\"title\": \"hi\"}")
	}
	d, err := h.create(r, root, len(body))
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/docs/"+d.ID().String())
	return writeJSON(w, http.StatusCreated, struct {
		Doc crdt.DocID `json:"doc"`
	}{d.ID()})
}

// create makes a document in one change, or in as many as its size takes.
func (h *handler) create(r *http.Request, root map[string]any, size int) (*Doc, error) {
	if cost(root) <= h.maxOps && size <= maxChangeBytes {
		return h.r.NewDoc(r.Context(), root)
	}
	d, err := h.r.NewDoc(r.Context(), nil)
	if err != nil {
		return nil, err
	}
	run := editRun{doc: d, limit: h.maxOps}
	if err := run.apply(r.Context(), "", splitSet(crdt.Path{}, root, h.maxOps), 0); err != nil {
		return nil, fmt.Errorf("document %s is not complete: %w", d.ID(), err)
	}
	return d, d.Flush(r.Context())
}

func (h *handler) getDoc(w http.ResponseWriter, r *http.Request) error {
	d, err := h.doc(r)
	if err != nil {
		return err
	}
	return h.writeValue(w, r, func(f func(crdt.View) error) error { return d.Read(r.Context(), f) })
}

func (h *handler) docAt(w http.ResponseWriter, r *http.Request) error {
	d, err := h.doc(r)
	if err != nil {
		return err
	}
	heads, err := h.parseHeads(r, d, r.PathValue("heads"))
	if err != nil {
		return err
	}
	return h.writeValue(w, r, func(f func(crdt.View) error) error { return d.At(r.Context(), heads, f) })
}

// writeValue sends what is at ?path= in a view. It is rendered first: a slow
// client must not hold the document.
func (h *handler) writeValue(w http.ResponseWriter, r *http.Request, view func(func(crdt.View) error) error) error {
	p, err := queryPath(r)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	if err := view(func(v crdt.View) error { return v.WriteJSON(&body, p) }); err != nil {
		return err
	}
	body.WriteByte('\n')
	w.Header().Set("Content-Type", typeJSON)
	w.Write(body.Bytes())
	return nil
}

func (h *handler) heads(w http.ResponseWriter, r *http.Request) error {
	d, err := h.doc(r)
	if err != nil {
		return err
	}
	heads, err := d.Heads(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, notNil(heads))
}

func (h *handler) docLog(w http.ResponseWriter, r *http.Request) error {
	d, err := h.doc(r)
	if err != nil {
		return err
	}
	rows := newRowWriter(w, r)
	for c, err := range d.Log(r.Context()) {
		if err != nil {
			return err
		}
		if err := rows.add(c); err != nil {
			return err
		}
	}
	return rows.end()
}

// maxHeads bounds the heads in a URL; a document has as many as it has writers
// that work at the same time.
const maxHeads = 64

// parseHeads reads changes separated by commas, each as its hash or as 8 or more
// digits that begin the hash of one change of d alone.
func (h *handler) parseHeads(r *http.Request, d *Doc, text string) ([]crdt.ChangeHash, error) {
	parts := strings.Split(text, ",")
	if len(parts) > maxHeads {
		return nil, badRequest("more than %d heads", maxHeads)
	}
	heads := make([]crdt.ChangeHash, len(parts))
	for i, part := range parts {
		var err error
		if len(part) >= 8 && len(part) < 2*len(heads[i]) {
			heads[i], err = h.findChange(r, d, part)
		} else {
			heads[i], err = crdt.ParseChangeHash(part)
		}
		if err != nil {
			return nil, err
		}
	}
	return heads, nil
}

func (h *handler) findChange(r *http.Request, d *Doc, prefix string) (found crdt.ChangeHash, err error) {
	n := 0
	for c, err := range d.Log(r.Context()) {
		if err != nil {
			return found, err
		}
		if strings.HasPrefix(c.Hash.String(), strings.ToLower(prefix)) {
			found = c.Hash
			n++
		}
	}
	switch n {
	case 0:
		return found, fmt.Errorf("%w: none begins with %s", crdt.ErrNoChange, prefix)
	case 1:
		return found, nil
	}
	return found, fmt.Errorf("%w: %d changes begin with %s", ErrAmbiguous, n, prefix)
}

// rowWriter writes rows as they come: a JSON array, or lines if the client asked
// for them.
type rowWriter struct {
	w     http.ResponseWriter
	lines bool
	n     int
}

func newRowWriter(w http.ResponseWriter, r *http.Request) *rowWriter {
	return &rowWriter{w: w, lines: wantsLines(r)}
}

func (o *rowWriter) add(row any) error {
	b, err := encodeJSON(row)
	if err != nil {
		return err
	}
	o.begin()
	if !o.lines {
		b = bytes.TrimSuffix(b, []byte("\n"))
		if o.n > 0 {
			b = append([]byte{','}, b...)
		}
	}
	o.n++
	_, err = o.w.Write(b)
	return err
}

// begin is late, so that an error before the first row is still a problem.
func (o *rowWriter) begin() {
	if o.n > 0 {
		return
	}
	if o.lines {
		o.w.Header().Set("Content-Type", typeLines)
		return
	}
	o.w.Header().Set("Content-Type", typeJSON)
	o.w.Write([]byte{'['})
}

func (o *rowWriter) end() error {
	o.begin()
	if o.lines {
		return nil
	}
	_, err := o.w.Write([]byte("]\n"))
	return err
}

// notNil makes an empty list print as [] and not as null.
func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
