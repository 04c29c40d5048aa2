package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// facts are what a reader needs to know of the machine.
type facts struct {
	CPU        string `json:"cpu"`
	CPUs       int    `json:"cpus"`
	System     string `json:"system"`
	Go         string `json:"go"`
	FileSystem string `json:"file_system"` // of the directory that was measured in
	LoadBefore string `json:"load_before"` // runnable tasks over 1, 5 and 15 minutes
	LoadAfter  string `json:"load_after"`
}

// unknown stands for what the system does not tell.
const unknown = "unknown"

func machine(dir string) facts {
	return facts{
		CPU: cpuModel(), CPUs: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH,
		Go: runtime.Version(), FileSystem: fileSystem(dir), LoadBefore: load(), LoadAfter: unknown,
	}
}

func (f facts) String() string {
	return fmt.Sprintf("%d CPUs (%s), %s, %s, %s, load %s before and %s after",
		f.CPUs, f.CPU, f.System, f.Go, f.FileSystem, f.LoadBefore, f.LoadAfter)
}

func cpuModel() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return unknown
}

// load is the average number of tasks that wanted to run, over 1, 5 and 15 minutes.
func load() string {
	b, _ := os.ReadFile("/proc/loadavg")
	if f := strings.Fields(string(b)); len(f) >= 3 {
		return strings.Join(f[:3], " ")
	}
	return unknown
}

// fileSystem is the type of the file system that dir is on.
func fileSystem(dir string) string {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return unknown
	}
	b, _ := os.ReadFile("/proc/self/mounts")
	kind, longest := unknown, ""
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 3 || len(f[1]) < len(longest) {
			continue
		}
		if rel, err := filepath.Rel(f[1], dir); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			kind, longest = f[2], f[1]
		}
	}
	return kind
}

// resident is this process's memory in bytes, as far as the system tells.
func resident() (bytes int64, ok bool) {
	b, _ := os.ReadFile("/proc/self/statm")
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseInt(f[1], 10, 64)
	return pages * int64(os.Getpagesize()), err == nil
}

// heap is what Go's heap holds after a collection, in bytes.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools let go of
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
