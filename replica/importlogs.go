package replica

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/netsync"
)

// Of the logs in a bundle a replica keeps those of scopes that its person is in,
// and of the persons in them; and the log of whoever made the bundle, so that one
// can share with a person one has only a bundle of. Which those are shows when all
// operations are read.

// collect decodes a frame of operations.
func (im *importer) collect(f netsync.Ops) error {
	if im.ops == nil {
		im.ops, im.offered = map[crdt.ScopeID][]*acl.Op{}, map[crdt.ScopeID]bool{}
	}
	for _, enc := range f.Ops {
		if im.opsBytes += len(enc); im.opsBytes > maxBundleOps {
			return fmt.Errorf("%w: more than %d bytes of operations", ErrBadBundle, maxBundleOps)
		}
		op, err := acl.Decode(enc)
		switch {
		case err != nil:
			im.refuse("operation", err)
			continue
		case op.Scope != f.Scope:
			im.refuse("operation "+op.ID().String(), acl.ErrWrongScope)
			continue
		}
		if im.ops[op.Scope] == nil {
			im.order = append(im.order, op.Scope)
			im.offered[op.Scope] = true
		}
		im.ops[op.Scope] = append(im.ops[op.Scope], op)
	}
	return nil
}

// settle takes in the operations, once all are read.
func (im *importer) settle() error {
	if im.settled {
		return nil
	}
	im.settled = true
	stage, err := im.stage()
	if err != nil {
		return err
	}
	keep, err := im.wanted(stage)
	if err != nil {
		return err
	}
	var ops []*acl.Op
	for _, scope := range im.order {
		if keep[scope] {
			ops = append(ops, im.ops[scope]...)
		} else {
			im.report.Foreign++
		}
	}
	im.report.Ops, err = im.r.access.add(ops, func(op *acl.Op, err error) {
		im.refuse("operation "+op.ID().String(), err)
	})
	if err != nil {
		return err
	}
	im.ops = nil
	return im.forgetWaiting(ops)
}

// stage is a state of what the bundle holds, on what is known of the same scopes.
// Operations that are refused here are refused again, and named, in settle.
func (im *importer) stage() (*acl.State, error) {
	var ops []*acl.Op
	err := im.r.access.view(func(s *acl.State) error {
		for _, scope := range append([]crdt.ScopeID{im.r.id.person}, im.order...) {
			if log, ok := s.Log(scope); ok {
				ops = slices.AppendSeq(ops, log.All())
			}
		}
		return nil
	}, im.order...)
	for _, scope := range im.order {
		ops = append(ops, im.ops[scope]...)
	}
	stage := new(acl.State)
	stage.Load(slices.Values(ops))
	return stage, err
}

// wanted are the scopes whose logs are kept: see the comment at the top.
func (im *importer) wanted(stage *acl.State) (map[crdt.ScopeID]bool, error) {
	keep, contact := map[crdt.ScopeID]bool{}, 0
	for _, scope := range im.order {
		known, err := im.known(scope)
		if err != nil {
			return nil, err
		}
		if known {
			keep[scope] = true
		}
		log, ok := stage.Log(scope)
		if !ok {
			continue
		}
		members, err := stage.Members(scope)
		if err != nil {
			continue
		}
		person := log.Genesis().Body.(*acl.Genesis).Kind == acl.KindPerson
		for _, m := range members {
			switch {
			case person && m.Principal == acl.DevicePrincipal && m.Device() == im.from:
				if n := im.logSize(scope); contact+n <= maxContact {
					contact += n
					keep[scope] = true
				}
			case !person && m.Person() == im.r.id.person:
				keep[scope] = true
				keepMembers(keep, members)
			}
		}
	}
	return keep, nil
}

// logSize is how many bytes of operations the bundle has of a scope.
func (im *importer) logSize(scope crdt.ScopeID) (n int) {
	for _, op := range im.ops[scope] {
		n += op.Size()
	}
	return n
}

// keepMembers adds the members of a scope, and the groups through which they are.
func keepMembers(keep map[crdt.ScopeID]bool, members []acl.Member) {
	for _, m := range members {
		keep[m.Person()] = true
		for _, group := range m.Via {
			keep[group] = true
		}
	}
}

// known reports whether the replica has the scope's log.
func (im *importer) known(scope crdt.ScopeID) (known bool, err error) {
	err = im.r.access.view(func(s *acl.State) error {
		_, known = s.Log(scope)
		return nil
	}, scope)
	return known, err
}

// foreign reports whether the log of a scope was in the bundle, or anywhere here,
// and not kept.
func (im *importer) foreign(scope crdt.ScopeID) (bool, error) {
	known, err := im.known(scope)
	return im.offered[scope] && !known, err
}

// forgetWaiting drops operations that still wait: they come again with what they
// need.
func (im *importer) forgetWaiting(ops []*acl.Op) error {
	var waiting []*acl.Op
	err := im.r.access.view(func(s *acl.State) error {
		for _, op := range ops {
			if s.Status(op.Ref()) == acl.Waiting && s.Forget(op.ID()) {
				waiting = append(waiting, op)
			}
		}
		return nil
	})
	for _, op := range waiting {
		im.wait("operation "+op.ID().String(), errors.New("operations before it"))
	}
	return err
}
