package main

import (
	"encoding/json"
	"errors"
	"io"
	"path/filepath"

	"github.com/pipes-sync/pipes/replica"
	"github.com/pipes-sync/pipes/storage"
)

type initCmd struct {
	Name       string `help:"The person's name. It stays here: others see the id." placeholder:"N"`
	Passphrase bool   `help:"Keep the keys behind a passphrase, asked for or read from --passphrase-file."`
}

func (initCmd) Help() string {
	return `Makes the directory, a person with a recovery key, and this device as the person's first.

    pipes init --name Ann
    pipes --dir ./me init --passphrase`
}

func (c initCmd) Run(a *app) error {
	dir, err := filepath.Abs(a.Dir)
	if err != nil {
		return err
	}
	var keys storage.KeyProvider
	if c.Passphrase || a.PassphraseFile != "" {
		text, err := a.passphrase(true)
		if err != nil {
			return err
		}
		keys = storage.NewPassphrase(text, false)
	}
	opt := a.options(keys)
	opt.Name = c.Name
	r, err := replica.Init(a.ctx, dir, opt)
	if there := (*replica.ExistsError)(nil); errors.As(err, &there) {
		p := replica.ProblemOf(err)
		p.Person, p.Device = there.Person.String(), there.Device.String()
		return p
	}
	if err != nil {
		return err
	}
	row := struct {
		Person string `json:"person"`
		Device string `json:"device"`
		Dir    string `json:"dir"`
	}{r.Person().String(), r.Device().String(), dir}
	if err := r.Close(); err != nil {
		return err
	}
	if err := a.printValue(row, fields); err != nil {
		return err
	}
	a.say("next: %s", a.here("pipes new"))
	return nil
}

type idCmd struct{}

func (idCmd) Run(a *app) error { return a.show("/v1/id", fields) }

func (statusCmd) Help() string {
	return `Sizes are in bytes. Queued are changes on their way to the disk; reserve is room that is always left free; apart are change sets that were left out because the process died on them; damaged documents cannot be read.`
}

type statusCmd struct {
	Doc string `arg:"" optional:"" help:"A document; without it the whole replica."`
}

func (c statusCmd) Run(a *app) error {
	if c.Doc == "" {
		return a.show("/v1/status", fields)
	}
	path, err := docURL(c.Doc, "/status")
	if err != nil {
		return err
	}
	return a.show(path, fields)
}

// show gets and prints.
func (a *app) show(path string, human func(w io.Writer, raw json.RawMessage) error) error {
	return a.with(func(c *client) error {
		raw, err := c.json("GET", path, nil)
		if err != nil {
			return err
		}
		return a.print(raw, human)
	})
}

type whoCmd struct{}

func (whoCmd) Help() string {
	return "A person becomes known through a bundle of theirs: pipes bundle import FILE"
}

func (whoCmd) Run(a *app) error {
	return a.show("/v1/persons", a.table("nobody is known here", "person", "name"))
}

type shareCmd struct {
	Doc    string `arg:"" help:"Id of the document."`
	Person string `arg:"" help:"Id, the beginning of it, or a name known here."`
	Role   string `required:"" placeholder:"ROLE" help:"relay (stores, cannot read), reader, writer or admin."`
}

func (shareCmd) Help() string {
	return `The person must be known here: import a bundle of theirs first. They learn of the document from the next bundle for them.

    pipes bundle import ben.bundle
    pipes share DOC bafyrei... --role writer
    pipes bundle export --for bafyrei... for-ben.bundle`
}

func (c shareCmd) Run(a *app) error {
	path, err := docURL(c.Doc, "/acl")
	if err != nil {
		return err
	}
	return a.with(func(cl *client) error {
		raw, err := cl.post(path, map[string]string{"person": c.Person, "role": c.Role})
		if err != nil {
			return err
		}
		var got struct{ Role string }
		if err := json.Unmarshal(raw, &got); err != nil {
			return err
		}
		if got.Role != c.Role {
			a.say("nothing changed: the person has the role %s already, and a role once granted stays", got.Role)
		}
		return a.print(raw, fields)
	})
}

type aclCmd struct {
	Doc string `arg:"" help:"Id of the document."`
}

func (c aclCmd) Run(a *app) error {
	path, err := docURL(c.Doc, "/acl")
	if err != nil {
		return err
	}
	return a.show(path, a.table("nobody", "role", "name", "person", "since"))
}
