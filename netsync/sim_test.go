package netsync

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
)

var (
	simSeeds = flag.Int("seeds", 200, "how many seeds the simulation runs, from -seed on")
	simSeed  = flag.Uint64("seed", 0, "the first seed of the simulation; with -v its trace is printed")
)

// sim is some replicas that write, grant, and hand each other bundles, all from one
// seed. The last one's device is hostile: it contradicts itself, writes what it may
// not, and rewrites what it carries.
type sim struct {
	*world
	pick  *rand.Rand
	peers []*peer
	mail  []message
	bad   map[crdt.ChangeSetID]string // items that nobody may admit, and why
	sum   hash.Hash
	log   io.Writer
	seen  map[string]int // words of verdicts
}

type peer struct {
	*node
	name   int
	person *person
	list   crdt.ScopeID
	author *author // of this life, nil before its first item
	secret [32]byte
}

type message struct {
	to, from int
	b        []byte
	spoilt   bool // has a bit flipped: to be refused whole
}

func newSim(tb testing.TB, seed uint64, log io.Writer) *sim {
	m := &sim{
		world: newWorld(tb, byte(seed)), pick: rand.New(rand.NewPCG(seed, 1)), sum: sha256.New(), log: log,
		bad: map[crdt.ChangeSetID]string{}, seen: map[string]int{},
	}
	if f, ok := tb.(*failing); ok {
		f.sim = m
	}
	m.world.rnd = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	for i := range 3 + m.pick.IntN(3) {
		p := &peer{node: &node{}, name: i}
		p.person = m.person(&p.access)
		m.peers = append(m.peers, p)
	}
	owner := m.peers[0]
	for _, p := range m.peers[1:] {
		owner.learn(&p.access)
	}
	d := owner.person.devices[0]
	list := d.scope(&owner.access, acl.KindList)
	doc := d.document(&owner.access, list)
	owner.open(doc.Document)
	d.grant(&owner.access, list, m.hostile().person, acl.Writer)
	for _, p := range m.peers {
		p.list, p.secret = list, doc.secret
	}
	return m
}

func (m *sim) hostile() *peer { return m.peers[len(m.peers)-1] }

func (m *sim) any() *peer { return m.peers[m.pick.IntN(len(m.peers))] }

func (m *sim) one(in int) func() bool { return func() bool { return m.pick.IntN(in) == 0 } }

// note adds an event to the trace.
func (m *sim) note(format string, args ...any) {
	fmt.Fprintf(m.sum, format+"\n", args...)
	fmt.Fprintf(m.log, format+"\n", args...)
}

// role is what a peer may do in the list by its own view.
func (p *peer) role() acl.Role {
	_, a, err := p.access.Path(p.person.devices[0].Party, p.list)
	if err != nil || p.doc == nil {
		return 0
	}
	return a.Role
}

// live begins a new life of a peer.
func (m *sim) live(p *peer) {
	p.author = p.person.devices[0].author(&p.access, &document{p.doc, p.secret})
}

func (m *sim) write(p *peer) {
	if p.role() < acl.Writer {
		return
	}
	if p.author == nil || m.pick.IntN(12) == 0 {
		m.live(p)
	}
	n := 1 + m.pick.IntN(4)
	for range n {
		m.own(p, p.author)
	}
	m.note("%d writes %d", p.name, n)
}

// own writes an author's next item and takes it in at home.
func (m *sim) own(p *peer, a *author) {
	deps := p.graph.Frontier(a.next.Prev, p.graph.Tips())
	s := a.write(deps[:min(len(deps), set.MaxDeps)]...)
	v, err := p.admit(of(s))
	if err != nil || v[0].Status != Admitted {
		m.tb.Fatal("one's own item: ", describe(v), err)
	}
}

// grant: the owner takes another person in, at times.
func (m *sim) grant() {
	owner, p := m.peers[0], m.any()
	if p == owner || p == m.hostile() || p.role() != 0 {
		return
	}
	role := []acl.Role{acl.Relay, acl.Reader, acl.Writer, acl.Writer, acl.Admin}[m.pick.IntN(5)]
	owner.person.devices[0].grant(&owner.access, owner.list, p.person, role)
	m.note("grant %d %s", p.name, role)
}

func (m *sim) send(p *peer) {
	b, err := p.bundle(p.person.devices[0], m.one(3))
	if err != nil {
		m.tb.Fatal(err)
	}
	to := m.any()
	if p == m.hostile() && m.pick.IntN(2) == 0 {
		b = m.rewrite(b)
	}
	msg := message{to: to.name, from: p.name, b: b}
	if m.pick.IntN(10) == 0 {
		at := m.pick.IntN(8 * len(b))
		b[at/8] ^= 1 << (at % 8)
		msg.spoilt = true
	}
	m.mail = append(m.mail, msg)
	m.note("%d sends %d %x", p.name, to.name, sha256.Sum256(b))
}

// deliver hands over any bundle on its way; it may be lost, or come again.
func (m *sim) deliver() {
	if len(m.mail) == 0 {
		return
	}
	i := m.pick.IntN(len(m.mail))
	msg := m.mail[i]
	if m.pick.IntN(5) > 0 {
		m.mail = append(m.mail[:i], m.mail[i+1:]...)
	}
	if m.pick.IntN(6) == 0 {
		m.note("lost")
		return
	}
	m.receive(m.peers[msg.to], msg)
}

func (m *sim) receive(p *peer, msg message) {
	words, err := p.node.receive(msg.b)
	if msg.spoilt {
		var refused *BundleError
		if !errors.As(err, &refused) {
			m.tb.Fatalf("%d took a bundle with a bit flipped: %v", p.name, err)
		}
		m.note("%d refuses a bundle", p.name)
		return
	}
	if err != nil {
		m.tb.Fatal(err)
	}
	for _, word := range words {
		m.seen[word]++
	}
	m.note("%d receives of %d: %s", p.name, msg.from, strings.Join(words, ", "))
	if p.doc == nil {
		return
	}
	for id, why := range m.bad {
		if p.graph.Has(id) {
			m.tb.Fatalf("%d admitted an item of %s", p.name, why)
		}
	}
}

func (m *sim) step() {
	switch n := m.pick.IntN(100); {
	case n < 35:
		m.write(m.any())
	case n < 42:
		m.grant()
	case n < 65:
		m.send(m.any())
	case n < 88:
		m.deliver()
	default:
		m.misbehave()
	}
}

// settle delivers everything, and expects all replicas to have the same, whole.
func (m *sim) settle() {
	for round := range 2 {
		for _, p := range m.peers {
			b, err := p.bundle(p.person.devices[0], m.one(4))
			if err != nil {
				m.tb.Fatal(err)
			}
			for _, q := range m.peers {
				if q != p {
					m.receive(q, message{q.name, p.name, b, false})
				}
			}
		}
		m.note("round %d", round)
	}
	first := m.peers[0]
	for _, p := range m.peers {
		if p.doc == nil {
			m.tb.Fatalf("%d has no document", p.name)
		}
		if err := p.check(); err != nil {
			m.tb.Fatalf("%d: %v", p.name, err)
		}
		if len(p.items) != len(first.items) {
			m.tb.Fatalf("%d has %d items, %d has %d", p.name, len(p.items), first.name, len(first.items))
		}
		for id := range first.items {
			if !p.graph.Has(id) {
				m.tb.Fatalf("%d lacks item %s", p.name, id)
			}
		}
	}
	m.note("%d items", len(first.items))
}

// runSim answers the hash of the trace.
func runSim(tb testing.TB, seed uint64, log io.Writer) (string, *sim) {
	m := newSim(tb, seed, log)
	for range 60 {
		m.step()
	}
	m.settle()
	return hex.EncodeToString(m.sum.Sum(nil)), m
}

// failing prints the seed and the hash of the trace when a test ends at once.
type failing struct {
	testing.TB
	seed uint64
	sim  *sim
}

func (f *failing) Fatal(args ...any) {
	f.TB.Helper()
	f.TB.Fatalf("seed %d, trace %x: %s", f.seed, f.trace(), fmt.Sprint(args...))
}

func (f *failing) Fatalf(format string, args ...any) {
	f.TB.Helper()
	f.TB.Fatalf("seed %d, trace %x: %s", f.seed, f.trace(), fmt.Sprintf(format, args...))
}

func (f *failing) trace() []byte {
	if f.sim == nil {
		return nil
	}
	return f.sim.sum.Sum(nil)
}

func TestSim(t *testing.T) {
	seen, log := map[string]int{}, io.Discard
	if *simSeeds == 1 && testing.Verbose() {
		log = t.Output()
	}
	for seed := range uint64(*simSeeds) {
		seed += *simSeed
		_, m := runSim(&failing{TB: t, seed: seed}, seed, log)
		for word, n := range m.seen {
			seen[word] += n
		}
	}
	if *simSeeds < 200 {
		return
	}
	for _, word := range []string{
		"admitted", "admitted: forked", "admitted: covered by 1", "known", "pending: 1 sets, 0 ops", "pending: 0 sets, 1 ops",
		"refused: signature", "refused: no payload", "refused: chain", "refused: incarnation", "refused: older heads",
		"refused: document", "refused: the grant is for somebody else", "added op", "pending op", "duplicate op", "bad run",
	} {
		if seen[word] == 0 {
			t.Errorf("no verdict was %q: the simulation does not reach it", word)
		}
	}
	t.Logf("%v", seen)
}

// TestSimReplays: a seed is a history.
func TestSimReplays(t *testing.T) {
	for seed := range uint64(3) {
		var one, two bytes.Buffer
		a, _ := runSim(t, seed, &one)
		b, _ := runSim(t, seed, &two)
		if a != b || one.String() != two.String() {
			t.Errorf("seed %d went two ways", seed)
		}
	}
}
