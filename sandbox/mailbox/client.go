package mailbox

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-chat/postern/sandbox/mailbox/eml"
	"golang.org/x/net/html"
)

// Client is what kind of program, or machine, looks at a mail.
type Client string

// The kinds. Only a human's open means that somebody read.
const (
	Human         Client = "human"          // a person's mail program that shows pictures
	Apple         Client = "apple"          // Apple Mail Privacy Protection
	GmailPrefetch Client = "gmail-prefetch" // Gmail's prefetch while a session is active
	GmailProxy    Client = "gmail-proxy"    // Gmail's picture proxy: a person looks
	Scanner       Client = "scanner"        // a security gateway: all pictures and all links
)

// Clients are all kinds.
func Clients() []Client { return []Client{Human, Apple, GmailPrefetch, GmailProxy, Scanner} }

// agent and address of a client, as senders see them.
func (c Client) identity() (agent, ip string) {
	switch c {
	case Apple:
		return "Mozilla/5.0", "17.58.0.10"
	case GmailPrefetch:
		return "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0", "66.249.84.1"
	case GmailProxy:
		return "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", "66.249.84.2"
	case Scanner: // forged: it looks like a person's telephone in a data centre
		return "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1", "40.94.20.7"
	default:
		return "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0", "203.0.113.9"
	}
}

// Fetched is one picture or link that a client asked for.
type Fetched struct {
	URL    string `json:"url"`
	Status int    `json:"status"`
	Error  string `json:"error,omitempty"`
}

// View opens a mail as the client would: its pictures are fetched, a scanner
// asks for every link as well. A human's look marks the mail as seen. A mail
// without HTML has nothing to fetch.
func (s *Server) View(ctx context.Context, address, id string, c Client) ([]Fetched, error) {
	m := s.find(address, id)
	if m == nil {
		return nil, fmt.Errorf("sandbox mailbox: no mail %s in %s", id, address)
	}
	if !slices.Contains(Clients(), c) {
		return nil, fmt.Errorf("sandbox mailbox: no client %q", c)
	}
	s.mu.Lock()
	m.opens++
	if c == Human || c == GmailProxy {
		m.see()
		m.shown = true
	}
	s.mu.Unlock()
	s.note(Happening{What: "opened", Address: strings.ToLower(address), Message: id, Detail: "as " + string(c)}, m)
	pictures, links := references(m.parsed.HTML)
	var got []Fetched
	for _, u := range pictures {
		got = append(got, s.fetch(ctx, http.MethodGet, u, c))
	}
	if c == Scanner {
		for _, u := range links {
			got = append(got, s.fetch(ctx, http.MethodHead, u, c), s.fetch(ctx, http.MethodGet, u, c))
		}
	}
	return got, nil
}

// Click follows a link of the mail as a person would.
func (s *Server) Click(ctx context.Context, address, id, link string) (Fetched, error) {
	m := s.find(address, id)
	if m == nil {
		return Fetched{}, fmt.Errorf("sandbox mailbox: no mail %s in %s", id, address)
	}
	_, links := references(m.parsed.HTML)
	if !slices.Contains(links, link) && !strings.Contains(m.parsed.Text, link) {
		return Fetched{}, fmt.Errorf("sandbox mailbox: no such link in the mail")
	}
	s.note(Happening{What: "clicked", Address: strings.ToLower(address), Message: id, Detail: link}, m)
	return s.fetch(ctx, http.MethodGet, link, Human), nil
}

// references are the remote pictures and the links of an HTML text, each once.
func references(doc string) (pictures, links []string) {
	z := html.NewTokenizer(strings.NewReader(doc))
	for {
		tt := z.Next()
		if tt == html.ErrorToken {
			return pictures, links
		}
		if tt != html.StartTagToken && tt != html.SelfClosingTagToken {
			continue
		}
		tok := z.Token()
		for _, a := range tok.Attr {
			v := strings.TrimSpace(a.Val)
			if !strings.HasPrefix(v, "http://") && !strings.HasPrefix(v, "https://") {
				continue
			}
			switch {
			case tok.Data == "img" && a.Key == "src" && !slices.Contains(pictures, v):
				pictures = append(pictures, v)
			case tok.Data == "a" && a.Key == "href" && !slices.Contains(links, v):
				links = append(links, v)
			}
		}
	}
}

func (s *Server) fetch(ctx context.Context, method, target string, c Client) Fetched {
	f := Fetched{URL: target}
	if !s.cfg.Fetch(target) {
		f.Error = "not fetched: outside of the sandbox"
		return f
	}
	req, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		f.Error = err.Error()
		return f
	}
	agent, ip := c.identity()
	req.Header.Set("User-Agent", agent)
	req.Header.Set("X-Forwarded-For", ip)
	client := *s.cfg.HTTPClient
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if len(via) >= 5 || !s.cfg.Fetch(next.URL.String()) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	resp, err := client.Do(req)
	if err != nil {
		f.Error = err.Error()
		return f
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	_ = resp.Body.Close()
	f.Status = resp.StatusCode
	return f
}

func loopbackOnly(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	host := u.Hostname()
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// Spam marks a mail as spam and puts it into the folder Junk; the Exchange hears
// of the complaint.
func (s *Server) Spam(address, id string) error {
	m := s.find(address, id)
	if m == nil {
		return fmt.Errorf("sandbox mailbox: no mail %s in %s", id, address)
	}
	s.mu.Lock()
	s.move(m, address, junk)
	s.mu.Unlock()
	return s.complain(address, m)
}

func (s *Server) complain(address string, m *mail) error {
	s.note(Happening{What: "complained", Address: strings.ToLower(address), Message: m.id}, m)
	if c, ok := s.cfg.Exchange.(Complainer); ok {
		return c.Complain(address, eml.MessageID(m.parsed.Header.Get("Message-Id")))
	}
	return nil
}

// Unsubscribe does what a mail program's button does: the one-click POST of
// RFC 8058 where the mail offers it, else a mail to the mailto address.
func (s *Server) Unsubscribe(ctx context.Context, address, id string) (Fetched, error) {
	m := s.find(address, id)
	if m == nil {
		return Fetched{}, fmt.Errorf("sandbox mailbox: no mail %s in %s", id, address)
	}
	oneClick := strings.EqualFold(strings.TrimSpace(m.parsed.Header.Get("List-Unsubscribe-Post")), "List-Unsubscribe=One-Click")
	s.note(Happening{What: "unsubscribed", Address: strings.ToLower(address), Message: id}, m)
	var byMail *url.URL
	for _, part := range strings.Split(m.parsed.Header.Get("List-Unsubscribe"), ",") {
		target := strings.Trim(strings.TrimSpace(part), "<>")
		u, err := url.Parse(target)
		switch {
		case err != nil:
		case strings.HasPrefix(u.Scheme, "http") && oneClick:
			return s.postOneClick(ctx, target), nil
		case u.Scheme == "mailto" && byMail == nil:
			byMail = u
		}
	}
	if byMail == nil {
		return Fetched{}, fmt.Errorf("sandbox mailbox: the mail offers no way to unsubscribe")
	}
	_, err := s.Write(ctx, address, Letter{To: []string{byMail.Opaque}, Subject: orText(byMail.Query().Get("subject"), "unsubscribe"), Text: "unsubscribe\n"})
	return Fetched{URL: byMail.String()}, err
}

func (s *Server) postOneClick(ctx context.Context, target string) Fetched {
	f := Fetched{URL: target}
	if !s.cfg.Fetch(target) {
		f.Error = "not posted: outside of the sandbox"
		return f
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader("List-Unsubscribe=One-Click"))
	if err != nil {
		f.Error = err.Error()
		return f
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := *s.cfg.HTTPClient
	// RFC 8058 section 3.1: the server must not redirect.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		f.Error = err.Error()
		return f
	}
	_ = resp.Body.Close()
	f.Status = resp.StatusCode
	return f
}

func orText(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
