package acl

import (
	"crypto/ecdh"
	"crypto/hpke"
	"fmt"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
)

// Contexts of sealing. What is sealed binds where it belongs.
const (
	epochSealContext = "pipes epoch seal v1\x00"
	grantSealContext = "pipes grant seal v1\x00"
)

// Sealer seals with HPKE in base mode, HKDF-SHA256 and ChaCha20-Poly1305 (RFC
// 9180), to a key of its KEM. It is where randomness enters, which crypto/hpke
// takes from the system: a replica passes hpke.Seal, a simulation what repeats.
type Sealer interface {
	Seal(key hpke.PublicKey, info, plaintext []byte) (sealed []byte, err error)
}

// KEM is the key encapsulation of s.
func (s Suite) KEM() hpke.KEM {
	switch s {
	case SuiteX25519:
		return hpke.DHKEM(ecdh.X25519())
	case SuiteHybrid:
		return hpke.MLKEM768X25519()
	}
	panic("acl: " + s.String() + " is no suite") // no genesis has another
}

func (s Suite) keySize() int {
	if s == SuiteX25519 {
		return keySizeX25519
	}
	return keySizeHybrid
}

func (s Suite) sealSize() int {
	if s == SuiteX25519 {
		return sealSizeX25519
	}
	return sealSizeHybrid
}

// suiteOfKey tells a suite by the size of its public keys.
func suiteOfKey(key []byte) Suite {
	if len(key) == keySizeX25519 {
		return SuiteX25519
	}
	return SuiteHybrid
}

// checkKey refuses what is no key of its suite, and the points of small order that
// X25519 refuses to compute with (RFC 7748, section 6.1): to such a key nobody could
// seal, so one member with a bad key would stop every rotation.
func checkKey(key []byte) error {
	if _, err := suiteOfKey(key).KEM().NewPublicKey(key); err != nil {
		return err
	}
	// In both suites the X25519 point is the end of the key.
	point, err := ecdh.X25519().NewPublicKey(key[len(key)-keySizeX25519:])
	if err != nil {
		return err
	}
	probe, err := ecdh.X25519().NewPrivateKey(probeScalar[:])
	if err != nil {
		return err
	}
	_, err = probe.ECDH(point)
	return err
}

// probeScalar is any scalar: X25519 clears its low bits, so a point of small order
// gives zero with each.
var probeScalar = [32]byte{31: 0x40}

func seal(sl Sealer, key, info []byte, secret Secret) ([]byte, error) {
	pub, err := suiteOfKey(key).KEM().NewPublicKey(key)
	if err != nil {
		return nil, err
	}
	sealed, err := sl.Seal(pub, info, secret.Bytes())
	if err == nil && len(sealed) != suiteOfKey(key).sealSize() {
		err = fmt.Errorf("sealer answered %d bytes", len(sealed))
	}
	return sealed, err
}

func unseal(key hpke.PrivateKey, info, sealed []byte) (Secret, error) {
	b, err := hpke.Open(key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), info, sealed)
	if err != nil {
		return Secret{}, err
	}
	return NewSecret(b)
}

func epochSealInfo(scope crdt.ScopeID, parents []crdt.EpochID, recipient [32]byte) []byte {
	info := slices.Concat([]byte(epochSealContext), scope[:])
	for _, p := range parents {
		info = append(info, p[:]...)
	}
	return append(info, recipient[:]...)
}

func grantSealInfo(scope crdt.ScopeID, epoch crdt.EpochID, recipient [32]byte) []byte {
	return slices.Concat([]byte(grantSealContext), scope[:], epoch[:], recipient[:])
}
