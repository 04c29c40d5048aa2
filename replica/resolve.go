package replica

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
)

// cidStart is how the text of every document and scope id begins: the CID's
// version, codec and hash.
const cidStart = "bafyrei"

// match collects what a prefix stands for.
type match[ID fmt.Stringer] struct {
	prefix string
	found  []ID
}

// newMatch checks a prefix: a whole id, or a start of it that is long enough.
func newMatch[ID fmt.Stringer](prefix string) (*match[ID], error) {
	if len(strings.TrimPrefix(prefix, cidStart)) < minPrefix || !strings.HasPrefix(prefix, cidStart) {
		return nil, fmt.Errorf("%w: %.64q is neither an id nor %d characters of one after %q", ErrNotFound, prefix, minPrefix, cidStart)
	}
	return &match[ID]{prefix: prefix}, nil
}

func (m *match[ID]) try(id ID) {
	if strings.HasPrefix(id.String(), m.prefix) {
		m.found = append(m.found, id)
	}
}

func (m *match[ID]) only() (id ID, err error) {
	switch len(m.found) {
	case 0:
		return id, fmt.Errorf("%w: %.64q", ErrNotFound, m.prefix)
	case 1:
		return m.found[0], nil
	}
	return id, fmt.Errorf("%w: %.64q is the start of %d ids; give more of it", ErrAmbiguous, m.prefix, len(m.found))
}

// ResolveDoc finds a document by its id or by an unambiguous start of it, of at
// least 8 characters after the start all ids share. Errors: ErrNotFound,
// ErrAmbiguous.
func (r *Replica) ResolveDoc(ctx context.Context, prefix string) (crdt.DocID, error) {
	if id, err := crdt.ParseDocID(prefix); err == nil {
		return id, nil
	}
	m, err := newMatch[crdt.DocID](prefix)
	if err != nil {
		return crdt.DocID{}, err
	}
	for i, err := range r.Docs(ctx) {
		if err != nil {
			return crdt.DocID{}, err
		}
		m.try(i.Doc)
	}
	return m.only()
}

// ResolvePerson finds a person by id, by an unambiguous start of it, or by a name
// known on this device. Errors: ErrNotFound, ErrAmbiguous.
func (r *Replica) ResolvePerson(ctx context.Context, prefix string) (crdt.ScopeID, error) {
	if id, err := crdt.ParseScopeID(prefix); err == nil {
		return id, nil
	}
	persons, err := r.Persons(ctx)
	if err != nil {
		return crdt.ScopeID{}, err
	}
	for _, p := range persons {
		if p.Name != "" && p.Name == prefix {
			return p.Person, nil
		}
	}
	m, err := newMatch[crdt.ScopeID](prefix)
	if err != nil {
		return crdt.ScopeID{}, err
	}
	for _, p := range persons {
		m.try(p.Person)
	}
	return m.only()
}

// PersonInfo is a person whose log is here.
type PersonInfo struct {
	Person  crdt.ScopeID    `json:"person"`
	Name    string          `json:"name,omitempty"` // if it is known on this device
	Devices []crdt.DeviceID `json:"devices"`
}

// Persons lists the persons whose logs are here, this replica's own among them.
func (r *Replica) Persons(ctx context.Context) ([]PersonInfo, error) {
	if err := r.docs.enter(ctx); err != nil {
		return nil, err
	}
	defer r.docs.leave()
	persons := []PersonInfo{}
	for scope, err := range r.store.Scopes() {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		err := r.access.view(func(s *acl.State) error {
			log, ok := s.Log(scope)
			if !ok || log.Genesis().Body.(*acl.Genesis).Kind != acl.KindPerson {
				return nil
			}
			p := PersonInfo{Person: scope, Name: r.nameOf(scope)}
			members, err := s.Members(scope)
			for _, m := range members {
				if m.Role < acl.Owner { // the owner is the recovery key, no device
					p.Devices = append(p.Devices, m.Device())
				}
			}
			persons = append(persons, p)
			return err
		}, scope)
		if err != nil {
			return nil, err
		}
	}
	return persons, nil
}

// nameOf is what a person is called on this device, "" if nothing.
func (r *Replica) nameOf(person crdt.ScopeID) string {
	if person == r.id.person {
		return r.id.name
	}
	return ""
}
