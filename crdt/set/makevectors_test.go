package set

import (
	"bytes"
	"crypto/sha256"
	"math/big"
	"slices"
	"testing"

	"github.com/pipes-sync/pipes/crdt"
)

func unhex(s string) hexa {
	var h hexa
	if err := h.UnmarshalText([]byte(s)); err != nil {
		panic(err)
	}
	return h
}

// makeVectors makes every vector from fixed names: no randomness, no clock.
func makeVectors(t *testing.T) *vectors {
	v := &vectors{
		About: "change sets: keys, objects, ids, signatures, sealed and opened payloads, runs, parts, and what must be refused; bytes in hex",
		Keys:  map[string]keyPair{},
		DagCBOR: cborVectors{
			Accept: map[string]hexa{
				"zero": unhex("00"), "23": unhex("17"), "24": unhex("1818"), "minus one": unhex("20"),
				"largest integer": unhex("1b7fffffffffffffff"), "least integer": unhex("3b7fffffffffffffff"),
				"empty bytes": unhex("40"), "empty text": unhex("60"), "empty array": unhex("80"), "text": unhex("63c3a963"),
				"nested": unhex("8181818181818181" + "00"),
			},
			Refuse: map[string]hexa{
				"nothing": {}, "trailing byte": unhex("0000"), "1 byte for 23": unhex("1817"), "2 bytes for 255": unhex("1900ff"),
				"4 bytes for 65535": unhex("1a0000ffff"), "8 bytes for 2^32-1": unhex("1b00000000ffffffff"),
				"integer above 2^63-1": unhex("1b8000000000000000"), "integer below -2^63": unhex("3b8000000000000000"),
				"indefinite bytes": unhex("5f4100ff"), "indefinite array": unhex("9f00ff"), "long length": unhex("580100"),
				"map": unhex("a0"), "tag": unhex("c000"), "false": unhex("f4"), "null": unhex("f6"), "undefined": unhex("f7"),
				"half float": unhex("f93c00"), "double": unhex("fb3ff0000000000000"), "break": unhex("ff"),
				"short array": unhex("8200"), "short bytes": unhex("4201"), "huge array": unhex("9b7fffffffffffffff"),
				"not utf-8": unhex("61ff"), "surrogate": unhex("63eda080"), "reserved length": unhex("1c"),
				"nested too deep": unhex("818181818181818181" + "00"),
			},
		},
	}
	for _, name := range []string{"a", "b"} {
		key := testKey(name)
		v.Keys[name] = keyPair{hexa(key.Seed()), hexa(key[32:])}
	}
	for _, n := range []int{5, 8, 9, 33, 100, 231, 1000, 65537, 2 << 19} {
		v.Padme = append(v.Padme, [2]int{n, padme(n)})
	}
	makeDerived(t, v)
	makeGenesis(t, v)
	sets := makeSets(t, v)
	makeRuns(t, v)
	makeParts(v)
	makeVerify(v, sets[0])
	makeRefused(t, v, sets)
	makeOpen(t, v, sets)
	return v
}

func makeDerived(t *testing.T, v *vectors) {
	a, nonce := newAuthor("a"), [16]byte{1, 2, 3}
	content, genesis := ContentKey(testSecret, testDoc), GenesisKey(testSecret, testScope, nonce)
	actor := a.actor()
	schema := schemaChange(t, "notes/1")
	v.Derived = derivedVectors{
		EpochSecret: testSecret[:], Doc: testDoc[:], ContentKey: content[:],
		Scope: testScope[:], GenesisNonce: nonce[:], GenesisKey: genesis[:],
		Device: a.header.Device[:], Incarnation: testInc[:], Actor: actor[:],
		SchemaChange: schema, SchemaActor: hexa(schemaActor(t, schema)),
	}
}

func makeGenesis(t *testing.T, v *vectors) {
	g := testGenesis(t)
	d, err := NewDocument(g, testKey("a"))
	if err != nil {
		t.Fatal(err)
	}
	id := d.ID()
	v.Genesis = genesisVector{
		Raw: d.Raw(), ID: id[:], CID: id.String(), Sig: d.Sig, Title: "Round of 8 June", Schema: "notes/1", Item: d.Encode(),
	}
}

func fieldsOf(h *Header) fieldVector {
	f := fieldVector{
		Suite: int(h.Suite), Scope: h.Scope[:], Doc: h.Doc[:], Path: []hexa{}, Device: h.Device[:], Incarnation: h.Incarnation[:],
		Seq: h.Seq, Prev: h.Prev[:], Deps: []hexa{}, Epoch: h.Epoch[:], Kind: int(h.Kind), Count: h.Count, Codec: int(h.Codec),
		PayloadLen: h.PayloadLen, PayloadHash: h.PayloadHash[:],
	}
	for _, id := range h.Path {
		f.Path = append(f.Path, bytes.Clone(id[:]))
	}
	for _, id := range h.Deps {
		f.Deps = append(f.Deps, bytes.Clone(id[:]))
	}
	for _, row := range h.Heads {
		r := []hexa{bytes.Clone(row.Scope[:])}
		for _, op := range row.Ops {
			r = append(r, bytes.Clone(op[:]))
		}
		f.Heads = append(f.Heads, r)
	}
	return f
}

// makeSets makes a chain of three sets, one per codec.
func makeSets(t *testing.T, v *vectors) (sets []*Set) {
	a, key := newAuthor("a"), ContentKey(testSecret, testDoc)
	add := func(name string, codec Codec, content Content) {
		expanded := appendPlain(nil, content)
		if codec == Compact {
			expanded, _ = appendCompact(nil, &a.header, content)
		}
		coded := expanded
		if codec != Plain {
			coded = a.coder.compress(expanded)
		}
		s, err := sealCoded(a.header, content, codec, coded, key, testNonce(name))
		if err != nil {
			t.Fatal(err)
		}
		s.Sign(a.key)
		a.header.Seq, a.header.Prev = a.header.Seq+1, s.ID()
		sets = append(sets, s)
		id, n := s.ID(), testNonce(name)
		sv := setVector{
			Name: name, Fields: fieldsOf(&s.Header), Header: s.Raw(), Associated: s.Header.associated(), ID: id[:], CID: id.String(),
			Sig: s.Sig, Key: key[:], Nonce: n[:], Coded: coded, Expanded: expanded, Time: content.Time, Payload: s.Payload, Item: s.Encode(),
		}
		for _, c := range content.Changes {
			sv.Changes = append(sv.Changes, c)
		}
		v.Sets = append(v.Sets, sv)
	}
	add("plain", Plain, Content{1780000000000, [][]byte{schemaChange(t, "notes/1"), a.edit(t, "héllo")}})
	a.header.Deps = []crdt.ChangeSetID{hash32("dep 0"), hash32("dep 1")}
	slices.SortFunc(a.header.Deps, crdt.CompareIDs)
	person := Heads{crdt.ScopeID(hash32("person")), []crdt.AccessOpID{hash32("op 0"), hash32("op 1")}}
	slices.SortFunc(person.Ops, crdt.CompareIDs)
	a.header.Heads = append(slices.Clone(a.header.Heads), person)
	slices.SortFunc(a.header.Heads, func(x, y Heads) int { return crdt.CompareIDs(x.Scope, y.Scope) })
	a.header.Path = append(slices.Clone(a.header.Path), hash32("grant of the person"))
	var changes [][]byte
	for range 8 {
		changes = append(changes, a.edit(t, "the same words again and again"))
	}
	add("zstd", Zstd, Content{-1, changes})
	foreign, _ := buildPut(t, "another actor...", 1, 1, nil, "in between")
	changes = [][]byte{a.edit(t, "one"), a.edit(t, "two"), foreign, a.edit(t, "three")}
	a.last = hash32("elsewhere")
	changes = append(changes, a.edit(t, "four"), a.edit(t, "five"))
	add("compact", Compact, Content{1780000001000, changes})
	return sets
}

func makeRuns(t *testing.T, v *vectors) {
	add := func(name string, authentic int, items ...*Set) {
		b, err := EncodeRun(items)
		if err != nil {
			t.Fatal(err)
		}
		rv := runVector{Name: name, Run: b, Authentic: authentic}
		for _, s := range items {
			rv.Items = append(rv.Items, s.Encode())
		}
		v.Runs = append(v.Runs, rv)
	}
	items := chain(t, "b", 5)
	one := *items[0]
	items[0].Sig, items[1].Sig, items[2] = nil, nil, items[2].Bare()
	add("the fourth signs for all, the third comes without payload", 4, items[:4]...)
	add("one", 1, &one)
	bare := *items[4].Bare()
	bare.Sig = nil
	add("the last is not covered", 1, items[3], &bare)

	cover, err := (&Cover{Items: items[1:5]}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	v.Cover = coverVector{Item: items[0].Bare().Encode(), Cover: cover}

	a, r := newAuthor("a"), newRand()
	x := a.set(t, a.edit(t, text(r, 20)))
	b := newAuthor("a")
	y := b.set(t, b.edit(t, text(r, 20)))
	v.Fork = forkVector{A: x.Encode(), B: y.Encode(), Forked: true}
}

func wholeBytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func makeParts(v *vectors) {
	whole := wholeBytes(40_000)
	hash := sha256.Sum256(whole)
	v.Parts = partsVector{About: "byte i of the whole is 7i + floor(i/256), modulo 256", Total: len(whole), Whole: hash[:]}
	at := 0
	for _, p := range Split(whole, MinPart) {
		b := p.Encode()
		v.Parts.Parts = append(v.Parts.Parts, partHead{b[:len(b)-len(p.Data)], at, at + len(p.Data)})
		at += len(p.Data)
	}
}

// makeVerify lists signatures at the edges of what crypto/ed25519 accepts.
func makeVerify(v *vectors, s *Set) {
	id, device := s.ID(), s.Header.Device
	flipped := bytes.Clone(s.Sig)
	flipped[40] ^= 4
	// S + L is the same scalar, not reduced (RFC 8032 §5.1.7 refuses it).
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	le := bytes.Clone(s.Sig[32:])
	slices.Reverse(le)
	sum := new(big.Int).Add(new(big.Int).SetBytes(le), order).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	unreduced := append(bytes.Clone(s.Sig[:32]), sum...)
	// The neutral element as a key verifies R = neutral, S = 0 for every message.
	neutral := append([]byte{1}, make([]byte, 31)...)
	noncanonical := append(append([]byte{0xee}, bytes.Repeat([]byte{0xff}, 30)...), 0x7f)
	zero := append(bytes.Clone(neutral), make([]byte, 32)...)
	v.Verify = []verifyVector{
		{"good", device[:], id[:], s.Sig, true},
		{"flipped", device[:], id[:], flipped, false},
		{"another id", device[:], bytes.Repeat([]byte{7}, 32), s.Sig, false},
		{"another device", hexa(testKey("b")[32:]), id[:], s.Sig, false},
		{"S not reduced", device[:], id[:], unreduced, false},
		{"key of order 1", neutral, id[:], zero, true},
		{"key of order 1, not canonical", noncanonical, id[:], zero, true},
	}
}

func makeRefused(t *testing.T, v *vectors, sets []*Set) {
	raw := sets[1].Raw()
	add := func(object, name string, b []byte) {
		v.Refuse = append(v.Refuse, refuseVector{name, object, bytes.Clone(b)})
	}
	replace := func(b []byte, old, new string) []byte {
		out := bytes.Replace(b, unhex(old), unhex(new), 1)
		if bytes.Equal(out, b) {
			t.Fatal("nothing replaced: ", old)
		}
		return out
	}
	add("header", "trailing byte", append(bytes.Clone(raw), 0))
	add("header", "cut", raw[:len(raw)-1])
	add("header", "type of a genesis", replace(raw, "69706970657320736574", "69706970657320646f63"))
	add("header", "version 2", replace(raw, "6970697065732073657401", "6970697065732073657402"))
	add("header", "suite 2", replace(raw, "697069706573207365740101", "697069706573207365740102"))
	add("header", "version not shortest", replace(raw, "6970697065732073657401", "697069706573207365741801"))
	add("header", "array not shortest", append(unhex("9812"), raw[1:]...))
	add("header", "17 fields", append([]byte{0x91}, raw[1:]...))
	for name, spoil := range map[string]func(*Header){
		"no path": func(h *Header) { h.Path = nil }, "seq 0": func(h *Header) { h.Seq = 0 },
		"seq 1 after a set": func(h *Header) { h.Seq = 1 }, "seq 2 after the document": func(h *Header) { h.Prev = crdt.ChangeSetID(h.Doc) },
		"deps descend": func(h *Header) { h.Deps = []crdt.ChangeSetID{{2}, {1}} }, "a dep twice": func(h *Header) { h.Deps = []crdt.ChangeSetID{{1}, {1}} },
		"17 deps":                 func(h *Header) { h.Deps = fullHeader().Deps; h.Deps = append(h.Deps, crdt.ChangeSetID{99}) },
		"heads descend":           func(h *Header) { h.Heads = slices.Clone(h.Heads); slices.Reverse(h.Heads) },
		"heads without the scope": func(h *Header) { h.Heads = []Heads{{crdt.ScopeID{1}, []crdt.AccessOpID{{1}}}} },
		"kind 1":                  func(h *Header) { h.Kind = 1 }, "count 0": func(h *Header) { h.Count = 0 }, "count 257": func(h *Header) { h.Count = 257 },
		"codec 3": func(h *Header) { h.Codec = 3 }, "payload of 44 bytes": func(h *Header) { h.PayloadLen = 44 },
		"payload over 2 MiB": func(h *Header) { h.PayloadLen = MaxPayload + 1 },
	} {
		h := sets[1].Header
		spoil(&h)
		add("header", name, h.append(nil))
	}
	g := testGenesis(t)
	graw := g.append(g.Sealed)
	add("genesis", "trailing byte", append(bytes.Clone(graw), 0))
	add("genesis", "absent root as 32 zeros", replace(graw, "50010203000000000000000000000000004058", "5001020300000000000000000000000000"+"5820"+string(bytes.Repeat([]byte("00"), 32))+"58"))
	add("genesis", "nonce of 15 bytes", replace(graw, "5001020300000000000000000000000000", "4f010203000000000000000000000000"))
	item := sets[0].Encode()
	add("item", "trailing byte", append(bytes.Clone(item), 0))
	short := *sets[0]
	short.Sig = short.Sig[:63]
	add("item", "signature of 63 bytes", short.Encode())
	short = *sets[0]
	short.Payload = short.Payload[1:]
	add("item", "payload shorter than the header says", short.Encode())
	run := v.Runs[0].Run
	add("run", "trailing byte", append(bytes.Clone(run), 0))
	add("run", "cut", run[:len(run)-1])
	head := v.Parts.Parts[0].Head
	add("part", "shorter than its index says", append(bytes.Clone(head[:len(head)-3]), 0x41, 0))
	slices.SortStableFunc(v.Refuse, func(a, b refuseVector) int { return bytes.Compare([]byte(a.Object+a.Name), []byte(b.Object+b.Name)) })
}

func makeOpen(t *testing.T, v *vectors, sets []*Set) {
	key := ContentKey(testSecret, testDoc)
	add := func(name, reason string, item []byte, key Key) {
		v.Open = append(v.Open, openVector{name, item, bytes.Clone(key[:]), reason})
	}
	s := *sets[0]
	add("good", "", s.Encode(), key)
	add("wrong key", "seal", s.Encode(), Key{1})
	s.Payload = bytes.Clone(s.Payload)
	s.Payload[50] ^= 1
	add("flipped bit", "seal", s.Encode(), key)
	edit := newAuthor("a").edit(t, "x")
	good := appendPlain(nil, Content{1, [][]byte{edit}})
	add("count", "count", reseal(t, Plain, 2, good).Encode(), key)
	add("trailing byte in the content", "content", reseal(t, Plain, 1, append(bytes.Clone(good), 0)).Encode(), key)
	add("content not shortest", "content", reseal(t, Plain, 1, append([]byte{0x82, 0x18}, good[1:]...)).Encode(), key)
	add("padding not zero", "padding", resealPadded(t, good, func(b []byte) { b[len(b)-1] = 1 }, padme(4+len(good))).Encode(), key)
	add("wrong bucket", "padding", resealPadded(t, good, func([]byte) {}, padme(padme(4+len(good))+1)).Encode(), key)
	add("length beyond the bucket", "padding", resealPadded(t, good, func(b []byte) { b[1] = 1 }, padme(4+len(good))).Encode(), key)
}

// resealPadded seals a plaintext padded by hand.
func resealPadded(t *testing.T, plain []byte, spoil func([]byte), size int) *Set {
	t.Helper()
	s := reseal(t, Plain, 1, plain)
	padded := make([]byte, size)
	padded[2], padded[3] = byte(len(plain)>>8), byte(len(plain))
	copy(padded[4:], plain)
	spoil(padded)
	n := testNonce("n")
	payload := newAEAD(ContentKey(testSecret, testDoc)).Seal(n[:], n[:], padded, s.Header.associated())
	h := s.Header
	h.PayloadLen, h.PayloadHash = len(payload), sha256.Sum256(payload)
	out, err := NewSet(h.append(nil), nil, payload)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
