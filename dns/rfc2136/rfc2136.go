package rfc2136

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/zonetext"
)

const op = "rfc2136"

// Config says which server is spoken to, and with which key.
type Config struct {
	Server    string        // the zone's primary, host:port
	KeyName   string        // "" = updates are not signed
	Secret    string        // base64
	Algorithm string        // default hmac-sha256
	Timeout   time.Duration // of one exchange, default 10s
	TTL       int           // of records that come without one, default 3600
	Now       func() time.Time
}

// Host is a name server that takes updates. It implements setup.Host and is safe for
// concurrent use. Errors: Denied if the server refuses us or the key; Permanent with
// CauseNotFound if it does not have the zone; Permanent with CauseChanged if a CNAME, or
// something beside which a CNAME cannot be, is at the name.
type Host struct {
	cfg       Config
	algorithm string
	secrets   map[string]string
}

// New makes a Host; it asks nobody.
func New(cfg Config) (*Host, error) {
	if _, _, err := net.SplitHostPort(cfg.Server); err != nil {
		return nil, postern.Errorf(postern.Invalid, op, "server: want host:port")
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.TTL == 0 {
		cfg.TTL = 3600
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	h := &Host{cfg: cfg}
	if cfg.KeyName == "" {
		return h, nil
	}
	if _, err := base64.StdEncoding.DecodeString(cfg.Secret); err != nil || cfg.Secret == "" {
		return nil, postern.Errorf(postern.Invalid, op, "the key's secret is not base64")
	}
	h.algorithm = dns.Fqdn(strings.ToLower(cfg.Algorithm))
	switch h.algorithm {
	case ".":
		h.algorithm = dns.HmacSHA256
	case dns.HmacSHA1, dns.HmacSHA224, dns.HmacSHA256, dns.HmacSHA384, dns.HmacSHA512:
	default:
		return nil, postern.Errorf(postern.Invalid, op, "unknown algorithm %q", cfg.Algorithm)
	}
	h.cfg.KeyName = dns.CanonicalName(cfg.KeyName)
	h.secrets = map[string]string{h.cfg.KeyName: cfg.Secret}
	return h, nil
}

// List asks the server itself.
func (h *Host) List(ctx context.Context, zone, name, kind string) ([]postern.DNSRecord, error) {
	rrs, err := h.list(ctx, zone, name, kind)
	var out []postern.DNSRecord
	for _, rr := range rrs {
		out = append(out, fromRR(rr))
	}
	return out, err
}

func (h *Host) list(ctx context.Context, zone, name, kind string) ([]dns.RR, error) {
	if err := inZone(zone, name); err != nil {
		return nil, err
	}
	k, ok := dns.StringToType[strings.ToUpper(kind)]
	if !ok {
		return nil, postern.Errorf(postern.Invalid, op, "unknown record type %q", kind)
	}
	m := new(dns.Msg)
	m.SetQuestion(dns.CanonicalName(name), k)
	m.RecursionDesired = false
	reply, err := h.exchange(ctx, m)
	if err != nil {
		return nil, err
	}
	switch {
	case reply.Rcode != dns.RcodeSuccess && reply.Rcode != dns.RcodeNameError:
		return nil, refusal(reply.Rcode)
	case !reply.Authoritative:
		return nil, postern.Errorf(postern.Permanent, op, "the server does not have the zone").Because(postern.CauseNotFound)
	}
	var out []dns.RR
	for _, rr := range reply.Answer {
		if rr.Header().Rrtype == k && dns.CanonicalName(rr.Header().Name) == dns.CanonicalName(name) {
			out = append(out, rr)
		}
	}
	if len(out) > 0 && !h.stored(ctx, zone, out[0]) {
		return nil, nil
	}
	return out, nil
}

// stored tells records at a name from those that a wildcard lends it: an update that
// changes nothing, with the prerequisite that they exist (section 2.4.1), which looks at
// the zone's data. Who may only read is told nothing, and they count as stored.
func (h *Host) stored(ctx context.Context, zone string, rr dns.RR) bool {
	m := new(dns.Msg)
	m.SetUpdate(dns.CanonicalName(zone))
	m.RRsetUsed([]dns.RR{rr})
	reply, err := h.exchange(ctx, m)
	return err != nil || reply.Rcode != dns.RcodeNXRrset && reply.Rcode != dns.RcodeNameError
}

// Create adds one value, unless that would replace or meet a CNAME.
func (h *Host) Create(ctx context.Context, zone string, r postern.DNSRecord) error {
	if err := inZone(zone, r.Name); err != nil {
		return err
	}
	rr, err := h.toRR(r)
	if err != nil {
		return err
	}
	// Adding what is there is no change (section 3.4.2.2), but would set its TTL anew.
	there, err := h.List(ctx, zone, r.Name, r.Type)
	if err != nil {
		return err
	}
	for _, t := range there {
		if t.Same(r) {
			return nil
		}
	}
	m := new(dns.Msg)
	m.SetUpdate(dns.CanonicalName(zone))
	if rr.Header().Rrtype == dns.TypeCNAME {
		m.NameNotUsed([]dns.RR{rr})
	} else {
		m.RRsetNotUsed([]dns.RR{&dns.CNAME{Hdr: dns.RR_Header{Name: rr.Header().Name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET}}})
	}
	m.Insert([]dns.RR{rr})
	reply, err := h.exchange(ctx, m)
	if err != nil {
		return err
	}
	switch reply.Rcode {
	case dns.RcodeSuccess:
		return nil
	case dns.RcodeYXDomain, dns.RcodeYXRrset:
		// Perhaps somebody was faster with the same.
		if there, err := h.List(ctx, zone, r.Name, r.Type); err == nil {
			for _, t := range there {
				if t.Same(r) {
					return nil
				}
			}
		}
		return postern.Errorf(postern.Permanent, op, "a CNAME cannot stand beside other records (RFC 1034 section 3.6.2), and one of both is there").Because(postern.CauseChanged)
	}
	return refusal(reply.Rcode)
}

// Delete takes one value away: an RR with class NONE (section 2.5.4), which is no change
// if it is not there.
func (h *Host) Delete(ctx context.Context, zone string, r postern.DNSRecord) error {
	if err := inZone(zone, r.Name); err != nil {
		return err
	}
	there, err := h.list(ctx, zone, r.Name, r.Type)
	if err != nil {
		return err
	}
	for _, rr := range there {
		if !fromRR(rr).Same(r) {
			continue
		}
		// The record as it was read: case and splitting of a text are part of what is compared.
		m := new(dns.Msg)
		m.SetUpdate(dns.CanonicalName(zone))
		m.Remove([]dns.RR{dns.Copy(rr)})
		reply, err := h.exchange(ctx, m)
		if err != nil {
			return err
		}
		if reply.Rcode != dns.RcodeSuccess {
			return refusal(reply.Rcode)
		}
	}
	return nil
}

func inZone(zone, name string) error {
	if !dns.IsSubDomain(dns.CanonicalName(zone), dns.CanonicalName(name)) || zone == "" {
		return postern.Errorf(postern.Invalid, op, "%s is not in the zone %s", name, zone)
	}
	return nil
}

// exchange asks by TCP, signed if there is a key; the library verifies the answer's
// signature.
func (h *Host) exchange(ctx context.Context, m *dns.Msg) (*dns.Msg, error) {
	c := &dns.Client{Net: "tcp", Timeout: h.cfg.Timeout, TsigSecret: h.secrets}
	if h.cfg.KeyName != "" {
		m.SetTsig(h.cfg.KeyName, h.algorithm, 300, h.cfg.Now().Unix())
	}
	reply, _, err := c.ExchangeContext(ctx, m, h.cfg.Server)
	switch {
	case err == nil && h.cfg.KeyName != "" && reply.IsTsig() == nil && reply.Rcode == dns.RcodeSuccess:
		return nil, postern.Errorf(postern.Denied, op, "the server's answer is not signed")
	case err == nil:
		return reply, nil
	case errors.Is(err, dns.ErrAuth), errors.Is(err, dns.ErrSig), errors.Is(err, dns.ErrKey), errors.Is(err, dns.ErrSecret), errors.Is(err, dns.ErrTime):
		return nil, postern.Errorf(postern.Denied, op, "the server does not accept the key, its name or its algorithm, or the clocks differ: %w", err)
	}
	return nil, postern.Errorf(postern.Temporary, op, "%w", err)
}

// refusal puts a response code into a kind (section 2.2).
func refusal(rcode int) error {
	kind, cause := postern.Permanent, postern.CauseNone
	switch rcode {
	case dns.RcodeRefused, dns.RcodeNotAuth, dns.RcodeBadSig, dns.RcodeBadKey, dns.RcodeBadTime:
		kind = postern.Denied
	case dns.RcodeServerFailure:
		kind = postern.Temporary
	case dns.RcodeNotZone:
		cause = postern.CauseNotFound
	}
	e := postern.Errorf(kind, op, "the server answered %s", dns.RcodeToString[rcode]).Because(cause)
	e.Code = strconv.Itoa(rcode)
	return e
}

// toRR puts a value into wire form.
func (h *Host) toRR(r postern.DNSRecord) (dns.RR, error) {
	ttl := r.TTL
	if ttl <= 0 {
		ttl = h.cfg.TTL
	}
	head := dns.RR_Header{Name: dns.CanonicalName(r.Name), Class: dns.ClassINET, Ttl: uint32(ttl)}
	switch strings.ToUpper(r.Type) {
	case "TXT":
		head.Rrtype = dns.TypeTXT
		return &dns.TXT{Hdr: head, Txt: zonetext.Strings(r.Value, zonetext.Decimal)}, nil
	case "MX":
		if r.Priority < 0 || r.Priority > 65535 {
			return nil, postern.Errorf(postern.Invalid, op, "priority %d", r.Priority)
		}
		head.Rrtype = dns.TypeMX
		return &dns.MX{Hdr: head, Preference: uint16(r.Priority), Mx: dns.Fqdn(r.Value)}, nil
	case "SOA", "NS":
		return nil, postern.Errorf(postern.Invalid, op, "%s records are not ours to write", r.Type)
	}
	value := r.Value
	if strings.EqualFold(r.Type, "CNAME") {
		value = dns.Fqdn(value)
	}
	rr, err := dns.NewRR(fmt.Sprintf("%s %d IN %s %s", head.Name, ttl, strings.ToUpper(r.Type), strings.ReplaceAll(value, "\n", " ")))
	if err != nil || rr == nil {
		return nil, postern.Errorf(postern.Invalid, op, "not a value of a %s", r.Type)
	}
	return rr, nil
}

// fromRR puts wire form into our words.
func fromRR(rr dns.RR) postern.DNSRecord {
	head := rr.Header()
	r := postern.DNSRecord{
		Name: strings.TrimSuffix(dns.CanonicalName(head.Name), "."), Type: dns.TypeToString[head.Rrtype], TTL: int(head.Ttl),
	}
	switch rr := rr.(type) {
	case *dns.TXT:
		r.Value = zonetext.Join(rr.Txt)
	case *dns.MX:
		r.Value, r.Priority = host(rr.Mx), int(rr.Preference)
	case *dns.CNAME:
		r.Value = host(rr.Target)
	case *dns.NS:
		r.Value = host(rr.Ns)
	default:
		r.Value = strings.TrimPrefix(rr.String(), head.String())
	}
	return r
}

func host(name string) string {
	if name == "." {
		return name
	}
	return strings.TrimSuffix(name, ".")
}
