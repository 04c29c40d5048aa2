package crdt

import "bytes"

// CompareIDs orders ids by their bytes: the order of every sorted list of ids.
func CompareIDs[ID ~[32]byte](a, b ID) int { return bytes.Compare(a[:], b[:]) }

// Ascending reports whether ids are sorted and each stands there once.
func Ascending[ID ~[32]byte](ids []ID) bool {
	for i := 1; i < len(ids); i++ {
		if CompareIDs(ids[i-1], ids[i]) >= 0 {
			return false
		}
	}
	return true
}
