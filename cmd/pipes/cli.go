package main

import (
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/alecthomas/kong"
)

const description = `Documents on your own disk that several people edit, offline too, and that merge.

A first walk:

    pipes init --name Ann
    pipes new
    pipes set DOC title '"hi"'
    pipes get DOC

DOC and PERSON are ids, or their first characters: 8 or more after the start that all share. PATH is like a/b/0.`

var groups = []kong.Group{
	{Key: "start", Title: "Start:"},
	{Key: "docs", Title: "Documents:"},
	{Key: "people", Title: "People:"},
	{Key: "exchange", Title: "Exchange:"},
	{Key: "care", Title: "Care:"},
}

// cli is the command line as kong reads it.
type cli struct {
	Dir            string           `help:"Directory of the replica; without it $$PIPES_DIR, else pipes in your data directory." placeholder:"DIR" default:"${dir}"`
	JSON           bool             `name:"json" help:"Print JSON, also for errors."`
	Quiet          bool             `help:"Say nothing but data and errors."`
	Timeout        time.Duration    `help:"How long to wait for another process that has the directory open, like 5s (the default) or 1m." placeholder:"D" default:"5s"`
	PassphraseFile string           `help:"File whose first line is the passphrase." placeholder:"FILE" type:"path"`
	Version        kong.VersionFlag `help:"Print the version."`

	Init   initCmd   `cmd:"" group:"start" help:"Create a replica, and a person who owns it."`
	ID     idCmd     `cmd:"" name:"id" group:"start" help:"Who this replica is."`
	Status statusCmd `cmd:"" group:"start" help:"How it is: documents, what waits and why, room on the disk."`
	Demo   demoCmd   `cmd:"" group:"start" help:"Two replicas edit offline and merge, step by step."`

	New    newCmd    `cmd:"" group:"docs" help:"Create a document."`
	Docs   docsCmd   `cmd:"" group:"docs" help:"List the documents."`
	Get    getCmd    `cmd:"" group:"docs" help:"Print a document, or what is at a path."`
	Set    setCmd    `cmd:"" group:"docs" help:"Make what is at a path read as a JSON value."`
	Del    delCmd    `cmd:"" group:"docs" help:"Remove what is at a path."`
	Splice spliceCmd `cmd:"" group:"docs" help:"Delete and insert in a text."`
	Edit   editCmd   `cmd:"" group:"docs" help:"Apply edits from standard input, one JSON object a line."`
	Heads  headsCmd  `cmd:"" group:"docs" help:"Print the changes that nothing follows yet."`
	Log    logCmd    `cmd:"" group:"docs" help:"List who changed what, when."`
	At     atCmd     `cmd:"" group:"docs" help:"Print a document as it was."`

	Share shareCmd `cmd:"" group:"people" help:"Give a person a role in a document."`
	ACL   aclCmd   `cmd:"" name:"acl" group:"people" help:"Who may do what with a document."`
	Who   whoCmd   `cmd:"" name:"persons" group:"people" help:"List the persons known here."`

	Bundle struct {
		Export bundleExportCmd `cmd:"" help:"Write a bundle for somebody else to import."`
		Import bundleImportCmd `cmd:"" help:"Take what a bundle holds."`
	} `cmd:"" group:"exchange" help:"Exchange documents by file: a stick, a mail, a shared folder."`

	Backup  backupCmd  `cmd:"" group:"care" help:"Copy the whole replica."`
	Restore restoreCmd `cmd:"" group:"care" help:"Make a replica of a backup."`
	Check   checkCmd   `cmd:"" group:"care" help:"Read and verify everything."`
	Salvage salvageCmd `cmd:"" group:"care" help:"Save what can be read of a damaged replica."`
	Doctor  doctorCmd  `cmd:"" group:"care" help:"Say what could be wrong, and what to do."`
}

// defaultDir is where a replica lives if nobody says otherwise.
func defaultDir() string {
	if dir := os.Getenv("PIPES_DIR"); dir != "" {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "."
	}
	switch runtime.GOOS {
	case "windows":
		if dir := os.Getenv("LOCALAPPDATA"); dir != "" {
			return filepath.Join(dir, "pipes")
		}
	case "darwin":
		return filepath.Join(home, "Library", "Application Support", "pipes")
	default:
		// XDG Base Directory Specification: relative paths are to be ignored.
		if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
			return filepath.Join(dir, "pipes")
		}
	}
	return filepath.Join(home, ".local", "share", "pipes")
}
