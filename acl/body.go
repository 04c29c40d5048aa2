package acl

import "github.com/pipes-sync/pipes/crdt"

// Body is what an operation says: one of [*Genesis], [*Grant], [*Epoch] and
// [*Incarnation].
type Body interface {
	Type() Type
	appendTo(b []byte) []byte
	checkForm(o *Op) error
}

// Genesis begins a scope. Its policy is empty in this version.
type Genesis struct {
	Kind  Kind
	Owner [32]byte // of a person: the recovery key; else the owner's person scope
	Suite Suite
	Nonce [16]byte
}

// Grant gives a principal a role. Narrowing is empty in this version.
type Grant struct {
	Principal Principal
	Role      Role
	Seal      *Seal // the scope's current secret for the newcomer; nil if none
	Join      *Join // the device's consent; devices only
}

// Principal is whom a grant is for.
type Principal struct {
	Kind    PrincipalKind
	ID      [32]byte // device key, or scope of the person or group
	HPKEKey []byte   // of a device: its HPKE public key in the person's suite; else nil
}

// Seal is an epoch's secret, sealed to a newcomer.
type Seal struct {
	Epoch  crdt.EpochID
	Commit [32]byte
	To     crdt.EpochID // the person's epoch whose key was used; zero for a device
	Sealed []byte
}

// Join is a device's consent to belong to a person: nobody adopts a key that is
// not theirs.
type Join struct {
	Nonce [16]byte
	Sig   [64]byte // over the join context, person, SHA-256 of the HPKE key, nonce
}

// Epoch is a new generation of a scope's secret. The id of the operation is the
// id of the epoch.
type Epoch struct {
	Parents    []crdt.EpochID // the epochs it follows, ascending
	Recipients []Recipient    // ascending by ID
	Chain      [][]byte       // each parent's secret under the new one
	Commit     [32]byte
	HPKEKey    []byte // of a person: public key derived from the secret; else nil
}

// Recipient is one reader of an epoch: a device in a person's log, else a person.
type Recipient struct {
	ID     [32]byte
	To     crdt.EpochID // the person's epoch whose key was used; zero for a device
	Sealed []byte
}

// Incarnation announces the life that its operation names: the first operation of
// a device's chain in its person's log, before any other use of that life.
type Incarnation struct {
	// Heads are of other scopes, ascending. What this life writes there knows no
	// less of them; of the person's log it knows the announcement and its past.
	Heads []Row
}

// Type is TypeGenesis.
func (*Genesis) Type() Type { return TypeGenesis }

// Type is TypeGrant.
func (*Grant) Type() Type { return TypeGrant }

// Type is TypeEpoch.
func (*Epoch) Type() Type { return TypeEpoch }

// Type is TypeIncarnation.
func (*Incarnation) Type() Type { return TypeIncarnation }
