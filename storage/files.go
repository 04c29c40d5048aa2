package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// writeCategory is what Pebble's file systems account our small files under.
const writeCategory = vfs.WriteCategoryUnspecified

// newSuffix is of a file that is to take another's place.
const newSuffix = ".new"

// writeSmall puts a whole file in place of name, or leaves what was there: a
// temporary file, synced, renamed, the directory synced. On a real disk the
// file is readable by the user alone.
func writeSmall(fsys vfs.FS, dir, name string, data []byte) error {
	path := fsys.PathJoin(dir, name)
	tmp := path + newSuffix
	f, err := fsys.Create(tmp, writeCategory)
	if err != nil {
		return err
	}
	if vfs.Root(fsys) == vfs.Default {
		err = os.Chmod(tmp, 0o600)
	}
	if err == nil {
		_, err = f.Write(append([]byte(nil), data...)) // vfs.File may scribble on it
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, fsys.Remove(tmp))
	}
	if err := fsys.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(fsys, dir)
}

func syncDir(fsys vfs.FS, dir string) error {
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// readSmall reads a whole file of at most maxSmallFile bytes.
func readSmall(fsys vfs.FS, dir, name string) ([]byte, error) {
	f, err := fsys.Open(fsys.PathJoin(dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSmallFile+1))
	if err == nil && len(b) > maxSmallFile {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxSmallFile)
	}
	return b, err
}

// claim refuses to make a replica in a directory that holds anything else: what is
// there would be hidden from its owner's group, and a folder of the name of one of
// ours lost. What an interrupted creation left is no obstacle.
func claim(fsys vfs.FS, dir string) error {
	names, err := fsys.List(dir)
	if missing(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("storage: create %s: %w", dir, err)
	}
	if slices.Contains(names, markerFile) || slices.Contains(names, dataDir) && slices.Contains(names, keysDir) {
		return nil // a replica, the beginning of one, or what is left: see readMarker
	}
	before := []string{lockFile, holderFile, holderFile + newSuffix, markerFile + newSuffix} // come before the marker
	for _, name := range names {
		if !slices.Contains(before, name) {
			return fmt.Errorf("%w: %s has %q", ErrNotEmpty, dir, name)
		}
	}
	return nil
}

// makeDir creates dir for the user alone, durably, and makes it so if it is
// there.
func makeDir(fsys vfs.FS, dir string) error {
	changed := []string{fsys.PathDir(dir)} // directories that get a new entry
	for {
		last := changed[len(changed)-1]
		up := fsys.PathDir(last)
		if _, err := fsys.Stat(last); !missing(err) || up == last {
			break
		}
		changed = append(changed, up)
	}
	if err := fsys.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if vfs.Root(fsys) == vfs.Default {
		if err := os.Chmod(dir, 0o700); err != nil {
			return err
		}
	}
	for _, d := range changed {
		// A parent that the user may enter but not open cannot be synced.
		if err := syncDir(fsys, d); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

func exists(fsys vfs.FS, dir, name string) (bool, error) {
	_, err := fsys.Stat(fsys.PathJoin(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// missing says that a file is not there, which in an opened store is damage.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
