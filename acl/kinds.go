package acl

import (
	"errors"
	"fmt"
)

// Kind says what a scope is.
type Kind uint8

// The kinds of scope.
const (
	KindPerson Kind = 1 // members are devices
	KindGroup  Kind = 2 // members are persons and groups
	KindList   Kind = 3 // a document's own list
)

func (k Kind) String() string {
	switch k {
	case KindPerson:
		return "person"
	case KindGroup:
		return "group"
	case KindList:
		return "list"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Suite names the HPKE key encapsulation of a scope's members (RFC 9180; both
// with HKDF-SHA256 and ChaCha20-Poly1305).
type Suite uint8

// The suites. Zero is no suite.
const (
	SuiteX25519 Suite = 1 // DHKEM(X25519, HKDF-SHA256)
	SuiteHybrid Suite = 2 // MLKEM768-X25519, safe against quantum computers
	// DefaultSuite is what builders use for zero: medicine and law keep
	// secrets for decades.
	DefaultSuite = SuiteHybrid
)

func (s Suite) String() string {
	switch s {
	case SuiteX25519:
		return "x25519"
	case SuiteHybrid:
		return "mlkem768-x25519"
	}
	return fmt.Sprintf("suite(%d)", uint8(s))
}

// Role is what a grant allows; each includes those below it. The numbers are
// sparse so that others can come between.
type Role uint8

// The roles, lowest first. Zero is no role.
const (
	Relay  Role = 10 // store and forward what one cannot read
	Reader Role = 20
	Writer Role = 30
	Admin  Role = 40 // grant roles up to admin
	Owner  Role = 50 // the genesis' place; never granted
)

var roleNames = map[Role]string{Relay: "relay", Reader: "reader", Writer: "writer", Admin: "admin", Owner: "owner"}

func (r Role) String() string {
	if name, ok := roleNames[r]; ok {
		return name
	}
	return fmt.Sprintf("role(%d)", uint8(r))
}

// ErrBadRole is wrapped by the errors of [ParseRole].
var ErrBadRole = errors.New("acl: bad role")

// ParseRole reads the name of a role.
func ParseRole(name string) (Role, error) {
	for r, n := range roleNames {
		if n == name {
			return r, nil
		}
	}
	return 0, fmt.Errorf("%w: %.20q, want relay, reader, writer, admin or owner", ErrBadRole, name)
}

// MarshalText writes the name of r.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the name of a role.
func (r *Role) UnmarshalText(b []byte) (err error) { *r, err = ParseRole(string(b)); return err }

// granted reports whether r is a role a grant may give.
func (r Role) granted() bool { return r == Relay || r == Reader || r == Writer || r == Admin }

// PrincipalKind says whom a grant is for.
type PrincipalKind uint8

// The kinds of principal.
const (
	DevicePrincipal PrincipalKind = 1 // in person logs only
	PersonPrincipal PrincipalKind = 2
	GroupPrincipal  PrincipalKind = 3
)

func (k PrincipalKind) String() string {
	switch k {
	case DevicePrincipal:
		return "device"
	case PersonPrincipal:
		return "person"
	case GroupPrincipal:
		return "group"
	}
	return fmt.Sprintf("principal(%d)", uint8(k))
}

// Type is the type of an operation. Numbers are never reused.
type Type uint8

// The types this version decodes.
const (
	TypeGenesis     Type = 1
	TypeGrant       Type = 2
	TypeEpoch       Type = 32
	TypeIncarnation Type = 36
)

// reservedTypes are numbers given to types of later versions.
var reservedTypes = map[Type]string{
	3: "revoke", 4: "policy", 5: "keep",
	33: "leave", 34: "suspend", 35: "resume", 37: "pins", 38: "proof",
	39: "tombstone", 40: "hold", 41: "release", 42: "receipt",
}

func (t Type) String() string {
	switch t {
	case TypeGenesis:
		return "genesis"
	case TypeGrant:
		return "grant"
	case TypeEpoch:
		return "epoch"
	case TypeIncarnation:
		return "incarnation"
	}
	if name, ok := reservedTypes[t]; ok {
		return name
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}
