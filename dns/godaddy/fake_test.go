package godaddy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	token    = "gd_pat_test"
	bearer   = "Bearer " + token
	ssoKey   = "sso-key k:s"
	testZone = "example.test"
)

// fake is GoDaddy with one zone, both versions of the API and their traps: v3's PUT wipes
// the zone, v1's PUT replaces, lists come in small pages.
type fake struct {
	mu       sync.Mutex
	records  []record
	ids      int
	calls    []string // "METHOD path"
	pages    int      // page size, default 25
	noPatch  bool     // v1 takes calls by type and name only
	protect  bool     // Domain Protection: texts become empty
	deny     map[string]int
	failures []http.HandlerFunc  // answered before anything else, one a call
	between  func()              // called ahead of v1's PUT
	after    func(method string) // called behind every call
}

func newFake(t *testing.T, change func(*Config)) (*fake, *Host) {
	t.Helper()
	f := &fake{pages: 25, deny: map[string]int{}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	cfg := Config{Token: token, BaseURL: s.URL, PerMinute: 1 << 20, Pause: func(context.Context, time.Duration) error { return nil }}
	if change != nil {
		change(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f, h
}

func classic(cfg *Config) { cfg.Token, cfg.Key, cfg.Secret = "", "k", "s" }

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, r.Method+" "+r.URL.EscapedPath())
	if f.after != nil {
		defer f.after(r.Method)
	}
	if len(f.failures) > 0 {
		fail := f.failures[0]
		f.failures = f.failures[1:]
		fail(w, r)
		return
	}
	part := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i := range part {
		part[i], _ = url.PathUnescape(part[i])
	}
	auth := r.Header.Get("Authorization")
	switch {
	case r.Header.Get("User-Agent") == "" || strings.HasPrefix(r.Header.Get("User-Agent"), "Go-http"):
		f.answer(w, 403, `{"code":"ACCESS_DENIED"}`)
	case auth != bearer && auth != ssoKey || part[0] == "v3" && auth != bearer:
		f.answer(w, 401, `{"code":"UNABLE_TO_AUTHENTICATE","message":"m"}`)
	case f.deny[part[0]+" "+strings.Fields(auth)[0]] != 0:
		f.answer(w, f.deny[part[0]+" "+strings.Fields(auth)[0]], `{"name":"FORBIDDEN","code":"ACCESS_DENIED","message":"m"}`)
	case part[0] == "v3" && len(part) >= 5 && part[3] == testZone:
		f.v3(w, r, part[5:])
	case part[0] == "v1" && len(part) >= 4 && part[2] == testZone:
		f.v1(w, r, part[4:])
	default:
		f.answer(w, 404, `{"code":"UNKNOWN_DOMAIN","name":"NOT_FOUND"}`)
	}
}

func (f *fake) answer(w http.ResponseWriter, status int, body string) {
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

func (f *fake) put(r record) {
	f.ids++
	r.ID = fmt.Sprintf("id-%d", f.ids)
	if f.protect && r.Type == "TXT" {
		r.Data = ""
	}
	f.records = append(f.records, r)
}

func (f *fake) pick(kind, name string) []record {
	return slices.DeleteFunc(slices.Clone(f.records), func(r record) bool {
		return kind != "" && r.Type != kind || name != "" && !strings.EqualFold(r.Name, name)
	})
}

// refused tells why a record is not taken, "" if it is.
func (f *fake) refused(r record) string {
	switch {
	case r.TTL < 600 || r.TTL > 86400:
		return "must have a minimum value of 600"
	case r.Data == "" || len(r.Data) > 512 || r.Name == "":
		return "length"
	case r.Type == "MX" && r.Priority == nil:
		return "priority is missing"
	}
	for _, o := range f.records {
		switch {
		case !strings.EqualFold(o.Name, r.Name):
		case o.Type == r.Type && o.Data == r.Data && (r.Priority == nil || o.Priority != nil && *o.Priority == *r.Priority):
			return "DUPLICATE_RECORD"
		case o.Type == "CNAME" || r.Type == "CNAME":
			return "conflicts with CNAME"
		}
	}
	return ""
}

func (f *fake) v3(w http.ResponseWriter, r *http.Request, rest []string) {
	body, _ := io.ReadAll(r.Body)
	switch {
	case r.Method == "GET" && len(rest) == 0:
		q := r.URL.Query()
		all := f.pick(q.Get("type"), q.Get("name"))
		page, _ := strconv.Atoi(q.Get("page"))
		size, _ := strconv.Atoi(q.Get("pageSize"))
		size = min(max(size, 1), f.pages)
		from := min((page-1)*size, len(all))
		to := min(from+size, len(all))
		links := `{"rel":"self","href":"x"}`
		if to < len(all) {
			links += `,{"rel":"next","href":"http://127.0.0.1:1/steal"}`
		}
		items, _ := json.Marshal(all[from:to])
		if from == to {
			items = []byte("[]")
		}
		f.answer(w, 200, fmt.Sprintf(`{"items":%s,"links":[%s]}`, items, links))
	case r.Method == "POST" && len(rest) == 0:
		var rec record
		if json.Unmarshal(body, &rec) != nil {
			f.answer(w, 400, `{"name":"INVALID_BODY"}`)
			return
		}
		if why := f.refused(rec); why != "" {
			f.answer(w, 422, `{"name":"UNPROCESSABLE_ENTITY","message":"m","details":[{"issue":"`+why+`"}]}`)
			return
		}
		f.put(rec)
		f.answer(w, 201, `{}`)
	case r.Method == "DELETE" && len(rest) == 1:
		n := len(f.records)
		f.records = slices.DeleteFunc(f.records, func(x record) bool { return x.ID == rest[0] })
		if len(f.records) == n {
			f.answer(w, 404, `{"name":"NOT_FOUND"}`)
			return
		}
		w.WriteHeader(204)
	default: // PUT, and whatever else
		f.records = nil
		f.answer(w, 200, `{}`)
	}
}

func (f *fake) v1(w http.ResponseWriter, r *http.Request, rest []string) {
	body, _ := io.ReadAll(r.Body)
	var in []record
	if len(body) > 0 && json.Unmarshal(body, &in) != nil {
		f.answer(w, 400, `{"code":"INVALID_BODY","message":"is not a array","fields":[{"path":"records"}]}`)
		return
	}
	narrow := len(rest) == 2
	switch {
	case r.Method == "GET" && narrow:
		out := make([]map[string]any, 0)
		for _, x := range f.pick(rest[0], rest[1]) {
			m := map[string]any{"type": x.Type, "name": x.Name, "data": x.Data, "ttl": x.TTL}
			if x.Priority != nil {
				m["priority"] = *x.Priority
			}
			out = append(out, m)
		}
		b, _ := json.Marshal(out)
		f.answer(w, 200, string(b))
	case r.Method == "PATCH" && f.noPatch:
		f.answer(w, 403, `{"code":"ACCESS_DENIED","message":"m"}`)
	case r.Method == "PATCH" && len(rest) == 0:
		for _, x := range in {
			if why := f.refused(x); why != "" {
				f.answer(w, 422, `{"code":"DUPLICATE_RECORD","message":"m","fields":[{"code":"`+why+`","path":"records[0]"}]}`)
				return
			}
		}
		for _, x := range in {
			f.put(x)
		}
		f.answer(w, 200, "")
	case r.Method == "PUT" && narrow:
		if f.between != nil {
			f.between()
		}
		f.records = slices.DeleteFunc(f.records, func(x record) bool { return x.Type == rest[0] && strings.EqualFold(x.Name, rest[1]) })
		for _, x := range in {
			x.Type, x.Name = rest[0], rest[1]
			f.put(x)
		}
		f.answer(w, 200, "")
	case r.Method == "DELETE" && narrow:
		f.records = slices.DeleteFunc(f.records, func(x record) bool { return x.Type == rest[0] && strings.EqualFold(x.Name, rest[1]) })
		w.WriteHeader(204)
	default:
		f.records = nil
		f.answer(w, 200, "")
	}
}
