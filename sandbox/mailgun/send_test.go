package mailgun_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/sandbox/mailgun"
)

func TestAuth(t *testing.T) {
	w := start(t)
	send := url.Values{"from": {"a@mg.example.com"}, "to": {"b@example.org"}, "text": {"x"}}
	for _, c := range []struct {
		name, key, method, path string
		form                    url.Values
		status                  int
		body                    string
	}{
		{"no key", "", "POST", "/v3/mg.example.com/messages", send, 401, "Forbidden"},
		{"wrong key", "key-x", "POST", "/v3/mg.example.com/messages", send, 401, "Forbidden"},
		{"foreign domain", accountKey, "POST", "/v3/else.example.net/messages", send, 401, "Forbidden"},
		{"sending key of another domain", sendingKey, "POST", "/v3/other.example.com/messages", send, 401, "Forbidden"},
		{"sending key", sendingKey, "POST", "/v3/mg.example.com/messages", send, 200, "Queued. Thank you."},
		{"account key", accountKey, "POST", "/v3/other.example.com/messages", send, 200, "Queued. Thank you."},
		{"sending key elsewhere", sendingKey, "GET", "/v3/routes", nil, 401, `{"message":"Invalid private key"}`},
		{"sending key, events", sendingKey, "GET", "/v3/mg.example.com/events", nil, 401, `{"message":"Invalid private key"}`},
		{"management of a foreign domain", accountKey, "GET", "/v3/else.example.net/bounces", nil, 404, `{"message":"Domain not found"}`},
		{"wrong path", accountKey, "GET", "/v3//nothing/here", nil, 200, "Mailgun Magnificent API"},
		{"wrong method", accountKey, "PATCH", "/v3/routes", nil, 405, "Method Not Allowed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body, h := w.callAs(c.key, c.method, c.path, c.form)
			if status != c.status || !strings.Contains(body, c.body) {
				t.Fatalf("%d %s, want %d %s", status, body, c.status, c.body)
			}
			if c.body == "Forbidden" && (body != "Forbidden" || !strings.HasPrefix(h.Get("Content-Type"), "text/plain") || h.Get("Www-Authenticate") != `Basic realm="MG API"`) {
				t.Errorf("not the bare word: %q %v", body, h)
			}
			if c.status == 200 && c.key == sendingKey && h.Get("X-Mailgun-Key-Id") != "sandbox-sending" {
				t.Errorf("X-Mailgun-Key-Id is %q", h.Get("X-Mailgun-Key-Id"))
			}
		})
	}
	w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.Magnificent = false })
	if status, _, _ := w.callAs(accountKey, "GET", "/v3//nothing/here", nil); status != 404 {
		t.Errorf("without the switch a wrong path is %d", status)
	}
}

func TestSendRefusals(t *testing.T) {
	w := start(t)
	base := func(change ...string) url.Values {
		v := url.Values{"from": {"Ana <a@mg.example.com>"}, "to": {"b@example.org"}, "subject": {"S"}, "text": {"x"}}
		for i := 0; i < len(change); i += 2 {
			if change[i+1] == "" {
				v.Del(change[i])
			} else {
				v.Set(change[i], change[i+1])
			}
		}
		return v
	}
	many := make([]string, 1001)
	for i := range many {
		many[i] = fmt.Sprintf("u%d@example.org", i)
	}
	for _, c := range []struct {
		name   string
		form   url.Values
		status int
		text   string
	}{
		{"no from", base("from", ""), 400, "from parameter is missing."},
		{"no to", base("to", ""), 400, "to parameter is not a valid address. please check documentation"},
		{"bad to", base("to", "bob at example"), 400, "to parameter is not a valid address. please check documentation"},
		{"one bad of two", base("to", "b@example.org, nobody"), 400, "to parameter is not a valid address. please check documentation"},
		{"no body", base("text", ""), 400, "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified."},
		{"html and template", base("html", "<p>", "template", "t"), 400, "Only one parameters 'html' or 'template' is allowed."},
		{"options", base("v:big", strings.Repeat("x", 16<<10)), 400, "Send options (parameters starting with o:, h:, or v:) are limited to 16KB total"},
		{"too many", base("to", strings.Join(many, ",")), 400, "to parameter is limited to 1000 recipients"},
		{"deliverytime far", base("o:deliverytime", "Mon, 09 Nov 2026 09:00:00 +0000"), 400, "deliverytime parameter is too far in the future. please check documentation"},
		{"deliver-within short", base("o:deliver-within", "1m"), 400, "deliver-within parameter is invalid. please check documentation"},
		{"just right", base("to", strings.Join(many[:1000], ",")), 200, "Queued. Thank you."},
		{"options just right", base("v:b", strings.Repeat("x", 16<<10-3)), 200, "Queued. Thank you."},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body := w.call("POST", "/v3/"+domain+"/messages", c.form)
			if status != c.status || body["message"] != c.text {
				t.Errorf("%d %v, want %d %s", status, body, c.status, c.text)
			}
		})
	}
	status, body, _ := w.do(w.mimeRequest(sendingKey, "", url.Values{"to": {"b@example.org"}}))
	if status != 400 || !strings.Contains(body, "message parameter is missing.") {
		t.Errorf("mime without message: %d %s", status, body)
	}
	w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.MaxMessage = 1000 })
	status, body, _ = w.do(w.mimeRequest(sendingKey, simpleMail+strings.Repeat("x", 1000), url.Values{"to": {"b@example.org"}}))
	if status != 413 {
		t.Errorf("too large: %d %s", status, body)
	}
}

func TestMessageIDs(t *testing.T) {
	w := start(t)
	own := w.send("b@example.org", simpleMail, url.Values{"h:message-id": {"<2026.own@mg.example.com>"}})
	if own != "2026.own@mg.example.com" {
		t.Errorf("custom id came back as %s", own)
	}
	w.mg.Advance(time.Second)
	// The same id again is neither refused nor collapsed.
	if again := w.send("b@example.org", simpleMail, url.Values{"h:Message-Id": {"<2026.own@mg.example.com>"}}); again != own {
		t.Errorf("second is %s", again)
	}
	w.mg.Advance(time.Second)
	if n := len(w.boxes.Messages("b@example.org")); n != 2 {
		t.Errorf("%d copies arrived, want 2", n)
	}
	if raw := w.raw("b@example.org", 0); strings.Count(strings.ToLower(raw), "message-id: <2026.own@mg.example.com>") != 1 {
		t.Errorf("the mail does not carry the id once:\n%s", raw)
	}
	made := w.send("b@example.org", simpleMail, nil)
	if !strings.HasPrefix(made, "20261102090002.1.") || !strings.HasSuffix(made, "@"+domain) || len(made) != len("20261102090002.1.0123456789ABCDEF@"+domain) {
		t.Errorf("made id is %s", made)
	}
	status, body := w.call("POST", "/v3/"+domain+"/messages", url.Values{"from": {"a@mg.example.com"}, "to": {"c@example.org"}, "text": {"x"}})
	if id, _ := body["id"].(string); status != 200 || !strings.HasPrefix(id, "<") || !strings.HasSuffix(id, ">") {
		t.Errorf("answer %d %v has no id in brackets", status, body)
	}
}

func TestSendOptions(t *testing.T) {
	w := start(t)
	w.mg.AddWebhook(domain, w.hooks.url)
	w.send("b@example.org, B@example.org", simpleMail, url.Values{
		"o:tag": {"one", "ONE", "two", "thrée", "three", "four"}, "v:a": {"1"}, "v:long": {strings.Repeat("y", 5000)},
		"h:X-Extra": {"yes"}, "o:testmode": {"no"}})
	w.mg.Advance(time.Second)
	w.wantNames("accepted", "delivered") // duplicates are dropped
	e := w.events()[1]
	w.want(e, "tags", "[one two three]")
	w.want(e, "user-variables/a", "1")
	if v, _ := get(e, "user-variables/long").(string); len(v) < 4000 || len(v) > 4096 {
		t.Errorf("long variable has %d bytes in the event", len(v))
	}
	raw := w.raw("b@example.org", 0)
	for _, want := range []string{"X-Extra: yes\r\n", "X-Mailgun-Tag: one\r\n", `X-Mailgun-Variables: {"a":"1"`, "X-Mailgun-Sid: "} {
		if !strings.Contains(raw, want) {
			t.Errorf("mail lacks %q", want)
		}
	}
	w.send("c@example.org", simpleMail, url.Values{"v:a": {"1"}, "o:suppress-headers": {"all"}})
	w.mg.Advance(time.Second)
	if raw := w.raw("c@example.org", 0); strings.Contains(raw, "X-Mailgun-") {
		t.Errorf("suppressed headers are there:\n%s", raw)
	}
}

func TestTestModeAndDeliveryTime(t *testing.T) {
	w := start(t)
	w.mg.AddWebhook(domain, w.hooks.url)
	w.send("b@example.org", simpleMail, url.Values{"o:testmode": {"yes"}})
	w.mg.Advance(time.Second)
	w.wantNames("accepted", "delivered")
	w.want(w.events()[1], "flags/is-test-mode", true)
	if n := len(w.boxes.Messages("b@example.org")); n != 0 {
		t.Errorf("test mode delivered %d mails", n)
	}
	w.hooks.forget()
	w.send("b@example.org", simpleMail, url.Values{"o:deliverytime": {w.mg.Now().Add(time.Hour).Format(time.RFC1123Z)}})
	w.mg.Advance(50 * time.Minute)
	w.wantNames("accepted")
	w.mg.Advance(11 * time.Minute)
	w.wantNames("accepted", "delivered")
}

func TestComposeWithFiles(t *testing.T) {
	w := start(t)
	var b bytes.Buffer
	mw := multipart.NewWriter(&b)
	for k, v := range map[string]string{"from": "Änne <a@mg.example.com>", "to": "b@example.org", "subject": "Größe", "text": "Grüße", "html": `<p>Grüße <img src="cid:logo.png"></p>`} {
		_ = mw.WriteField(k, v)
	}
	file := func(field, name, body string) {
		h := textproto.MIMEHeader{}
		d := `form-data; name="` + field + `"`
		if name != "" {
			d += `; filename="` + name + `"`
		}
		h.Set("Content-Disposition", d)
		h.Set("Content-Type", "application/octet-stream")
		p, _ := mw.CreatePart(h)
		_, _ = io.WriteString(p, body)
	}
	file("attachment", "a.txt", "attached")
	file("attachment", "", "nameless")
	file("inline", "logo.png", "PNG")
	_ = mw.Close()
	req, _ := http.NewRequest("POST", w.url+"/v3/"+domain+"/messages", &b)
	req.Header.Set("Content-Type", mw.FormDataContentType())
	req.SetBasicAuth("api", sendingKey)
	if status, body, _ := w.do(req); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	w.mg.Advance(time.Second)
	list := w.boxes.Messages("b@example.org")
	m, _ := w.boxes.Message("b@example.org", list[0].ID)
	if m.Subject != "Größe" || !strings.HasPrefix(m.Text, "Grüße") || !strings.Contains(m.HTML, "Grüße") || !strings.Contains(m.From, "Änne") {
		t.Errorf("mail is %+v", m)
	}
	got, _ := json.Marshal(m.Files)
	want := `[{"filename":"logo.png","content_type":"image/png","content_id":"logo.png","size":3},{"filename":"a.txt","content_type":"text/plain","size":8}]`
	if string(got) != want {
		t.Errorf("files are %s, want %s", got, want)
	}
}

func TestBatch(t *testing.T) {
	w := start(t)
	status, body := w.call("POST", "/v3/"+domain+"/messages", url.Values{"from": {"a@mg.example.com"}, "to": {"b@example.org, c@example.org"},
		"subject": {"Hi %recipient.name%"}, "text": {"You are %recipient.name%."},
		"recipient-variables": {`{"b@example.org":{"name":"Bob"},"c@example.org":{"name":"Cy"}}`}})
	if status != 200 {
		t.Fatalf("%d %v", status, body)
	}
	w.mg.Advance(time.Second)
	for address, name := range map[string]string{"b@example.org": "Bob", "c@example.org": "Cy"} {
		m, _ := w.boxes.Message(address, w.boxes.Messages(address)[0].ID)
		if m.Subject != "Hi "+name || !strings.Contains(m.Text, "You are "+name) || m.To != address || "<"+m.MessageID+">" != body["id"] {
			t.Errorf("%s got %q %q to %q id %s", address, m.Subject, m.Text, m.To, m.MessageID)
		}
	}
}

func TestSandboxDomain(t *testing.T) {
	const sandbox = "sandboxabc.mailgun.org"
	w := start(t, func(c *mailgun.Config) { c.Domains = append(c.Domains, sandbox) })
	form := url.Values{"from": {"a@" + sandbox}, "to": {"b@example.org"}, "text": {"x"}, "o:testmode": {"yes"}}
	status, body := w.call("POST", "/v3/"+sandbox+"/messages", form)
	if status != 403 || !strings.HasPrefix(body["message"].(string), "Domain "+sandbox+" is not allowed to send: Sandbox subdomains are for test purposes only.") {
		t.Errorf("%d %v", status, body)
	}
	for i := range 6 {
		status, body = w.call("POST", fmt.Sprintf("/v5/sandbox/auth_recipients?email=b%d@example.org", i), nil)
	}
	if status != 400 || body["message"] != "Only 5 sandbox recipients are allowed" {
		t.Errorf("sixth recipient: %d %v", status, body)
	}
	form.Set("to", "b3@example.org")
	if status, body = w.call("POST", "/v3/"+sandbox+"/messages", form); status != 200 {
		t.Errorf("authorised: %d %v", status, body)
	}
	w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.SandboxEvent = true })
	form.Set("to", "b@example.org")
	if status, _ = w.call("POST", "/v3/"+sandbox+"/messages", form); status != 200 {
		t.Errorf("older way: %d", status)
	}
	w.mg.Advance(time.Second)
	_, body = w.call("GET", "/v3/"+sandbox+"/events?event=rejected", nil)
	items := body["items"].([]any)
	if len(items) != 1 || !strings.HasPrefix(get(items[0].(map[string]any), "reject/reason").(string), "Sandbox subdomains") {
		t.Errorf("rejected events: %v", items)
	}
}

// TestLargeMailStreams sends 34 MB out and takes 34 MB in without holding them.
func TestLargeMailStreams(t *testing.T) {
	w := start(t)
	w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.MaxMessage = 40 << 20 })
	line := strings.Repeat("QUJD", 19) + "\r\n"
	head := "From: a@mg.example.com\r\nSubject: big\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>hi</p>\r\n--b\r\n" +
		"Content-Type: application/zip\r\nContent-Disposition: attachment; filename=big.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	n := (34 << 20) / len(line)
	mail := func() io.Reader {
		return io.MultiReader(strings.NewReader(head), &repeat{line, n * len(line), 0}, strings.NewReader("--b--\r\n"))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const edge = "xxBOUNDARYxx"
	pre := "--" + edge + "\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\nb@example.org\r\n--" + edge + "\r\nContent-Disposition: form-data; name=\"o:tracking-opens\"\r\n\r\nyes\r\n--" +
		edge + "\r\nContent-Disposition: form-data; name=\"message\"; filename=\"m.eml\"\r\n\r\n"
	req, _ := http.NewRequest("POST", w.url+"/v3/"+domain+"/messages.mime", io.MultiReader(strings.NewReader(pre), mail(), strings.NewReader("\r\n--"+edge+"--\r\n")))
	req.Header.Set("Content-Type", "multipart/form-data; boundary="+edge)
	req.SetBasicAuth("api", sendingKey)
	if status, body, _ := w.do(req); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	w.mg.Advance(time.Second)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 20<<20 {
		t.Errorf("sending allocated %d MB in all", used>>20)
	}
	m := w.boxes.Messages("b@example.org")[0]
	if len(m.Files) != 1 || m.Files[0].Size != int64(n*57) {
		t.Errorf("arrived as %+v", m.Files)
	}
}

// repeat is a line again and again, up to a number of bytes.
type repeat struct {
	line string
	left int
	at   int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) && r.left > 0 {
		k := copy(p[n:min(len(p), n+r.left)], r.line[r.at:])
		n, r.left, r.at = n+k, r.left-k, (r.at+k)%len(r.line)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
