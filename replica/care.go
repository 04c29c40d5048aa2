package replica

import (
	"context"
	"errors"
	"fmt"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/storage"
)

// BackupReport says where a backup is and what keeps it secret.
type BackupReport struct {
	Dir  string   `json:"dir"`
	Data []string `json:"data"` // noise without the keys
	Keys []string `json:"keys"` // keep these elsewhere: with them a backup outlives every deletion
}

// Backup writes a consistent copy of the replica to dest, which must not exist.
// Everything that was durable is in it.
func (r *Replica) Backup(ctx context.Context, dest string) (BackupReport, error) {
	if err := r.docs.enter(ctx); err != nil {
		return BackupReport{}, err
	}
	defer r.docs.leave()
	b, err := r.store.Backup(ctx, dest)
	if err != nil {
		return BackupReport{}, err
	}
	return BackupReport(*b), nil
}

// RestoreReport says who lives in a restored directory.
type RestoreReport struct {
	Dir         string           `json:"dir"`
	Person      crdt.ScopeID     `json:"person"`
	Device      crdt.DeviceID    `json:"device"`
	Incarnation crdt.Incarnation `json:"incarnation"` // new: what the device wrote after the backup stays another life's
	Documents   int              `json:"documents"`
}

// Restore makes a replica in dir, which must have none, of a backup.
func Restore(ctx context.Context, src, dir string, o *Options) (RestoreReport, error) {
	opt := o.withDefaults()
	if err := storage.Restore(ctx, src, dir, &opt.Storage); err != nil {
		return RestoreReport{}, err
	}
	return inspect(ctx, dir, opt)
}

// inspect opens a replica that was just made, which announces its new life, and
// says who it is.
func inspect(ctx context.Context, dir string, opt Options) (RestoreReport, error) {
	opt.NoCreate = true
	r, err := Open(ctx, dir, &opt)
	if err != nil {
		return RestoreReport{}, err
	}
	s, err := r.Status(ctx)
	report := RestoreReport{Dir: dir, Person: s.Person, Device: s.Device, Incarnation: s.Incarnation, Documents: s.Documents}
	return report, errors.Join(err, r.Close())
}

// SalvageReport is what was saved of a damaged replica.
type SalvageReport struct {
	RestoreReport
	Records  int      `json:"records"` // copied
	Lost     int      `json:"lost"`    // not readable
	Problems []string `json:"problems"`
}

// Salvage copies everything that can still be read of the replica in src, which
// must not be open, to a new one in dest, with the same person and device and a new
// incarnation. src is not written to.
func Salvage(ctx context.Context, src, dest string, o *Options) (SalvageReport, error) {
	opt := o.withDefaults()
	s, err := storage.Salvage(ctx, src, dest, &opt.Storage)
	if err != nil {
		return SalvageReport{}, err
	}
	report := SalvageReport{Records: s.Records, Lost: s.Lost, Problems: texts(s.Problems)}
	if report.RestoreReport, err = inspect(ctx, dest, opt); err != nil {
		err = fmt.Errorf("replica: what was saved does not open: %w", err)
	}
	return report, err
}

// CheckReport is what Check found.
type CheckReport struct {
	Tables    int      `json:"tables"`    // files of the store whose every block was read
	Records   int      `json:"records"`   // values whose seal opens
	Documents int      `json:"documents"` // whose history was opened and verified
	Sets      int      `json:"sets"`      // change sets, each covered by a signature
	Damaged   int      `json:"damaged"`
	Problems  []string `json:"problems"` // the first of what is damaged
	Apart     []Apart  `json:"apart"`    // change sets that contribute nothing; no damage
}

// Check reads everything that is here: every block of the store, the seal of every
// value, and of every document the signatures, the contents and the guard's rules.
// Damage makes the error wrap ErrDamaged; the report says where. progress is told how
// many of how many documents are done; it may be nil.
func (r *Replica) Check(ctx context.Context, progress func(done, total int64)) (CheckReport, error) {
	report := CheckReport{Problems: []string{}, Apart: []Apart{}}
	if err := r.docs.enter(ctx); err != nil {
		return report, err
	}
	defer r.docs.leave()
	s, err := r.store.Check(ctx)
	if err != nil {
		return report, err
	}
	report.Tables, report.Records, report.Damaged = s.Tables, s.Records, s.Damaged
	report.Problems = append(report.Problems, texts(s.Problems)...)
	var docs []crdt.DocID
	for i, err := range r.Docs(ctx) {
		if err != nil {
			return report, err
		}
		docs = append(docs, i.Doc)
	}
	for n, id := range docs {
		if err := ctx.Err(); err != nil {
			return report, err
		}
		if progress != nil {
			progress(int64(n), int64(len(docs)))
		}
		if err := r.checkDoc(ctx, id, &report); err != nil {
			report.Damaged++
			report.Problems = append(report.Problems, err.Error())
			continue
		}
		report.Documents++
	}
	if report.Damaged > 0 {
		return report, fmt.Errorf("%w: %d of it, first: %s", ErrDamaged, report.Damaged, report.Problems[0])
	}
	return report, nil
}

// checkDoc verifies a document's signatures and opens its content from the change
// sets, without the snapshot.
func (r *Replica) checkDoc(ctx context.Context, id crdt.DocID, report *CheckReport) error {
	d := r.doc(id)
	return d.with(ctx, "check", func(*docState) error {
		st, err := r.readState(id) // not what is in memory: what is on the disk
		if err != nil {
			return err
		}
		if err := errors.Join(st.doc.Verify(), r.checkCovers(st)); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		report.Sets += st.graph.Len()
		c, err := d.read(st, false)
		if err != nil {
			return err
		}
		report.Apart = append(report.Apart, c.leftOut(id)...)
		return c.engine.Close()
	})
}

func texts(errs []error) []string {
	out := make([]string, len(errs))
	for i, err := range errs {
		out[i] = err.Error()
	}
	return out
}
