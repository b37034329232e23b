package letter

import (
	"strings"
	"testing"
)

func oursOnly(id string) bool { return strings.Contains(id, "ours") }

func TestBounces(t *testing.T) {
	for _, c := range bounceSamples() {
		t.Run(c.name, func(t *testing.T) {
			m, err := ReadBytes(crlf(c.raw), Options{OurIDs: oursOnly})
			if err != nil {
				t.Fatal(err)
			}
			if m.Auto == nil || m.Auto.Class != c.class {
				t.Fatalf("auto %+v, want %s", m.Auto, c.class)
			}
			b := m.Bounce
			if b == nil {
				t.Fatal("no bounce")
			}
			if b.Format != c.format || b.Outcome != c.outcome {
				t.Errorf("format %q outcome %q, want %q %q", b.Format, b.Outcome, c.format, c.outcome)
			}
			if len(b.Recipients) != 1 {
				t.Fatalf("recipients %+v", b.Recipients)
			}
			r := b.Recipients[0]
			if r.Address != c.address || r.Status != c.status || c.code != r.Code || r.Outcome != c.outcome {
				t.Errorf("recipient %+v", r)
			}
			if !strings.Contains(r.Diagnostic, c.diagnosticHas) {
				t.Errorf("diagnostic %q", r.Diagnostic)
			}
			if got := strings.Join(b.OurIDs, ","); got != c.ours {
				t.Errorf("our ids %q, want %q", got, c.ours)
			}
			if c.ours != "" && b.OriginalID != c.ours && c.name != "gmail" {
				t.Errorf("original id %q", b.OriginalID)
			}
			if c.original != "" && b.Original.Get("Subject") != c.original {
				t.Errorf("original subject %q", b.Original.Get("Subject"))
			}
			if b.Permanent() != (c.outcome == OutcomeFailed) {
				t.Errorf("permanent %v", b.Permanent())
			}
		})
	}
}

// TestNoBounce: persons speak of bounces, forward them and answer them.
func TestNoBounce(t *testing.T) {
	for name, raw := range map[string]string{
		"forwarded": "From: Ana <ana@example.org>\nReturn-Path: <ana@example.org>\nSubject: Fwd: Undelivered Mail Returned to Sender\n\nThis is the mail system at host mx.\n<x@y.example>: 550 5.1.1 no\n",
		"attached":  "From: Ana <ana@example.org>\nSubject: see this\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nlook\n--b\nContent-Type: message/rfc822\n\nSubject: Undelivered\nContent-Type: multipart/report; report-type=delivery-status; boundary=c\n\n--c\nContent-Type: message/delivery-status\n\nFinal-Recipient: rfc822;x@y.example\nAction: failed\n--c--\n--b--\n",
		"plain":     "From: Ana <ana@example.org>\nSubject: Re: delivery failed\n\nYour parcel was not delivered, error 550.\n",
	} {
		m := mustRead(t, crlf(raw))
		if m.Bounce != nil || m.Auto != nil {
			t.Errorf("%s: bounce %+v auto %+v", name, m.Bounce, m.Auto)
		}
	}
}

func TestBounceRecipients(t *testing.T) {
	for _, c := range []struct{ name, raw, want string }{
		{"several in a report", "From: MAILER-DAEMON@x.example\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nx\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@d.example\nAction: failed\nStatus: 5.1.1 (bad destination)\n\nFinal-Recipient: rfc822; b@d.example\nOriginal-Recipient: rfc822; B.List@d.example\nAction: delayed\nStatus: 4.4.7\n--b--\n",
			"a@d.example 5.1.1 failed; b@d.example 4.4.7 delayed"},
		{"several in exim's text", "From: Mailer-Daemon@x.example\nTo: me@x.example\nSubject: Mail delivery failed\n\nThis message was created automatically by mail delivery software.\n\n  a@d.example\n    550 5.1.1 unknown\n  b@d.example\n    552 5.2.2 mailbox full\n",
			"a@d.example 5.1.1 failed; b@d.example 5.2.2 failed"},
		{"several on a header", "From: Mailer-Daemon@x.example\nX-Failed-Recipients: a@d.example,\n b@d.example\nSubject: Mail delivery failed\n\nsorry\n",
			"a@d.example  failed; b@d.example  failed"},
		{"microsoft's page alone", "From: postmaster@d.example\nTo: me@x.example\nSubject: Unzustellbar: Bestellung\nContent-Type: text/html\n\n<html><p>Delivery has failed to these recipients or groups:</p><p><a href=\"mailto:a@d.example\">a@d.example</a><br>The address was not found.</p><p>Diagnostic information for administrators:</p><p>Remote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound'</p></html>",
			"a@d.example 5.1.10 failed"},
		{"no address told", "Return-Path: <>\nFrom: System <postmaster@d.example>\nSubject: Delivery failure\n\nYour mail was refused: 554 5.7.1 spam\n", ""},
	} {
		m := mustRead(t, crlf(c.raw))
		if m.Bounce == nil {
			t.Errorf("%s: no bounce, %+v", c.name, m.Auto)
			continue
		}
		var got []string
		for _, r := range m.Bounce.Recipients {
			got = append(got, r.Address+" "+r.Status+" "+string(r.Outcome))
		}
		if s := strings.Join(got, "; "); s != c.want {
			t.Errorf("%s: %q, want %q", c.name, s, c.want)
		}
		if m.Bounce.Outcome != OutcomeFailed {
			t.Errorf("%s: outcome %q", c.name, m.Bounce.Outcome)
		}
	}
}

func TestCodesIn(t *testing.T) {
	for _, c := range []struct {
		in     string
		code   int
		status string
	}{
		{"550 5.1.1 no", 550, "5.1.1"},
		{"550-5.1.10 no", 550, "5.1.10"},
		{"smtp; 452-4.2.2 full", 452, "4.2.2"},
		{"#5.1.1", 0, "5.1.1"},
		{"<mx.example #550 5.1.1 RESOLVER>", 550, "5.1.1"},
		{"host mx [5.1.1.9] said: 421 later", 421, ""},
		{"connect to 192.0.2.5:25: timed out", 0, ""},
		{"message 1550 of 15", 0, ""},
		{"version 4.2.2.1", 0, ""},
		{"554: delivery error", 554, ""},
		{"order 2550-500", 0, ""},
		{"", 0, ""},
	} {
		code, status := codesIn(c.in)
		if code != c.code || status != c.status {
			t.Errorf("%q: %d %q, want %d %q", c.in, code, status, c.code, c.status)
		}
	}
}
