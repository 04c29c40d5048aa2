package replica

import (
	"strings"
	"testing"

	"github.com/pipes-sync/pipes/crdt/change"
)

func TestPatches(t *testing.T) {
	a := newAPI(t)
	for _, c := range []struct {
		name, media, doc, patch string
		status                  int
		want                    string // the document afterwards
	}{
		// RFC 7396, appendix A, where the target is an object.
		{"merge replaces", typeMerge, `{"a":"b"}`, `{"a":"c"}`, 200, `{"a":"c"}`},
		{"merge adds", typeMerge, `{"a":"b"}`, `{"b":"c"}`, 200, `{"a":"b","b":"c"}`},
		{"merge removes", typeMerge, `{"a":"b","b":"c"}`, `{"a":null}`, 200, `{"b":"c"}`},
		{"merge removes nothing", typeMerge, `{"a":"b"}`, `{"x":null}`, 200, `{"a":"b"}`},
		{"merge array over text", typeMerge, `{"a":["b"]}`, `{"a":"c"}`, 200, `{"a":"c"}`},
		{"merge text over array", typeMerge, `{"a":"c"}`, `{"a":["b"]}`, 200, `{"a":["b"]}`},
		{"merge inside", typeMerge, `{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, 200, `{"a":{"b":"d"}}`},
		{"merge objects in arrays", typeMerge, `{"a":[{"b":"c"}]}`, `{"a":[1]}`, 200, `{"a":[1]}`},
		{"merge keeps null", typeMerge, `{"e":null}`, `{"a":1}`, 200, `{"a":1,"e":null}`},
		{"merge into nothing", typeMerge, `{}`, `{"a":{"bb":{"ccc":null}}}`, 200, `{"a":{"bb":{}}}`},
		{"merge map over scalar", typeMerge, `{"a":1}`, `{"a":{"b":2}}`, 200, `{"a":{"b":2}}`},
		{"merge of no object", typeMerge, `{"a":1}`, `["c"]`, 400, `{"a":1}`},
		{"merge of no JSON", typeMerge, `{"a":1}`, `{`, 400, `{"a":1}`},

		// RFC 6902, appendix A.
		{"add member", typeJSONPatch, `{"foo":"bar"}`, `[{"op":"add","path":"/baz","value":"qux"}]`, 200, `{"baz":"qux","foo":"bar"}`},
		{"add element", typeJSONPatch, `{"foo":["bar","baz"]}`, `[{"op":"add","path":"/foo/1","value":"qux"}]`, 200, `{"foo":["bar","qux","baz"]}`},
		{"add at the end", typeJSONPatch, `{"foo":[1]}`, `[{"op":"add","path":"/foo/-","value":2}]`, 200, `{"foo":[1,2]}`},
		{"add past the end", typeJSONPatch, `{"foo":[1]}`, `[{"op":"add","path":"/foo/3","value":2}]`, 400, `{"foo":[1]}`},
		{"add at no index", typeJSONPatch, `{"foo":[1]}`, `[{"op":"add","path":"/foo/01","value":2}]`, 400, `{"foo":[1]}`},
		{"add into nothing", typeJSONPatch, `{"foo":"bar"}`, `[{"op":"add","path":"/baz/bat","value":1}]`, 404, `{"foo":"bar"}`},
		{"remove member", typeJSONPatch, `{"baz":"qux","foo":1}`, `[{"op":"remove","path":"/baz"}]`, 200, `{"foo":1}`},
		{"remove element", typeJSONPatch, `{"foo":[1,2,3]}`, `[{"op":"remove","path":"/foo/1"}]`, 200, `{"foo":[1,3]}`},
		{"remove nothing", typeJSONPatch, `{"foo":1}`, `[{"op":"remove","path":"/baz"}]`, 404, `{"foo":1}`},
		{"replace", typeJSONPatch, `{"baz":"qux"}`, `[{"op":"replace","path":"/baz","value":"boo"}]`, 200, `{"baz":"boo"}`},
		{"replace nothing", typeJSONPatch, `{"foo":1}`, `[{"op":"replace","path":"/baz","value":1}]`, 404, `{"foo":1}`},
		{"replace the root", typeJSONPatch, `{"foo":1}`, `[{"op":"replace","path":"","value":{"a":2}}]`, 200, `{"a":2}`},
		{"move member", typeJSONPatch, `{"a":{"b":1},"c":{}}`, `[{"op":"move","from":"/a/b","path":"/c/d"}]`, 200, `{"a":{},"c":{"d":1}}`},
		{"move element", typeJSONPatch, `{"a":[1,2,3]}`, `[{"op":"move","from":"/a/0","path":"/a/2"}]`, 200, `{"a":[2,3,1]}`},
		{"move into itself", typeJSONPatch, `{"a":{"b":1}}`, `[{"op":"move","from":"/a","path":"/a/b/c"}]`, 400, `{"a":{"b":1}}`},
		{"copy", typeJSONPatch, `{"a":{"b":"x"}}`, `[{"op":"copy","from":"/a","path":"/c"}]`, 200, `{"a":{"b":"x"},"c":{"b":"x"}}`},
		{"test holds", typeJSONPatch, `{"a":[1,"x"]}`, `[{"op":"test","path":"/a","value":[1.0,"x"]}]`, 200, `{"a":[1,"x"]}`},
		{"test fails, and all with it", typeJSONPatch, `{"a":1}`, `[{"op":"add","path":"/b","value":1},{"op":"test","path":"/a","value":2}]`, 409, `{"a":1}`},
		{"escaped", typeJSONPatch, `{"a/b":1,"m~n":2}`, `[{"op":"remove","path":"/a~1b"},{"op":"remove","path":"/m~0n"}]`, 200, `{}`},
		{"add null", typeJSONPatch, `{}`, `[{"op":"add","path":"/a","value":null}]`, 200, `{"a":null}`},
		{"no value", typeJSONPatch, `{"a":1}`, `[{"op":"add","path":"/b"}]`, 400, `{"a":1}`},
		{"no slash", typeJSONPatch, `{"a":1}`, `[{"op":"remove","path":"a"}]`, 400, `{"a":1}`},
		{"no operation", typeJSONPatch, `{"a":1}`, `[{"op":"spam","path":"/a"}]`, 400, `{"a":1}`},
		{"no path", typeJSONPatch, `{"a":1}`, `[{"op":"remove"}]`, 400, `{"a":1}`},

		{"edits", typeLines, `{"t":"ab","n":1}`, "{\"splice\":[\"t\",1,0,\"-\"]}\n\n{\"set\":[\"n\",2]}\n", 200, `{"n":2,"t":"a-b"}`},
		{"edits, all or nothing", typeLines, `{"t":"ab"}`, "{\"set\":[\"x\",1]}\n{\"del\":[\"none\"]}\n", 404, `{"t":"ab"}`},
		{"edits past the end", typeLines, `{"t":"ab"}`, `{"splice":["t",3,0,"x"]}`, 400, `{"t":"ab"}`},
		{"edits with a commit", typeLines, `{"t":"ab"}`, `{"commit":"x"}`, 400, `{"t":"ab"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := a.newDoc(c.doc)
			if status, text := a.call("PATCH", doc, c.media, c.patch); status != c.status {
				t.Errorf("status %d, want %d: %s", status, c.status, text)
			}
			if got := strings.TrimSuffix(a.ok("GET", doc, "", ""), "\n"); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestPatchesAreMinimal: what a patch does not alter is not written.
func TestPatchesAreMinimal(t *testing.T) {
	a := newAPI(t)
	doc := a.newDoc(`{"text":"one two three","list":[1,2,3],"map":{"x":1}}`)
	before := a.ok("GET", doc+"/heads", "", "")
	a.ok("PATCH", doc, typeMerge, `{"text":"one two three","list":[1,2,3],"map":{"x":1}}`)
	if after := a.ok("GET", doc+"/heads", "", ""); after != before {
		t.Error("a patch that alters nothing made a change")
	}
	a.ok("PATCH", doc, typeMerge, `{"text":"one 2 three"}`)
	log := a.log(doc)
	if ops := log[len(log)-1].Ops; ops != 4 {
		t.Errorf("replacing a word of three letters by one took %d operations, want 4", ops)
	}
	long := strings.Repeat("x", change.MaxMessage+1)
	if status, text := a.call("PATCH", doc+"?message="+long, typeMerge, `{"text":""}`); status != 413 {
		t.Errorf("too large for a change: %d %s", status, text)
	}
}
