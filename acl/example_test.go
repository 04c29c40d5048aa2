package acl_test

import (
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"fmt"
	"log"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
)

// sealer is the one a replica passes.
type sealer struct{}

func (sealer) Seal(key hpke.PublicKey, info, plaintext []byte) ([]byte, error) {
	return hpke.Seal(key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), info, plaintext)
}

func newKey() (crdt.DeviceID, acl.Signer) {
	pub, priv, err := ed25519.GenerateKey(nil)
	check(err)
	return crdt.DeviceID(pub), acl.SignWith(priv)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func nonce() (n [16]byte) { rand.Read(n[:]); return n }

// newPerson makes a person with one device, and its first epoch.
func newPerson(s *acl.State, now int64) (acl.Author, *acl.Sealing) {
	add := func(o *acl.Op, err error) *acl.Op {
		check(err)
		_, err = s.Add(o)
		check(err)
		return o
	}
	recovery, recoverySign := newKey()
	var life crdt.Incarnation // of this replica
	rand.Read(life[:])
	byRecovery := acl.Author{Party: acl.Party{Device: recovery}, Incarnation: life, Sign: recoverySign}
	person := add(acl.NewPerson(byRecovery, nonce(), 0, now)).Scope
	byRecovery.Person = person

	device, sign := newKey()
	key, err := acl.DefaultSuite.KEM().GenerateKey()
	check(err)
	join, err := acl.NewJoin(sign, person, key.PublicKey().Bytes(), nonce())
	check(err)
	add(s.GrantDevice(byRecovery, acl.NewDevice{
		Device: device, HPKEKey: key.PublicKey().Bytes(), Join: join, Role: acl.Admin,
	}, nil, now))

	me := acl.Author{Party: acl.Party{Person: person, Device: device}, Incarnation: life, Sign: sign}
	add(s.NewIncarnation(me, nil, now))
	with := &acl.Sealing{Keys: acl.NewKeyring(me.Party, key), Sealer: sealer{}, Rand: rand.Reader}
	epoch, secret, err := s.NewEpoch(me, person, with, now)
	add(epoch, err)
	with.Keys.Put(crdt.EpochID(epoch.ID()), secret)
	return me, with
}

// Ann shares a document's list with Bob, who reads it without any new epoch.
func Example() {
	s := &acl.State{}
	ann, annKeys := newPerson(s, 1)
	bob, bobKeys := newPerson(s, 2)

	list, err := s.NewScope(ann, acl.KindList, nonce(), 0, 3)
	check(err)
	_, err = s.Add(list)
	check(err)
	grant, err := s.GrantTo(ann, list.Scope, acl.PersonPrincipal, bob.Person, acl.Writer, annKeys, 4)
	check(err)
	_, err = s.Add(grant)
	check(err)

	keys, err := s.Keys(list.Scope)
	check(err)
	hers, err := annKeys.Keys.Open(s, list.Scope, keys.Current)
	check(err)
	his, err := bobKeys.Keys.Open(s, list.Scope, keys.Current)
	check(err)
	fmt.Println("the same secret:", hers.Equal(his), his)

	names := map[[32]byte]string{ann.Person: "Ann", bob.Person: "Bob", list.Scope: "Recipes"}
	for _, action := range []acl.Action{acl.ActionWrite, acl.ActionShare} {
		e, err := s.Explain(acl.Party{Person: bob.Person}, action, list.Scope)
		check(err)
		fmt.Println(e.Sentence(func(id [32]byte) string { return names[id] }))
	}
	// Output:
	// the same secret: true (secret)
	// Bob may write in Recipes: person Bob is writer of list Recipes by grant of Ann
	// Bob may not share in Recipes: person Bob is writer of list Recipes by grant of Ann; but in Recipes the role is too low: writer, needs admin
}
