package acl

import (
	"bytes"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/dagcbor"
)

func readBody(r *dagcbor.Reader, typ Type) Body {
	switch typ {
	case TypeGenesis:
		return readGenesis(r)
	case TypeGrant:
		return readGrant(r)
	case TypeEpoch:
		return readEpoch(r)
	case TypeIncarnation:
		return readIncarnation(r)
	}
	panic("acl: no decoder for " + typ.String()) // readType lets no other pass
}

// readCopy reads a byte string that the operation keeps, nil if it is empty.
func readCopy(r *dagcbor.Reader, limit int) []byte {
	if b := r.Bytes(0, limit); len(b) > 0 {
		return bytes.Clone(b)
	}
	return nil
}

func (g *Genesis) appendTo(b []byte) []byte {
	b = dagcbor.AppendArray(b, 5)
	b = dagcbor.AppendUint(b, uint64(g.Kind))
	b = dagcbor.AppendBytes(b, g.Owner[:])
	b = dagcbor.AppendUint(b, uint64(g.Suite))
	b = dagcbor.AppendArray(b, 0) // policy
	return dagcbor.AppendBytes(b, g.Nonce[:])
}

func readGenesis(r *dagcbor.Reader) *Genesis {
	g := &Genesis{}
	r.Array(5, 5)
	g.Kind = Kind(r.Uint(255))
	r.Fixed(g.Owner[:])
	g.Suite = Suite(r.Uint(255))
	r.Array(0, 0)
	r.Fixed(g.Nonce[:])
	return g
}

func (g *Genesis) checkForm(o *Op) error {
	if g.Suite != SuiteX25519 && g.Suite != SuiteHybrid {
		return malformed("genesis with %s", g.Suite)
	}
	switch g.Kind {
	case KindPerson:
		if g.Owner != o.Device || len(o.Path) != 0 || len(o.Heads) != 0 {
			return malformed("a person begins with its recovery key alone")
		}
	case KindGroup, KindList:
		if len(o.Path) != 1 || len(o.Heads) != 1 || o.Heads[0].Scope != g.Owner {
			return malformed("a %s begins with a device of its owner", g.Kind)
		}
	default:
		return malformed("genesis of %s", g.Kind)
	}
	return nil
}

func (g *Grant) appendTo(b []byte) []byte {
	b = dagcbor.AppendArray(b, 5)
	b = dagcbor.AppendArray(b, 3)
	b = dagcbor.AppendUint(b, uint64(g.Principal.Kind))
	b = dagcbor.AppendBytes(b, g.Principal.ID[:])
	b = dagcbor.AppendBytes(b, g.Principal.HPKEKey)
	b = dagcbor.AppendUint(b, uint64(g.Role))
	b = dagcbor.AppendArray(b, 0) // narrowing
	if s := g.Seal; s == nil {
		b = dagcbor.AppendArray(b, 0)
	} else {
		b = dagcbor.AppendArray(b, 4)
		b = dagcbor.AppendBytes(b, s.Epoch[:])
		b = dagcbor.AppendBytes(b, s.Commit[:])
		b = dagcbor.AppendID(b, s.To)
		b = dagcbor.AppendBytes(b, s.Sealed)
	}
	if j := g.Join; j == nil {
		b = dagcbor.AppendArray(b, 0)
	} else {
		b = dagcbor.AppendArray(b, 2)
		b = dagcbor.AppendBytes(b, j.Nonce[:])
		b = dagcbor.AppendBytes(b, j.Sig[:])
	}
	return b
}

func readGrant(r *dagcbor.Reader) *Grant {
	g := &Grant{}
	r.Array(5, 5)
	r.Array(3, 3)
	g.Principal.Kind = PrincipalKind(r.Uint(255))
	r.Fixed(g.Principal.ID[:])
	g.Principal.HPKEKey = readCopy(r, keySizeHybrid)
	g.Role = Role(r.Uint(255))
	r.Array(0, 0)
	if n := r.Array(0, 4); n > 0 {
		s := &Seal{}
		r.Fixed(s.Epoch[:])
		r.Fixed(s.Commit[:])
		s.To = r.ID()
		s.Sealed = readCopy(r, sealSizeHybrid)
		g.Seal = s
		wantItems(r, n, 4)
	}
	if n := r.Array(0, 2); n > 0 {
		j := &Join{}
		r.Fixed(j.Nonce[:])
		r.Fixed(j.Sig[:])
		g.Join = j
		wantItems(r, n, 2)
	}
	return g
}

// wantItems refuses an optional array that is neither empty nor whole.
func wantItems(r *dagcbor.Reader, n, want int) {
	if n != want {
		r.Fail(malformed("array of %d items, want none or %d", n, want))
	}
}

func (g *Grant) checkForm(o *Op) error {
	device := g.Principal.Kind == DevicePrincipal
	switch {
	case g.Principal.Kind < DevicePrincipal || g.Principal.Kind > GroupPrincipal:
		return malformed("grant to %s", g.Principal.Kind)
	case !g.Role.granted():
		return malformed("grant of %s", g.Role)
	case g.Principal.Kind == GroupPrincipal && g.Role > Writer:
		return malformed("a group as %s: admins are persons", g.Role)
	case device != (g.Join != nil):
		return malformed("a device, and nobody else, says that it joins")
	case device && !keySize(g.Principal.HPKEKey) || !device && g.Principal.HPKEKey != nil:
		return malformed("grant to a %s with a key of %d bytes", g.Principal.Kind, len(g.Principal.HPKEKey))
	}
	if s := g.Seal; s != nil {
		switch {
		case g.Role < Reader || g.Principal.Kind == GroupPrincipal:
			return malformed("a %s as %s gets no secret", g.Principal.Kind, g.Role)
		case device != (s.To == crdt.EpochID{}):
			return malformed("a secret is sealed to a device or to an epoch of a person")
		case !sealSize(s.Sealed):
			return malformed("sealed secret of %d bytes", len(s.Sealed))
		}
	}
	return nil
}

func keySize(key []byte) bool   { return len(key) == keySizeX25519 || len(key) == keySizeHybrid }
func sealSize(seal []byte) bool { return len(seal) == sealSizeX25519 || len(seal) == sealSizeHybrid }

func (e *Epoch) appendTo(b []byte) []byte {
	b = dagcbor.AppendArray(b, 5)
	b = appendIDs(b, e.Parents)
	b = dagcbor.AppendArray(b, len(e.Recipients))
	for _, r := range e.Recipients {
		b = dagcbor.AppendArray(b, 3)
		b = dagcbor.AppendBytes(b, r.ID[:])
		b = dagcbor.AppendID(b, r.To)
		b = dagcbor.AppendBytes(b, r.Sealed)
	}
	b = dagcbor.AppendArray(b, len(e.Chain))
	for _, c := range e.Chain {
		b = dagcbor.AppendBytes(b, c)
	}
	b = dagcbor.AppendBytes(b, e.Commit[:])
	return dagcbor.AppendBytes(b, e.HPKEKey)
}

func readEpoch(r *dagcbor.Reader) *Epoch {
	e := &Epoch{}
	r.Array(5, 5)
	e.Parents = readIDs[crdt.EpochID](r, MaxParents)
	if n := r.Array(1, MaxRecipients); n > 0 {
		e.Recipients = make([]Recipient, 0, min(n, 64)) // grows with what is really there
		for range n {
			var rec Recipient
			r.Array(3, 3)
			r.Fixed(rec.ID[:])
			rec.To = r.ID()
			rec.Sealed = readCopy(r, sealSizeHybrid)
			if r.Err() != nil {
				break
			}
			e.Recipients = append(e.Recipients, rec)
		}
	}
	for range r.Array(0, MaxParents) {
		e.Chain = append(e.Chain, readCopy(r, chainSealedSize))
	}
	r.Fixed(e.Commit[:])
	e.HPKEKey = readCopy(r, keySizeHybrid)
	return e
}

func (e *Epoch) checkForm(o *Op) error {
	switch {
	case !ascending(e.Parents):
		return malformed("parents are not ascending")
	case len(e.Chain) != len(e.Parents):
		return malformed("%d chained secrets for %d parents", len(e.Chain), len(e.Parents))
	case len(e.Recipients) < 1 || len(e.Recipients) > MaxRecipients:
		return malformed("%d recipients, want 1 to %d", len(e.Recipients), MaxRecipients)
	case e.HPKEKey != nil && !keySize(e.HPKEKey):
		return malformed("key of %d bytes", len(e.HPKEKey))
	}
	for _, c := range e.Chain {
		if len(c) != chainSealedSize {
			return malformed("chained secret of %d bytes, want %d", len(c), chainSealedSize)
		}
	}
	person := e.HPKEKey != nil
	for i, r := range e.Recipients {
		switch {
		case i > 0 && bytes.Compare(e.Recipients[i-1].ID[:], r.ID[:]) >= 0:
			return malformed("recipients are not ascending")
		case !sealSize(r.Sealed):
			return malformed("sealed secret of %d bytes", len(r.Sealed))
		case person != (r.To == crdt.EpochID{}):
			return malformed("a recipient is a device of a person or a person of a scope")
		}
	}
	return nil
}

func (n *Incarnation) appendTo(b []byte) []byte {
	return appendRows(dagcbor.AppendArray(b, 1), n.Heads)
}

func readIncarnation(r *dagcbor.Reader) *Incarnation {
	n := &Incarnation{}
	r.Array(1, 1)
	n.Heads = readRows(r, MaxIncarnationRows)
	return n
}

func (n *Incarnation) checkForm(o *Op) error {
	if o.Seq != 1 {
		return malformed("an incarnation as operation %d of its chain, which it begins", o.Seq)
	}
	for _, row := range n.Heads {
		if row.Scope == o.Scope {
			return malformed("an incarnation names its own log, which its past tells")
		}
	}
	return checkRows(n.Heads, MaxIncarnationRows)
}
