package crdt

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"
)

// bytesKey is the only key of the JSON object that stands for bytes.
const bytesKey = "$bytes"

// ParseJSON reads one JSON value as what [Tx.Set] takes: a string as a text, a
// whole number as int64 (uint64 above its range, float64 above that), others as
// float64, and {"$bytes": base64} as bytes.
func ParseJSON(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("crdt: bad JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("crdt: bad JSON: more than one value")
	}
	return fromJSON(v, 0)
}

func fromJSON(v any, depth int) (_ any, err error) {
	if depth > MaxDepth {
		return nil, ErrDepth
	}
	switch v := v.(type) {
	case json.Number:
		return fromNumber(v)
	case []any:
		for i := range v {
			if v[i], err = fromJSON(v[i], depth+1); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		if s, ok := v[bytesKey].(string); ok && len(v) == 1 {
			b, err := base64.StdEncoding.DecodeString(s)
			if err != nil {
				return nil, fmt.Errorf("crdt: bad JSON: %s: %w", bytesKey, err)
			}
			return b, nil
		}
		for k := range v {
			if v[k], err = fromJSON(v[k], depth+1); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// fromNumber keeps whole numbers whole however they are spelled: 1e3 is 1000.
func fromNumber(n json.Number) (any, error) {
	s := n.String()
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return i, nil
	}
	if u, err := strconv.ParseUint(s, 10, 64); err == nil {
		return u, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, fmt.Errorf("crdt: bad JSON: number %s: %w", clip(s), errors.Unwrap(err))
	}
	if f == math.Trunc(f) && math.Abs(f) <= 1<<53 {
		return int64(f), nil
	}
	return f, nil
}

// WriteJSON writes everything at p as JSON, piece by piece: keys in byte order,
// counters as numbers, bytes as {"$bytes": base64}, times as RFC 3339, NaN and
// infinities as null, unknown values as {"$unknown": base64, "type": code}.
// The same state gives the same bytes. No newline follows.
func (v View) WriteJSON(w io.Writer, p Path) error {
	val, err := v.Get(p)
	if err != nil {
		return err
	}
	j := jsonWriter{w: w}
	if err := j.value(v.r, val); err != nil {
		return err
	}
	return j.flush()
}

// jsonChunk is when a jsonWriter hands on what it has.
const jsonChunk = 32 << 10

type jsonWriter struct {
	w   io.Writer
	buf []byte
}

func (j *jsonWriter) flush() error {
	_, err := j.w.Write(j.buf)
	j.buf = j.buf[:0]
	return err
}

func (j *jsonWriter) value(r Reader, v Value) error {
	if len(j.buf) >= jsonChunk {
		if err := j.flush(); err != nil {
			return err
		}
	}
	switch v.Kind() {
	case KindMap, KindList:
		return j.object(r, v)
	case KindText:
		s, err := r.Text(v.ID)
		j.buf = appendJSONString(j.buf, s)
		return err
	}
	j.buf = appendJSONScalar(j.buf, v)
	return nil
}

func (j *jsonWriter) object(r Reader, v Value) error {
	open, end := byte('{'), byte('}')
	if v.Kind() == KindList {
		open, end = '[', ']'
	}
	j.buf = append(j.buf, open)
	first := true
	for e, err := range r.Entries(v.ID) {
		if err != nil {
			return err
		}
		if !first {
			j.buf = append(j.buf, ',')
		}
		first = false
		if v.Kind() == KindMap {
			j.buf = append(appendJSONString(j.buf, e.Key), ':')
		}
		if err := j.value(r, e.Value); err != nil {
			return err
		}
	}
	j.buf = append(j.buf, end)
	return nil
}

func appendJSONScalar(b []byte, v Value) []byte {
	switch v.Kind() {
	case KindString:
		return appendJSONString(b, v.Str())
	case KindInt, KindCounter:
		return strconv.AppendInt(b, v.Int(), 10)
	case KindUint:
		return strconv.AppendUint(b, v.Uint(), 10)
	case KindFloat:
		if f := v.Float(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return appendJSON(b, f)
		}
	case KindBool:
		return strconv.AppendBool(b, v.Bool())
	case KindBytes:
		return appendJSON(b, map[string][]byte{bytesKey: v.Bytes()})
	case KindTime:
		return append(v.Time().AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
	case KindUnknown:
		return appendJSON(b, struct {
			Data []byte `json:"$unknown"`
			Type uint8  `json:"type"`
		}{v.Bytes(), v.Code()})
	}
	return append(b, "null"...)
}

func appendJSONString(b []byte, s string) []byte { return appendJSON(b, s) }

// appendJSON writes what cannot fail: strings, finite floats, bytes.
func appendJSON(b []byte, v any) []byte {
	w := bytes.NewBuffer(b)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("crdt: " + err.Error())
	}
	return w.Bytes()[:w.Len()-1] // without the newline
}
