package route53

import (
	"encoding/xml"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/zonetext"
)

// recordSet is all values of one type at one name.
type recordSet struct {
	Name          string
	Type          string
	SetIdentifier string `xml:",omitempty"`
	TTL           int64
	Records       []resource `xml:"ResourceRecords>ResourceRecord"`
}

type resource struct{ Value string }

// changeRequest is a batch. Its elements stand in the order that the API's schema has.
type changeRequest struct {
	XMLName xml.Name `xml:"ChangeResourceRecordSetsRequest"`
	XMLNS   string   `xml:"xmlns,attr"`
	Changes []change `xml:"ChangeBatch>Changes>Change"`
}

type change struct {
	Action string
	Set    recordSet `xml:"ResourceRecordSet"`
}

func (s *recordSet) copied() *recordSet {
	c := *s
	c.Records = slices.Clone(s.Records)
	return &c
}

func (s *recordSet) equal(o *recordSet) bool {
	if s == nil || o == nil {
		return s == o
	}
	return s.TTL == o.TTL && slices.Equal(s.Records, o.Records)
}

// find tells where a value is, -1 if nowhere.
func (s *recordSet) find(r postern.DNSRecord) (int, error) {
	if s == nil {
		return -1, nil
	}
	rs, err := s.ours()
	return slices.IndexFunc(rs, r.Same), err
}

// ours puts the values into our words.
func (s *recordSet) ours() ([]postern.DNSRecord, error) {
	out := make([]postern.DNSRecord, 0, len(s.Records))
	for _, v := range s.Records {
		r := postern.DNSRecord{Name: lower(unescape(s.Name)), Type: s.Type, Value: v.Value, TTL: int(s.TTL)}
		switch s.Type {
		case "TXT", "SPF":
			r.Value = unquote(v.Value)
		case "MX":
			priority, host, ok := strings.Cut(v.Value, " ")
			n, err := strconv.ParseUint(priority, 10, 16)
			if !ok || err != nil {
				return nil, postern.Errorf(postern.Permanent, op, "an MX that cannot be read")
			}
			r.Priority, r.Value = int(n), undotted(strings.TrimSpace(host))
		case "CNAME", "NS":
			r.Value = undotted(v.Value)
		}
		out = append(out, r)
	}
	return out, nil
}

// toTheirs gives Route 53's form of a value.
func toTheirs(r postern.DNSRecord) (string, error) {
	if strings.TrimSpace(r.Value) == "" {
		return "", postern.Errorf(postern.Invalid, op, "a %s without a value", r.Type)
	}
	switch strings.ToUpper(r.Type) {
	case "TXT":
		return quote(r.Value), nil
	case "MX":
		return strconv.Itoa(r.Priority) + " " + dotted(r.Value), nil
	case "CNAME":
		return dotted(r.Value), nil
	case "SOA", "NS":
		return "", postern.Errorf(postern.Invalid, op, "%s records are not ours to write", r.Type)
	}
	return r.Value, nil
}

func lower(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }

func dotted(s string) string {
	if strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

func undotted(s string) string {
	if s == "." {
		return s
	}
	return strings.TrimSuffix(s, ".")
}

// quote gives a text as Route 53 wants it: strings of at most 255 bytes in quotes, what is
// not printable ASCII as an octal escape.
func quote(text string) string { return zonetext.Quote(text, octal) }

func octal(c byte) string {
	return string([]byte{'\\', '0' + c>>6, '0' + c>>3&7, '0' + c&7})
}

// unquote joins the strings of a value.
func unquote(value string) string {
	var b strings.Builder
	inside := false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '"':
			inside = !inside
		case !inside:
		case c == '\\' && i+1 < len(value):
			n, size := escaped(value[i+1:])
			b.WriteByte(n)
			i += size
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescape reads a name: Route 53 shows an asterisk as \052.
func unescape(name string) string {
	if !strings.Contains(name, `\`) {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] == '\\' && i+1 < len(name) {
			n, size := escaped(name[i+1:])
			b.WriteByte(n)
			i += size
			continue
		}
		b.WriteByte(name[i])
	}
	return b.String()
}

// escaped reads what stands behind a backslash: three octal digits, or one byte as it is.
func escaped(s string) (c byte, size int) {
	if len(s) >= 3 {
		if n, err := strconv.ParseUint(s[:3], 8, 8); err == nil {
			return byte(n), 3
		}
	}
	return s[0], 1
}
