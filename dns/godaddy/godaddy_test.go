package godaddy

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/dns/hosttest"
	"github.com/postern-chat/postern/setup"
	"pgregory.net/rapid"
)

var _ setup.Host = (*Host)(nil)

func TestConformance(t *testing.T) {
	for name, change := range map[string]func(*Config){"v3": nil, "v1 with a key": classic} {
		t.Run(name, func(t *testing.T) {
			hosttest.Run(t, func(t *testing.T) hosttest.Case {
				f, h := newFake(t, change)
				t.Cleanup(func() { harmless(t, f.calls) })
				return hosttest.Case{Host: h, Zone: testZone, MinTTL: 600, LongText: 512}
			})
		})
	}
	t.Run("v1 with a token", func(t *testing.T) {
		hosttest.Run(t, func(t *testing.T) hosttest.Case {
			f, h := newFake(t, nil)
			f.deny["v3 Bearer"] = 403
			t.Cleanup(func() { harmless(t, f.calls) })
			return hosttest.Case{Host: h, Zone: testZone, MinTTL: 600, LongText: 512}
		})
	})
}

// harmless holds calls that were recorded against what may be sent. It is written anew
// here, so that the guard's mistakes are not its own.
func harmless(t *testing.T, calls []string) {
	t.Helper()
	for _, c := range calls {
		method, path, _ := strings.Cut(c, " ")
		v3, v1 := strings.HasPrefix(path, "/v3/"), strings.HasPrefix(path, "/v1/")
		switch {
		case v3 && (method == "PUT" || method == "PATCH"):
			t.Errorf("%s: can wipe the zone", c)
		case v3 && method == "DELETE" && !strings.Contains(path, "/dns-records/id-"):
			t.Errorf("%s: not one record", c)
		case v1 && (method == "PUT" || method == "DELETE"):
			_, narrow, _ := strings.Cut(path, "/records/")
			if kind, name, ok := strings.Cut(narrow, "/"); !ok || kind == "" || name == "" || strings.Contains(name, "/") {
				t.Errorf("%s: more than one name", c)
			}
		}
	}
}

// The guard lets nothing pass that touches more than one name, whatever is asked of it.
func TestNothingBroadCanBeSent(t *testing.T) {
	f, h := newFake(t, nil)
	for _, c := range []string{
		"PUT /v3/domains/zones/example.test/dns-records/id-1", "PUT /v3/domains/zones/example.test/dns-records", "PATCH /v3/domains/zones/example.test/dns-records/id-1",
		"DELETE /v3/domains/zones/example.test/dns-records", "DELETE /v3/domains/zones/example.test/dns-records/", "DELETE /v3/domains/zones/example.test",
		"PUT /v1/domains/example.test/records", "PUT /v1/domains/example.test/records/TXT", "PUT /v1/domains/example.test/records/TXT/", "PUT /v1/domains/example.test/records//@",
		"DELETE /v1/domains/example.test/records/TXT", "DELETE /v1/domains/example.test/records", "PATCH /v1/domains/example.test", "PUT /v1/domains/example.test/records/TXT/..",
		"PUT /v2/domains/example.test/records/TXT/@", "POST /v1/domains/example.test/records", "DELETE /v1/domains/example.test",
	} {
		method, path, _ := strings.Cut(c, " ")
		if _, err := h.do(t.Context(), method, path, bearer, nil); postern.KindOf(err) != postern.Internal || err == nil {
			t.Errorf("%s: %v, want it held back", c, err)
		}
	}
	if len(f.calls) != 0 {
		t.Errorf("%v were sent", f.calls)
	}
	rapid.Check(t, func(rt *rapid.T) {
		part := rapid.SampledFrom([]string{"", "TXT", "@", "..", "a/b", "id-1", "*", "%2f", "a b", "mg?x=1", "#"})
		zone, kind, name := part.Draw(rt, "zone"), part.Draw(rt, "kind"), part.Draw(rt, "name")
		f.mu.Lock()
		f.calls = nil
		f.mu.Unlock()
		r := postern.DNSRecord{Name: name + "." + zone, Type: kind, Value: "x"}
		_ = h.Create(context.Background(), zone, r)
		_ = h.Delete(context.Background(), zone, r)
		_ = (&v3{h, bearer}).remove(context.Background(), zone, kind, name, func(record) bool { return true })
		_ = (&v1{h, ssoKey}).remove(context.Background(), zone, kind, name, func(record) bool { return true })
		f.mu.Lock()
		defer f.mu.Unlock()
		harmless(t, f.calls)
	})
}

func txt(value string) postern.DNSRecord {
	return postern.DNSRecord{Name: "mg." + testZone, Type: "TXT", Value: value}
}

func TestWhichAPI(t *testing.T) {
	for _, test := range []struct {
		name  string
		cfg   func(*Config)
		deny  map[string]int
		first string // prefix of the call that counts
		kind  postern.Kind
		ok    bool
	}{
		{"token", nil, nil, "GET /v3/", 0, true},
		{"key alone", classic, nil, "GET /v1/", 0, true},
		{"token that v3 does not take", nil, map[string]int{"v3 Bearer": 401}, "GET /v1/", 0, true},
		{"no v3", nil, map[string]int{"v3 Bearer": 404}, "GET /v1/", 0, true},
		{"token nowhere, key", func(c *Config) { c.Key, c.Secret = "k", "s" }, map[string]int{"v3 Bearer": 403, "v1 Bearer": 403}, "GET /v1/", 0, true},
		{"token nowhere", nil, map[string]int{"v3 Bearer": 403, "v1 Bearer": 401}, "GET /v1/", postern.Denied, false},
		{"v3 is down", nil, map[string]int{"v3 Bearer": 503}, "GET /v3/", postern.Temporary, false}, // no way round: v1 would not know better
	} {
		t.Run(test.name, func(t *testing.T) {
			f, h := newFake(t, test.cfg)
			for k, v := range test.deny {
				f.deny[k] = v
			}
			err := h.Create(t.Context(), testZone, txt("a"))
			if test.ok && err != nil || !test.ok && postern.KindOf(err) != test.kind {
				t.Fatalf("%v", err)
			}
			if last := f.calls[len(f.calls)-1]; !strings.HasPrefix(last, test.first) {
				t.Errorf("the last call was %s", last)
			}
			if !test.ok {
				return
			}
			n := len(f.calls)
			if _, err := h.List(t.Context(), testZone, testZone, "TXT"); err != nil || len(f.calls) != n+1 {
				t.Errorf("%v: after %d calls the way is known, and %d more were made", err, n, len(f.calls)-n)
			}
		})
	}
	_, h := newFake(t, nil)
	if err := h.Create(t.Context(), "foreign.test", postern.DNSRecord{Name: "foreign.test", Type: "TXT", Value: "a"}); postern.CauseOf(err) != postern.CauseNotFound {
		t.Errorf("a zone of somebody else: %v", err)
	}
}

func TestPages(t *testing.T) {
	f, h := newFake(t, nil)
	f.pages = 2
	var want []string
	for i := range 7 {
		r := txt(fmt.Sprintf("value %d", i))
		want = append(want, r.Value)
		if err := h.Create(t.Context(), testZone, r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := h.List(t.Context(), testZone, "MG."+testZone+".", "txt")
	var values []string
	for _, r := range got {
		values = append(values, r.Value)
	}
	if err != nil || !slices.Equal(values, want) {
		t.Errorf("%v, %v", values, err)
	}
}

// Placeholders of deleted texts are no values, and deleting does not trip over them.
func TestPlaceholders(t *testing.T) {
	for name, cfg := range map[string]func(*Config){"v3": nil, "v1": classic} {
		f, h := newFake(t, cfg)
		f.records = []record{{ID: "id-old", Type: "TXT", Name: "mg", Data: " ", TTL: 600}}
		if got, err := h.List(t.Context(), testZone, "mg."+testZone, "TXT"); err != nil || len(got) != 0 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if err := h.Create(t.Context(), testZone, txt("a")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := h.Delete(t.Context(), testZone, txt("a")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDomainProtection(t *testing.T) {
	for name, cfg := range map[string]func(*Config){"v3": nil, "v1": classic} {
		f, h := newFake(t, cfg)
		f.protect = true
		err := h.Create(t.Context(), testZone, txt("v=spf1 -all"))
		if postern.KindOf(err) != postern.Denied || !strings.Contains(err.Error(), "Protection") {
			t.Errorf("%s: %v", name, err)
		}
		// A delete that is answered as done, and was not.
		f.protect = false
		if err := h.Create(t.Context(), testZone, txt("stays")); err != nil {
			t.Fatal(err)
		}
		undone := slices.Clone(f.records)
		f.after = func(method string) {
			if method == "DELETE" || method == "PUT" {
				f.records = append(slices.Clone(undone), record{Type: "TXT", Name: "mg", Data: "", TTL: 600})
			}
		}
		err = h.Delete(t.Context(), testZone, txt("stays"))
		if k := postern.KindOf(err); k != postern.Denied {
			t.Errorf("%s: delete: %v", name, err)
		}
	}
}

func TestWhatIsSent(t *testing.T) {
	f, h := newFake(t, nil)
	for _, r := range []postern.DNSRecord{
		{Name: testZone, Type: "MX", Value: "mx.provider.test", TTL: 60},
		{Name: "mg." + testZone, Type: "CNAME", Value: "provider.test.", TTL: 100000},
		{Name: "a." + testZone, Type: "A", Value: "192.0.2.1"},
	} {
		if err := h.Create(t.Context(), testZone, r); err != nil {
			t.Fatal(err)
		}
	}
	mx, c, a := f.records[0], f.records[1], f.records[2]
	if mx.Name != "@" || mx.Data != "mx.provider.test." || mx.TTL != minTTL || mx.Priority == nil || *mx.Priority != 0 {
		t.Errorf("%+v", mx)
	}
	if c.Name != "mg" || c.Data != "provider.test." || c.TTL != maxTTL || c.Priority != nil {
		t.Errorf("%+v", c)
	}
	if a.Data != "192.0.2.1" || a.TTL != defaultTTL {
		t.Errorf("%+v", a)
	}
	err := h.Create(t.Context(), testZone, txt(strings.Repeat("x", 513)))
	if postern.KindOf(err) != postern.Permanent || postern.CauseOf(err) != postern.CauseTooLong {
		t.Errorf("513 characters: %v", err)
	}
	for _, bad := range []postern.DNSRecord{txt(" "), {Name: testZone, Type: "NS", Value: "ns.test"}} {
		if err := h.Create(t.Context(), testZone, bad); postern.KindOf(err) != postern.Invalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	// GoDaddy's own way to say "the zone".
	f.records = append(f.records, record{ID: "id-x", Type: "CNAME", Name: "www", Data: "@", TTL: 600})
	if got, err := h.List(t.Context(), testZone, "www."+testZone, "CNAME"); err != nil || len(got) != 1 || got[0].Value != testZone {
		t.Errorf("%v, %v", got, err)
	}
}

// A refusal behind which the value is there is a success; one without is not.
func TestDuplicateRefused(t *testing.T) {
	f, h := newFake(t, nil)
	race := func(w http.ResponseWriter, r *http.Request) { // between our look and our call
		f.put(record{Type: "TXT", Name: "mg", Data: "a", TTL: 600})
		f.answer(w, 422, `{"name":"X","details":[{"issue":"DUPLICATE_RECORD"}]}`)
	}
	empty := func(w http.ResponseWriter, r *http.Request) { f.answer(w, 200, `{"items":[]}`) }
	f.failures = []http.HandlerFunc{empty, race}
	if err := h.Create(t.Context(), testZone, txt("a")); err != nil || len(f.records) != 1 {
		t.Errorf("%v, %+v", err, f.records)
	}
	f.failures = []http.HandlerFunc{empty, func(w http.ResponseWriter, r *http.Request) { f.answer(w, 422, `{"name":"X"}`) }}
	if err := h.Create(t.Context(), testZone, txt("b")); postern.KindOf(err) != postern.Permanent {
		t.Errorf("%v", err)
	}
}

func TestV1LooksAfterwards(t *testing.T) {
	f, h := newFake(t, classic)
	for _, v := range []string{"a", "b", "c"} {
		if err := h.Create(t.Context(), testZone, txt(v)); err != nil {
			t.Fatal(err)
		}
	}
	f.between = func() { f.between = nil }
	if err := h.Delete(t.Context(), testZone, txt("a")); err != nil {
		t.Fatal(err)
	}
	// Somebody's PATCH lands right behind our PUT.
	f.failures = []http.HandlerFunc{f.pass, f.pass, f.pass, func(w http.ResponseWriter, r *http.Request) {
		f.put(record{Type: "TXT", Name: "mg", Data: "theirs", TTL: 600})
		f.v1(w, r, []string{"TXT", "mg"})
	}}
	err := h.Delete(t.Context(), testZone, txt("b"))
	if postern.KindOf(err) != postern.Temporary || postern.CauseOf(err) != postern.CauseChanged {
		t.Errorf("%v: want Temporary, changed", err)
	}
}

// pass handles a call of v1 as usual.
func (f *fake) pass(w http.ResponseWriter, r *http.Request) { f.v1(w, r, []string{"TXT", "mg"}) }

func TestPace(t *testing.T) {
	var pauses []time.Duration
	f, h := newFake(t, func(c *Config) {
		c.Pause = func(_ context.Context, d time.Duration) error { pauses = append(pauses, d); return nil }
	})
	f.failures = []http.HandlerFunc{
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			f.answer(w, 429, `{}`)
		},
		func(w http.ResponseWriter, _ *http.Request) {
			f.answer(w, 429, `{"code":"TOO_MANY_REQUESTS","retryAfterSec":30}`)
		},
	}
	if _, err := h.List(t.Context(), testZone, testZone, "TXT"); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(pauses, []time.Duration{7 * time.Second, 30 * time.Second}) {
		t.Errorf("waited %v", pauses)
	}
	f.failures = []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) { f.answer(w, 429, `{"retryAfterSec":3600}`) }}
	if _, err := h.List(t.Context(), testZone, testZone, "TXT"); postern.KindOf(err) != postern.Temporary || postern.RetryAfter(err) != time.Hour {
		t.Errorf("an hour: %v after %v", err, postern.RetryAfter(err))
	}
	// A POST that may have happened is not repeated blindly.
	f.calls, f.failures = nil, []http.HandlerFunc{
		func(w http.ResponseWriter, r *http.Request) { f.answer(w, 200, `{"items":[]}`) },
		func(w http.ResponseWriter, r *http.Request) { f.answer(w, 502, `oops`) },
	}
	if err := h.Create(t.Context(), testZone, txt("x")); postern.KindOf(err) != postern.Temporary || len(f.calls) != 2 {
		t.Errorf("%v, %v", err, f.calls)
	}
}

func TestErrorForms(t *testing.T) {
	f, h := newFake(t, nil)
	for body, code := range map[string]string{
		`{"name":"RATE_LIMITED","correlationId":"c","message":"secret words","details":[]}`:                                  "RATE_LIMITED",
		`{"code":"INVALID_BODY","message":"secret words","fields":[{"code":"UNKNOWN_RESTRICTION","path":"records[0].ttl"}]}`: "INVALID_BODY",
		`<html>`: "",
	} {
		fail := func(w http.ResponseWriter, _ *http.Request) { f.answer(w, 422, body) }
		f.failures = []http.HandlerFunc{fail, fail}
		_, err := h.List(t.Context(), testZone, testZone, "TXT")
		if e, ok := err.(*postern.Error); !ok || e.Code != code || e.Kind != postern.Permanent || strings.Contains(err.Error(), "secret words") {
			t.Errorf("%s: %v", body, err)
		}
	}
	if _, err := New(Config{Key: "k"}); postern.KindOf(err) != postern.Invalid {
		t.Errorf("a key without its secret: %v", err)
	}
}

// An account that may only make calls for one type at one name: PATCH is forbidden, and
// the others at the name stay all the same.
func TestV1WithoutPatch(t *testing.T) {
	f, h := newFake(t, classic)
	f.noPatch = true
	two := 2
	f.records = []record{
		{ID: "a", Type: "TXT", Name: "mg", Data: "theirs", TTL: 1800}, {ID: "b", Type: "TXT", Name: "mg", Data: " ", TTL: 600},
		{ID: "c", Type: "MX", Name: "mg", Data: "mx.test.", TTL: 600, Priority: &two},
	}
	for _, r := range []postern.DNSRecord{txt("a"), txt("b"), {Name: "mg." + testZone, Type: "MX", Value: "mx2.test"}} {
		if err := h.Create(t.Context(), testZone, r); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, r := range f.records {
		got = append(got, fmt.Sprintf("%s %s %d", r.Type, r.Data, r.TTL))
	}
	slices.Sort(got)
	if want := []string{"MX mx.test. 600", "MX mx2.test. 3600", "TXT a 3600", "TXT b 3600", "TXT theirs 1800"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	harmless(t, f.calls)
	f.protect = true
	if err := h.Create(t.Context(), testZone, txt("c")); postern.KindOf(err) != postern.Denied {
		t.Errorf("protected: %v", err)
	}
}
