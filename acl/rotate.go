package acl

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
)

// Sealing is what it takes to seal a scope's secret to somebody.
type Sealing struct {
	Keys   *Keyring  // opens what is to be sealed on
	Sealer Sealer    // seals to one key
	Rand   io.Reader // for new secrets and the nonces of chains
}

// newSeal seals scope's current secret to a newcomer; nil where no epoch is usable.
func (s *State) newSeal(scope crdt.ScopeID, id [32]byte, to crdt.EpochID, key []byte, with *Sealing) (*Seal, error) {
	keys, err := s.Keys(scope)
	if err != nil || keys.Debt() {
		return nil, err
	}
	secret, err := with.Keys.Open(s, scope, keys.Current)
	if err != nil {
		return nil, err
	}
	sealed, err := seal(with.Sealer, key, grantSealInfo(scope, keys.Current, id), secret)
	if err != nil {
		return nil, fmt.Errorf("acl: seal to %x: %w", id[:4], err)
	}
	return &Seal{Epoch: keys.Current, Commit: secret.Commitment(scope), To: to, Sealed: sealed}, nil
}

// NewEpoch makes the next secret of a scope and seals it to every reader whose key
// is known, the author's own device or person among them. It holds the secrets of
// the epochs it follows, as far as the author can open them. The caller adds the
// operation and puts the secret into its keyring under the operation's id.
func (s *State) NewEpoch(by Author, scope crdt.ScopeID, with *Sealing, time int64) (*Op, Secret, error) {
	sc := s.scopes[scope]
	if sc == nil {
		return nil, Secret{}, &PendingError{[]Ref{genesisRef(scope)}}
	}
	secret, err := RandomSecret(with.Rand)
	if err != nil {
		return nil, Secret{}, err
	}
	e := &Epoch{Commit: secret.Commitment(scope)}
	if sc.body.Kind == KindPerson {
		key, err := secret.PersonKey(scope, sc.body.Suite)
		if err != nil {
			return nil, Secret{}, fmt.Errorf("acl: key of a person: %w", err)
		}
		e.HPKEKey = key.PublicKey().Bytes()
	}
	for _, parent := range s.tips(sc) {
		old, err := with.Keys.Open(s, scope, parent)
		if err != nil {
			continue // nobody can chain what was not sealed to him, or not well
		}
		sealed, err := secret.chainSeal(scope, parent, old, with.Rand)
		if err != nil {
			return nil, Secret{}, err
		}
		e.Parents, e.Chain = append(e.Parents, parent), append(e.Chain, sealed)
	}
	if e.Recipients, err = s.sealToAll(sc, e.Parents, secret, with.Sealer); err != nil {
		return nil, Secret{}, err
	}
	o, err := s.build(by, scope, e, time)
	return o, secret, err
}

// tips are the epochs of sc that no other follows, ascending, at most MaxParents.
func (s *State) tips(sc *scope) []crdt.EpochID {
	var all []int32
	for n := range s.reached(sc, sc.log.Known()) {
		all = append(all, n)
	}
	var ids []crdt.EpochID
	for len(all) > 0 && len(ids) < MaxParents {
		id := sc.last(all)
		n, _ := sc.log.find(crdt.AccessOpID(id))
		ids = append(ids, id)
		all = slices.DeleteFunc(all, func(m int32) bool { return sc.log.reaches(n, m) })
	}
	slices.SortFunc(ids, compareIDs)
	return ids
}

func (s *State) sealToAll(sc *scope, parents []crdt.EpochID, secret Secret, sealer Sealer) ([]Recipient, error) {
	var list []Recipient
	for id, hasKey := range s.readersOf(sc, sc.log.Known()) {
		if hasKey {
			list = append(list, Recipient{ID: id})
		}
	}
	slices.SortFunc(list, func(a, b Recipient) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for i := range list {
		r := &list[i]
		var key []byte
		if sc.body.Kind == KindPerson {
			key = sc.deviceKey(r.ID)
		} else {
			r.To, key, _ = s.personKey(r.ID)
		}
		var err error
		if r.Sealed, err = seal(sealer, key, epochSealInfo(sc.log.id, parents, r.ID), secret); err != nil {
			return nil, fmt.Errorf("acl: seal to %x: %w", r.ID[:4], err)
		}
	}
	return list, nil
}

// deviceKey is the HPKE key of a device, of several grants that of the newest.
func (sc *scope) deviceKey(id [32]byte) []byte {
	for _, n := range slices.Backward(sc.grants) {
		if g := sc.log.nodes[n].op.Body.(*Grant); g.Principal.ID == id && g.Role >= Reader {
			return g.Principal.HPKEKey
		}
	}
	panic("acl: a reader without a grant")
}
