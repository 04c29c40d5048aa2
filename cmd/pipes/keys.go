package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"github.com/pipes-sync/pipes/storage"
)

// maxPassphrase is longer than anybody types.
const maxPassphrase = 4096

// keys is what opens the replica's keys, as its directory says: nil for the key
// file, which is the default.
func (a *app) keys() (storage.KeyProvider, error) { return a.keysOf(a.Dir) }

func (a *app) keysOf(dir string) (storage.KeyProvider, error) {
	_, err := os.Stat(filepath.Join(dir, "passphrase.json")) // see package storage
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	text, err := a.passphrase(false)
	if err != nil {
		return nil, err
	}
	return storage.NewPassphrase(text, false), nil
}

// passphrase reads the passphrase from the file, or asks for it: a new one twice.
func (a *app) passphrase(fresh bool) ([]byte, error) {
	if a.PassphraseFile != "" {
		return readPassphrase(a.PassphraseFile)
	}
	in, ok := a.in.(*os.File)
	if !ok || !isTerminal(in) {
		return nil, (&exitError{code: exitPassphrase, text: "a passphrase is needed, and nobody is here to type it"}).
			next("name a file that holds it with --passphrase-file")
	}
	text, err := a.ask(in, "Passphrase: ")
	if err != nil || !fresh {
		return text, err
	}
	again, err := a.ask(in, "Once more: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(text, again) {
		return nil, usage("the two passphrases differ").next("try again")
	}
	return text, nil
}

func (a *app) ask(in *os.File, prompt string) ([]byte, error) {
	// An interrupt must not leave the terminal mute.
	before, err := term.GetState(int(in.Fd()))
	if err != nil {
		return nil, err
	}
	type answer struct {
		text []byte
		err  error
	}
	typed := make(chan answer, 1)
	fmt.Fprint(a.err, prompt)
	go func() {
		text, err := term.ReadPassword(int(in.Fd()))
		typed <- answer{text, err}
	}()
	defer fmt.Fprintln(a.err)
	select {
	case got := <-typed:
		if got.err == nil && len(got.text) == 0 {
			return nil, usage("the passphrase is empty").next("type at least one character")
		}
		return got.text, got.err
	case <-a.ctx.Done():
		return nil, errors.Join(a.ctx.Err(), term.Restore(int(in.Fd()), before))
	}
}

// readPassphrase gives the first line of a file.
func readPassphrase(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, usage("passphrase file: %v", err).next("look at the name after --passphrase-file")
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, maxPassphrase+2)).ReadBytes('\n')
	if err != nil && err != io.EOF {
		return nil, usage("passphrase file: %v", err)
	}
	line = bytes.TrimRight(line, "\r\n")
	if len(line) > maxPassphrase {
		return nil, usage("the first line of %s is longer than %d bytes", name, maxPassphrase).next("put a passphrase there")
	}
	if len(line) == 0 {
		return nil, usage("the first line of %s is empty", name).next("put the passphrase there")
	}
	return line, nil
}

// logger shows what a person should know: warnings and errors, on stderr.
func (a *app) logger() *slog.Logger {
	level := slog.LevelWarn
	if a.Quiet {
		level = slog.LevelError
	}
	return slog.New(tint.NewTextHandler(a.err, &tint.Options{Level: level, NoColor: !a.colour(a.err), ReplaceAttr: briefly}))
}

// briefly gives of an error what it says, and not the stack that Pebble's carry.
func briefly(_ []string, at slog.Attr) slog.Attr {
	if err, ok := at.Value.Any().(error); ok {
		text, _, _ := strings.Cut(err.Error(), "\n")
		return slog.String(at.Key, text)
	}
	return at
}
