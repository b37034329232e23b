package mailgun_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/sandbox/mailgun"
)

func (w *world) route(priority int, expression string, actions ...string) string {
	w.t.Helper()
	id, err := w.mg.AddRoute(priority, expression, actions...)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func (w *world) receive(to, mail string) {
	w.t.Helper()
	if err := w.mg.Receive(w.t.Context(), "bob@example.org", strings.Split(to, ","), strings.NewReader(mail)); err != nil {
		w.t.Fatal(err)
	}
}

func TestRouteMatching(t *testing.T) {
	const mail = "From: Bob <bob@example.org>\r\nTo: x@mg.example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= urgent\r\nX-Kind: b\r\nX-Kind: a\r\nMessage-ID: <1@example.org>\r\n\r\nHi\r\n"
	hit := func(path string) string { return `forward("HOOK/` + path + `")` }
	type rule struct {
		priority   int
		expression string
		actions    []string
	}
	for _, c := range []struct {
		name  string
		rules []rule
		to    string
		want  []string
	}{
		{"by priority", []rule{{2, `match_recipient(".*")`, []string{hit("two")}}, {1, `match_recipient(".*")`, []string{hit("one")}}}, "x@mg.example.com", []string{"/one", "/two"}},
		{"stop", []rule{{1, `match_recipient(".*")`, []string{hit("one"), `stop()`}}, {2, `match_recipient(".*")`, []string{hit("two")}}}, "x@mg.example.com", []string{"/one"}},
		{"catch_all after a match", []rule{{1, `match_recipient("x@.*")`, []string{hit("one")}}, {2, `catch_all()`, []string{hit("all")}}}, "x@mg.example.com", []string{"/one"}},
		{"catch_all without", []rule{{1, `match_recipient("y@.*")`, []string{hit("one")}}, {2, `catch_all()`, []string{hit("all")}}}, "x@mg.example.com", []string{"/all"}},
		{"catch_all first", []rule{{1, `catch_all()`, []string{hit("all")}}, {2, `match_recipient("x@.*")`, []string{hit("one")}}}, "x@mg.example.com", []string{"/all", "/one"}},
		{"header", []rule{{1, `match_header("subject", ".*urgent")`, []string{hit("h")}}}, "x@mg.example.com", []string{"/h"}},
		{"header, decoded", []rule{{1, `match_header("subject", "Grüße")`, []string{hit("h")}}}, "x@mg.example.com", []string{"/h"}},
		{"repeated header", []rule{{1, `match_header("x-kind", "a$")`, []string{hit("h")}}}, "x@mg.example.com", []string{"/h"}},
		{"and", []rule{{1, `match_recipient("x@.*") and match_header("x-kind", "a")`, []string{hit("h")}}}, "x@mg.example.com", []string{"/h"}},
		{"and, half", []rule{{1, `match_recipient("x@.*") and match_header("x-kind", "z")`, []string{hit("h")}}}, "x@mg.example.com", nil},
		{"anchored at the start only", []rule{{1, `match_recipient("x")`, []string{hit("s")}}, {1, `match_recipient("mg")`, []string{hit("m")}}}, "x@mg.example.com", []string{"/s"}},
		{"number capture", []rule{{1, `match_recipient("(.)@(.*)")`, []string{hit(`\1/at/\2`)}}}, "x@mg.example.com", []string{"/x/at/mg.example.com"}},
		{"named capture", []rule{{1, `match_recipient('(?P<who>[^+]+)\+(?P<tag>.*)@')`, []string{hit(`\g<tag>/\g<who>`)}}}, "reply+tok@mg.example.com", []string{"/tok/reply"}},
		{"doubled backslash", []rule{{1, `match_recipient("^reply\\+(.*)@mg\\.")`, []string{hit(`\1`)}}}, "reply+tok@mg.example.com", []string{"/tok"}},
		{"several targets", []rule{{1, `catch_all()`, []string{`forward("HOOK/a, HOOK/b")`}}}, "x@mg.example.com", []string{"/a", "/b"}},
		{"none", nil, "x@mg.example.com", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := start(t)
			for _, r := range c.rules {
				for i := range r.actions {
					r.actions[i] = strings.ReplaceAll(r.actions[i], "HOOK", w.hooks.url)
				}
				w.route(r.priority, r.expression, r.actions...)
			}
			w.receive(c.to, mail)
			w.mg.Advance(time.Second)
			var got []string
			for _, p := range w.hooks.all() {
				got = append(got, p.path)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("posted to %v, want %v", got, c.want)
			}
		})
	}
}

// TestCaptureNotInHost: captures fill everything of a URL but its host.
func TestCaptureNotInHost(t *testing.T) {
	w := start(t)
	w.route(0, `match_recipient("(.*)@")`, `forward("http://\1.invalid/\1")`)
	w.receive("evil@"+domain, simpleMail)
	w.mg.Advance(0)
	if got := w.mg.Posts()[0].URL; got != `http://\1.invalid/evil` {
		t.Errorf("posted to %s", got)
	}
}

func TestBadRoutes(t *testing.T) {
	w := start(t)
	for _, form := range []url.Values{
		{"expression": {`match_recipient(`}, "action": {"stop()"}},
		{"expression": {`match_recipient("(")`}, "action": {"stop()"}},
		{"expression": {`match_anything("x")`}},
		{"expression": {`catch_all() or catch_all()`}},
		{"expression": {`catch_all()`}, "action": {`explode()`}},
		{"expression": {`match_recipient("` + strings.Repeat("x", 4096) + `")`}},
		{"action": {"stop()"}},
		{"expression": {`catch_all()`}, "priority": {"high"}},
	} {
		if status, body := w.call("POST", "/v3/routes", form); status != 400 || body["message"] == "" {
			t.Errorf("%v is %d %v", form, status, body)
		}
	}
}

func TestRouteAPI(t *testing.T) {
	w := start(t)
	status, body := w.call("POST", "/v3/routes", url.Values{"priority": {"3"}, "description": {"d"}, "expression": {`match_recipient("x@.*")`}, "action": {`forward("http://a.example/")`, "stop()"}})
	id, _ := get(body, "route/id").(string)
	if status != 200 || body["message"] != "Route has been created" || len(id) != 24 {
		t.Fatalf("%d %v", status, body)
	}
	w.want(body, "route/created_at", "Mon, 02 Nov 2026 09:00:00 GMT")
	w.want(body, "route/actions", `[forward("http://a.example/") stop()]`)
	if status, body = w.call("GET", "/v3/routes/"+id, nil); status != 200 {
		t.Fatalf("%d %v", status, body)
	}
	w.want(body, "route/priority", 3)
	if status, body = w.call("PUT", "/v3/routes/"+id, url.Values{"priority": {"1"}}); status != 200 || body["message"] != "Route has been updated" {
		t.Fatalf("%d %v", status, body)
	}
	w.want(body, "priority", 1) // flat
	w.want(body, "expression", `match_recipient("x@.*")`)
	_, body = w.call("GET", "/v3/routes?limit=10", nil)
	w.want(body, "total_count", 1)
	if status, body = w.call("GET", "/v3/routes?limit=1001", nil); status != 400 || body["message"] != "The 'limit' parameter can't be larger than 1000" {
		t.Errorf("%d %v", status, body)
	}
	if status, body = w.call("GET", "/v3/routes/match?address=x@"+domain, nil); status != 200 {
		t.Errorf("%d %v", status, body)
	}
	w.want(body, "route/id", id)
	if status, _ = w.call("GET", "/v3/routes/match?address=y@"+domain, nil); status != 404 {
		t.Errorf("no match is %d", status)
	}
	if status, body = w.call("DELETE", "/v3/routes/"+id, nil); status != 200 || body["message"] != "Route has been deleted" || body["id"] != id {
		t.Errorf("%d %v", status, body)
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		if status, body = w.call(method, "/v3/routes/"+id, url.Values{}); status != 404 || body["message"] != "Route not found" {
			t.Errorf("%s of a deleted route: %d %v", method, status, body)
		}
	}
}

const replyMail = "From: =?utf-8?q?B=C3=B6b?= <bob@example.org>\r\nTo: t.abc@mg.example.com, t.def@mg.example.com\r\nSubject: Re: Hello\r\nMessage-ID: <r1@example.org>\r\n" +
	"Received: from a\r\nReceived: from b\r\nrecipient: forged@mg.example.com\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" +
	"Gr=FC=DFe\r\n\r\nOn Mon, Ana wrote at some length to me:\r\nOn Mon, 2 Nov 2026 at 9:00 Ana wrote:\r\n> Hello\r\n"

const filesMail = "From: bob@example.org\r\nTo: t.abc@mg.example.com\r\nSubject: Files\r\nMessage-ID: <r2@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n" +
	"--m\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>See <img src=\"cid:pic@x\"></p>\r\n--m\r\nContent-Type: image/png\r\nContent-ID: <pic@x>\r\nContent-Disposition: inline; filename=\"p.png\"\r\nContent-Transfer-Encoding: base64\r\n\r\nUE5H\r\n" +
	"--m\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename*=utf-8''%C3%BCber.pdf\r\n\r\n%PDF\r\n--m--\r\n"

// field is one field of an inbound post, in its order.
type field struct{ name, value, filename, kind string }

func fields(t *testing.T, p got) []field {
	t.Helper()
	var out []field
	kind, params, err := mime.ParseMediaType(p.contentType)
	if err != nil {
		t.Fatal(err)
	}
	if kind == "application/x-www-form-urlencoded" {
		for _, pair := range strings.Split(string(p.body), "&") {
			k, v, _ := strings.Cut(pair, "=")
			name, err1 := url.QueryUnescape(k)
			value, err2 := url.QueryUnescape(v)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			out = append(out, field{name: name, value: value})
		}
		return out
	}
	mr := multipart.NewReader(bytes.NewReader(p.body), params["boundary"])
	for {
		part, err := mr.NextRawPart()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(part)
		out = append(out, field{part.FormName(), string(b), part.FileName(), part.Header.Get("Content-Type")})
	}
}

func values(fs []field, name string) []string {
	var out []string
	for _, f := range fs {
		if f.name == name {
			out = append(out, f.value)
		}
	}
	return out
}

func (w *world) inbound(to, mail, path string) []got {
	w.t.Helper()
	w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.RoutedEvents = false })
	w.route(0, `catch_all()`, `forward("`+w.hooks.url+path+`")`)
	w.receive(to, mail)
	w.mg.Advance(time.Second)
	return w.hooks.all()
}

// TestParsedPost: urlencoded without attachments, one post per envelope
// recipient, every header a field of its own.
func TestParsedPost(t *testing.T) {
	w := start(t)
	posts := w.inbound("t.abc@mg.example.com,t.def@mg.example.com", replyMail, "/in")
	if len(posts) != 2 {
		t.Fatalf("%d posts", len(posts))
	}
	for i, p := range posts {
		fs := fields(t, p)
		for name, want := range map[string]string{
			"recipient": []string{"t.abc@mg.example.com", "t.def@mg.example.com"}[i], "sender": "bob@example.org", "from": "Böb <bob@example.org>", "From": "Böb <bob@example.org>",
			"subject": "Re: Hello", "Subject": "Re: Hello", "Message-Id": "<r1@example.org>", "X-Mailgun-Incoming": "Yes", "X-Envelope-From": "<bob@example.org>",
			"stripped-text": "Grüße\n\nOn Mon, Ana wrote at some length to me:", "Recipient": "forged@mg.example.com",
		} {
			if got := values(fs, name); len(got) != 1 || got[0] != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if got := values(fs, "Received"); len(got) != 3 || got[1] != "from a" || got[2] != "from b" {
			t.Errorf("Received is %q", got)
		}
		if got := values(fs, "body-plain"); len(got) != 1 || !strings.HasPrefix(got[0], "Grüße") || !strings.Contains(got[0], "> Hello") {
			t.Errorf("body-plain is %q", got)
		}
		if !strings.HasPrefix(p.contentType, "application/x-www-form-urlencoded") || len(values(fs, "attachment-count")) != 0 {
			t.Errorf("posted as %s", p.contentType)
		}
		var headers [][2]string
		if err := json.Unmarshal([]byte(values(fs, "message-headers")[0]), &headers); err != nil || len(headers) < 8 {
			t.Errorf("message-headers: %v %v", headers, err)
		}
		signed(t, fs)
	}
}

func signed(t *testing.T, fs []field) {
	t.Helper()
	ts, token, sig := values(fs, "timestamp"), values(fs, "token"), values(fs, "signature")
	if len(ts) != 1 || len(token) != 1 || len(token[0]) != 50 || len(sig) != 1 || mailgun.Sign(signingKey, ts[0], token[0]) != sig[0] {
		t.Errorf("signature of %q %q is %q", ts, token, sig)
	}
}

// TestParsedPostWithFiles: multipart exactly when the mail has attachments.
func TestParsedPostWithFiles(t *testing.T) {
	w := start(t)
	p := w.inbound("t.abc@mg.example.com", filesMail, "/in")[0]
	fs := fields(t, p)
	if !strings.HasPrefix(p.contentType, "multipart/form-data") || fmt.Sprint(values(fs, "attachment-count")) != "[2]" {
		t.Errorf("posted as %s with %v", p.contentType, values(fs, "attachment-count"))
	}
	signed(t, fs)
	last := fs[len(fs)-2:]
	want := []field{{"attachment-1", "PNG", "p.png", "image/png"}, {"attachment-2", "%PDF", "über.pdf", "application/pdf"}}
	if !slices.Equal(last, want) {
		t.Errorf("files are %v, want %v", last, want)
	}
	if got := values(fs, "content-id-map"); len(got) != 1 || got[0] != `{"<pic@x>":"attachment-1"}` {
		t.Errorf("content-id-map is %v", got)
	}
	if got := values(fs, "body-plain"); len(got) != 1 || !strings.Contains(got[0], "See") {
		t.Errorf("body-plain made from HTML is %q", got)
	}
}

// TestRawPost: a URL whose path ends in mime gets the whole mail instead.
func TestRawPost(t *testing.T) {
	for path, raw := range map[string]bool{"/in/mime": true, "/raw-mime": true, "/in/mime?secret=1": true, "/mime/in": false} {
		t.Run(path, func(t *testing.T) {
			w := start(t)
			fs := fields(t, w.inbound("t.abc@mg.example.com", filesMail+"\xff\xfe", path)[0])
			body := values(fs, "body-mime")
			if (len(body) == 1) != raw {
				t.Fatalf("raw: %v", len(body) == 1)
			}
			signed(t, fs)
			if raw && (!strings.HasSuffix(body[0], filesMail[strings.Index(filesMail, "\r\n\r\n"):]+"\xff\xfe") || len(values(fs, "body-plain")) != 0 || len(values(fs, "attachment-1")) != 0) {
				t.Errorf("body-mime is %q", body[0])
			}
		})
	}
}

func TestInboundOddities(t *testing.T) {
	w := start(t)
	w.mg.SetSwitches(func(sw *mailgun.Switches) {
		sw.Oddities = map[string]bool{mailgun.OddStrippedMissing: true, mailgun.OddCIDMapMissing: true}
	})
	fs := fields(t, w.inbound("t.abc@mg.example.com", filesMail, "/in")[0])
	if len(values(fs, "stripped-text"))+len(values(fs, "content-id-map")) != 0 {
		t.Error("they are there")
	}
	w.hooks.forget()
	w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.Oddities = map[string]bool{mailgun.OddCIDMapEmptyKey: true} })
	w.receive("t.abc@mg.example.com", filesMail)
	w.mg.Advance(time.Second)
	if got := values(fields(t, w.hooks.all()[0]), "content-id-map"); len(got) != 1 || !strings.Contains(got[0], `"":`) {
		t.Errorf("content-id-map is %v", got)
	}
}

func TestDuplicateInbound(t *testing.T) {
	w := start(t)
	w.fault(mailgun.Fault{On: "post", Action: "duplicate", Event: "inbound"})
	posts := w.inbound("t.abc@mg.example.com", replyMail, "/in/mime")
	if len(posts) != 2 || string(posts[0].body) != string(posts[1].body) {
		t.Errorf("%d posts", len(posts))
	}
}

func TestRoutedEvents(t *testing.T) {
	w := start(t)
	w.mg.AddWebhook(domain, w.hooks.url+"/events")
	w.route(0, `catch_all()`, `forward("`+w.hooks.url+`/mime")`)
	w.receive("x@"+domain, replyMail)
	w.mg.Advance(time.Second)
	w.wantNames("accepted", "delivered")
	for _, e := range w.events() {
		w.want(e, "flags/is-routed", true)
	}
	w.want(w.events()[1], "envelope/transport", "http")
}

func TestUnrouted(t *testing.T) {
	w := start(t)
	w.receive("x@"+domain, replyMail)
	w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.RefuseUnrouted = true })
	if err := w.mg.Receive(t.Context(), "a@example.org", []string{"x@" + domain}, strings.NewReader(replyMail)); err == nil {
		t.Error("taken")
	}
	if err := w.mg.Receive(t.Context(), "a@example.org", []string{"x@example.org"}, strings.NewReader(replyMail)); err == nil {
		t.Error("relayed")
	}
}

func TestForwardToMailbox(t *testing.T) {
	w := start(t)
	w.route(0, `match_recipient("(.*)@")`, `forward("carl+\1@example.org")`)
	w.receive("x@"+domain, replyMail)
	w.mg.Advance(time.Second)
	if got := w.raw("carl+x@example.org", 0); !strings.Contains(got, "Message-ID: <r1@example.org>") {
		t.Errorf("forwarded mail is %s", got)
	}
}

func TestStoreAndNotify(t *testing.T) {
	w := start(t)
	w.route(0, `catch_all()`, `store(notify="`+w.hooks.url+`/notify")`)
	w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.RoutedEvents = false })
	w.receive("t.abc@"+domain, filesMail)
	w.mg.Advance(time.Second)
	fs := fields(t, w.hooks.all()[0])
	signed(t, fs)
	if fmt.Sprint(values(fs, "domain")) != "["+domain+"]" || len(values(fs, "attachment-1")) != 0 {
		t.Errorf("notify is %v", fs)
	}
	messageURL := values(fs, "message-url")[0]
	var files []struct {
		Name, URL   string
		Size        int
		ContentType string `json:"content-type"`
	}
	if err := json.Unmarshal([]byte(values(fs, "attachments")[0]), &files); err != nil || len(files) != 2 || files[1].Name != "über.pdf" || files[1].ContentType != "application/pdf" {
		t.Fatalf("attachments are %v %v", files, err)
	}
	if status, body, _ := w.callAs(accountKey, "GET", strings.TrimPrefix(files[1].URL, w.url), nil); status != 200 || body != "%PDF" {
		t.Errorf("attachment is %d %q", status, body)
	}
	status, body := w.call("GET", strings.TrimPrefix(messageURL, w.url), nil)
	if status != 200 || body["recipients"] != "t.abc@"+domain || body["Subject"] != "Files" {
		t.Errorf("%d %v", status, body)
	}
	_, body = w.call("GET", "/v3/"+domain+"/events?event=stored", nil)
	if items := body["items"].([]any); len(items) != 1 || fmt.Sprint(get(items[0].(map[string]any), "message/recipients")) != "[t.abc@"+domain+"]" {
		t.Errorf("stored events are %v", body)
	}
}

func TestSpamHeaders(t *testing.T) {
	w := start(t)
	w.call("PUT", "/v4/domains/"+domain, url.Values{"spam_action": {"tag"}})
	fs := fields(t, w.inbound("t.abc@mg.example.com", replyMail, "/in")[0])
	if fmt.Sprint(values(fs, "X-Mailgun-Sflag")) != "[No]" || len(values(fs, "X-Mailgun-Sscore")) != 1 {
		t.Errorf("spam headers: %v %v", values(fs, "X-Mailgun-Sflag"), values(fs, "X-Mailgun-Sscore"))
	}
}

// TestReturnedMail: a bounce to the envelope sender is a delayed bounce, a mail
// to the List-Unsubscribe address unsubscribes.
func TestReturnedMail(t *testing.T) {
	w := start(t)
	w.call("PUT", "/v3/domains/"+domain+"/tracking/unsubscribe", url.Values{"active": {"yes"}})
	w.mg.AddWebhook(domain, w.hooks.url)
	w.send("bob@example.org", simpleMail, nil)
	w.mg.Advance(time.Second)
	list := w.boxes.Messages("bob@example.org")
	m, _ := w.boxes.Message("bob@example.org", list[0].ID)
	w.receive(m.Envelope, "From: mailer-daemon@example.org\r\n\r\nno such user\r\n")
	w.mg.Advance(time.Second)
	w.wantNames("accepted", "delivered", "failed/permanent")
	raw := w.raw("bob@example.org", 0)
	i := strings.Index(raw, "<mailto:")
	if i < 0 || !strings.Contains(raw, "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n") {
		t.Fatalf("no List-Unsubscribe in\n%s", raw)
	}
	address, _, _ := strings.Cut(raw[i+len("<mailto:"):], "?")
	w.receive(address, "From: bob@example.org\r\n\r\nunsubscribe\r\n")
	w.mg.Advance(time.Second)
	w.wantNames("accepted", "delivered", "failed/permanent", "unsubscribed")
}
