package dagcbor

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type row struct {
	_   struct{} `cbor:",toarray"`
	Key [4]byte
	IDs []ID
}

type object struct {
	_    struct{} `cbor:",toarray"`
	Type string
	V    uint64
	Time int64
	Prev ID
	Rows []row
	Opt  Optional[row]
	Body Raw
	Data []byte
}

func sample() object {
	return object{
		Type: "pipes test", V: 1, Time: -1700000000000,
		Rows: []row{{Key: [4]byte{1, 2, 3, 4}, IDs: []ID{{1}, {2}}}, {IDs: []ID{}}},
		Opt:  Some(row{Key: [4]byte{9}, IDs: []ID{}}),
		Body: Raw{0x82, 0x01, 0x60}, Data: []byte("payload"),
	}
}

func TestRoundTrip(t *testing.T) {
	want := sample()
	b := Marshal(want)
	var got object
	if err := Unmarshal(b, &got, len(b)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(object{}, row{})); d != "" {
		t.Error(d)
	}
	if err := Unmarshal(b, &got, len(b)-1); !errors.Is(err, ErrTooLong) {
		t.Errorf("over the limit: %v", err)
	}
	var zero object
	zero.Body = Raw{0x80}
	if got, want := hex.EncodeToString(Marshal(zero)), "88"+"60"+"00"+"00"+"40"+"80"+"80"+"80"+"40"; got != want {
		t.Errorf("zero value is %s, want %s", got, want)
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
		var v any
		for how, err := range map[string]error{"Check": Check(b), "Unmarshal": Unmarshal(b, &v, 1<<20)} {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: %s answers %v", name, how, err)
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

func TestShape(t *testing.T) {
	type two struct {
		_ struct{} `cbor:",toarray"`
		A [2]byte
		N uint8
	}
	for name, h := range map[string]string{
		"array too short":        "81420102",
		"array too long":         "8342010200" + "00",
		"fixed bytes too short":  "82410100",
		"fixed bytes too long":   "824301020300",
		"text for bytes":         "8262616100",
		"bytes for int":          "824201024100",
		"negative for unsigned":  "8242010220",
		"integer over the width": "82420102190100",
		"int array for bytes":    "8282010200",
		"not an array":           "00",
	} {
		b, _ := hex.DecodeString(h)
		var v two
		if err := Unmarshal(b, &v, 100); !errors.Is(err, ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var id ID
	for _, b := range [][]byte{AppendBytes(nil, make([]byte, 32)), AppendBytes(nil, make([]byte, 31)), {0x80}} {
		if err := Unmarshal(b, &id, 100); !errors.Is(err, ErrShape) {
			t.Errorf("id %x: %v", b, err)
		}
	}
	var opt Optional[two]
	if err := Unmarshal([]byte{0x81, 0x00}, &opt, 100); !errors.Is(err, ErrShape) {
		t.Errorf("optional of a wrong shape: %v", err)
	}
}

func TestMarshalPanics(t *testing.T) {
	for name, v := range map[string]any{
		"bool": true, "float": 1.5, "map": map[string]int{"a": 1}, "nil": nil,
		"text": "\xff", "uint64": uint64(math.MaxUint64), "empty raw": Raw{},
		"raw null": Raw{0xf6}, "plain struct": struct{ A int }{1},
		"empty optional": Some([]byte{}), "nil pointer": (*row)(nil),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			Marshal(v)
		}()
	}
}

func readObject(b []byte) (o object, err error) {
	r := NewReader(b)
	r.Array(8, 8)
	o.Type = r.Text(100)
	o.V = r.Uint(math.MaxInt64)
	o.Time = r.Int()
	o.Prev = r.ID()
	readRow := func() (w row) {
		r.Array(2, 2)
		r.Fixed(w.Key[:])
		w.IDs = []ID{}
		for range r.Array(0, 100) {
			w.IDs = append(w.IDs, r.ID())
		}
		return w
	}
	for range r.Array(0, 100) {
		o.Rows = append(o.Rows, readRow())
	}
	if raw := r.Raw(); !bytes.Equal(raw, emptyArray) {
		if err := Unmarshal(raw, &o.Opt, 1000); err != nil {
			r.Fail(err)
		}
	}
	o.Body = r.Raw()
	o.Data = r.Bytes(0, 1000)
	return o, r.Done()
}

func TestReader(t *testing.T) {
	b := Marshal(sample())
	got, err := readObject(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(sample(), got, cmp.AllowUnexported(object{}, row{})); d != "" {
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
		"own":      func(r *Reader) { r.Raw(); r.Fail(ErrShape) },
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
	if err := r.Done(); err != nil || r.Offset() != 3 {
		t.Error(err)
	}
}

func readOne(b []byte, read func(*Reader)) error {
	r := NewReader(b)
	read(r)
	return r.Done()
}

func TestAppend(t *testing.T) {
	for _, n := range []int64{0, 1, 23, 24, 255, 256, 65535, 65536, math.MaxUint32, math.MaxUint32 + 1, math.MaxInt64,
		-1, -24, -25, -256, -257, math.MinInt64} {
		b := AppendInt(nil, n)
		if !bytes.Equal(b, Marshal(n)) {
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
	b := Marshal(want)
	refused, other := 0, 0
	for i := range len(b) * 8 {
		f := bytes.Clone(b)
		f[i/8] ^= 1 << (i % 8)
		var got object
		if Unmarshal(f, &got, 1000) != nil {
			refused++
			continue
		}
		other++
		if !bytes.Equal(Marshal(got), f) {
			t.Errorf("bit %d: accepted, but encodes differently", i)
		}
		if cmp.Equal(want, got, cmp.AllowUnexported(object{}, row{})) {
			t.Errorf("bit %d: decodes to the same value", i)
		}
	}
	t.Logf("of %d single-bit flips %d are refused, %d are another value, 0 the same", len(b)*8, refused, other)
}

func FuzzUnmarshal(f *testing.F) {
	f.Add(Marshal(sample()))
	for _, h := range malformed {
		b, _ := hex.DecodeString(h)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var o object
		err := Unmarshal(b, &o, 1<<16)
		if err == nil && !bytes.Equal(Marshal(o), b) {
			t.Errorf("%x encodes as %x", b, Marshal(o))
		}
		var v any
		if errAny := Unmarshal(b, &v, 1<<16); err == nil && errAny != nil {
			t.Errorf("typed but not generic: %v", errAny)
		}
		if ro, rerr := readObject(b); rerr == nil && err == nil {
			if !bytes.Equal(Marshal(ro), b) {
				t.Errorf("reader: %x", b)
			}
		}
		if Check(b) == nil && !bytes.Equal(Marshal(Raw(b)), b) {
			t.Errorf("raw: %x", b)
		}
	})
}

func BenchmarkUnmarshal(b *testing.B) {
	data := Marshal(sample())
	b.ReportAllocs()
	for b.Loop() {
		var o object
		if err := Unmarshal(data, &o, 1000); err != nil {
			b.Fatal(err)
		}
	}
}
