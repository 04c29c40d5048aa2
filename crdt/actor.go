package crdt

import "crypto/sha256"

// DeriveActor is the only Automerge actor under which a device may write to a
// document in one incarnation: the first 16 bytes of
// SHA-256("pipes actor v1\x00" || doc || device || incarnation).
func DeriveActor(doc DocID, device DeviceID, inc Incarnation) ActorID {
	h := sha256.New()
	h.Write([]byte("pipes actor v1\x00"))
	h.Write(doc[:])
	h.Write(device[:])
	h.Write(inc[:])
	return ActorID(h.Sum(nil)[:16])
}

// chunkHead is how many bytes of a change chunk its hash does not cover: four of
// magic, four of checksum.
const chunkHead = 8

// SchemaActor is the actor of a schema change: the first 16 bytes of
// SHA-256("pipes schema v1\x00" || what the hash of zeroed covers), where zeroed is
// the change's uncompressed chunk with an actor of 16 zero bytes. So whoever writes
// the initial shape of a typed document writes the same change, and nobody can write
// another one under its actor. It panics if zeroed is shorter than a chunk's head.
func SchemaActor(zeroed []byte) ActorID {
	h := sha256.New()
	h.Write([]byte("pipes schema v1\x00"))
	h.Write(zeroed[chunkHead:])
	return ActorID(h.Sum(nil)[:16])
}
