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

// SchemaActor is the actor of a schema change: the first 16 bytes of
// SHA-256("pipes schema v1\x00" || zeroed), where zeroed is the change's chunk
// as it would be if its actor were 16 zero bytes. The actor so binds the content.
func SchemaActor(zeroed []byte) ActorID {
	h := sha256.New()
	h.Write([]byte("pipes schema v1\x00"))
	h.Write(zeroed)
	return ActorID(h.Sum(nil)[:16])
}
