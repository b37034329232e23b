package page

import (
	"strconv"
	"strings"

	"github.com/postern-chat/postern/sandbox/mailbox"
	"github.com/postern-chat/postern/sandbox/mailgun"
)

// mailLine is an entry of the Mailgun emulator's book as a line, if it is one. Events
// are not: their webhooks say the same.
func mailLine(e mailgun.Entry, n names) (Line, bool) {
	l := Line{At: e.Time.UnixMilli(), Who: fromMail, Status: e.Status}
	to := n.mailbox(e.Recipient)
	switch e.Kind {
	case "request":
		if !asked(&l, e, to) {
			return l, false
		}
	case "delivery":
		l.Text, l.Minor = "carried the mail to "+to+"’s mail server", true
	case "post":
		l.Again, l.AgainID = "post", e.Post
		l.Text, l.Minor = "webhook "+e.Event+" for "+to, e.Event != "opened"
		if e.Event == "inbound" {
			l.Text, l.Minor = "handed the mail to the gateway", false
		}
		if e.Try > 1 {
			l.More = "try " + strconv.Itoa(e.Try)
		}
	case "note":
		took(&l, e, n)
	default:
		return l, false
	}
	if e.Failed {
		l.Tone, l.Minor = bad, false
	}
	if e.Error != "" {
		l.More = lastWords(e.Error)
	}
	return l, true
}

// asked is a request; those of the page itself and of people's mail programs are not
// told here.
func asked(l *Line, e mailgun.Entry, to string) bool {
	path, _, _ := strings.Cut(e.URL, "?")
	switch {
	case strings.HasPrefix(path, "/_emulator/"):
		return false
	case strings.HasPrefix(path, "/o/"):
		l.Text, l.Minor = to+"’s program fetched the tracking picture", true
		return true
	case strings.HasPrefix(path, "/c/"), strings.HasPrefix(path, "/u/"):
		l.Text = to + " followed a link of the mail"
		return true
	}
	l.Who = fromGateway
	l.Text, l.Minor = "asked Mailgun: "+e.Method+" "+path, true
	switch {
	case e.Method == "POST" && strings.Contains(path, "/messages"):
		l.Text = "handed a mail to Mailgun"
		if e.Status != 200 {
			l.Text = "tried to hand a mail to Mailgun"
		}
	case e.Method == "GET" && strings.HasSuffix(path, "/events"):
		l.Text = "asked Mailgun’s events what became of a mail"
	case strings.HasSuffix(path, "/analytics/logs"):
		l.Text = "asked Mailgun’s logs what became of a mail"
	}
	return true
}

// took is a note of the emulator: a mail that came in, or a webhook that a switch ate.
func took(l *Line, e mailgun.Entry, n names) {
	l.Text = e.What
	if rest, ok := strings.CutPrefix(e.What, "mail from "); ok {
		from, _, _ := strings.Cut(rest, " for ")
		l.Text = "took a mail from " + n.mailbox(from) + " for " + n.mailbox(e.Recipient)
		if _, why, ok := strings.Cut(rest, e.Recipient+": "); ok {
			l.More = why
		}
	}
	if rest, ok := strings.CutPrefix(e.What, "dropped by fault: "); ok {
		event, _, _ := strings.Cut(rest, " for ")
		l.Text, l.Tone = "webhook "+event+" never arrived", bad
		l.Again, l.AgainID = "post", e.Post
	}
}

// boxLine is a happening in a mailbox as a line, if it is one.
func boxLine(h mailbox.Happening, n names) (Line, bool) {
	l := Line{At: h.Time.UnixMilli(), Who: fromBoxes}
	who := n.mailbox(h.Address)
	switch h.What {
	case "received":
		l.Text, l.Tone = who+" has mail "+quoted(h.Subject), good
		from, _, _ := strings.Cut(strings.TrimPrefix(h.Detail, "from "), " <")
		l.More = strings.ReplaceAll(from, `"`, "")
	case "opened":
		l.Text = who + " opened " + quoted(h.Subject) + " with its pictures"
		if client := strings.TrimPrefix(h.Detail, "as "); client != string(mailbox.Human) {
			l.Text, l.More = "a machine opened "+quoted(h.Subject), client
		}
	case "clicked":
		l.Text, l.More = who+" followed a link", h.Detail
	case "sent":
		l.Text = who + " sent " + quoted(h.Subject)
	case "complained":
		l.Text = who + " marked " + quoted(h.Subject) + " as spam"
	case "unsubscribed":
		l.Text = who + " unsubscribed"
	case "refused":
		l.Text, l.More = "a mail of "+who+" was refused", h.Detail
	default:
		l.Text, l.More, l.Minor = who+": "+h.What, h.Detail, true
	}
	if h.Failed {
		l.Tone = bad
	}
	return l, true
}
