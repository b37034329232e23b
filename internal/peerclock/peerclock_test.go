package peerclock

import (
	"net/http"
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	now := time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)
	for date, want := range map[string]time.Duration{
		"":                               0,
		"soon":                           0,
		now.Format(http.TimeFormat):      0,
		"Sun, 22 Nov 2026 20:00:02 GMT":  0,
		"Sun, 22 Nov 2026 20:00:03 GMT":  3 * time.Second,
		"Sun, 22 Nov 2026 19:50:00 GMT":  -10 * time.Minute,
		"Sunday, 22-Nov-26 21:00:00 GMT": time.Hour,
		"Mon, 23 Nov 2026 20:00:00 GMT":  24 * time.Hour,
		"Thu, 01 Jan 1970 00:00:00 GMT":  0,
		"Mon, 01 Jan 0001 00:00:00 GMT":  0,
		"Fri, 31 Dec 9999 23:59:59 GMT":  0,
	} {
		var c Clock
		h := http.Header{"Date": {date}}
		c.Heard(h, now)
		if got := c.Ahead(); got != want || c.Behind() != max(-want, 0) || !Time(h, now).Equal(now.Add(want)) {
			t.Errorf("%q: %v ahead, %v behind, want %v", date, got, c.Behind(), want)
		}
	}
	var c Clock
	if c.Ahead() != 0 {
		t.Error("ahead before the first answer")
	}
}
