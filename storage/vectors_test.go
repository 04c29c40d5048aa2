package storage

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/crdt"
)

var update = flag.Bool("update", false, "rewrite the golden vectors")

const vectorsFile = "../doc/vectors/storage.json"

// vectors fix the format on disk for a reader in another language.
type vectors struct {
	Comment    string            `json:"comment"`
	RootKey    string            `json:"root_key"`
	RootCheck  string            `json:"root_check"`
	StoreKey   string            `json:"store_key"`
	Doc        string            `json:"doc"`
	Scope      string            `json:"scope"`
	Device     string            `json:"device"`
	Life       string            `json:"incarnation"`
	SetID      string            `json:"change_set"`
	OpID       string            `json:"operation"`
	Seq        uint64            `json:"seq"`
	Keys       map[string]string `json:"keys"`
	IndexValue string            `json:"index_value"`
	Sealed     []sealedVector    `json:"sealed"`
}

// sealedVector is a value that opens under a key, and under no other.
type sealedVector struct {
	Name  string `json:"name"`
	Key   string `json:"key"` // secret, 32 bytes
	Under string `json:"under"`
	Plain string `json:"plain"`
	Value string `json:"value"`
}

func makeVectors() vectors {
	h := hex.EncodeToString
	root := NewSecret([32]byte([]byte("the root key of the test vectors")))
	store := NewSecret([32]byte([]byte("the store key of test vectors...")))
	n := namer{store.derive("names")}
	doc, scope, dev, inc := docID(1), scopeID(1), deviceID(1), crdt.Incarnation{1, 2, 3, 4, 5, 6, 7, 8}
	set, op, seq := setID(1), opID(1), uint64(258)
	a, t := n.doc(doc), n.tag("set", set[:])
	at := Place{n.chain(doc, dev, inc), seq}
	opTag := n.tag("op", op[:])
	keys := map[string][]byte{
		"change set":       changeSetKey(a, at, t),
		"change set index": tagKey(prefixDoc, a, docIndex, t),
		"meta genesis":     tagKey(prefixDoc, a, docMeta, n.tag("meta", []byte("genesis"))),
		"quarantine":       tagKey(prefixDoc, a, docQuarantine, t),
		"snapshot":         snapshotKey(a, seq),
		"head":             headKey(a),
		"operation":        opKey(n.scope(scope), seq, opTag),
		"operation index":  tagKey(prefixOp, n.scope(scope), opIndex, opTag),
		"cursor":           cursorKey(n.peer(dev), n.tag("cursor", scope[:])),
		"singleton":        singletonKey(n.tag("singleton", []byte("device key"))),
		"keys: document":   wrappedDocKey(a),
		"keys: store":      {wrappedStore},
	}
	v := vectors{
		Comment: "keys and sealed values of storage format 1, see the package comment of storage; hex throughout",
		RootKey: h(root.b[:]), RootCheck: rootCheck(root), StoreKey: h(store.b[:]),
		Doc: h(doc[:]), Scope: h(scope[:]), Device: h(dev[:]), Life: h(inc[:]), SetID: h(set[:]), OpID: h(op[:]), Seq: seq,
		Keys: map[string]string{}, IndexValue: h(at.encode()),
	}
	for name, k := range keys {
		v.Keys[name] = h(k)
	}
	add := func(name string, key Secret, under []byte, plain ...[]byte) {
		var joined []byte
		for _, p := range plain {
			joined = append(joined, p...)
		}
		v.Sealed = append(v.Sealed, sealedVector{name, h(key.b[:]), h(under), h(joined), h(seal(key.aead(), under, plain...))})
	}
	docKey := NewSecret([32]byte([]byte("the document's key of the vector")))
	add("wrapped store key", root.derive("wrap"), keys["keys: store"], store.b[:], inc[:])
	add("wrapped document key", root.derive("wrap"), keys["keys: document"], doc[:], docKey.b[:])
	add("change set", docKey, keys["change set"], set[:], []byte("opaque"))
	add("head", docKey, keys["head"], []byte("opaque"))
	add("operation", store.derive("operations"), keys["operation"], scope[:], op[:], []byte("opaque"))
	add("cursor", store.derive("cursors"), keys["cursor"], scope[:], []byte("opaque"))
	add("singleton", store.derive("singletons"), keys["singleton"], []byte("opaque"))
	return v
}

func TestVectors(t *testing.T) {
	made := makeVectors()
	if *update {
		text, err := json.MarshalIndent(made, "", "\t")
		if err == nil {
			err = os.WriteFile(vectorsFile, append(text, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var want vectors
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	unhex := func(s string) []byte { return must(hex.DecodeString(s)) }
	for i, s := range want.Sealed { // nonces are random: the recorded values are opened, not made again
		a := NewSecret([32]byte(unhex(s.Key))).aead()
		plain, err := open(a, unhex(s.Under), unhex(s.Value))
		if err != nil || hex.EncodeToString(plain) != s.Plain {
			t.Errorf("%s: %x, %v", s.Name, plain, err)
		}
		if _, err := open(a, append(unhex(s.Under), 0), unhex(s.Value)); err == nil {
			t.Errorf("%s opens under another key", s.Name)
		}
		if i < len(made.Sealed) {
			made.Sealed[i].Value = s.Value
		}
	}
	if d := cmp.Diff(want, made); d != "" {
		t.Errorf("the format changed (-recorded +made):\n%s", d)
	}
}

func TestKeysAndKinds(t *testing.T) {
	for _, tc := range []struct {
		key  string
		want string
	}{
		{"", "empty key"}, {"h", "head record"}, {"k", "singleton"}, {"p", "cursor"}, {"d", "record of unknown kind"},
		{"o1234567890123456c", "access operation"}, {"o1234567890123456x", "access operation index"}, {"o1234567890123456y", "record of unknown kind"},
		{"d1234567890123456c", "change set"}, {"d1234567890123456m", "document record"}, {"d1234567890123456q", "quarantined item"},
		{"d1234567890123456s", "snapshot"}, {"d1234567890123456x", "change set index"}, {"d1234567890123456y", "record of unknown kind"},
	} {
		if got := kind([]byte(tc.key)); got != tc.want {
			t.Errorf("%q is a %s", tc.key, got)
		}
	}
	for in, want := range map[string]string{"a": "b", "a\xff": "b", "a\xff\xff": "b", "\xff": "", "ab": "ac"} {
		if got := string(after([]byte(in))); got != want {
			t.Errorf("after %q: %q", in, got)
		}
	}
}

// FuzzRecords decodes what a damaged disk may hold.
func FuzzRecords(f *testing.F) {
	v := makeVectors()
	for _, k := range v.Keys {
		f.Add(must(hex.DecodeString(k)), must(hex.DecodeString(v.IndexValue)))
	}
	f.Add([]byte(`{"version":1}`), make([]byte, 100))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if at, ok := decodePlace(value); ok && string(at.encode()) != string(value) {
			t.Errorf("place %x comes back as %x", value, at.encode())
		}
		if cs, err := decodeChangeSet(crdt.DocID{}, key, value); err == nil && len(cs.Value) != len(value)-32 {
			t.Error("change set of another length")
		}
		if op, err := decodeOp(key, value); err == nil && len(op.Value) != len(value)-64 {
			t.Error("operation of another length")
		}
		if r, err := parsePassphraseRecord(key); err == nil && (r.Memory > maxArgonMemory || r.Time > maxArgonTime || r.Lanes > maxArgonLanes || r.Lanes == 0) {
			t.Errorf("parameters out of bounds: %+v", r)
		}
		if _, err := open(NewSecret([32]byte{}).aead(), key, value); err == nil {
			t.Error("noise opens")
		}
		if kind(key) == "" {
			t.Error("no kind")
		}
	})
}
