package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
	"github.com/pipes-sync/pipes/netsync"
)

// Grant is a role that a person was given in a document.
type Grant struct {
	Doc    crdt.DocID      `json:"doc"`
	Person crdt.ScopeID    `json:"person"`
	Role   acl.Role        `json:"role"`
	Grant  crdt.AccessOpID `json:"grant"`
}

// ErrUnknownPerson means that a person's log is not here, so there is no key to seal
// to. Import a bundle of that person's first.
var ErrUnknownPerson = errors.New("replica: nothing is known of this person")

// Share gives a person a role in a document's list. Who may read from now on reads
// all of the history as well. The grant is durable when Share returns; it reaches
// the person with the next bundle. A person who has that role already keeps the
// grant there is.
func (r *Replica) Share(ctx context.Context, doc crdt.DocID, person crdt.ScopeID, role acl.Role) (Grant, error) {
	g := Grant{Doc: doc, Person: person, Role: role}
	if err := r.docs.enter(ctx); err != nil {
		return g, err
	}
	defer r.docs.leave()
	scope, err := r.scopeOf(doc)
	if err == nil {
		g.Grant, err = r.access.grant(scope, person, role)
	}
	return g, docErr(doc, "share", err)
}

// scopeOf is the scope that a document names.
func (r *Replica) scopeOf(doc crdt.DocID) (crdt.ScopeID, error) {
	value, err := r.store.Head(doc)
	if err != nil {
		return crdt.ScopeID{}, err
	}
	h, err := decodeHead(value)
	return h.scope, err
}

// grant writes a grant unless the person has as much already.
func (a *access) grant(scope, person crdt.ScopeID, role acl.Role) (crdt.AccessOpID, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := errors.Join(a.loadLocked(scope), a.loadLocked(person)); err != nil {
		return crdt.AccessOpID{}, err
	}
	log, ok := a.mu.state.Log(person)
	if !ok || log.Genesis().Body.(*acl.Genesis).Kind != acl.KindPerson {
		return crdt.AccessOpID{}, fmt.Errorf("%w: %s", ErrUnknownPerson, person)
	}
	members, err := a.mu.state.Members(scope)
	if err != nil {
		return crdt.AccessOpID{}, err
	}
	for _, m := range members {
		if m.Principal == acl.PersonPrincipal && m.Person() == person && len(m.Via) == 0 && m.Role >= role {
			return m.Grant, nil
		}
	}
	op, err := a.mu.state.GrantTo(a.id.author(), scope, acl.PersonPrincipal, person, role, a.id.sealing(a.mu.keys), time.Now().UnixMilli())
	if err != nil {
		return crdt.AccessOpID{}, err
	}
	return op.ID(), a.commitLocked(op)
}

// commitLocked takes in an operation of our own and makes it durable.
func (a *access) commitLocked(op *acl.Op) error {
	if _, err := a.mu.state.Add(op); err != nil {
		return err
	}
	b := a.store.Batch()
	defer b.Discard()
	a.putLocked(b, op)
	a.mu.generation++
	if err := b.Commit(); err != nil {
		a.forgetLocked()
		return err
	}
	return nil
}

// Member is a person's place in a document.
type Member struct {
	Person crdt.ScopeID    `json:"person"`
	Name   string          `json:"name,omitempty"` // if it is known on this device
	Role   acl.Role        `json:"role"`
	Grant  crdt.AccessOpID `json:"grant"` // for the owner the list's genesis
	By     crdt.ScopeID    `json:"by"`
	Since  int64           `json:"since"` // Unix milliseconds, as the granter claims
}

// ACL lists who has which role in a document, strongest first.
func (r *Replica) ACL(ctx context.Context, doc crdt.DocID) ([]Member, error) {
	if err := r.docs.enter(ctx); err != nil {
		return nil, err
	}
	defer r.docs.leave()
	members := []Member{}
	scope, err := r.scopeOf(doc)
	if err == nil {
		err = r.access.view(func(s *acl.State) error {
			list, err := s.Members(scope)
			for _, m := range list {
				members = append(members, Member{m.Person(), r.nameOf(m.Person()), m.Role, m.Grant, m.By, m.Since})
			}
			return err
		}, scope)
	}
	return members, docErr(doc, "acl", err)
}

// Explain says why a person may do something with a document, or why not.
func (r *Replica) Explain(ctx context.Context, doc crdt.DocID, person crdt.ScopeID, action acl.Action) (acl.Explanation, error) {
	var e acl.Explanation
	if err := r.docs.enter(ctx); err != nil {
		return e, err
	}
	defer r.docs.leave()
	scope, err := r.scopeOf(doc)
	if err == nil {
		err = r.access.view(func(s *acl.State) (err error) {
			e, err = s.Explain(acl.Party{Person: person}, action, scope)
			return err
		}, scope, person)
	}
	return e, docErr(doc, "explain", err)
}

// author is the device that signed an item, and the person it acted for.
func (d *Doc) author(st *docState, id crdt.ChangeSetID) (crdt.DeviceID, crdt.ScopeID, error) {
	place, _ := st.graph.Place(id)
	device := place.Chain.Device
	if device == d.r.id.device {
		return device, d.r.id.person, nil
	}
	h, err := d.r.header(d.id, id)
	if err != nil {
		return device, crdt.ScopeID{}, err
	}
	person, err := d.r.access.actsFor(h)
	return device, person, err
}

// actsFor is the person for whom the author of an admitted item acted.
func (a *access) actsFor(h *set.Header) (person crdt.ScopeID, err error) {
	err = a.view(func(s *acl.State) error {
		auth, err := s.Authorize(h.Scope, h.Device, h.Path, netsync.Rows(h.Heads))
		person = auth.Person
		return err
	}, scopesIn(h.Heads)...)
	return person, err
}
