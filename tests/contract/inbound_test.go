package contract

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// parsed are the fields of a mail as Mailgun's parsed post has them.
func parsed(recipient, from, text string, headers ...[2]string) url.Values {
	f := fields(recipient, from)
	f.Set("from", from)
	f.Set("From", from)
	f.Set("subject", "Re: Support")
	f.Set("Subject", "Re: Support")
	f.Set("body-plain", text)
	f.Set("stripped-text", text)
	id := "<" + strings.ToLower(rand.Text()) + "@mail.example.org>"
	hs := append([][2]string{{"From", from}, {"To", recipient}, {"Subject", "Re: Support"}, {"Message-Id", id},
		{"Date", time.Now().Format(time.RFC1123Z)}}, headers...)
	b, _ := json.Marshal(hs)
	f.Set("message-headers", string(b))
	f.Set("Message-Id", id)
	return f
}

func TestInbound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	n := 0
	mailed := func(t *testing.T) (*channel, *sent) {
		t.Helper()
		n++
		c, addr := w.pair(fmt.Sprintf("bob%d", n))
		w.say(c, "ana", "Hello")
		return c, w.mg.mail(t, addr, 1)
	}
	ok := func(t *testing.T, code int) {
		t.Helper()
		if code != 200 {
			t.Errorf("status %d", code)
		}
	}
	t.Run("parsed, urlencoded", func(t *testing.T) {
		c, m := mailed(t)
		ok(t, w.post(pathParsed, parsed(m.replyTo(t), m.To, "an answer\n\n> Hello\n")))
		if p := w.posted(c, 1)[0]; p.Text != "an answer" || p.User != "bob1" && p.User != c.Members[1].ID {
			t.Errorf("%+v", p)
		}
	})
	t.Run("parsed, without stripped fields", func(t *testing.T) {
		c, m := mailed(t)
		f := parsed(m.replyTo(t), m.To, "an answer\n\nOn Monday, Ana wrote:\n> Hello\n")
		f.Del("stripped-text")
		ok(t, w.post(pathParsed, f))
		if p := w.posted(c, 1)[0]; p.Text != "an answer" {
			t.Errorf("%+v", p)
		}
	})
	t.Run("parsed, multipart with files", func(t *testing.T) {
		c, m := mailed(t)
		f := parsed(m.replyTo(t), m.To, "three files")
		f.Set("attachment-count", "3")
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		ctype, body := multipartBody(t, f, part{"attachment-1", "one.bin", "application/octet-stream", all},
			part{"attachment-2", "zwei ü.txt", "text/plain", []byte("zwei\r\n")}, part{"attachment-3", "three.png", "image/png", bytes.Repeat(all, 4000)})
		ok(t, w.request(pathParsed, map[string]string{"Content-Type": ctype}, bytes.NewReader(body)))
		checkFiles(t, w.posted(c, 4), "three files", []part{{"", "one.bin", "application/octet-stream", all},
			{"", "zwei ü.txt", "text/plain", []byte("zwei\r\n")}, {"", "three.png", "image/png", bytes.Repeat(all, 4000)}})
	})
	t.Run("raw with files", func(t *testing.T) {
		c, m := mailed(t)
		all := make([]byte, 70000)
		_, _ = rand.Read(all)
		mime := mixed(m.To, m.replyTo(t), "two files", part{"", "one.bin", "application/octet-stream", all}, part{"", "two.txt", "text/plain", []byte("zwei\r\n")})
		ok(t, w.raw(m.replyTo(t), m.To, mime))
		checkFiles(t, w.posted(c, 3), "two files", []part{{"", "one.bin", "application/octet-stream", all}, {"", "two.txt", "text/plain", []byte("zwei\r\n")}})
	})
	t.Run("a file alone, and an empty one", func(t *testing.T) {
		c, m := mailed(t)
		ok(t, w.raw(m.replyTo(t), m.To, mixed(m.To, m.replyTo(t), "", part{"", "../../one.bin", "application/octet-stream", []byte("1")}, part{"", "empty.txt", "text/plain", nil})))
		w.gw.idle()
		got := w.sb.posts(c)
		if len(got) == 0 || got[0].Type != "FILE" || contains(got[0].FileName, "/") || string(got[0].File) != "1" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("raw by multipart", func(t *testing.T) {
		c, m := mailed(t)
		f := fields(m.replyTo(t), m.To)
		f.Set("body-mime", letter(m.To, m.replyTo(t), "by multipart"))
		ctype, body := multipartBody(t, f)
		ok(t, w.request(pathRaw, map[string]string{"Content-Type": ctype}, bytes.NewReader(body)))
		if p := w.posted(c, 1)[0]; p.Text != "by multipart" {
			t.Errorf("%+v", p)
		}
	})
	t.Run("bytes that are not UTF-8", func(t *testing.T) {
		c, m := mailed(t)
		ok(t, w.raw(m.replyTo(t), m.To, letter(m.To, m.replyTo(t), "Gr\xfc\xdfe \x80 10", "Content-Type: text/plain; charset=windows-1252", "Content-Transfer-Encoding: 8bit")))
		if p := w.posted(c, 1)[0]; p.Text != "Grüße € 10" {
			t.Errorf("%q", p.Text)
		}
	})
	t.Run("routed by the envelope only", func(t *testing.T) {
		c1, m1 := mailed(t)
		c2, m2 := mailed(t)
		// To, Cc, Delivered-To and a header named recipient lie; the From is that of the envelope's participant.
		ok(t, w.raw(m1.replyTo(t), m1.To, letter(m1.To, m2.replyTo(t), "for one", "Cc: "+m2.replyTo(t), "Delivered-To: "+m2.replyTo(t), "recipient: "+m2.replyTo(t))))
		f := parsed(m1.replyTo(t), m1.To, "for one again", [2]string{"recipient", m2.replyTo(t)})
		f.Set("To", m2.replyTo(t))
		f.Add("recipient", m2.replyTo(t)) // a header that has the name of a field
		ok(t, w.post(pathParsed, f))
		w.posted(c1, 2)
		w.gw.idle()
		if got := w.sb.posts(c2); len(got) != 0 {
			t.Errorf("posted to the wrong channel: %+v", got)
		}
	})
	t.Run("case and brackets of the recipient", func(t *testing.T) {
		c, m := mailed(t)
		ok(t, w.raw(strings.ToUpper(m.replyTo(t)), strings.ToUpper(m.To), letter(strings.ToUpper(m.To), m.replyTo(t), "shouted")))
		ok(t, w.raw("<"+m.replyTo(t)+">", m.To, letter(m.To, m.replyTo(t), "in brackets")))
		w.posted(c, 2)
	})
	t.Run("a plus form", func(t *testing.T) {
		c, m := mailed(t)
		local, dom, _ := strings.Cut(m.replyTo(t), "@")
		if code := w.raw("reply+"+local+"@"+dom, m.To, letter(m.To, m.replyTo(t), "plus")); code == 200 {
			if p := w.posted(c, 1)[0]; p.Text != "plus" {
				t.Errorf("%+v", p)
			}
		} else if code != 406 {
			t.Errorf("status %d", code)
		}
	})
	t.Run("tokens that are not ours", func(t *testing.T) {
		_, m := mailed(t)
		local, dom, _ := strings.Cut(m.replyTo(t), "@")
		flipped := []byte(local)
		flipped[len(flipped)-3] ^= 1
		w.nothingHappened(t, func() {
			for _, l := range []string{string(flipped), local[:20], local + "a", strings.Repeat("a", len(local)), "postmaster", "x", strings.Repeat("a", 5000)} {
				if code := w.raw(l+"@"+dom, m.To, letter(m.To, l+"@"+dom, "x")); code != 406 && code != 200 {
					t.Errorf("%.50s: status %d", l, code)
				}
			}
			if code := w.raw(local+"@other.example.com", m.To, letter(m.To, m.replyTo(t), "x")); code != 406 {
				t.Errorf("foreign domain: %d", code)
			}
			if code := w.raw(local+"@sub."+dom, m.To, letter(m.To, m.replyTo(t), "x")); code != 406 {
				t.Errorf("domain below: %d", code)
			}
		})
	})
	t.Run("an unsubscribe token is no reply address", func(t *testing.T) {
		_, m := mailed(t)
		link := m.header(t).Get("List-Unsubscribe")
		tok := strings.Trim(link[strings.LastIndex(link, "/")+1:], ">")
		w.nothingHappened(t, func() { w.raw(tok+"@"+domain, m.To, letter(m.To, "x@y.example", "x")) })
	})
	t.Run("strangers are held", func(t *testing.T) {
		_, m := mailed(t)
		w.nothingHappened(t, func() {
			for _, from := range []string{"eve@evil.example", m.To + ".evil.example", `"` + m.To + `" <eve@evil.example>`, "x" + m.To, ""} {
				ok(t, w.raw(m.replyTo(t), from, letter(from, m.replyTo(t), "let me in", "Sender: "+m.To, "Reply-To: "+m.To)))
			}
			// Two authors, or two From lines.
			ok(t, w.raw(m.replyTo(t), m.To, letter("eve@evil.example, "+m.To, m.replyTo(t), "two authors")))
			ok(t, w.raw(m.replyTo(t), m.To, letter("eve@evil.example", m.replyTo(t), "two lines", "From: "+m.To)))
			ok(t, w.raw(m.replyTo(t), m.To, letter(m.To, m.replyTo(t), "two lines", "From: eve@evil.example")))
			// Mailgun says that it is forged.
			f := parsed(m.replyTo(t), "eve@evil.example", "parsed stranger")
			f.Set("sender", m.To)
			ok(t, w.post(pathParsed, f))
		})
	})
	t.Run("automatic mail", func(t *testing.T) {
		_, m := mailed(t)
		w.nothingHappened(t, func() {
			for name, h := range map[string][]string{
				"auto-replied":     {"Auto-Submitted: auto-replied"},
				"auto-generated":   {"Auto-Submitted: auto-generated (rejected)"},
				"precedence":       {"Precedence: auto_reply"},
				"bulk":             {"Precedence: bulk"},
				"list":             {"List-Id: <x.example.org>", "Precedence: list"},
				"x-autoreply":      {"X-Autoreply: yes"},
				"x-autorespond":    {"X-Autorespond: yes"},
				"our own back":     {"X-Postern-Loop: " + loopOf(m.Raw)},
				"multipart report": {"Content-Type: multipart/report; report-type=delivery-status; boundary=b"},
			} {
				body := "I am away " + name
				if name == "multipart report" {
					body = "--b\nContent-Type: text/plain\n\nYour mail was not delivered.\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nFinal-Recipient: rfc822; " +
						"somebody@else.example\nAction: failed\nStatus: 5.1.1\n\n--b--\n"
				}
				ok(t, w.raw(m.replyTo(t), m.To, letter(m.To, m.replyTo(t), body, h...)))
			}
			ok(t, w.raw(m.replyTo(t), "", letter(m.To, m.replyTo(t), "null sender")))
			ok(t, w.raw(m.replyTo(t), "", letter("MAILER-DAEMON@example.org", m.replyTo(t), "null sender")))
			ok(t, w.raw(m.replyTo(t), m.replyTo(t), string(m.Raw)))
			ok(t, w.post(pathParsed, parsed(m.replyTo(t), m.To, "parsed robot", [2]string{"Auto-Submitted", "auto-replied"})))
			oof := letter(m.To, m.replyTo(t), "I am away until Monday")
			ok(t, w.raw(m.replyTo(t), m.To, strings.Replace(oof, "Subject: Re: Support", "Subject: Automatic reply: Support\r\nAuto-Submitted: auto-replied", 1)))
		})
	})
	t.Run("Auto-Submitted: no is a person", func(t *testing.T) {
		c, m := mailed(t)
		w.answer(m, "by hand", "Auto-Submitted: no", "X-Auto-Response-Suppress: All")
		w.posted(c, 1)
	})
	t.Run("the same mail by two posts", func(t *testing.T) {
		c, m := mailed(t)
		mime := letter(m.To, m.replyTo(t), "once")
		ok(t, w.raw(m.replyTo(t), m.To, mime))
		ok(t, w.raw(m.replyTo(t), m.To, mime))
		w.gw.idle()
		ok(t, w.raw(m.replyTo(t), m.To, mime))
		w.gw.idle()
		w.posted(c, 1)
	})
	t.Run("one mail to two of our addresses", func(t *testing.T) {
		c1, m1 := mailed(t)
		c2 := w.sb.channel("chan_second", "Second", "ana", c1.Members[1].ID)
		w.say(c2, "ana", "Hello too")
		m2 := w.mg.mail(t, m1.To, 2)
		mime := letter(m1.To, m1.replyTo(t)+", "+m2.replyTo(t), "to both")
		ok(t, w.raw(m1.replyTo(t), m1.To, mime))
		ok(t, w.raw(m2.replyTo(t), m1.To, mime))
		w.posted(c1, 1)
		w.posted(c2, 1)
	})
	t.Run("long text is split, not cut", func(t *testing.T) {
		c, m := mailed(t)
		w.sb.change(func() { c.Max = 100 })
		var words []string
		for i := range 60 {
			words = append(words, fmt.Sprintf("wört%d", i))
		}
		words = append(words, strings.Repeat("ö👩‍💻", 60))
		w.answer(m, strings.Join(words, " "))
		w.gw.idle()
		var got string
		for _, p := range w.sb.posts(c) {
			got += strings.Join(strings.Fields(p.Text), "")
		}
		if want := strings.Join(words, ""); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
	t.Run("nothing new to say", func(t *testing.T) {
		_, m := mailed(t)
		w.nothingHappened(t, func() {
			ok(t, w.raw(m.replyTo(t), m.To, letter(m.To, m.replyTo(t), "")))
			ok(t, w.raw(m.replyTo(t), m.To, "not a mail at all"))
			ok(t, w.raw(m.replyTo(t), m.To, "\x00\xff"))
		})
	})
	t.Run("oversized", func(t *testing.T) {
		_, m := mailed(t)
		for _, path := range []string{pathRaw, pathParsed} {
			f := parsed(m.replyTo(t), m.To, strings.Repeat("x", 90<<20))
			f.Set("body-mime", f.Get("body-plain"))
			f.Del("stripped-text")
			if path == pathRaw {
				f.Del("body-plain")
			} else {
				f.Del("body-mime")
			}
			if code := w.post(path, f); code != 406 {
				t.Errorf("%s: %d", path, code)
			}
		}
	})
}

var loopLine = regexp.MustCompile(`(?m)^X-Postern-Loop: (\S+)`)

func loopOf(raw []byte) string {
	if m := loopLine.FindSubmatch(raw); m != nil {
		return string(m[1])
	}
	return "x"
}

func checkFiles(t *testing.T, posts []post, text string, files []part) {
	t.Helper()
	if posts[0].Type != "MESG" || posts[0].Text != text {
		t.Errorf("first post %s %q", posts[0].Type, posts[0].Text)
	}
	for i, f := range files {
		p := posts[i+1]
		if p.Type != "FILE" || p.FileName != f.file || !bytes.Equal(p.File, f.body) || !strings.HasPrefix(p.Mime, f.ctype) {
			t.Errorf("file %d: %s %q %q, %d bytes, want %d", i, p.Type, p.FileName, p.Mime, len(p.File), len(f.body))
		}
		if p.User != posts[0].User || p.CustomType == "" && p.Data == "" {
			t.Errorf("file %d: by %q, mark %q %q", i, p.User, p.CustomType, p.Data)
		}
	}
}

// mixed writes a mail with files.
func mixed(from, to, text string, files ...part) string {
	var b strings.Builder
	b.WriteString("Content-Type: multipart/mixed; boundary=bound\r\n")
	head := letter(from, to, "", strings.TrimSpace(b.String()))
	b.Reset()
	b.WriteString(head)
	b.WriteString("--bound\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + text + "\r\n")
	for _, f := range files {
		fmt.Fprintf(&b, "--bound\r\nContent-Type: %s\r\nContent-Disposition: attachment; filename=%q\r\nContent-Transfer-Encoding: base64\r\n\r\n", f.ctype, f.file)
		enc := base64.StdEncoding.EncodeToString(f.body)
		for line := range slices.Chunk([]byte(enc), 76) {
			b.Write(line)
			b.WriteString("\r\n")
		}
	}
	b.WriteString("--bound--\r\n")
	return b.String()
}

func TestStrangers(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"refuse", "guest"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, vars{"POSTERN_INBOUND_STRANGERS": mode})
			c, addr := w.pair("bob")
			w.say(c, "ana", "Hello")
			m := w.mg.mail(t, addr, 1)
			code := w.raw(m.replyTo(t), "eve@evil.example", letter("Eve <eve@evil.example>", m.replyTo(t), "I am Eve"))
			w.gw.idle()
			posts := w.sb.posts(c)
			switch {
			case mode == "refuse" && (len(posts) != 0 || code != 200 && code != 406):
				t.Errorf("%d, %+v", code, posts)
			case mode == "guest" && (code != 200 || len(posts) != 1 || !contains(posts[0].Text, "I am Eve")):
				t.Errorf("%d, %+v", code, posts)
			case mode == "guest" && posts[0].User == "bob" && !contains(strings.ToLower(posts[0].Text), "eve@evil.example") && !contains(posts[0].Text, "Eve"):
				t.Errorf("a guest's words look like Bob's: %+v", posts[0])
			}
			if mode == "guest" { // nobody's file cannot be posted; that it was there must not be lost
				code := w.raw(m.replyTo(t), "eve@evil.example", mixed("Eve <eve@evil.example>", m.replyTo(t), "with a file", part{"", "eve.txt", "text/plain", []byte("x")}))
				w.gw.idle()
				if posts = w.sb.posts(c); code != 200 || len(posts) != 2 || !contains(posts[1].Text, "with a file") || !contains(posts[1].Text, "eve.txt") {
					t.Errorf("%d %+v", code, posts)
				}
			}
			n := len(posts)
			w.answer(m, "and I am Bob")
			w.gw.idle()
			if posts = w.sb.posts(c); len(posts) != n+1 || posts[n].Text != "and I am Bob" || posts[n].User != "bob" {
				t.Errorf("%+v", posts)
			}
		})
	}
}

// Many files at once stay below five posts a second by one user; the fake counts.
func TestPacing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c, addr := w.pair("bob")
	w.say(c, "ana", "Hello")
	m := w.mg.mail(t, addr, 1)
	c2 := w.sb.channel("chan_two", "Two", "ana", "bob")
	w.say(c2, "ana", "Hello")
	m2 := w.mg.mail(t, addr, 2)
	var files []part
	for i := range 12 {
		files = append(files, part{"", fmt.Sprintf("f%d.txt", i), "text/plain", []byte(strconv.Itoa(i))})
	}
	for _, s := range []*sent{m, m2} {
		if code := w.raw(s.replyTo(t), addr, mixed(addr, s.replyTo(t), "many", files...)); code != 200 {
			t.Fatal(code)
		}
	}
	checkFiles(t, w.posted(c, 13), "many", files)
	checkFiles(t, w.posted(c2, 13), "many", files)
}

// Twenty-five megabytes go through in both directions without being held in memory.
func TestBigFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, vars{"POSTERN_MAIL_ATTACH_LIMIT": "18MB"})
	c, addr := w.pair("bob")
	w.say(c, "ana", "Hello")
	m := w.mg.mail(t, addr, 1)
	big := make([]byte, 24<<20)
	_, _ = rand.Read(big)
	before := peak(t, w.gw.cmd.Process.Pid)
	f := parsed(m.replyTo(t), m.To, "a big one")
	f.Set("attachment-count", "1")
	ctype, body := multipartBody(t, f, part{"attachment-1", "big.bin", "application/octet-stream", big})
	if code := w.request(pathParsed, map[string]string{"Content-Type": ctype}, bytes.NewReader(body)); code != 200 {
		t.Fatal(code)
	}
	checkFiles(t, w.posted(c, 2), "a big one", []part{{"", "big.bin", "application/octet-stream", big}})
	t.Logf("parsed: %d MB more", (peak(t, w.gw.cmd.Process.Pid)-before)>>20)
	if code := w.raw(m.replyTo(t), m.To, mixed(m.To, m.replyTo(t), "a raw one", part{"", "big.bin", "application/octet-stream", big[:18<<20]})); code != 200 {
		t.Fatal(code)
	}
	w.posted(c, 4)
	t.Logf("raw: %d MB more", (peak(t, w.gw.cmd.Process.Pid)-before)>>20)
	p := w.sb.add(c, &post{Type: "FILE", User: "ana", FileName: "out.bin", Mime: "application/octet-stream", File: big[:17<<20]})
	w.sb.change(func() { p.URL = w.sb.srv.URL + "/files/out.bin"; w.sb.files["out.bin"] = &file{body: p.File} })
	w.hook(w.messageHook("group_channel:message_send", c, p))
	e := w.mg.mail(t, addr, 2).envelope(t)
	if len(e.Attachments) != 1 || !bytes.Equal(e.Attachments[0].Content, big[:17<<20]) {
		t.Errorf("%d attachments", len(e.Attachments))
	}
	grown := (peak(t, w.gw.cmd.Process.Pid) - before) >> 20
	t.Logf("after a file out: %d MB more", grown)
	if grown > 40 {
		t.Errorf("%d MB of memory more at the peak: files are held, not streamed", grown)
	}
}

var vmHWM = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peak is the most memory that the process ever had.
func peak(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("no /proc here: ", err)
	}
	kb, _ := strconv.ParseInt(string(vmHWM.FindSubmatch(b)[1]), 10, 64)
	return kb << 10
}
