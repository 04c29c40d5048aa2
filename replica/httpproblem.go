package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/storage"
)

// Problem is an error as it leaves the process: the body of a failed request
// (RFC 9457, application/problem+json), and what the command line makes its
// exit code of.
type Problem struct {
	Type   string `json:"type"`             // what exactly went wrong, as a tag URI (RFC 4151)
	Title  string `json:"title"`            // the same in words
	Status int    `json:"status"`           // of the HTTP response
	Detail string `json:"detail"`           // which document, path, line, ...
	Kind   string `json:"kind"`             // the exit code's name: "not_found", "denied", ...
	Exit   int    `json:"exit"`             // exit code of the command line
	Next   string `json:"next,omitempty"`   // what to do about it
	Line   int    `json:"line,omitempty"`   // the line of an edit stream that is wrong, from 1
	Person string `json:"person,omitempty"` // who lives in the directory already
	Device string `json:"device,omitempty"`
	Report any    `json:"report,omitempty"` // of work that was done in part, or found damage
}

func (p *Problem) Error() string { return p.Detail }

// problemType is one row of the table of everything that can go wrong.
type problemType struct {
	err    error // matched with errors.Is; nil in rows made by name
	name   string
	status int
	exit   int
	title  string
	next   string
}

// exitKinds names the exit codes.
var exitKinds = map[int]string{
	1: "failed", 2: "usage", 4: "not_found", 5: "verification_failed", 6: "denied", 7: "timeout",
	10: "no_replica", 11: "locked", 12: "wrong_passphrase", 130: "interrupted",
}

// statusInterrupted is what proxies log for a client that went away.
const statusInterrupted = 499

// Names of problems that no sentinel error stands for.
const (
	problemUsage  = "usage"
	problemLarge  = "too_large"
	problemFailed = "failed"
)

// problemTypes is searched from the top: a more special kind stands before the
// one it may wrap.
var problemTypes = []problemType{
	{context.Canceled, "interrupted", statusInterrupted, 130, "interrupted", ""},
	{context.DeadlineExceeded, "timeout", http.StatusGatewayTimeout, 7, "timed out", "try again with a longer --timeout"},
	{ErrNoReplica, "no_replica", http.StatusNotFound, 10, "no replica here", "create one with: pipes init"},
	{ErrLocked, "locked", http.StatusConflict, 11, "locked by another process", "end that process, or wait longer with --timeout"},
	{ErrWrongPassphrase, "wrong_passphrase", http.StatusUnauthorized, 12, "wrong passphrase", "try again, or name the right file with --passphrase-file"},
	{ErrDiskFull, "disk_full", http.StatusInsufficientStorage, 1, "disk full", "make room and try again; what was committed before is safe"},
	{ErrStoreFailed, "store_failed", http.StatusServiceUnavailable, 1, "the store failed", "look at the disk, then run: pipes check"},
	{ErrBadBundle, "bad_bundle", http.StatusUnprocessableEntity, 5, "bundle refused", "have it exported and copied again"},
	{ErrDamaged, "damaged", http.StatusInternalServerError, 5, "damaged", "run: pipes check; then import the document from a peer's bundle, or restore a backup"},
	{ErrDenied, "denied", http.StatusForbidden, 6, "denied", "ask an admin of the document to share it with the role you need"},
	{ErrCopied, "copied", http.StatusConflict, 1, "this directory was copied or rolled back", "back it up, restore the backup into a new directory, and go on there"},
	{ErrWaiting, "waiting", http.StatusConflict, 1, "waits for something that is not here yet", "import the bundle that holds it first"},
	{ErrAmbiguous, "ambiguous", http.StatusBadRequest, 2, "more than one fits", "give more of the id"},
	{ErrExists, "exists", http.StatusConflict, 1, "already exists", "choose another directory with --dir"},
	{ErrUnknownPerson, "unknown_person", http.StatusNotFound, 4, "nothing is known of this person", "import a bundle of theirs first: pipes bundle import FILE"},
	{ErrNotFound, "not_found", http.StatusNotFound, 4, "not found", "give an id or the beginning of one (8 characters or more after \"bafyrei\"); list what is here with: pipes docs, and: pipes persons"},
	{ErrClosed, "closed", http.StatusServiceUnavailable, 1, "the replica is closing", "try again"},
	{ErrTooLarge, problemLarge, http.StatusRequestEntityTooLarge, 2, "too large", "split it: pipes edit takes any number of lines"},
	{storage.ErrClosed, "closed", http.StatusServiceUnavailable, 1, "the replica is closing", "try again"},
	{storage.ErrTooLarge, problemLarge, http.StatusRequestEntityTooLarge, 2, "too large", "split it: pipes edit takes any number of lines"},
	{storage.ErrWrongKey, "wrong_key", http.StatusInternalServerError, 1, "wrong root key", "put the root.key of this directory back, or restore a backup"},
	{storage.ErrNewerFormat, "newer_format", http.StatusInternalServerError, 1, "written by a newer version", "use a newer pipes"},
	{storage.ErrNotEmpty, "not_empty", http.StatusConflict, 1, "the directory holds something else", "choose a new or empty directory with --dir"},
	{storage.ErrReadOnly, "read_only", http.StatusInternalServerError, 1, "the directory is read-only", "make it writable, or choose another with --dir"},
	{crdt.ErrNoPath, "no_path", http.StatusNotFound, 4, "no such path", "see what is there with: pipes get DOC"},
	{crdt.ErrNoChange, "no_change", http.StatusNotFound, 4, "no such change", "see the changes with: pipes log DOC"},
	{crdt.ErrType, problemUsage, http.StatusBadRequest, 2, "wrong kind of value", "see what is there with: pipes get DOC"},
	{crdt.ErrRange, problemUsage, http.StatusBadRequest, 2, "position out of range", "see how long it is with: pipes get DOC PATH; a list grows with the insert of: pipes edit"},
	{crdt.ErrKey, problemUsage, http.StatusBadRequest, 2, "empty key", "give the key a name"},
	{crdt.ErrUTF8, problemUsage, http.StatusBadRequest, 2, "not valid UTF-8", "convert it to UTF-8"},
	{crdt.ErrDepth, problemUsage, http.StatusBadRequest, 2, "nested too deep", "make it flatter"},
	{crdt.ErrBadID, problemUsage, http.StatusBadRequest, 2, "bad id", "see ids with: pipes docs, changes with: pipes log DOC"},
	{acl.ErrBadRole, problemUsage, http.StatusBadRequest, 2, "no such role", "roles are relay, reader, writer and admin"},
	{nil, problemUsage, http.StatusBadRequest, 2, "bad request", ""},
	{nil, problemFailed, http.StatusInternalServerError, 1, "failed", ""},
}

// ProblemOf says what err is to those outside the process. It does not return
// nil, unless err is nil.
func ProblemOf(err error) *Problem {
	if err == nil {
		return nil
	}
	if p := (*Problem)(nil); errors.As(err, &p) {
		return p
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return problemf(problemLarge, "the body is larger than %d bytes", tooLarge.Limit)
	}
	for i := range problemTypes {
		if t := &problemTypes[i]; t.err != nil && errors.Is(err, t.err) {
			return t.problem(err.Error())
		}
	}
	return problemf(problemFailed, "%v", err)
}

// problemf makes a problem by name.
func problemf(name, format string, args ...any) *Problem {
	for i := len(problemTypes) - 1; ; i-- {
		if t := &problemTypes[i]; t.name == name {
			return t.problem(fmt.Sprintf(format, args...))
		}
	}
}

func (t *problemType) problem(detail string) *Problem {
	return &Problem{
		Type:  "tag:pipes-sync.github.io,2026:" + t.name,
		Title: t.title, Status: t.status, Detail: detail,
		Kind: exitKinds[t.exit], Exit: t.exit, Next: t.next,
	}
}

// badRequest is a problem of the caller's making.
func badRequest(format string, args ...any) error { return problemf(problemUsage, format, args...) }

// atLine puts the number of an edit line on a problem. Whatever the reason, a
// bad line is a bad request; a failure of ours stays what it is.
func (p *Problem) atLine(line int) *Problem {
	q := *p
	if q.Status < 500 && q.Exit != 6 && q.Exit != 130 {
		q.Status, q.Exit, q.Kind = http.StatusBadRequest, 2, exitKinds[2]
	}
	q.Line = line
	q.Detail = fmt.Sprintf("line %d: %s", line, p.Detail)
	return &q
}

func writeProblem(w http.ResponseWriter, p *Problem) {
	body, err := json.Marshal(p)
	if err != nil {
		panic("replica: " + err.Error()) // a struct of strings and integers
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	w.Write(append(body, '\n')) // a client that went away is no concern of ours
}
