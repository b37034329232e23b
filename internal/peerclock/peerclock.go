// Package peerclock tells by the Date of HTTP answers what time another side's clock has,
// and how far it is from ours. What a moment is compared with belongs to who knows it.
package peerclock

import (
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// fine is as near as a Date tells: it has seconds, and was on its way.
	fine = 2 * time.Second
	// most is what is believed: with a clock as far off as this no certificate would hold.
	most = 2 * 365 * 24 * time.Hour
)

// Time is what time the other side's clock told when it answered (RFC 9110 section 6.6.1):
// a moment that it names is by that clock, and ours may be minutes off. Where both agree
// within two seconds ours is the finer one, and where it tells nothing to be believed.
func Time(h http.Header, now time.Time) time.Time {
	t, err := http.ParseTime(h.Get("Date"))
	if off := t.Sub(now).Abs(); err != nil || off <= fine || off > most {
		return now
	}
	return t
}

// Clock remembers how far the other side's clock was from ours. The zero value knows of no
// difference; it is safe for concurrent use.
type Clock struct{ ahead atomic.Int64 }

// Heard takes an answer that came now.
func (c *Clock) Heard(h http.Header, now time.Time) { c.ahead.Store(int64(Time(h, now).Sub(now))) }

// Ahead tells how far the other side's clock was ahead of ours at its last answer; 0 where
// they agreed within two seconds, and before the first.
func (c *Clock) Ahead() time.Duration { return time.Duration(c.ahead.Load()) }

// Behind is how far it was behind; 0 if it was not.
func (c *Clock) Behind() time.Duration { return max(-c.Ahead(), 0) }
