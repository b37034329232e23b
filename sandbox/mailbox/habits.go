package mailbox

import (
	"context"
	"strings"

	"github.com/postern-chat/postern/sandbox/mailbox/eml"
)

// Habits are the local parts whose owners' programs do something by themselves
// when mail comes: local part -> what it does.
func Habits() map[string]string {
	return map[string]string{
		"out-of-office":  "answers every mail with an automatic reply",
		"vacation":       "answers with an automatic reply that only its subject tells",
		"apple":          "Apple Mail fetches all pictures at once",
		"gmail-prefetch": "Gmail fetches all pictures ahead of the reader",
		"scanner":        "a security gateway fetches all pictures and links",
		"reader":         "a person opens the mail at once",
		"auto-reply":     "answers \"Thank you\" as a person would, at once",
		"challenge":      "a spam filter asks the sender to prove himself, from a null envelope sender",
		"mailer-loop":    "sends every mail back as it came",
	}
}

// habit runs what the address's local part stands for, in the background.
func (s *Server) habit(address string, m *mail) {
	local := localPart(address)
	if Habits()[local] == "" || Habits()[localPart(m.from)] != "" { // two of them would write to each other for ever
		return
	}
	s.mu.Lock()
	s.acting++
	s.mu.Unlock()
	go func() {
		defer func() {
			s.mu.Lock()
			s.acting--
			s.idle.Broadcast()
			s.mu.Unlock()
		}()
		if err := s.act(s.ctx, local, address, m); err != nil && s.ctx.Err() == nil {
			s.note(Happening{What: "refused", Address: strings.ToLower(address), Message: m.id, Detail: err.Error(), Failed: true}, m)
		}
	}()
}

// Wait returns when no program of anybody is at work any more.
func (s *Server) Wait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.acting > 0 {
		s.idle.Wait()
	}
}

// localPart without what follows a plus sign.
func localPart(address string) string {
	local, _, _ := strings.Cut(strings.ToLower(address), "@")
	local, _, _ = strings.Cut(local, "+")
	return local
}

func (s *Server) act(ctx context.Context, habit, address string, m *mail) error {
	back := orText(m.from, eml.Address(m.parsed.Header.Get("From")))
	from := eml.Address(m.parsed.Header.Get("From"))
	subject := m.parsed.Header.Text("Subject")
	var err error
	switch habit {
	case "apple":
		_, err = s.View(ctx, address, m.id, Apple)
	case "gmail-prefetch":
		_, err = s.View(ctx, address, m.id, GmailPrefetch)
	case "scanner":
		_, err = s.View(ctx, address, m.id, Scanner)
	case "reader":
		_, err = s.View(ctx, address, m.id, Human)
	case "auto-reply":
		_, err = s.Reply(ctx, address, m.id, Answer{Program: Gmail, Text: "Thank you"})
	case "out-of-office": // RFC 3834; Exchange answers From, not Reply-To
		_, err = s.Write(ctx, address, Letter{To: []string{from}, Subject: "Automatic reply: " + subject, Program: Outlook,
			Text: "I am out of the office until Monday.\n", inReplyTo: m.parsed.Header.Get("Message-Id"),
			Header: []eml.Field{{Name: "Auto-Submitted", Value: "auto-replied"}, {Name: "X-Auto-Response-Suppress", Value: "All"}}})
	case "vacation":
		_, err = s.Write(ctx, address, Letter{To: []string{from}, Subject: "Out of office: " + subject, Program: Plain, Text: "On holiday.\n"})
	case "challenge":
		l := Letter{To: []string{back}, From: address, Subject: "Please confirm: " + subject, Text: "Follow the link to prove that you are human.\n"}
		raw := l.bytes(s.newMessageID(address, Plain), s.cfg.Now())
		err = s.Submit(ctx, "", []string{back}, strings.NewReader(string(raw)))
	case "mailer-loop":
		r, openErr := m.raw.Open()
		if openErr != nil {
			return openErr
		}
		defer func() { _ = r.Close() }()
		err = s.Submit(ctx, address, []string{from}, r)
	}
	return err
}
