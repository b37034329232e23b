package mailgun_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/sandbox/mailbox"
)

const bob = "bob@example.org"

func TestTrackingMarks(t *testing.T) {
	html := func(body string) string {
		return "From: a@mg.example.com\r\nTo: bob@example.org\r\nSubject: s\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + body + "\r\n"
	}
	page := `<html><body><p>Gr=C3=BC=C3=9Fe</p><a href=3D"https://a.example/?x=3D1&amp;y=3D2">one</a> <a href=3D"mailto:x@y">mail</a> <a disable-tracking=3Dtrue href=3D"https://b.example/">two</a></body></html>`
	for _, c := range []struct {
		name            string
		mail            string
		fields          url.Values
		pixel, top      bool
		clicks, textURL int
	}{
		{"nothing asked", html(page), nil, false, false, 0, 0},
		{"opens", html(page), url.Values{"o:tracking-opens": {"yes"}}, true, false, 0, 0},
		{"opens at the top", html(page), url.Values{"o:tracking-opens": {"true"}, "o:tracking-pixel-location-top": {"yes"}}, true, true, 0, 0},
		{"clicks", html(page), url.Values{"o:tracking-clicks": {"yes"}}, false, false, 1, 0},
		{"both", html(page), url.Values{"o:tracking": {"yes"}}, true, false, 1, 0},
		{"the finer option wins", html(page), url.Values{"o:tracking": {"yes"}, "o:tracking-clicks": {"no"}}, true, false, 0, 0},
		{"no body element", html("<p>x"), url.Values{"o:tracking-opens": {"yes"}}, true, false, 0, 0},
		{"text only", "From: a@mg.example.com\r\nSubject: s\r\n\r\nSee https://a.example/x.\r\n", url.Values{"o:tracking": {"yes"}}, false, false, 0, 1},
		{"text, html only", "From: a@mg.example.com\r\nSubject: s\r\n\r\nSee https://a.example/x.\r\n", url.Values{"o:tracking": {"htmlonly"}}, false, false, 0, 0},
		{"attached html", strings.Replace(html(page), "MIME-Version", "Content-Disposition: attachment; filename=a.html\r\nMIME-Version", 1), url.Values{"o:tracking": {"yes"}}, false, false, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := start(t)
			w.send(bob, c.mail, c.fields)
			w.mg.Advance(time.Second)
			m, _ := w.boxes.Message(bob, w.boxes.Messages(bob)[0].ID)
			pixel := strings.Index(m.HTML, w.url+"/o/")
			if (pixel >= 0) != c.pixel || (pixel >= 0 && (pixel < strings.Index(m.HTML, "Grüße")) != c.top) {
				t.Errorf("pixel at %d in %s", pixel, m.HTML)
			}
			if n := strings.Count(m.HTML, w.url+"/c/"); n != c.clicks {
				t.Errorf("%d links rewritten, want %d: %s", n, c.clicks, m.HTML)
			}
			if n := strings.Count(m.Text, w.url+"/c/"); n != c.textURL {
				t.Errorf("%d text links rewritten, want %d: %s", n, c.textURL, m.Text)
			}
			if c.clicks+c.textURL == 0 && !c.pixel {
				if _, body, _ := strings.Cut(w.raw(bob, 0), "\r\n\r\n"); !strings.HasSuffix(c.mail, body) {
					t.Errorf("the body was changed: %q", body)
				}
			}
		})
	}
}

// TestDomainTracking: the domain's setting counts where the message says
// nothing.
func TestDomainTracking(t *testing.T) {
	w := start(t)
	status, body := w.call("PUT", "/v3/domains/"+domain+"/tracking/open", url.Values{"active": {"yes"}, "place_at_the_top": {"true"}})
	if status != 200 || body["message"] != "Domain tracking settings have been updated" {
		t.Fatalf("%d %v", status, body)
	}
	w.want(body, "open/active", true)
	w.call("PUT", "/v3/domains/"+domain+"/tracking/click", url.Values{"active": {"htmlonly"}})
	_, body = w.call("GET", "/v3/domains/"+domain+"/tracking", nil)
	w.want(body, "tracking/open/place_at_the_top", true)
	w.want(body, "tracking/click/active", true)
	w.want(body, "tracking/unsubscribe/active", false)
	w.want(body, "tracking/web_scheme", "http")
	w.send(bob, simpleMail, nil)
	w.send(bob, simpleMail, url.Values{"o:tracking-opens": {"no"}})
	w.mg.Advance(time.Second)
	for i, want := range []bool{true, false} {
		if got := strings.Contains(w.raw(bob, i), "/o/"); got != want {
			t.Errorf("mail %d has a pixel: %v", i, got)
		}
	}
	if status, _ = w.call("PUT", "/v3/domains/"+domain+"/tracking/open", url.Values{"active": {"htmlonly"}}); status != 400 {
		t.Errorf("open htmlonly is %d", status)
	}
}

// TestClients: who opens, and what Mailgun makes of it.
func TestClients(t *testing.T) {
	for client, want := range map[mailbox.Client]struct {
		bot    any
		events []string
	}{
		mailbox.Human:         {"", []string{"opened"}},
		mailbox.GmailProxy:    {"", []string{"opened"}},
		mailbox.Apple:         {"apple", []string{"opened"}},
		mailbox.GmailPrefetch: {"gmail", []string{"opened"}},
		mailbox.Scanner:       {"", []string{"opened", "clicked"}}, // the bot field misses it
	} {
		t.Run(string(client), func(t *testing.T) {
			w := start(t)
			w.mg.AddWebhook(domain, w.hooks.url, "opened", "clicked")
			id := w.send(bob, simpleMail, url.Values{"o:tracking": {"yes"}, "v:d": {"7"}})
			w.mg.Advance(time.Minute)
			if _, err := w.boxes.View(t.Context(), bob, w.boxes.Messages(bob)[0].ID, client); err != nil {
				t.Fatal(err)
			}
			w.mg.Advance(time.Second)
			w.wantNames(want.events...)
			e := w.events()[0]
			w.want(e, "client-info/bot", want.bot)
			w.want(e, "delivered-at", float64(w.mg.Now().Add(-61*time.Second).Unix()))
			w.want(e, "user-variables/d", 7)
			if h, _ := get(e, "message/headers").(map[string]any); len(h) != 1 || h["message-id"] != id {
				t.Errorf("headers are %v", h)
			}
			if ip, _ := e["ip"].(string); ip == "" || strings.HasPrefix(ip, "127.") {
				t.Errorf("ip is %q", ip)
			}
		})
	}
}

func TestGenericBot(t *testing.T) {
	w := start(t)
	w.mg.AddWebhook(domain, w.hooks.url, "opened")
	w.send(bob, simpleMail, url.Values{"o:tracking": {"yes"}})
	w.mg.Advance(time.Second)
	m, _ := w.boxes.Message(bob, w.boxes.Messages(bob)[0].ID)
	for _, c := range []struct {
		method, agent string
		status        int
	}{{"GET", "curl/8", 200}, {"HEAD", "curl/8", 200}, {"POST", "curl/8", 405}} {
		req, _ := http.NewRequest(c.method, m.Pictures[0], nil)
		req.Header.Set("User-Agent", c.agent)
		if status, _, _ := w.do(req); status != c.status {
			t.Errorf("%s is %d", c.method, status)
		}
	}
	w.mg.Advance(time.Second)
	w.wantNames("opened") // HEAD opens nothing
	w.want(w.events()[0], "client-info/bot", "generic")
	req, _ := http.NewRequest("GET", w.url+"/o/unknown", nil)
	if status, _, _ := w.do(req); status != 404 {
		t.Errorf("unknown token is %d", status)
	}
}

func TestClickRedirects(t *testing.T) {
	w := start(t)
	w.mg.AddWebhook(domain, w.hooks.url, "clicked")
	target := w.hooks.url + "/page?a=1&b=2"
	mail := "From: a@mg.example.com\r\nSubject: s\r\nContent-Type: text/html\r\n\r\n<a href=\"" + strings.ReplaceAll(target, "&", "&amp;") + "\">x</a>\r\n"
	w.send(bob, mail, url.Values{"o:tracking-clicks": {"yes"}})
	w.mg.Advance(time.Second)
	m, _ := w.boxes.Message(bob, w.boxes.Messages(bob)[0].ID)
	got, err := w.boxes.Click(t.Context(), bob, m.ID, m.Links[0])
	if err != nil || got.Status != 200 {
		t.Fatalf("%+v %v", got, err)
	}
	w.mg.Advance(time.Second)
	w.wantNames("clicked")
	w.want(w.events()[0], "url", target)
	if w.hooks.all()[0].path != "/page" {
		t.Errorf("landed on %s", w.hooks.all()[0].path)
	}
}

func TestUnsubscribeLink(t *testing.T) {
	w := start(t)
	w.mg.AddWebhook(domain, w.hooks.url, "unsubscribed")
	w.call("PUT", "/v3/domains/"+domain+"/tracking/unsubscribe", url.Values{"active": {"yes"}, "html_footer": {`<p><a href="%unsubscribe_url%">unsubscribe</a></p>`}, "text_footer": {"\nbye"}})
	w.send(bob, simpleMail, nil)
	w.mg.Advance(time.Second)
	m, _ := w.boxes.Message(bob, w.boxes.Messages(bob)[0].ID)
	if !strings.Contains(m.HTML, w.url+"/u/") || !strings.Contains(m.Text, "bye") {
		t.Errorf("footers are missing: %s %s", m.HTML, m.Text)
	}
	if got, err := w.boxes.Unsubscribe(t.Context(), bob, m.ID); err != nil || got.Status != 200 {
		t.Fatalf("%+v %v", got, err)
	}
	w.mg.Advance(time.Second)
	w.wantNames("unsubscribed")
	w.want(w.events()[0], "storage", "[]")
	if status, body := w.call("GET", "/v3/"+domain+"/unsubscribes/"+bob, nil); status != 200 {
		t.Errorf("%d %v", status, body)
	}
}
