package acl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pipes-sync/pipes/crdt"
)

// Action is what somebody wants to do in a scope.
type Action uint8

// The actions.
const (
	ActionCarry Action = iota + 1 // store and forward
	ActionRead
	ActionWrite
	ActionShare // grant roles to others
)

var actionNames = [...]string{ActionCarry: "carry", ActionRead: "read", ActionWrite: "write", ActionShare: "share"}

func (a Action) String() string {
	if a >= ActionCarry && int(a) < len(actionNames) {
		return actionNames[a]
	}
	return fmt.Sprintf("action(%d)", uint8(a))
}

// ErrBadAction is wrapped by the errors of [ParseAction].
var ErrBadAction = errors.New("acl: bad action")

// ParseAction reads the name of an action.
func ParseAction(name string) (Action, error) {
	if i := slices.Index(actionNames[:], name); i > 0 {
		return Action(i), nil
	}
	return 0, fmt.Errorf("%w: %.20q, want carry, read, write or share", ErrBadAction, name)
}

// Needs is the least role for a.
func (a Action) Needs() Role {
	switch a {
	case ActionCarry:
		return Relay
	case ActionRead:
		return Reader
	case ActionWrite:
		return Writer
	}
	return Admin
}

// Party is who acts: a person, or one device of it.
type Party struct {
	Person crdt.ScopeID
	Device crdt.DeviceID // zero: the person, whichever device
}

// Link is one grant, or the genesis that makes an owner.
type Link struct {
	Scope     crdt.ScopeID // the log it stands in
	Kind      Kind         // of Scope
	Op        crdt.AccessOpID
	Principal PrincipalKind
	ID        [32]byte // of the principal
	Role      Role
	By        crdt.ScopeID // the person who granted
	Since     int64        // Unix milliseconds, as claimed
}

// Explanation says why somebody may do something, or why not.
type Explanation struct {
	Party   Party
	Action  Action
	Scope   crdt.ScopeID
	Allowed bool
	Role    Role         // what the chain gives; zero if there is no chain
	Chain   []Link       // from the device, if one was asked about, to Scope
	Denied  *DeniedError // the missing link, unless Allowed
}

// Explain answers whether who may do action in scope by all that is known, and the
// strongest chain of grants that says so. Errors are [*PendingError].
func (s *State) Explain(who Party, action Action, scope crdt.ScopeID) (Explanation, error) {
	e := Explanation{Party: who, Action: action, Scope: scope}
	if s.scopes[scope] == nil {
		return e, &PendingError{[]Ref{genesisRef(scope)}}
	}
	chain, denied := s.chain(who, scope)
	e.Chain = chain
	if denied != nil {
		e.Denied = denied
		return e, nil
	}
	e.Role = roleOf(chain)
	if e.Role < action.Needs() {
		last := chain[len(chain)-1]
		e.Denied = &DeniedError{Scope: scope, Grant: last.Op, Why: DeniedRole, Have: e.Role, Need: action.Needs()}
		return e, nil
	}
	e.Allowed = true
	return e, nil
}

// Path is the strongest path under which a device of a person acts in scope, and
// its authority there if its author knows all that s knows. The person's recovery
// key has a path in the person's own log. Errors are [*DeniedError] and
// [*PendingError].
func (s *State) Path(who Party, scope crdt.ScopeID) ([]crdt.AccessOpID, Authority, error) {
	for _, id := range []crdt.ScopeID{scope, who.Person} {
		if s.scopes[id] == nil {
			return nil, Authority{}, &PendingError{[]Ref{genesisRef(id)}}
		}
	}
	chain, denied := s.chain(who, scope)
	if denied != nil {
		return nil, Authority{}, denied
	}
	path := make([]crdt.AccessOpID, len(chain))
	var past pasts
	for i, l := range chain {
		path[i] = l.Op
		past = append(past, s.scopes[l.Scope].log.Known())
	}
	a, err := s.resolve(scope, who.Device, path, past)
	return path, a, err
}

// chain finds the strongest chain of links from who to scope. What it found before
// the missing link is answered with the denial.
func (s *State) chain(who Party, scope crdt.ScopeID) ([]Link, *DeniedError) {
	var chain []Link
	if who.Device != (crdt.DeviceID{}) {
		person := s.scopes[who.Person]
		if person == nil || person.body.Kind != KindPerson {
			return nil, &DeniedError{Scope: who.Person, Why: DeniedNoGrant}
		}
		m, ok := s.members(person, nil, who.Device)[who.Device]
		if !ok || m.Role == Owner && scope != who.Person {
			return nil, &DeniedError{Scope: who.Person, Why: DeniedNoGrant}
		}
		chain = append(chain, s.linkOf(person, m))
	}
	if scope == who.Person {
		if s.scopes[scope].body.Kind != KindPerson {
			return nil, &DeniedError{Scope: scope, Why: DeniedNoGrant}
		}
		return chain, nil
	}
	at, first, outer := scope, len(chain), []crdt.ScopeID(nil)
	m, ok := s.members(s.scopes[scope], nil, who.Person)[who.Person]
	if !ok || m.Principal != PersonPrincipal {
		return chain, &DeniedError{Scope: scope, Why: DeniedNoGrant}
	}
	for _, group := range m.Via {
		chain = slices.Insert(chain, first, s.linkOf(s.scopes[at], m))
		outer = append(outer, at)
		at = group
		m = s.members(s.scopes[group], outer, who.Person)[who.Person]
	}
	return slices.Insert(chain, first, s.linkOf(s.scopes[at], m)), nil
}

func (s *State) linkOf(sc *scope, m Member) Link {
	n, _ := sc.log.find(m.Grant)
	l := link(sc, n)
	return Link{Scope: sc.log.id, Kind: sc.body.Kind, Op: m.Grant, Principal: l.kind, ID: l.id, Role: l.role, By: m.By, Since: m.Since}
}

// roleOf is what a chain gives: the person's own voice where no device is asked
// about in its own log.
func roleOf(chain []Link) Role {
	role := Owner
	for _, l := range chain {
		r := l.Role
		if l.Principal == DevicePrincipal {
			r = voice(r, len(chain))
		}
		role = min(role, r)
	}
	return role
}

// Sentence says e in words. name names scopes and devices; nil writes their ids.
func (e Explanation) Sentence(name func(id [32]byte) string) string {
	if name == nil {
		name = func(id [32]byte) string { return crdt.ScopeID(id).String() }
	}
	var b strings.Builder
	who := name(e.Party.Person)
	if e.Party.Device != (crdt.DeviceID{}) {
		who = fmt.Sprintf("device %s of %s", e.Party.Device, who)
	}
	verb := "may"
	if !e.Allowed {
		verb = "may not"
	}
	fmt.Fprintf(&b, "%s %s %s in %s: ", who, verb, e.Action, name(e.Scope))
	for i, l := range e.Chain {
		if i > 0 {
			b.WriteString(", and ")
		}
		subject := fmt.Sprintf("%s %s", l.Principal, name(l.ID))
		if l.Principal == DevicePrincipal {
			subject = fmt.Sprintf("device %s", crdt.DeviceID(l.ID))
		}
		fmt.Fprintf(&b, "%s is %s of %s %s", subject, l.Role, l.Kind, name(l.Scope))
		if l.Role != Owner {
			fmt.Fprintf(&b, " by grant of %s", name(l.By))
		}
	}
	if len(e.Chain) == 0 && e.Allowed {
		b.WriteString("it is the person's own scope")
	}
	if e.Denied != nil {
		if len(e.Chain) > 0 {
			b.WriteString("; but ")
		}
		fmt.Fprintf(&b, "in %s %s", name(e.Denied.Scope), e.Denied.Why)
		if e.Denied.Why == DeniedRole {
			fmt.Fprintf(&b, ": %s, needs %s", e.Denied.Have, e.Denied.Need)
		}
	}
	return b.String()
}
