package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/pipes-sync/pipes/storage"
)

type doctorCmd struct{}

func (doctorCmd) Help() string {
	return `Changes nothing, and looks also at a replica that is open elsewhere, damaged, or not there at all. It does not read the documents: pipes check does. Exit code 1 says that something must be done.`
}

// How bad a symptom is.
const (
	levelOK   = "ok"
	levelWarn = "warn" // works, but not for long or not well
	levelFail = "fail"
)

// symptom is one line of the doctor's.
type symptom struct {
	Check string `json:"check"`
	State string `json:"state"`
	Found string `json:"found"`
	Do    string `json:"do,omitempty"` // what to do about it
}

// patient is what the doctor looks at.
type patient struct {
	dir   string
	found []symptom
}

func (p *patient) add(check, state, do, format string, args ...any) {
	p.found = append(p.found, symptom{check, state, fmt.Sprintf(format, args...), do})
}

func (doctorCmd) Run(a *app) error {
	p := &patient{dir: a.Dir}
	p.system()
	p.clock(time.Now())
	if p.directory() {
		p.replica(a.ctx)
		p.space(freeSpace(p.dir))
	}
	if err := a.printValue(p.found, printSymptoms); err != nil {
		return err
	}
	for _, s := range p.found {
		if s.State == levelFail {
			return (&exitError{code: exitFailed, text: s.Check + ": " + s.Found}).next(s.Do)
		}
	}
	return nil
}

func printSymptoms(w io.Writer, raw json.RawMessage) error {
	var rows []symptom
	if err := json.Unmarshal(raw, &rows); err != nil {
		return err
	}
	for _, s := range rows {
		fmt.Fprintf(w, "%-4s  %-9s  %s\n", s.State, s.Check, s.Found)
		if s.Do != "" {
			fmt.Fprintf(w, "%17s  %s\n", "", s.Do)
		}
	}
	return nil
}

func (p *patient) system() {
	p.add("program", levelOK, "", "%s, %s on %s/%s, %d processors", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
}

// A clock before any release, or further than certificates live, was never set.
var (
	earliest = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

func (p *patient) clock(now time.Time) {
	if now.Before(earliest) || now.After(latest) {
		p.add("clock", levelWarn, "set the clock: others see its times in logs and grants", "it says %s", now.UTC().Format(time.RFC3339))
		return
	}
	p.add("clock", levelOK, "", "%s", now.UTC().Format(time.RFC3339))
}

// directory says whether there is one to look into.
func (p *patient) directory() bool {
	info, err := os.Stat(p.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.add("directory", levelWarn, "create a replica with: pipes init", "%s does not exist", p.dir)
		return false
	case err != nil:
		p.add("directory", levelFail, "see to it that you can read it", "%v", err)
		return false
	case !info.IsDir():
		p.add("directory", levelFail, "choose another with --dir", "%s is not a directory", p.dir)
		return false
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		p.add("directory", levelWarn, "chmod 700 "+p.dir, "%s is open to others (%s)", p.dir, info.Mode().Perm())
	default:
		p.add("directory", levelOK, "", "%s (%s)", p.dir, info.Mode().Perm())
	}
	return true
}

// replica reads what package storage documents of its directory.
func (p *patient) replica(ctx context.Context) {
	text, err := os.ReadFile(filepath.Join(p.dir, "replica"))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(p.dir, "data")); err == nil {
			p.add("format", levelFail, "save what can be read with: pipes salvage DIR", "there is data, but the file that marks a replica is gone")
			return
		}
		p.add("format", levelWarn, "create a replica with: pipes init", "no replica here")
		return
	}
	var marker struct {
		Format int    `json:"format"`
		Keys   string `json:"keys"`
	}
	if err == nil {
		err = json.Unmarshal(text, &marker)
	}
	if err != nil {
		p.add("format", levelFail, "save what can be read with: pipes salvage DIR", "%v", err)
		return
	}
	p.add("format", levelOK, "", "version %d", marker.Format)
	p.keys(marker.Keys)
	p.lock(ctx)
}

func (p *patient) keys(provider string) {
	name := map[string]string{"file": "root.key", "passphrase": "passphrase.json"}[provider]
	if name == "" {
		p.add("keys", levelWarn, "use the program that made the replica", "kept by %q, which this program does not know", provider)
		return
	}
	info, err := os.Stat(filepath.Join(p.dir, name))
	switch {
	case err != nil:
		p.add("keys", levelFail, "put "+name+" back from where you keep it: without it nothing here can be read", "%v", err)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		p.add("keys", levelWarn, "chmod 600 "+filepath.Join(p.dir, name), "%s is open to others (%s)", name, info.Mode().Perm())
	case provider == "file":
		p.add("keys", levelOK, "", "in %s: whoever can read the directory can read the replica", name)
	default:
		p.add("keys", levelOK, "", "behind a passphrase")
	}
}

// lookOnly is a key provider that no replica has: whoever hears that it does not
// fit has got the lock.
type lookOnly struct{ storage.FileKey }

func (lookOnly) Kind() string { return "none" }

// lock takes the lock, and lets it go at once.
func (p *patient) lock(ctx context.Context) {
	_, err := storage.Open(ctx, p.dir, &storage.Options{Keys: lookOnly{}})
	switch {
	case errors.Is(err, storage.ErrWrongKey), errors.Is(err, storage.ErrWrongPassphrase):
		p.add("lock", levelOK, "", "free")
	case errors.Is(err, storage.ErrLocked):
		p.add("lock", levelWarn, "end that process if you do not need it", "%v", err)
	case errors.Is(err, storage.ErrNewerFormat):
		p.add("lock", levelFail, "use a newer pipes", "%v", err)
	case errors.Is(err, storage.ErrReadOnly):
		p.add("lock", levelFail, "make it writable, or read it with: pipes salvage DIR", "%v", err)
	case errors.Is(err, storage.ErrDamaged):
		p.add("lock", levelFail, "save what can be read with: pipes salvage DIR", "%v", err)
	default:
		p.add("lock", levelFail, "see to it that you can write the directory", "%v", err)
	}
}

// reserve is what storage.Options.Reserve is when nobody sets it.
const reserve = 64 << 20

func (p *patient) space(free uint64, known bool) {
	switch {
	case !known:
		p.add("space", levelOK, "", "the system does not tell how much is free")
	case free < reserve:
		p.add("space", levelFail, "make room: nothing can be written meanwhile", "%d MiB free, %d MiB are kept in reserve", free>>20, reserve>>20)
	case free < 4*reserve:
		p.add("space", levelWarn, "make room soon", "%d MiB free, %d MiB are kept in reserve", free>>20, reserve>>20)
	default:
		p.add("space", levelOK, "", "%d MiB free, %d MiB are kept in reserve", free>>20, reserve>>20)
	}
}
