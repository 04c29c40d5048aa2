package crdt

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Path leads from the root of a document to a value: one [Elem] for each map or
// list on the way. The empty Path is the root.
type Path []Elem

// Elem is a map key, a list index, or, in a path that was parsed from text,
// either: then the object that it is applied to decides.
type Elem struct {
	key   string
	index int // -1: not an index
	isKey bool
}

// Key is the element that selects key k of a map.
func Key(k string) Elem { return Elem{key: k, index: -1, isKey: true} }

// Index is the element that selects item i of a list.
func Index(i int) Elem { return Elem{key: strconv.Itoa(i), index: i} }

// At makes a Path of strings (keys), ints (indexes) and Elems. It panics on
// other types: the arguments are a program's constants, not its input.
func At(elems ...any) Path {
	p := make(Path, len(elems))
	for i, e := range elems {
		switch e := e.(type) {
		case string:
			p[i] = Key(e)
		case int:
			p[i] = Index(e)
		case Elem:
			p[i] = e
		default:
			panic(fmt.Sprintf("crdt: a path has no %T", e))
		}
	}
	return p
}

// ParsePath reads a JSON Pointer (RFC 6901) without its leading slash: elements
// are separated by "/", "~1" stands for "/" and "~0" for "~". Digits select an
// item of a list or a key of a map, whichever is there. "" is the root.
func ParsePath(s string) (Path, error) {
	if s == "" {
		return Path{}, nil
	}
	var p Path
	for part := range strings.SplitSeq(s, "/") {
		if len(p) == MaxDepth {
			return nil, fmt.Errorf("%w: path %q", ErrDepth, clip(s))
		}
		k, err := unescape(part)
		if err != nil {
			return nil, err
		}
		p = append(p, Elem{key: k, index: parseIndex(part), isKey: true})
	}
	return p, nil
}

func unescape(part string) (string, error) {
	for rest := part; ; {
		_, after, ok := strings.Cut(rest, "~")
		if !ok {
			break
		}
		if after == "" || after[0] != '0' && after[0] != '1' {
			return "", fmt.Errorf("crdt: path element %q: ~ is not followed by 0 or 1", clip(part))
		}
		rest = after
	}
	return strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~"), nil
}

// parseIndex reads an array index as RFC 6901 section 4 writes it, or gives -1.
func parseIndex(s string) int {
	if s == "" || len(s) > 1 && s[0] == '0' || s[0] < '0' || s[0] > '9' {
		return -1
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

// String writes the form that [ParsePath] reads.
func (p Path) String() string {
	parts := make([]string, len(p))
	for i, e := range p {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(e.key, "~", "~0"), "/", "~1")
	}
	return strings.Join(parts, "/")
}

// Join is p and then elems, in new memory.
func (p Path) Join(elems ...Elem) Path { return slices.Concat(p, elems) }

// prop is the place e selects in an object of kind k.
func (e Elem) prop(k Kind) (Prop, bool) {
	switch k {
	case KindMap:
		return Prop{Key: e.key}, e.isKey
	case KindList:
		return Prop{Index: e.index}, e.index >= 0 || !e.isKey
	}
	return Prop{}, false
}
