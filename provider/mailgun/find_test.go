package mailgun

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
)

const (
	eventHit = `{"event":"accepted","timestamp":1793577600.5,"user-variables":[],"storage":[],"message":{"headers":{"message-id":"m1@mg.example.com"}}}`
	eventMis = `{"event":"accepted","timestamp":1793577600,"message":{"headers":{"message-id":"other@mg.example.com"}}}`
	eventOld = `{"event":"accepted","timestamp":1793500000,"message":{"headers":{"message-id":"m1@mg.example.com"}}}`
	logHit   = `{"event":"delivered","@timestamp":"2026-11-02T00:00:01.530Z","user-variables":"{}","storage":{"url":["a","b"]},"message":{"headers":{"message-id":"m1@mg.example.com"}}}`
)

// books is a Mailgun with an Events and a Logs API.
type books struct {
	t      *testing.T
	events func(w http.ResponseWriter, r *http.Request)
	logs   func(w http.ResponseWriter, q logsQuery)
}

func (b *books) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if user, key, _ := r.BasicAuth(); user != "api" || key != "account" {
		b.t.Errorf("as %s:%s", user, key)
	}
	switch {
	case r.Method == "GET" && r.URL.Path == "/v3/mg.example.com/events":
		b.events(w, r)
	case r.Method == "POST" && r.URL.Path == "/v1/analytics/logs":
		var q logsQuery
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			b.t.Error(err)
		}
		b.logs(w, q)
	default:
		b.t.Errorf("%s %s", r.Method, r.URL)
		w.WriteHeader(404)
	}
}

func say(status int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func items(list ...string) string { return `{"items":[` + strings.Join(list, ",") + `],"paging":{}}` }

func TestFind(t *testing.T) {
	tests := []struct {
		name         string
		events, logs func(http.ResponseWriter)
		found        bool
		kind         postern.Kind // of the error, Internal = none
	}{
		{"in the events", say(200, items(eventHit)), say(500, ""), true, 0},
		{"in the logs", say(200, items()), say(200, items(logHit)), true, 0},
		{"in neither", say(200, items()), say(200, items()), false, 0},
		{"filter ignored", say(200, items(eventMis)), say(200, items(eventMis)), false, 0},
		{"an older one of that id", say(200, items(eventOld)), say(200, items()), false, 0},
		{"events gone, in the logs", say(404, ""), say(200, items(logHit)), true, 0},
		{"events gone, not in the logs", say(410, ""), say(200, items()), false, 0},
		{"no logs", say(200, items()), say(404, ""), false, 0},
		{"both down", say(500, ""), say(503, ""), false, postern.Temporary},
		{"events gone, logs down", say(404, ""), say(503, ""), false, postern.Temporary},
		{"wrong key", say(401, "Forbidden"), say(401, `{"message":"Invalid private key"}`), false, postern.Denied},
		{"too fast", say(429, ""), say(429, ""), false, postern.Temporary},
		{"200 without JSON", say(200, "Mailgun Magnificent API"), say(200, "Mailgun Magnificent API"), false, postern.Temporary},
		{"odd shapes", say(200, `{"items":[null,[],"x",{"message":[]},{"message":{"headers":[]}}]}`), say(200, `{"items":null,"pagination":[]}`), false, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := &books{t: t}
			b.events = func(w http.ResponseWriter, r *http.Request) {
				q := r.URL.Query()
				if q.Get("message-id") != "m1@mg.example.com" || q.Get("begin") != fmt.Sprint(now().Add(-time.Hour-findSlack).Unix()) || q.Get("ascending") != "yes" {
					t.Errorf("asked %s", r.URL.RawQuery)
				}
				test.events(w)
			}
			b.logs = func(w http.ResponseWriter, _ logsQuery) { test.logs(w) }
			found, err := server(t, b.ServeHTTP, nil).Find(context.Background(), "<m1@mg.example.com>", now().Add(-time.Hour))
			if found != test.found || (err != nil) != (test.kind != postern.Internal) {
				t.Errorf("found %v, error %v", found, err)
			}
			if err != nil {
				wantKind(t, err, test.kind, postern.CauseOf(err))
			}
		})
	}
}

// Mailgun's clock is hours from ours, which its answers tell: what it has is found.
func TestFindByTheirClock(t *testing.T) {
	for _, off := range []time.Duration{-9 * time.Hour, -4 * time.Minute, 4 * time.Minute, 9 * time.Hour} {
		theirs := now().Add(off)
		item := fmt.Sprintf(`{"event":"accepted","timestamp":%d,"message":{"headers":{"message-id":"m1@mg.example.com"}}}`, theirs.Add(-time.Minute).Unix())
		within := func(w http.ResponseWriter, has bool) {
			w.Header().Set("Date", theirs.UTC().Format(http.TimeFormat))
			if has {
				say(200, items(item))(w)
			} else {
				say(200, items())(w)
			}
		}
		for _, where := range []string{"events", "logs"} {
			b := &books{t: t}
			b.events = func(w http.ResponseWriter, r *http.Request) {
				begin, err := strconv.ParseInt(r.URL.Query().Get("begin"), 10, 64)
				within(w, err == nil && where == "events" && begin <= theirs.Add(-time.Minute).Unix())
			}
			b.logs = func(w http.ResponseWriter, q logsQuery) {
				from, err1 := time.Parse(time.RFC1123Z, q.Start)
				to, err2 := time.Parse(time.RFC1123Z, q.End)
				within(w, err1 == nil && err2 == nil && where == "logs" && from.Before(theirs.Add(-time.Minute)) && to.After(theirs))
			}
			found, err := server(t, b.ServeHTTP, nil).Find(t.Context(), "m1@mg.example.com", now().Add(-2*time.Minute))
			if !found || err != nil {
				t.Errorf("off by %v, in the %s: found %t, %v", off, where, found, err)
			}
		}
	}
}

func TestFindPages(t *testing.T) {
	var base string
	pages := 0
	b := &books{t: t, logs: func(w http.ResponseWriter, _ logsQuery) { w.WriteHeader(404) }}
	b.events = func(w http.ResponseWriter, r *http.Request) {
		pages++
		item := eventMis
		if r.URL.Query().Get("page") == "3" {
			item = eventHit
		}
		fmt.Fprintf(w, `{"items":[%s],"paging":{"next":"%s/v3/mg.example.com/events?page=%d"}}`, item, base, pages+1)
	}
	c := server(t, b.ServeHTTP, nil)
	base = c.base
	found, err := c.Find(context.Background(), "m1@mg.example.com", now().Add(-time.Hour))
	if !found || err != nil || pages != 3 {
		t.Errorf("found %v after %d pages, %v", found, pages, err)
	}

	pages = 100 // never comes
	_, err = c.Find(context.Background(), "m1@mg.example.com", now().Add(-time.Hour))
	wantKind(t, err, postern.Temporary, 0)

	base = "http://elsewhere.example" // our key must not go there
	_, err = c.Find(context.Background(), "m1@mg.example.com", now().Add(-time.Hour))
	wantKind(t, err, postern.Denied, 0)
}

// Where the Logs API does not know the filter, the domain's log is read through.
func TestFindLogsWithoutFilter(t *testing.T) {
	var tokens []string
	b := &books{t: t, events: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }}
	b.logs = func(w http.ResponseWriter, q logsQuery) {
		if q.Filter.And[0].Values[0] != (logsValue{"mg.example.com", "mg.example.com"}) {
			t.Errorf("filter %+v", q.Filter)
		}
		if len(q.Filter.And) > 1 {
			w.WriteHeader(400)
			return
		}
		tokens = append(tokens, q.Pagination.Token)
		page := slices.Repeat([]string{eventMis}, 100)
		if q.Pagination.Token == "t2" {
			page[99] = logHit
		}
		fmt.Fprintf(w, `{"items":[%s],"pagination":{"next":"t%d"}}`, strings.Join(page, ","), len(tokens))
	}
	found, err := server(t, b.ServeHTTP, nil).Find(context.Background(), "m1@mg.example.com", now().Add(-time.Hour))
	if !found || err != nil || !slices.Equal(tokens, []string{"", "t1", "t2"}) {
		t.Errorf("found %v, %v, tokens %q", found, err, tokens)
	}
}

func TestSendingKeyCannotFind(t *testing.T) {
	c := server(t, func(w http.ResponseWriter, r *http.Request) {
		if _, key, _ := r.BasicAuth(); key != "sending" {
			t.Errorf("key %s", key)
		}
		w.WriteHeader(401)
	}, func(cfg *Config) { cfg.AccountKey = "" })
	_, err := c.Find(context.Background(), "m1@mg.example.com", now())
	wantKind(t, err, postern.Denied, 0)
	if !strings.Contains(err.Error(), "mailgun.account_key") || strings.Contains(err.Error(), `"sending"`) {
		t.Error(err)
	}
	_, err = newClient(t, func(cfg *Config) { cfg.AccountKey, cfg.SendingKey = "", "" }).Find(context.Background(), "m1@mg.example.com", now())
	wantKind(t, err, postern.Denied, 0)
}

func TestLift(t *testing.T) {
	var asked []string
	status := map[string]int{}
	c := server(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.EscapedPath())
		for list, s := range status {
			if strings.Contains(r.URL.Path, list) {
				w.WriteHeader(s)
			}
		}
		io.WriteString(w, `{"message":"Bounced address has been removed"}`)
	}, nil)
	ctx := context.Background()
	if err := c.Lift(ctx, "b/o?b+x@example.org"); err != nil {
		t.Error(err)
	}
	want := []string{
		"DELETE /v3/mg.example.com/bounces/b%2Fo%3Fb+x@example.org",
		"DELETE /v3/mg.example.com/unsubscribes/b%2Fo%3Fb+x@example.org",
		"DELETE /v3/mg.example.com/complaints/b%2Fo%3Fb+x@example.org",
	}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %q", asked)
	}
	status = map[string]int{"bounces": 404, "unsubscribes": 404, "complaints": 404}
	if err := c.Lift(ctx, "bob@example.org"); err != nil {
		t.Error(err)
	}
	asked, status = nil, map[string]int{"bounces": 500, "complaints": 404}
	wantKind(t, c.Lift(ctx, "bob@example.org"), postern.Temporary, 0)
	if len(asked) != 3 {
		t.Errorf("asked %q", asked)
	}
	gone := newClient(t, func(cfg *Config) { cfg.APIURL = "http://127.0.0.1:1" })
	err := gone.Lift(ctx, "bob@example.org")
	wantKind(t, err, postern.Temporary, 0)
	if strings.Contains(err.Error(), "bob") {
		t.Errorf("an address in an error: %v", err)
	}
	asked = nil
	for _, bad := range []string{"", ".", ".."} {
		wantKind(t, c.Lift(ctx, bad), postern.Permanent, 0)
	}
	if len(asked) != 0 {
		t.Errorf("asked %q: that empties whole lists", asked)
	}
}

// The books tell what became of a mail: in order, of this one only, and from the Logs
// API, whose shapes differ, where the Events API tells nothing.
func TestTrace(t *testing.T) {
	const (
		failed    = `{"event":"failed","severity":"permanent","reason":"bounce","timestamp":1793577700,"recipient":"bob@example.org","delivery-status":{"code":550,"message":"no such user"},"user-variables":{"postern_delivery":"d1","postern_participant":"7"},"message":{"headers":{"message-id":"m1@mg.example.com"}}}`
		delivered = `{"event":"delivered","timestamp":1793577650,"message":{"headers":{"message-id":"m1@mg.example.com"}}}`
	)
	kinds := func(told []postern.MailEvent) (out []string) {
		for _, e := range told {
			out = append(out, e.Kind.String())
		}
		return out
	}
	tests := []struct {
		name         string
		events, logs func(http.ResponseWriter)
		want         []string
		kind         postern.Kind
	}{
		{"in order, this one only", say(200, items(failed, eventMis, eventOld, delivered, eventHit)), say(500, ""), []string{"accepted", "delivered", "failed"}, 0},
		{"in the logs", say(200, items()), say(200, items(logHit)), []string{"delivered"}, 0},
		{"nothing yet", say(200, items()), say(200, items()), nil, 0},
		{"both down", say(503, ""), say(503, ""), nil, postern.Temporary},
		{"wrong key", say(401, "Forbidden"), say(401, "Forbidden"), nil, postern.Denied},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := &books{t: t, events: func(w http.ResponseWriter, _ *http.Request) { test.events(w) }, logs: func(w http.ResponseWriter, _ logsQuery) { test.logs(w) }}
			told, err := server(t, b.ServeHTTP, nil).Trace(context.Background(), "<m1@mg.example.com>", now().Add(-time.Hour))
			if got := kinds(told); !slices.Equal(got, test.want) {
				t.Errorf("told %q, want %q", got, test.want)
			}
			if (err != nil) != (test.kind != postern.Internal) || err != nil && postern.KindOf(err) != test.kind {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Run("what it says", func(t *testing.T) {
		b := &books{t: t, events: func(w http.ResponseWriter, _ *http.Request) { say(200, items(failed))(w) }}
		told, err := server(t, b.ServeHTTP, nil).Trace(context.Background(), "m1@mg.example.com", now().Add(-time.Hour))
		if err != nil || len(told) != 1 || told[0].Delivery != "d1" || told[0].Participant != 7 || told[0].Code != "550" || told[0].Detail != "no such user" {
			t.Errorf("%+v, %v", told, err)
		}
	})
}
