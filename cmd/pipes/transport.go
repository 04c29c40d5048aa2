package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// handlerTransport answers requests by calling a handler in this process. Bodies
// stream both ways at once, as over a connection.
type handlerTransport struct {
	handler http.Handler
	calls   sync.WaitGroup
}

// wait returns when no handler runs any more.
func (t *handlerTransport) wait() { t.calls.Wait() }

// RoundTrip implements [http.RoundTripper].
func (t *handlerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	body, closeBody := serverBody(ctx, req.Body)
	in := req.Clone(ctx)
	in.Body = body
	in.RequestURI = req.URL.RequestURI()

	pr, pw := io.Pipe()
	w := &responseWriter{header: http.Header{}, body: pw, begun: make(chan *http.Response, 1)}
	w.response = &http.Response{
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: -1, Body: &clientBody{pr, cancel}, Request: req, Trailer: http.Header{},
	}
	// A client that gives up frees a handler that waits to write to it.
	stop := context.AfterFunc(ctx, func() { pw.CloseWithError(context.Cause(ctx)) })
	t.calls.Go(func() {
		defer cancel()
		defer stop()
		defer closeBody()
		w.end(serve(t.handler, w, in))
	})
	select {
	case resp := <-w.begun:
		return resp, nil
	case <-ctx.Done():
		// The handler may have ended, and cancelled, with its answer in the channel.
		select {
		case resp := <-w.begun:
			return resp, nil
		default:
			return nil, ctx.Err()
		}
	}
}

// serve calls h and turns its breaking off into an error, as a server does.
func serve(h http.Handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			err = io.ErrUnexpectedEOF
		default:
			panic(v)
		}
	}()
	h.ServeHTTP(w, r)
	return nil
}

// serverBody is the body as the handler reads it. A file is handed on as it is:
// it never blocks and can be read twice. Anything else, a terminal say, may not
// answer for ever: a goroutine of its own waits for it, which an interrupted
// process leaves behind.
func serverBody(ctx context.Context, body io.ReadCloser) (io.ReadCloser, func()) {
	if body == nil {
		return http.NoBody, func() {}
	}
	if f, ok := body.(fileBody); ok {
		return f, func() { f.Close() }
	}
	pr, pw := io.Pipe()
	stop := context.AfterFunc(ctx, func() { pr.CloseWithError(ctx.Err()) })
	go func() {
		_, err := io.Copy(pw, body)
		pw.CloseWithError(err)
		body.Close()
	}()
	return pr, func() { stop(); pr.Close() }
}

// fileBody marks a request body that is a regular file.
type fileBody struct{ io.ReadSeekCloser }

// clientBody is the answer as the client reads it.
type clientBody struct {
	*io.PipeReader
	cancel func()
}

// Close tells the handler that nobody listens any more.
func (b *clientBody) Close() error {
	b.cancel()
	return b.PipeReader.Close()
}

// responseWriter is what the handler writes to.
type responseWriter struct {
	header   http.Header
	response *http.Response
	body     *io.PipeWriter
	begun    chan *http.Response // holds the answer once its header is written
	wrote    bool
}

func (w *responseWriter) Header() http.Header { return w.header }

func (w *responseWriter) WriteHeader(status int) {
	if w.wrote {
		return
	}
	w.wrote = true
	w.response.StatusCode = status
	w.response.Status = fmt.Sprintf("%d %s", status, http.StatusText(status))
	w.response.Header = w.header.Clone()
	w.begun <- w.response
}

func (w *responseWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// FlushError and EnableFullDuplex are for http.ResponseController: nothing is
// held back, and both directions are always open.
func (w *responseWriter) FlushError() error       { return nil }
func (w *responseWriter) EnableFullDuplex() error { return nil }

// end ends the answer, with the trailers if it is whole.
func (w *responseWriter) end(err error) {
	if err == nil {
		w.WriteHeader(http.StatusOK)
		for k, v := range w.header {
			if name, ok := strings.CutPrefix(k, http.TrailerPrefix); ok {
				w.response.Trailer[name] = v
			}
		}
	}
	if !w.wrote {
		w.WriteHeader(http.StatusBadGateway)
	}
	w.body.CloseWithError(err)
}
