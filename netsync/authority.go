package netsync

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
)

// authority holds the claim of a run's items, which share path and heads, against
// the logs. own is an error of the caller's, err one of the items.
func (c *Context) authority(h *set.Header) (status Status, err, own error) {
	heads := Rows(h.Heads)
	person, status, err := mayWrite(c.Access, h.Scope, h.Device, h.Path, heads)
	if status != Admitted {
		return status, err, nil
	}
	if h.Seq == 1 {
		err = announced(c.Access, person, h, heads)
	} else {
		prev, own := c.Header(h.Prev)
		if own != nil {
			return 0, nil, own
		}
		err = notOlder(c.Access, heads, Rows(prev.Heads))
	}
	if err != nil {
		return Refused, err, nil
	}
	return Admitted, nil, nil
}

// mayWrite decides whether a device may write in a scope, by the logs it names.
func mayWrite(s *acl.State, scope crdt.ScopeID, device crdt.DeviceID, path []crdt.AccessOpID, heads []acl.Row) (crdt.ScopeID, Status, error) {
	a, err := s.Authorize(scope, device, path, heads)
	var pending *acl.PendingError
	switch {
	case errors.As(err, &pending):
		return a.Person, Pending, &MissingError{Ops: pending.Missing}
	case err != nil:
		return a.Person, Refused, err
	case a.Role < acl.Writer:
		return a.Person, Refused, &acl.DeniedError{Scope: scope, Grant: a.Grant, Why: acl.DeniedRole, Have: a.Role, Need: acl.Writer}
	}
	return a.Person, Admitted, nil
}

// notOlder answers ErrOlderHeads unless an author who knew heads knew all that was
// known at before, in the scopes that both name. All of heads is known here.
func notOlder(s *acl.State, heads, before []acl.Row) error {
	var common []acl.Row
	for _, b := range before {
		if slices.ContainsFunc(heads, func(h acl.Row) bool { return h.Scope == b.Scope }) {
			common = append(common, b)
		}
	}
	// An operation of before that is not known here is not in the past of heads
	// either, since that is known to its beginning.
	if ok, err := s.NotOlder(heads, common); err != nil || !ok {
		return errors.Join(ErrOlderHeads, err)
	}
	return nil
}

// announced holds the first item of a chain against the author's person log.
func announced(s *acl.State, person crdt.ScopeID, h *set.Header, heads []acl.Row) error {
	err := s.Announced(person, h.Device, h.Incarnation, heads)
	switch {
	case errors.Is(err, acl.ErrIncarnation):
		return fmt.Errorf("%w: %w", ErrIncarnation, err)
	case errors.Is(err, acl.ErrOlderHeads):
		return fmt.Errorf("%w: %w", ErrOlderHeads, err)
	}
	return err
}

// AdmitDocument decides on an arriving genesis by the rule of any item: authentic,
// and its author a writer of the scope by what it knew. Its status is Admitted,
// Pending or Refused.
func AdmitDocument(s *acl.State, d *set.Document) Verdict {
	if err := d.Verify(); err != nil {
		return Verdict{Status: Refused, Err: err}
	}
	g := &d.Genesis
	_, status, err := mayWrite(s, g.Scope, g.Device, g.Path, Rows(g.Heads))
	return Verdict{Status: status, Err: err}
}

// Rows are the heads of an item or a document as package acl takes them.
func Rows(heads []set.Heads) []acl.Row {
	out := make([]acl.Row, len(heads))
	for i, h := range heads {
		out[i] = acl.Row{Scope: h.Scope, Heads: h.Ops}
	}
	return out
}
