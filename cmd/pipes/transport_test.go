package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
)

// call sends a request through the transport to a handler.
func call(t *testing.T, ctx context.Context, body io.Reader, h http.HandlerFunc) (*handlerTransport, *http.Response, error) {
	t.Helper()
	tr := &handlerTransport{handler: h}
	req, err := http.NewRequestWithContext(ctx, "POST", "http://pipes/x?y=1", body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: tr}).Do(req)
	return tr, resp, err
}

func TestTransportBothWaysAtOnce(t *testing.T) {
	pr, pw := io.Pipe()
	tr, resp, err := call(t, t.Context(), pr, func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusAccepted)
		for lines := bufio.NewScanner(r.Body); lines.Scan(); {
			fmt.Fprintf(w, "got %s\n", lines.Text())
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
		}
		w.Header().Set(http.TrailerPrefix+"Sum", "2")
	})
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatal(resp, err)
	}
	answer := bufio.NewReader(resp.Body)
	for _, line := range []string{"one\n", "two\n"} {
		if _, err := io.WriteString(pw, line); err != nil {
			t.Fatal(err)
		}
		if got, err := answer.ReadString('\n'); got != "got "+line || err != nil {
			t.Fatalf("%q %v", got, err)
		}
	}
	pw.Close()
	if rest, err := io.ReadAll(answer); len(rest) > 0 || err != nil {
		t.Errorf("%q %v", rest, err)
	}
	if got := resp.Trailer.Get("Sum"); got != "2" {
		t.Errorf("trailer %q", got)
	}
	tr.wait()
}

func TestTransportBreaksOff(t *testing.T) {
	tr, resp, err := call(t, t.Context(), nil, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "half")
		panic(http.ErrAbortHandler)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(resp.Body); string(got) != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q %v", got, err)
	}
	if len(resp.Trailer) > 0 {
		t.Errorf("half an answer has trailers: %v", resp.Trailer)
	}
	tr.wait()
}

// TestTransportEnds: a client that goes away, or is interrupted, frees the handler,
// whether that reads, writes or waits.
func TestTransportEnds(t *testing.T) {
	silent, _ := io.Pipe()
	for name, h := range map[string]http.HandlerFunc{
		"reading": func(w http.ResponseWriter, r *http.Request) {
			io.ReadAll(r.Body)
			panic(http.ErrAbortHandler)
		},
		"writing": func(w http.ResponseWriter, r *http.Request) { io.Copy(w, zeros{}) },
		"waiting": func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			go cancel()
			tr, resp, err := call(t, ctx, silent, h)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if err == nil {
				t.Error("got a whole answer")
			}
			tr.wait()
		})
	}
	tr, resp, err := call(t, t.Context(), silent, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, zeros{}) })
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	tr.wait()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
