package contract

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// world is a gateway between a Sendbird and a Mailgun.
type world struct {
	t  testing.TB
	sb *sendbird
	mg *mailgun
	gw *gateway
}

type vars map[string]string

// newWorld starts one; env changes the gateway's variables.
func newWorld(t testing.TB, env vars) *world {
	t.Helper()
	w := &world{t: t, sb: newSendbird(t), mg: newMailgun(t)}
	w.gw = newGateway(t, w.sb.srv.URL, w.mg.srv.URL, env)
	w.gw.start()
	return w
}

func sign(key, s string) string {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(s))
	return hex.EncodeToString(m.Sum(nil))
}

// request posts bytes with these headers and gives the status.
func (w *world) request(path string, header map[string]string, body io.Reader) int {
	w.t.Helper()
	req, err := http.NewRequest("POST", w.gw.url(path), body)
	if err != nil {
		w.t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// hookRaw posts signed bytes as Sendbird does.
func (w *world) hookRaw(body string) int {
	w.t.Helper()
	sig := sign(masterToken, body)
	return w.request("/hooks/sendbird", map[string]string{"Content-Type": "application/json", "User-Agent": "SendBird",
		"X-Sendbird-Signature": sig, "X-Signature": sig, "Unicode-Escaped": "true"}, strings.NewReader(body))
}

// hook posts a webhook as Sendbird does: ASCII only, slashes escaped.
func (w *world) hook(m map[string]any) {
	w.t.Helper()
	if code := w.hookRaw(wire(m)); code != 200 {
		w.t.Fatalf("webhook %v: %d", m["category"], code)
	}
}

// wire is Sendbird's way to write JSON.
func wire(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	var out strings.Builder
	for _, r := range strings.TrimSpace(b.String()) {
		switch {
		case r == '/':
			out.WriteString(`\/`)
		case r < 128:
			out.WriteRune(r)
		case r > 0xFFFF:
			r -= 0x10000
			fmt.Fprintf(&out, `\u%04x\u%04x`, 0xD800+(r>>10), 0xDC00+(r&0x3FF))
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}

type mod func(map[string]any)

// messageHook is the webhook of a message that is in the channel.
func (w *world) messageHook(category string, c *channel, p *post, mods ...mod) map[string]any {
	w.sb.mu.Lock()
	defer w.sb.mu.Unlock()
	payload := map[string]any{"message_id": p.ID, "custom_type": p.CustomType, "created_at": p.At, "data": p.Data}
	if p.Type == "FILE" {
		payload["url"], payload["filename"], payload["content_type"], payload["content_size"] = p.URL, p.FileName, p.Mime, len(p.File)
	} else {
		payload["message"], payload["translations"] = p.Text, map[string]any{}
	}
	m := map[string]any{"category": category, "app_id": "0A1B2C3D-0000-4000-8000-000000000000", "silent": false,
		"sender_ip_addr": "203.0.113.7", "custom_type": p.CustomType, "mention_type": "users", "mentioned_users": []any{}, "type": p.Type,
		"payload": payload, "channel": channelStub(c), "sdk": "JavaScript", "members": memberStubs(c)}
	if p.API {
		m["sdk"] = "API"
	}
	if u := w.sb.users[p.User]; u != nil {
		m["sender"] = stub(u)
	}
	for _, f := range mods {
		f(m)
	}
	return m
}

func stub(u *user) map[string]any {
	return map[string]any{"user_id": u.ID, "nickname": u.Nick, "profile_url": "https://img.example/a.png", "metadata": map[string]any{"team": "blue"}}
}

func channelStub(c *channel) map[string]any {
	return map[string]any{"name": c.Name, "channel_url": c.URL, "custom_type": "", "is_distinct": false, "is_public": false, "is_super": c.Super,
		"is_ephemeral": false, "is_discoverable": false, "data": ""}
}

func memberStubs(c *channel) []any {
	ms := []any{}
	for _, m := range c.Members {
		ms = append(ms, map[string]any{"user_id": m.ID, "nickname": m.Nick, "profile_url": "", "is_active": !m.Inactive, "is_online": m.Online,
			"is_hidden": 0, "state": m.State, "is_blocking_sender": m.Blocking, "is_blocked_by_sender": false, "unread_message_count": 7,
			"total_unread_message_count": 7, "channel_unread_message_count": 2, "channel_mention_count": 0, "push_enabled": true,
			"push_trigger_option": "default", "do_not_disturb": false, "metadata": map[string]any{}})
	}
	return ms
}

// say lets a member write, and tells the gateway.
func (w *world) say(c *channel, from, text string, mods ...mod) *post {
	w.t.Helper()
	p := w.sb.add(c, &post{User: from, Text: text})
	w.hook(w.messageHook("group_channel:message_send", c, p, mods...))
	return p
}

// echo tells the gateway of a post of its own, as Sendbird does.
func (w *world) echo(c *channel, p *post) {
	w.t.Helper()
	w.hook(w.messageHook("group_channel:message_send", c, p))
}

// pair makes a channel named Support with Ana and one more, who has an address.
func (w *world) pair(id string) (*channel, string) {
	w.t.Helper()
	c := w.sb.channel("chan_"+id, "Support", "ana", id)
	w.gw.person(id, id+"@example.org")
	return c, id + "@example.org"
}

// token is Mailgun's: 50 characters.
func token() string { return strings.ToLower(rand.Text() + rand.Text())[:50] }

// triple is what Mailgun signs.
func triple(key string, at time.Time) (ts, tok, sig string) {
	ts, tok = strconv.FormatInt(at.Unix(), 10), token()
	return ts, tok, sign(key, ts+tok)
}

// fields are those of an inbound post, signed now.
func fields(recipient, sender string) url.Values {
	ts, tok, sig := triple(signingKey, time.Now())
	return url.Values{"timestamp": {ts}, "token": {tok}, "signature": {sig}, "recipient": {recipient}, "sender": {sender}}
}

// post posts fields urlencoded.
func (w *world) post(path string, f url.Values) int {
	w.t.Helper()
	return w.request(path, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, strings.NewReader(f.Encode()))
}

// raw posts a whole mail to the raw path.
func (w *world) raw(recipient, sender, mime string) int {
	w.t.Helper()
	f := fields(recipient, sender)
	f.Set("body-mime", mime)
	f.Set("subject", "Re: x")
	f.Set("from", sender)
	return w.post("/hooks/mailgun/inbound/mime", f)
}

// letter writes a plain mail with a fresh id; headers replace or add lines.
func letter(from, to, text string, headers ...string) string {
	h := "From: " + from + "\r\nTo: " + to + "\r\nSubject: Re: Support\r\nDate: " + time.Now().Format(time.RFC1123Z) +
		"\r\nMessage-ID: <" + strings.ToLower(rand.Text()) + "@mail.example.org>\r\nMIME-Version: 1.0\r\n"
	ctype := "Content-Type: text/plain; charset=utf-8\r\n"
	for _, l := range headers {
		if strings.HasPrefix(strings.ToLower(l), "content-type:") {
			ctype = ""
		}
		h += l + "\r\n"
	}
	return h + ctype + "\r\n" + strings.ReplaceAll(text, "\n", "\r\n")
}

// answer sends a plain answer to a mail, by its recipient, to the raw path.
func (w *world) answer(s *sent, text string, headers ...string) {
	w.t.Helper()
	to := s.replyTo(w.t)
	if code := w.raw(to, s.To, letter(s.To, to, text, headers...)); code != 200 {
		w.t.Fatalf("an answer: %d", code)
	}
}

// posted waits for n posts in a channel.
func (w *world) posted(c *channel, n int) []post {
	w.t.Helper()
	var got []post
	poll(w.t, fmt.Sprintf("%d posts in %s", n, c.URL), func() error {
		if got = w.sb.posts(c); len(got) < n {
			return fmt.Errorf("%d there", len(got))
		}
		return nil
	})
	if len(got) > n {
		w.t.Fatalf("%d posts instead of %d: %+v", len(got), n, got)
	}
	return got
}

type part struct {
	name, file, ctype string
	body              []byte
}

// multipartBody writes fields and parts as Mailgun does.
func multipartBody(t testing.TB, f url.Values, parts ...part) (string, []byte) {
	t.Helper()
	var b bytes.Buffer
	mw := multipart.NewWriter(&b)
	for k, vs := range f {
		for _, v := range vs {
			if err := mw.WriteField(k, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, p := range parts {
		h := textproto.MIMEHeader{}
		h.Set("Content-Disposition", fmt.Sprintf(`form-data; name=%q; filename=%q`, p.name, p.file))
		h.Set("Content-Type", p.ctype)
		pw, err := mw.CreatePart(h)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = pw.Write(p.body)
	}
	if err := mw.Close(); err != nil {
		t.Fatal(err)
	}
	return mw.FormDataContentType(), b.Bytes()
}

// event posts a Mailgun event about a mail.
func (w *world) event(s *sent, kind string, mods ...mod) int {
	w.t.Helper()
	uv := map[string]any{}
	for k, v := range s.Form {
		if name, ok := strings.CutPrefix(k, "v:"); ok {
			uv[name] = v[0]
		}
	}
	data := map[string]any{"event": kind, "id": strings.ToLower(rand.Text()), "timestamp": float64(time.Now().UnixMicro()) / 1e6,
		"log-level": "info", "account": map[string]any{"id": "a1"}, "domain": map[string]any{"name": domain}, "recipient": s.To,
		"recipient-domain": "example.org", "tags": s.Form["o:tag"], "user-variables": uv,
		"message": map[string]any{"headers": map[string]any{"message-id": s.ID}}}
	for _, f := range mods {
		f(data)
	}
	return w.eventData(data)
}

func (w *world) eventData(data any) int {
	w.t.Helper()
	ts, tok, sig := triple(signingKey, time.Now())
	body, _ := json.Marshal(map[string]any{"signature": map[string]any{"timestamp": ts, "token": tok, "signature": sig}, "event-data": data})
	return w.request("/hooks/mailgun/events", map[string]string{"Content-Type": "application/json"}, bytes.NewReader(body))
}

// happened is event for those that must be taken.
func (w *world) happened(s *sent, kind string, mods ...mod) {
	w.t.Helper()
	if code := w.event(s, kind, mods...); code != 200 {
		w.t.Fatalf("event %s: %d", kind, code)
	}
}

func set(key string, v any) mod { return func(m map[string]any) { m[key] = v } }

func unset(keys ...string) mod {
	return func(m map[string]any) {
		for _, k := range keys {
			delete(m, k)
		}
	}
}

// opened is what Mailgun tells of an open by a client of this class.
func opened(bot any, userAgent string, after time.Duration) mod {
	return func(m map[string]any) {
		m["ip"] = "198.51.100.9"
		m["timestamp"] = float64(time.Now().Add(after).UnixMicro()) / 1e6
		m["geolocation"] = map[string]any{"country": "US", "region": "CA", "city": "San Francisco"}
		m["client-info"] = map[string]any{"client-type": "browser", "client-os": "Linux", "device-type": "desktop", "client-name": "Firefox",
			"user-agent": userAgent, "bot": bot}
	}
}

const person = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
