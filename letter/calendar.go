package letter

import (
	"fmt"
	"strings"
	"time"
)

// Invitation is one event of an iCalendar object in the mail (RFC 5545, 5546).
type Invitation struct {
	Method      string // REQUEST, CANCEL, REPLY, COUNTER, PUBLISH; "" if not given
	UID         string
	Sequence    int
	Status      string // CONFIRMED, TENTATIVE, CANCELLED; "" if not given
	Title       string
	Description string
	Place       string
	URL         string
	Organizer   Address
	Attendees   []Attendee
	Start, End  time.Time // in the zone of the invitation; End is zero if not given
	AllDay      bool      // Start and End are days (at midnight), End is the first day after
	// Zone is the zone as the invitation names it, "UTC", or "" for a time that means the reader's own clock.
	Zone string
	// Floating is true if the zone is not given or unknown: Start and End then are the clock's reading, held as UTC.
	Floating   bool
	Recurrence string // the RRULE, "" for a single event
}

// Attendee is a person invited.
type Attendee struct {
	Address
	Status string // NEEDS-ACTION, ACCEPTED, DECLINED, TENTATIVE, DELEGATED
}

const (
	maxCalendar  = 1 << 20
	maxEvents    = 100
	maxAttendees = 500
	maxICSLines  = 50000
)

func calendarPart(p *part) bool {
	return p.mediaType == "text/calendar" || p.mediaType == "application/ics" || strings.HasSuffix(strings.ToLower(p.filename()), ".ics")
}

// readCalendar adds the events of a part. The same event often stands in a mail twice, as an alternative and as a file.
func (rd *reader) readCalendar(p *part) error {
	raw, err := p.src.bytes(p.start, p.end, maxCalendar*2)
	if err != nil {
		return err
	}
	declared := orDefault(p.params.get("charset"), "utf-8") // RFC 5545 section 3.1.4
	text, _ := decodeCharset(decodeTransfer(raw, p.encoding), declared, "")
	c := calendarReader{method: strings.ToUpper(p.params.get("method"))}
	c.read(newlines(cleanUTF8(clip(text, maxCalendar))))
	if len(c.events) == 0 {
		rd.msg.problem(ProblemUnpack, p, "calendar without an event")
	}
	seen := map[string]bool{}
	key := func(v Invitation) string {
		return fmt.Sprintf("%s|%d|%s|%d|%s", v.UID, v.Sequence, v.Method, v.Start.Unix(), v.Title)
	}
	for _, v := range rd.msg.Calendar {
		seen[key(v)] = true
	}
	for _, v := range c.events {
		if !seen[key(v)] && len(rd.msg.Calendar) < maxEvents {
			seen[key(v)] = true
			rd.msg.Calendar = append(rd.msg.Calendar, v)
		}
	}
	return nil
}

// icsLine is one content line (RFC 5545 section 3.1).
type icsLine struct {
	name   string
	params params
	value  string
}

func parseICSLine(s string) (l icsLine) {
	i := strings.IndexAny(s, ";:")
	if i < 0 {
		return l
	}
	l.name = strings.ToUpper(strings.TrimSpace(s[:i]))
	for i < len(s) && s[i] == ';' && len(l.params) < 50 {
		rest := s[i+1:]
		end, quoted := 0, false
		for ; end < len(rest); end++ {
			if c := rest[end]; c == '"' {
				quoted = !quoted
			} else if !quoted && (c == ';' || c == ':') {
				break
			}
		}
		if l.params == nil {
			l.params = params{}
		}
		name, value, _ := strings.Cut(rest[:end], "=")
		l.params[strings.ToLower(name)] = strings.Trim(value, `"`)
		i += 1 + end
	}
	if i < len(s) {
		l.value = s[i+1:]
	}
	return l
}

var icsUnescaper = strings.NewReplacer(`\n`, "\n", `\N`, "\n", `\,`, ",", `\;`, ";", `\\`, `\`)

func icsText(s string) string { return strings.TrimSpace(icsUnescaper.Replace(s)) }

type calendarReader struct {
	method string
	events []Invitation
	zones  map[string]*zone
	stack  []string

	event    *Invitation
	duration time.Duration
	times    [2]icsLine // DTSTART, DTEND; resolved when all zones are known
	pending  []pendingEvent
	zone     *zone
	rule     *zoneRule
}

type pendingEvent struct {
	Invitation
	times    [2]icsLine
	duration time.Duration
}

func (c *calendarReader) read(text string) {
	c.zones = map[string]*zone{}
	n := 0
	for text != "" && n < maxICSLines {
		var line string
		line, text = unfoldICS(text)
		if n++; line != "" {
			c.line(parseICSLine(line))
		}
	}
	for _, e := range c.pending {
		c.resolve(e)
	}
}

// unfoldICS takes the next line with its continuations (RFC 5545 section 3.1).
func unfoldICS(text string) (line, rest string) {
	i := 0
	for {
		j := strings.IndexByte(text[i:], '\n')
		if j < 0 {
			i = len(text)
			break
		}
		i += j + 1
		if i >= len(text) || text[i] != ' ' && text[i] != '\t' {
			break
		}
	}
	line = strings.TrimRight(text[:i], "\n")
	if strings.IndexByte(line, '\n') >= 0 {
		line = strings.ReplaceAll(strings.ReplaceAll(line, "\n ", ""), "\n\t", "")
	}
	return line, text[i:]
}

func (c *calendarReader) line(l icsLine) {
	switch l.name {
	case "BEGIN":
		c.begin(strings.ToUpper(strings.TrimSpace(l.value)))
		return
	case "END":
		c.end(strings.ToUpper(strings.TrimSpace(l.value)))
		return
	case "METHOD":
		if len(c.stack) <= 1 {
			c.method = strings.ToUpper(strings.TrimSpace(l.value))
		}
		return
	}
	switch in := c.in(); {
	case in == "VEVENT" && c.event != nil:
		c.eventLine(l)
	case in == "VTIMEZONE" && c.zone != nil && l.name == "TZID":
		c.zones[l.value] = c.zone
	case (in == "STANDARD" || in == "DAYLIGHT") && c.rule != nil:
		c.rule.line(l)
	}
}

func (c *calendarReader) in() string {
	if len(c.stack) == 0 {
		return ""
	}
	return c.stack[len(c.stack)-1]
}

func (c *calendarReader) begin(name string) {
	if len(c.stack) > 20 {
		return
	}
	c.stack = append(c.stack, name)
	switch name {
	case "VEVENT":
		c.event, c.times, c.duration = &Invitation{}, [2]icsLine{}, 0
	case "VTIMEZONE":
		c.zone = &zone{}
	case "STANDARD", "DAYLIGHT":
		c.rule = &zoneRule{}
	}
}

func (c *calendarReader) end(name string) {
	if len(c.stack) > 0 && c.in() == name {
		c.stack = c.stack[:len(c.stack)-1]
	}
	switch name {
	case "VEVENT":
		if c.event != nil && len(c.pending) < maxEvents {
			c.pending = append(c.pending, pendingEvent{*c.event, c.times, c.duration})
		}
		c.event = nil
	case "VTIMEZONE":
		c.zone = nil
	case "STANDARD", "DAYLIGHT":
		if c.zone != nil && c.rule != nil && len(c.zone.rules) < 50 {
			c.zone.rules = append(c.zone.rules, *c.rule)
		}
		c.rule = nil
	}
}

func (c *calendarReader) eventLine(l icsLine) {
	e := c.event
	switch l.name {
	case "UID":
		e.UID = strings.TrimSpace(l.value)
	case "SEQUENCE":
		fmt.Sscanf(l.value, "%d", &e.Sequence)
	case "STATUS":
		e.Status = strings.ToUpper(strings.TrimSpace(l.value))
	case "SUMMARY":
		e.Title = icsText(l.value)
	case "DESCRIPTION":
		e.Description = icsText(l.value)
	case "LOCATION":
		e.Place = icsText(l.value)
	case "URL":
		e.URL = strings.TrimSpace(l.value)
	case "RRULE":
		e.Recurrence = strings.TrimSpace(l.value)
	case "ORGANIZER":
		e.Organizer = calAddress(l)
	case "ATTENDEE":
		if len(e.Attendees) < maxAttendees {
			e.Attendees = append(e.Attendees, Attendee{calAddress(l), strings.ToUpper(l.params.get("partstat"))})
		}
	case "DTSTART":
		c.times[0] = l
	case "DTEND":
		c.times[1] = l
	case "DURATION":
		c.duration = icsDuration(l.value)
	}
}

func calAddress(l icsLine) Address {
	return Address{Name: icsText(l.params.get("cn")), Address: cleanAddr(strings.TrimSpace(l.value))}
}

// icsDuration reads RFC 5545 section 3.3.6, "P1DT2H30M".
func icsDuration(s string) (d time.Duration) {
	n := 0
	for _, c := range strings.ToUpper(strings.TrimSpace(s)) {
		switch {
		case c >= '0' && c <= '9':
			if n = n*10 + int(c-'0'); n > 1e6 {
				return 0
			}
			continue
		case c == 'W':
			d += time.Duration(n) * 7 * 24 * time.Hour
		case c == 'D':
			d += time.Duration(n) * 24 * time.Hour
		case c == 'H':
			d += time.Duration(n) * time.Hour
		case c == 'M':
			d += time.Duration(n) * time.Minute
		case c == 'S':
			d += time.Duration(n) * time.Second
		case c == '-':
			return 0
		}
		n = 0
	}
	return d
}

// resolve turns the written times into instants.
func (c *calendarReader) resolve(e pendingEvent) {
	v := e.Invitation
	v.Method = c.method
	var ok bool
	if v.Start, ok = c.moment(e.times[0], &v); !ok && v.Title == "" && v.UID == "" {
		return
	}
	switch {
	case e.times[1].name != "":
		v.End, _ = c.moment(e.times[1], nil)
	case e.duration > 0 && ok:
		v.End = v.Start.Add(e.duration)
	case v.AllDay && ok:
		v.End = v.Start.AddDate(0, 0, 1) // RFC 5545 section 3.6.1
	}
	c.events = append(c.events, v)
}

// moment reads DATE and DATE-TIME values (RFC 5545 sections 3.3.4 and 3.3.5).
func (c *calendarReader) moment(l icsLine, v *Invitation) (time.Time, bool) {
	s := strings.TrimSpace(l.value)
	var note Invitation
	if v == nil {
		v = &note
	}
	if t, err := time.Parse("20060102", s); err == nil {
		v.AllDay, v.Floating = true, true
		return t, true
	}
	if t, err := time.Parse("20060102T150405Z", s); err == nil {
		v.Zone = "UTC"
		return t, true
	}
	t, err := time.Parse("20060102T150405", s)
	if err != nil {
		if t, err = time.Parse("20060102T1504", strings.TrimSuffix(s, "Z")); err != nil {
			return time.Time{}, false
		}
	}
	v.Zone = clip(l.params.get("tzid"), 200)
	if loc := c.location(v.Zone, t); loc != nil {
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, loc), true
	}
	v.Floating = true
	return t, true
}
