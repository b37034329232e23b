package letter

import (
	"strconv"
	"strings"
	"time"
)

// zone is a VTIMEZONE (RFC 5545 section 3.6.5): the invitation brings its own rules, which need no tables of ours.
type zone struct{ rules []zoneRule }

type zoneRule struct {
	start  time.Time // first onset, wall clock held as UTC
	offset int       // seconds east of UTC from then on
	ok     bool
	yearly bool
	month  time.Month
	week   int // 1...5 from the beginning of the month, -1 from its end; 0 if by day
	day    time.Weekday
	mday   int
	until  time.Time
	dates  []time.Time
}

func (r *zoneRule) line(l icsLine) {
	switch l.name {
	case "DTSTART":
		if t, err := time.Parse("20060102T150405", strings.TrimSuffix(strings.TrimSpace(l.value), "Z")); err == nil {
			r.start = t
		}
	case "TZOFFSETTO":
		r.offset, r.ok = utcOffset(l.value)
	case "RRULE":
		r.rrule(l.value)
	case "RDATE":
		for _, d := range strings.Split(clip(l.value, 4000), ",") {
			if t, err := time.Parse("20060102T150405", strings.TrimSuffix(strings.TrimSpace(d), "Z")); err == nil {
				r.dates = append(r.dates, t)
			}
		}
	}
}

func utcOffset(s string) (sec int, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) < 5 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	n, err := strconv.Atoi(s[1:5])
	if err != nil {
		return 0, false
	}
	sec = n/100*3600 + n%100*60
	if s[0] == '-' {
		sec = -sec
	}
	return sec, sec < 24*3600 && sec > -24*3600
}

func (r *zoneRule) rrule(s string) {
	for _, f := range strings.Split(clip(s, 500), ";") {
		k, v, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(f)), "=")
		switch k {
		case "FREQ":
			r.yearly = v == "YEARLY"
		case "BYMONTH":
			n, _ := strconv.Atoi(v)
			r.month = time.Month(n)
		case "BYMONTHDAY":
			first, _, _ := strings.Cut(v, ",")
			r.mday, _ = strconv.Atoi(first)
		case "BYDAY":
			if n := len(v); n >= 2 {
				r.week, _ = strconv.Atoi(strings.TrimPrefix(v[:n-2], "+"))
				if i := strings.Index("SUMOTUWETHFRSA", v[n-2:]); i >= 0 {
					r.day = time.Weekday(i / 2)
				}
			}
		case "UNTIL":
			if len(v) >= 8 {
				r.until, _ = time.Parse("20060102", v[:8])
			}
		}
	}
}

// onset is the last one not after the wall clock t; ok is false if there is none.
func (r *zoneRule) onset(t time.Time) (last time.Time, ok bool) {
	consider := func(o time.Time) {
		if !o.After(t) && !o.Before(r.start) && o.After(last) && (r.until.IsZero() || !o.After(r.until.AddDate(0, 0, 1))) {
			last, ok = o, true
		}
	}
	if !r.start.After(t) {
		last, ok = r.start, true
	}
	for _, d := range r.dates {
		consider(d)
	}
	if r.yearly && r.month >= 1 && r.month <= 12 {
		first := t.Year()
		if !r.until.IsZero() && r.until.Year() < first {
			first = r.until.Year()
		}
		consider(r.inYear(first))
		consider(r.inYear(first - 1))
	}
	return last, ok
}

func (r *zoneRule) inYear(year int) time.Time {
	h, m, s := r.start.Clock()
	at := func(day int) time.Time { return time.Date(year, r.month, day, h, m, s, 0, time.UTC) }
	switch {
	case r.week < 0:
		end := time.Date(year, r.month+1, 1, h, m, s, 0, time.UTC).AddDate(0, 0, -1)
		back := (int(end.Weekday()) - int(r.day) + 7) % 7
		return end.AddDate(0, 0, -back+7*(r.week+1))
	case r.week > 0:
		ahead := (int(r.day) - int(at(1).Weekday()) + 7) % 7
		return at(1 + ahead + 7*(r.week-1))
	case r.mday > 0:
		return at(r.mday)
	}
	return at(r.start.Day())
}

// location finds the zone of a wall clock: the invitation's own rules, else the name as the system or Windows knows it.
// nil means unknown or floating.
func (c *calendarReader) location(tzid string, wall time.Time) *time.Location {
	if tzid == "" {
		return nil
	}
	if z := c.zones[tzid]; z != nil {
		if off, ok := z.offset(wall); ok {
			return time.FixedZone(tzid, off)
		}
	}
	switch strings.ToUpper(tzid) {
	case "UTC", "GMT", "ETC/UTC", "Z":
		return time.UTC
	}
	name := tzid
	if i := strings.LastIndex(name, "/"); strings.HasPrefix(name, "/") && i > 0 { // "/citadel.org/20250101_1/Europe/Berlin"
		if j := strings.LastIndex(name[:i], "/"); j >= 0 {
			name = name[j+1:]
		}
	}
	if iana := windowsZone(name); iana != "" {
		name = iana
	}
	if loc, err := time.LoadLocation(name); err == nil && name != "Local" {
		return loc
	}
	return nil
}

func (z *zone) offset(wall time.Time) (sec int, ok bool) {
	var best time.Time
	for i := range z.rules {
		r := &z.rules[i]
		if !r.ok {
			continue
		}
		if o, on := r.onset(wall); on && (!ok || o.After(best)) {
			best, sec, ok = o, r.offset, true
		}
	}
	if !ok && len(z.rules) > 0 && z.rules[0].ok { // before the first rule
		return z.rules[0].offset, true
	}
	return sec, ok
}

// windowsZone translates the zone names of Windows (Unicode CLDR, windowsZones.xml), the commonest ones.
func windowsZone(name string) string {
	switch name {
	case "W. Europe Standard Time":
		return "Europe/Berlin"
	case "Romance Standard Time":
		return "Europe/Paris"
	case "Central Europe Standard Time":
		return "Europe/Budapest"
	case "Central European Standard Time":
		return "Europe/Warsaw"
	case "GMT Standard Time":
		return "Europe/London"
	case "Greenwich Standard Time":
		return "Atlantic/Reykjavik"
	case "E. Europe Standard Time":
		return "Europe/Chisinau"
	case "FLE Standard Time":
		return "Europe/Kyiv"
	case "GTB Standard Time":
		return "Europe/Bucharest"
	case "Russian Standard Time":
		return "Europe/Moscow"
	case "Turkey Standard Time":
		return "Europe/Istanbul"
	case "Israel Standard Time":
		return "Asia/Jerusalem"
	case "Egypt Standard Time":
		return "Africa/Cairo"
	case "South Africa Standard Time":
		return "Africa/Johannesburg"
	case "W. Central Africa Standard Time":
		return "Africa/Lagos"
	case "E. Africa Standard Time":
		return "Africa/Nairobi"
	case "Arab Standard Time":
		return "Asia/Riyadh"
	case "Arabian Standard Time":
		return "Asia/Dubai"
	case "Iran Standard Time":
		return "Asia/Tehran"
	case "Pakistan Standard Time":
		return "Asia/Karachi"
	case "India Standard Time":
		return "Asia/Kolkata"
	case "Bangladesh Standard Time":
		return "Asia/Dhaka"
	case "SE Asia Standard Time":
		return "Asia/Bangkok"
	case "Singapore Standard Time":
		return "Asia/Singapore"
	case "China Standard Time":
		return "Asia/Shanghai"
	case "Taipei Standard Time":
		return "Asia/Taipei"
	case "Korea Standard Time":
		return "Asia/Seoul"
	case "Tokyo Standard Time":
		return "Asia/Tokyo"
	case "W. Australia Standard Time":
		return "Australia/Perth"
	case "AUS Eastern Standard Time":
		return "Australia/Sydney"
	case "E. Australia Standard Time":
		return "Australia/Brisbane"
	case "New Zealand Standard Time":
		return "Pacific/Auckland"
	case "Hawaiian Standard Time":
		return "Pacific/Honolulu"
	case "Alaskan Standard Time":
		return "America/Anchorage"
	case "Pacific Standard Time":
		return "America/Los_Angeles"
	case "US Mountain Standard Time":
		return "America/Phoenix"
	case "Mountain Standard Time":
		return "America/Denver"
	case "Central Standard Time":
		return "America/Chicago"
	case "Central Standard Time (Mexico)":
		return "America/Mexico_City"
	case "Eastern Standard Time":
		return "America/New_York"
	case "Atlantic Standard Time":
		return "America/Halifax"
	case "SA Pacific Standard Time":
		return "America/Bogota"
	case "Argentina Standard Time":
		return "America/Buenos_Aires"
	case "E. South America Standard Time":
		return "America/Sao_Paulo"
	case "Pacific SA Standard Time":
		return "America/Santiago"
	}
	return ""
}
