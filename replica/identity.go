package replica

import (
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/dagcbor"
	"github.com/pipes-sync/pipes/storage"
)

// identity is who this replica is: one device of one person, in one life.
type identity struct {
	person      crdt.ScopeID
	name        string
	incarnation crdt.Incarnation // the store's: new after every restore
	device      crdt.DeviceID
	sign        ed25519.PrivateKey
	hpke        hpke.PrivateKey

	deviceSeed, hpkeSeed [32]byte
	// recovery is the seed of the key that owns the person. It stays here, sealed,
	// until its words are confirmed to be kept elsewhere.
	recovery [32]byte
}

const identityRecord = "identity"

func (id *identity) party() acl.Party { return acl.Party{Person: id.person, Device: id.device} }

func (id *identity) author() acl.Author {
	return acl.Author{Party: id.party(), Incarnation: id.incarnation, Sign: acl.SignWith(id.sign)}
}

// derive fills in the keys from their seeds.
func (id *identity) derive() error {
	id.sign = ed25519.NewKeyFromSeed(id.deviceSeed[:])
	id.device = crdt.DeviceID(id.sign.Public().(ed25519.PublicKey))
	var err error
	if id.hpke, err = acl.DefaultSuite.KEM().DeriveKeyPair(id.hpkeSeed[:]); err != nil {
		return fmt.Errorf("replica: device key: %w", err)
	}
	return nil
}

func (id *identity) encode() []byte {
	b := dagcbor.AppendArray(nil, 7)
	b = dagcbor.AppendText(b, "pipes identity")
	b = dagcbor.AppendUint(b, 1)
	b = dagcbor.AppendBytes(b, id.person[:])
	b = dagcbor.AppendText(b, id.name)
	b = dagcbor.AppendBytes(b, id.deviceSeed[:])
	b = dagcbor.AppendBytes(b, id.hpkeSeed[:])
	return dagcbor.AppendBytes(b, id.recovery[:])
}

func decodeIdentity(b []byte) (*identity, error) {
	id := &identity{}
	r := dagcbor.NewReader(b)
	r.Array(7, 7)
	r.ExpectText("pipes identity")
	r.Expect(1)
	r.Fixed(id.person[:])
	id.name = r.Text(maxName)
	r.Fixed(id.deviceSeed[:])
	r.Fixed(id.hpkeSeed[:])
	r.Fixed(id.recovery[:])
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("%w: identity: %w", ErrDamaged, err)
	}
	return id, id.derive()
}

func loadIdentity(s *storage.Store) (*identity, error) {
	b, err := s.Singleton(identityRecord)
	if err != nil {
		return nil, fmt.Errorf("replica: identity of this device: %w", err)
	}
	id, err := decodeIdentity(b)
	if err == nil {
		id.incarnation = s.Incarnation()
	}
	return id, err
}

// newIdentity makes a person with this device as its first, and the operations
// that begin its log: the recovery key founds the person and grants the device;
// the device announces itself and makes the person's first epoch.
func newIdentity(name string, inc crdt.Incarnation) (*identity, []*acl.Op, error) {
	id := &identity{name: name, incarnation: inc}
	for _, b := range [][]byte{id.deviceSeed[:], id.hpkeSeed[:], id.recovery[:]} {
		rand.Read(b)
	}
	if err := id.derive(); err != nil {
		return nil, nil, err
	}
	recovery := ed25519.NewKeyFromSeed(id.recovery[:])
	owner := acl.Author{
		Party:       acl.Party{Device: crdt.DeviceID(recovery.Public().(ed25519.PublicKey))},
		Incarnation: inc,
		Sign:        acl.SignWith(recovery),
	}
	now := time.Now().UnixMilli()
	genesis, err := acl.NewPerson(owner, nonce16(), acl.DefaultSuite, now)
	if err != nil {
		return nil, nil, err
	}
	id.person = genesis.Scope
	owner.Person = genesis.Scope

	b := &logBuilder{}
	b.add(genesis, nil)
	join, err := acl.NewJoin(acl.SignWith(id.sign), id.person, id.hpke.PublicKey().Bytes(), nonce16())
	if err != nil {
		return nil, nil, err
	}
	b.do(func() (*acl.Op, error) {
		return b.state.GrantDevice(owner, acl.NewDevice{
			Device: id.device, HPKEKey: id.hpke.PublicKey().Bytes(), Join: join, Role: acl.Admin,
		}, nil, now)
	})
	b.do(func() (*acl.Op, error) { return b.state.NewIncarnation(id.author(), nil, now) })
	b.do(func() (*acl.Op, error) {
		op, _, err := b.state.NewEpoch(id.author(), id.person, id.sealing(id.keyring()), now)
		return op, err
	})
	return id, b.ops, b.err
}

func (id *identity) keyring() *acl.Keyring { return acl.NewKeyring(id.party(), id.hpke) }

func (id *identity) sealing(k *acl.Keyring) *acl.Sealing {
	return &acl.Sealing{Keys: k, Sealer: hpkeSealer{}, Rand: rand.Reader}
}

// logBuilder writes operations one on top of the other.
type logBuilder struct {
	state acl.State
	ops   []*acl.Op
	err   error
}

func (b *logBuilder) do(build func() (*acl.Op, error)) {
	if b.err == nil {
		b.add(build())
	}
}

func (b *logBuilder) add(op *acl.Op, err error) {
	if err == nil {
		_, err = b.state.Add(op)
	}
	b.err = errors.Join(b.err, err)
	b.ops = append(b.ops, op)
}

// hpkeSealer is the real one: its randomness is the system's.
type hpkeSealer struct{}

func (hpkeSealer) Seal(key hpke.PublicKey, info, plaintext []byte) ([]byte, error) {
	return hpke.Seal(key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), info, plaintext)
}

func nonce16() (n [16]byte) { rand.Read(n[:]); return n }
func nonce24() (n [24]byte) { rand.Read(n[:]); return n }
