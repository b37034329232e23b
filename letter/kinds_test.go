package letter

import (
	"strings"
	"testing"
	"time"
)

func TestInvitation(t *testing.T) {
	m := mustRead(t, crlf(inviteSample))
	if m.Auto != nil || m.Text != "You are invited." {
		t.Errorf("auto %+v text %q", m.Auto, m.Text)
	}
	if len(m.Calendar) != 1 {
		t.Fatalf("events: %+v", m.Calendar)
	}
	v := m.Calendar[0]
	if v.Title != "Planning, second round" || v.Place != "Room 5; ground floor" || v.Description != "Bring\nnotes" || v.Method != "REQUEST" || v.Sequence != 2 || v.Status != "CONFIRMED" {
		t.Errorf("%+v", v)
	}
	if v.Organizer != (Address{"Eva: Lead", "eva@example.org"}) || len(v.Attendees) != 1 || v.Attendees[0].Status != "NEEDS-ACTION" {
		t.Errorf("people %+v %+v", v.Organizer, v.Attendees)
	}
	if got := v.Start.UTC().Format(time.RFC3339); got != "2026-07-01T07:00:00Z" || v.Zone != "Mitteleuropa" || v.Floating {
		t.Errorf("start %s zone %q floating %v", got, v.Zone, v.Floating)
	}
	if v.End.Sub(v.Start) != 90*time.Minute {
		t.Errorf("end %v", v.End)
	}
	roles := ""
	for _, a := range m.Attachments {
		roles += string(a.Role) + " "
	}
	if roles != "calendar calendar " {
		t.Errorf("roles %q", roles)
	}
}

func TestCalendarTimes(t *testing.T) {
	cases := []struct {
		name, start string
		want        string // RFC 3339 in UTC
		allDay      bool
		floating    bool
	}{
		{"utc", "DTSTART:20260122T090000Z", "2026-01-22T09:00:00Z", false, false},
		{"iana", "DTSTART;TZID=Europe/Berlin:20260122T090000", "2026-01-22T08:00:00Z", false, false},
		{"windows", "DTSTART;TZID=Tokyo Standard Time:20260122T090000", "2026-01-22T00:00:00Z", false, false},
		{"quoted", "DTSTART;TZID=\"Europe/Berlin\":20260722T090000", "2026-07-22T07:00:00Z", false, false},
		{"citadel", "DTSTART;TZID=/citadel.example/2025_1/Europe/Berlin:20260722T090000", "2026-07-22T07:00:00Z", false, false},
		{"unknown", "DTSTART;TZID=Nowhere/City:20260122T090000", "2026-01-22T09:00:00Z", false, true},
		{"traversal", "DTSTART;TZID=../../etc/passwd:20260122T090000", "2026-01-22T09:00:00Z", false, true},
		{"floating", "DTSTART:20260122T090000", "2026-01-22T09:00:00Z", false, true},
		{"day", "DTSTART;VALUE=DATE:20260122", "2026-01-22T00:00:00Z", true, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := time.LoadLocation("Europe/Berlin"); err != nil && !c.floating && c.name != "utc" {
				t.Skip("no zone tables on this machine")
			}
			m := mustRead(t, crlf("Content-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:x\n"+c.start+"\nEND:VEVENT\nEND:VCALENDAR\n"))
			if len(m.Calendar) != 1 {
				t.Fatalf("%+v %v", m.Calendar, m.Problems)
			}
			v := m.Calendar[0]
			if got := v.Start.UTC().Format(time.RFC3339); got != c.want || v.AllDay != c.allDay || v.Floating != c.floating {
				t.Errorf("%s all day %v floating %v", got, v.AllDay, v.Floating)
			}
			if c.allDay && v.End.Sub(v.Start) != 24*time.Hour {
				t.Errorf("end %v", v.End)
			}
		})
	}
}

// TestZoneRules holds the invitation's own rules against the system's tables, through the year.
func TestZoneRules(t *testing.T) {
	ny, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Skip("no zone tables on this machine")
	}
	z := zone{rules: []zoneRule{{}, {}}}
	for i, lines := range []string{
		"DTSTART:20071104T020000\nTZOFFSETTO:-0500\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU",
		"DTSTART:20070311T020000\nTZOFFSETTO:-0400\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU",
	} {
		for _, l := range strings.Split(lines, "\n") {
			z.rules[i].line(parseICSLine(l))
		}
	}
	for day := 0; day < 800; day++ {
		wall := time.Date(2026, 1, 1+day, 12, 0, 0, 0, time.UTC)
		_, want := time.Date(2026, 1, 1+day, 12, 0, 0, 0, ny).Zone()
		if got, ok := z.offset(wall); !ok || got != want {
			t.Fatalf("%v: %d, want %d", wall, got, want)
		}
	}
}

func TestReaction(t *testing.T) {
	m := mustRead(t, crlf(reactionSample))
	if m.Reaction == nil || m.Reaction.Emoji != "👍" || m.Reaction.Target != ourID {
		t.Fatalf("%+v", m.Reaction)
	}
	if !strings.Contains(m.Text, "Ana reacted via Gmail") {
		t.Errorf("text %q", m.Text)
	}
}

func TestWinmail(t *testing.T) {
	m := mustRead(t, tnefSample())
	if m.Text != "Schöne Grüße" {
		t.Errorf("text %q", m.Text)
	}
	if len(m.Attachments) != 2 || m.Attachments[0].Role != RoleContainer {
		t.Fatalf("%+v", m.Attachments)
	}
	f := m.Attachments[1]
	if f.Name != "Übersicht lang.pdf" || f.ContentType != "application/pdf" || content1(t, f) != "file content" || f.Role != RoleFile {
		t.Errorf("%+v", f)
	}
	// Every cut of it is read without complaint.
	whole := tnefBytes()
	for n := range whole {
		parseTNEF(whole[:n], 0)
	}
}

func TestRTF(t *testing.T) {
	text, html := readRTF([]byte(`{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}\pard Gr\'fc\'dfe \u8211 ? \u-10179 ?\u-8638 ? an {\b alle}\par{\*\generator x}Zeile}`))
	if html || text != "Grüße – 🙂 an alle\nZeile" {
		t.Errorf("%v %q", html, text)
	}
	text, html = readRTF([]byte(`{\rtf1\ansi\ansicpg1252\fromhtml1 {\*\htmltag64 <p>}\htmlrtf \par \htmlrtf0 Words{\*\htmltag72 </p>}}`))
	if !html || text != "<p>Words</p>" {
		t.Errorf("%v %q", html, text)
	}
	// A literal "abc", then a reference to it: offset behind the dictionary, length 5.
	start := len(rtfDictionary)
	packed := []byte{0, 0, 0, 0, 8, 0, 0, 0, 0x4c, 0x5a, 0x46, 0x75, 0, 0, 0, 0, 0x08, 'a', 'b', 'c', byte(start >> 4), byte(start<<4) | 3}
	if out, ok := inflateRTF(packed); !ok || string(out) != "abcabcab" {
		t.Errorf("%v %q", ok, out)
	}
}

func TestSMIME(t *testing.T) {
	m := mustRead(t, smimeSample("Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n\r\nsigned words\r\n--q\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=a.png\r\n\r\nPNG\r\n--q--\r\n"))
	if m.Crypto == nil || !m.Crypto.Signed || m.Crypto.Encrypted || m.Crypto.Form != "opaque" || m.Text != "signed words" {
		t.Fatalf("%+v text %q problems %v", m.Crypto, m.Text, m.Problems)
	}
	if len(m.Attachments) != 2 || content1(t, m.Attachments[1]) != "PNG" {
		t.Errorf("%+v", m.Attachments)
	}
	enveloped := der(0x30, der(0x06, []byte(oidEnveloped)), der(0xa0, []byte{0x30, 0}))
	m = mustRead(t, []byte("Content-Type: application/pkcs7-mime\r\n\r\n"+string(enveloped)))
	if m.Crypto == nil || !m.Crypto.Encrypted || m.Attachments[0].Role != RoleCipher {
		t.Errorf("%+v", m.Crypto)
	}
	// Deep nesting would exhaust the stack of a recursive reader.
	bomb := append(der(0x06, []byte(oidSigned)), strings.Repeat("\x30\x80", 1<<20)...)
	m = mustRead(t, []byte("Content-Type: application/pkcs7-mime\r\n\r\n\x30\x80"+string(bomb)))
	if m.Crypto != nil || len(m.Problems) == 0 {
		t.Errorf("%+v %v", m.Crypto, m.Problems)
	}
}

func TestSignedAndEncrypted(t *testing.T) {
	m := mustRead(t, crlf("Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=b\n\n--b\nContent-Type: text/plain\n\nthe words\n--b\nContent-Type: application/pgp-signature; name=signature.asc\n\n-----BEGIN PGP SIGNATURE-----\n--b--\n"))
	if m.Crypto == nil || !m.Crypto.Signed || m.Crypto.Kind != "pgp" || m.Text != "the words" || m.Attachments[0].Role != RoleSignature {
		t.Errorf("%+v %q", m.Crypto, m.Text)
	}
	m = mustRead(t, crlf("Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\n\n--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b\nContent-Type: application/octet-stream\n\n-----BEGIN PGP MESSAGE-----\n--b--\n"))
	if m.Crypto == nil || !m.Crypto.Encrypted || m.Text != "" || m.Attachments[1].Role != RoleCipher {
		t.Errorf("%+v %q", m.Crypto, m.Text)
	}
	m = mustRead(t, crlf("Subject: x\n\nhello\n-----BEGIN PGP MESSAGE-----\n\nabc\n-----END PGP MESSAGE-----\n"))
	if m.Crypto == nil || !m.Crypto.Encrypted || m.Crypto.Form != "inline" {
		t.Errorf("%+v", m.Crypto)
	}
}

func TestAuthentication(t *testing.T) {
	m := mustRead(t, crlf(`
Authentication-Results: mx.example.com 1; spf=pass (ok; really) smtp.mailfrom="a;b@x.example";
 dkim=fail header.d=x.example; dkim=pass (good) header.d=y.example; dmarc=fail header.from=x.example
Authentication-Results: evil.example; dmarc=pass
X-Mailgun-Spf: Pass
X-Mailgun-Dkim-Check-Result: Fail
X-Mailgun-Sscore: 5.5
X-Mailgun-Sflag: Yes

x`))
	a := m.Authentication()
	if a.Host != "mx.example.com" || a.Result("spf") != "pass" || a.Result("dkim") != "pass" || a.Result("dmarc") != "fail" || a.Result("arc") != "" {
		t.Errorf("%+v", a)
	}
	if len(a.Results) != 4 || a.Results[0].Props["smtp.mailfrom"] != "a;b@x.example" || a.Results[2].Props["header.d"] != "y.example" {
		t.Errorf("%+v", a.Results)
	}
	if a.ProviderSPF != "pass" || a.ProviderDKIM != "fail" || !a.HasScore || a.SpamScore != 5.5 || !a.Spam {
		t.Errorf("%+v", a)
	}
}
