package godaddy

import (
	"encoding/json"
	"strings"

	"github.com/postern-chat/postern"
)

// record is GoDaddy's form, of v3 and v1 alike as far as we use it.
type record struct {
	ID       string `json:"recordId,omitempty"` // v3
	Type     string `json:"type"`
	Name     string `json:"name"`
	Data     string `json:"data"`
	TTL      int    `json:"ttl"`
	Priority *int   `json:"priority,omitempty"` // a pointer: 0 is a priority

	raw json.RawMessage // as it was read, with what we do not know
}

func (r *record) UnmarshalJSON(b []byte) error {
	type bare record
	if err := json.Unmarshal(b, (*bare)(r)); err != nil {
		return err
	}
	r.raw = append(json.RawMessage(nil), b...)
	return nil
}

// empty tells the placeholders that GoDaddy leaves, which hold no value.
func (r record) empty() bool {
	return strings.EqualFold(r.Type, "TXT") && strings.Trim(r.Data, " \"") == ""
}

func lower(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }

// relative is a name as GoDaddy wants it: without the zone, "@" for the zone's own. The
// whole name would be taken as one below the zone.
func relative(zone, name string) (string, error) {
	name = lower(name)
	if name == zone && zone != "" {
		return "@", nil
	}
	rel, is := strings.CutSuffix(name, "."+zone)
	if !is || rel == "" || zone == "" {
		return "", postern.Errorf(postern.Invalid, op, "%s is not in the zone %s", name, zone)
	}
	return rel, nil
}

// hostTypes hold a host as their value, which GoDaddy shows with a dot at the end.
func isHostType(kind string) bool {
	switch kind {
	case "MX", "CNAME", "NS", "SRV":
		return true
	}
	return false
}

// ours puts a record into our words.
func (r record) ours(zone string) postern.DNSRecord {
	o := postern.DNSRecord{Type: strings.ToUpper(r.Type), Value: r.Data, TTL: r.TTL}
	switch name := lower(r.Name); name {
	case "@", "", zone:
		o.Name = zone
	default:
		o.Name = name + "." + zone
	}
	if isHostType(o.Type) {
		if o.Value == "@" {
			o.Value = zone
		}
		if o.Value != "." { // the null MX of RFC 7505
			o.Value = strings.TrimSuffix(o.Value, ".")
		}
	}
	if r.Priority != nil && o.Type == "MX" {
		o.Priority = *r.Priority
	}
	return o
}

// toTheirs checks what GoDaddy would refuse, and gives its form.
func toTheirs(rel string, r postern.DNSRecord) (record, error) {
	t := record{Type: strings.ToUpper(r.Type), Name: rel, Data: r.Value, TTL: r.TTL}
	if t.TTL == 0 {
		t.TTL = defaultTTL
	}
	t.TTL = min(max(t.TTL, minTTL), maxTTL)
	if isHostType(t.Type) && !strings.HasSuffix(t.Data, ".") {
		t.Data += "."
	}
	if t.Type == "MX" {
		p := r.Priority
		t.Priority = &p
	}
	switch {
	case t.Type == "SRV" || t.Type == "CAA" || t.Type == "SOA" || t.Type == "NS":
		return t, postern.Errorf(postern.Invalid, op, "%s records are not ours to write", t.Type)
	case strings.TrimSpace(t.Data) == "":
		return t, postern.Errorf(postern.Invalid, op, "a %s without a value", t.Type)
	case len(t.Data) > maxData:
		return t, postern.Errorf(postern.Permanent, op, "a %s of %d characters; GoDaddy takes %d (for DKIM, use the CNAME form or a shorter key)", t.Type, len(t.Data), maxData).Because(postern.CauseTooLong)
	}
	return t, nil
}
