package replica

import (
	"iter"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/pipes-sync/pipes/crdt"
)

const (
	// maxChangeOps is where a long run of edits is split: the guard refuses
	// changes of more than change.MaxOps operations, and the estimate of what an
	// edit costs must have room to err.
	maxChangeOps = 100_000
	// maxChangeBytes is the same for bytes: a change set holds 2 MiB.
	maxChangeBytes = 1 << 20
)

// cost is the most operations that writing v where nothing was can take.
func cost(v any) int {
	n := 1
	switch v := v.(type) {
	case string:
		n += utf8.RuneCountInString(v)
	case map[string]any:
		for _, item := range v {
			n += cost(item)
		}
	case []any:
		for _, item := range v {
			n += cost(item)
		}
	}
	return n
}

// cost is the most operations that op can take, apart from what it removes of
// the value that it replaces.
func (op *editOp) cost() int {
	switch op.kind {
	case "set", "insert":
		return cost(op.value)
	case "splice":
		return int(min(op.n, maxText)) + utf8.RuneCountInString(op.text)
	}
	return 1
}

// overText is op as a splice if it sets a text to another and would cost more
// than limit: comparing them whole would delete the old one in one go.
func (op editOp) overText(tx *crdt.Tx, limit int) editOp {
	next, ok := op.value.(string)
	if op.kind != "set" || !ok || len(op.path) == 0 {
		return op
	}
	at, err := tx.Get(op.path)
	if err != nil || at.Kind() != crdt.KindText {
		return op // Set knows what to say
	}
	if n, err := tx.Len(op.path); err != nil || n+op.cost() <= limit {
		return op
	}
	old, err := tx.Text(op.path)
	if err != nil {
		return op
	}
	a, b := []rune(old), []rune(next)
	pos := 0
	for pos < len(a) && pos < len(b) && a[pos] == b[pos] {
		pos++
	}
	end := 0
	for end < len(a)-pos && end < len(b)-pos && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	op.kind, op.value = "splice", nil
	op.pos, op.n, op.text = pos, int64(len(a)-pos-end), string(b[pos:len(b)-end])
	return op
}

// pieces cuts an edit that costs more than limit into several that do not. Their
// sum is the same state, but a large value is written anew instead of being
// compared with what is there.
func (op editOp) pieces(limit int) iter.Seq[editOp] {
	return func(yield func(editOp) bool) {
		switch {
		case op.cost() <= limit:
			yield(op)
		case op.kind == "splice" && !op.utf16:
			splitSplice(op, limit, yield)
		case op.kind == "set":
			for piece := range splitSet(op.path, op.value, limit) {
				if !yield(piece) {
					return
				}
			}
		case op.kind == "insert":
			head := op
			head.value = hollow(op.value)
			if !yield(head) {
				return
			}
			splitInto(op.path.Join(crdt.Index(op.pos)), op.value, limit, yield)
		default:
			yield(op)
		}
	}
}

// splitSplice deletes in portions, then inserts in portions.
func splitSplice(op editOp, limit int, yield func(editOp) bool) bool {
	need := int64(op.pos) + op.n
	for left := op.n; left > 0; left -= int64(limit) {
		if !yield(editOp{kind: "splice", path: op.path, pos: op.pos, n: min(left, int64(limit)), need: need}) {
			return false
		}
		need = 0
	}
	pos := op.pos
	for text := op.text; text != ""; pos += limit {
		var part string
		part, text = cutRunes(text, limit)
		if !yield(editOp{kind: "splice", path: op.path, pos: pos, text: part}) {
			return false
		}
	}
	return true
}

func cutRunes(s string, n int) (head, tail string) {
	for i := range s {
		if n == 0 {
			return s[:i], s[i:]
		}
		n--
	}
	return s, ""
}

// splitSet makes what is at p read as v.
func splitSet(p crdt.Path, v any, limit int) iter.Seq[editOp] {
	return func(yield func(editOp) bool) {
		if cost(v) <= limit || yield(editOp{kind: "set", path: p, value: hollow(v)}) {
			splitRest(p, v, limit, yield)
		}
	}
}

// splitRest writes v whole if it is small enough, else into its hollow, which is there.
func splitRest(p crdt.Path, v any, limit int, yield func(editOp) bool) bool {
	if cost(v) <= limit {
		return yield(editOp{kind: "set", path: p, value: v})
	}
	return splitInto(p, v, limit, yield)
}

// hollow is the empty value of v's kind.
func hollow(v any) any {
	switch v.(type) {
	case string:
		return ""
	case map[string]any:
		return map[string]any{}
	case []any:
		return []any{}
	}
	return v
}

// splitInto fills the empty value at p with what is in v.
func splitInto(p crdt.Path, v any, limit int, yield func(editOp) bool) bool {
	switch v := v.(type) {
	case string:
		return splitSplice(editOp{path: p, text: v}, limit, yield)
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			for piece := range splitSet(p.Join(crdt.Key(k)), v[k], limit) {
				if !yield(piece) {
					return false
				}
			}
		}
	case []any:
		for i, item := range v {
			for piece := range (editOp{kind: "insert", path: p, pos: i, value: item}).pieces(limit) {
				if !yield(piece) {
					return false
				}
			}
		}
	}
	return true
}
