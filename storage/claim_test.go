package storage

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A directory that holds anything else is left as it is: its mode, and folders whose
// names are ours.
func TestInitLeavesOtherDirectoriesAlone(t *testing.T) {
	backup := filepath.Join(t.TempDir(), "backup")
	s, err := Init(t.Context(), filepath.Join(t.TempDir(), "r"), &Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	for name, create := range map[string]func(dir string) error{
		"init": func(dir string) error {
			_, err := Init(t.Context(), dir, &Options{Reserve: -1})
			return err
		},
		"restore": func(dir string) error { return Restore(t.Context(), backup, dir, &Options{Reserve: -1}) },
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			precious := filepath.Join(home, dataDir, "precious")
			if err := errors.Join(os.Chmod(home, 0o755), os.Mkdir(filepath.Dir(precious), 0o755), os.WriteFile(precious, []byte("x"), 0o644)); err != nil {
				t.Fatal(err)
			}
			if err := create(home); !errors.Is(err, ErrNotEmpty) {
				t.Errorf("got %v", err)
			}
			if _, err := os.Stat(precious); err != nil {
				t.Error(err)
			}
			if info, err := os.Stat(home); err != nil || info.Mode().Perm() != 0o755 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
		})
	}
}
