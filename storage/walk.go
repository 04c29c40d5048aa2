package storage

import (
	"bytes"
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// walk calls f with the records of [lo, hi) that can be read: forward to the
// first bad block, then backward from the end to the last. It answers the bad
// blocks' errors apart from those of ctx and f, which end the walk.
func walk(ctx context.Context, db pebble.Reader, lo, hi []byte, f func(k, v []byte) error) (bad []error, err error) {
	last, unread, err := oneWay(ctx, db, lo, hi, (*pebble.Iterator).First, (*pebble.Iterator).Next, f)
	if err != nil || unread == nil {
		return nil, err
	}
	bad = append(bad, unread)
	_, unread, err = oneWay(ctx, db, lo, hi, (*pebble.Iterator).Last, (*pebble.Iterator).Prev, func(k, v []byte) error {
		if last != nil && bytes.Compare(k, last) <= 0 {
			return errMet
		}
		return f(k, v)
	})
	if errors.Is(err, errMet) {
		err = nil
	}
	if unread != nil && unread.Error() != bad[0].Error() {
		bad = append(bad, unread)
	}
	return bad, err
}

// errMet ends the way back where the way forward ended.
var errMet = errors.New("storage: met")

// oneWay answers the last key it saw and what kept it from going on.
func oneWay(ctx context.Context, db pebble.Reader, lo, hi []byte, first, next func(*pebble.Iterator) bool,
	f func(k, v []byte) error) (last []byte, unread, err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi})
	if err != nil {
		return nil, err, nil
	}
	defer func() { _ = it.Close() }() // it answers only what Error did
	for ok := first(it); ok; ok = next(it) {
		v, err := it.ValueAndErr()
		if err != nil {
			return last, err, nil
		}
		if err := errors.Join(ctx.Err(), f(it.Key(), v)); err != nil {
			return last, nil, err
		}
		last = append(last[:0], it.Key()...)
	}
	return last, it.Error(), nil
}
