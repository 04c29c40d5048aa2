package acl

import (
	"fmt"
	"slices"

	"github.com/pipes-sync/pipes/crdt"
)

// Announced answers nil if a life of person's device may have written what names
// heads: its announcement is in the past of the person's heads, and heads are not
// older than those it announced, in the scopes that both name. It is the rule for
// operations, and for the first item of a chain.
//
// Errors are [*PendingError] if heads name what is not known, ErrIncarnation and
// ErrOlderHeads.
func (s *State) Announced(person crdt.ScopeID, device crdt.DeviceID, inc crdt.Incarnation, heads []Row) error {
	past, missing := s.pastOf(heads)
	if missing != nil {
		return &PendingError{missing}
	}
	return s.announced(person, life{device, inc}, past)
}

func (s *State) announced(person crdt.ScopeID, who life, past pasts) error {
	known, ok := past.of(person)
	n := int32(-1)
	if ok {
		n = known.log.announcement(who)
	}
	if n < 0 || !known.has(n) {
		return fmt.Errorf("%w: %s of device %s", ErrIncarnation, who.incarnation, who.device)
	}
	for _, row := range known.log.nodes[n].op.Body.(*Incarnation).Heads {
		if p, ok := past.of(row.Scope); ok && !p.hasAll(row.Heads) {
			return fmt.Errorf("%w: of scope %s, in incarnation %s", ErrOlderHeads, row.Scope, who.incarnation)
		}
	}
	return nil
}

// announcement is the node that begins the chain of a device's life in its person's
// log; -1 for a recovery key, for a life not announced, and in other scopes.
func (l *Log) announcement(who life) int32 {
	if c := l.chainOf(who); c >= 0 {
		n := l.chains[c].nodes[0]
		if l.nodes[n].op.Type() == TypeIncarnation {
			return n
		}
	}
	return -1
}

// judgeLife: what a device writes rests on the announcement of its life. It begins
// the device's chain in its person's log, for it has seq 1 and so has nothing else
// there. A recovery key is no replica; it writes with the incarnation of the one that
// uses it, and announces nothing.
func (s *State) judgeLife(o *Op, person crdt.ScopeID, past pasts) error {
	if o.Path[0] == crdt.AccessOpID(person) || o.Type() == TypeIncarnation {
		return nil
	}
	return s.announced(person, o.life(), past)
}

// judgeIncarnation bounds the lives in a row. See [MaxIncarnations] for those that
// know nothing of each other.
func (sc *scope) judgeIncarnation(o *Op, own Past, a Authority) error {
	if sc.body.Kind != KindPerson || a.Grant == crdt.AccessOpID(o.Scope) {
		return contradicts("incarnations are those of a person's devices")
	}
	if own.lives(o.Device) >= MaxIncarnations {
		return fmt.Errorf("%w: %d incarnations of one device", ErrTooMany, MaxIncarnations)
	}
	return nil
}

// lifeNeeds are the operations of scope that must be in the past of what by writes,
// for its life's sake.
func (s *State) lifeNeeds(by Author, scope crdt.ScopeID) []crdt.AccessOpID {
	person := s.scopes[by.Person]
	if person == nil {
		return nil
	}
	n := person.log.announcement(life{by.Device, by.Incarnation})
	if n < 0 {
		return nil
	}
	o := person.log.nodes[n].op
	if scope == by.Person {
		return []crdt.AccessOpID{o.id}
	}
	for _, row := range o.Body.(*Incarnation).Heads {
		if row.Scope == scope {
			return slices.Clone(row.Heads)
		}
	}
	return nil
}
