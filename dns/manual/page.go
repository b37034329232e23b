package manual

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/zonetext"
)

// Page is how the page of a DNS host wants records entered. The zero value, names without
// the zone and "@" for the zone itself, suits most.
type Page struct {
	ID    string // as lookup.Host has it: "godaddy"; "" = any
	Title string
	Names NameForm
	Apex  string // what stands for the zone itself, "" = "@"; "-" = the field is left empty
	// Dotted: hosts in values have to end in a dot, else the zone is put behind them.
	Dotted bool
	// Quoted: texts are entered in quotes, and split at 255 bytes by hand.
	Quoted bool
	// PriorityInValue: the priority of an MX stands before the host, in the same field.
	PriorityInValue bool
	MinTTL          int // seconds; 0 = whatever
}

// NameForm is the form of a record's name.
type NameForm uint8

// The values of NameForm.
const (
	Relative NameForm = iota // mg, for mg.example.com in example.com
	Full                     // mg.example.com
	FullDot                  // mg.example.com.
)

// Pages are the pages that are known, as they are generally described; they were not
// looked at one by one, and they change. What is not here takes the usual form.
func Pages() []Page {
	return []Page{
		{ID: "godaddy", Title: "GoDaddy", MinTTL: 600},
		{ID: "cloudflare", Title: "Cloudflare"},
		{ID: "route53", Title: "Amazon Route 53", Apex: "-", Quoted: true, PriorityInValue: true},
		{ID: "google", Title: "Google Cloud DNS", Names: Relative, Apex: "-", Dotted: true, Quoted: true, PriorityInValue: true},
		{ID: "azure", Title: "Azure DNS"},
		{ID: "namecheap", Title: "Namecheap"},
		{ID: "digitalocean", Title: "DigitalOcean", Dotted: true},
		{ID: "hetzner", Title: "Hetzner", Dotted: true, Quoted: true, PriorityInValue: true},
		{ID: "gandi", Title: "Gandi", Dotted: true, Quoted: true, PriorityInValue: true},
		{ID: "porkbun", Title: "Porkbun", Apex: "-"},
	}
}

// PageOf gives the page of a host by its id; the usual form if it is not known.
func PageOf(id string) Page {
	for _, p := range Pages() {
		if p.ID == id {
			return p
		}
	}
	return Page{ID: id}
}

// Entry is what goes into the fields of the page.
type Entry struct {
	Type, Name, Value string
	Priority          string // "" where there is no such field
	TTL               string // "" = the host's own default
	LeaveOut          string // what is not typed although the full name has it: ".example.com"
}

// Entry gives the fields of one record.
func (p Page) Entry(zone string, r postern.DNSRecord) Entry {
	e := Entry{Type: strings.ToUpper(r.Type), Value: r.Value}
	e.Name, e.LeaveOut = p.name(zone, r.Name)
	switch e.Type {
	case "MX", "CNAME", "NS":
		if p.Dotted && !strings.HasSuffix(e.Value, ".") {
			e.Value += "."
		}
	case "TXT":
		if p.Quoted {
			e.Value = zonetext.Quote(r.Value, zonetext.Decimal)
		}
	}
	if e.Type == "MX" {
		if p.PriorityInValue {
			e.Value = strconv.Itoa(r.Priority) + " " + e.Value
		} else {
			e.Priority = strconv.Itoa(r.Priority)
		}
	}
	if r.TTL > 0 {
		e.TTL = strconv.Itoa(max(r.TTL, p.MinTTL))
	}
	return e
}

func (p Page) name(zone, name string) (shown, leaveOut string) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	rel, err := relative(zone, name)
	switch {
	case p.Names == FullDot:
		return name + ".", ""
	case p.Names == Full || err != nil:
		return name, ""
	case rel != "":
		return rel, "." + strings.ToLower(strings.TrimSuffix(zone, "."))
	case p.Apex == "-":
		return "", name
	case p.Apex != "":
		return p.Apex, name
	}
	return "@", name
}

// Line gives one record on one line.
func (p Page) Line(zone string, r postern.DNSRecord) string {
	e := p.Entry(zone, r)
	name := e.Name
	if name == "" {
		name = "(empty)"
	}
	if e.Priority != "" {
		return fmt.Sprintf("%s %s %s, priority %s", e.Type, name, e.Value, e.Priority)
	}
	return fmt.Sprintf("%s %s %s", e.Type, name, e.Value)
}

// Table gives the records to copy, one on a line, under a line of headings.
func (p Page) Table(zone string, rs []postern.DNSRecord) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TYPE\tNAME\tPRIORITY\tTTL\tVALUE")
	for _, r := range rs {
		e := p.Entry(zone, r)
		for _, f := range []*string{&e.Name, &e.Priority, &e.TTL} {
			if *f == "" {
				*f = "-"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", e.Type, e.Name, e.Priority, e.TTL, printable(e.Value))
	}
	w.Flush()
	return b.String()
}

// printable keeps what others wrote from moving the cursor or breaking the table.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}

// defaultTTL is what zone files get for records that say nothing.
const defaultTTL = 3600

// BIND gives the records as lines of a zone file (RFC 1035 section 5), with full names, so
// that they fit wherever they are put.
func BIND(rs []postern.DNSRecord) string {
	var b strings.Builder
	for _, r := range rs {
		ttl := r.TTL
		if ttl <= 0 {
			ttl = defaultTTL
		}
		kind, value := strings.ToUpper(r.Type), r.Value
		switch kind {
		case "TXT":
			value = zonetext.Quote(value, zonetext.Decimal)
		case "MX":
			value = strconv.Itoa(r.Priority) + " " + dotted(value)
		case "CNAME", "NS":
			value = dotted(value)
		default:
			value = printable(value)
		}
		fmt.Fprintf(&b, "%s\t%d\tIN\t%s\t%s\n", dotted(strings.ToLower(r.Name)), ttl, kind, value)
	}
	return b.String()
}

func dotted(s string) string {
	if strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}
