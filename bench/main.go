package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

// env is what the sections measure with.
type env struct {
	dir   string // for the disk; the caller removes it
	trace *trace

	keys      int           // of the large map
	reads     int           // of a map, in a round
	commitFor time.Duration // how long each number of writers commits in a round
	docs      int           // small ones, made by many callers
	docsAlone int           // small ones, made by one
}

// fullSize is what a run measures.
func fullSize(dir string, t *trace) *env {
	return &env{
		dir: dir, trace: t,
		keys: 100_000, reads: 200_000, commitFor: 500 * time.Millisecond, docs: 10_000, docsAlone: 500,
	}
}

// sections are all there are, in the order of a run, each with what sets it up.
func sections() []setup {
	return []setup{{"paper", paper}, {"guard", guard}, {"mapread", mapRead}, {"commits", commits}, {"many", many}}
}

type setup struct {
	name string
	run  func(context.Context, *env) (*section, error)
}

// numbersFile is what --write-doc writes, from the root of the module.
const numbersFile = "doc/numbers.md"

// options are those of the command line.
type options struct {
	rounds                      int
	only, dir, json, cpuprofile string
	writeDoc                    bool
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.rounds, "rounds", 5, "how often everything is measured, in turns")
	f.StringVar(&o.only, "only", "", "comma-separated `sections` to measure: paper, guard, mapread, commits, many")
	f.StringVar(&o.dir, "dir", "", "`directory` to measure in, for its disk; the system's for temporary files by default")
	f.StringVar(&o.json, "json", "", "write the results to `file` as well")
	f.StringVar(&o.cpuprofile, "cpuprofile", "", "write a CPU profile to `file`; its label \"row\" is the row's name")
	f.BoolVar(&o.writeDoc, "write-doc", false, "write the results to "+numbersFile+" as well")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected %q", f.Arg(0))
	case o.rounds < 1:
		return o, errors.New("at least one round")
	case o.writeDoc && o.only != "":
		return o, errors.New("--write-doc goes with all sections")
	}
	return o, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if dir := os.Getenv(childEnv); dir != "" {
		err = opened(ctx, dir, os.Stdout)
	} else {
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the whole program: results go to stdout, progress to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	t, err := readTrace(paperTrace)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.dir, "pipes-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if o.cpuprofile != "" {
		f, err := os.Create(o.cpuprofile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	rep, err := measureAll(ctx, fullSize(dir, t), o, stderr)
	if err != nil {
		return err
	}
	return rep.publish(o, stdout)
}

// chosen are the sections with the names in a comma-separated list, all for "".
func chosen(only string) ([]setup, error) {
	all := sections()
	if only == "" {
		return all, nil
	}
	var some []setup
	for _, name := range strings.Split(only, ",") {
		i := slices.IndexFunc(all, func(s setup) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no section %q", name)
		}
		some = append(some, all[i])
	}
	return some, nil
}

// measureAll measures the sections that were asked for.
func measureAll(ctx context.Context, e *env, o options, stderr io.Writer) (*report, error) {
	which, err := chosen(o.only)
	if err != nil {
		return nil, err
	}
	rep := &report{Started: time.Now().UTC(), Machine: machine(e.dir), Rounds: o.rounds}
	for _, w := range which {
		s, err := w.run(ctx, e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
		s.Name = w.name
		err = s.measure(ctx, o.rounds, func(done int) {
			fmt.Fprintf(stderr, "%s: round %d of %d\n", s.Name, done, o.rounds)
		})
		if s.close != nil {
			err = errors.Join(err, s.close())
		}
		if err != nil {
			return nil, err
		}
		rep.Sections = append(rep.Sections, s)
	}
	rep.Machine.LoadAfter = load()
	rep.Seconds = time.Since(rep.Started).Seconds()
	return rep, nil
}

// publish writes the report wherever it was asked for.
func (r *report) publish(o options, stdout io.Writer) error {
	if err := r.print(stdout); err != nil {
		return err
	}
	if o.json != "" {
		b, err := json.MarshalIndent(r, "", "\t")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.json, append(b, '\n'), 0o644); err != nil {
			return err
		}
	}
	if !o.writeDoc {
		return nil
	}
	f, err := os.Create(numbersFile)
	if err != nil {
		return err
	}
	return errors.Join(r.markdown(f), f.Close())
}
