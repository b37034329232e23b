package relay

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/letter"
	"github.com/postern-chat/postern/store"
)

func (h *house) wantSaid(want ...string) {
	h.t.Helper()
	if got := h.chat.said(); !slices.Equal(got, want) {
		h.t.Errorf("the chat says %q, want %q", got, want)
	}
}

func (h *house) wantHeld(reasons ...string) {
	h.t.Helper()
	var got []string
	for _, m := range h.held() {
		got = append(got, m.Reason)
	}
	if !slices.Equal(got, reasons) {
		h.t.Errorf("held for %q, want %q", got, reasons)
	}
}

func TestAnswer(t *testing.T) {
	h := newHouse(t)
	m := h.mailed("Is the bike still for sale?")
	raw := h.letterFrom(bobsAddress, "Yes.\n\nOn Fri, 15 Jan 2027 at 08:00, Ana (Support) <"+m.replyTo()+"> wrote:\n> Is the bike still for sale?", "In-Reply-To: <"+m.MessageID+">")
	h.answers(m.replyTo(), raw)
	h.wantSaid("bob: Yes.")
	h.wantHeld()
	if d := h.delivery(m); d.AnsweredAt.IsZero() || d.State != store.Delivered {
		t.Errorf("answered %v, %v", d.AnsweredAt, d.State)
	}
	// The same mail by another way, and the post's echo.
	h.answers(strings.ToUpper(m.replyTo()), raw)
	h.arrives(postern.ChatEvent{Kind: postern.MessageSent, Channel: postern.Channel{ID: channel}, Message: h.chat.messages[1], Members: h.chat.members, HasMembers: true})
	h.settle()
	h.wantSaid("bob: Yes.")
	h.wantNoted("not posted", "the same mail came before")
	if len(h.mail.sent) != 1 {
		t.Errorf("%d mails: his own words came back to him", len(h.mail.sent))
	}
}

// An answer to a mail that is past its time is none to the only one that is left.
func TestAnswerToForgotten(t *testing.T) {
	for name, fields := range map[string][]string{"named": nil, "not named": {}} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			old := h.mailed("Is the bike still for sale?")
			h.tells(postern.MailDelivered, old)
			h.now = h.now.Add(100 * 24 * time.Hour)
			if _, err := h.Store.Purge(t.Context(), store.Keep{Deliveries: 90 * 24 * time.Hour}); err != nil {
				t.Fatal(err)
			}
			m := h.mailed("And the car?")
			if fields == nil {
				fields = []string{"In-Reply-To: <" + old.MessageID + ">"}
			}
			h.answers(m.replyTo(), h.letterFrom(bobsAddress, "The bike is sold.", fields...))
			h.wantSaid("bob: The bike is sold.")
			if d := h.delivery(m); !d.AnsweredAt.IsZero() || d.State != store.Accepted {
				t.Errorf("answered %v, %v", d.AnsweredAt, d.State)
			}
			h.answers(m.replyTo(), h.letterFrom(bobsAddress, "The car, too.", "In-Reply-To: <"+m.MessageID+">"))
			if d := h.delivery(m); d.AnsweredAt.IsZero() {
				t.Error("not answered")
			}
		})
	}
}

// Who writes anew to an address that one mail only told him has that mail.
func TestAnswerWithoutReference(t *testing.T) {
	h := newHouse(t)
	m := h.mailed("Hello")
	h.answers(m.replyTo(), h.letterFrom(bobsAddress, "Hello yourself", "References: <c.other@"+domain+"x>"))
	if d := h.delivery(m); d.AnsweredAt.IsZero() || d.State != store.Delivered {
		t.Errorf("answered %v, %v", d.AnsweredAt, d.State)
	}
}

// The others who are away get an answer by mail, too.
func TestAnswerToOthers(t *testing.T) {
	h := newHouse(t)
	h.put(postern.Person{UserID: "eve", Email: "eve@people.example"})
	h.chat.members = append(h.chat.members, postern.Member{User: postern.User{ID: "eve", Name: "Eve"}, Active: true, Joined: true})
	h.says("ana", "Hello")
	h.settle()
	i := slices.IndexFunc(h.mail.sent, func(s sent) bool { return s.To == bobsAddress })
	h.answers(h.mail.sent[i].replyTo(), h.letterFrom(bobsAddress, "Hello both"))
	h.arrives(postern.ChatEvent{Kind: postern.MessageSent, Channel: postern.Channel{ID: channel}, Message: h.chat.messages[1], Members: h.chat.members, HasMembers: true})
	h.settle()
	if n := len(h.mail.sent); n != 3 || h.mail.sent[2].To != "eve@people.example" || !strings.Contains(h.mail.sent[2].raw, "Hello both") {
		t.Errorf("%d mails", n)
	}
}

func TestSetAside(t *testing.T) {
	eve := "eve@people.example"
	tests := []struct {
		name   string
		policy Strangers
		raw    func(h *house) string
		said   []string
		held   string
		state  store.HeldState
		note   string // "not posted" because
	}{
		{"a stranger", StrangersHold, func(h *house) string { return h.letterFrom(eve, "I am Bob") }, nil, "from somebody else than the participant", store.HeldWaiting, ""},
		{"a stranger, refused", StrangersRefuse, func(h *house) string { return h.letterFrom(eve, "I am Bob") }, nil, "from somebody else than the participant", store.HeldRefused, ""},
		{"a guest", StrangersGuest, func(h *house) string { return h.letterFrom("Eve <"+eve+">", "I am Eve") }, []string{": Eve (by e-mail): I am Eve"}, "", "", ""},
		{"a guest without a name", StrangersGuest, func(h *house) string { return h.letterFrom(eve, "Hi") }, []string{": Somebody (by e-mail): Hi"}, "", "", ""},
		{"no words", StrangersHold, func(h *house) string { return h.letterFrom(bobsAddress, " \n") }, nil, "no words of its own were found in it", store.HeldWaiting, ""},
		{"out of office", StrangersHold, func(h *house) string { return h.letterFrom(bobsAddress, "Away", "Auto-Submitted: auto-replied") }, nil, "", "", "automatic mail: "},
		{"our own", StrangersHold, func(h *house) string { return h.mail.sent[0].raw }, nil, "", "", "automatic mail: own"},
		{"too many parts of it", StrangersHold, func(h *house) string {
			return h.letterFrom(bobsAddress, strings.Repeat("--b\n\nx\n", 3000)+"--b--", "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b")
		}, nil, "larger or more complicated than is taken", store.HeldWaiting, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, func(c *Config) { c.Strangers = tt.policy })
			m := h.mailed("Hello")
			h.answers(m.replyTo(), tt.raw(h))
			h.wantSaid(tt.said...)
			if tt.held == "" {
				h.wantHeld()
			} else if h.wantHeld(tt.held); len(h.held()) == 1 && h.held()[0].State != tt.state {
				t.Errorf("state %q", h.held()[0].State)
			}
			if got := h.noted("not posted"); (tt.note != "") != (len(got) == 1 && strings.HasPrefix(got[0], tt.note)) {
				t.Errorf("not posted: %q, want %q", got, tt.note)
			}
		})
	}
}

// A bounce that comes as a mail stops the person, if it names a mail of ours to him.
func TestBounceByMail(t *testing.T) {
	bounce := func(h *house, id string) string {
		return h.letterFrom("MAILER-DAEMON@mx.example", strings.Join([]string{
			"--b", "Content-Type: text/plain", "", "Not delivered.", "--b", "Content-Type: message/delivery-status", "",
			"Reporting-MTA: dns; mx.example", "", "Final-Recipient: rfc822; " + bobsAddress, "Action: failed", "Status: 5.1.1", "",
			"--b", "Content-Type: message/rfc822", "", "Message-ID: <" + id + ">", "Subject: Support", "", "Hello", "--b--",
		}, "\n"), "MIME-Version: 1.0", "Content-Type: multipart/report; report-type=delivery-status; boundary=b", "Auto-Submitted: auto-replied")
	}
	h := newHouse(t)
	m := h.mailed("Hello")
	h.answers(m.replyTo(), bounce(h, "other@"+domain))
	if h.person("bob").Stopped != "" {
		t.Error("stopped for a mail that is not ours")
	}
	h.answers(m.replyTo(), bounce(h, m.MessageID), func(in *postern.Inbound) { in.Sender = "" })
	h.wantState(m, store.Failed)
	if h.person("bob").Stopped != postern.StopBounced {
		t.Error("not stopped")
	}

	// Whoever was forwarded the mail can write such a bounce: the mail was delivered then.
	sender := func(in *postern.Inbound) { in.Sender = "" }
	books := func(h *house, m sent, k postern.MailEventKind) {
		h.mail.books = map[string][]postern.MailEvent{m.MessageID: {{Kind: k, At: h.now, MessageID: m.MessageID}}}
	}
	for name, c := range map[string]struct {
		before  func(*house, sent)
		address string
		why     string
	}{
		"delivered":               {func(h *house, m sent) { h.tells(postern.MailDelivered, m) }, bobsAddress, "the mail was delivered"},
		"opened":                  {func(h *house, m sent) { h.tells(postern.MailOpened, m) }, bobsAddress, "the mail was delivered"},
		"delivered, by the books": {func(h *house, m sent) { books(h, m, postern.MailDelivered) }, bobsAddress, "the mail was delivered"},
		"the books are closed":    {func(h *house, _ sent) { h.mail.calls["trace"] = []outcome{failure(postern.Denied)} }, bobsAddress, "the provider's books cannot be asked"},
		"about somebody else":     {func(*house, sent) {}, "other@people.example", "it is about another address"},
		"old":                     {func(h *house, _ sent) { h.now = h.now.Add(8 * 24 * time.Hour) }, bobsAddress, "it comes too late"},
		"deferred, by the books":  {func(h *house, m sent) { books(h, m, postern.MailDeferred) }, bobsAddress, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			m := h.mailed("Hello")
			c.before(h, m)
			h.answers(m.replyTo(), strings.Replace(bounce(h, m.MessageID), "rfc822; "+bobsAddress, "rfc822; "+c.address, 1), sender)
			stopped := h.person("bob").Stopped != ""
			if stopped != (c.why == "") {
				t.Errorf("stopped: %t", stopped)
			}
			if c.why != "" {
				h.wantNoted("bounce not believed", c.why)
			}
		})
	}
}

func TestSplitAnswer(t *testing.T) {
	h := newHouse(t)
	m := h.mailed("Hello")
	h.chat.maxText = 600
	h.answers(m.replyTo(), h.letterFrom(bobsAddress, strings.Repeat("One two three. ", 60)))
	if n := len(h.chat.posts); n != 2 {
		t.Errorf("%d posts", n)
	}
	for _, p := range h.chat.posts {
		if len(p.Text) > 600 || !strings.HasSuffix(p.Text, ".") {
			t.Errorf("%d characters: ...%q", len(p.Text), p.Text[len(p.Text)-10:])
		}
	}
}

const twoFiles = "--b\nContent-Type: text/plain\n\nThe papers\n--b\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=a.pdf\n\n%PDF\n--b\nContent-Type: text/csv\nContent-Disposition: attachment; filename=b.csv\nContent-Transfer-Encoding: base64\n\nMSwy\n--b--"

func (h *house) withTwoFiles() string {
	return h.letterFrom(bobsAddress, twoFiles, "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b")
}

func TestFilesIn(t *testing.T) {
	h := newHouse(t)
	m := h.mailed("Hello")
	h.answers(m.replyTo(), h.withTwoFiles())
	h.wantSaid("bob: The papers", "bob: a.pdf=%PDF", "bob: b.csv=1,2")
}

// Repeats of one job, as after a crash, post nothing twice.
func TestDiedWhilePosting(t *testing.T) {
	h := newHouse(t)
	m := h.mailed("Hello")
	h.chat.calls["post"] = []outcome{{happens: true}, lost()}
	h.answers(m.replyTo(), h.withTwoFiles())
	h.pass(time.Minute)
	h.wantSaid("bob: The papers", "bob: a.pdf=%PDF", "bob: b.csv=1,2")
}

// A long thread's references cost a bounded number of looks.
func TestManyReferences(t *testing.T) {
	h := newHouse(t)
	m := h.mailed("Hello")
	refs := strings.Repeat("<x@"+domain+">\r\n ", 2000)
	h.answers(m.replyTo(), h.letterFrom(bobsAddress, "Yes", "References: "+refs+"<"+m.MessageID+">"))
	h.wantSaid("bob: Yes")
	if d := h.delivery(m); d.AnsweredAt.IsZero() {
		t.Error("what it answers, named last, was not found")
	}
}

// What was sent is compared as it was read, not as it is kept.
func TestAnswersToWhatWasRead(t *testing.T) {
	h := newHouse(t)
	h.mailed("Is the bike still for sale?")
	bob, err := h.Store.Recipient(t.Context(), h.PlatformName, channel, "bob", nil)
	h.must(err)
	known, _, err := h.Store.Answerer(t.Context(), bob.Participant.ID, "")
	h.must(err)
	sent, answered, err := h.answersTo(t.Context(), &arrived{to: known.Participant, mail: &letter.Message{}, last: known.Last, since: known.Since})
	h.must(err)
	if len(sent) != 1 || !strings.Contains(sent[0].Text, "Is the bike still for sale?\n\n-- \n") || !strings.Contains(sent[0].HTML, ">Is the bike still for sale?</div>") || answered != known.Last[0].ID {
		t.Errorf("%q, answered %q", sent, answered)
	}
}
