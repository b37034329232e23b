package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/sandbox/mailbox"
	"github.com/postern-chat/postern/sandbox/mailbox/eml"
	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/sendbird"
)

// The README's story: a message, its mail, an answer, the marks.
func TestStory(t *testing.T) {
	w := newWorld(t)
	id := w.says("ana", "Is the bike still for sale?")
	m := w.mail(bobsAddress, 1)
	if want := `"Ana (Support)" <`; !strings.HasPrefix(m.From, want) {
		t.Errorf("From is %s, want %s...", m.From, want)
	}
	if !strings.Contains(m.Text, "Is the bike still for sale?") {
		t.Errorf("the mail says %q", m.Text)
	}
	w.waitFor("the delivered mark", func() bool { return slices.Contains(w.chatID(id).DeliveredTo, "bob") })
	if slices.Contains(w.chatID(id).ReadBy, "bob") {
		t.Error("read before anybody opened the mail")
	}
	if _, err := w.People.View(t.Context(), bobsAddress, m.ID, mailbox.Human); err != nil {
		t.Fatal(err)
	}
	w.waitFor("the read mark", func() bool { return slices.Contains(w.chatID(id).ReadBy, "bob") })
	w.replies(m, mailbox.Answer{Program: mailbox.Gmail, Text: "Yes. Saturday at ten?"})
	answer := w.said("bob", "Yes. Saturday at ten?")
	if !strings.Contains(answer.Data, `"postern"`) {
		t.Errorf("the post carries no mark: %s", answer.Data)
	}
	w.idle()
	if n := len(w.mails(bobsAddress)); n != 1 {
		t.Errorf("bob has %d mails, want 1: his own answer came back to him", n)
	}
}

// An answer by mail reaches the others who are away by mail, too.
func TestAnswerReachesOthersWhoAreAway(t *testing.T) {
	w := newWorld(t)
	w.says("ana", "Hello")
	m := w.mail(bobsAddress, 1)
	w.online("ana", false)
	w.replies(m, mailbox.Answer{Program: mailbox.Plain, Text: "Hello Ana"})
	back := w.mail("ana@people.example", 1)
	if !strings.Contains(back.Text, "Hello Ana") {
		t.Errorf("the mail to Ana says %q", back.Text)
	}
	w.idle()
	if n := len(w.mails(bobsAddress)); n != 1 {
		t.Errorf("bob has %d mails, want 1", n)
	}
}

// A burst is one mail; what is true at its end counts.
func TestQuietWindow(t *testing.T) {
	w := newWorld(t, "POSTERN_NOTIFY_DELAY=400ms")
	at := w.Sendbird + "/_emulator/users/ana/channels/" + w.Channel + "/messages/"
	w.says("ana", "One")
	edited := w.says("ana", "Tow")
	deleted := w.says("ana", "Never mind this")
	w.must("PUT", at+edited, map[string]any{"message": "Two"}, nil)
	w.must("DELETE", at+deleted, nil, nil)
	w.says("ana", "Three")
	m := w.mail(bobsAddress, 1)
	for _, want := range []string{"One", "Two", "Three"} {
		if !strings.Contains(m.Text, want) {
			t.Errorf("%q is missing in %q", want, m.Text)
		}
	}
	for _, no := range []string{"Tow", "Never mind"} {
		if strings.Contains(m.Text, no) {
			t.Errorf("%q stands in %q", no, m.Text)
		}
	}
	w.idle()
	if n := len(w.mails(bobsAddress)); n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
}

// Reasons for which nothing is mailed, as they arise inside the quiet window.
func TestNotMailed(t *testing.T) {
	tests := []struct {
		name, why string
		then      func(w *world)
	}{
		{"comes online", "online", func(w *world) { w.online("bob", true) }},
		{"reads it", "read", func(w *world) {
			w.must("PUT", w.Sendbird+"/_emulator/users/bob/channels/"+w.Channel+"/read", map[string]any{}, nil)
		}},
		{"leaves", "left the channel", func(w *world) {
			w.must("PUT", w.Sendbird+"/_emulator/users/bob/channels/"+w.Channel+"/leave", map[string]any{}, nil)
		}},
		{"has no address any more", "no address known", func(w *world) { w.must("DELETE", w.Gateway+"/api/v1/people/bob", nil, nil) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "POSTERN_NOTIFY_DELAY=300ms")
			w.says("ana", "Are you there?")
			tt.then(w)
			w.waitFor("the reason", func() bool { return w.noted("not mailed", tt.why) })
			w.idle()
			if n := len(w.mails(bobsAddress)); n != 0 {
				t.Errorf("%d mails, want none", n)
			}
			if want := `postern_decisions_total{what="not mailed",why="` + tt.why + `"} 1`; !strings.Contains(w.text(w.Gateway+"/metrics"), want) {
				t.Errorf("not counted: %s", want)
			}
		})
	}
}

func TestNeverMailed(t *testing.T) {
	w := newWorld(t)
	w.message("ana", map[string]any{"message": "hush", "is_silent": true})
	w.idle()
	if n := len(w.mails(bobsAddress)); n != 0 {
		t.Errorf("%d mails of a silent message, want none", n)
	}
}

// Members are absent from the webhook: the platform is asked.
func TestMembersAbsent(t *testing.T) {
	w := newWorld(t)
	w.Chat.SetWebhook(sendbird.Webhook{URL: w.Gateway + "/hooks/sendbird", IncludeMembers: false})
	w.says("ana", "No members told")
	w.mail(bobsAddress, 1)
}

// A file is attached; one beyond the limit is linked, and the link gives the file.
func TestFileOut(t *testing.T) {
	w := newWorld(t, "POSTERN_MAIL_ATTACH_LIMIT=1KB")
	for name, size := range map[string]int{"small.txt": 100, "large.txt": 5000} {
		w.uploads("ana", name, strings.Repeat("x", size))
	}
	w.idle()
	var text string
	var files []mailbox.File
	for _, m := range w.mails(bobsAddress) {
		text += m.Text
		files = append(files, m.Files...)
	}
	if len(files) != 1 || files[0].Filename != "small.txt" || files[0].Size != 100 {
		t.Errorf("attached: %+v, want small.txt", files)
	}
	_, link, ok := strings.Cut(text, "large.txt ("+w.Gateway)
	if !ok {
		t.Fatalf("no link to large.txt in %q", text)
	}
	link, _, _ = strings.Cut(link, ")")
	resp, err := http.Get(w.Gateway + link)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK || resp.ContentLength != 5000 || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("the link gives %s, %d bytes, %q", resp.Status, resp.ContentLength, resp.Header.Get("Content-Disposition"))
	}
}

// Words first, then the files in order.
func TestFilesIn(t *testing.T) {
	w := newWorld(t)
	w.says("ana", "Send me the papers")
	m := w.mail(bobsAddress, 1)
	w.replies(m, mailbox.Answer{Program: mailbox.Outlook, Text: "Here they are.", Attachments: []mailbox.Attachment{
		{Filename: "a.pdf", ContentType: "application/pdf", Data: []byte("%PDF-1")}, {Filename: "b.txt", ContentType: "text/plain", Data: []byte("two")},
	}})
	w.said("bob", "Here they are.")
	w.idle()
	var got []string
	for _, m := range w.chat()[1:] {
		got = append(got, m.User.ID+":"+m.Message+m.File.Name)
	}
	if want := []string{"bob:Here they are.", "bob:a.pdf", "bob:b.txt"}; !slices.Equal(got, want) {
		t.Errorf("the chat holds %v, want %v", got, want)
	}
}

// Mail that is not the participant's own word does not become it.
func TestNotPosted(t *testing.T) {
	tests := []struct {
		name, what, why string
		letter          mailbox.Letter
		from            string
	}{
		{"a stranger who has the address", "held", "somebody else", mailbox.Letter{Text: "I am Bob, honest"}, "mallory@people.example"},
		{"out of office", "not posted", "automatic mail", mailbox.Letter{Text: "I am away", Header: []eml.Field{{Name: "Auto-Submitted", Value: "auto-replied"}}}, bobsAddress},
		{"our own mail coming back", "not posted", "our own mail", mailbox.Letter{Text: "loop", From: "x@mg.postern.example"}, bobsAddress},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.says("ana", "Hello")
			m := w.mail(bobsAddress, 1)
			tt.letter.To, tt.letter.Subject = []string{m.From}, "Re: Support"
			if _, err := w.People.Write(t.Context(), tt.from, tt.letter); err != nil {
				t.Fatal(err)
			}
			w.waitFor("the decision", func() bool { return w.noted(tt.what, tt.why) })
			w.idle()
			if n := len(w.chat()); n != 1 {
				t.Errorf("%d messages in the chat, want 1", n)
			}
		})
	}
}

// What is held can be released by an operator.
func TestRelease(t *testing.T) {
	w := newWorld(t)
	w.says("ana", "Hello")
	m := w.mail(bobsAddress, 1)
	if _, err := w.People.Write(t.Context(), "bob@elsewhere.example", mailbox.Letter{To: []string{m.From}, Text: "From my other address"}); err != nil {
		t.Fatal(err)
	}
	var held struct {
		Held []struct {
			ID            int64
			Reason, State string
		}
	}
	w.waitFor("the held mail", func() bool {
		w.must("GET", w.Gateway+"/api/v1/held", nil, &held)
		return len(held.Held) == 1
	})
	w.must("POST", w.Gateway+"/api/v1/held/1/release", nil, nil)
	w.said("bob", "From my other address")
	if status := w.do("POST", w.Gateway+"/api/v1/held/1/release", nil, nil); status != http.StatusNotFound {
		t.Errorf("releasing twice gives %d, want 404", status)
	}
}

// A permanent failure is told in the chat; nothing more goes out until it is lifted.
func TestBounce(t *testing.T) {
	w := newWorld(t)
	fault, err := w.Mail.AddFault(mailgun.Fault{On: "delivery", Action: "bounce", Recipient: bobsAddress, Times: 1})
	if err != nil {
		t.Fatal(fault, err)
	}
	id := w.says("ana", "Will this arrive?")
	w.waitFor("the line in the chat", func() bool { return len(w.chat()) == 2 })
	line := w.chat()[1]
	if line.Type != "ADMM" || !strings.Contains(line.Message, "Bob could not be reached by e-mail") || strings.Contains(line.Message, "@") {
		t.Errorf("the chat is told %s %q", line.Type, line.Message)
	}
	w.says("ana", "And this?")
	w.waitFor("the reason", func() bool { return w.noted("not mailed", "stopped: bounced") })
	w.idle()
	if n := len(w.chat()); n != 3 {
		t.Errorf("%d messages in the chat, want 3: it is told once", n)
	}
	if slices.Contains(w.chatID(id).DeliveredTo, "bob") {
		t.Error("marked delivered, but it was not")
	}
	w.must("POST", w.Gateway+"/api/v1/people/bob/lift", nil, nil)
	w.says("ana", "And now?")
	if m := w.mail(bobsAddress, 1); !strings.Contains(m.Text, "And now?") {
		t.Errorf("the mail after the lift says %q", m.Text)
	}
}

// A machine's open is no reading.
func TestMachineOpens(t *testing.T) {
	for _, c := range []mailbox.Client{mailbox.Apple, mailbox.GmailPrefetch, mailbox.Scanner} {
		t.Run(string(c), func(t *testing.T) {
			w := newWorld(t, "POSTERN_RECEIPTS_HUMAN_AFTER=20s") // a scanner calls itself a person, but is quick
			id := w.says("ana", "Read me")
			m := w.mail(bobsAddress, 1)
			if _, err := w.People.View(t.Context(), bobsAddress, m.ID, c); err != nil {
				t.Fatal(err)
			}
			w.waitFor("the open", func() bool { return w.noted("opened", "") || w.noted("opened by a machine", "") })
			w.idle()
			if slices.Contains(w.chatID(id).ReadBy, "bob") {
				t.Error("marked read")
			}
		})
	}
}

// Opening one mail marks nothing read while a later message is on its way.
func TestHighWater(t *testing.T) {
	w := newWorld(t, "POSTERN_NOTIFY_DELAY=200ms")
	w.says("ana", "First")
	m := w.mail(bobsAddress, 1)
	w.idle()
	if _, err := w.Mail.AddFault(mailgun.Fault{On: "delivery", Action: "defer", Recipient: bobsAddress, Times: 1}); err != nil {
		t.Fatal(err)
	}
	second := w.says("ana", "Second")
	w.waitFor("the second mail handed over", func() bool { return len(w.Mail.Messages()) == 2 })
	if _, err := w.People.View(t.Context(), bobsAddress, m.ID, mailbox.Human); err != nil {
		t.Fatal(err)
	}
	w.waitFor("the open", func() bool { return w.noted("opened", "") })
	if slices.Contains(w.chatID(second).ReadBy, "bob") {
		t.Error("the second message is marked read, but nobody has even got it")
	}
	w.Mail.Advance(time.Minute)
	m2 := w.mail(bobsAddress, 2)
	if _, err := w.People.View(t.Context(), bobsAddress, m2.ID, mailbox.Human); err != nil {
		t.Fatal(err)
	}
	w.waitFor("the read mark", func() bool { return slices.Contains(w.chatID(second).ReadBy, "bob") })
}

// A long answer is split, not cut.
func TestLongAnswer(t *testing.T) {
	w := newWorld(t, "POSTERN_SENDBIRD_MAX_MESSAGE_LENGTH=200")
	w.says("ana", "Tell me everything")
	m := w.mail(bobsAddress, 1)
	long := strings.TrimSpace(strings.Repeat("All work and no play makes Jack a dull boy. ", 30))
	w.replies(m, mailbox.Answer{Program: mailbox.Plain, Text: long, NoQuote: true})
	w.waitFor("all of it", func() bool {
		var b strings.Builder
		for _, m := range w.chat()[1:] {
			b.WriteString(m.Message + " ")
			if len(m.Message) > 200 {
				t.Fatalf("a part has %d characters", len(m.Message))
			}
		}
		return strings.Join(strings.Fields(b.String()), " ") == long
	})
}

// Leaving a conversation takes a POST; a GET, which scanners make, changes nothing.
func TestUnsubscribe(t *testing.T) {
	w := newWorld(t)
	w.says("ana", "Hello")
	m := w.mail(bobsAddress, 1)
	i := strings.Index(m.Text, w.Gateway+"/u/")
	link := strings.Fields(m.Text[i:])[0]
	w.must("GET", link, nil, nil)
	w.says("ana", "Still there?")
	m = w.mail(bobsAddress, 2)
	if _, err := w.People.Unsubscribe(t.Context(), bobsAddress, m.ID); err != nil {
		t.Fatal(err)
	}
	w.says("ana", "And now?")
	w.waitFor("the reason", func() bool { return w.noted("not mailed", "unsubscribed") })
	w.idle()
	if n := len(w.mails(bobsAddress)); n != 2 {
		t.Errorf("%d mails, want 2", n)
	}
}

// The provider may take a mail and say that it failed. It is asked, not sent again.
func TestUncertainSend(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Mail.AddFault(mailgun.Fault{On: "send", Action: "status-after-accept", Status: 500, Times: 1}); err != nil {
		t.Fatal(err)
	}
	w.says("ana", "Once, please")
	w.mail(bobsAddress, 1)
	w.waitFor("the proof", func() bool { return w.noted("mailed", "") })
	w.idle()
	if n := len(w.Mail.Messages()); n != 1 {
		t.Errorf("the provider took %d mails, want 1", n)
	}
}

// The platform may take a post and say that it failed. Its mark is looked for.
func TestUncertainPost(t *testing.T) {
	w := newWorld(t)
	w.says("ana", "Hello")
	m := w.mail(bobsAddress, 1)
	w.idle()
	w.Chat.AddFault(sendbird.Fault{Method: "POST", Path: "/v3/group_channels/*/messages", Accept: true, Status: 500, Count: 1})
	w.replies(m, mailbox.Answer{Program: mailbox.Plain, Text: "Once, please"})
	w.said("bob", "Once, please")
	w.idle()
	if n := len(w.chat()); n != 2 {
		t.Errorf("%d messages in the chat, want 2", n)
	}
}

// While the provider is down nothing is lost, also not over a restart.
func TestRestart(t *testing.T) {
	w := newWorld(t, "POSTERN_MAILGUN_UNSURE_AFTER=2s")
	w.Mail.SetSwitches(func(s *mailgun.Switches) { s.Down = 503 })
	w.says("ana", "Patience")
	w.waitFor("a failed try", func() bool { return w.noted("put off", "") || w.noted("unsure", "") })
	w.restart()
	w.Mail.SetSwitches(func(s *mailgun.Switches) { s.Down = 0 })
	w.mail(bobsAddress, 1)
	w.idle()
	if n := len(w.mails(bobsAddress)); n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
}

// Every webhook twice changes nothing.
func TestDuplicateWebhooks(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Chat.AddHookFault(sendbird.HookFault{Do: "duplicate"}); err != nil {
		t.Fatal(err)
	}
	w.Mail.SetSwitches(func(s *mailgun.Switches) { s.DuplicatePosts = 1 })
	w.says("ana", "Once")
	m := w.mail(bobsAddress, 1)
	w.replies(m, mailbox.Answer{Program: mailbox.Gmail, Text: "Once too"})
	w.said("bob", "Once too")
	w.idle()
	if n, k := len(w.mails(bobsAddress)), len(w.chat()); n != 1 || k != 2 {
		t.Errorf("%d mails and %d messages, want 1 and 2", n, k)
	}
}

func TestHealth(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/nothing": 404, "/api/v1/nothing": 404} {
		if got := w.do("GET", w.Gateway+path, nil, nil); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	resp, err := http.Get(w.Gateway + "/api/v1/people")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %s", resp.Status)
	}
}
