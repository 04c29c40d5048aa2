package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pipes-sync/pipes/replica"
	"github.com/pipes-sync/pipes/storage"
)

type backupCmd struct {
	To string `arg:"" name:"dir" help:"A directory that does not exist yet."`
}

func (backupCmd) Help() string {
	return `Keep the directory's keys apart from its data: together they outlive every deletion.

    pipes backup /mnt/stick/pipes-2026-11-21`
}

func (c backupCmd) Run(a *app) error {
	dir, err := filepath.Abs(c.To)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(dir); err == nil {
		return (&exitError{code: exitFailed, text: dir + " exists already"}).next("name a directory that does not exist yet")
	}
	return a.with(func(cl *client) error {
		raw, err := cl.post("/v1/backup", map[string]string{"dir": dir})
		if err != nil {
			return err
		}
		return a.print(raw, fields)
	})
}

type restoreCmd struct {
	From string `arg:"" name:"backup" help:"What backup wrote."`
}

func (restoreCmd) Help() string {
	return `The replica in --dir is a new one of the same device: it goes on where the backup ends, and peers give back what came after. Do not go on with the old one.

    pipes --dir ./new restore /mnt/stick/pipes-2026-11-21`
}

func (c restoreCmd) Run(a *app) error {
	if _, err := os.Stat(filepath.Join(c.From, "replica")); err != nil { // see package storage
		return (&exitError{code: exitNotFound, text: "no backup in " + c.From}).next("name the directory that pipes backup wrote")
	}
	keys, err := a.keysOf(c.From)
	if err != nil {
		return err
	}
	report, err := replica.Restore(a.ctx, c.From, a.Dir, a.options(keys))
	if err != nil {
		return err
	}
	return a.printValue(report, fields)
}

type salvageCmd struct {
	To string `arg:"" name:"dir" help:"A directory that does not exist yet."`
}

func (salvageCmd) Help() string {
	return `Copies what can be read and verified from the replica in --dir, and touches nothing there.

    pipes salvage ./saved`
}

func (c salvageCmd) Run(a *app) error {
	to, err := filepath.Abs(c.To)
	if err != nil {
		return err
	}
	if _, err := os.Stat(a.Dir); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %s", replica.ErrNoReplica, a.Dir)
	}
	keys, err := a.keys()
	if err != nil {
		return err
	}
	report, err := replica.Salvage(a.ctx, a.Dir, to, a.options(keys))
	if err != nil {
		return err
	}
	return a.printValue(report, fields)
}

// options are those of a replica that is opened in this process.
func (a *app) options(keys storage.KeyProvider) *replica.Options {
	return &replica.Options{
		Storage: storage.Options{Keys: keys}, Logger: a.logger(), NoCreate: true, LockWait: a.Timeout,
	}
}

type checkCmd struct {
	Erased *string `help:"Search every byte of the directory as it lies on the disk for this text instead, which should be nowhere." placeholder:"MARKER"`
}

func (checkCmd) Help() string {
	return `Exit code 5 says that something is damaged, or that the marker was found.

With --erased it looks for text that lies on the disk unsealed. Documents are sealed there, so it finds nothing in those that are whole: to search what documents say, use pipes get.

    pipes check
    pipes check --erased 'the secret text'`
}

func (c checkCmd) Run(a *app) error {
	if c.Erased != nil {
		if *c.Erased == "" {
			return usage("the marker is empty").next("name the text that should be nowhere")
		}
		return c.erased(a)
	}
	return a.with(func(cl *client) error {
		raw, err := cl.long("/v1/check", nil, a.progress("checking"))
		if err != nil {
			return err
		}
		return a.print(raw, fields)
	})
}

// finding is where a marker stands.
type finding struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"`
}

func (c checkCmd) erased(a *app) error {
	found, err := storage.CheckErased(a.ctx, a.Dir, []byte(*c.Erased), nil)
	if err != nil {
		return err
	}
	rows := make([]finding, len(found))
	for i, f := range found {
		rows[i] = finding(f)
	}
	raw, err := marshal(map[string]any{"found": rows})
	if err != nil {
		return err
	}
	if err := a.print(raw, fields); err != nil {
		return err
	}
	if len(found) > 0 {
		return (&exitError{code: exitDiffers, text: fmt.Sprintf("the marker stands in %s", found[0].File)}).
			next("if the document was deleted, run: pipes check")
	}
	return nil
}
