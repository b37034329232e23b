package store

import (
	"fmt"
	"time"

	"github.com/postern-chat/postern"
)

// What stands in columns as a number and is none, to be scanned in place.
type (
	signed postern.ParticipantID // an id that has 64 bits; the column counts from -2^63
	moment time.Time             // ms since 1970; 0 = never
	isSet  bool                  // a moment that something was done at; 0 = it was not
)

// Scan implements sql.Scanner.
func (id *signed) Scan(v any) error {
	n, err := numberIn(v)
	*id = signed(n) //nolint:gosec // the same 64 bits
	return err
}

// Scan implements sql.Scanner.
func (t *moment) Scan(v any) error {
	n, err := numberIn(v)
	*t = moment(at(n))
	return err
}

// Scan implements sql.Scanner.
func (b *isSet) Scan(v any) error {
	n, err := numberIn(v)
	*b = n != 0
	return err
}

func numberIn(v any) (int64, error) {
	n, ok := v.(int64)
	if !ok {
		return 0, fmt.Errorf("a %T where a number belongs", v)
	}
	return n, nil
}

func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
