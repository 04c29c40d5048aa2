package acl

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/dagcbor"
)

// An operation is one dag-cbor array of opFields items that starts with its label.
const (
	opLabel   = "pipes op"
	opVersion = 1
	opFields  = 13
)

// Encoding is o's deterministic encoding, whose SHA-256 is its id. The signature
// is not in it.
func (o *Op) Encoding() []byte { return o.appendTo(make([]byte, 0, o.size)) }

// MarshalBinary is the form in which an operation is stored and carried: its
// signature, then its encoding.
func (o *Op) MarshalBinary() ([]byte, error) {
	return o.appendTo(append(make([]byte, 0, sigSize+int(o.size)), o.sig[:]...)), nil
}

func (o *Op) appendTo(b []byte) []byte {
	b = dagcbor.AppendArray(b, opFields)
	b = dagcbor.AppendText(b, opLabel)
	b = dagcbor.AppendUint(b, opVersion)
	b = dagcbor.AppendUint(b, uint64(o.Type()))
	if o.Type() == TypeGenesis {
		b = dagcbor.AppendBytes(b, nil)
	} else {
		b = dagcbor.AppendBytes(b, o.Scope[:])
	}
	b = dagcbor.AppendBytes(b, o.Device[:])
	b = dagcbor.AppendBytes(b, o.Incarnation[:])
	b = appendIDs(b, o.Path)
	b = appendRows(b, o.Heads)
	b = dagcbor.AppendUint(b, o.Seq)
	b = dagcbor.AppendID(b, o.Prev)
	b = appendIDs(b, o.Deps)
	b = o.Body.appendTo(b)
	return dagcbor.AppendInt(b, o.Time)
}

func appendIDs[ID ~[32]byte](b []byte, ids []ID) []byte {
	b = dagcbor.AppendArray(b, len(ids))
	for _, id := range ids {
		b = dagcbor.AppendBytes(b, id[:])
	}
	return b
}

func appendRows(b []byte, rows []Row) []byte {
	b = dagcbor.AppendArray(b, len(rows))
	for _, row := range rows {
		b = dagcbor.AppendArray(b, 2)
		b = dagcbor.AppendBytes(b, row.Scope[:])
		b = appendIDs(b, row.Heads)
	}
	return b
}

// Decode reads an operation from its stored form (see [Op.MarshalBinary]). It
// checks form, not signature: see [Op.Verify]. Nothing of b is kept.
func Decode(b []byte) (*Op, error) {
	if len(b) < sigSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	return DecodeParts(b[sigSize:], b[:sigSize])
}

// DecodeVerified is Decode for bytes this replica verified before and has kept
// from change since; verifying again would cost a hundred times the decoding.
func DecodeVerified(b []byte) (*Op, error) {
	o, err := Decode(b)
	if err == nil {
		o.verified = true
	}
	return o, err
}

// DecodeParts is Decode for an encoding and a signature that came apart.
func DecodeParts(enc, sig []byte) (*Op, error) {
	switch {
	case len(sig) != sigSize:
		return nil, fmt.Errorf("%w: signature of %d bytes", ErrMalformed, len(sig))
	case len(enc) > MaxOpSize:
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrMalformed, len(enc), MaxOpSize)
	}
	r := dagcbor.NewReader(enc)
	typ, err := readType(r)
	if err != nil {
		return nil, err
	}
	o := &Op{sig: [sigSize]byte(sig)}
	if scope := r.Bytes(0, 32); typ != TypeGenesis && len(scope) == 32 {
		o.Scope = crdt.ScopeID(scope)
	} else if typ != TypeGenesis || len(scope) != 0 {
		r.Fail(fmt.Errorf("%w: scope of %d bytes in a %s", dagcbor.ErrShape, len(scope), typ))
	}
	r.Fixed(o.Device[:])
	r.Fixed(o.Incarnation[:])
	o.Path = readIDs[crdt.AccessOpID](r, MaxPath)
	o.Heads = readRows(r, MaxPath)
	o.Seq = r.Uint(MaxSeq)
	o.Prev = r.ID()
	o.Deps = readIDs[crdt.AccessOpID](r, MaxDeps)
	o.Body = readBody(r, typ)
	o.Time = r.Int()
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := o.checkForm(); err != nil {
		return nil, err
	}
	o.complete(sha256.Sum256(enc), len(enc))
	return o, nil
}

// readType reads up to the type, so that what a later version wrote is told apart
// from what nobody should write.
func readType(r *dagcbor.Reader) (Type, error) {
	n := r.Array(1, dagcbor.MaxArray)
	r.ExpectText(opLabel)
	v, t := r.Uint(1<<32), uint64(0)
	if r.Err() == nil && v == opVersion {
		t = r.Uint(1 << 32)
	}
	if err := r.Err(); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if v != opVersion {
		return 0, fmt.Errorf("%w: version %d", ErrUnknownType, v)
	}
	switch Type(t & 0xff) {
	case TypeGenesis, TypeGrant, TypeEpoch, TypeIncarnation:
		if t > 0xff {
			break
		}
		if n != opFields {
			return 0, fmt.Errorf("%w: %d fields, want %d", ErrMalformed, n, opFields)
		}
		return Type(t), nil
	}
	if t > 0xff {
		return 0, fmt.Errorf("%w: %d", ErrUnknownType, t)
	}
	return 0, fmt.Errorf("%w: %d (%s)", ErrUnknownType, t, Type(t))
}

func readIDs[ID ~[32]byte](r *dagcbor.Reader, limit int) []ID {
	n := r.Array(0, limit)
	if n == 0 {
		return nil
	}
	ids := make([]ID, n)
	for i := range ids {
		var id [32]byte
		r.Fixed(id[:])
		ids[i] = id
	}
	return ids
}

func readRows(r *dagcbor.Reader, limit int) []Row {
	n := r.Array(0, limit)
	if n == 0 {
		return nil
	}
	rows := make([]Row, n)
	for i := range rows {
		r.Array(2, 2)
		r.Fixed(rows[i].Scope[:])
		rows[i].Heads = readIDs[crdt.AccessOpID](r, MaxHeads)
	}
	return rows
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
}

// ascending reports whether ids are sorted and distinct.
func ascending[ID ~[32]byte](ids []ID) bool {
	for i := 1; i < len(ids); i++ {
		if bytes.Compare(idSlice(ids[i-1]), idSlice(ids[i])) >= 0 {
			return false
		}
	}
	return true
}

func idSlice[ID ~[32]byte](id ID) []byte { return id[:] }

func compareIDs[ID ~[32]byte](a, b ID) int { return bytes.Compare(a[:], b[:]) }

// checkForm holds o against all that can be said of it without its log.
func (o *Op) checkForm() error {
	genesis := o.Type() == TypeGenesis
	switch {
	case o.Time < 0 || o.Time > MaxTime:
		return malformed("time %d", o.Time)
	case o.Seq < 1 || o.Seq > MaxSeq:
		return malformed("seq %d", o.Seq)
	case len(o.Path) > MaxPath || len(o.Deps) > MaxDeps:
		return malformed("%d ids on the path, %d deps", len(o.Path), len(o.Deps))
	case !ascending(o.Deps):
		return malformed("deps are not ascending")
	case genesis && (o.Seq != 1 || o.Prev != crdt.AccessOpID{} || len(o.Deps) != 0):
		return malformed("a genesis has nothing before it")
	case !genesis && len(o.Path) == 0:
		return malformed("a %s without a path", o.Type())
	case !genesis && (o.Seq == 1) != (o.Prev == crdt.AccessOpID{}):
		return malformed("seq %d with prev %s", o.Seq, o.Prev)
	case o.Seq == 1 && !genesis && len(o.Deps) == 0:
		return malformed("a %s without deps does not descend from a genesis", o.Type())
	case slices.Contains(o.Deps, o.Prev):
		return malformed("prev stands among deps")
	}
	if err := checkRows(o.Heads, MaxPath); err != nil {
		return err
	}
	for _, row := range o.Heads {
		if !genesis && row.Scope == o.Scope {
			return malformed("heads name the operation's own scope")
		}
	}
	return o.Body.checkForm(o)
}

// checkRows holds the rows of heads of an operation or an item against their limits.
func checkRows(rows []Row, limit int) error {
	if len(rows) > limit {
		return malformed("%d rows of heads, at most %d", len(rows), limit)
	}
	for i, row := range rows {
		switch {
		case i > 0 && compareIDs(rows[i-1].Scope, row.Scope) >= 0:
			return malformed("rows of heads are not ascending")
		case len(row.Heads) < 1 || len(row.Heads) > MaxHeads:
			return malformed("%d heads of one scope, want 1 to %d", len(row.Heads), MaxHeads)
		case !ascending(row.Heads):
			return malformed("heads are not ascending")
		}
	}
	return nil
}
