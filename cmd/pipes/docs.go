package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
)

type newCmd struct {
	File string `arg:"" optional:"" help:"A JSON object; - is standard input; without it the document is empty."`
}

func (newCmd) Help() string {
	return `Prints the id of the document. Nobody else sees it until it is shared.

    pipes new
    echo '{"title": "Shopping", "items": []}' | pipes new -`
}

func (c newCmd) Run(a *app) error {
	body, err := a.open(c.File)
	if err != nil {
		return err
	}
	defer body.Close()
	return a.with(func(cl *client) error {
		raw, err := cl.json("POST", "/v1/docs", body, "Content-Type", typeJSON)
		if err != nil {
			return err
		}
		return a.print(raw, field("doc"))
	})
}

// open opens an input file; "-" is standard input, "" nothing. A regular file
// comes as a [fileBody].
func (a *app) open(name string) (io.ReadCloser, error) {
	switch name {
	case "":
		return io.NopCloser(strings.NewReader("")), nil
	case "-":
		return io.NopCloser(a.in), nil
	}
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, (&exitError{code: exitNotFound, text: err.Error()}).next("look at the name; - is standard input")
	}
	if err != nil {
		return nil, err
	}
	switch info, err := f.Stat(); {
	case err == nil && info.IsDir():
		return nil, errors.Join(usage("%s is a directory", name).next("name a file"), f.Close())
	case err == nil && info.Mode().IsRegular():
		return fileBody{f}, nil
	}
	return f, nil
}

type docsCmd struct{}

func (docsCmd) Help() string {
	return `BYTES is the size of what is kept of it, sealed and compressed. STATE is open, unopened when something arrived that was not read yet, or damaged.`
}

func (docsCmd) Run(a *app) error {
	return a.show("/v1/docs", a.table("no documents yet; create one with: pipes new", "doc", "bytes", "state"))
}

type getCmd struct {
	Doc  string `arg:"" help:"Id of the document."`
	Path string `arg:"" optional:"" help:"Like a/b/0; ~1 stands for / and ~0 for ~ in a key."`
}

func (c getCmd) Run(a *app) error {
	path, err := docURL(c.Doc, "", "path", c.Path)
	if err != nil {
		return err
	}
	return a.show(path, document)
}

type atCmd struct {
	Doc   string `arg:"" help:"Id of the document."`
	Heads string `arg:"" help:"Changes from log or heads, separated by commas; 8 digits of each will do."`
	Path  string `arg:"" optional:"" help:"Like a/b/0."`
}

func (c atCmd) Run(a *app) error {
	heads := strings.TrimSpace(c.Heads)
	if strings.HasPrefix(heads, "[") { // as heads prints them
		var list []string
		if err := json.Unmarshal([]byte(heads), &list); err != nil {
			return usage("heads: %v", err)
		}
		heads = strings.Join(list, ",")
	}
	if heads == "" {
		return usage("no heads given").next("see them with: pipes heads DOC")
	}
	path, err := docURL(c.Doc, "/at/"+url.PathEscape(heads), "path", c.Path)
	if err != nil {
		return err
	}
	return a.show(path, document)
}

type headsCmd struct {
	Doc string `arg:"" help:"Id of the document."`
}

func (c headsCmd) Run(a *app) error {
	path, err := docURL(c.Doc, "/heads")
	if err != nil {
		return err
	}
	return a.show(path, document)
}

type logCmd struct {
	Doc string `arg:"" help:"Id of the document."`
}

func (logCmd) Help() string { return "Times are what the writers' clocks said." }

func (c logCmd) Run(a *app) error {
	path, err := docURL(c.Doc, "/log")
	if err != nil {
		return err
	}
	return a.show(path, a.table("no changes yet", "hash", "time", "person", "seq", "ops", "message"))
}

type setCmd struct {
	Doc  string `arg:"" help:"Id of the document."`
	Path string `arg:"" help:"Like a/b/0; the map or list that it ends in must exist."`
	JSON string `arg:"" name:"json" help:"Any JSON value; a string needs its quotes."`
}

func (setCmd) Help() string {
	return `Writes the difference only: setting a text changes the characters that differ, so that what others typed lives on.

    pipes set DOC title '"Shopping"'
    pipes set DOC items '[]'
    pipes set DOC count -1`
}

func (c setCmd) Run(a *app) error {
	var value bytes.Buffer
	if err := json.Compact(&value, []byte(c.JSON)); err != nil {
		return usage("%q is not JSON: %v", c.JSON, err).next(`a string needs its quotes: '"text"'`)
	}
	return a.edit(c.Doc, "set", c.Path, json.RawMessage(value.Bytes()))
}

type delCmd struct {
	Doc  string `arg:"" help:"Id of the document."`
	Path string `arg:"" help:"Like a/b/0."`
}

func (c delCmd) Run(a *app) error { return a.edit(c.Doc, "del", c.Path) }

type spliceCmd struct {
	Doc  string `arg:"" help:"Id of the document."`
	Path string `arg:"" help:"Where the text is."`
	Pos  string `arg:"" help:"Position, in Unicode code points from 0."`
	Del  string `arg:"" help:"How many code points to delete there."`
	Text string `arg:"" help:"What to insert there, taken as it is."`
}

func (spliceCmd) Help() string {
	return `Positions past the end are an error. One splice is one change.

    pipes splice DOC title 0 0 'My '`
}

func (c spliceCmd) Run(a *app) error {
	pos, err := strconv.Atoi(c.Pos)
	if err != nil {
		return usage("position %q is not a number", c.Pos).next("see: pipes splice --help")
	}
	del, err := strconv.Atoi(c.Del)
	if err != nil {
		return usage("%q is not a number of characters to delete", c.Del).next("see: pipes splice --help")
	}
	return a.edit(c.Doc, "splice", c.Path, pos, del, c.Text)
}

// edit applies one edit as one change.
func (a *app) edit(doc, kind string, args ...any) error {
	path, err := docURL(doc, "")
	if err != nil {
		return err
	}
	line, err := marshal(map[string]any{kind: args})
	if err != nil {
		return err
	}
	return a.with(func(c *client) error {
		raw, err := c.json("PATCH", path, bytes.NewReader(line), "Content-Type", typeLines)
		if err != nil {
			return err
		}
		return a.print(raw, headsOnly)
	})
}

// headsOnly prints the heads as the command heads does.
func headsOnly(w io.Writer, raw json.RawMessage) error {
	var answer struct{ Heads json.RawMessage }
	if err := json.Unmarshal(raw, &answer); err != nil {
		return err
	}
	return document(w, answer.Heads)
}
