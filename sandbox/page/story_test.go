package page

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-chat/postern/sandbox/mailbox"
	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/sendbird"
)

// clock goes on by a millisecond whenever somebody looks.
type clock struct {
	mu sync.Mutex
	at int64
}

func (c *clock) now() time.Time { return time.UnixMilli(c.ms()) }

func (c *clock) ms() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at++
	return c.at
}

func (c *clock) set(ms int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = ms
}

func atTime(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// TestMerge: four sources become one story in the order of time, each step once, and
// every line leads to its raw entry.
func TestMerge(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	start := w.clock.ms()
	w.gateway.note(start+500, "to be mailed", "", "bob") // between the other two, but told last
	w.ask("POST", "/api/chat/users/ana/channels/support/messages", `{"message":"Hello Bob"}`)
	w.clock.set(start + 1000)
	w.ask("POST", "/api/mailboxes/bob@people.example/send", `{"to":["reply@mg.test.example"],"subject":"Re: Support","text":"Fine"}`)
	w.look(ctx)
	w.look(ctx) // nothing comes twice
	w.mu.Lock()
	lines := slices.Clone(w.story.lines)
	w.mu.Unlock()
	var texts []string
	for i, l := range lines {
		texts = append(texts, l.Who+": "+l.Text)
		if l.Seq != lines[0].Seq+int64(i) {
			t.Errorf("line %d has the number %d", i, l.Seq)
		}
		if i > 0 && l.At < lines[i-1].At {
			t.Errorf("%q comes before %q", lines[i-1].Text, l.Text)
		}
	}
	want := []string{
		"chat: Ana wrote “Hello Bob”",
		"gateway: Bob is away: this goes out as a mail",
		"mailgun: took a mail from Bob for a reply address",
		"mailbox: Bob sent “Re: Support”",
	}
	if !slices.Equal(texts, want) {
		t.Errorf("the story is\n%s\nwant\n%s", strings.Join(texts, "\n"), strings.Join(want, "\n"))
	}
	for _, l := range lines {
		got := w.ask("GET", "/api/lines/"+l.Source+"/"+string(mustJSON(t, l.N)), "")
		if got.Code != http.StatusOK || !json.Valid(got.Body.Bytes()) {
			t.Errorf("the entry behind %q is %d %s", l.Text, got.Code, got.Body)
		}
	}
	for _, path := range []string{"/api/lines/sendbird/999", "/api/lines/gateway/999", "/api/lines/mailbox/0", "/api/lines/mailgun/x", "/api/lines/else/1"} {
		if got := w.ask("GET", path, ""); got.Code != http.StatusNotFound {
			t.Errorf("%s is %d", path, got.Code)
		}
	}
}

func mustJSON(t *testing.T, v any) []byte {
	b, err := json.Marshal(v)
	must(t, err)
	return b
}

// TestGatewayAway: the page goes on without the gateway, and catches up afterwards.
func TestGatewayAway(t *testing.T) {
	w := newWorld(t)
	here := w.cfg.Gateway
	w.cfg.Gateway = "http://127.0.0.1:1"
	w.ask("POST", "/api/chat/users/ana/channels/support/messages", `{"message":"Hello"}`)
	w.look(t.Context())
	if got := w.ask("GET", "/api/held", ""); got.Code != http.StatusBadGateway {
		t.Errorf("status is %d", got.Code)
	}
	w.gateway.note(w.clock.ms(), "mailed", "", "bob")
	w.cfg.Gateway = here
	w.look(t.Context())
	if have := w.texts(); !slices.Equal(have, []string{"the gateway does not answer", "Ana wrote “Hello”", "the gateway answers", "Mailgun has the mail to Bob"}) {
		t.Errorf("lines are %q", have)
	}
}

// TestUnnumbered: what the gateway tells anew every time is told once, has an entry behind
// it, and is not told again when the story is started over.
func TestUnnumbered(t *testing.T) {
	w := newWorld(t)
	at := atTime(w.clock.ms())
	toBob, taken := map[string]any{"at": at, "what": "to be mailed", "user": "bob", "ref": "1", "ref2": "d1"}, map[string]any{"at": at.Add(time.Millisecond), "what": "mailed", "user": "bob", "ref": "d1"}
	now := func(lately ...map[string]any) {
		w.gateway.mu.Lock()
		w.gateway.lately = lately
		w.gateway.mu.Unlock()
		w.look(t.Context())
	}
	now(toBob)
	now(toBob, taken)
	now(taken)
	if have := w.texts(); !slices.Equal(have, []string{"Bob is away: this goes out as a mail", "Mailgun has the mail to Bob"}) {
		t.Errorf("lines are %q", have)
	}
	w.mu.Lock()
	last := w.story.lines[len(w.story.lines)-1]
	w.mu.Unlock()
	if got := w.ask("GET", "/api/lines/"+last.Source+"/"+string(mustJSON(t, last.N)), ""); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), `"mailed"`) {
		t.Errorf("the entry behind %q is %d %s", last.Text, got.Code, got.Body)
	}
	if got := w.ask("GET", "/api/lines/"+last.Source+"/99", ""); got.Code != http.StatusNotFound {
		t.Errorf("status is %d", got.Code)
	}
	w.fastForward(t.Context())
	now(toBob, taken)
	if have := w.texts(); len(have) != 0 {
		t.Errorf("the old story is told again: %q", have)
	}
	u := newUnnumbered()
	for i := range 3 * keptTold {
		u.fresh([]note{{At: at, What: "mailed", Ref: strconv.Itoa(i)}})
	}
	if len(u.list) != keptTold || len(u.seen) != keptTold {
		t.Errorf("%d and %d are remembered, not %d", len(u.list), len(u.seen), keptTold)
	}
}

// texts are the lines so far, in the order in which they were heard.
func (w *world) texts() (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.story.lines {
		out = append(out, l.Text)
	}
	return out
}

// TestKill: the page kills, sees the gateway gone and sees it back, and each has a line
// with something behind it.
func TestKill(t *testing.T) {
	w := newWorld(t)
	if got := w.ask("POST", "/api/kill", ""); got.Code != http.StatusNotFound {
		t.Errorf("without a hook: %d", got.Code)
	}
	kills := 0
	w.cfg.Kill = func() error {
		if kills++; kills > 1 {
			return errors.New("it is down already")
		}
		return nil
	}
	e := w.stream()
	wantUp := func(want bool) {
		t.Helper()
		var gate struct{ Up bool }
		if e.next("gateway", &gate); gate.Up != want {
			t.Errorf("up is %t", gate.Up)
		}
	}
	wantUp(true)
	if got := w.ask("POST", "/api/kill", ""); got.Code != http.StatusOK {
		t.Errorf("kill: %d %s", got.Code, got.Body)
	}
	if got := w.ask("POST", "/api/kill", ""); got.Code != http.StatusConflict {
		t.Errorf("twice: %d %s", got.Code, got.Body)
	}
	w.gateway.setDown(true)
	wantUp(false)
	w.gateway.setDown(false)
	wantUp(true)
	if have := w.texts(); !slices.Equal(have, []string{"the gateway was killed in the middle of its work", "the gateway runs again"}) {
		t.Errorf("lines are %q", have)
	}
	w.mu.Lock()
	n := w.story.lines[0].N
	w.mu.Unlock()
	if got := w.ask("GET", "/api/lines/page/"+strconv.FormatInt(n, 10), ""); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), "kill -9") {
		t.Errorf("behind the line: %d %s", got.Code, got.Body)
	}
	if got := w.ask("GET", "/api/lines/page/99999", ""); got.Code != http.StatusNotFound {
		t.Errorf("a line that is not there: %d", got.Code)
	}
}

func TestLines(t *testing.T) {
	n := names{map[string]string{"ana": "Ana", "bob": "Bob"}, map[string]string{"bob@people.example": "Bob"}, "@mg.example"}
	chat := func(e sendbird.Entry) Line { l, _ := chatLine(e, n); return l }
	mail := func(e mailgun.Entry) Line { l, _ := mailLine(e, n); return l }
	box := func(h mailbox.Happening) Line { l, _ := boxLine(h, n); return l }
	gate := func(x note) Line { return noteLine(x, n) }
	const ch = "/_emulator/users/ana/channels/support%2Fone"
	for _, tt := range []struct {
		have                  Line
		who, text, more, tone string
		minor                 bool
	}{
		{chat(sendbird.Entry{Kind: "client", Method: "POST", Path: ch + "/messages", Status: 200, Answer: `{"message":"a  b\nc"}`}), "chat", "Ana wrote “a b c”", "", "", false},
		{chat(sendbird.Entry{Kind: "client", Method: "POST", Path: ch + "/messages", Status: 200, Answer: `{"message":"","file":{"name":"plan.pdf"}}`}), "chat", "Ana wrote the file plan.pdf", "", "", false},
		{chat(sendbird.Entry{Kind: "client", Method: "POST", Path: ch + "/messages", Status: 400, Answer: `{"message":"Too long.","code":400110,"error":true}`}), "chat", "Ana tried to write", "Too long. (400110)", bad, false},
		{chat(sendbird.Entry{Kind: "client", Method: "PUT", Path: ch + "/read", Status: 200}), "chat", "Ana looked at the chat", "", "", true},
		{chat(sendbird.Entry{Kind: "client", Method: "DELETE", Path: ch + "/messages/7", Status: 200}), "chat", "Ana deleted a message", "", "", false},
		{chat(sendbird.Entry{Kind: "try", Category: "group_channel:message_send", Try: 2, Error: `Post "http://127.0.0.1:1/h": dial tcp 127.0.0.1:1: connect: connection refused`}), "sendbird", "webhook message_send", "try 2 · connection refused", bad, false},
		{chat(sendbird.Entry{Kind: "call", Method: "GET", Path: "/v3/group_channels/x/members", Status: 200}), "gateway", "asked Sendbird who is there", "", "", true},
		{chat(sendbird.Entry{Kind: "call", Method: "PUT", Path: "/v3/group_channels/x/messages/mark_as_read", Request: `{"user_id":"bob"}`, Status: 200}), "gateway", "moved Bob’s read mark in Sendbird", "", "", true},
		{chat(sendbird.Entry{Kind: "call", Method: "POST", Path: "/v3/group_channels/x/messages", Status: 500, Answer: `{}`}), "gateway", "tried to post in the chat", "", bad, false},
		{chat(sendbird.Entry{Kind: "call", Method: "GET", Path: "/v3/group_channels/x", Status: 200, Fault: "fault 1", Millis: 3004}), "gateway", "asked Sendbird about the channel", "after 3 s, on purpose", "", true},
		{chat(sendbird.Entry{Kind: "call", Method: "GET", Path: "/", Status: 404}), "gateway", "asked Sendbird: GET /", "", bad, false},
		{chat(sendbird.Entry{Kind: "try", Category: "group_channel:message_send", Status: 200, Try: 1}), "sendbird", "webhook message_send", "", "", false},
		{chat(sendbird.Entry{Kind: "try", Category: "group_channel:join", Status: 200, Try: 2}), "sendbird", "webhook join", "try 2", "", true},
		{chat(sendbird.Entry{Kind: "try", Category: "group_channel:join", Try: 1, Error: "no answer in time"}), "sendbird", "webhook join", "no answer in time", bad, false},
		{chat(sendbird.Entry{Kind: "outcome", Category: "group_channel:message_send", State: "dropped"}), "sendbird", "webhook message_send never arrived", "", bad, false},

		{mail(mailgun.Entry{Kind: "request", Method: "POST", URL: "/v3/mg.example/messages.mime", Status: 200}), "gateway", "handed a mail to Mailgun", "", "", true},
		{mail(mailgun.Entry{Kind: "request", Method: "POST", URL: "/v3/mg.example/messages.mime", Status: 503, Failed: true}), "gateway", "tried to hand a mail to Mailgun", "", bad, false},
		{mail(mailgun.Entry{Kind: "request", Method: "GET", URL: "/o/abc", Status: 200, Recipient: "bob@people.example"}), "mailgun", "Bob’s program fetched the tracking picture", "", "", true},
		{mail(mailgun.Entry{Kind: "post", Event: "inbound", Status: 200, Try: 1}), "mailgun", "handed the mail to the gateway", "", "", false},
		{mail(mailgun.Entry{Kind: "post", Event: "delivered", Status: 503, Try: 3, Failed: true, Recipient: "bob@people.example"}), "mailgun", "webhook delivered for Bob", "try 3", bad, false},
		{mail(mailgun.Entry{Kind: "note", What: "dropped by fault: opened for bob@people.example"}), "mailgun", "webhook opened never arrived", "", bad, false},
		{mail(mailgun.Entry{Kind: "note", What: "mail from mallory@x.example for t0k3n@mg.example", Recipient: "t0k3n@mg.example"}), "mailgun", "took a mail from mallory@x.example for a reply address", "", "", false},
		{mail(mailgun.Entry{Kind: "note", What: "mail from bob@people.example for x@mg.example: no route matches", Recipient: "x@mg.example", Failed: true}), "mailgun", "took a mail from Bob for a reply address", "no route matches", bad, false},
		{mail(mailgun.Entry{Kind: "delivery", Recipient: "bob@people.example", Error: "full", Failed: true}), "mailgun", "carried the mail to Bob’s mail server", "full", bad, false},

		{box(mailbox.Happening{What: "received", Address: "bob@people.example", Subject: "Support", Detail: `from "Ana (Support)" <t@mg.example>`}), "mailbox", "Bob has mail “Support”", "Ana (Support)", good, false},
		{box(mailbox.Happening{What: "opened", Address: "bob@people.example", Subject: "S", Detail: "as human"}), "mailbox", "Bob opened “S” with its pictures", "", "", false},
		{box(mailbox.Happening{What: "opened", Address: "bob@people.example", Subject: "S", Detail: "as scanner"}), "mailbox", "a machine opened “S”", "scanner", "", false},
		{box(mailbox.Happening{What: "refused", Address: "bob@people.example", Detail: "550", Failed: true}), "mailbox", "a mail of Bob was refused", "550", bad, false},

		{gate(note{What: "not mailed", Why: "nobody to mail to", Detail: "ana: online; bob: online"}), "gateway", "no mail to anybody", "Ana is online; Bob is online", "", false},
		{gate(note{What: "not mailed", Why: "read", User: "bob"}), "gateway", "no mail to Bob", "read", "", false},
		{gate(note{What: "posted"}), "gateway", "a line of the gateway’s own stands in the chat", "", good, false},
		{gate(note{What: "held", Why: "from somebody else than the participant", User: "bob"}), "gateway", "the mail is held, not posted", "from somebody else than the participant", held, false},
		{gate(note{What: "failed", Why: "bounced", User: "bob", Detail: "550 no such user"}), "gateway", "the mail to Bob could not be delivered", "bounced (550 no such user)", bad, false},
		{gate(note{What: "a word of tomorrow", Why: "because", User: "bob"}), "gateway", "a word of tomorrow", "because", "", false},
	} {
		if h := tt.have; h.Who != tt.who || h.Text != tt.text || h.More != tt.more || h.Tone != tt.tone || h.Minor != tt.minor {
			t.Errorf("have %s: %q · %q (%s, minor %t)\nwant %s: %q · %q (%s, minor %t)", h.Who, h.Text, h.More, h.Tone, h.Minor, tt.who, tt.text, tt.more, tt.tone, tt.minor)
		}
	}
	for _, e := range []sendbird.Entry{{Kind: "webhook"}, {Kind: "outcome", State: "delivered"}, {Kind: "reset"}} {
		if l, ok := chatLine(e, n); ok {
			t.Errorf("%s is the line %q", e.Kind, l.Text)
		}
	}
}

func TestBreaks(t *testing.T) {
	w := newWorld(t)
	put := func(body string, status int) {
		t.Helper()
		if got := w.ask("PUT", "/api/breaks", body); got.Code != status {
			t.Errorf("%s is %d: %s", body, got.Code, got.Body)
		}
	}
	state := func() (down int, twice, lost float64, faults string) {
		w.cfg.Mail.SetSwitches(func(sw *mailgun.Switches) { down, twice, lost = sw.Down, sw.DuplicatePosts, sw.DropPosts })
		got := w.askChat("GET", "/_emulator/faults")
		return down, twice, lost, got
	}
	all := `{"mailgun_down":true,"sendbird_slow":true,"twice":true,"lost":true,"late":true}`
	put(all, 200)
	put(all, 200) // a second time changes nothing
	down, twice, lost, faults := state()
	if down != 503 || twice != 1 || lost != 1 || strings.Count(faults, `"do"`) != 2 || strings.Count(faults, `"delay_ms":3000`) != 1 {
		t.Errorf("broken: %d %g %g %s", down, twice, lost, faults)
	}
	if got := w.ask("GET", "/api/breaks", ""); strings.Count(got.Body.String(), "true") != 5 {
		t.Errorf("the page is told %s", got.Body)
	}
	var late float64
	w.cfg.Mail.SetSwitches(func(sw *mailgun.Switches) { late = sw.EventDelaySeconds })
	if late != lateSeconds {
		t.Errorf("late by %g s", late)
	}
	put(`{"mailgun_dwon":true}`, 400)
	put(`{"twice":true}`, 200)
	if down, twice, lost, faults = state(); down != 0 || twice != 1 || lost != 0 || strings.Count(faults, `"do"`) != 1 || !strings.Contains(faults, "duplicate") {
		t.Errorf("half mended: %d %g %g %s", down, twice, lost, faults)
	}
	w.ask("POST", "/api/reset", "")
	if down, twice, lost, faults = state(); down != 0 || twice != 0 || lost != 0 || strings.Contains(faults, `"do"`) {
		t.Errorf("mended: %d %g %g %s", down, twice, lost, faults)
	}
}
