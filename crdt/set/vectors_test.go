package set

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/dagcbor"
)

var update = flag.Bool("update", false, "write the vectors again")

const vectorsFile = "../../doc/vectors/set.json"

// hexa is bytes that read as hex in JSON.
type hexa []byte

func (h hexa) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }
func (h *hexa) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// vectors is the shape of set.json.
type vectors struct {
	About   string             `json:"about"`
	DagCBOR cborVectors        `json:"dagcbor"`
	Keys    map[string]keyPair `json:"keys"`
	Derived derivedVectors     `json:"derived"`
	Padme   [][2]int           `json:"padme"`
	Genesis genesisVector      `json:"genesis"`
	Sets    []setVector        `json:"sets"`
	Runs    []runVector        `json:"runs"`
	Cover   coverVector        `json:"cover"`
	Parts   partsVector        `json:"parts"`
	Fork    forkVector         `json:"fork"`
	Verify  []verifyVector     `json:"verify"`
	Refuse  []refuseVector     `json:"refuse"`
	Open    []openVector       `json:"open"`
}

type cborVectors struct {
	Accept map[string]hexa `json:"accept"`
	Refuse map[string]hexa `json:"refuse"`
}

type keyPair struct {
	Seed   hexa `json:"seed"`
	Public hexa `json:"public"`
}

type derivedVectors struct {
	EpochSecret  hexa `json:"epoch_secret"`
	Doc          hexa `json:"doc"`
	ContentKey   hexa `json:"content_key"`
	Scope        hexa `json:"scope"`
	GenesisNonce hexa `json:"genesis_nonce"`
	GenesisKey   hexa `json:"genesis_key"`
	Device       hexa `json:"device"`
	Incarnation  hexa `json:"incarnation"`
	Actor        hexa `json:"actor"`
	SchemaChange hexa `json:"schema_change"`
	SchemaActor  hexa `json:"schema_actor"`
}

type genesisVector struct {
	Raw    hexa   `json:"raw"`
	ID     hexa   `json:"id"`
	CID    string `json:"cid"`
	Sig    hexa   `json:"sig"`
	Title  string `json:"title"`
	Schema string `json:"schema"`
	Item   hexa   `json:"item"`
}

type setVector struct {
	Name       string      `json:"name"`
	Fields     fieldVector `json:"fields"`
	Header     hexa        `json:"header"`
	Associated hexa        `json:"associated"`
	ID         hexa        `json:"id"`
	CID        string      `json:"cid"`
	Sig        hexa        `json:"sig"`
	Key        hexa        `json:"key"`
	Nonce      hexa        `json:"nonce"`
	Coded      hexa        `json:"coded"`    // what is padded and sealed
	Expanded   hexa        `json:"expanded"` // coded without zstd
	Time       int64       `json:"time"`
	Changes    []hexa      `json:"changes"`
	Payload    hexa        `json:"payload"`
	Item       hexa        `json:"item"`
}

type fieldVector struct {
	Suite       int      `json:"suite"`
	Scope       hexa     `json:"scope"`
	Doc         hexa     `json:"doc"`
	Path        []hexa   `json:"path"`
	Device      hexa     `json:"device"`
	Incarnation hexa     `json:"incarnation"`
	Seq         uint64   `json:"seq"`
	Prev        hexa     `json:"prev"`
	Deps        []hexa   `json:"deps"`
	Heads       [][]hexa `json:"heads"` // scope, then operations
	Epoch       hexa     `json:"epoch"`
	Kind        int      `json:"kind"`
	Count       int      `json:"count"`
	Codec       int      `json:"codec"`
	PayloadLen  int      `json:"payload_len"`
	PayloadHash hexa     `json:"payload_hash"`
}

type runVector struct {
	Name      string `json:"name"`
	Run       hexa   `json:"run"`
	Items     []hexa `json:"items"`
	Authentic int    `json:"authentic"`
}

type coverVector struct {
	Item  hexa `json:"item"`
	Cover hexa `json:"cover"`
}

type partsVector struct {
	About string     `json:"about"`
	Total int        `json:"total"`
	Whole hexa       `json:"whole"` // its hash
	Parts []partHead `json:"parts"`
}

type partHead struct {
	Head hexa `json:"head"` // the encoding up to the data
	From int  `json:"from"`
	To   int  `json:"to"`
}

type forkVector struct {
	A      hexa `json:"a"` // items
	B      hexa `json:"b"`
	Forked bool `json:"forked"`
}

type verifyVector struct {
	Name   string `json:"name"`
	Device hexa   `json:"device"`
	ID     hexa   `json:"id"`
	Sig    hexa   `json:"sig"`
	Valid  bool   `json:"valid"`
}

type refuseVector struct {
	Name   string `json:"name"`
	Object string `json:"object"`
	Bytes  hexa   `json:"bytes"`
}

type openVector struct {
	Name   string `json:"name"`
	Item   hexa   `json:"item"`
	Key    hexa   `json:"key"`
	Reason string `json:"reason"` // empty: it opens
}

func TestVectors(t *testing.T) {
	made := makeVectors(t)
	if *update {
		b, err := json.MarshalIndent(made, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsFile, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := vectorsFromFile(t)
	if d := cmp.Diff(want, made); d != "" {
		t.Fatalf("the code no longer makes the vectors; if that is meant, run with -update:\n%s", d)
	}
	checkAccepted(t, want)
	checkRefused(t, want)
}

func vectorsFromFile(tb testing.TB) *vectors {
	tb.Helper()
	b, err := os.ReadFile(vectorsFile)
	if err != nil {
		tb.Fatal(err)
	}
	v := new(vectors)
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		tb.Fatal(err)
	}
	return v
}

func checkAccepted(t *testing.T, v *vectors) {
	for name, b := range v.DagCBOR.Accept {
		if err := dagcbor.Check(b); err != nil {
			t.Errorf("dagcbor %s: %v", name, err)
		}
	}
	d, err := DecodeDocument(v.Genesis.Item)
	if err != nil {
		t.Fatal(err)
	}
	about, err := d.Genesis.Open([32]byte(v.Derived.EpochSecret))
	if err != nil || d.Verify() != nil || about != (About{v.Genesis.Title, v.Genesis.Schema}) || d.ID().String() != v.Genesis.CID {
		t.Errorf("genesis: %v %v", about, err)
	}
	for _, sv := range v.Sets {
		s, err := DecodeSet(sv.Item)
		if err != nil {
			t.Fatal(sv.Name, err)
		}
		if err := errors.Join(s.Verify(), s.CheckPayload()); err != nil || s.ID().String() != sv.CID {
			t.Error(sv.Name, err)
		}
		content, err := new(Coder).Open(s, Key(sv.Key))
		if err != nil || content.Time != sv.Time || !cmp.Equal(content.Changes, plainBytes(sv.Changes)) {
			t.Error(sv.Name, err)
		}
	}
	for _, rv := range v.Runs {
		items, err := DecodeRun(rv.Run)
		if err != nil || len(items) != len(rv.Items) {
			t.Fatal(rv.Name, err)
		}
		for i, s := range items {
			if !bytes.Equal(s.Encode(), rv.Items[i]) {
				t.Errorf("%s: item %d differs", rv.Name, i)
			}
		}
		if n, err := Authenticate(items); n != rv.Authentic || err != nil {
			t.Errorf("%s: %d authentic, %v", rv.Name, n, err)
		}
	}
	s, err := DecodeSet(v.Cover.Item)
	if err != nil {
		t.Fatal(err)
	}
	c, err := DecodeCover(v.Cover.Cover)
	if err != nil || c.Verify(s) != nil {
		t.Error("cover", err)
	}
	var a Assembler
	for i, ph := range v.Parts.Parts {
		p, err := DecodePart(append(bytes.Clone(ph.Head), wholeBytes(v.Parts.Total)[ph.From:ph.To]...))
		if err != nil {
			t.Fatal(err)
		}
		whole, err := a.Add(p)
		if err != nil || (whole != nil) != (i == len(v.Parts.Parts)-1) {
			t.Error("parts", err)
		}
	}
	x, errX := DecodeSet(v.Fork.A)
	y, errY := DecodeSet(v.Fork.B)
	if err := errors.Join(errX, errY); err != nil {
		t.Fatal(err)
	}
	g := NewGraph(x.Header.Doc)
	_, _ = g.Add(&x.Header, x.ID())
	if r, err := g.Add(&y.Header, y.ID()); err != nil || r.Status != Forked {
		t.Error("fork", r, err)
	}
}

func plainBytes(hs []hexa) (out [][]byte) {
	for _, h := range hs {
		out = append(out, h)
	}
	return out
}

func checkRefused(t *testing.T, v *vectors) {
	for name, b := range v.DagCBOR.Refuse {
		if err := dagcbor.Check(b); !errors.Is(err, dagcbor.ErrMalformed) {
			t.Errorf("dagcbor %s: %v", name, err)
		}
	}
	for _, x := range v.Verify {
		s := Set{Header: Header{Device: crdt.DeviceID(x.Device)}, Sig: x.Sig, id: crdt.ChangeSetID(x.ID)}
		if got := s.Verify() == nil; got != x.Valid {
			t.Errorf("%s: valid is %v", x.Name, got)
		}
	}
	for _, x := range v.Refuse {
		err := decodeObject(x.Object, x.Bytes)
		if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s %s: %v", x.Object, x.Name, err)
		}
	}
	for _, x := range v.Open {
		s, err := DecodeSet(x.Item)
		if err != nil {
			t.Errorf("%s: %v", x.Name, err)
			continue
		}
		_, err = new(Coder).Open(s, Key(x.Key))
		reason := ""
		if err != nil {
			reason = reasonOf(err).String()
		}
		if reason != x.Reason {
			t.Errorf("%s: %v", x.Name, err)
		}
	}
}

func decodeObject(object string, b []byte) (err error) {
	switch object {
	case "header":
		_, err = DecodeHeader(b)
	case "genesis":
		_, err = DecodeGenesis(b)
	case "item":
		_, err = DecodeSet(b)
	case "run":
		_, err = DecodeRun(b)
	case "part":
		_, err = DecodePart(b)
	}
	return err
}

// TestVectorsElsewhere lets another implementation check the same file: a script
// that shares no code with this package.
func TestVectorsElsewhere(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("node is missing: in CI the vectors must be checked by it")
		}
		t.Skip("NOT CHECKED: node is missing, so no second implementation read the vectors")
	}
	out, err := exec.Command(node, "testdata/vectors.mjs", vectorsFile).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
