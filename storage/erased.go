package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Finding is where a marker stands in a file.
type Finding struct {
	File   string
	Offset int64
}

// CheckErased searches every byte of every file under dir for marker and
// answers where it stands, at most 1,000 places. What Pebble has removed is
// not searched: the disk may keep such blocks until it writes them anew.
func CheckErased(ctx context.Context, dir string, marker []byte, o *Options) ([]Finding, error) {
	if len(marker) == 0 {
		return nil, errors.New("storage: check erased: empty marker")
	}
	opt := o.withDefaults()
	e := &eraseCheck{ctx: ctx, fs: opt.FS, marker: marker, buf: make([]byte, 1<<20+len(marker))}
	if err := e.dir(dir); err != nil {
		return e.found, fmt.Errorf("storage: check erased: %w", err)
	}
	return e.found, nil
}

type eraseCheck struct {
	ctx    context.Context
	fs     vfs.FS
	marker []byte
	buf    []byte
	found  []Finding
}

func (e *eraseCheck) dir(dir string) error {
	names, err := e.fs.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		path := e.fs.PathJoin(dir, name)
		info, err := e.fs.Stat(path)
		switch {
		case missing(err):
			continue // removed meanwhile
		case err == nil && info.IsDir():
			err = e.dir(path)
		case err == nil && info.Mode().IsRegular():
			err = e.file(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// file reads in pieces that overlap by one byte less than the marker.
func (e *eraseCheck) file(path string) error {
	f, err := e.fs.Open(path)
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	kept, at := 0, int64(0) // bytes at the front of buf, and where they stand
	for {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(f, e.buf[kept:])
		text := e.buf[:kept+n]
		for from := 0; len(e.found) < maxProblems; {
			i := bytes.Index(text[from:], e.marker)
			if i < 0 {
				break
			}
			e.found = append(e.found, Finding{path, at + int64(from+i)})
			from += i + 1
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		}
		if err != nil {
			return err
		}
		kept = len(e.marker) - 1
		at += int64(len(text) - kept)
		copy(e.buf, text[len(text)-kept:])
	}
}
