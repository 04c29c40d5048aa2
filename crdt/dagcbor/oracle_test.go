package dagcbor

import (
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// oracle is a CBOR library, which knows the profile by its options alone.
type oracle struct {
	enc cbor.EncMode
	dec cbor.DecMode
}

func newOracle(t testing.TB) oracle {
	t.Helper()
	enc, err := cbor.EncOptions{
		NilContainers: cbor.NilContainerAsEmpty, TagsMd: cbor.TagsForbidden, IndefLength: cbor.IndefLengthForbidden,
	}.EncMode()
	if err != nil {
		t.Fatal(err)
	}
	dec, err := cbor.DecOptions{
		MaxNestedLevels:  MaxDepth + 1, // counted from 1 there, from 0 here
		MaxArrayElements: MaxArray, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
	}.DecMode()
	if err != nil {
		t.Fatal(err)
	}
	return oracle{enc, dec}
}

func (o oracle) marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := o.enc.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
