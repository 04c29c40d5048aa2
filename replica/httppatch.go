package replica

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pipes-sync/pipes/crdt"
)

// patchDoc writes one change or nothing. The media type says what the body is: a
// JSON Merge Patch (RFC 7396), a JSON Patch (RFC 6902), or edits as edit takes
// them. What a patch does not alter is not written, so that others' edits live.
func (h *handler) patchDoc(w http.ResponseWriter, r *http.Request) error {
	d, err := h.doc(r)
	if err != nil {
		return err
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return badRequest("Content-Type: %v", err)
	}
	body, err := readBody(w, r, maxBody)
	if err != nil {
		return err
	}
	var patch func(*crdt.Tx) error
	switch media {
	case typeMerge, typeJSON:
		patch, err = parseMergePatch(body)
	case typeJSONPatch:
		patch, err = parseJSONPatch(body)
	case typeLines:
		patch, err = parseEdits(body)
	default:
		err = badRequest("Content-Type %s, want %s, %s or %s", media, typeMerge, typeJSONPatch, typeLines)
	}
	if err != nil {
		return err
	}
	heads, err := d.ChangeMessage(r.Context(), r.URL.Query().Get("message"), patch)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, headsAnswer{notNil(heads)})
}

// parseEdits reads edit lines, which a patch applies all or none. Errors are
// those of the edits themselves: a missing path is not found, not a bad line.
func parseEdits(body []byte) (func(*crdt.Tx) error, error) {
	var ops []editOp
	for line := range bytes.Lines(body) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		op, err := parseEditOp(line)
		if err != nil {
			return nil, err
		}
		if op.kind == "commit" {
			return nil, badRequest("a patch is one change: its message is ?message=")
		}
		ops = append(ops, op)
	}
	return func(tx *crdt.Tx) error {
		for i := range ops {
			if err := ops[i].apply(tx); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func parseMergePatch(body []byte) (func(*crdt.Tx) error, error) {
	v, err := crdt.ParseJSON(body)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, badRequest("a merge patch of a document is a JSON object")
	}
	return func(tx *crdt.Tx) error { return mergeMap(tx, crdt.Path{}, m) }, nil
}

// mergeMap is MergePatch of RFC 7396 section 2 for a target that is a map.
func mergeMap(tx *crdt.Tx, at crdt.Path, patch map[string]any) error {
	for _, k := range slices.Sorted(maps.Keys(patch)) {
		p := at.Join(crdt.Key(k))
		cur, err := tx.Get(p)
		missing := isMissing(err)
		if err != nil && !missing {
			return err
		}
		if err := mergeAt(tx, p, patch[k], cur, missing); err != nil {
			return err
		}
	}
	return nil
}

// mergeAt is mergeMap for one key, which has the value cur unless that is missing.
func mergeAt(tx *crdt.Tx, p crdt.Path, patch any, cur crdt.Value, missing bool) error {
	switch v := patch.(type) {
	case nil:
		if missing {
			return nil
		}
		return tx.Delete(p)
	case map[string]any:
		if missing || cur.Kind() != crdt.KindMap {
			if err := tx.Set(p, map[string]any{}); err != nil {
				return err
			}
		}
		return mergeMap(tx, p, v)
	default:
		return tx.Set(p, v)
	}
}

// patchOp is one operation of a JSON Patch.
type patchOp struct {
	Op    string          `json:"op"`
	Path  *string         `json:"path"`
	From  *string         `json:"from"`
	Value json.RawMessage `json:"value"`
}

func parseJSONPatch(body []byte) (func(*crdt.Tx) error, error) {
	var raw []patchOp
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, badRequest("JSON Patch: %v", err)
	}
	steps := make([]func(*crdt.Tx) error, len(raw))
	for i := range raw {
		var err error
		if steps[i], err = raw[i].compile(); err != nil {
			return nil, badRequest("JSON Patch, operation %d: %v", i, err)
		}
	}
	return func(tx *crdt.Tx) error {
		for i, step := range steps {
			if err := step(tx); err != nil {
				return fmt.Errorf("JSON Patch, operation %d: %w", i, err)
			}
		}
		return nil
	}, nil
}

// compile checks an operation and gives what it does (RFC 6902 section 4).
func (o *patchOp) compile() (func(*crdt.Tx) error, error) {
	path, err := pointer("path", o.Path)
	if err != nil {
		return nil, err
	}
	switch o.Op {
	case "remove":
		return func(tx *crdt.Tx) error { return tx.Delete(path) }, nil
	case "add", "replace", "test":
		if o.Value == nil {
			return nil, fmt.Errorf("%s lacks a value", o.Op)
		}
		v, err := crdt.ParseJSON(o.Value)
		if err != nil {
			return nil, err
		}
		return map[string]func(*crdt.Tx) error{
			"add":     func(tx *crdt.Tx) error { return patchAdd(tx, path, v) },
			"replace": func(tx *crdt.Tx) error { return patchReplace(tx, path, v) },
			"test":    func(tx *crdt.Tx) error { return patchTest(tx, path, o.Value) },
		}[o.Op], nil
	case "move", "copy":
		from, err := pointer("from", o.From)
		if err != nil {
			return nil, err
		}
		return func(tx *crdt.Tx) error { return patchMove(tx, from, path, o.Op == "move") }, nil
	}
	return nil, fmt.Errorf("%q is not add, remove, replace, move, copy or test", o.Op)
}

// pointer reads a JSON Pointer, with the slash that our own paths leave out.
func pointer(name string, s *string) (crdt.Path, error) {
	if s == nil {
		return nil, fmt.Errorf("%s is missing", name)
	}
	rest, ok := strings.CutPrefix(*s, "/")
	if !ok && *s != "" {
		return nil, fmt.Errorf("%s %q does not begin with a slash", name, *s)
	}
	if *s == "/" {
		return nil, fmt.Errorf("%s %q is an empty key, which documents do not have", name, *s)
	}
	return crdt.ParsePath(rest)
}

// patchAdd inserts into a list, "-" being its end, and sets a key of a map.
func patchAdd(tx *crdt.Tx, p crdt.Path, v any) error {
	if len(p) == 0 {
		return tx.Set(p, v)
	}
	parent := p[:len(p)-1]
	at, err := tx.Get(parent)
	if err != nil {
		return err
	}
	if at.Kind() != crdt.KindList {
		return tx.Set(p, v)
	}
	n, err := tx.Len(parent)
	if err != nil {
		return err
	}
	if i, ok := listIndex(p, n); ok {
		return tx.Insert(parent, i, v)
	}
	return &crdt.PathError{Path: p, Detail: "not an index of the list", Err: crdt.ErrRange}
}

// listIndex is the position that the last element of p names in a list of n.
func listIndex(p crdt.Path, n int) (int, bool) {
	last := p[len(p)-1:].String()
	if last == "-" {
		return n, true
	}
	i, err := strconv.Atoi(last)
	return i, err == nil && i >= 0 && i <= n && strconv.Itoa(i) == last
}

func patchReplace(tx *crdt.Tx, p crdt.Path, v any) error {
	if _, err := tx.Get(p); err != nil {
		return err
	}
	return tx.Set(p, v)
}

func patchMove(tx *crdt.Tx, from, to crdt.Path, remove bool) error {
	v, err := tx.Value(from)
	if err != nil {
		return err
	}
	if remove {
		if strings.HasPrefix(to.String(), from.String()+"/") {
			return badRequest("cannot move %s into itself", from)
		}
		if err := tx.Delete(from); err != nil {
			return err
		}
	}
	return patchAdd(tx, to, v)
}

// patchTest compares as JSON does: 1 and 1.0 are the same number.
func patchTest(tx *crdt.Tx, p crdt.Path, want json.RawMessage) error {
	var have bytes.Buffer
	if err := tx.WriteJSON(&have, p); err != nil {
		return err
	}
	var a, b any
	if err := json.Unmarshal(have.Bytes(), &a); err != nil {
		return err
	}
	if err := json.Unmarshal(want, &b); err != nil {
		return err
	}
	if !reflect.DeepEqual(a, b) {
		p := problemf(problemFailed, "test: %q is not what was expected", p)
		p.Status = http.StatusConflict
		return p
	}
	return nil
}

func isMissing(err error) bool { return errors.Is(err, crdt.ErrNoPath) }
