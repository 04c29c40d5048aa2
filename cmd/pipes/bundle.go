package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

type bundleExportCmd struct {
	File string `arg:"" help:"Where to write it; - is standard output."`
	For  string `help:"The person that it is for: what they may have. Without it: everything here, for a replica of yours, and for others who you are." placeholder:"PERSON"`
}

func (bundleExportCmd) Help() string {
	return `A bundle is sealed: it can travel by mail or on a stick. Whoever imports it gets what they may read, and no more.

    pipes bundle export me.bundle                      so that others know who you are
    pipes bundle export --for bafyrei... ben.bundle    what that person may have`
}

// reportTrailer carries the report of an export.
const reportTrailer = "Pipes-Report"

func (c bundleExportCmd) Run(a *app) error {
	return a.with(func(cl *client) error {
		resp, err := cl.do("GET", "/v1/bundle"+queryString("for", c.For), nil)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		bar := a.progress("exporting")
		defer bar.end()
		body := &counter{r: resp.Body, tell: bar}
		if c.File == "-" {
			_, err := io.Copy(a.out, body)
			return err
		}
		if err := writeFile(c.File, body); err != nil {
			return err
		}
		report := json.RawMessage(resp.Trailer.Get(reportTrailer))
		if len(report) == 0 {
			return errors.New("the answer broke off: the bundle has no report")
		}
		return a.print(report, fields)
	})
}

// counter counts what is read through it.
type counter struct {
	r    io.Reader
	n    int64
	tell *progress
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.tell.set(c.n, 0)
	return n, err
}

// writeFile puts a whole file in place of name, or leaves what was there.
func writeFile(name string, body io.Reader) (err error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return usage("%s is a directory", name).next("name a file in it")
	}
	if _, err := os.Stat(filepath.Dir(name)); errors.Is(err, os.ErrNotExist) {
		return usage("there is no directory %s", filepath.Dir(name)).next("make it, or write elsewhere")
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = io.Copy(f, body)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return os.Rename(f.Name(), name)
}

type bundleImportCmd struct {
	File string `arg:"" help:"The bundle; - is standard input."`
}

func (bundleImportCmd) Help() string {
	return `Importing twice does no harm. A damaged bundle changes nothing.

    pipes bundle import ben.bundle

It prints how many operations (who is who, who may do what), documents and change sets are new here, how many change sets were known, how many groups of documents are not for this person, what was refused and why, and what waits for something that is not here.`
}

func (c bundleImportCmd) Run(a *app) error {
	body, err := a.open(c.File)
	if err != nil {
		return err
	}
	defer body.Close()
	return a.with(func(cl *client) error {
		raw, err := cl.long("/v1/bundle", body, a.progress("importing"))
		if err != nil {
			return err
		}
		return a.print(raw, fields)
	})
}
