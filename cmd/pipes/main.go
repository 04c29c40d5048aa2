// Command pipes keeps, edits and exchanges documents from the command line. It is
// a thin client of the HTTP API of package replica: of the one that a running
// daemon serves at DIR/api.sock, or else of one in its own process.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"
	"golang.org/x/term"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// app is one call of the command line.
type app struct {
	*cli
	ctx      context.Context // ends at the first SIGINT or SIGTERM; a second one kills
	in       io.Reader
	out, err io.Writer
}

// exitNow is what kong's Exit panics with, so that --help and --version end the
// call and not the process.
type exitNow int

func run(args []string, in io.Reader, out, errOut io.Writer) (code int) {
	defer func() {
		if r := recover(); r != nil {
			now, ok := r.(exitNow)
			if !ok {
				panic(r)
			}
			code = int(now)
		}
	}()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	a := &app{cli: &cli{}, ctx: ctx, in: in, out: out, err: errOut}
	parser, err := newParser(a)
	if err != nil {
		panic(err) // the struct tags are wrong: every test sees it
	}
	if len(args) > 0 && args[0] == "help" {
		args = append(args[1:len(args):len(args)], "--help")
	}
	kctx, err := parser.Parse(orderArgs(parser.Model, args))
	if err != nil {
		a.JSON = slices.Contains(args, "--json") // kong sets nothing if anything is wrong
		return a.fail(usage("%v", err).next("see: pipes --help"))
	}
	if a.Dir == "" { // a variable that is not set must not mean the directory one stands in
		return a.fail(usage("--dir names no directory").next("name one, or leave --dir out"))
	}
	a.Dir = kong.ExpandPath(a.Dir)
	if err := kctx.Run(a); err != nil {
		return a.fail(err)
	}
	return 0
}

func newParser(a *app) (*kong.Kong, error) {
	return kong.New(a.cli,
		kong.Name("pipes"),
		kong.Description(description),
		kong.Writers(a.out, a.err),
		kong.Exit(func(code int) { panic(exitNow(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.ExplicitGroups(groups),
		kong.Vars{"version": version(), "dir": defaultDir()},
	)
}

// version is the module's version as the Go command recorded it.
func version() string {
	v, rev := "(devel)", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			v = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				rev = " " + s.Value[:12]
			}
		}
	}
	return "pipes " + v + rev
}

// isTerminal says whether somebody is looking at w, or typing into it.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
