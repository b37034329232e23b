package setup

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/setup/lookup"
)

// Instructions are what the operator has to enter where the zone is kept: a table in the
// form of that host's page, and the same as lines of a zone file.
func (d *DNS) Instructions() string {
	if d.cfg.Host != nil || len(d.edits) == 0 {
		return ""
	}
	keeper, known := lookup.HostOf(d.zone.ServerNames())
	at := "where the zone " + d.zone.Name + " is kept"
	if known {
		at = "at " + keeper.Title
	}
	var b strings.Builder
	var adds, removes []postern.DNSRecord
	for _, e := range d.edits {
		adds, removes = append(adds, e.Add...), append(removes, e.Remove...)
	}
	if len(removes) > 0 {
		fmt.Fprintf(&b, "Remove these records %s:\n\n%s\n", at, d.table(removes, keeper.ID))
	}
	if len(adds) > 0 {
		fmt.Fprintf(&b, "Enter these records %s:\n\n%s\n", at, d.table(adds, keeper.ID))
		b.WriteString("The same as lines of a zone file:\n\n")
		for _, r := range adds {
			b.WriteString("  " + ZoneLine(r) + "\n")
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

func (d *DNS) table(records []postern.DNSRecord, host string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "  Type\tName\tPriority\tValue")
	for _, r := range records {
		priority := ""
		if r.Type == "MX" {
			priority = strconv.Itoa(r.Priority)
		}
		_, _ = fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", r.Type, FormName(r.Name, d.zone.Name, host), priority, r.Value)
	}
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}

// FormName is how a name is entered on a host's page: without the zone, or it would become
// mail.example.com.example.com. For the zone's own name most want "@", some nothing.
func FormName(name, zone, host string) string {
	if plain(name) != plain(zone) {
		return strings.TrimSuffix(plain(name), "."+plain(zone))
	}
	if slices.Contains([]string{"route53", "google", "ovh", "desec"}, host) {
		return "(empty)"
	}
	return "@"
}

// ZoneLine writes a record as a zone file has it (RFC 1035 section 5.1).
func ZoneLine(r postern.DNSRecord) string {
	value := r.Value
	switch r.Type {
	case "MX":
		value = strconv.Itoa(r.Priority) + " " + plain(r.Value) + "."
	case "CNAME":
		value = plain(r.Value) + "."
	case "TXT":
		value = quoteTXT(r.Value)
	}
	ttl := r.TTL
	if ttl == 0 {
		ttl = 3600
	}
	return fmt.Sprintf("%s. %d IN %s %s", plain(r.Name), ttl, r.Type, value)
}

// quoteTXT splits a text into strings of 255 bytes at most (RFC 1035 section 3.3.14).
func quoteTXT(s string) string {
	var all []string
	for {
		piece := s[:min(len(s), 255)]
		s = s[len(piece):]
		var b strings.Builder
		for i := range len(piece) {
			switch c := piece[i]; {
			case c == '"' || c == '\\':
				b.WriteByte('\\')
				b.WriteByte(c)
			case c < ' ' || c > '~':
				fmt.Fprintf(&b, "\\%03d", c)
			default:
				b.WriteByte(c)
			}
		}
		all = append(all, `"`+b.String()+`"`)
		if s == "" {
			return strings.Join(all, " ")
		}
	}
}
