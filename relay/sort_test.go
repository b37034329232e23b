package relay

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/store"
)

func sorter(t *testing.T, set ...func(*Config)) *Rules {
	t.Helper()
	cfg := Config{Keys: testKeys(t), PlatformName: "fake", Domain: domain, When: WhenOffline, Delay: 10 * time.Second, DelayMax: 50 * time.Second}
	for _, f := range set {
		f(&cfg)
	}
	return &Rules{Config: cfg}
}

func away(id postern.UserID) postern.Member {
	return postern.Member{User: postern.User{ID: id}, Active: true, Joined: true}
}

func sentEvent(members ...postern.Member) postern.ChatEvent {
	return postern.ChatEvent{
		Kind: postern.MessageSent, Channel: postern.Channel{ID: channel}, Members: members, HasMembers: len(members) > 0,
		Message: postern.ChatMessage{ID: "1", Sender: postern.User{ID: "ana"}, Text: "Hello"},
	}
}

func lanes(p store.Plan) (names []string) {
	for _, j := range p.Jobs {
		names = append(names, j.Lane)
	}
	return names
}

// Who gets a job, for every state a member may be in.
func TestAudience(t *testing.T) {
	online := func(m *postern.Member) { m.Online = true }
	tests := []struct {
		name string
		set  func(*postern.Member)
		when When
		why  string // "" = he gets one
	}{
		{"away", func(*postern.Member) {}, WhenOffline, ""},
		{"online", online, WhenOffline, "online"},
		{"online, but all unread are mailed", online, WhenUnread, ""},
		{"deactivated", func(m *postern.Member) { m.Active = false }, WhenUnread, "deactivated"},
		{"only invited", func(m *postern.Member) { m.Joined = false }, WhenUnread, "only invited"},
		{"blocks the sender", func(m *postern.Member) { m.BlockingSender = true }, WhenUnread, "blocks the sender"},
		{"is the sender", func(m *postern.Member) { m.ID = "ana" }, WhenUnread, "-"},
		{"has read something", func(m *postern.Member) { m.ReadAt = start() }, WhenOffline, ""},
	}
	for _, tt := range tests {
		m := away("bob")
		tt.set(&m)
		p := sorter(t, func(c *Config) { c.When = tt.when }).SortChat(sentEvent(m))
		if tt.why == "" {
			if got := lanes(p); !slices.Equal(got, []string{"mail/fake/support/bob"}) || p.Skip != "" {
				t.Errorf("%s: lanes %v, skip %q", tt.name, got, p.Skip)
			}
			continue
		}
		want := "bob: " + tt.why
		if tt.why == "-" {
			want = ""
		}
		if p.Skip != "nobody to mail to" || p.Note.Detail != want || len(p.Jobs) != 0 {
			t.Errorf("%s: skip %q, %q, %d jobs", tt.name, p.Skip, p.Note.Detail, len(p.Jobs))
		}
	}
}

func TestSortMessage(t *testing.T) {
	r := sorter(t)
	own := func(batch string, user postern.UserID) string {
		return r.mark(store.Post{ID: "p1", Batch: batch, User: user})
	}
	tests := []struct {
		name  string
		set   func(*postern.ChatEvent)
		rules *Rules
		skip  string
		lanes []string
	}{
		{"two are away", func(e *postern.ChatEvent) { e.Members = append(e.Members, away("eve")) }, r, "", []string{"mail/fake/support/bob", "mail/fake/support/eve"}},
		{"silent", func(e *postern.ChatEvent) { e.Message.Silent = true }, r, "silent", nil},
		{"never", func(*postern.ChatEvent) {}, sorter(t, func(c *Config) { c.When = WhenNever }), "notify.when is never", nil},
		{"members not listed", func(e *postern.ChatEvent) { e.Members, e.HasMembers = nil, false }, r, "", []string{"chat/fake/support"}},
		{"a large channel", func(e *postern.ChatEvent) { e.Channel.Large = true }, r, "", []string{"chat/fake/support"}},
		{"an application's line", func(e *postern.ChatEvent) { e.Message.Type, e.Message.Sender = postern.AdminMessage, postern.User{} }, r, "", []string{"mail/fake/support/bob"}},
		{"our own line", func(e *postern.ChatEvent) { e.Message.Mark = own("stop-1", "") }, r, "our own line", nil},
		{"an answer by mail", func(e *postern.ChatEvent) { e.Message.Mark = own("mail-1", "ana") }, r, "", []string{"mail/fake/support/bob"}},
		{"a guest's line", func(e *postern.ChatEvent) { e.Message.Mark = own("mail-1", "") }, r, "", []string{"mail/fake/support/bob"}},
		{"a mark of somebody's own making", func(e *postern.ChatEvent) { e.Message.Mark = lineMark + "p1.aaaaaaaaaaaaaaaaaaaaaaaaaa" }, r, "", []string{"mail/fake/support/bob"}},
		{"a mark sealed for something else", func(e *postern.ChatEvent) { e.Message.Mark = r.Keys.Text(purposeFile, lineMark+"p1") }, r, "", []string{"mail/fake/support/bob"}},
	}
	for _, tt := range tests {
		e := sentEvent(away("bob"))
		tt.set(&e)
		p := tt.rules.SortChat(e)
		if p.Skip != tt.skip || !slices.Equal(lanes(p), tt.lanes) {
			t.Errorf("%s: skip %q, lanes %v; want %q, %v", tt.name, p.Skip, lanes(p), tt.skip, tt.lanes)
		}
		if p.Skip != "" && (p.Note.What != "not mailed" || p.Note.Ref != "1") {
			t.Errorf("%s: nobody can ask why: %+v", tt.name, p.Note)
		}
		for _, j := range p.Jobs {
			if quiet := j.Kind == jobMessage; quiet && (j.Delay != tt.rules.Delay || j.Cap != tt.rules.DelayMax) || !quiet && j.Delay != 0 {
				t.Errorf("%s: %s is quiet for %v, at most %v", tt.name, j.Kind, j.Delay, j.Cap)
			}
		}
	}
}

// Repeats have the same key, and nothing else has.
func TestDedup(t *testing.T) {
	r := sorter(t)
	event := func(kind postern.ChatEventKind, set func(*postern.ChatEvent)) string {
		e := sentEvent(away("bob"))
		e.Kind, e.Reads = kind, []postern.ReadMark{{User: "bob", At: start()}}
		e.Message.UpdatedAt = start()
		set(&e)
		return r.SortChat(e).Dedup
	}
	same := func(*postern.ChatEvent) {}
	keys := map[string]string{
		"sent":            event(postern.MessageSent, same),
		"sent, another":   event(postern.MessageSent, func(e *postern.ChatEvent) { e.Message.ID = "2" }),
		"sent, elsewhere": event(postern.MessageSent, func(e *postern.ChatEvent) { e.Channel.ID = "other" }),
		"edited":          event(postern.MessageEdited, same),
		"edited again":    event(postern.MessageEdited, func(e *postern.ChatEvent) { e.Message.UpdatedAt = start().Add(time.Millisecond) }),
		"edited, text":    event(postern.MessageEdited, func(e *postern.ChatEvent) { e.Message.Text = "Bye" }),
		"deleted":         event(postern.MessageDeleted, same),
		"read":            event(postern.MessagesRead, same),
		"read later":      event(postern.MessagesRead, func(e *postern.ChatEvent) { e.Reads[0].At = start().Add(time.Second) }),
		"read by others":  event(postern.MessagesRead, func(e *postern.ChatEvent) { e.Reads[0].User = "eve" }),
	}
	seen := map[string]string{}
	for name, k := range keys {
		if k == "" || seen[k] != "" {
			t.Errorf("%s has the key %q of %q", name, k, seen[k])
		}
		seen[k] = name
	}
	if event(postern.MessageSent, func(e *postern.ChatEvent) { e.Message.Text = "the filter changed it" }) != keys["sent"] {
		t.Error("a message sent is known by its id alone")
	}
	for _, e := range []postern.ChatEvent{{}, {Kind: postern.MessagesRead, Channel: postern.Channel{ID: channel}}} {
		if p := r.SortChat(e); p.Skip == "" {
			t.Errorf("%+v is of use: %+v", e, p)
		}
	}
}

func TestSortMailEvent(t *testing.T) {
	r := sorter(t)
	used := []postern.MailEventKind{postern.MailAccepted, postern.MailDelivered, postern.MailOpened, postern.MailFailed, postern.MailComplained, postern.MailUnsubscribed}
	for kind := postern.MailOther; kind <= postern.MailUnsubscribed; kind++ {
		p := r.SortMailEvent(postern.MailEvent{Kind: kind, Delivery: "d", Participant: 36})
		if slices.Contains(used, kind) != slices.Equal(lanes(p), []string{"receipt/10"}) || (p.Skip == "") != slices.Contains(used, kind) {
			t.Errorf("%v: lanes %v, skip %q", kind, lanes(p), p.Skip)
		}
	}
	if p := r.SortMailEvent(postern.MailEvent{Kind: postern.MailDelivered, MessageID: "x@y"}); len(p.Jobs) != 1 || !strings.HasPrefix(p.Jobs[0].Lane, "receipt/m/") {
		t.Errorf("by Message-ID: %v", lanes(p))
	}
	if p := r.SortMailEvent(postern.MailEvent{Kind: postern.MailDelivered}); p.Skip == "" {
		t.Error("an event about nothing is of use")
	}
}

func TestSortInbound(t *testing.T) {
	r := sorter(t)
	local, _, _ := strings.Cut(r.replyAddress(36), "@")
	for _, tt := range []struct{ to, lane string }{
		{local + "@" + domain, "post/10"},
		{strings.ToUpper(local + "@" + domain), "post/10"},
		{"c+" + local + "@" + domain, "post/10"},
		{"a+b+" + local + "@" + domain, "post/10"},
		{local + "+x@" + domain, "stray"},
		{"somebody@" + domain, "stray"},
		{r.Keys.ID(purposeLeave, 36) + "@" + domain, "stray"},
		{local + "@elsewhere.example", ""},
		{local + "@sub." + domain, ""},
		{local, ""}, {"@" + domain, ""}, {local + "@", ""}, {"", ""},
		{`"a@b"@` + domain, "stray"},
	} {
		p, err := r.SortInbound(postern.Inbound{Recipient: tt.to})
		if tt.lane == "" {
			if postern.KindOf(err) != postern.Invalid {
				t.Errorf("%q: %v, lanes %v", tt.to, err, lanes(p))
			}
			continue
		}
		if got := lanes(p); err != nil || len(got) != 1 || got[0] != tt.lane && !(tt.lane == "stray" && strings.HasPrefix(got[0], "stray/")) {
			t.Errorf("%q: lanes %v, %v", tt.to, got, err)
		}
	}
}

// The reply address says nothing, and is of the form that the contract fixes.
func TestReplyAddress(t *testing.T) {
	r := sorter(t)
	a, b := r.replyAddress(1), r.replyAddress(2)
	local, _, _ := strings.Cut(a, "@")
	if a == b || len(local) > 40 || strings.Trim(local, "abcdefghijklmnopqrstuvwxyz234567") != "" || !strings.HasSuffix(a, "@"+domain) {
		t.Errorf("%q, %q", a, b)
	}
}
