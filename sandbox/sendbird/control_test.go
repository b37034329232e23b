package sendbird

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRateLimits(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Switches.RateLimits = "5k" })
	w.user("ana", "bob", "cyd")
	w.advance(time.Second)
	w.ok("POST", "/v3/group_channels", obj{"channel_url": "room1", "user_ids": []string{"ana", "bob"}})
	w.ok("POST", "/v3/group_channels", obj{"channel_url": "room2", "user_ids": []string{"ana", "bob"}})
	w.advance(time.Second)
	text := obj{"message_type": "MESG", "user_id": "ana", "message": "x"}
	for i := range 5 {
		a := w.do("POST", "/v3/group_channels/room1/messages", text)
		want(t, "status", a.status, 200)
		want(t, "limit", a.head.Get("X-RateLimit-Limit"), "10;w=1")
		want(t, "remaining", a.head.Get("X-RateLimit-Remaining"), 9-i)
		want(t, "no RetryAfter", a.head.Get("X-RateLimit-RetryAfter"), "")
	}
	a := w.refused("POST", "/v3/group_channels/room1/messages", text, 429, 500910) // five a second in one channel
	for k, v := range map[string]string{"X-RateLimit-Limit": "5;w=1", "X-RateLimit-Remaining": "0", "X-RateLimit-RetryAfter": "1"} {
		want(t, k, a.head.Get(k), v)
	}
	if a.head.Get("X-RateLimit-Reset") == "" || a.head.Get("Retry-After") != "" {
		t.Errorf("headers %v", a.head)
	}
	for range 5 {
		want(t, "another channel", w.do("POST", "/v3/group_channels/room2/messages", text).status, 200)
	}
	w.refused("POST", "/v3/users/ana/block", obj{"target_id": "bob"}, 429, 500910) // the 11th POST of all
	w.ok("GET", "/v3/users/ana", nil)                                              // another method
	w.advance(time.Second)
	w.ok("POST", "/v3/group_channels/room1/messages", text)
	want(t, "what was refused is not there", w.ok("GET", "/v3/group_channels/room1/messages/total_count", nil)["total"], 6)

	w.advance(time.Second)
	for range 5 {
		w.ok("PUT", "/v3/users/ana", obj{"nickname": "A"})
	}
	w.refused("PUT", "/v3/users/ana", obj{"nickname": "A"}, 429, 500910) // five a second for one user
	w.ok("PUT", "/v3/users/bob", obj{"nickname": "B"})
	want(t, "plan for reading", planLimit("free", "GET"), 10)
	want(t, "plan for writing", planLimit("100k", "DELETE"), 200)
}

func TestUserMessageRate(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Switches.UserMessagesPerSecond = 5 })
	ch := w.channel("room1", "ana", "bob")
	for range 5 {
		w.ok("POST", "/_emulator/users/ana/channels/room1/messages", obj{"message": "x"})
	}
	w.refused("POST", "/_emulator/users/ana/channels/room1/messages", obj{"message": "x"}, 400, 900200)
	want(t, "alert", dig(w.oneHook("alert:user_message_rate_limit_exceeded"), "user", "user_id"), "ana")
	want(t, "kept", w.ok("GET", ch+"/messages/total_count", nil)["total"], 5)
	w.say(ch, "ana", "the API is not counted")
	w.ok("POST", "/_emulator/users/bob/channels/room1/messages", obj{"message": "another sender"})
	w.advance(1100 * time.Millisecond)
	w.ok("POST", "/_emulator/users/ana/channels/room1/messages", obj{"message": "x"})
}

// TestFaultsByRule: how a scripted fault changes the answer and whether the call was carried out.
func TestFaultsByRule(t *testing.T) {
	const messages = "/v3/group_channels/*/messages"
	for name, c := range map[string]struct {
		fault  obj
		status string // of three sends; 0 = no answer
		kept   int
	}{
		"next two":        {obj{"method": "POST", "path": messages, "count": 2, "status": 503}, "503 503 200", 1},
		"second":          {obj{"path": messages, "skip": 1, "count": 1, "status": 500}, "200 500 200", 2},
		"500 but sent":    {obj{"path": messages, "count": 1, "status": 500, "accept": true}, "500 200 200", 3},
		"reset":           {obj{"path": messages, "count": 1, "reset": true}, "0 200 200", 2},
		"reset but sent":  {obj{"path": messages, "count": 1, "reset": true, "accept": true}, "0 200 200", 3},
		"delay":           {obj{"path": messages, "count": 1, "delay_ms": 1}, "200 200 200", 3},
		"rest of paths":   {obj{"path": "/v3/group_channels/**", "status": 502, "count": 1}, "502 200 200", 2},
		"another path":    {obj{"path": "/v3/users/*", "status": 502}, "200 200 200", 3},
		"another method":  {obj{"method": "PUT", "status": 502}, "200 200 200", 3},
		"this user":       {obj{"user_id": "ana", "status": 502}, "502 502 502", 0},
		"another user":    {obj{"user_id": "bob", "status": 502}, "200 200 200", 3},
		"by name":         {obj{"channel": "Support", "status": 502}, "502 502 502", 0},
		"by URL":          {obj{"channel": "room1", "status": 502, "skip": 2}, "200 200 502", 2},
		"always, by luck": {obj{"path": messages, "probability": 1, "status": 502}, "502 502 502", 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ch := w.channel("room1", "ana", "bob")
			id := w.ok("POST", "/_emulator/faults/calls", c.fault)["id"]
			var got []string
			for range 3 {
				got = append(got, fmt.Sprint(w.sendStatus(ch, "ana")))
			}
			want(t, "answers", strings.Join(got, " "), c.status)
			w.ok("DELETE", fmt.Sprint("/_emulator/faults/", id), nil)
			want(t, "kept", w.ok("GET", ch+"/messages/total_count", nil)["total"], c.kept)
			w.refused("DELETE", fmt.Sprint("/_emulator/faults/", id), nil, 400, 400201)
		})
	}
}

// sendStatus sends a text on a connection of its own and gives the status, 0 if none came. A client repeats by itself
// what a reused connection refuses, hence the new one.
func (w *world) sendStatus(ch, user string) int {
	req, _ := http.NewRequest("POST", w.url+ch+"/messages", strings.NewReader(`{"message_type":"MESG","user_id":"`+user+`","message":"x"}`))
	req.Header.Set("Api-Token", testToken)
	req.Close = true
	w.http.CloseIdleConnections()
	a, err := w.try(req)
	if err != nil {
		return 0
	}
	return a.status
}

func TestFaultAnswer(t *testing.T) {
	w := newWorld(t)
	w.user("ana")
	w.ok("POST", "/_emulator/faults/calls", obj{"path": "/v3/users/ana", "count": 1, "status": 400, "code": 400300, "message": "Deactivated.", "headers": obj{"X-Odd": "1"}})
	a := w.refused("GET", "/v3/users/ana", nil, 400, 400300)
	want(t, "message", a.obj["message"], "Deactivated.")
	want(t, "header", a.head.Get("X-Odd"), "1")
	w.ok("POST", "/_emulator/faults/calls", obj{"path": "/v3/users/ana", "count": 1, "status": 502, "body": "<html>"})
	req, _ := http.NewRequest("GET", w.url+"/v3/users/ana", nil)
	req.Header.Set("Api-Token", testToken)
	resp, err := w.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	want(t, "body as given", string(raw), "<html>")
	list := w.ok("GET", "/_emulator/faults", nil)
	want(t, "listed", len(list["calls"].([]any)), 2)
	w.ok("DELETE", "/_emulator/faults", nil)
	want(t, "cleared", len(w.ok("GET", "/_emulator/faults", nil)["calls"].([]any)), 0)
	w.refused("POST", "/_emulator/faults/calls", `{"stauts": 500}`, 400, 400403)
}

func TestFaultsByName(t *testing.T) {
	for id, c := range map[string]struct {
		status string
		kept   int
	}{
		"429":                       {"429 429 429", 0},
		"503x1":                     {"503 200 200", 2},
		"500-but-sentx1":            {"500 200 200", 3},
		"500-but-sent@mail.example": {"500 500 500", 3},
		"resetx2":                   {"0 0 200", 1},
		"reset-but-sentx1":          {"0 200 200", 3},
		"slow-1ms":                  {"200 200 200", 3},
		"slow":                      {"200 200 200", 3},
		"plain":                     {"200 200 200", 3},
		"5000":                      {"200 200 200", 3},
	} {
		for _, where := range []string{"user", "channel"} {
			t.Run(where+" "+id, func(t *testing.T) {
				w := newWorld(t, func(cfg *Config) { cfg.SlowBy = time.Millisecond })
				sender := "ana"
				if where == "user" {
					sender = id
				}
				w.user("ana", "bob")
				if sender != "ana" {
					w.user(sender)
				}
				room := obj{"channel_url": "room1", "name": "Support", "user_ids": []string{sender, "bob"}}
				if where == "channel" {
					room["name"] = id
				}
				w.ok("POST", "/v3/group_channels", room)
				var got []string
				for range 3 {
					got = append(got, fmt.Sprint(w.sendStatus("/v3/group_channels/room1", sender)))
				}
				want(t, "answers", strings.Join(got, " "), c.status)
				state := w.ok("GET", "/_emulator/state", nil)
				want(t, "kept", len(dig(state, "channels", 0, "messages").([]any)), c.kept)
			})
		}
	}
}

// TestHang: no answer comes until the caller gives up, or the server closes.
func TestHang(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob")
	w.ok("POST", "/_emulator/faults/calls", obj{"path": "/v3/group_channels/*/messages", "hang": true, "accept": true, "count": 1})
	answered := make(chan error, 1)
	go func() {
		req, _ := http.NewRequest("POST", w.url+ch+"/messages", strings.NewReader(`{"message_type":"MESG","user_id":"ana","message":"x"}`))
		req.Header.Set("Api-Token", testToken)
		_, err := w.try(req)
		answered <- err
	}()
	for n := int64(0); n == 0; { // until it is there
		n = num(w.ok("GET", ch+"/messages/total_count", nil)["total"])
	}
	select {
	case err := <-answered:
		t.Errorf("answered: %v", err)
	default:
	}
	if err := w.s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-answered; err == nil {
		t.Error("an answer came")
	}
}

func TestChanceIsSeeded(t *testing.T) {
	run := func(seed int64) string {
		w := newWorld(t, func(c *Config) { c.Seed = seed })
		w.user("ana")
		w.ok("POST", "/_emulator/faults/calls", obj{"path": "/v3/users/ana", "probability": 0.5, "status": 500})
		var out []string
		for range 30 {
			out = append(out, fmt.Sprint(w.do("GET", "/v3/users/ana", nil).status))
		}
		return strings.Join(out, " ")
	}
	a := run(3)
	want(t, "the same again", run(3), a)
	if n := strings.Count(a, "500"); n < 5 || n > 25 {
		t.Errorf("%d of 30 failed", n)
	}
	if run(4) == a {
		t.Error("another seed, the same faults")
	}
}

func TestBook(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.BookEntries = 12 })
	ch := w.channel("room1", "ana", "bob")
	w.settle()
	at := num(w.ok("GET", "/_emulator/book", nil)["next"])
	w.form(ch+"/messages", map[string]string{"message_type": "FILE", "user_id": "ana"}, "a.txt", "text/plain", []byte("content of the file"))
	w.settle()
	w.refused("GET", "/v3/users/nobody", nil, 400, 400201)
	w.ok("POST", "/_emulator/users/bob/channels/room1/messages", obj{"message": "hi"})
	w.settle()
	page := w.ok("GET", fmt.Sprint("/_emulator/book?after=", at), nil)
	var kinds []string
	for i, e := range page["entries"].([]any) {
		want(t, "number", dig(e, "n"), at+int64(i)+1)
		kinds = append(kinds, dig(e, "kind").(string))
	}
	joined := strings.Join(kinds, " ")
	for kind, n := range map[string]int{"call": 2, "client": 1, "webhook": 3, "try": 3, "outcome": 3} {
		if got := strings.Count(joined, kind); got != n && kind != "webhook" {
			t.Errorf("%d entries of %s in %s", got, kind, joined)
		}
	}
	all := string(w.do("GET", fmt.Sprint("/_emulator/book?after=", at), nil).raw)
	for _, part := range []string{`\"filename\":\"a.txt\"`, `\"size\":19`, `400201`, `"signature":"`} {
		if !strings.Contains(all, part) {
			t.Errorf("%s is not in the book", part)
		}
	}
	if strings.Contains(all, "content of the file") || strings.Contains(all, testToken) {
		t.Error("the book holds file bytes or a token")
	}
	if n := len(w.s.Book(0, 100)); n > 12 {
		t.Errorf("%d entries are kept", n)
	}
	want(t, "limit", len(w.ok("GET", "/_emulator/book?limit=3", nil)["entries"].([]any)), 3)
	w.ok("POST", "/_emulator/reset", nil)
	last := w.s.Book(0, 100)
	want(t, "goes on after a reset", last[len(last)-1].Kind, "reset")
}

func TestBookCutsLongBodies(t *testing.T) {
	w := newWorld(t)
	w.refused("POST", "/v3/users", obj{"user_id": "x", "nickname": strings.Repeat("n", 100_000), "profile_url": ""}, 400, 400110)
	e := w.s.Book(0, 1)[0]
	want(t, "length", len(e.Request), entryBodyLimit)
	want(t, "truncated", e.Truncated, true)
}

// TestBookStream reads live, drops the line, and goes on where it was.
func TestBookStream(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Webhook = Webhook{} })
	w.user("ana")
	open := func(last string) (*bufio.Scanner, func()) {
		req, _ := http.NewRequest("GET", w.url+"/_emulator/book/stream", nil)
		req.Header.Set("Last-Event-ID", last)
		resp, err := w.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		want(t, "type", resp.Header.Get("Content-Type"), "text/event-stream")
		return bufio.NewScanner(resp.Body), func() { _ = resp.Body.Close() }
	}
	next := func(sc *bufio.Scanner) (id string, e Entry) {
		for sc.Scan() {
			line := sc.Text()
			if v, ok := strings.CutPrefix(line, "id: "); ok {
				id = v
			}
			if v, ok := strings.CutPrefix(line, "data: "); ok {
				if err := json.Unmarshal([]byte(v), &e); err != nil {
					t.Fatal(err)
				}
				return id, e
			}
		}
		t.Fatal("stream ended")
		return
	}
	sc, stop := open("")
	id, e := next(sc)
	want(t, "what was before", e.Path, "/v3/users")
	w.ok("GET", "/v3/users/ana", nil)
	_, e = next(sc)
	want(t, "live", e.Path, "/v3/users/ana")
	stop()
	sc, stop = open(id)
	defer stop()
	_, e = next(sc)
	want(t, "resumed", e.Path, "/v3/users/ana")
	if err := w.s.Close(); err != nil {
		t.Fatal(err)
	}
	for sc.Scan() {
	}
}

func TestStateForAPage(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob")
	w.channel("room2", "ana")
	for i := range 5 {
		w.say(ch, "ana", fmt.Sprint(i))
	}
	w.ok("PUT", "/_emulator/users/bob/channels/room1/read", nil)
	s := w.ok("GET", "/_emulator/state?channel_url=room1&messages=2", nil)
	want(t, "channels", len(s["channels"].([]any)), 1)
	want(t, "newest", dig(s, "channels", 0, "messages", 1, "message"), "4")
	want(t, "bounded", len(dig(s, "channels", 0, "messages").([]any)), 2)
	want(t, "read", dig(s, "channels", 0, "messages", 1, "read_by"), "[bob]")
	want(t, "members", keys(dig(s, "channels", 0, "members", 0).(map[string]any)), "delivered_ts is_active is_muted is_online is_typing "+
		"nickname profile_url read_ts role state unread_message_count user_id")
	want(t, "users", len(s["users"].([]any)), 2)
	want(t, "hook", dig(s, "webhook", "enabled"), true)
}

func TestClientActs(t *testing.T) {
	w := newWorld(t)
	w.user("ana", "bob", "cyd")
	ch := w.ok("POST", "/_emulator/users/ana/channels", obj{"user_ids": []string{"bob"}, "name": "New"})
	link := ch["channel_url"].(string)
	want(t, "members", ch["member_count"], 2)
	want(t, "by whom", dig(ch, "created_by", "user_id"), "ana")
	me := "/_emulator/users/%s/channels/" + link
	a := w.form(fmt.Sprintf(me, "ana")+"/messages", nil, "p.txt", "text/plain", []byte("x"))
	want(t, "file", a.obj["type"], "FILE")
	w.ok("POST", fmt.Sprintf(me, "ana")+"/messages", obj{"message": "x", "sdk": "iOS"})
	want(t, "sdk", w.hooks("group_channel:message_send")[1]["sdk"], "iOS")
	w.refused("POST", fmt.Sprintf(me, "cyd")+"/messages", obj{"message": "x"}, 400, 900020)
	w.refused("POST", fmt.Sprintf(me, "zoe")+"/messages", obj{"message": "x"}, 400, 400201)
	w.refused("POST", "/_emulator/users/ana/channels/nope1/messages", obj{"message": "x"}, 400, 400201)
	got := w.ok("PUT", fmt.Sprintf(me, "bob")+"/delivered", nil)
	if num(got["ts"]) == 0 {
		t.Error("no ts")
	}
	want(t, "acting is not being online", w.ok("GET", "/v3/users/ana", nil)["is_online"], false)
}

func TestClock(t *testing.T) {
	w := newWorld(t)
	before := num(w.ok("GET", "/_emulator/clock", nil)["now"])
	w.ok("PUT", "/_emulator/clock", obj{"stop": true})
	w.advance(time.Hour)
	want(t, "stopped", w.ok("GET", "/_emulator/clock", nil)["now"], before)
	w.ok("PUT", "/_emulator/clock", obj{"advance_ms": 5000})
	want(t, "moved", w.ok("GET", "/_emulator/clock", nil)["now"], before+5000)
	w.ok("PUT", "/_emulator/clock", obj{"stop": false})
	w.advance(time.Second)
	want(t, "runs on", w.ok("GET", "/_emulator/clock", nil)["now"], before+6000)
	want(t, "the same in process", w.s.Now().UnixMilli(), before+6000)
}

func TestResetAndSwitches(t *testing.T) {
	w := newWorld(t)
	want(t, "about", w.ok("GET", "/_emulator/", nil)["app_id"], w.s.AppID())
	w.channel("room1", "ana", "bob")
	w.refused("PUT", "/_emulator/switches", obj{"dedup": "maybe"}, 400, 400111)
	w.refused("PUT", "/_emulator/switches", obj{"dedupe": "ignore"}, 400, 400403)
	w.ok("PUT", "/_emulator/switches", obj{"dedup": "ignore"})
	want(t, "the rest stays", w.ok("PUT", "/_emulator/switches", obj{"unordered": true})["dedup"], "ignore")
	w.ok("PUT", "/_emulator/clock", obj{"advance_ms": 5000})
	w.ok("POST", "/_emulator/reset", nil)
	want(t, "switches", w.ok("GET", "/_emulator/switches", nil)["dedup"], "")
	want(t, "users", len(w.ok("GET", "/v3/users", nil)["users"].([]any)), 0)
	want(t, "hook", dig(w.ok("GET", "/v3/applications/settings/webhook", nil), "webhook", "enabled"), true)
	if _, err := New(Config{Switches: Switches{RateLimits: "huge"}}); err == nil {
		t.Error("an unknown plan is taken")
	}
}

func TestSeededDefaults(t *testing.T) {
	make := func(seed int64) string {
		s, err := New(Config{Seed: seed, TempDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		want(t, "token", len(s.MasterToken()), 40)
		want(t, "app id", len(s.AppID()), 36)
		return s.AppID() + s.MasterToken()
	}
	want(t, "again", make(9), make(9))
	if one, two := make(0), make(0); one == two {
		t.Error("two drawn seeds are equal")
	}
}

// TestConcurrency: many at once leave a whole state behind; meant for the race detector.
func TestConcurrency(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob")
	done := make(chan bool)
	for i := range 8 {
		go func() {
			defer func() { done <- true }()
			for range 10 {
				switch i % 4 {
				case 0:
					w.do("POST", ch+"/messages", obj{"message_type": "MESG", "user_id": "ana", "message": "x"})
				case 1:
					w.do("PUT", ch+"/messages/mark_as_read", obj{"user_id": "bob"})
				case 2:
					w.do("GET", "/_emulator/state", nil)
				case 3:
					w.do("PUT", "/_emulator/users/bob/presence", obj{"online": i == 3})
				}
			}
		}()
	}
	for range 8 {
		<-done
	}
	want(t, "messages", w.ok("GET", ch+"/messages/total_count", nil)["total"], 20)
	want(t, "webhooks", len(w.hooks("group_channel:message_send")), 20)
}
