package netsync

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
)

// Why an item is refused, besides the errors of packages acl and set.
var (
	ErrWrongDocument = errors.New("netsync: item of another document or scope")
	ErrOlderHeads    = errors.New("netsync: item knows less of its scopes than the one before it")
	ErrIncarnation   = errors.New("netsync: incarnation was not announced in the author's person log")
)

// Status is what an arriving item or document is.
type Status uint8

// The statuses.
const (
	Admitted Status = iota + 1 // new, authentic and granted: keep it
	Known                      // here already
	Pending                    // names what is not here; Verdict.Err says what
	Refused                    // never in this form; Verdict.Err says why
)

func (s Status) String() string {
	switch s {
	case Admitted:
		return "admitted"
	case Known:
		return "known"
	case Pending:
		return "pending"
	case Refused:
		return "refused"
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// A MissingError names what an item waits for: operations, or change sets. Offer
// the item again when they are here.
type MissingError struct {
	Ops  []acl.Ref
	Sets []crdt.ChangeSetID
}

func (e *MissingError) Error() string {
	more := ""
	if n := len(e.Ops) + len(e.Sets); n > 1 {
		more = fmt.Sprintf(" and %d more", n-1)
	}
	switch {
	case len(e.Sets) > 0:
		return fmt.Sprintf("netsync: waits for change set %s%s", e.Sets[0], more)
	case len(e.Ops) > 0:
		return fmt.Sprintf("netsync: waits for operation %s of scope %s%s", e.Ops[0].Op, e.Ops[0].Scope, more)
	}
	return "netsync: waits"
}

// Verdict is the decision on one item.
type Verdict struct {
	Set    *set.Set
	Status Status
	Forked bool // Admitted, beside another item in its place
	// Cover proves an admitted item that has no signature of its own, and is the
	// last admitted of its run: keep it with the item. Otherwise nil.
	Cover *set.Cover
	Err   error // Pending: a *[MissingError]; Refused: why
}

// Context is what a replica knows of the document that items arrive for.
type Context struct {
	Document *set.Document
	Graph    *set.Graph // of Document
	Access   *acl.State
	// Header answers the header of an item in Graph.
	Header func(crdt.ChangeSetID) (*set.Header, error)
	// Admitted is told of each item as it enters Graph; Header answers its header
	// from then on.
	Admitted func(*set.Set)
}

// Admit decides on a run of items and answers a verdict on each, in their order. It
// is the only way in: connections and bundles use it alike. Admitted items are added
// to the graph, so the caller must keep them, or drop the graph when it cannot.
//
// The order of checks, cheap to dear; size, quota and strict decoding came before:
// known id; document and scope; payload hash; chain; cover; grants on the path in
// the past of the heads, and standing; incarnation; heads not older than those of
// the item before. What needs the seal opened comes when the document is read:
// seal, actor, deps, change guard, apply (see package replica). An item that fails
// those is inert, and stays where it is.
//
// An item of the run is authentic by its own signature or that of a later one, or
// by the cover. Of admitted items only the last that carries a signature was looked
// at: Admit takes the signatures of the others off, so that a signature which is
// kept is always a verified one.
//
// The error is the caller's own: from Context.Header, when nothing was decided; or
// it wraps [ErrItems], when the items are not one run (what [DecodeItems] answers
// is); or the graph is not the document's, and is to be dropped.
func Admit(c *Context, items Items) ([]Verdict, error) {
	if n := set.CutRun(items.Sets, math.MaxInt); n < len(items.Sets) {
		return nil, fmt.Errorf("%w: item %d does not continue it", ErrItems, n)
	}
	verdicts, from, to := c.classify(items.Sets)
	if from == to {
		return verdicts, nil
	}
	proof := items.authenticate(from, to)
	for i := max(from, proof.end); i < to; i++ {
		verdicts[i].Status, verdicts[i].Err = Refused, proof.err
	}
	if proof.end <= from {
		return verdicts, nil
	}
	status, err, own := c.authority(&items.Sets[from].Header)
	if own != nil {
		return nil, own
	}
	for i := from; i < proof.end; i++ {
		v := &verdicts[i]
		if v.Status, v.Err = status, err; status != Admitted {
			continue
		}
		if i != proof.signed {
			v.Set.Sig = nil
		}
		if err := c.enter(v); err != nil {
			return nil, err
		}
	}
	if status == Admitted {
		verdicts[proof.end-1].Cover = proof.cover
	}
	return verdicts, nil
}

// classify finds the items that are new, whole and complete in what they name: one
// stretch, from and up to, since each rests on the one before. Of the others it
// answers the verdicts.
func (c *Context) classify(items []*set.Set) (verdicts []Verdict, from, to int) {
	verdicts = make([]Verdict, len(items))
	var before crdt.ChangeSetID // the item before, if it may enter
	for i, it := range items {
		v := &verdicts[i]
		v.Set = it
		if c.Graph.Has(it.ID()) {
			v.Status = Known
			from, to = i+1, i+1
			continue
		}
		missing := c.missing(&it.Header, before)
		switch err := c.cheap(it); {
		case err != nil:
			v.Status, v.Err = Refused, err
		case missing != nil:
			v.Status, v.Err = Pending, &MissingError{Sets: missing}
		default:
			before = it.ID()
			to = i + 1
		}
	}
	return verdicts, from, to
}

// cheap is every check of one item that needs neither a key nor a log.
func (c *Context) cheap(it *set.Set) error {
	h := &it.Header
	if h.Doc != c.Document.ID() || h.Scope != c.Document.Genesis.Scope {
		return ErrWrongDocument
	}
	if err := it.CheckPayload(); err != nil {
		return err
	}
	if slices.Contains(h.Deps, crdt.ChangeSetID(h.Doc)) {
		return fmt.Errorf("%w: the document is among its deps", set.ErrChain)
	}
	if h.Seq == 1 {
		return nil
	}
	if p, ok := c.Graph.Place(h.Prev); ok && (p.Chain != h.Chain() || p.Seq+1 != h.Seq) {
		return fmt.Errorf("%w: prev is not the item before", set.ErrChain)
	}
	return nil
}

// missing lists what h names and neither the graph has nor is before.
func (c *Context) missing(h *set.Header, before crdt.ChangeSetID) (ids []crdt.ChangeSetID) {
	if h.Seq > 1 && h.Prev != before && !c.Graph.Has(h.Prev) {
		ids = append(ids, h.Prev)
	}
	for _, id := range h.Deps {
		if !c.Graph.Has(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// enter adds an item that passed every check to the graph.
func (c *Context) enter(v *Verdict) error {
	res, err := c.Graph.Add(&v.Set.Header, v.Set.ID())
	if err == nil && res.Status != set.Added && res.Status != set.Forked {
		err = fmt.Errorf("it is %s", res.Status)
	}
	if err != nil {
		return fmt.Errorf("netsync: the graph does not take item %s, which passed every check: %w", v.Set.ID(), err)
	}
	v.Forked = res.Status == set.Forked
	c.Admitted(v.Set)
	return nil
}
