package dagcbor

// AppendIDs appends an array of 32-byte ids.
func AppendIDs[ID ~[32]byte](b []byte, ids []ID) []byte {
	b = AppendArray(b, len(ids))
	for _, id := range ids {
		b = AppendBytes(b, id[:])
	}
	return b
}

// ReadIDs reads an array of lo to hi ids; nil for an empty one.
func ReadIDs[ID ~[32]byte](r *Reader, lo, hi int) []ID {
	n := r.Array(lo, hi)
	if n == 0 {
		return nil
	}
	ids := make([]ID, n)
	for i := range ids {
		var id [32]byte
		r.Fixed(id[:])
		ids[i] = id
	}
	return ids
}
