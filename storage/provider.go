package storage

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/crypto/argon2"
)

// A KeyProvider holds the root key of a replica, under which all other keys
// are wrapped. [FileKey] and [Passphrase] are the ones there are.
type KeyProvider interface {
	// Kind names the provider in the directory's marker, for clear errors.
	Kind() string
	// Create makes the root key of a new directory and keeps what Open needs.
	Create(fsys vfs.FS, dir string) (Secret, error)
	// Open returns the root key. A passphrase that does not fit is
	// ErrWrongPassphrase; anything missing or malformed is ErrWrongKey.
	Open(fsys vfs.FS, dir string) (Secret, error)
}

const (
	rootKeyFile    = "root.key"
	passphraseFile = "passphrase.json"

	kindFile       = "file"
	kindPassphrase = "passphrase"
)

// FileKey keeps the root key in DIR/root.key, readable by the user alone. Who
// can read the directory can read the replica.
type FileKey struct{}

// rootKeyHead is the version in front of the key in root.key.
const rootKeyHead = "pipes root key v1 "

// Kind implements [KeyProvider].
func (FileKey) Kind() string { return kindFile }

// Create implements [KeyProvider].
func (FileKey) Create(fsys vfs.FS, dir string) (Secret, error) {
	root := randomSecret()
	text := rootKeyHead + hex.EncodeToString(root.b[:]) + "\n"
	if err := writeSmall(fsys, dir, rootKeyFile, []byte(text)); err != nil {
		return Secret{}, fmt.Errorf("storage: create root key: %w", err)
	}
	return root, nil
}

// Open implements [KeyProvider].
func (FileKey) Open(fsys vfs.FS, dir string) (Secret, error) {
	text, err := readSmall(fsys, dir, rootKeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return Secret{}, &KeyError{dir, ErrWrongKey, rootKeyFile + " is missing; put it back from where you keep it"}
	}
	if err != nil {
		return Secret{}, fmt.Errorf("storage: read root key: %w", err)
	}
	var root Secret
	digits, ok := bytes.CutPrefix(text, []byte(rootKeyHead))
	digits = bytes.TrimSuffix(digits, []byte("\n"))
	if !ok || len(digits) != hex.EncodedLen(len(root.b)) {
		return Secret{}, &KeyError{dir, ErrWrongKey, rootKeyFile + " is not a root key file"}
	}
	if _, err := hex.Decode(root.b[:], digits); err != nil {
		return Secret{}, &KeyError{dir, ErrWrongKey, rootKeyFile + " is not a root key file"}
	}
	return root, nil
}

// Passphrase wraps a random root key under a key made from a passphrase with
// argon2id (RFC 9106). Salt, parameters and wrapped key are in
// DIR/passphrase.json.
type Passphrase struct {
	text []byte
	lean bool
}

// NewPassphrase copies text. Lean asks for 19 MiB of memory instead of 64 when
// a replica is created; opening follows what the directory says.
func NewPassphrase(text []byte, lean bool) *Passphrase {
	return &Passphrase{bytes.Clone(text), lean}
}

// LogValue implements [slog.LogValuer].
func (*Passphrase) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format implements [fmt.Formatter] for every verb.
func (*Passphrase) Format(f fmt.State, _ rune) { f.Write([]byte(redacted)) }

// passphraseRecord is passphrase.json.
type passphraseRecord struct {
	Version int    `json:"version"`
	KDF     string `json:"kdf"`
	Salt    []byte `json:"salt"`
	Time    uint32 `json:"time"`
	Memory  uint32 `json:"memory_kib"`
	Lanes   uint8  `json:"lanes"`
	Wrapped []byte `json:"wrapped"`
}

const passphraseContext = "pipes passphrase v1"

func (p *Passphrase) derive(r passphraseRecord) Secret {
	return Secret{[32]byte(argon2.IDKey(p.text, r.Salt, r.Time, r.Memory, r.Lanes, 32))}
}

// Kind implements [KeyProvider].
func (*Passphrase) Kind() string { return kindPassphrase }

// Create implements [KeyProvider].
func (p *Passphrase) Create(fsys vfs.FS, dir string) (Secret, error) {
	// RFC 9106 section 4, second choice; lean: the smallest of OWASP's.
	r := passphraseRecord{Version: 1, KDF: "argon2id", Salt: make([]byte, 16), Time: 3, Memory: 64 << 10, Lanes: 4}
	if p.lean {
		r.Time, r.Memory, r.Lanes = 2, 19<<10, 1
	}
	rand.Read(r.Salt)
	root := randomSecret()
	r.Wrapped = seal(p.derive(r).aead(), []byte(passphraseContext), root.b[:])
	text, err := json.MarshalIndent(r, "", "\t")
	if err == nil {
		err = writeSmall(fsys, dir, passphraseFile, append(text, '\n'))
	}
	if err != nil {
		return Secret{}, fmt.Errorf("storage: create passphrase file: %w", err)
	}
	return root, nil
}

// Open implements [KeyProvider].
func (p *Passphrase) Open(fsys vfs.FS, dir string) (Secret, error) {
	text, err := readSmall(fsys, dir, passphraseFile)
	if errors.Is(err, fs.ErrNotExist) {
		return Secret{}, &KeyError{dir, ErrWrongKey, passphraseFile + " is missing"}
	}
	if err != nil {
		return Secret{}, fmt.Errorf("storage: read passphrase file: %w", err)
	}
	r, err := parsePassphraseRecord(text)
	if err != nil {
		return Secret{}, &KeyError{dir, ErrWrongKey, passphraseFile + ": " + err.Error()}
	}
	plain, err := open(p.derive(r).aead(), []byte(passphraseContext), r.Wrapped)
	if err != nil || len(plain) != 32 {
		return Secret{}, &KeyError{dir, ErrWrongPassphrase, "try again"}
	}
	return Secret{[32]byte(plain)}, nil
}

// parsePassphraseRecord is strict: the parameters cost memory and time.
func parsePassphraseRecord(text []byte) (r passphraseRecord, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, err
	}
	switch {
	case r.Version != 1 || r.KDF != "argon2id":
		return r, fmt.Errorf("version %d with %q is unknown", r.Version, r.KDF)
	case len(r.Salt) < 16 || len(r.Salt) > 64:
		return r, fmt.Errorf("salt of %d bytes", len(r.Salt))
	case r.Time < 1 || r.Time > maxArgonTime, r.Memory < 8 || r.Memory > maxArgonMemory, r.Lanes < 1 || r.Lanes > maxArgonLanes:
		return r, errors.New("argon2id parameters out of range")
	case len(r.Wrapped) != 32+sealOverhead:
		return r, fmt.Errorf("wrapped key of %d bytes", len(r.Wrapped))
	}
	return r, nil
}
