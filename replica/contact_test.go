package replica

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/netsync"
)

// Who made a bundle is only a claim. It brings in a person's log, so that one can
// share with somebody one has only a bundle of, and no more than such a log takes.
func TestBundleOfAStrangerBringsLittle(t *testing.T) {
	for name, tc := range map[string]struct {
		epochs int
		kept   bool
	}{
		"a person":       {0, true},
		"a log too long": {maxContact/1300 + 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			id, ops, err := newIdentity("", crdt.Incarnation{1})
			if err != nil {
				t.Fatal(err)
			}
			var state acl.State
			state.Load(slices.Values(ops))
			for range tc.epochs {
				op, _, err := state.NewEpoch(id.author(), id.person, id.sealing(id.keyring()), time.Now().UnixMilli())
				if err == nil {
					_, err = state.Add(op)
				}
				if err != nil {
					t.Fatal(err)
				}
				ops = append(ops, op)
			}
			r := openAt(t, t.TempDir())
			report, err := r.ImportBundle(ctx, opsBundle(t, id.device, id.person, ops), ImportOptions{})
			if kept := err == nil && report.Ops == len(ops); kept != tc.kept {
				t.Errorf("%d operations: %+v, %v", len(ops), report, err)
			}
			if !tc.kept && (!errors.Is(err, ErrDenied) || report.Ops != 0) {
				t.Errorf("%+v, %v", report, err)
			}
		})
	}
}

// opsBundle is a bundle of one scope's operations.
func opsBundle(t testing.TB, from crdt.DeviceID, scope crdt.ScopeID, ops []*acl.Op) *bytes.Reader {
	t.Helper()
	var encoded [][]byte
	for _, op := range ops {
		encoded = append(encoded, must(op.MarshalBinary())(t))
	}
	var b bytes.Buffer
	w := must(netsync.NewBundleWriter(&b, netsync.Begin{Device: from}))(t)
	var errs []error
	for _, f := range netsync.OpsFrames(scope, encoded) {
		errs = append(errs, w.Write(f))
	}
	if err := errors.Join(append(errs, w.Close())...); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b.Bytes())
}
