package netsync_test

import (
	"bytes"
	"fmt"
	"io"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/netsync"
)

// A bundle is written frame by frame, verified whole, and only then read.
func Example() {
	var file bytes.Buffer
	w, err := netsync.NewBundleWriter(&file, netsync.Begin{Device: crdt.DeviceID{1}})
	if err != nil {
		panic(err)
	}
	for _, f := range netsync.OpsFrames(crdt.ScopeID{2}, [][]byte{[]byte("an operation"), []byte("another")}) {
		if err := w.Write(f); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}

	if _, err := netsync.VerifyBundle(bytes.NewReader(file.Bytes())); err != nil {
		panic(err)
	}
	r, err := netsync.NewBundleReader(&file)
	if err != nil {
		panic(err)
	}
	for {
		f, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			panic(err)
		}
		if ops, ok := f.(netsync.Ops); ok {
			fmt.Printf("%s: %q\n", f.Type(), ops.Ops)
		}
	}
	// Output: ops: ["an operation" "another"]
}

// A file that was cut is refused, and says where.
func ExampleBundleError() {
	var file bytes.Buffer
	w, err := netsync.NewBundleWriter(&file, netsync.Begin{})
	if err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	file.Truncate(file.Len() - 10)
	_, err = netsync.VerifyBundle(&file)
	fmt.Println(err)
	// Output: netsync: bundle refused at byte 63: truncated: unexpected EOF
}
