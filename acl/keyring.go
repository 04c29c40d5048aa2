package acl

import (
	"bytes"
	"cmp"
	"crypto/hpke"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
)

// Keyring is every secret that one device holds for its person: its HPKE keys and
// the secrets of epochs.
type Keyring struct {
	party   Party
	keys    []hpke.PrivateKey
	secrets map[crdt.EpochID]Secret
}

// Errors of opening epochs.
var (
	// ErrNoKey: the epoch was sealed to others.
	ErrNoKey = errors.New("acl: no key")
	// ErrBadEpoch: an epoch's secret is not what its operation promised; see
	// [*BadEpochError].
	ErrBadEpoch = errors.New("acl: bad epoch")
)

// BadEpochError says which operation carries a secret that does not open, or not
// to what was promised. Somebody should make a new epoch.
type BadEpochError struct {
	Scope crdt.ScopeID
	Epoch crdt.EpochID
	Op    crdt.AccessOpID // the epoch, the grant or the later epoch that carries it
	Why   string
}

func (e *BadEpochError) Error() string {
	return fmt.Sprintf("%v %s of scope %s in %s: %s", ErrBadEpoch, e.Epoch, e.Scope, e.Op, e.Why)
}

// Unwrap is ErrBadEpoch.
func (e *BadEpochError) Unwrap() error { return ErrBadEpoch }

// NewKeyring begins the keyring of one device with the HPKE keys it has had.
func NewKeyring(who Party, keys ...hpke.PrivateKey) *Keyring {
	return &Keyring{party: who, keys: slices.Clone(keys), secrets: map[crdt.EpochID]Secret{}}
}

// Party is whose keyring it is.
func (k *Keyring) Party() Party { return k.party }

// Put keeps the secret of an epoch: one stored before, or one just made.
func (k *Keyring) Put(epoch crdt.EpochID, secret Secret) { k.secrets[epoch] = secret }

// Get is the secret of an epoch that was opened or put before.
func (k *Keyring) Get(epoch crdt.EpochID) (Secret, bool) {
	secret, ok := k.secrets[epoch]
	return secret, ok
}

// All yields every epoch's secret, ascending by epoch.
func (k *Keyring) All() iter.Seq2[crdt.EpochID, Secret] {
	return func(yield func(crdt.EpochID, Secret) bool) {
		for _, id := range slices.SortedFunc(maps.Keys(k.secrets), compareIDs) {
			if !yield(id, k.secrets[id]) {
				return
			}
		}
	}
}

// Zero wipes the epochs' secrets and forgets everything. (crypto/hpke offers no
// way to wipe a private key.)
func (k *Keyring) Zero() {
	for _, secret := range k.secrets {
		secret.Zero()
	}
	clear(k.secrets)
	k.keys = nil
}

// String counts; nothing of a keyring prints.
func (k Keyring) String() string { return fmt.Sprintf("keyring of %d epochs", len(k.secrets)) }

// Format hides the keys from every verb.
func (k Keyring) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// Open answers the secret of an epoch, and keeps what it opened on the way. It
// tries what was sealed to this device or its person, then the epochs that follow,
// newest first, each of which holds its parents' secrets.
//
// Errors: [*PendingError] if the epoch is not known, ErrNoKey, [*BadEpochError].
func (k *Keyring) Open(s *State, scope crdt.ScopeID, epoch crdt.EpochID) (Secret, error) {
	if secret, ok := k.secrets[epoch]; ok {
		return secret, nil
	}
	sc := s.scopes[scope]
	if sc == nil {
		return Secret{}, &PendingError{[]Ref{genesisRef(scope)}}
	}
	target, ok := sc.log.find(crdt.AccessOpID(epoch))
	if !ok {
		return Secret{}, &PendingError{[]Ref{{scope, crdt.AccessOpID(epoch)}}}
	}
	if _, isEpoch := sc.log.nodes[target].op.Body.(*Epoch); !isEpoch && target != 0 {
		return Secret{}, fmt.Errorf("%w: %s is no epoch", ErrNoKey, epoch)
	}
	err := k.direct(s, sc, target)
	for i := len(sc.epochs) - 1; i >= 0 && k.lacks(epoch); i-- {
		n := sc.epochs[i]
		if n == target || !sc.log.reaches(n, target) {
			continue
		}
		if id := crdt.EpochID(sc.log.nodes[n].op.id); k.lacks(id) {
			err = worse(err, k.direct(s, sc, n))
		}
		err = worse(err, k.unchain(sc, n))
	}
	if secret, ok := k.secrets[epoch]; ok {
		return secret, nil
	}
	return Secret{}, worse(err, fmt.Errorf("%w to epoch %s of scope %s", ErrNoKey, epoch, scope))
}

func (k *Keyring) lacks(epoch crdt.EpochID) bool {
	_, ok := k.secrets[epoch]
	return !ok
}

// worse keeps the first error that tells of a bad epoch, else the first.
func worse(a, b error) error {
	if a == nil || errors.Is(b, ErrBadEpoch) && !errors.Is(a, ErrBadEpoch) {
		return b
	}
	return a
}

// direct opens node n's epoch by what was sealed to this device or person.
func (k *Keyring) direct(s *State, sc *scope, n int32) (err error) {
	o := sc.log.nodes[n].op
	id := crdt.EpochID(o.id)
	me := [32]byte(k.party.Person)
	if sc.body.Kind == KindPerson {
		if sc.log.id != k.party.Person {
			return nil
		}
		me = k.party.Device
	}
	switch e, isEpoch := o.Body.(*Epoch); {
	case isEpoch:
		i, found := slices.BinarySearchFunc(e.Recipients, me, func(r Recipient, id [32]byte) int {
			return bytes.Compare(r.ID[:], id[:])
		})
		if found {
			r := e.Recipients[i]
			err = k.try(s, sc, id, o.id, e.Commit, r.To, epochSealInfo(sc.log.id, e.Parents, me), r.Sealed)
		}
	case sc.body.Kind != KindPerson && sc.body.Owner == me:
		return k.derive(s, sc, id)
	}
	for _, g := range sc.sealsOf(id, me) {
		if !k.lacks(id) {
			return nil
		}
		b := g.Body.(*Grant).Seal
		err = worse(err, k.try(s, sc, id, g.id, b.Commit, b.To, grantSealInfo(sc.log.id, id, me), b.Sealed))
	}
	return err
}

// sealsOf are the grants that seal an epoch to a party, nearest to the owner first:
// of the implicit epoch nobody else can say what its secret is.
func (sc *scope) sealsOf(epoch crdt.EpochID, id [32]byte) []*Op {
	var nodes []int32
	for _, n := range sc.grants {
		g := sc.log.nodes[n].op.Body.(*Grant)
		if g.Seal != nil && g.Seal.Epoch == epoch && g.Principal.ID == id {
			nodes = append(nodes, n)
		}
	}
	slices.SortFunc(nodes, func(a, b int32) int {
		return cmp.Or(cmp.Compare(sc.depths[a], sc.depths[b]), compareIDs(sc.log.nodes[a].op.id, sc.log.nodes[b].op.id))
	})
	ops := make([]*Op, len(nodes))
	for i, n := range nodes {
		ops[i] = sc.log.nodes[n].op
	}
	return ops
}

// derive opens the implicit first epoch of what our person owns.
func (k *Keyring) derive(s *State, sc *scope, id crdt.EpochID) error {
	person, epoch, ok := s.ownerEpoch(sc)
	if !ok {
		return nil
	}
	own, err := k.Open(s, person.log.id, epoch)
	if err == nil {
		k.secrets[id] = own.Implicit(sc.log.id)
	}
	return err
}

// try opens one sealed secret and keeps it if it is what carrier promised.
func (k *Keyring) try(s *State, sc *scope, id crdt.EpochID, carrier crdt.AccessOpID, commit [32]byte, to crdt.EpochID, info, sealed []byte) error {
	bad := func(why string) error {
		return &BadEpochError{Scope: sc.log.id, Epoch: id, Op: carrier, Why: why}
	}
	keys := k.keys
	if to != (crdt.EpochID{}) {
		me := s.scopes[k.party.Person]
		if me == nil {
			return &PendingError{[]Ref{genesisRef(k.party.Person)}}
		}
		own, err := k.Open(s, k.party.Person, to)
		if err != nil {
			return err
		}
		key, err := own.PersonKey(k.party.Person, me.body.Suite)
		if err != nil {
			return err
		}
		keys = []hpke.PrivateKey{key}
	}
	for _, key := range keys {
		if secret, err := unseal(key, info, sealed); err == nil {
			return k.keep(sc, id, secret, commit, bad)
		}
	}
	return bad("the sealed secret does not open")
}

// keep checks a secret against its commitment and, of a person, against the
// published key.
func (k *Keyring) keep(sc *scope, id crdt.EpochID, secret Secret, commit [32]byte, bad func(string) error) error {
	if secret.Commitment(sc.log.id) != commit {
		return bad("the secret is not the one committed to")
	}
	if e, ok := sc.epoch(id); ok && e.HPKEKey != nil {
		key, err := secret.PersonKey(sc.log.id, sc.body.Suite)
		if err != nil {
			return err
		}
		if !bytes.Equal(key.PublicKey().Bytes(), e.HPKEKey) {
			return bad("the published key does not derive from the secret")
		}
	}
	k.secrets[id] = secret
	return nil
}

// unchain opens the parents of node n's epoch, if that one is open.
func (k *Keyring) unchain(sc *scope, n int32) (err error) {
	o := sc.log.nodes[n].op
	secret, ok := k.secrets[crdt.EpochID(o.id)]
	if !ok {
		return nil
	}
	e := o.Body.(*Epoch)
	for i, parent := range e.Parents {
		if !k.lacks(parent) {
			continue
		}
		bad := func(why string) error {
			return &BadEpochError{Scope: sc.log.id, Epoch: parent, Op: o.id, Why: why}
		}
		p, perr := secret.chainOpen(sc.log.id, parent, e.Chain[i])
		if perr != nil {
			err = worse(err, bad("the chained secret does not open"))
			continue
		}
		commit := p.Commitment(sc.log.id) // of the implicit epoch none is published
		if pe, ok := sc.epoch(parent); ok {
			commit = pe.Commit
		}
		err = worse(err, k.keep(sc, parent, p, commit, bad))
	}
	return err
}
