package netsync

import (
	"errors"
	"fmt"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
)

// Why an item is refused for good, besides the errors of packages acl and set.
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
	Refused                    // never; Verdict.Err says why
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

// A MissingError names what an item waits for: operations, change sets or both.
type MissingError struct {
	Ops  []acl.Ref
	Sets []crdt.ChangeSetID
}

func (e *MissingError) Error() string {
	switch {
	case len(e.Sets) == 0:
		return fmt.Sprintf("netsync: waits for operation %s of scope %s", e.Ops[0].Op, e.Ops[0].Scope)
	default:
		return fmt.Sprintf("netsync: waits for change set %s", e.Sets[0])
	}
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
	Graph    *set.Graph
	Access   *acl.State
	// Header answers the header of an item in Graph.
	Header func(crdt.ChangeSetID) (*set.Header, error)
	// Admitted is told of each item as it enters Graph; Header answers its header
	// from then on.
	Admitted func(*set.Set)
}

// Admit decides on a run of items. It is the only way in: connections and bundles
// use it alike. Admitted items are added to the graph, so the caller must
// keep them, or drop the graph when it cannot. The error is the caller's own, from
// Context.Header; then nothing is decided.
//
// The order of checks, cheap to dear; size, quota and strict decoding came before:
// known id; payload hash; document and scope; chain; cover; grants on the path in
// the past of the heads, and standing; incarnation; heads not older than those of
// the item before. What needs the seal opened comes when the document is read:
// seal, actor, deps, change guard, apply (see package replica). An item that fails
// those is inert, and stays where it is.
func Admit(c *Context, items Items) ([]Verdict, error) {
	verdicts, from, to := c.classify(items.Sets)
	if from == to {
		return verdicts, nil
	}
	end, cover := items.authenticate(to)
	for i := max(from, end); i < to; i++ {
		verdicts[i].Status, verdicts[i].Err = Refused, set.ErrSignature
	}
	if end <= from {
		return verdicts, nil
	}
	status, err, own := c.authority(&items.Sets[from].Header)
	if own != nil {
		return nil, own
	}
	for i := from; i < end; i++ {
		v := &verdicts[i]
		if v.Status, v.Err = status, err; status == Admitted {
			c.enter(v)
		}
	}
	if v := &verdicts[end-1]; v.Status == Admitted {
		v.Cover = cover
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

func (c *Context) cheap(it *set.Set) error {
	if it.Header.Doc != c.Document.ID() || it.Header.Scope != c.Document.Genesis.Scope {
		return ErrWrongDocument
	}
	return it.CheckPayload()
}

// authenticate answers how many of the items, up to n, are authentic, and the cover
// of the last of these where it has no signature of its own. Signatures that were
// not looked at are taken off: whoever keeps an item keeps no unverified one.
func (it Items) authenticate(n int) (end int, cover *set.Cover) {
	end, err := set.Authenticate(it.Sets[:n])
	if err != nil {
		end = 0
	}
	signed := end - 1
	if end < n {
		if cover = it.coverAfter(n); cover.Verify(it.Sets[n-1]) == nil {
			end = n
		} else {
			cover = nil
		}
	}
	for i := range end {
		if i != signed {
			it.Sets[i].Sig = nil
		}
	}
	return end, cover
}

// coverAfter makes a cover of the items from n on, or of them and the cover that
// came along.
func (it Items) coverAfter(n int) *set.Cover {
	cover := &set.Cover{}
	for _, s := range it.Sets[n:] {
		bare := s.Bare()
		cover.Items = append(cover.Items, bare)
		if bare.Sig != nil {
			return cover
		}
	}
	if it.Cover != nil {
		cover.Items = append(cover.Items, it.Cover.Items...)
	}
	return cover
}

// enter adds an item to the graph.
func (c *Context) enter(v *Verdict) {
	res, err := c.Graph.Add(&v.Set.Header, v.Set.ID())
	if err != nil {
		v.Status, v.Err = Refused, err
		return
	}
	v.Forked = res.Status == set.Forked
	c.Admitted(v.Set)
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

// authority holds the claim of a run's items, which share path and heads, against
// the logs. own is an error of the caller's, err one of the items.
func (c *Context) authority(h *set.Header) (status Status, err, own error) {
	heads := rows(h.Heads)
	person, status, err := mayWrite(c.Access, h.Scope, h.Device, h.Path, heads)
	if status != Admitted {
		return status, err, nil
	}
	if h.Seq == 1 {
		if err := announced(c.Access, person, h.Device, h.Incarnation, heads); err != nil {
			return Refused, err, nil
		}
		return Admitted, nil, nil
	}
	prev, own := c.Header(h.Prev)
	if own != nil {
		return 0, nil, own
	}
	ok, err := c.Access.NotOlder(heads, rows(prev.Heads))
	if err == nil && !ok {
		err = ErrOlderHeads
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

// announced holds the first item of a chain against the author's person log: the
// incarnation must be announced there, in the past of heads, and heads may not be
// older than the announcement.
func announced(s *acl.State, person crdt.ScopeID, device crdt.DeviceID, inc crdt.Incarnation, heads []acl.Row) error {
	log, ok := s.Log(person)
	if !ok {
		return ErrIncarnation
	}
	var known []crdt.AccessOpID
	for _, row := range heads {
		if row.Scope == person {
			known = row.Heads
		}
	}
	past, _ := log.Past(known)
	for op := range log.All() {
		b, ok := op.Body.(*acl.Incarnation)
		if !ok || b.Device != device || b.Incarnation != inc || !past.Has(op.ID()) {
			continue
		}
		if ok, err := s.NotOlder(heads, b.Heads); err != nil || !ok {
			return errors.Join(ErrOlderHeads, err)
		}
		return nil
	}
	return ErrIncarnation
}

// AdmitDocument decides on an arriving genesis by the rule of any item: authentic,
// and its author a writer of the scope by what it knew. Its status is Admitted,
// Pending or Refused.
func AdmitDocument(s *acl.State, d *set.Document) Verdict {
	if err := d.Verify(); err != nil {
		return Verdict{Status: Refused, Err: err}
	}
	g := &d.Genesis
	_, status, err := mayWrite(s, g.Scope, g.Device, g.Path, rows(g.Heads))
	return Verdict{Status: status, Err: err}
}

// rows are the heads of an item as package acl takes them.
func rows(heads []set.Heads) []acl.Row {
	out := make([]acl.Row, len(heads))
	for i, h := range heads {
		out[i] = acl.Row{Scope: h.Scope, Heads: h.Ops}
	}
	return out
}
