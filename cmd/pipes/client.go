package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/pipes-sync/pipes/replica"
)

// Media types that the API takes and gives.
const (
	typeJSON  = "application/json"
	typeLines = "application/x-ndjson"
)

// client speaks the HTTP API.
type client struct {
	ctx   context.Context
	http  http.Client
	close func() error // gives the replica back
}

// connect reaches the daemon of the directory, or opens the replica here.
func (a *app) connect() (*client, error) {
	if c := a.daemon(); c != nil {
		return c, nil
	}
	return a.local()
}

// socket is where a daemon serves the API.
func (a *app) socket() string { return filepath.Join(a.Dir, "api.sock") }

// daemon is nil if none listens: a socket may be left over from one that died.
func (a *app) daemon() *client {
	conn, err := net.DialTimeout("unix", a.socket(), time.Second)
	if err != nil {
		return nil
	}
	conn.Close()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", a.socket())
	}
	t := &http.Transport{DialContext: dial}
	return &client{a.ctx, http.Client{Transport: t}, func() error { t.CloseIdleConnections(); return nil }}
}

// local serves the API in this process, to this process.
func (a *app) local() (*client, error) {
	keys, err := a.keys()
	if err != nil {
		return nil, err
	}
	r, err := replica.Open(a.ctx, a.Dir, a.options(keys))
	if err != nil {
		return nil, err
	}
	t := &handlerTransport{handler: r.Handler()}
	return &client{a.ctx, http.Client{Transport: t}, func() error { t.wait(); return r.Close() }}, nil
}

// with connects, calls f, and gives the replica back.
func (a *app) with(f func(*client) error) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	return errors.Join(f(c), c.close())
}

// do sends a request. An answer that is an error comes as a [replica.Problem].
func (c *client) do(method, path string, body io.Reader, header ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(c.ctx, method, "http://pipes"+path, body)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	p := &replica.Problem{}
	if json.Unmarshal(text, p) != nil || p.Exit == 0 {
		return nil, fmt.Errorf("%s %s: %s: %.200q", method, path, resp.Status, text)
	}
	return nil, p
}

// json sends a request and reads its whole answer.
func (c *client) json(method, path string, body io.Reader, header ...string) (json.RawMessage, error) {
	resp, err := c.do(method, path, body, header...)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// post sends v as JSON.
func (c *client) post(path string, v any) (json.RawMessage, error) {
	body, err := marshal(v)
	if err != nil {
		return nil, err
	}
	return c.json("POST", path, bytes.NewReader(body), "Content-Type", typeJSON)
}

// long sends a request whose answer says meanwhile how far it is.
func (c *client) long(path string, body io.Reader, p *progress) (json.RawMessage, error) {
	defer p.end()
	resp, err := c.do("POST", path, body, "Accept", typeLines)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	for d := json.NewDecoder(resp.Body); ; {
		var row struct {
			Progress *struct{ Done, Total int64 }
			Problem  *replica.Problem
			Result   json.RawMessage
		}
		switch err := d.Decode(&row); {
		case err != nil:
			return nil, fmt.Errorf("the answer broke off: %w", err)
		case row.Problem != nil:
			return nil, row.Problem
		case row.Result != nil:
			return row.Result, nil
		case row.Progress != nil:
			p.set(row.Progress.Done, row.Progress.Total)
		}
	}
}

// docURL is the address of something of a document. Queries come as pairs.
func docURL(doc, rest string, query ...string) (string, error) {
	if doc == "" || strings.Trim(doc, ".") == "" {
		return "", usage("%q is not a document", doc).next("list them with: pipes docs")
	}
	return "/v1/docs/" + url.PathEscape(doc) + rest + queryString(query...), nil
}

func queryString(query ...string) string {
	v := url.Values{}
	for i := 0; i < len(query); i += 2 {
		if query[i+1] != "" {
			v.Set(query[i], query[i+1])
		}
	}
	if len(v) == 0 {
		return ""
	}
	return "?" + v.Encode()
}
