package replica

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"sync"

	"github.com/pipes-sync/pipes/crdt"
)

const (
	// maxLine is the largest line of an edit stream: a change set holds 2 MiB.
	maxLine = 1 << 20
	// maxUncommitted is how much of an edit stream may wait for a commit line in
	// memory.
	maxUncommitted = 64 << 20
	// maxAcks is how many changes may wait for the disk before reading stops.
	maxAcks = 256
)

// editAnswer ends an edit stream. All numbers count from its beginning.
type editAnswer struct {
	Ops     int               `json:"ops"`     // lines that are edits
	Changes int               `json:"changes"` // changes they became
	Heads   []crdt.ChangeHash `json:"heads"`   // of the document, after the last
}

// editAck says that everything up to a line is durable.
type editAck struct {
	Line int `json:"line"`
	editAnswer
}

// editDoc reads edits line by line and writes them as they are committed. With
// Accept: application/x-ndjson it answers while it reads: an [editAck] for each
// durable change, then the [editAnswer], or a [Problem] as {"problem": ...}.
func (h *handler) editDoc(w http.ResponseWriter, r *http.Request) error {
	d, err := h.doc(r)
	if err != nil {
		return err
	}
	s := &editStream{ctx: r.Context(), run: editRun{doc: d, limit: h.maxOps}, w: w, rc: http.NewResponseController(w), lines: wantsLines(r)}
	if err := s.rc.EnableFullDuplex(); err != nil && s.lines {
		return badRequest("this connection cannot answer while it reads: %v", err)
	}
	// After a bad line the rest of the body is not read: the connection cannot be
	// used again. net/http panics if it tries to after a full duplex exchange.
	w.Header().Set("Connection", "close")
	if s.lines {
		w.Header().Set("Content-Type", typeLines)
		w.WriteHeader(http.StatusOK)
		if err := s.rc.Flush(); err != nil {
			return err
		}
	}
	return s.serve(r.Body)
}

// editStream is one request to edit.
type editStream struct {
	ctx   context.Context // of the request
	run   editRun
	w     http.ResponseWriter
	rc    *http.ResponseController
	lines bool

	// What was read since the last commit: lines end in '\n', first is the
	// number of the first of them. They are kept as text, which is smaller than
	// what it becomes, and have been parsed once.
	raw   bytes.Buffer
	first int

	failed chan struct{} // closed when a change could not be kept: what follows it must not be

	// answer belongs to the goroutine of acknowledge until that ends.
	answer editAnswer
}

func (s *editStream) serve(body io.Reader) error {
	heads, err := s.run.doc.Heads(s.ctx)
	if err != nil {
		return s.finish(err)
	}
	s.answer.Heads = heads
	s.failed = make(chan struct{})
	begun := make(chan editChange, maxAcks)
	s.run.begun = func(c editChange) { begun <- c }
	var acks sync.WaitGroup
	var ackErr error
	acks.Go(func() { ackErr = s.acknowledge(begun) })
	err = s.read(body)
	close(begun)
	acks.Wait()
	return s.finish(errors.Join(lineProblem(err), ackErr))
}

// acknowledge waits for changes to be durable and says so. After an error it
// tells read to end, and goes on taking changes, so that nobody waits for it.
func (s *editStream) acknowledge(begun <-chan editChange) (err error) {
	for c := range begun {
		if err != nil {
			continue
		}
		if err = s.acknowledgeOne(c); err != nil {
			close(s.failed)
		}
	}
	return err
}

func (s *editStream) acknowledgeOne(c editChange) error {
	if c.pending != nil {
		if err := c.pending.Wait(s.ctx); err != nil {
			return err
		}
		if c.pending.Changed {
			s.answer.Changes++
		}
		s.answer.Heads = c.pending.Heads
	}
	s.answer.Ops = c.ops
	if !s.lines {
		return nil
	}
	return sendLine(s.w, editAck{c.line, s.answer})
}

func (s *editStream) finish(err error) error {
	if err == nil && !s.lines {
		return writeJSON(s.w, http.StatusOK, s.answer)
	}
	if err == nil {
		return sendLine(s.w, s.answer)
	}
	if !s.lines {
		return err
	}
	return sendLine(s.w, problemRow{ProblemOf(err)})
}

// read takes the stream apart. What follows the last commit is committed at the
// end of input, and dropped after an error.
func (s *editStream) read(body io.Reader) error {
	in := bufio.NewReaderSize(body, 64<<10)
	for n := 1; ; n++ {
		line, err := readLine(in)
		select {
		case <-s.failed:
			return nil // acknowledge knows why
		default:
		}
		if err == io.EOF && s.raw.Len() == 0 {
			return nil
		}
		if err == io.EOF {
			return s.commit("", n-1)
		}
		if err != nil {
			return &lineError{n, err}
		}
		if err := s.take(line, n); err != nil {
			return err
		}
	}
}

// readLine reads a line of at most maxLine bytes without its end. The last one
// may lack it. The line is valid until the next call.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > maxLine+1 {
			return nil, problemf(problemLarge, "longer than %d bytes", maxLine)
		}
		switch {
		case err == bufio.ErrBufferFull:
			line = append(line, part...)
			continue
		case err == io.EOF && len(line)+len(part) > 0, err == nil:
			if line == nil {
				return bytes.TrimSuffix(part, []byte("\n")), nil
			}
			return bytes.TrimSuffix(append(line, part...), []byte("\n")), nil
		}
		return nil, err
	}
}

// take checks line n and keeps it, or commits.
func (s *editStream) take(line []byte, n int) error {
	if len(bytes.TrimSpace(line)) == 0 {
		line = nil // kept, so that lines keep their numbers
	} else {
		op, err := parseEditOp(line)
		if err != nil {
			return &lineError{n, err}
		}
		if op.kind == "commit" {
			return s.commit(op.text, n)
		}
	}
	if s.raw.Len()+len(line)+1 > maxUncommitted {
		p := problemf(problemLarge, "more than %d MiB without a commit line", maxUncommitted>>20)
		p.Next = `put a line {"commit": "message"} in between`
		return &lineError{n, p}
	}
	if s.raw.Len() == 0 {
		s.first = n
	}
	s.raw.Write(line)
	s.raw.WriteByte('\n')
	return nil
}

// commit writes what was kept. Line end is acknowledged last.
func (s *editStream) commit(message string, end int) error {
	err := s.run.apply(s.ctx, message, s.kept(), end)
	if s.raw.Reset(); s.raw.Cap() > maxLine {
		s.raw = bytes.Buffer{} // one long run must not hold memory for the rest of the stream
	}
	return err
}

// kept gives the edits since the last commit.
func (s *editStream) kept() iter.Seq[editOp] {
	return func(yield func(editOp) bool) {
		n := s.first
		for line := range bytes.Lines(s.raw.Bytes()) {
			if len(line) > 1 {
				op, err := parseEditOp(line)
				if err != nil {
					panic("replica: " + err.Error()) // take parsed the same bytes
				}
				op.line, op.size = n, len(line)
				if !yield(op) {
					return
				}
			}
			n++
		}
	}
}
