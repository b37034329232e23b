package contract

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/mail"
	"regexp"
	"strings"
	"testing"
)

var localPart = regexp.MustCompile(`^[a-z2-7.+-]{26,40}$`)

// single gives a header that must be there once.
func single(t *testing.T, h mail.Header, name string) string {
	t.Helper()
	v := h[name]
	if len(v) != 1 {
		t.Errorf("%s: %q", name, v)
		return ""
	}
	return v[0]
}

func TestMailFormat(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c, addr := w.pair("bob")
	_, _ = w.pair("carl")
	w.sb.change(func() { c.Members = append(c.Members, &member{user: w.sb.users["carl"], State: "joined"}) })
	w.say(c, "ana", "first\nsecond line")
	m := w.mg.mail(t, addr, 1)
	h := m.header(t)

	from, err := mail.ParseAddress(single(t, h, "From"))
	if err != nil {
		t.Fatal(err)
	}
	if from.Name != "Ana (Support)" {
		t.Errorf("From name %q", from.Name)
	}
	local, dom, _ := strings.Cut(from.Address, "@")
	if dom != domain || !localPart.MatchString(local) || len(local) > 40 {
		t.Errorf("address %q", from.Address)
	}
	if got := single(t, h, "Reply-To"); got != single(t, h, "From") {
		t.Errorf("Reply-To %q", got)
	}
	for _, word := range []string{"bob", "ana", "chan", "support"} {
		if contains(local, word) {
			t.Errorf("the token tells %q", word)
		}
	}
	if to, err := mail.ParseAddressList(single(t, h, "To")); err != nil || len(to) != 1 || to[0].Address != addr {
		t.Errorf("To %v %v", to, err)
	}
	for _, none := range []string{"Cc", "Bcc", "Sender"} {
		if h.Get(none) != "" {
			t.Errorf("%s: %q", none, h.Get(none))
		}
	}
	if id := single(t, h, "Message-Id"); !regexp.MustCompile(`^<[^<>@\s]+@mg\.example\.com>$`).MatchString(id) {
		t.Errorf("Message-ID %q", id)
	}
	if got := single(t, h, "Auto-Submitted"); got != "auto-generated" {
		t.Errorf("Auto-Submitted %q", got)
	}
	if got := single(t, h, "X-Auto-Response-Suppress"); !contains(got, "OOF") || !contains(got, "AutoReply") {
		t.Errorf("X-Auto-Response-Suppress %q", got)
	}
	if got := single(t, h, "List-Unsubscribe-Post"); got != "List-Unsubscribe=One-Click" {
		t.Errorf("List-Unsubscribe-Post %q", got)
	}
	if got := single(t, h, "List-Unsubscribe"); !strings.HasPrefix(got, "<"+w.gw.url("/u/")) {
		t.Errorf("List-Unsubscribe %q", got)
	}
	if _, err := mail.ParseDate(single(t, h, "Date")); err != nil {
		t.Error(err)
	}
	if got := single(t, h, "Mime-Version"); got != "1.0" {
		t.Errorf("MIME-Version %q", got)
	}
	e := m.envelope(t)
	if !contains(e.Text, "first\r\nsecond line") || !contains(e.HTML, "second line") {
		t.Errorf("text %q html %q", e.Text, e.HTML)
	}
	for line := range bytes.SplitSeq(m.Raw, []byte("\r\n")) {
		if len(line) > 998 || bytes.ContainsAny(line, "\r\n") {
			t.Errorf("line %.80q", line)
		}
	}
	if tags := m.Form["o:tag"]; len(tags) != 1 {
		t.Errorf("tags %q", tags)
	}
	vs := 0
	for k, v := range m.Form {
		if strings.HasPrefix(k, "v:") {
			vs++
			if len(v) != 1 || contains(v[0], "bob") || contains(v[0], "chan_") {
				t.Errorf("%s: %q", k, v)
			}
		}
	}
	if vs == 0 {
		t.Error("no v: variables")
	}
	carl := w.mg.mail(t, "carl@example.org", 1)
	if carl.replyTo(t) == m.replyTo(t) || carl.ID == m.ID || carl.Form["o:tag"][0] != m.Form["o:tag"][0] {
		t.Error("two people share an address or an id, or have two tags")
	}

	t.Run("constant over messages and a new name", func(t *testing.T) {
		root := rootOf(t, h)
		for i, name := range []string{"Support", "Renamed"} {
			w.sb.change(func() { c.Name = name })
			if i == 1 {
				w.hook(map[string]any{"category": "group_channel:changed", "changed_at": 1, "changes": []any{map[string]any{"key": "name", "old": "Support", "new": name}},
					"members": memberStubs(c), "channel": channelStub(c), "app_id": "x"})
			}
			w.say(c, "ana", "more")
			n := w.mg.mail(t, addr, i+2)
			h2 := n.header(t)
			if h2.Get("Subject") != h.Get("Subject") {
				t.Errorf("subject %q, was %q", h2.Get("Subject"), h.Get("Subject"))
			}
			if !contains(h2.Get("References"), root) {
				t.Errorf("References %q without the root %s", h2.Get("References"), root)
			}
			if n.ID == m.ID {
				t.Error("Message-ID used twice")
			}
			if !contains(h2.Get("References")+h2.Get("In-Reply-To"), "<") {
				t.Error("no references")
			}
		}
		if got := rootOf(t, carl.header(t)); got != root {
			t.Errorf("carl's root %s, bob's %s", got, root)
		}
	})
}

func rootOf(t *testing.T, h mail.Header) string {
	t.Helper()
	refs := strings.Fields(h.Get("References"))
	if len(refs) == 0 {
		t.Fatal("no References")
	}
	return refs[0]
}

// Names of strangers stand in headers: encoded, and never more than a name.
func TestNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	names := []string{"Zoë Müller", "名前 テスト", "👩‍💻 Dev", "مرحبا بالعالم", `Qu"ote\ <x@y.example>, Z`, "A\r\nBcc: victim@example.org", "N\x00ul\x1b[31m", "=?utf-8?q?encoded?=",
		strings.Repeat("long name ", 30), "", "a@b.example", "\u202egnp.exe", "tab\tbed", "(((", "ünï;cödé,(x)"}
	for i, name := range names {
		id := fmt.Sprintf("u%d", i)
		w.sb.channel("chan_n"+id, name+"!", "writer"+id, id)
		c := w.sb.channels["chan_n"+id]
		w.sb.change(func() { c.Members[0].Nick = name })
		if code, b := w.gw.api("PUT", "/api/v1/people/"+id, `{"email":"`+id+`@example.org","name":`+wire(name)+`}`); code != 200 && code != 400 && code != 422 {
			t.Errorf("PUT with name %q: %d %s", name, code, b)
		} else if code != 200 {
			w.gw.person(id, id+"@example.org")
		}
		w.say(c, "writer"+id, "hello "+name)
		m := w.mg.mail(t, id+"@example.org", 1)
		h := m.header(t)
		from, err := mail.ParseAddress(h.Get("From"))
		if err != nil {
			t.Errorf("%q: From %q: %v", name, h.Get("From"), err)
			continue
		}
		if i < 4 && !contains(from.Name, name) {
			t.Errorf("%q came out as %q", name, from.Name)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
		if err != nil || i < 4 && !contains(subject, name) {
			t.Errorf("%q: subject %q %v", name, subject, err)
		}
		for _, bad := range []string{"Bcc", "Cc"} {
			if h.Get(bad) != "" {
				t.Errorf("%q: injected %s", name, bad)
			}
		}
		head, _, _ := bytes.Cut(m.Raw, []byte("\r\n\r\n"))
		for _, b := range head {
			if b > 126 || b < 32 && b != '\r' && b != '\n' && b != '\t' {
				t.Errorf("%q: byte %#x in the header", name, b)
				break
			}
		}
		for line := range bytes.SplitSeq(head, []byte("\r\n")) {
			if len(line) > 998 {
				t.Errorf("%q: line of %d", name, len(line))
			}
		}
		if a, err := mail.ParseAddressList(h.Get("To")); err != nil || len(a) != 1 || a[0].Address != id+"@example.org" {
			t.Errorf("%q: To %q %v", name, h.Get("To"), err)
		}
		m.envelope(t)
		if _, dom, _ := strings.Cut(from.Address, "@"); dom != domain {
			t.Errorf("%q: From %q", name, from.Address)
		}
	}
}

func TestFilesOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, vars{"POSTERN_MAIL_ATTACH_LIMIT": "100kB"})
	foreign := newSendbird(t) // another host: never asked, and never given the token
	n := 0
	send := func(t *testing.T, url string, size int) *sent {
		n++
		c, addr := w.pair(fmt.Sprintf("f%d", n))
		p := w.sb.add(c, &post{Type: "FILE", User: "ana", FileName: "a.bin", Mime: "application/octet-stream", URL: url, File: make([]byte, size)})
		w.hook(w.messageHook("group_channel:message_send", c, p))
		return w.mg.mail(t, addr, 1)
	}
	t.Run("encrypted needs the token", func(t *testing.T) {
		e := send(t, w.sb.file("enc.bin", &file{body: []byte("secret file"), encrypted: true}), 11).envelope(t)
		if len(e.Attachments) != 1 || string(e.Attachments[0].Content) != "secret file" {
			t.Errorf("attachments %+v\n%s", e.Attachments, e.Text)
		}
	})
	t.Run("above the limit it is a link", func(t *testing.T) {
		body := bytes.Repeat([]byte("0123456789"), 20000)
		e := send(t, w.sb.file("big.bin", &file{body: body}), len(body)).envelope(t)
		if len(e.Attachments) != 0 || !contains(e.Text, "http") || !contains(e.Text, "a.bin") {
			t.Errorf("attachments %d\n%s", len(e.Attachments), e.Text)
		}
		link := regexp.MustCompile(`http://[^\s)]+/f/[^\s)]+`).FindString(e.Text)
		res, err := http.Get(link)
		if err != nil {
			t.Fatalf("link %q: %v", link, err)
		}
		defer res.Body.Close()
		got, _ := io.ReadAll(res.Body)
		if res.StatusCode != 200 || !bytes.Equal(got, body) || res.Header.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment") {
			t.Errorf("link: %s %v, %d bytes", res.Status, res.Header, len(got))
		}
		if code, _ := w.gw.get(link[len(w.gw.url("")):] + "a"); code != 404 {
			t.Errorf("a changed link: %d", code)
		}
	})
	t.Run("a size that lies", func(t *testing.T) {
		body := bytes.Repeat([]byte("0123456789"), 20000)
		e := send(t, w.sb.file("liar.bin", &file{body: body}), 10).envelope(t)
		if len(e.Attachments) != 0 {
			t.Errorf("%d attachments", len(e.Attachments))
		}
	})
	t.Run("gone", func(t *testing.T) {
		e := send(t, w.sb.srv.URL+"/files/gone.bin", 10).envelope(t)
		if !contains(e.Text, "a.bin") || len(e.Attachments) != 0 {
			t.Errorf("%s", e.Text)
		}
	})
	elsewhere := foreign.file("x.bin", &file{body: []byte("x")})
	t.Run("strange places are never asked", func(t *testing.T) {
		for _, u := range []string{elsewhere, strings.Replace(elsewhere, "127.0.0.1", "localhost", 1), "http://169.254.169.254/latest/meta-data", "http://[::1]/x",
			"file:///etc/passwd", "http://user:pw@" + strings.TrimPrefix(elsewhere, "http://"), "gopher://127.0.0.1/x", "//127.0.0.1/x", "", "nonsense", "http://0x7f000001/x"} {
			e := send(t, u, 10).envelope(t)
			if len(e.Attachments) != 0 || contains(e.Text, "root:") || !contains(e.Text, "a.bin") && u != "" {
				t.Errorf("%s: %d attachments\n%s", u, len(e.Attachments), e.Text)
			}
			if contains(e.HTML, "file:///") || contains(e.HTML, "gopher:") || contains(e.HTML, "javascript:") {
				t.Errorf("%s: linked\n%s", u, e.HTML)
			}
		}
	})
	t.Run("nor by way of a redirect", func(t *testing.T) {
		e := send(t, w.sb.file("redir.bin", &file{redirect: elsewhere}), 10).envelope(t)
		if len(e.Attachments) != 0 {
			t.Errorf("%d attachments", len(e.Attachments))
		}
	})
	foreign.mu.Lock()
	defer foreign.mu.Unlock()
	if n := foreign.asked["x.bin"]; n != 0 {
		t.Errorf("the foreign host was asked %d times", n)
	}
}
