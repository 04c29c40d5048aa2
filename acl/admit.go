package acl

import (
	"fmt"

	"github.com/pipes-sync/pipes/crdt"
)

// judge decides whether the author of o was allowed to write it, and answers the
// depth of the place it gives. It reads o and its past alone, all of it known, so
// its answer never changes. sc is nil for a genesis.
func (s *State) judge(sc *scope, o *Op, past pasts) (depth uint8, err error) {
	if g, ok := o.Body.(*Genesis); ok {
		return 0, s.judgeGenesis(o, g, past)
	}
	own, _ := sc.log.Past(o.Deps)
	if prev, ok := sc.log.find(o.Prev); ok {
		own.tips = append(own.tips, prev)
	}
	past = append(past, own)
	a, err := s.resolve(o.Scope, o.Device, o.Path, past)
	if err != nil {
		return 0, err
	}
	if err := s.judgeLife(o, a.Person, past); err != nil {
		return 0, err
	}
	need := func(role Role) error {
		if a.Role < role {
			return &DeniedError{Scope: o.Scope, Grant: a.Grant, Why: DeniedRole, Have: a.Role, Need: role}
		}
		return nil
	}
	switch b := o.Body.(type) {
	case *Grant:
		if err := need(max(Admin, b.Role)); err != nil {
			return 0, err
		}
		if err := sc.judgeGrant(b, own); err != nil {
			return 0, err
		}
		return grantDepth(sc, o, a)
	case *Epoch:
		if err := need(Writer); err != nil {
			return 0, err
		}
		return 0, sc.judgeEpoch(b, own)
	case *Incarnation:
		return 0, sc.judgeIncarnation(o, own, a)
	}
	panic("acl: no rule for " + o.Type().String()) // Decode lets no other pass
}

func contradicts(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrBadBody}, args...)...)
}

// judgeGenesis: a group or list is begun by a device of its owner that may write.
func (s *State) judgeGenesis(o *Op, g *Genesis, past pasts) error {
	if g.Kind == KindPerson {
		return nil
	}
	a, err := s.resolve(g.Owner, o.Device, o.Path, past)
	if err != nil {
		return err
	}
	switch {
	case a.Grant == crdt.AccessOpID(g.Owner): // the recovery key is for the person's log alone
		return &DeniedError{Scope: g.Owner, Grant: a.Grant, Why: DeniedPathShape}
	case a.Role < Writer:
		return &DeniedError{Scope: g.Owner, Grant: a.Grant, Why: DeniedRole, Have: a.Role, Need: Writer}
	}
	return s.judgeLife(o, g.Owner, past)
}

// grantDepth is one more than the granter's; a device that another device links
// stands beside it.
func grantDepth(sc *scope, o *Op, a Authority) (uint8, error) {
	if sc.body.Kind == KindPerson && a.Grant != crdt.AccessOpID(o.Scope) {
		return uint8(a.Depth), nil
	}
	if a.Depth >= MaxDepth {
		return 0, &DeniedError{Scope: o.Scope, Grant: a.Grant, Why: DeniedDepth}
	}
	return uint8(a.Depth + 1), nil
}

func (sc *scope) judgeGrant(g *Grant, own Past) error {
	person := sc.body.Kind == KindPerson
	if person != (g.Principal.Kind == DevicePrincipal) {
		return contradicts("a %s has no %s among its members", sc.body.Kind, g.Principal.Kind)
	}
	if g.Principal.ID == sc.log.id {
		return contradicts("a scope is no member of itself")
	}
	if person {
		if err := sc.judgeDevice(g); err != nil {
			return err
		}
	}
	if g.Seal == nil {
		return nil
	}
	if g.Seal.Epoch == crdt.EpochID(sc.log.id) && !person {
		return nil // the implicit epoch, whose commitment only the newcomer can check
	}
	e, ok := sc.epochIn(own, g.Seal.Epoch)
	switch {
	case !ok:
		return contradicts("the epoch %s it seals is not in its past", g.Seal.Epoch)
	case e.Commit != g.Seal.Commit:
		return contradicts("its commitment is not that of epoch %s", g.Seal.Epoch)
	}
	return nil
}

// judgeDevice judges what depends on the person; [Op.Verify] did the rest.
func (sc *scope) judgeDevice(g *Grant) error {
	switch {
	case g.Principal.ID == sc.body.Owner:
		return contradicts("the recovery key is no device")
	case len(g.Principal.HPKEKey) != sc.body.Suite.keySize():
		return contradicts("device key of %d bytes in suite %s", len(g.Principal.HPKEKey), sc.body.Suite)
	case g.Seal != nil && len(g.Seal.Sealed) != sc.body.Suite.sealSize():
		return contradicts("sealed secret of %d bytes in suite %s", len(g.Seal.Sealed), sc.body.Suite)
	}
	return nil
}

func (sc *scope) epochIn(p Past, id crdt.EpochID) (*Epoch, bool) {
	n, ok := sc.log.find(crdt.AccessOpID(id))
	if !ok || !p.has(n) {
		return nil, false
	}
	e, ok := sc.log.nodes[n].op.Body.(*Epoch)
	return e, ok
}

func (sc *scope) judgeEpoch(e *Epoch, own Past) error {
	person := sc.body.Kind == KindPerson
	if person != (e.HPKEKey != nil) {
		return contradicts("an epoch of a %s with a key of %d bytes", sc.body.Kind, len(e.HPKEKey))
	}
	for _, p := range e.Parents {
		if p == crdt.EpochID(sc.log.id) && !person {
			continue
		}
		if _, ok := sc.epochIn(own, p); !ok {
			return contradicts("parent %s is no epoch in its past", p)
		}
	}
	if !person {
		return nil
	}
	for _, r := range e.Recipients {
		if len(r.Sealed) != sc.body.Suite.sealSize() {
			return contradicts("sealed secret of %d bytes in suite %s", len(r.Sealed), sc.body.Suite)
		}
	}
	if len(e.HPKEKey) != sc.body.Suite.keySize() {
		return contradicts("person key of %d bytes in suite %s", len(e.HPKEKey), sc.body.Suite)
	}
	return nil
}
