package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/set"
	"github.com/pipes-sync/pipes/netsync"
	"github.com/pipes-sync/pipes/storage"
)

// ImportOptions configures ImportBundle. The zero value works.
type ImportOptions struct {
	// Progress is told how many of how many bytes were read, over the two
	// readings that an import makes. It may be nil.
	Progress func(done, total int64)
}

// ImportReport says what came of a bundle.
type ImportReport struct {
	Ops     int `json:"ops"`     // operations that are new here
	Docs    int `json:"docs"`    // documents that are new here
	Sets    int `json:"sets"`    // change sets that are new here
	Known   int `json:"known"`   // change sets that were here already
	Foreign int `json:"foreign"` // scopes this person is not in; nothing of them was kept

	Refused []Refused `json:"refused"` // at most maxNamed of them
	Waiting []Waiting `json:"waiting"` // at most maxNamed of them
}

// Refused is something that will never be taken, and why.
type Refused struct {
	What   string `json:"what"` // "operation", "document" or "change set", and its id
	Reason string `json:"reason"`
	err    error
}

// Waiting is something that was not kept because it names what is not here.
type Waiting struct {
	What  string `json:"what"`
	Needs string `json:"needs"`
}

// maxNamed bounds what a report names one by one.
const maxNamed = 100

// ImportError says that not all of a bundle was taken. What was is in the report,
// durable. It wraps ErrBadBundle if something was not authentic, ErrDenied if its
// author had no grant, ErrWaiting if something needs what is not here.
type ImportError struct {
	Report ImportReport
	kinds  []error
}

func (e *ImportError) Error() string {
	r := e.Report
	switch {
	case len(r.Refused) > 0:
		return fmt.Sprintf("replica: refused %s: %s%s", r.Refused[0].What, r.Refused[0].Reason, more(len(r.Refused)+len(r.Waiting)))
	case len(r.Waiting) > 0:
		return fmt.Sprintf("%v: %s: %s%s", ErrWaiting, r.Waiting[0].What, r.Waiting[0].Needs, more(len(r.Waiting)))
	}
	return fmt.Sprintf("%v: nothing in the bundle is for this person", ErrDenied)
}

func more(n int) string {
	if n > 1 {
		return fmt.Sprintf(" (and %d more)", n-1)
	}
	return ""
}

func (e *ImportError) Unwrap() []error { return e.kinds }

// ImportBundle takes in what a bundle holds, if it is whole and unchanged, authentic
// and granted: a damaged file is a [*netsync.BundleError] and nothing of it is used.
// What was taken is durable when ImportBundle returns. If something was not, the
// error is an [*ImportError]. Importing a bundle again changes nothing.
func (r *Replica) ImportBundle(ctx context.Context, f io.ReadSeeker, o ImportOptions) (ImportReport, error) {
	if err := r.docs.enter(ctx); err != nil {
		return ImportReport{}, err
	}
	defer r.docs.leave()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return ImportReport{}, err
	}
	counted := &countingReader{ctx: ctx, f: f, total: 2 * size, progress: o.Progress}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return ImportReport{}, err
	}
	begin, err := netsync.VerifyBundle(counted)
	if err != nil {
		return ImportReport{}, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return ImportReport{}, err
	}
	im := &importer{r: r, ctx: ctx, from: begin.Device, report: ImportReport{Refused: []Refused{}, Waiting: []Waiting{}}}
	if err := im.read(counted); err != nil {
		return im.report, err
	}
	return im.report, im.err()
}

// countingReader reports progress, and ends with the context.
type countingReader struct {
	ctx         context.Context
	f           io.Reader
	done, total int64
	progress    func(done, total int64)
}

func (c *countingReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.f.Read(p)
	c.done += int64(n)
	if c.progress != nil {
		c.progress(c.done, max(c.total, c.done))
	}
	return n, err
}

// importer takes in one bundle.
type importer struct {
	r      *Replica
	ctx    context.Context
	from   crdt.DeviceID
	report ImportReport
	kinds  []error

	ops      map[crdt.ScopeID][]*acl.Op // until the last ops frame
	order    []crdt.ScopeID
	offered  map[crdt.ScopeID]bool // those in order
	opsBytes int
	settled  bool

	parts   set.Assembler
	doc     crdt.DocID // of runs
	runs    []netsync.Items
	size    int
	waiting map[crdt.ChangeSetID][]waitingRun // by what they wait for
	ready   []netsync.Items                   // waited, and what for has come
	held    int                               // bytes in waiting
	again   bool                              // what is delivered was delivered before
}

func (im *importer) read(f io.Reader) error {
	br, err := netsync.NewBundleReader(f)
	if err != nil {
		return err
	}
	for {
		frame, err := br.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := im.frame(frame); err != nil {
			return err
		}
	}
	if err := im.settle(); err != nil {
		return err
	}
	if err := im.deliver(); err != nil {
		return err
	}
	return im.retry()
}

func (im *importer) frame(f netsync.Frame) error {
	if ops, ok := f.(netsync.Ops); ok {
		return im.collect(ops)
	}
	if err := im.settle(); err != nil {
		return err
	}
	switch f := f.(type) {
	case netsync.Document:
		return im.document(slices.Clone(f.Item))
	case netsync.Run:
		return im.run(slices.Clone(f.Run), slices.Clone(f.Cover))
	case netsync.Part:
		return im.part(f)
	}
	return nil
}

// document keeps a document that is granted and new.
func (im *importer) document(enc []byte) error {
	doc, err := set.DecodeDocument(enc)
	if err != nil {
		im.refuse("document", err)
		return nil
	}
	id, what := doc.ID(), "document "+doc.ID().String()
	if _, err := im.r.store.Head(id); !errors.Is(err, storage.ErrNotFound) {
		return docErr(id, "import", err)
	}
	g := &doc.Genesis
	var verdict netsync.Verdict
	member := false
	err = im.r.access.view(func(s *acl.State) error {
		if _, known := s.Log(g.Scope); known {
			verdict = netsync.AdmitDocument(s, doc)
			e, err := s.Explain(acl.Party{Person: im.r.id.person}, acl.ActionCarry, g.Scope)
			member = e.Allowed
			return err
		}
		verdict = netsync.Verdict{Status: netsync.Refused, Err: &acl.DeniedError{Scope: g.Scope, Why: acl.DeniedNoGrant}}
		return nil
	}, append(scopesIn(g.Heads), g.Scope)...)
	if err != nil {
		return err
	}
	switch verdict.Status {
	case netsync.Pending:
		im.wait(what, verdict.Err)
		return nil
	case netsync.Refused:
		foreign, err := im.foreign(g.Scope)
		if err == nil && !foreign {
			im.refuse(what, verdict.Err)
		}
		return err
	}
	if !member {
		return nil
	}
	b := im.r.store.Batch()
	defer b.Discard()
	b.NewDoc(id)
	im.r.putDocument(b, doc)
	im.report.Docs++
	return b.Commit()
}

func (im *importer) part(f netsync.Part) error {
	part, err := set.DecodePart(f.Part)
	if err == nil {
		var whole []byte
		if whole, err = im.parts.Add(part); err == nil && whole != nil {
			return im.run(whole, slices.Clone(f.Cover))
		}
	}
	if err != nil {
		im.refuse("part of a change set", err)
	}
	return nil
}

func (im *importer) refuse(what string, err error) {
	kind := ErrBadBundle
	if errors.Is(err, acl.ErrDenied) {
		kind = ErrDenied
	}
	im.kind(kind)
	if len(im.report.Refused) < maxNamed {
		im.report.Refused = append(im.report.Refused, Refused{What: what, Reason: err.Error(), err: err})
	}
}

func (im *importer) wait(what string, err error) {
	im.kind(ErrWaiting)
	if len(im.report.Waiting) < maxNamed {
		im.report.Waiting = append(im.report.Waiting, Waiting{What: what, Needs: err.Error()})
	}
}

func (im *importer) kind(kind error) {
	if !slices.Contains(im.kinds, kind) {
		im.kinds = append(im.kinds, kind)
	}
}

// err is the import's outcome.
func (im *importer) err() error {
	r := &im.report
	if r.Foreign > 0 && r.Docs+r.Sets+r.Known == 0 {
		im.kind(ErrDenied)
	}
	if len(im.kinds) == 0 {
		return nil
	}
	return &ImportError{Report: *r, kinds: im.kinds}
}
