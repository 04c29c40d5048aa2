package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/pipes-sync/pipes/replica"
)

// Exit codes that are made here; the others come with a [replica.Problem].
const (
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 4
	exitDiffers     = 5 // verification failed
	exitPassphrase  = 12
	exitInterrupted = 130
)

// exitError is an error of the command line's own.
type exitError struct {
	code int
	text string
	todo string // what to do next
}

func (e *exitError) Error() string { return e.text }

// next says what to do about it.
func (e *exitError) next(todo string) *exitError { return &exitError{e.code, e.text, todo} }

func usage(format string, args ...any) *exitError {
	return &exitError{code: exitUsage, text: fmt.Sprintf(format, args...)}
}

// kindNames are the names of the exit codes made here, as in a Problem.
var kindNames = map[int]string{exitFailed: "failed", exitUsage: "usage", exitNotFound: "not_found", exitDiffers: "verification_failed", exitPassphrase: "wrong_passphrase"}

// problemOf says what err is, as the HTTP API does.
func problemOf(err error) *replica.Problem {
	if e := (*exitError)(nil); errors.As(err, &e) {
		return &replica.Problem{
			Type: "about:blank", Title: kindNames[e.code], Detail: err.Error(),
			Kind: kindNames[e.code], Exit: e.code, Next: e.todo,
		}
	}
	return replica.ProblemOf(err)
}

// fail reports err and gives the exit code.
func (a *app) fail(err error) int {
	p := problemOf(err)
	if a.ctx.Err() != nil { // whatever broke, it broke because of that
		p = replica.ProblemOf(a.ctx.Err())
		p.Detail = p.Title
	}
	if a.JSON {
		writeJSONLine(a.err, p)
		return p.Exit
	}
	name := "pipes:"
	if a.colour(a.err) {
		name = "\x1b[31mpipes:\x1b[0m"
	}
	fmt.Fprintln(a.err, name, p.Detail)
	if p.Next != "" {
		fmt.Fprintln(a.err, "  next:", a.here(p.Next))
	}
	return p.Exit
}

// here makes a hint fit a directory that was named on the command line: whoever
// copies it must not end up with a replica elsewhere.
func (a *app) here(hint string) string {
	if a.Dir == "" || a.Dir == defaultDir() || a.Dir == kong.ExpandPath(defaultDir()) {
		return hint
	}
	dir := a.Dir
	if strings.ContainsAny(dir, " '\"$`\\") {
		dir = strconv.Quote(dir)
	}
	for _, verb := range []string{"init", "new"} {
		hint = strings.Replace(hint, "pipes "+verb, "pipes --dir "+dir+" "+verb, 1)
	}
	return hint
}

// colour says whether w may be coloured (https://no-color.org).
func (a *app) colour(w any) bool { return isTerminal(w) && os.Getenv("NO_COLOR") == "" }
