package replica

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pipes-sync/pipes/crdt"
)

// editOp is one edit. Its JSON form is an object of one key, whose value is an
// array:
//
//	{"set": [path, value]}         {"del": [path]}
//	{"insert": [path, i, value]}   {"splice": [path, pos, del, text]}
//	{"inc": [path, n]}             {"counter": [path, n]}
//	{"commit": message}
//
// A splice may have a second key, "unit": "utf16", if it counts as JavaScript does.
type editOp struct {
	kind  string
	path  crdt.Path
	value any // of set and insert
	// pos is the index of insert and the position of splice, n the number of
	// inc and counter and of what splice deletes.
	pos   int
	n     int64
	text  string // of splice and commit
	utf16 bool

	line int // where it stands, from 1
	size int // its length in bytes
	// need is where the splice that this one is a piece of ends: the text must
	// be as long before the first piece is written.
	need int64
}

// editArgs is how many arguments each kind of edit takes.
var editArgs = map[string]int{"set": 2, "del": 1, "insert": 3, "splice": 4, "inc": 2, "counter": 2}

// parseEditOp is strict: a key too many or an argument too few may be a typing
// error that loses data.
func parseEditOp(line []byte) (op editOp, err error) {
	fields, err := objectFields(line)
	if err != nil {
		return op, err
	}
	if unit, ok := fields["unit"]; ok {
		delete(fields, "unit")
		switch string(unit) {
		case `"utf16"`:
			op.utf16 = true
		case `"codepoint"`:
		default:
			return op, badRequest("unit %s, want \"codepoint\" or \"utf16\"", clipText(unit))
		}
		if fields["splice"] == nil {
			return op, badRequest("unit is for splice only")
		}
	}
	if len(fields) != 1 {
		return op, badRequest("want one of set, del, insert, splice, inc, counter and commit")
	}
	for kind, raw := range fields {
		op.kind = kind
		if kind == "commit" {
			return op, jsonArg(raw, &op.text, "commit", "a message")
		}
		if err := op.parseArgs(raw); err != nil {
			return op, err
		}
	}
	return op, nil
}

// objectFields decodes an object and refuses keys that stand in it twice.
func objectFields(line []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, badRequest("not a JSON object: %s", clipText(line))
	}
	fields := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		key, ok := t.(string)
		if err != nil || !ok || fields[key] != nil {
			return nil, badRequest("not a JSON object with different keys: %s", clipText(line))
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, badRequest("bad JSON: %v", err)
		}
		fields[key] = raw
	}
	if _, err := d.Token(); err != nil {
		return nil, badRequest("bad JSON: %v", err)
	}
	if rest := bytes.TrimSpace(line[d.InputOffset():]); len(rest) > 0 {
		return nil, badRequest("more than one JSON value in a line: %s", clipText(rest))
	}
	return fields, nil
}

func (op *editOp) parseArgs(raw json.RawMessage) error {
	want, ok := editArgs[op.kind]
	if !ok {
		return badRequest("%q is not an edit: want set, del, insert, splice, inc, counter or commit", op.kind)
	}
	var args []json.RawMessage
	if err := json.Unmarshal(raw, &args); err != nil || len(args) != want {
		return badRequest("%s wants an array of %d", op.kind, want)
	}
	var path string
	err := jsonArg(args[0], &path, op.kind, "a path")
	if err == nil {
		op.path, err = parsePath(path)
	}
	if err != nil {
		return err
	}
	switch op.kind { // del has its path alone
	case "set":
		op.value, err = valueArg(args[1])
	case "insert":
		if err = jsonArg(args[1], &op.pos, op.kind, "an index"); err == nil {
			op.value, err = valueArg(args[2])
		}
	case "splice":
		if err = jsonArg(args[1], &op.pos, op.kind, "a position"); err == nil {
			err = jsonArg(args[2], &op.n, op.kind, "how much to delete")
		}
		if err == nil {
			err = jsonArg(args[3], &op.text, op.kind, "a text")
		}
		if err == nil && op.utf16 && op.cost() > maxChangeOps {
			err = problemf(problemLarge, "a splice in UTF-16 units may write and delete %d at most", maxChangeOps)
		}
	case "inc", "counter":
		err = jsonArg(args[1], &op.n, op.kind, "a whole number")
	}
	return err
}

// jsonArg decodes one argument. A JSON null is no argument.
func jsonArg(raw json.RawMessage, v any, kind, what string) error {
	if string(raw) == "null" || json.Unmarshal(raw, v) != nil {
		return badRequest("%s wants %s, not %s", kind, what, clipText(raw))
	}
	return nil
}

func valueArg(raw json.RawMessage) (any, error) {
	v, err := crdt.ParseJSON(raw)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	return v, nil
}

// clipText keeps foreign text in an error short and printable.
func clipText(b []byte) string {
	const most = 60
	if len(b) > most {
		return fmt.Sprintf("%q...", strings.ToValidUTF8(string(b[:most]), ""))
	}
	return fmt.Sprintf("%q", b)
}

// apply writes op. It fails with [crdt.ErrNoPath] and the like.
func (op *editOp) apply(tx *crdt.Tx) error {
	switch op.kind {
	case "set":
		return tx.Set(op.path, op.value)
	case "del":
		return tx.Delete(op.path)
	case "insert":
		return tx.Insert(op.path, op.pos, op.value)
	case "splice":
		return op.splice(tx)
	case "inc":
		return tx.Increment(op.path, op.n)
	case "counter":
		return tx.PutCounter(op.path, op.n)
	}
	panic("replica: edit of kind " + op.kind) // parseArgs lets no other pass
}

func (op *editOp) splice(tx *crdt.Tx) error {
	if op.pos < 0 || op.pos > maxText || op.n < 0 || op.n > maxText {
		return op.outOfRange("position %d, %d to delete", op.pos, op.n)
	}
	if op.need > 0 {
		if n, err := tx.Len(op.path); err != nil {
			return err
		} else if int64(n) < op.need {
			return op.outOfRange("the splice ends at %d in a text of %d", op.need, n)
		}
	}
	pos, del := op.pos, int(op.n)
	if op.utf16 {
		text, err := tx.Text(op.path)
		if err != nil {
			return err
		}
		end, err := crdt.RunesFromUTF16(text, pos+del)
		if err == nil {
			pos, err = crdt.RunesFromUTF16(text, pos)
		}
		if err != nil {
			return &crdt.PathError{Path: op.path, Err: err}
		}
		del = end - pos
	}
	return tx.Splice(op.path, pos, del, op.text)
}

func (op *editOp) outOfRange(format string, args ...any) error {
	return &crdt.PathError{Path: op.path, Detail: fmt.Sprintf(format, args...), Err: crdt.ErrRange}
}

// maxText is more code points than any text can have, and few enough that sums
// of positions do not overflow.
const maxText = 1 << 30
