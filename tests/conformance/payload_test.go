package conformance

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What a receiver of webhooks and of inbound mail may rely on, from Mailgun's page on payloads and ten years of others'
// experience, held against what the emulator really posts. A value of a shape is: a kind (text, number, bool, object,
// list, null), "=" and the text itself, "~" and a pattern, or "-" for what must not be there.
type shape map[string]string

// everyEvent is common to all event webhooks.
func everyEvent(more shape) shape {
	all := shape{
		"signature/timestamp": `~^\d{10}$`, "signature/token": "~^[0-9A-Za-z-]{50}$", "signature/signature": "~^[0-9a-f]{64}$",
		"event-data/id": "~.", "event-data/timestamp": "number", "event-data/log-level": "~^(info|warn|error)$",
		"event-data/account/id": "~.", "event-data/domain/name": "=" + domain, "event-data/recipient-domain": "=example.org",
		"event-data/tags": "list", "event-data/user-variables/gw-mid": "=01J",
		"event-data/message/headers/message-id": `~^[^<>@]+@mg\.example\.com$`, // without angle brackets
	}
	for k, v := range more {
		all["event-data/"+k] = v
	}
	return all
}

func withMessage(more shape) shape {
	all := shape{
		"message/headers/from": "~ana@", "message/headers/to": "~@example.org", "message/headers/subject": "=s", "message/size": "number",
		"storage/key": "~.", "storage/url": "~/v3/domains/mg.example.com/messages/.", "flags/is-test-mode": "bool",
	}
	for k, v := range more {
		all[k] = v
	}
	return everyEvent(all)
}

func engaged(more shape) shape {
	all := shape{
		"ip": "~.", "geolocation/country": "text", "geolocation/region": "text", "geolocation/city": "text",
		"client-info/client-type": "text", "client-info/client-os": "text", "client-info/client-name": "text",
		"client-info/device-type": "text", "client-info/user-agent": "text", "client-info/bot": "~^(|apple|gmail|generic)$",
		"message/headers/from": "-", "message/headers/subject": "-", "envelope": "-",
	}
	for k, v := range more {
		all[k] = v
	}
	return everyEvent(all)
}

type eventShape struct {
	name, to string
	want     shape
}

// eventShapes are the event webhooks by how they come about: the recipient, or what he does.
func eventShapes() []eventShape {
	return []eventShape{
		{"accepted", bob, withMessage(shape{"recipient": "=" + bob, "method": "=HTTP", "envelope/sender": "~.", "envelope/targets": "=" + bob,
			"envelope/transport": "=smtp", "flags/is-authenticated": "bool", "api-key-id": "text", "delivery-status": "-"})},
		{"delivered", bob, withMessage(shape{"recipient": "=" + bob, "log-level": "=info", "envelope/sending-ip": "text", "flags/is-routed": "bool", "flags/is-big": "bool",
			"flags/is-system-test": "bool", "delivery-status/code": "number", "delivery-status/attempt-no": "number", "delivery-status/message": "text",
			"delivery-status/session-seconds": "number", "delivery-status/mx-host": "text", "delivery-status/tls": "bool",
			"delivery-status/certificate-verified": "bool", "message/attachments": "list", "campaigns": "list"})},
		{"failed permanent", "bounce@example.org", withMessage(shape{"severity": "=permanent", "reason": "=bounce", "log-level": "=error",
			"delivery-status/code": "number", "delivery-status/bounce-type": "=hard", "delivery-status/retry-seconds": "-"})},
		{"failed temporary", "full@example.org", withMessage(shape{"severity": "=temporary", "reason": "=generic", "log-level": "=warn",
			"delivery-status/code": "number", "delivery-status/enhanced-code": "=4.2.2", "delivery-status/retry-seconds": "number"})},
		{"failed permanent", "suppressed@example.org", withMessage(shape{"severity": "=permanent", "reason": "=suppress-bounce",
			"delivery-status/description": "=Not delivering to previously bounced address"})},
		{"opened", bob, engaged(shape{"recipient": "=" + bob, "url": "-"})},
		{"clicked", bob, engaged(shape{"recipient": "=" + bob, "url": "=https://a.example/"})},
		{"unsubscribed", "unsubscribe@example.org", engaged(shape{"tags/0": "=*", "storage": "list"})},
		{"complained", "complain@example.org", everyEvent(shape{"log-level": "=warn", "message/headers/subject": "=s", "message/headers/from": "~ana@",
			"message/attachments": "list", "message/size": "number", "envelope/sending-ip": "text", "flags/is-test-mode": "bool"})},
	}
}

func testPayloads(t *testing.T, rec *Recorder) {
	t.Run("events", func(t *testing.T) { payloadEvents(t, rec) })
	t.Run("inbound", func(t *testing.T) { payloadInbound(t, rec) })
}

func payloadEvents(t *testing.T, rec *Recorder) {
	c := startGoSDK(t, rec, &watched{seen: map[string]bool{}})
	c.w.mg.AddWebhook(domain, c.w.hooks.url+"/all")
	cases := eventShapes()
	for i, x := range cases {
		if !slices.ContainsFunc(cases[:i], func(y eventShape) bool { return y.to == x.to }) {
			sendTracked(t, c, x.to)
		}
	}
	c.w.settle()
	c.w.mg.Advance(2 * time.Second)
	fetch(t, c, "opened")
	fetch(t, c, "clicked")
	c.w.settle()
	for _, x := range cases {
		found := false
		for _, p := range c.w.hooks.at("/all") {
			tree := parseJSON(t, p.body)
			name, _ := at(tree, "event-data/event").(string)
			if severity, is := at(tree, "event-data/severity").(string); is {
				name += " " + severity
			}
			if name != x.name || at(tree, "event-data/recipient") != x.to {
				continue
			}
			found = true
			same(t, "content type", p.header.Get("Content-Type"), "application/json")
			for path, want := range x.want {
				if why := differs(at(tree, path), want); why != "" {
					t.Errorf("%s for %s: %s %s in %s", x.name, x.to, path, why, p.body)
				}
			}
		}
		if !found {
			t.Errorf("no %s came for %s", x.name, x.to)
		}
	}
}

func parseJSON(t *testing.T, b []byte) any {
	var v any
	ok(t, "JSON", json.Unmarshal(b, &v))
	return v
}

type nothing struct{}

// at walks a tree by a path of keys and indices.
func at(v any, path string) any {
	for _, k := range strings.Split(path, "/") {
		switch x := v.(type) {
		case map[string]any:
			next, is := x[k]
			if !is {
				return nothing{}
			}
			v = next
		case []any:
			if k != "0" || len(x) == 0 {
				return nothing{}
			}
			v = x[0]
		default:
			return nothing{}
		}
	}
	return v
}

// differs says how a value is not as wanted, or "".
func differs(v any, want string) string {
	kind := map[string]string{"-": "missing"}[want]
	switch v.(type) {
	case nothing:
		if kind == "missing" {
			return ""
		}
		return "is missing"
	case string:
		kind = "text"
	case float64:
		kind = "number"
	case bool:
		kind = "bool"
	case map[string]any:
		kind = "object"
	case []any:
		kind = "list"
	case nil:
		kind = "null"
	}
	text, _ := v.(string)
	switch {
	case want == "-":
		return "is there"
	case strings.HasPrefix(want, "="):
		if kind != "text" || text != want[1:] {
			return "is not " + want[1:]
		}
	case strings.HasPrefix(want, "~"):
		if kind != "text" || !regexp.MustCompile(want[1:]).MatchString(text) {
			return "does not fit " + want[1:]
		}
	case kind != want:
		return "is " + kind + ", not " + want
	}
	return ""
}

const (
	plainMail = "From: Bob <bob@example.org>\r\nTo: a@mg.example.com, b@mg.example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n" +
		"Message-ID: <in.1@example.org>\r\nIn-Reply-To: <x@mg.example.com>\r\nReferences: <r@mg.example.com> <x@mg.example.com>\r\n" +
		"Date: Mon, 02 Nov 2026 09:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nYes.\r\n\r\n-- \r\nBob\r\n\r\nOn Mon, Ana wrote:\r\n> Really?\r\n"
	filesMail = "From: bob@example.org\r\nTo: a@mg.example.com\r\nSubject: files\r\nMessage-ID: <in.2@example.org>\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>See <img src=\"cid:dot\"></p>\r\n" +
		"--b\r\nContent-Type: image/gif\r\nContent-Disposition: inline; filename=dot.gif\r\nContent-ID: <dot>\r\nContent-Transfer-Encoding: base64\r\n\r\nR0lGODlh\r\n" +
		"--b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=\"a b.csv\"\r\n\r\n1,2\r\n--b--\r\n"
	htmlBounce = "From: MAILER-DAEMON@example.org\r\nTo: a@mg.example.com\r\nSubject: back\r\nContent-Type: text/html\r\n\r\n<p>It came back</p>\r\n"
)

type inboundShape struct {
	name, from, mail, action, path string
	to                             []string
	multipart                      bool
	want                           shape
}

// inboundShapes are posts of routes. File parts stand under their field's name as "name content-type size".
func inboundShapes() []inboundShape {
	signed := func(more shape) shape {
		all := shape{"timestamp": `~^\d{10}$`, "token": "~^[0-9A-Za-z-]{50}$", "signature": "~^[0-9a-f]{64}$"}
		for k, v := range more {
			all[k] = v
		}
		return all
	}
	return []inboundShape{
		{"parsed", bob, plainMail, `forward("%s/in")`, "/in", []string{"a@" + domain}, false, signed(shape{
			"recipient": "=a@" + domain, "sender": "=" + bob, "from": "=Bob <bob@example.org>", "subject": "=Grüße",
			"body-plain": "~> Really", "stripped-text": "~^Yes.\\s*$", "stripped-signature": "~Bob", "message-headers": `~^\[\["`,
			"From": "=Bob <bob@example.org>", "To": "~b@mg", "Subject": "=Grüße", "Message-Id": "=<in.1@example.org>", "In-Reply-To": "=<x@mg.example.com>",
			"References": "~<r@mg.example.com>", "Date": "~2026", "Content-Type": "~text/plain", "X-Mailgun-Incoming": "=Yes", "X-Envelope-From": "~bob@example.org",
			"attachment-count": "-", "attachment-1": "-", "body-mime": "-",
		})},
		{"parsed with files", bob, filesMail, `forward("%s/in")`, "/in", []string{"a@" + domain}, true, signed(shape{
			"recipient": "=a@" + domain, "attachment-count": "=2", "attachment-1": "=dot.gif image/gif 6", "attachment-2": "=a b.csv text/csv 3",
			"attachment-3": "-", "content-id-map": `~"<?dot>?": ?"attachment-1"`, "body-html": "~<img", "body-plain": "~See",
		})},
		{"empty envelope sender", "", htmlBounce, `forward("%s/in")`, "/in", []string{"a@" + domain}, false, signed(shape{
			"sender": "=", "from": "=MAILER-DAEMON@example.org", "body-plain": "~It came back", "body-html": "~<p>It",
		})},
		{"raw", bob, filesMail, `forward("%s/in/mime")`, "/in/mime", []string{"a@" + domain}, false, signed(shape{
			"recipient": "=a@" + domain, "sender": "=" + bob, "from": "=bob@example.org", "subject": "=files", "body-mime": "~(?s)Message-ID: <in.2@example.org>\r\n.*--b--",
			"body-plain": "-", "body-html": "-", "attachment-count": "-", "attachment-1": "-",
		})},
		{"store and notify", bob, filesMail, `store(notify="%s/in")`, "/in", []string{"a@" + domain}, false, signed(shape{
			"domain": "=" + domain, "recipient": "=a@" + domain, "sender": "=" + bob, "subject": "=files", "body-plain": "~See", "message-url": "~/messages/.",
			"message-headers": `~^\[\["`, "attachments": `~"name":"a b.csv"`, "attachment-1": "-", "body-mime": "-",
		})},
		{"one post for each recipient", bob, plainMail, `forward("%s/in")`, "/in", []string{"a@" + domain, "b@" + domain}, false, signed(shape{
			"recipient": "~^[ab]@mg.example.com$", "To": "~a@.*b@", "Message-Id": "=<in.1@example.org>",
		})},
	}
}

func payloadInbound(t *testing.T, rec *Recorder) {
	for _, x := range inboundShapes() {
		t.Run(x.name, func(t *testing.T) {
			w := startMail(t, rec, MailgunGo)
			_, err := w.mg.AddRoute(0, "catch_all()", strings.ReplaceAll(x.action, "%s", w.hooks.url))
			ok(t, "AddRoute", err)
			ok(t, "Receive", w.mg.Receive(t.Context(), x.from, x.to, strings.NewReader(x.mail)))
			w.settle()
			posts := w.hooks.at(x.path)
			same(t, "posts", len(posts), len(x.to))
			recipients := []string{}
			for _, p := range posts {
				form := readForm(t, p, x.multipart)
				recipients = append(recipients, form.Get("recipient"))
				for field, want := range x.want {
					var v any = nothing{}
					if form.Has(field) {
						v = form.Get(field)
					}
					if why := differs(v, want); why != "" {
						t.Errorf("%s %s: %q", field, why, form[field])
					}
				}
			}
			slices.Sort(recipients)
			same(t, "recipients", strings.Join(recipients, " "), strings.Join(x.to, " "))
		})
	}
}

// readForm reads an inbound post, which is multipart exactly when there are files.
func readForm(t *testing.T, p posted, files bool) url.Values {
	kind, params, err := mime.ParseMediaType(p.header.Get("Content-Type"))
	ok(t, "Content-Type", err)
	if !files {
		same(t, "content type", kind, "application/x-www-form-urlencoded")
		return must(url.ParseQuery(string(p.body)))(t, "form")
	}
	same(t, "content type", kind, "multipart/form-data")
	form := url.Values{}
	r := multipart.NewReader(bytes.NewReader(p.body), params["boundary"])
	for {
		part, err := r.NextPart()
		if err == io.EOF {
			return form
		}
		ok(t, "part", err)
		b := must(io.ReadAll(part))(t, "part")
		value := string(b)
		if part.FileName() != "" {
			value = part.FileName() + " " + part.Header.Get("Content-Type") + " " + strconv.Itoa(len(b))
		}
		form.Add(part.FormName(), value)
	}
}
