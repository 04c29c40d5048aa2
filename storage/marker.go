package storage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	markerFile = "replica"
	dataDir    = "data"
	keysDir    = "keys"

	// layoutVersion is the version of everything the package comment shows.
	layoutVersion = 1
)

// marker is DIR/replica.
type marker struct {
	Format int    `json:"format"`
	Keys   string `json:"keys"`
	// Ready is false while Init is at work: such a directory may be begun anew.
	Ready bool `json:"ready"`
	// RootCheck tells a wrong root key from a damaged store.
	RootCheck string `json:"root_check,omitempty"`
}

func (m marker) write(fsys vfs.FS, dir string) error {
	text, err := json.Marshal(m)
	if err == nil {
		err = writeSmall(fsys, dir, markerFile, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("storage: write marker: %w", readOnlyDisk(err))
	}
	return nil
}

// readMarker answers ErrNoReplica, ErrNewerFormat or ErrDamaged where there is
// nothing this version can open.
func readMarker(fsys vfs.FS, dir string) (m marker, err error) {
	text, err := readSmall(fsys, dir, markerFile)
	if errors.Is(err, fs.ErrNotExist) {
		if there, _ := exists(fsys, dir, dataDir); there {
			return m, &DamagedError{What: "directory " + dir, Cause: fmt.Errorf("it has %s but no %s file; salvage it", dataDir, markerFile)}
		}
		return m, fmt.Errorf("%w: %s", ErrNoReplica, dir)
	}
	if err != nil {
		return m, fmt.Errorf("storage: read marker: %w", err)
	}
	// The version first: a newer marker may have other fields.
	if err := json.Unmarshal(text, &m); err == nil && m.Format > layoutVersion {
		return m, &FormatError{dir, m.Format, layoutVersion}
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	m = marker{}
	if err := d.Decode(&m); err != nil || m.Format != layoutVersion {
		return m, &DamagedError{What: "marker of " + dir, Cause: err}
	}
	if !m.Ready {
		return m, fmt.Errorf("%w: %s (its creation was interrupted; create it again)", ErrNoReplica, dir)
	}
	return m, nil
}
