package cloudflare

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/dns/hosttest"
	"github.com/postern-chat/postern/setup"
)

var _ setup.Host = (*Host)(nil)

const testZone = "example.test"

// fake is Cloudflare with one zone.
type fake struct {
	mu       sync.Mutex
	records  []record
	ids      int
	calls    []string
	pages    int
	failures []http.HandlerFunc
}

func newFake(t *testing.T, change func(*Config)) (*fake, *Host) {
	t.Helper()
	f := &fake{pages: 100}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	cfg := Config{Token: "tok", BaseURL: s.URL + "/client/v4", PerMinute: 1 << 20, Pause: func(context.Context, time.Duration) error { return nil }}
	if change != nil {
		change(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f, h
}

func (f *fake) fail(w http.ResponseWriter, status, code int) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"success":false,"errors":[{"code":%d,"message":"m"}],"messages":[],"result":null}`, code)
}

func (f *fake) ok(w http.ResponseWriter, result any, pages int) {
	b, _ := json.Marshal(result)
	fmt.Fprintf(w, `{"success":true,"errors":[],"messages":[],"result":%s,"result_info":{"page":1,"total_pages":%d}}`, b, pages)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, r.Method+" "+r.URL.Path)
	if len(f.failures) > 0 {
		fail := f.failures[0]
		f.failures = f.failures[1:]
		fail(w, r)
		return
	}
	const base = "/client/v4/zones"
	path := strings.TrimPrefix(r.URL.Path, base)
	switch {
	case r.Header.Get("Authorization") != "Bearer tok":
		f.fail(w, 403, 10000)
	case path == "" && r.Method == "GET":
		zones := []map[string]string{}
		if r.URL.Query().Get("name") == testZone {
			zones = append(zones, map[string]string{"id": "z1", "name": testZone})
		}
		f.ok(w, zones, 1)
	case path == "/z1/dns_records" && r.Method == "GET":
		f.list(w, r)
	case path == "/z1/dns_records" && r.Method == "POST":
		f.create(w, r)
	case strings.HasPrefix(path, "/z1/dns_records/") && r.Method == "DELETE":
		n := len(f.records)
		f.records = slices.DeleteFunc(f.records, func(x record) bool { return "/z1/dns_records/"+x.ID == path })
		if n == len(f.records) {
			f.fail(w, 404, 81044)
			return
		}
		f.ok(w, map[string]string{"id": "x"}, 0)
	default:
		f.fail(w, 404, 7003)
	}
}

func (f *fake) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	all := slices.DeleteFunc(slices.Clone(f.records), func(x record) bool { return x.Type != q.Get("type") || x.Name != q.Get("name") })
	page, _ := strconv.Atoi(q.Get("page"))
	from := min((page-1)*f.pages, len(all))
	f.ok(w, all[from:min(from+f.pages, len(all))], (len(all)+f.pages-1)/f.pages)
}

func (f *fake) create(w http.ResponseWriter, r *http.Request) {
	var x record
	if json.NewDecoder(r.Body).Decode(&x) != nil || x.Proxied || x.TTL != 1 && (x.TTL < 60 || x.TTL > 86400) || x.Type == "MX" && x.Priority == nil {
		f.fail(w, 400, 9005)
		return
	}
	for _, o := range f.records {
		switch {
		case o.Name != x.Name:
		case o.Type == x.Type && o.Content == x.Content && (x.Priority == nil || *x.Priority == *o.Priority):
			f.fail(w, 400, codeIdentical)
			return
		case o.Type == "CNAME" || x.Type == "CNAME":
			f.fail(w, 400, 81053)
			return
		}
	}
	f.ids++
	x.ID = fmt.Sprintf("r%d", f.ids)
	f.records = append(f.records, x)
	f.ok(w, x, 0)
}

func TestConformance(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) hosttest.Case {
		_, h := newFake(t, nil)
		return hosttest.Case{Host: h, Zone: testZone}
	})
}

func txt(value string) postern.DNSRecord {
	return postern.DNSRecord{Name: "mg." + testZone, Type: "TXT", Value: value}
}

func TestWhatIsSent(t *testing.T) {
	f, h := newFake(t, nil)
	for _, r := range []postern.DNSRecord{
		txt(strings.Repeat("x", 300)), {Name: testZone, Type: "MX", Value: "mx.test", TTL: 10}, {Name: "email." + testZone, Type: "CNAME", Value: "provider.test"},
	} {
		if err := h.Create(t.Context(), testZone, r); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := f.records[0].Content, `"`+strings.Repeat("x", 255)+`" "`+strings.Repeat("x", 45)+`"`; got != want || f.records[0].TTL != autoTTL {
		t.Errorf("%+v", f.records[0])
	}
	if mx := f.records[1]; mx.Priority == nil || *mx.Priority != 0 || mx.TTL != minTTL || mx.Name != testZone {
		t.Errorf("%+v", mx)
	}
}

// Texts that were entered without quotes are the same texts.
func TestUnquoted(t *testing.T) {
	f, h := newFake(t, nil)
	f.records = []record{{ID: "old", Type: "TXT", Name: "mg." + testZone, Content: `v=spf1 "quoted" -all`, TTL: 1}}
	r := txt(`v=spf1 "quoted" -all`)
	if err := h.Create(t.Context(), testZone, r); err != nil || len(f.records) != 1 {
		t.Errorf("%v, %+v", err, f.records)
	}
	if err := h.Delete(t.Context(), testZone, r); err != nil || len(f.records) != 0 {
		t.Errorf("%v, %+v", err, f.records)
	}
	for _, s := range []string{"", "a", `a"b\c`, strings.Repeat("é", 300), strings.Repeat(`"`, 256)} {
		if got := unquote(quote(s)); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}

func TestPages(t *testing.T) {
	f, h := newFake(t, nil)
	f.pages = 2
	for i := range 5 {
		if err := h.Create(t.Context(), testZone, txt(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := h.List(t.Context(), testZone, "mg."+testZone, "TXT"); err != nil || len(got) != 5 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestDuplicate(t *testing.T) {
	for _, code := range []int{codeExists, codeIdentical} {
		f, h := newFake(t, nil)
		if _, err := h.List(t.Context(), testZone, testZone, "TXT"); err != nil { // the zone's id is known from here
			t.Fatal(err)
		}
		empty := func(w http.ResponseWriter, _ *http.Request) { f.ok(w, []record{}, 1) }
		f.failures = []http.HandlerFunc{empty, func(w http.ResponseWriter, _ *http.Request) {
			f.records = append(f.records, record{ID: "theirs", Type: "TXT", Name: "mg." + testZone, Content: `"a"`, TTL: 1})
			f.fail(w, 400, code)
		}}
		if err := h.Create(t.Context(), testZone, txt("a")); err != nil {
			t.Errorf("%d, and it is there: %v", code, err)
		}
		f.failures = []http.HandlerFunc{empty, func(w http.ResponseWriter, _ *http.Request) { f.fail(w, 400, code) }}
		if err := h.Create(t.Context(), testZone, txt("b")); postern.KindOf(err) != postern.Permanent {
			t.Errorf("%d, and it is not there: %v", code, err)
		}
	}
}

func TestFailures(t *testing.T) {
	var pauses []time.Duration
	f, h := newFake(t, func(c *Config) {
		c.Pause = func(_ context.Context, d time.Duration) error { pauses = append(pauses, d); return nil }
	})
	f.failures = []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "3"); f.fail(w, 429, 971) }}
	if _, err := h.List(t.Context(), testZone, testZone, "TXT"); err != nil || !slices.Equal(pauses, []time.Duration{3 * time.Second}) {
		t.Errorf("%v, waited %v", err, pauses)
	}
	if err := h.Create(t.Context(), "foreign.test", postern.DNSRecord{Name: "foreign.test", Type: "TXT", Value: "a"}); postern.CauseOf(err) != postern.CauseNotFound {
		t.Errorf("a zone of somebody else: %v", err)
	}
	for _, test := range []struct{ status, code int }{{403, 10000}, {401, 1}, {400, codeHeaders}, {400, codeToken}} {
		f.failures = []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) { f.fail(w, test.status, test.code) }}
		if _, err := h.List(t.Context(), testZone, testZone, "TXT"); postern.KindOf(err) != postern.Denied {
			t.Errorf("%v: %v", test, err)
		}
	}
	f.failures = []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"success":true,"result":7}`) }}
	if _, err := h.List(t.Context(), testZone, testZone, "TXT"); postern.KindOf(err) != postern.Temporary {
		t.Errorf("an odd answer: %v", err)
	}
	if _, err := New(Config{}); postern.KindOf(err) != postern.Invalid {
		t.Errorf("no token: %v", err)
	}
}
