package letter

import (
	"strings"
	"testing"
)

// part writes one part of a multipart.
func mimePart(header, body string) string { return header + "\n\n" + body }

// multi writes a multipart with a boundary of its own.
func multi(kind, boundary string, parts ...string) string {
	return "Content-Type: multipart/" + kind + "; boundary=" + boundary + "\n\n--" + boundary + "\n" + strings.Join(parts, "\n--"+boundary+"\n") + "\n--" + boundary + "--\n"
}

const (
	plainType = "Content-Type: text/plain; charset=utf-8"
	htmlType  = "Content-Type: text/html; charset=utf-8"
	pngType   = "Content-Type: image/png; name=a.png"
)

func TestBodyChoice(t *testing.T) {
	text, html := mimePart(plainType, "the words"), mimePart(htmlType, "<p>the words</p>")
	png := mimePart(pngType+"\nContent-ID: <img1@x>", "PNG")
	for _, c := range []struct {
		name, raw, text, html string
		roles                 string
	}{
		{"alternative", multi("alternative", "a", text, html), "the words", "<p>the words</p>", ""},
		{"related in alternative", multi("alternative", "a", text, multi("related", "r", mimePart(htmlType, `<img src="cid:img1@x">`), png)), "the words", `<img src="cid:img1@x">`, "inline"},
		{"alternative in related", multi("related", "r", multi("alternative", "a", text, mimePart(htmlType, `<img src="cid:img1@x">`)), png), "the words", `<img src="cid:img1@x">`, "inline"},
		{"image first in related", multi("related", "r", png, mimePart(htmlType, `<img src="cid:img1@x">`)), "", `<img src="cid:img1@x">`, "inline"},
		{"related with start", multi(`related; start="<root@x>"`, "r", mimePart(pngType+"\nContent-ID: <i@x>", "PNG"), mimePart(htmlType+"\nContent-ID: <root@x>", "<p>the words</p>")), "", "<p>the words</p>", "inline"},
		{"amp ignored", multi("alternative", "a", text, mimePart("Content-Type: text/x-amp-html", "<amp>"), html), "the words", "<p>the words</p>", ""},
		{"attached text is no body", multi("mixed", "m", text, mimePart(plainType+"\nContent-Disposition: attachment; filename=log.txt", "log")), "the words", "", "file"},
		{"named inline text is no body", multi("mixed", "m", text, mimePart(plainType+"; name=log.txt", "log")), "the words", "", "file"},
		{"attached html is no body", multi("mixed", "m", text, mimePart(htmlType+"\nContent-Disposition: attachment; filename=report.html", "<p>x</p>")), "the words", "", "file"},
		{"exchange's cut text is body", multi("mixed", "m", text, mimePart(pngType+"\nContent-Disposition: attachment", "PNG"), mimePart(plainType+"; name=\"ATT00001.txt\"\nContent-Disposition: attachment; filename=\"ATT00001.txt\"", "more words")), "the words\nmore words", "", "file"},
		{"list footer", multi("mixed", "m", multi("alternative", "a", text, html), mimePart(plainType, "footer & more")), "the words\nfooter & more", "<p>the words</p>\nfooter &amp; more", ""},
		{"html footer", multi("mixed", "m", multi("alternative", "a", text, html), mimePart(htmlType, "<p>legal</p>")), "", "<p>the words</p>\n<p>legal</p>", ""},
		{"html only", "X: y\n" + html, "", "<p>the words</p>", ""},
		{"forwarded message", multi("mixed", "m", text, mimePart("Content-Type: message/rfc822", "Subject: inner\n"+multi("mixed", "n", mimePart(plainType, "inner words")))), "the words", "", "message"},
		{"unknown multipart", multi("x-odd", "m", text), "the words", "", ""},
		{"two different html", multi("alternative", "a", mimePart(htmlType, "<p>one thing</p>"), mimePart(htmlType, "<p>entirely other text</p>")), "", "<p>one thing</p>\n<p>entirely other text</p>", ""},
		{"image without id is shown in the html", multi("mixed", "m", html, mimePart("Content-Type: image/png\nContent-Disposition: inline; filename=b.png", "PNG")), "", "<p>the words</p>\n<img src=\"cid:part2@letter.invalid\" alt=\"b.png\">", "inline"},
		{"only an attachment", "Content-Type: application/pdf; name=a.pdf\n\nPDF", "", "", "file"},
		{"vcard", multi("mixed", "m", text, mimePart("Content-Type: text/vcard", "BEGIN:VCARD")), "the words", "", "file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mustRead(t, crlf("Subject: s\n"+c.raw))
			if m.Text != c.text || m.HTML != c.html {
				t.Errorf("text %q html %q, want %q %q; %v", m.Text, m.HTML, c.text, c.html, m.Problems)
			}
			var roles []string
			for _, a := range m.Attachments {
				roles = append(roles, string(a.Role))
			}
			if got := strings.Join(roles, " "); got != c.roles {
				t.Errorf("roles %q, want %q", got, c.roles)
			}
		})
	}
}

// TestPlaces: Apple Mail's text, image, text keeps the image's place.
func TestPlaces(t *testing.T) {
	m := mustRead(t, crlf(multi("mixed", "m", mimePart(plainType, "before"), mimePart(pngType+"\nContent-Disposition: inline; filename=a.png", "PNG"),
		mimePart(plainType, "after"), mimePart("Content-Type: application/pdf\nContent-Disposition: attachment; filename=b.pdf", "PDF"), mimePart("Content-Type: image/gif\nContent-Disposition: inline; filename=c.gif", "GIF"))))
	if m.Text != "before\nafter" {
		t.Fatalf("text %q", m.Text)
	}
	var places []int
	for _, a := range m.Attachments {
		places = append(places, a.Place)
	}
	if len(places) != 3 || places[0] != 6 || places[1] != -1 || places[2] != 12 {
		t.Errorf("places %v", places)
	}
	got := m.MarkedText(func(a *Attachment) string { return "[" + a.Name + "]" })
	if got != "before\n[a.png]\nafter\n[c.gif]" {
		t.Errorf("marked %q", got)
	}
	if got := m.MarkedText(func(*Attachment) string { return "" }); got != m.Text {
		t.Errorf("without marks %q", got)
	}
}

func TestFlowed(t *testing.T) {
	for _, c := range []struct {
		in, want string
		delSp    bool
	}{
		{"a \nb\nc", "a b\nc\n", false},
		{"a \nb", "ab\n", true},
		{">> a \n>> b\n> c", ">> a b\n> c\n", false},
		{"> a \nb", "> a \nb\n", false},
		{" From here\n >no quote", "From here\n>no quote\n", false},
		{"text \n-- \nsig", "text \n-- \nsig\n", false},
		{"", "", false},
	} {
		if got := joinFlowed(c.in, c.delSp); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}
