package dagcbor

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// object has a field of each kind. The tags are for the oracle.
type object struct {
	_    struct{} `cbor:",toarray"`
	Type string
	V    uint64
	Time int64
	Prev []byte // 0 or 32
	Rows []row
	Data []byte
}

type row struct {
	_   struct{} `cbor:",toarray"`
	Key [4]byte
	IDs [][32]byte
}

func sample() object {
	return object{
		Type: "pipes test", V: 1, Time: -1700000000000, Prev: []byte{},
		Rows: []row{{Key: [4]byte{1, 2, 3, 4}, IDs: [][32]byte{{1}, {2}}}, {Key: [4]byte{9}}},
		Data: []byte("payload"),
	}
}

func (o object) append(b []byte) []byte {
	b = AppendArray(b, 6)
	b = AppendText(b, o.Type)
	b = AppendUint(b, o.V)
	b = AppendInt(b, o.Time)
	b = AppendBytes(b, o.Prev)
	b = AppendArray(b, len(o.Rows))
	for _, w := range o.Rows {
		b = AppendArray(b, 2)
		b = AppendBytes(b, w.Key[:])
		b = AppendIDs(b, w.IDs)
	}
	return AppendBytes(b, o.Data)
}

func readObject(b []byte) (o object, err error) {
	r := NewReader(b)
	r.Array(6, 6)
	o.Type = r.Text(100)
	o.V = r.Uint(math.MaxInt64)
	o.Time = r.Int()
	o.Prev = []byte{}
	if id := r.ID(); id != [32]byte{} {
		o.Prev = id[:]
	}
	for range r.Array(0, 100) {
		var w row
		r.Array(2, 2)
		r.Fixed(w.Key[:])
		w.IDs = ReadIDs[[32]byte](r, 0, 100)
		o.Rows = append(o.Rows, w)
	}
	o.Data = r.Bytes(0, 1000)
	return o, r.Done()
}

func TestObjectIsTheOraclesEncoding(t *testing.T) {
	lib := newOracle(t)
	for _, o := range []object{sample(), {Prev: bytes.Repeat([]byte{7}, 32)}, {}} {
		b := o.append(nil)
		if want := lib.marshal(t, o); !bytes.Equal(b, want) {
			t.Errorf("got  %x\nwant %x", b, want)
		}
		if err := Check(b); err != nil {
			t.Error(err)
		}
	}
}

// malformed lists what no reader of the profile may accept, as hex.
var malformed = map[string]string{
	"empty":                   "",
	"trailing byte":           "0000",
	"non-minimal 1":           "1817",
	"non-minimal 2":           "1900ff",
	"non-minimal 4":           "1a0000ffff",
	"non-minimal 8":           "1b00000000ffffffff",
	"non-minimal bytes":       "580100",
	"non-minimal text":        "780161",
	"non-minimal array":       "980100",
	"uint above int64":        "1b8000000000000000",
	"nint below int64":        "3b8000000000000000",
	"indefinite bytes":        "5f4100ff",
	"indefinite text":         "7f6161ff",
	"indefinite array":        "9f00ff",
	"map":                     "a10000",
	"empty map":               "a0",
	"tag":                     "c000",
	"false":                   "f4",
	"null":                    "f6",
	"undefined":               "f7",
	"float16":                 "f93c00",
	"float64":                 "fb3ff0000000000000",
	"break":                   "ff",
	"reserved info":           "1c",
	"short head":              "1900",
	"short bytes":             "4201",
	"short array":             "8201",
	"huge array":              "9b7fffffffffffffff",
	"huge bytes":              "5b7fffffffffffffff",
	"array over the limit":    "994001",
	"invalid UTF-8":           "61ff",
	"surrogate in UTF-8":      "63eda080",
	"nesting beyond MaxDepth": "81818181818181818100",
	"bad item in an array":    "8201f5",
}

func TestMalformed(t *testing.T) {
	for name, h := range malformed {
		b, err := hex.DecodeString(h)
		if err != nil {
			t.Fatal(err)
		}
		if name == "array over the limit" {
			b = append(b, make([]byte, MaxArray+1)...)
		}
		if err := Check(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: Check answers %v", name, err)
		}
		for kind, read := range map[string]func(*Reader){
			"integer": func(r *Reader) { r.Int() },
			"bytes":   func(r *Reader) { r.Bytes(0, math.MaxInt) },
			"text":    func(r *Reader) { r.Text(math.MaxInt) },
			"array": func(r *Reader) {
				for range r.Array(0, MaxArray) {
					r.Int()
				}
			},
		} {
			if readOne(b, read) == nil {
				t.Errorf("%s: read as %s", name, kind)
			}
		}
	}
	if err := Check(bytes.Repeat([]byte{0x81}, MaxDepth)); err == nil {
		t.Error("unfinished nesting accepted")
	}
	deep := append(bytes.Repeat([]byte{0x81}, MaxDepth), 0)
	if err := Check(deep); err != nil {
		t.Errorf("nesting at MaxDepth: %v", err)
	}
}

func TestReader(t *testing.T) {
	b := sample().append(nil)
	got, err := readObject(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(sample(), got); d != "" {
		t.Error(d)
	}
	for n := range b {
		if _, err := readObject(b[:n]); err == nil {
			t.Errorf("accepted %d of %d bytes", n, len(b))
		}
	}
	for name, read := range map[string]func(*Reader){
		"array":    func(r *Reader) { r.Array(2, 3) },
		"uint":     func(r *Reader) { r.Array(1, 1); r.Uint(9) },
		"expect":   func(r *Reader) { r.Array(1, 1); r.Expect(11) },
		"kind":     func(r *Reader) { r.Array(1, 1); r.Text(9) },
		"text":     func(r *Reader) { r.Array(1, 1); r.ExpectText("x") },
		"leftover": func(r *Reader) {},
		"own":      func(r *Reader) { r.Array(1, 1); r.Uint(10); r.Fail(ErrShape) },
	} {
		r := NewReader([]byte{0x81, 10})
		read(r)
		if r.Done() == nil || r.Err() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	three := AppendBytes(nil, []byte("abc"))
	for name, wrong := range map[string]error{
		"array too short": readOne(AppendArray(nil, 0), func(r *Reader) { r.Array(1, 2) }),
		"bytes too short": readOne(three, func(r *Reader) { r.Bytes(4, 5) }),
		"bytes too long":  readOne(three, func(r *Reader) { r.Bytes(0, 2) }),
		"fixed too short": readOne(three, func(r *Reader) { r.Fixed(make([]byte, 4)) }),
		"id of 3 bytes":   readOne(three, func(r *Reader) { r.ID() }),
		"id of zeros":     readOne(AppendBytes(nil, make([]byte, 32)), func(r *Reader) { r.ID() }),
		"uint below zero": readOne(AppendInt(nil, -1), func(r *Reader) { r.Uint(9) }),
		"bytes for text":  readOne(three, func(r *Reader) { r.Text(9) }),
		"uint for array":  readOne(AppendUint(nil, 1), func(r *Reader) { r.Array(0, 9) }),
		"text too long":   readOne(AppendText(nil, "abc"), func(r *Reader) { r.Text(2) }),
	} {
		if !errors.Is(wrong, ErrShape) {
			t.Errorf("%s: %v", name, wrong)
		}
	}
	if err := readOne([]byte{0x61, 0xff}, func(r *Reader) { r.Text(1) }); !errors.Is(err, ErrMalformed) {
		t.Errorf("text that is not UTF-8: %v", err)
	}
	if err := readOne(AppendID(nil, [32]byte{}), func(r *Reader) { r.ID() }); err != nil {
		t.Errorf("absent id: %v", err)
	}
	r := NewReader([]byte{0x81, 0x61, 'x'})
	r.Array(1, 1)
	r.ExpectText("x")
	if err := r.Done(); err != nil {
		t.Error(err)
	}
}

func readOne(b []byte, read func(*Reader)) error {
	r := NewReader(b)
	read(r)
	return r.Done()
}

func TestAppend(t *testing.T) {
	lib := newOracle(t)
	for _, n := range []int64{0, 1, 23, 24, 255, 256, 65535, 65536, math.MaxUint32, math.MaxUint32 + 1, math.MaxInt64,
		-1, -24, -25, -256, -257, math.MinInt64} {
		b := AppendInt(nil, n)
		if !bytes.Equal(b, lib.marshal(t, n)) {
			t.Errorf("%d: %x", n, b)
		}
		r := NewReader(b)
		if got := r.Int(); got != n || r.Done() != nil {
			t.Errorf("%d read as %d, %v", n, got, r.Err())
		}
	}
	for name, f := range map[string]func(){
		"uint":  func() { AppendUint(nil, math.MaxUint64) },
		"text":  func() { AppendText(nil, "\xff") },
		"array": func() { AppendArray(nil, MaxArray+1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

// TestBitFlips flips each bit of an object: what still decodes must differ in
// value and encode as the flipped bytes.
func TestBitFlips(t *testing.T) {
	want := sample()
	b := want.append(nil)
	refused := 0
	for i := range len(b) * 8 {
		f := bytes.Clone(b)
		f[i/8] ^= 1 << (i % 8)
		got, err := readObject(f)
		if err != nil {
			refused++
			continue
		}
		if !bytes.Equal(got.append(nil), f) {
			t.Errorf("bit %d: accepted, but encodes differently", i)
		}
		if cmp.Equal(want, got) {
			t.Errorf("bit %d: decodes to the same value", i)
		}
	}
	if refused == 0 || refused == len(b)*8 {
		t.Errorf("%d of %d single-bit flips are refused", refused, len(b)*8)
	}
}

// FuzzReader holds what the Reader accepts, and what Check accepts, against the
// oracle: it must decode there, and encode again as the same bytes.
func FuzzReader(f *testing.F) {
	lib := newOracle(f)
	f.Add(sample().append(nil))
	for _, h := range malformed {
		b, _ := hex.DecodeString(h)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		checked := Check(b)
		if o, err := readObject(b); err == nil {
			if again := o.append(nil); !bytes.Equal(again, b) {
				t.Errorf("%x encodes as %x", b, again)
			}
			if checked != nil {
				t.Errorf("%x is an object, and %v", b, checked)
			}
		}
		if checked != nil {
			return
		}
		var v any
		if err := lib.dec.Unmarshal(b, &v); err != nil {
			t.Fatalf("%x: the oracle answers %v", b, err)
		}
		if again := lib.marshal(t, v); !bytes.Equal(again, b) {
			t.Errorf("%x: the oracle encodes %x", b, again)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	data := sample().append(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readObject(data); err != nil {
			b.Fatal(err)
		}
	}
}
