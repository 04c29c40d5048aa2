package opset

import (
	"errors"
	"os"
	"path/filepath"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/pipes-sync/pipes/crdt/change"
)

var errWaits = errors.New("changes wait for others that are not there")

// guard runs bytes from a stranger through the codec and a fresh state, as far
// as the first refusal. That nothing comes after which a change would be ready
// is a refusal too.
func guard(b []byte) (accepted []*change.Change, err error) {
	s := New(Options{})
	for chunk, err := range change.Chunks(b) {
		if err != nil {
			return accepted, err
		}
		c, err := change.Decode(chunk)
		if err != nil {
			return accepted, err
		}
		for _, o := range s.Add(c) {
			if o.Err != nil {
				return accepted, o.Err
			}
			if o.Status == Applied {
				accepted = append(accepted, o.Change)
			}
		}
	}
	if n, _ := s.Pending(); n > 0 {
		return accepted, errWaits
	}
	return accepted, nil
}

// allocated is the number of bytes ever allocated: more than any peak.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// TestHostile: whatever ended or poisoned the core is an error here, in under a
// second and 64 MiB. Counting every byte allocated bounds the peak from above.
func TestHostile(t *testing.T) {
	files, err := filepath.Glob("testdata/hostile/*.bin")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		before, start := allocated(), time.Now()
		accepted, err := guard(b)
		took, used := time.Since(start), allocated()-before
		if err == nil {
			t.Errorf("%s: accepted (%d changes)", f, len(accepted))
		}
		if took > time.Second || used > 64<<20 {
			t.Errorf("%s: %v, %d bytes", f, took, used)
		}
		name := filepath.Base(f)
		if (strings.HasPrefix(name, "load-") || strings.HasPrefix(name, "sync-")) && len(accepted) > 0 {
			t.Errorf("%s: accepted a change of what is no change", f)
		}
		t.Logf("%s: %d accepted, then %v", name, len(accepted), err)
	}
}
