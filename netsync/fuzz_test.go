package netsync

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// FuzzDecode: what decodes is written the same again, and refused bytes say so.
func FuzzDecode(f *testing.F) {
	for name, frame := range frames {
		if enc := Encode(frame); len(enc) < 4096 {
			f.Add(enc)
		} else if enc == nil {
			f.Error(name)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrFrame) || frame != nil {
				t.Fatalf("%v, %v", frame, err)
			}
			return
		}
		if !bytes.Equal(Encode(frame), b) {
			t.Fatalf("%s of %x encodes as %x", frame.Type(), b, Encode(frame))
		}
	})
}

// FuzzBundleReader: a bundle that is read to its end is the only way to write what it
// holds, and what is not is refused.
func FuzzBundleReader(f *testing.F) {
	good, _ := smallBundle(f)
	frames := split(f, good)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(spell(frames[0]))
	f.Add(spell(frames[0], frames[len(frames)-1], frames[1]))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewBundleReader(bytes.NewReader(b))
		if err != nil {
			isRefused(t, "at the beginning", err)
			return
		}
		var out bytes.Buffer
		w, err := NewBundleWriter(&out, r.Begin())
		if err != nil {
			t.Fatal(err)
		}
		for {
			frame, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				isRefused(t, "later", err)
				return
			}
			if err := w.Write(frame); err != nil {
				t.Fatal("read and not to be written:", err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), b) {
			t.Fatal("written again it is another file")
		}
	})
}

// FuzzReceive: whatever a carrier who knows how to write a bundle puts into one frame
// of it, no replica takes anything in that was not written by its author.
func FuzzReceive(f *testing.F) {
	good, _ := smallBundle(f)
	frames := split(f, good)
	var honest node
	if _, err := honest.receive(good); err != nil {
		f.Fatal(err)
	}
	for i, frame := range frames {
		f.Add(uint8(i), frame)
	}
	f.Fuzz(func(t *testing.T, i uint8, frame []byte) {
		if len(frame) > MaxFrame {
			return
		}
		changed := append([][]byte(nil), frames...)
		changed[int(i)%len(frames)] = frame
		n := node{}
		if _, err := n.receive(spell(changed...)); err != nil {
			isRefused(t, "a rewritten bundle", err)
			return
		}
		n.within(t, &honest)
	})
}

// FuzzDecodeItems: what decodes is one run, and goes into frames again.
func FuzzDecodeItems(f *testing.F) {
	good, _ := smallBundle(f)
	for _, raw := range split(f, good) {
		if frame, err := Decode(raw); err != nil {
			f.Fatal(err)
		} else if run, ok := frame.(Run); ok {
			f.Add(run.Run, run.Cover)
		}
	}
	w := newWard(f)
	f.Fuzz(func(t *testing.T, run, cover []byte) {
		items, err := DecodeItems(run, cover)
		if err != nil {
			if !errors.Is(err, ErrItems) || items.Sets != nil {
				t.Fatalf("%v, %v", items, err)
			}
			return
		}
		if _, err := RunFrames(items.Sets, items.Cover); err != nil {
			t.Fatal(err)
		}
		if _, err := newNode(w.s, w.doc.Document).admit(items); err != nil {
			t.Fatal(err)
		}
	})
}
