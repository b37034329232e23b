package letter

import (
	"strconv"
	"strings"
	"time"
)

var months = [...]string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}

// zones are the names of RFC 5322 section 4.3 and the commonest others, in minutes east of UTC.
var zones = map[string]int{
	"ut": 0, "gmt": 0, "utc": 0, "z": 0, "est": -300, "edt": -240, "cst": -360, "cdt": -300, "mst": -420, "mdt": -360,
	"pst": -480, "pdt": -420, "cet": 60, "cest": 120, "met": 60, "mest": 120, "wet": 0, "west": 60, "bst": 60, "eet": 120,
	"eest": 180, "msk": 180, "jst": 540, "kst": 540, "hkt": 480, "sgt": 480, "aest": 600, "aedt": 660, "nzst": 720, "nzdt": 780,
}

// parseDate reads a Date field by its tokens in any order that mailers use; the zero time if it makes no sense.
func parseDate(raw string) time.Time {
	s := unfold(raw)
	if len(s) > 200 {
		return time.Time{}
	}
	if t, err := time.Parse(time.RFC3339, strings.TrimSpace(s)); err == nil {
		return t
	}
	var d dateParts
	d.day, d.month, d.year, d.hour = -1, -1, -1, -1
	for _, tok := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '(' || r == ')' }) {
		d.token(tok)
	}
	return d.time()
}

type dateParts struct {
	day, month, year  int
	hour, minute, sec int
	offset            int
	zone, pm, am      bool
}

func (d *dateParts) token(tok string) {
	low := strings.ToLower(tok)
	switch {
	case strings.Count(tok, ":") >= 1 && tok[0] >= '0' && tok[0] <= '9':
		d.clock(low)
	case (tok[0] == '+' || tok[0] == '-') && d.hour >= 0:
		d.numericZone(tok)
	case strings.Count(tok, "-") == 2: // 22-Nov-2026, 2026-11-22
		for _, t := range strings.Split(low, "-") {
			if t != "" {
				d.token(t)
			}
		}
	case low == "pm":
		d.pm = true
	case low == "am":
		d.am = true
	case tok[0] >= '0' && tok[0] <= '9':
		n, err := strconv.Atoi(strings.TrimRight(tok, ".,"))
		if err != nil {
			return
		}
		switch {
		case d.day < 0 && n >= 1 && n <= 31:
			d.day = n
		case d.year < 0:
			d.year = n
		case d.day < 0:
			d.day = n
		}
	default:
		for i, m := range months {
			if strings.HasPrefix(low, m) && d.month < 0 {
				d.month = i + 1
				return
			}
		}
		if off, ok := zones[low]; ok && !d.zone && d.hour >= 0 {
			d.offset, d.zone = off*60, true
		}
	}
}

func (d *dateParts) clock(tok string) {
	if strings.HasSuffix(tok, "pm") || strings.HasSuffix(tok, "am") {
		d.pm, d.am = tok[len(tok)-2] == 'p', tok[len(tok)-2] == 'a'
		tok = tok[:len(tok)-2]
	}
	if i := strings.IndexAny(tok, "+-"); i > 0 { // "10:20:30+0100"
		defer d.numericZone(tok[i:])
		tok = tok[:i]
	}
	hour, rest, _ := strings.Cut(tok, ":")
	minute, sec, _ := strings.Cut(rest, ":")
	sec, _, _ = strings.Cut(sec, ".")
	// What is no number counts as zero: a date is a hint, nothing hangs on it.
	d.hour, _ = strconv.Atoi(hour)
	d.minute, _ = strconv.Atoi(minute)
	d.sec, _ = strconv.Atoi(sec)
}

func (d *dateParts) numericZone(tok string) {
	digits := strings.ReplaceAll(tok[1:], ":", "")
	n, err := strconv.Atoi(digits)
	if err != nil || d.zone || len(digits) != 4 && len(digits) != 2 {
		return
	}
	if len(digits) == 2 {
		n *= 100
	}
	d.offset, d.zone = (n/100*60+n%100)*60, true
	if tok[0] == '-' {
		d.offset = -d.offset
	}
}

func (d *dateParts) time() time.Time {
	if d.month < 0 || d.day < 1 || d.day > 31 || d.year < 0 || d.year > 9999 {
		return time.Time{}
	}
	switch { // RFC 5322 section 4.3
	case d.year < 50:
		d.year += 2000
	case d.year < 1000:
		d.year += 1900
	}
	if d.pm && d.hour < 12 {
		d.hour += 12
	} else if d.am && d.hour == 12 {
		d.hour = 0
	}
	if d.hour > 24 || d.minute > 59 || d.sec > 60 || d.offset > 24*3600 || d.offset < -24*3600 {
		return time.Time{}
	}
	loc := time.UTC
	if d.offset != 0 {
		loc = time.FixedZone("", d.offset)
	}
	return time.Date(d.year, time.Month(d.month), d.day, max(d.hour, 0), d.minute, d.sec, 0, loc)
}
