package route53

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/dns/hosttest"
	"github.com/postern-chat/postern/setup"
)

var _ setup.Host = (*Host)(nil)

// fake is Route 53 as its API reference describes it: record sets that change by batches
// which are all or nothing, deletes that have to match.
type fake struct {
	t     *testing.T
	mu    sync.Mutex
	zones []string          // XML of HostedZone
	sets  map[string]string // "name type" to the XML of a ResourceRecordSet
	posts []string          // bodies of changes
	// before is called ahead of a change, to come between; limit answers 429 so often.
	before func()
	fail   []int
}

const xmlHead = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

func hostedZone(id, name string, private bool) string {
	return fmt.Sprintf(`<HostedZone><Id>/hostedzone/%s</Id><Name>%s</Name><CallerReference>x</CallerReference><Config><PrivateZone>%v</PrivateZone></Config><ResourceRecordSetCount>2</ResourceRecordSetCount></HostedZone>`, id, name, private)
}

func newFake(t *testing.T) (*fake, *Host) {
	t.Helper()
	f := &fake{t: t, sets: map[string]string{}, zones: []string{
		hostedZone("ZPRIVATE", "example.test.", true), hostedZone("ZPUBLIC", "example.test.", false), hostedZone("ZNEXT", "example.zzz.", false),
	}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	h, err := New(Config{
		AccessKey: "AKIDEXAMPLE", SecretKey: "secret", BaseURL: s.URL, PerMinute: 1 << 20,
		Pause: func(context.Context, time.Duration) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return f, h
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") || r.Header.Get("X-Amz-Date") == "" {
		f.answer(w, 403, `<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>m</Message></Error></ErrorResponse>`)
		return
	}
	if len(f.fail) > 0 {
		status := f.fail[0]
		f.fail = f.fail[1:]
		f.answer(w, status, `<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>`)
		return
	}
	switch path := r.URL.Path; {
	case r.Method == "GET" && path == "/2013-04-01/hostedzonesbyname":
		f.answer(w, 200, `<ListHostedZonesByNameResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><HostedZones>`+strings.Join(f.zones, "")+`</HostedZones><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems></ListHostedZonesByNameResponse>`)
	case r.Method == "GET" && path == "/2013-04-01/hostedzone/ZPUBLIC/rrset":
		f.list(w, r)
	case r.Method == "POST" && path == "/2013-04-01/hostedzone/ZPUBLIC/rrset":
		f.change(w, r)
	default:
		f.answer(w, 404, `<ErrorResponse><Error><Code>NoSuchHostedZone</Code></Error></ErrorResponse>`)
	}
}

func (f *fake) answer(w http.ResponseWriter, status int, body string) {
	w.WriteHeader(status)
	fmt.Fprint(w, xmlHead+body)
}

// list begins at the name that is asked for, in the order of labels from the right.
func (f *fake) list(w http.ResponseWriter, r *http.Request) {
	order := func(key string) string {
		name, kind, _ := strings.Cut(key, " ")
		labels := strings.Split(strings.TrimSuffix(name, "."), ".")
		slices.Reverse(labels)
		return strings.Join(labels, "\x00") + "\x01" + kind
	}
	var keys []string
	for k := range f.sets {
		if order(k) >= order(r.URL.Query().Get("name")+" "+r.URL.Query().Get("type")) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return strings.Compare(order(a), order(b)) })
	body := ""
	for _, k := range keys {
		body += f.sets[k]
	}
	f.answer(w, 200, `<ListResourceRecordSetsResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ResourceRecordSets>`+body+`</ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>10</MaxItems></ListResourceRecordSetsResponse>`)
}

type batch struct {
	XMLName xml.Name `xml:"https://route53.amazonaws.com/doc/2013-04-01/ ChangeResourceRecordSetsRequest"`
	Changes []struct {
		Action string
		Set    struct {
			Name, Type string
			TTL        *int
			Values     []string `xml:"ResourceRecords>ResourceRecord>Value"`
		} `xml:"ResourceRecordSet"`
	} `xml:"ChangeBatch>Changes>Change"`
}

func (f *fake) change(w http.ResponseWriter, r *http.Request) {
	if f.before != nil {
		f.before()
	}
	body := new(strings.Builder)
	if _, err := fmt.Fprint(body, readAll(f.t, r)); err != nil {
		f.t.Error(err)
	}
	f.posts = append(f.posts, body.String())
	var b batch
	if err := xml.Unmarshal([]byte(body.String()), &b); err != nil {
		f.answer(w, 400, `<ErrorResponse><Error><Code>InvalidInput</Code></Error></ErrorResponse>`)
		return
	}
	next := map[string]string{}
	for k, v := range f.sets {
		next[k] = v
	}
	for _, c := range b.Changes {
		key := c.Set.Name + " " + c.Set.Type
		values := ""
		for _, v := range c.Set.Values {
			var escaped strings.Builder
			_ = xml.EscapeText(&escaped, []byte(v))
			values += "<ResourceRecord><Value>" + escaped.String() + "</Value></ResourceRecord>"
		}
		if c.Set.TTL == nil || values == "" {
			f.refuse(w, "TTL and values are required")
			return
		}
		shown := strings.ReplaceAll(c.Set.Name, "*", `\052`)
		set := fmt.Sprintf("<ResourceRecordSet><Name>%s</Name><Type>%s</Type><TTL>%d</TTL><ResourceRecords>%s</ResourceRecords></ResourceRecordSet>", shown, c.Set.Type, *c.Set.TTL, values)
		_, there := next[key]
		switch {
		case c.Action == "DELETE" && next[key] == set:
			delete(next, key)
		case c.Action == "CREATE" && !there && !f.besideCNAME(next, c.Set.Name, c.Set.Type) && (c.Set.Type != "CNAME" || len(c.Set.Values) == 1):
			next[key] = set
		default:
			f.refuse(w, "not found, exists, or conflicts")
			return
		}
	}
	f.sets = next
	f.answer(w, 200, `<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status></ChangeInfo></ChangeResourceRecordSetsResponse>`)
}

func (f *fake) besideCNAME(sets map[string]string, name, kind string) bool {
	for k := range sets {
		n, other, _ := strings.Cut(k, " ")
		if n == name && other != kind && (other == "CNAME" || kind == "CNAME") {
			return true
		}
	}
	return false
}

func (f *fake) refuse(w http.ResponseWriter, why string) {
	f.answer(w, 400, `<InvalidChangeBatch xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Messages><Message>`+why+`</Message></Messages></InvalidChangeBatch>`)
}

func readAll(t *testing.T, r *http.Request) string {
	var b strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := r.Body.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			return b.String()
		}
	}
}

func TestConformance(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) hosttest.Case {
		_, h := newFake(t)
		return hosttest.Case{Host: h, Zone: "example.test"}
	})
}

func text(value string) postern.DNSRecord {
	return postern.DNSRecord{Name: "mg.example.test", Type: "TXT", Value: value}
}

// Somebody adds a value between our reading and our writing: theirs stays.
func TestOvertaken(t *testing.T) {
	f, h := newFake(t)
	times := 0
	f.before = func() {
		if times++; times == 1 {
			f.sets["mg.example.test. TXT"] = `<ResourceRecordSet><Name>mg.example.test.</Name><Type>TXT</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>"theirs"</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>`
			f.sets["mg.example.test. TXT"] = strings.ReplaceAll(f.sets["mg.example.test. TXT"], `"`, "&#34;")
		}
	}
	if err := h.Create(t.Context(), "example.test", text("ours")); err != nil {
		t.Fatal(err)
	}
	got, err := h.List(t.Context(), "example.test", "mg.example.test", "TXT")
	if err != nil || len(got) != 2 || got[0].TTL != 60 {
		t.Errorf("%+v, %v: want both, with the TTL of the set", got, err)
	}
	for _, p := range f.posts {
		if strings.Contains(p, "UPSERT") {
			t.Error("an UPSERT overwrites what it does not know")
		}
	}
}

func TestAlwaysOvertaken(t *testing.T) {
	f, h := newFake(t)
	times := 0
	f.before = func() {
		times++
		f.sets["mg.example.test. TXT"] = fmt.Sprintf(`<ResourceRecordSet><Name>mg.example.test.</Name><Type>TXT</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>%d</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>`, times)
	}
	err := h.Create(t.Context(), "example.test", text("ours"))
	if postern.KindOf(err) != postern.Temporary || postern.CauseOf(err) != postern.CauseChanged || times != attempts {
		t.Errorf("%v after %d tries", err, times)
	}
}

// What cannot be changed value by value is left alone.
func TestAliasAndPolicy(t *testing.T) {
	for _, inside := range []string{
		`<AliasTarget><HostedZoneId>Z</HostedZoneId><DNSName>x.</DNSName><EvaluateTargetHealth>false</EvaluateTargetHealth></AliasTarget>`,
		`<SetIdentifier>blue</SetIdentifier><Weight>1</Weight><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>"a"</Value></ResourceRecord></ResourceRecords>`,
	} {
		f, h := newFake(t)
		f.sets["mg.example.test. TXT"] = `<ResourceRecordSet><Name>mg.example.test.</Name><Type>TXT</Type>` + inside + `</ResourceRecordSet>`
		if err := h.Create(t.Context(), "example.test", text("ours")); postern.KindOf(err) != postern.Permanent || len(f.posts) != 0 {
			t.Errorf("%v, %d changes", err, len(f.posts))
		}
	}
}

func TestZones(t *testing.T) {
	f, h := newFake(t)
	f.zones = f.zones[:1] // only the private one
	_, err := h.List(t.Context(), "example.test", "example.test", "TXT")
	if postern.CauseOf(err) != postern.CauseNotFound {
		t.Errorf("a private zone: %v", err)
	}
	f.zones = []string{hostedZone("Z1", "example.test.", false), hostedZone("Z2", "example.test.", false)}
	if _, err := h.List(t.Context(), "example.test", "example.test", "TXT"); postern.KindOf(err) != postern.Denied {
		t.Errorf("two of the same name: %v", err)
	}
}

func TestFailures(t *testing.T) {
	f, h := newFake(t)
	f.fail = []int{429, 503, 400}
	if _, err := h.List(t.Context(), "example.test", "example.test", "TXT"); postern.KindOf(err) != postern.Temporary {
		t.Errorf("throttled by 400: %v", err)
	}
	if _, err := h.List(t.Context(), "example.test", "example.test", "TXT"); err != nil {
		t.Errorf("after that: %v", err)
	}
	wrong, err := New(Config{AccessKey: "OTHER", SecretKey: "x", BaseURL: h.cfg.BaseURL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wrong.List(t.Context(), "example.test", "example.test", "TXT"); postern.KindOf(err) != postern.Denied {
		t.Errorf("a wrong key: %v", err)
	}
	if _, err := New(Config{}); postern.KindOf(err) != postern.Invalid {
		t.Errorf("no key: %v", err)
	}
}

func TestQuote(t *testing.T) {
	for _, s := range []string{"", "a", `a "b" \c`, "ä\x00\xff", strings.Repeat("x", 255), strings.Repeat(`"`, 600), `\052`} {
		if got := unquote(quote(s)); got != s {
			t.Errorf("%q became %q by %s", s, got, quote(s))
		}
	}
	if got := quote(strings.Repeat("x", 256)); got != `"`+strings.Repeat("x", 255)+`" "x"` {
		t.Error(got)
	}
	if got := unescape(`\052.example.test.`); got != "*.example.test." {
		t.Error(got)
	}
}

// AWS's own example for its signature: "get-vanilla" of its test suite.
func TestSignature(t *testing.T) {
	r := httptest.NewRequest("GET", "https://example.amazonaws.com/", nil)
	r.Header = http.Header{}
	sign(r, nil, credentials{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""}, "us-east-1", "service", time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC))
	const want = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
	if got := r.Header.Get("Authorization"); got != want {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
}
