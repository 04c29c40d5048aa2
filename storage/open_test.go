package storage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/pipes-sync/pipes/crdt"
)

func TestInitAndOpen(t *testing.T) {
	ctx := context.Background()
	fs := vfs.NewMem()
	opt := &Options{FS: fs}
	if _, err := Open(ctx, "r", opt); !errors.Is(err, ErrNoReplica) {
		t.Errorf("open of nothing: %v", err)
	}
	if there, _ := exists(fs, "r", ""); there {
		t.Error("open of nothing left something")
	}
	s := initStore(t, fs, "r")
	inc := s.Incarnation()
	if inc == (crdt.Incarnation{}) || s.Dir() != "r" || s.Err() != nil {
		t.Errorf("incarnation %s, dir %s, %v", inc, s.Dir(), s.Err())
	}
	closeStore(t, s)
	if _, err := Init(ctx, "r", opt); !errors.Is(err, ErrReplicaExists) {
		t.Errorf("init over a replica: %v", err)
	}
	s = openStore(t, fs, "r")
	if s.Incarnation() != inc {
		t.Error("another incarnation after reopening")
	}
	closeStore(t, s)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Open(cancelled, "r", opt); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestClosed(t *testing.T) {
	s := initStore(t, vfs.NewMem(), "r")
	b := s.Batch()
	b.NewDoc(docID(1))
	b.PutSingleton("x", []byte("y"))
	after := s.Batch()
	closeStore(t, s)
	after.PutHead(docID(1), nil)
	for _, err := range s.Heads() {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("heads: %v", err)
		}
	}
	for what, err := range map[string]error{
		"commit": b.Commit(), "put": after.Commit(), "get": second(s.Singleton("x")),
		"check": second(s.Check(context.Background())), "close": s.Close(), "err": s.Err(),
		"backup": second(s.Backup(context.Background(), "b")), "stats": second(s.Stats()),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestCloseWaitsForIterations(t *testing.T) {
	s := initStore(t, vfs.NewMem(), "r")
	for i := range 3 {
		if err := writeSet(s, docID(i), i, 10); err != nil {
			t.Fatal(err)
		}
	}
	closed := make(chan error, 1)
	n := 0
	for _, err := range s.Heads() {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 {
			go func() { closed <- s.Close() }()
			for !errors.Is(s.Err(), ErrClosed) {
			}
			if _, err := s.Head(docID(1)); !errors.Is(err, ErrClosed) {
				t.Errorf("read while closing: %v", err)
			}
		}
		select {
		case <-closed:
			t.Fatal("closed under an iteration")
		default:
		}
	}
	if err := <-closed; err != nil || n != 3 {
		t.Errorf("%d heads, close: %v", n, err)
	}
}

func TestBatchErrors(t *testing.T) {
	s := initStore(t, vfs.NewMem(), "r")
	for name, tc := range map[string]struct {
		put  func(b *Batch)
		want error
	}{
		"no such document": {func(b *Batch) { b.PutHead(docID(1), nil) }, ErrNotFound},
		"long name":        {func(b *Batch) { b.PutSingleton(strings.Repeat("x", MaxName+1), nil) }, ErrTooLarge},
		"long value":       {func(b *Batch) { b.PutSingleton("x", make([]byte, MaxValue+1)) }, ErrTooLarge},
		"long batch": {func(b *Batch) {
			v := make([]byte, MaxValue)
			for range MaxBatch/MaxValue + 1 {
				b.PutSingleton("x", v)
			}
		}, ErrTooLarge},
		"discarded": {func(b *Batch) { b.Discard(); b.PutSingleton("x", nil) }, errSpent},
	} {
		b := s.Batch()
		b.PutSingleton("first", []byte("1"))
		tc.put(b)
		b.PutSingleton("last", []byte("1"))
		if err := b.Commit(); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err := b.Commit(); !errors.Is(err, errSpent) {
			t.Errorf("%s, committed again: %v", name, err)
		}
		for _, k := range []string{"first", "x", "last"} {
			if _, err := s.Singleton(k); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: part of the batch is there: %v", name, err)
			}
		}
	}
	b := s.Batch()
	b.PutSingleton("x", []byte("unsynced"))
	if b.Size() < 10 {
		t.Errorf("size %d", b.Size())
	}
	if err := b.CommitUnsynced(); err != nil || b.Size() != 0 {
		t.Error(err, b.Size())
	}
	v, err := s.Singleton("x")
	check(t, "unsynced", string(v), err, "unsynced")
}

func TestMarker(t *testing.T) {
	ctx := context.Background()
	for name, tc := range map[string]struct {
		change func(text string) string
		want   error
	}{
		"newer":         {func(s string) string { return strings.Replace(s, `"format":1`, `"format":2,"more":true`, 1) }, ErrNewerFormat},
		"older":         {func(s string) string { return strings.Replace(s, `"format":1`, `"format":0`, 1) }, ErrDamaged},
		"garbage":       {func(string) string { return "pipes" }, ErrDamaged},
		"unknown field": {func(s string) string { return strings.Replace(s, `{`, `{"x":1,`, 1) }, ErrDamaged},
		"interrupted":   {func(s string) string { return strings.Replace(s, "true", "false", 1) }, ErrNoReplica},
		"other root":    {func(s string) string { return strings.Replace(s, `"root_check":"`, `"root_check":"00`, 1) }, ErrWrongKey},
		"huge":          {func(s string) string { return s + strings.Repeat(" ", maxSmallFile) }, nil},
	} {
		fs := vfs.NewMem()
		closeStore(t, initStore(t, fs, "r"))
		text, err := readSmall(fs, "r", markerFile)
		if err == nil {
			err = writeSmall(fs, "r", markerFile, []byte(tc.change(string(text))))
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = Open(ctx, "r", &Options{FS: fs})
		if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "interrupted" {
			if err := writeSet(initStore(t, fs, "r"), docID(1), 1, 1); err != nil {
				t.Errorf("begun anew: %v", err)
			}
		}
	}
	fs := vfs.NewMem()
	closeStore(t, initStore(t, fs, "r"))
	if err := fs.Remove("r/" + markerFile); err != nil {
		t.Fatal(err)
	}
	for what, f := range map[string]func(context.Context, string, *Options) (*Store, error){"open": Open, "init": Init} {
		if _, err := f(ctx, "r", &Options{FS: fs}); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s without a marker: %v", what, err)
		}
	}
}

// Init is cut short at each of its writes in turn; what is left must be no
// replica, and a second try must succeed.
func TestInitInterrupted(t *testing.T) {
	ctx := context.Background()
	for i := int32(0); ; i++ {
		mem := vfs.NewCrashableMem()
		after := errorfs.OnIndex(i)
		inject := errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
				return nil
			}
			return after.MaybeError(op)
		})
		s, err := Init(ctx, "r", &Options{FS: errorfs.Wrap(mem, inject)})
		if err == nil {
			closeStore(t, s)
			if i < 20 {
				t.Fatalf("only %d writes", i)
			}
			return
		}
		for name, fs := range map[string]*vfs.MemFS{"as left": mem, "after a power cut": mem.CrashClone(vfs.CrashCloneCfg{})} {
			if s, err := Open(ctx, "r", &Options{FS: fs}); err == nil {
				closeStore(t, s) // the failed write came after the last one that matters
				continue
			} else if !errors.Is(err, ErrNoReplica) {
				t.Fatalf("write %d, %s: %v", i, name, err)
			}
			s, err := Init(ctx, "r", &Options{FS: fs})
			if err != nil {
				t.Fatalf("write %d, %s: second try: %v", i, name, err)
			}
			closeStore(t, s)
		}
	}
}

func TestRootKeys(t *testing.T) {
	ctx := context.Background()
	fs := vfs.NewMem()
	right, wrong := NewPassphrase([]byte("right"), true), NewPassphrase([]byte("wrong"), true)
	s, err := Init(ctx, "p", &Options{FS: fs, Keys: right})
	if err != nil {
		t.Fatal(err)
	}
	if err := writeSet(s, docID(1), 1, 1); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	closeStore(t, initStore(t, fs, "f"))
	closeStore(t, initStore(t, fs, "g"))
	if _, err := copySmall(fs, "g", "f", rootKeyFile); err != nil {
		t.Fatal(err)
	}
	if err := fs.Remove("g/" + rootKeyFile); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		dir  string
		keys KeyProvider
		want error
	}{
		"right":             {"p", right, nil},
		"wrong":             {"p", wrong, ErrWrongPassphrase},
		"none":              {"p", nil, ErrWrongPassphrase},
		"foreign key file":  {"f", nil, ErrWrongKey},
		"no key file":       {"g", nil, ErrWrongKey},
		"needless":          {"f", right, ErrWrongKey},
		"no replica anyway": {"x", right, ErrNoReplica},
	} {
		s, err := Open(ctx, tc.dir, &Options{FS: fs, Keys: tc.keys})
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			closeStore(t, s)
		}
	}
	text, err := readSmall(fs, "p", passphraseFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"version": {`"version": 1`, `"version": 2`}, "kdf": {"argon2id", "md5"}, "time": {`"time": 2`, `"time": 0`},
		"memory": {`"memory_kib": 19456`, `"memory_kib": 4000000000`}, "lanes": {`"lanes": 1`, `"lanes": 200`},
		"field": {`"kdf"`, `"fdk"`}, "salt": {`"salt": "`, `"salt": "","x":"`}, "wrapped": {`"wrapped": "`, `"wrapped": "AAAA`},
	} {
		changed := strings.Replace(string(text), change[0], change[1], 1)
		if changed == string(text) {
			t.Fatalf("%s: nothing changed in %s", name, text)
		}
		if err := writeSmall(fs, "p", passphraseFile, []byte(changed)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(ctx, "p", &Options{FS: fs, Keys: right}); !errors.Is(err, ErrWrongKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{"empty": "", "short": rootKeyHead + "00", "digits": rootKeyHead + strings.Repeat("x", 64)} {
		if err := writeSmall(fs, "f", rootKeyFile, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(ctx, "f", &Options{FS: fs}); !errors.Is(err, ErrWrongKey) {
			t.Errorf("%s root key: %v", name, err)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&b, nil))
	key := NewSecret([32]byte([]byte("0123456789abcdef0123456789abcdef")))
	pass := NewPassphrase([]byte("0123456789"), true)
	log.Info("x", "secret", key, "pointer", &key, "pass", pass, "nested", struct{ S Secret }{key})
	fmt.Fprintf(&b, "%v %+v %#v %s %x %d %v %x", key, key, key, key, key, key, pass, pass)
	fmt.Fprintf(&b, "%v %+v", struct{ S Secret }{key}, []*Passphrase{pass})
	j, err := json.Marshal(map[string]any{"s": key})
	if err != nil {
		t.Fatal(err)
	}
	b.Write(j)
	for _, leak := range []string{"0123", "30313233", "48 49 50", "[48"} {
		if strings.Contains(b.String(), leak) {
			t.Errorf("%q in %s", leak, b.String())
		}
	}
	if n := strings.Count(b.String(), redacted); n < 10 {
		t.Errorf("%d times redacted in %s", n, b.String())
	}
}
