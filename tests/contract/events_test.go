package contract

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	markRead      = "mark_as_read"
	markDelivered = "mark_as_delivered"
)

// mailed makes a pair and a mail to its second member.
func (w *world) mailed(id string) (*channel, *sent) {
	w.t.Helper()
	c, addr := w.pair(id)
	w.say(c, "ana", "Hello")
	return c, w.mg.mail(w.t, addr, 1)
}

func (w *world) marksOf(t *testing.T, c *channel, id string, delivered, read bool) {
	t.Helper()
	w.gw.idle()
	if got := w.sb.marked(markDelivered, c, id) > 0; got != delivered {
		t.Errorf("marked delivered: %v", got)
	}
	if got := w.sb.marked(markRead, c, id) > 0; got != read {
		t.Errorf("marked read: %v", got)
	}
}

func TestReceiptModes(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	for mode, opens := range map[string]map[string]bool{
		"human-open": {"person": true, "machine": false, "reply": true},
		"any-open":   {"person": true, "machine": true, "reply": true},
		"reply":      {"person": false, "machine": false, "reply": true},
		"off":        {"person": false, "machine": false, "reply": false},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, vars{"POSTERN_RECEIPTS_READ": mode})
			c, m := w.mailed("bob")
			w.happened(m, "delivered")
			w.happened(m, "opened", opened(nil, person, minute))
			w.gw.idle()
			if got := w.sb.marked(markRead, c, "bob") > 0; got != opens["person"] {
				t.Errorf("a person's open: marked read %v", got)
			}
			c2, m2 := w.mailed("carl")
			w.happened(m2, "delivered")
			w.happened(m2, "opened", opened("apple", "Mozilla/5.0", minute))
			w.gw.idle()
			if got := w.sb.marked(markRead, c2, "carl") > 0; got != opens["machine"] {
				t.Errorf("a machine's open: marked read %v", got)
			}
			c3, m3 := w.mailed("dora")
			w.answer(m3, "an answer")
			w.posted(c3, 1)
			w.gw.idle()
			// By a call of ours, or by Sendbird's own rule for who writes.
			got := w.sb.marked(markRead, c3, "dora") > 0 || w.sb.posts(c3)[0].Form["mark_as_read"] != "false"
			if got != opens["reply"] {
				t.Errorf("a reply: marked read %v", got)
			}
		})
	}
}

func TestMachineOpens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	const minute = time.Minute
	for name, tc := range map[string]struct {
		open mod
		read bool
	}{
		"person":            {opened(nil, person, minute), true},
		"person bot empty":  {opened("", person, minute), true},
		"proxy on display":  {opened(nil, "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", minute), true},
		"apple":             {opened("apple", "Mozilla/5.0", minute), false},
		"gmail prefetch":    {opened("gmail", person, minute), false},
		"gmail prefetch ua": {opened(nil, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0", minute), false},
		"generic":           {opened("generic", person, minute), false},
		"apple ua only":     {opened(nil, "Mozilla/5.0", minute), false},
		"too soon":          {opened(nil, person, 2*time.Second), false},
	} {
		id := "u" + sign("x", name)[:8]
		c, m := w.mailed(id)
		w.happened(m, "delivered", set("timestamp", float64(time.Now().UnixMilli())/1000))
		w.happened(m, "opened", tc.open)
		w.gw.idle()
		if got := w.sb.marked(markRead, c, id) > 0; got != tc.read {
			t.Errorf("%s: marked read %v", name, got)
		}
		if w.sb.marked(markDelivered, c, id) == 0 {
			t.Errorf("%s: not marked delivered", name)
		}
	}
}

// A mark is a line under everything before it: it waits while something later is unmailed or undelivered.
func TestHighWater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	t.Run("later mail not delivered", func(t *testing.T) {
		c, m1 := w.mailed("bob")
		w.say(c, "ana", "second")
		m2 := w.mg.mail(t, m1.To, 2)
		w.happened(m1, "delivered")
		w.happened(m1, "opened", opened(nil, person, time.Minute))
		w.marksOf(t, c, "bob", false, false)
		w.happened(m2, "delivered")
		w.gw.idle()
		if w.sb.marked(markDelivered, c, "bob") == 0 {
			t.Error("not marked delivered after all were")
		}
		if w.sb.marked(markRead, c, "bob") != 0 {
			t.Error("marked read while the second mail is unread")
		}
		w.happened(m2, "opened", opened(nil, person, time.Minute))
		poll(t, "read", func() error { return want(w.sb.marked(markRead, c, "bob"), 1) })
	})
	t.Run("later message waits in its window", func(t *testing.T) {
		w := newWorld(t, vars{"POSTERN_NOTIFY_DELAY": "2s"})
		c, m := w.mailed("carl")
		w.say(c, "ana", "later")
		w.happened(m, "delivered")
		w.happened(m, "opened", opened(nil, person, time.Minute))
		m2 := w.mg.mail(t, m.To, 2)
		w.marksOf(t, c, "carl", false, false)
		w.happened(m2, "delivered")
		poll(t, "delivered", func() error { return want(w.sb.marked(markDelivered, c, "carl") > 0, true) })
	})
	t.Run("opened before delivered", func(t *testing.T) {
		c, m := w.mailed("dora")
		w.happened(m, "opened", opened(nil, person, time.Minute))
		w.happened(m, "delivered")
		w.marksOf(t, c, "dora", true, true)
	})
	t.Run("again and again", func(t *testing.T) {
		c, m := w.mailed("emil")
		for range 3 {
			w.happened(m, "delivered")
		}
		for range 3 {
			w.happened(m, "opened", opened(nil, person, time.Minute))
		}
		w.marksOf(t, c, "emil", true, true)
		if n := w.sb.marked(markRead, c, "emil"); n != 1 {
			t.Errorf("marked read %d times", n)
		}
	})
	t.Run("own later words do not hold", func(t *testing.T) {
		c, m := w.mailed("fred")
		w.say(c, "fred", "I write in the chat myself")
		w.happened(m, "delivered")
		w.marksOf(t, c, "fred", true, false)
	})
}

func TestEventShapes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c, m := w.mailed("bob")
	for name, mods := range map[string][]mod{
		"no variables":         {set("user-variables", []any{}), set("tags", nil)},
		"null delivery-status": {set("delivery-status", nil)},
		"storage array":        {set("storage", []any{})},
		"storage url array":    {set("storage", map[string]any{"url": []any{"https://x"}, "key": "k"})},
		"code as string":       {set("delivery-status", map[string]any{"code": "250", "description": nil, "enhanced-code": nil})},
		"envelope empty":       {set("envelope", map[string]any{}), set("flags", nil)},
		"message null":         {set("message", nil)},
		"variables null":       {set("user-variables", nil)},
		"variables string":     {set("user-variables", "{}")},
		"odd times":            {set("timestamp", "1793577600.5")},
		"no time":              {unset("timestamp", "id")},
		"client-info array":    {set("client-info", []any{})},
		"headers array":        {set("message", map[string]any{"headers": []any{}})},
		"recipient missing":    {unset("recipient")},
	} {
		for _, kind := range []string{"accepted", "delivered", "opened", "clicked", "unsubscribed-x", "stored", "rejected", "failed", "what"} {
			mods := append([]mod{set("severity", "temporary")}, mods...)
			if code := w.event(&sent{To: "nobody@example.org", ID: "x@mg.example.com"}, kind, mods...); code != 200 {
				t.Errorf("%s %s: %d", kind, name, code)
			}
		}
	}
	w.marksOf(t, c, "bob", false, false)
	w.happened(m, "failed", set("severity", "temporary"), set("delivery-status", map[string]any{"code": 452, "enhanced-code": "4.2.2", "retry-seconds": 600}))
	w.marksOf(t, c, "bob", false, false)
	if n := len(w.sb.posts(c)); n != 0 {
		t.Errorf("%d lines after a temporary failure", n)
	}
	// Recognised by its id where the variables are lost.
	w.happened(m, "delivered", set("user-variables", []any{}), set("storage", []any{}), set("delivery-status", nil))
	w.marksOf(t, c, "bob", true, false)
	if w.gw.metric("postern_dead_jobs") != 0 {
		t.Error("jobs were given up")
	}
}

// A bounce is told once, plainly, without the address; then nothing more is sent until somebody lifts it.
func TestFailures(t *testing.T) {
	t.Parallel()
	for name, mods := range map[string]struct {
		kind string
		mods []mod
	}{
		"bounce": {"failed", []mod{set("severity", "permanent"), set("reason", "bounce"),
			set("delivery-status", map[string]any{"attempt-no": 1, "code": 550, "message": "No Such User bob@example.org", "bounce-type": "hard"})}},
		"suppressed": {"failed", []mod{set("severity", "permanent"), set("reason", "suppress-bounce"), set("delivery-status", map[string]any{"code": 605, "message": "",
			"description": "Not delivering to previously bounced address bob@example.org"})}},
		"no delivery-status": {"failed", []mod{set("severity", "permanent"), set("reason", "generic"), set("delivery-status", nil)}},
		"complained":         {"complained", nil},
		"unsubscribed":       {"unsubscribed", []mod{set("tags", []any{"*"}), set("storage", []any{})}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			c, m := w.mailed("bob")
			w.happened(m, mods.kind, mods.mods...)
			w.gw.idle()
			told := w.sb.posts(c)
			if mods.kind == "failed" && len(told) != 1 {
				t.Fatalf("told %d times: %+v", len(told), told)
			}
			for _, p := range told {
				if contains(p.Text, "@") || contains(p.Text, "\n") || contains(p.Text, "550") || p.Text == "" {
					t.Errorf("told as %q", p.Text)
				}
				if p.User == "bob" {
					t.Errorf("in Bob's name: %+v", p)
				}
				w.echo(c, &p)
			}
			w.happened(m, mods.kind, mods.mods...)
			w.say(c, "ana", "are you there?")
			w.gw.idle()
			if n := len(w.mg.mails("")); n != 1 {
				t.Errorf("%d mails", n)
			}
			if n := len(w.sb.posts(c)); n != len(told) {
				t.Errorf("told %d times", n)
			}
			out := w.people(t)
			if !contains(out, "bob@example.org") {
				t.Errorf("people: %s", out)
			}
			w.liftBob(t)
			w.say(c, "ana", "welcome back")
			if got := w.mg.mail(t, "bob@example.org", 2).envelope(t).Text; !contains(got, "welcome back") {
				t.Errorf("%q", got)
			}
		})
	}
}

func (w *world) people(t *testing.T) string {
	t.Helper()
	code, body := w.gw.api("GET", "/api/v1/people/bob", "")
	if code != 200 {
		t.Errorf("GET person: %d %s", code, body)
	}
	return body
}

// liftBob tries what an operator would: lift by the API.
func (w *world) liftBob(t *testing.T) {
	t.Helper()
	if code, body := w.gw.api("POST", "/api/v1/people/bob/lift", ""); code/100 != 2 {
		t.Errorf("lift: %d %s", code, body)
	}
}

func TestUnsubscribe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c, m := w.mailed("bob")
	link := strings.Trim(m.header(t).Get("List-Unsubscribe"), "<>")
	if !contains(m.envelope(t).HTML, link) || !contains(m.envelope(t).Text, link) {
		t.Error("the link is not in the mail's text")
	}
	// A page for whoever follows the link, which changes nothing: scanners follow links.
	for _, method := range []string{"GET", "HEAD", "GET"} {
		req, _ := http.NewRequest(method, link, nil)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("%s: %d", method, res.StatusCode)
		}
	}
	w.say(c, "ana", "still mailed")
	w.mg.mail(t, m.To, 2)
	for range 2 {
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		res, err := client.PostForm(link, url.Values{"List-Unsubscribe": {"One-Click"}})
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("POST: %d", res.StatusCode)
		}
	}
	w.say(c, "ana", "not mailed")
	w.gw.idle()
	if n := len(w.mg.mails(m.To)); n != 2 {
		t.Errorf("%d mails", n)
	}
	// He may still answer.
	w.answer(m, "I still have something to say")
	poll(t, "the answer", func() error {
		for _, p := range w.sb.posts(c) {
			if p.Text == "I still have something to say" {
				return nil
			}
		}
		return fmt.Errorf("%+v", w.sb.posts(c))
	})
	for _, bad := range []string{"/u/", "/u/x", "/u/" + strings.Repeat("a", 10000), "/u/" + strings.Split(m.replyTo(t), "@")[0], link[len(w.gw.url("")):] + "a"} {
		for _, method := range []string{"GET", "POST"} {
			req, _ := http.NewRequest(method, w.gw.url(bad), nil)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode == 200 {
				t.Errorf("%s %.40s: 200", method, bad)
			}
		}
	}
}

// A message of the chat reaches members who are away, even if it came by mail; never its author.
func TestEcho(t *testing.T) {
	t.Parallel()
	for _, early := range []bool{false, true} {
		t.Run(fmt.Sprintf("early=%v", early), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			c := w.sb.channel("chan_echo", "Support", "ana", "bob", "carl")
			w.gw.person("bob", "bob@example.org")
			w.gw.person("carl", "carl@example.org")
			if early {
				w.sb.change(func() { w.sb.onPost = func(c *channel, p *post) { w.echo(c, p) } })
			}
			w.say(c, "ana", "Hello both")
			m := w.mg.mail(t, "bob@example.org", 1)
			w.mg.mail(t, "carl@example.org", 1)
			w.answer(m, "Bob's answer")
			p := w.posted(c, 1)[0]
			if p.CustomType == "" && p.Data == "" {
				t.Error("no mark of ours")
			}
			if !early {
				w.echo(c, &p)
			}
			if got := w.mg.mail(t, "carl@example.org", 2).envelope(t).Text; !contains(got, "Bob's answer") {
				t.Errorf("%q", got)
			}
			w.gw.idle()
			if n := len(w.mg.mails("bob@example.org")); n != 1 {
				t.Errorf("Bob got %d mails", n)
			}
			// Ana has no address: nobody else is written to.
			if n := len(w.mg.mails("")); n != 3 {
				t.Errorf("%d mails", n)
			}
		})
	}
}

func TestPeopleAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	put := func(id, body string) int { code, _ := w.gw.api("PUT", "/api/v1/people/"+id, body); return code }
	if code := put("bob", `{"email":"bob@example.org","name":"Bob","locale":"de","time_zone":"Europe/Berlin"}`); code != 200 {
		t.Errorf("PUT: %d", code)
	}
	code, body := w.gw.api("GET", "/api/v1/people/bob", "")
	var got map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil || code != 200 || got["email"] != "bob@example.org" || got["name"] != "Bob" ||
		got["locale"] != "de" || got["time_zone"] != "Europe/Berlin" {
		t.Errorf("GET: %d %s", code, body)
	}
	odd := "a%2Fb%40x%20y%2B"
	if code := put(odd, `{"email":"odd@example.org"}`); code != 200 {
		t.Errorf("odd id: %d", code)
	}
	if code, b := w.gw.api("GET", "/api/v1/people/"+odd, ""); code != 200 || !contains(b, "odd@example.org") {
		t.Errorf("odd id: %d %s", code, b)
	}
	for _, bad := range []string{``, `x`, `[]`, `{}`, `{"email":""}`, `{"email":"nonsense"}`, `{"email":"a@b.example\r\nBcc: c@d.example"}`, `{"email":"a@b.example, c@d.example"}`,
		`{"email":"Bob <a@b.example>"}`, `{"email":"a@b.example","time_zone":"Nowhere/City"}`, `{"email":7}`, `{"email":"` + strings.Repeat("a", 400) + `@b.example"}`} {
		if code := put("bad", bad); code/100 != 4 {
			t.Errorf("%.60s: %d", bad, code)
		}
	}
	if code, _ := w.gw.api("GET", "/api/v1/people/bad", ""); code != 404 {
		t.Errorf("unknown person: %d", code)
	}
	if code, _ := w.gw.api("DELETE", "/api/v1/people/bob", ""); code/100 != 2 {
		t.Errorf("DELETE: %d", code)
	}
	if code, _ := w.gw.api("GET", "/api/v1/people/bob", ""); code != 404 {
		t.Errorf("after DELETE: %d", code)
	}
	for _, auth := range []string{"", "Bearer", "Bearer x", "Basic " + adminToken, "Bearer " + adminToken + "x", adminToken} {
		req, _ := http.NewRequest("GET", w.gw.url("/api/v1/people/"+odd), nil)
		if auth != "" {
			req.Header.Set("Authorization", auth)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 401 {
			t.Errorf("%q: %d", auth, res.StatusCode)
		}
	}
}
