package mailgun

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/postern-chat/postern"
)

// Exam says what Examine holds the account to.
type Exam struct {
	// InboundURL takes the raw mail of our route, EventsURL the events; "" = not known.
	InboundURL, EventsURL string
	// Reply is an address as those that answers go to.
	Reply string
	// OtherAPIURL is where the other region answers; default Mailgun's own, unless
	// Config.APIURL is somebody else's.
	OtherAPIURL string
	// People gives the users whom the gateway writes to, by address in lower case; nil, or
	// an error: suppressions are not compared.
	People func(ctx context.Context) (map[string]postern.UserID, error)
}

// Examiner looks at the account and the domain. It satisfies setup.Examiner.
type Examiner struct {
	c    *Client
	exam Exam
}

// Examiner makes an examiner; it makes no call.
func (c *Client) Examiner(e Exam) *Examiner {
	if e.OtherAPIURL == "" {
		for _, other := range [][2]string{{"us", "eu"}, {"eu", "us"}} {
			if own, _ := apiBase("", other[0]); own == c.base {
				e.OtherAPIURL, _ = apiBase("", other[1])
			}
		}
	}
	e.OtherAPIURL = strings.TrimRight(e.OtherAPIURL, "/")
	return &Examiner{c, e}
}

func found(code string, h postern.Health, format string, args ...any) postern.Finding {
	return postern.Finding{Code: code, Health: h, Evidence: fmt.Sprintf(format, args...)}
}

func fine(code, format string, args ...any) postern.Finding {
	return found(code, postern.Fine, format, args...)
}

func skip(code, format string, args ...any) postern.Finding {
	return found(code, postern.Skipped, format, args...)
}

func fail(code, format string, args ...any) postern.Finding {
	return found(code, postern.Failure, format, args...)
}

func warn(code, format string, args ...any) postern.Finding {
	return found(code, postern.Warning, format, args...)
}

func mend(f postern.Finding, format string, args ...any) postern.Finding {
	f.Remedy = fmt.Sprintf(format, args...)
	return f
}

// Examine asks what is wrong with the account, the domain, the route and the webhooks.
// It changes nothing: the sending key is tried with a message that lacks everything.
func (x *Examiner) Examine(ctx context.Context) []postern.Finding {
	access, domain, ok := x.access(ctx)
	if !ok {
		for _, subject := range []string{"MAILGUN-DOMAIN", "MAILGUN-TRACK", "MAILGUN-SIGNING", "MAILGUN-ROUTE", "MAILGUN-HOOK", "MAILGUN-PEOPLE"} {
			access = append(access, skip(subject, "not asked: see MAILGUN-KEY"))
		}
		if access[0].Code == "MAILGUN-DOMAIN-NONE" {
			return append(access, skip("MAILGUN-SENDING", "not asked: there is no domain to send for"))
		}
		return append(access, x.sending(ctx, false)...)
	}
	parts := []func(context.Context) []postern.Finding{
		func(ctx context.Context) []postern.Finding { return x.sending(ctx, true) },
		func(context.Context) []postern.Finding { return x.domain(domain) },
		x.tracking, x.signing, x.route, x.hooks, x.suppressed,
	}
	all := make([][]postern.Finding, len(parts))
	var wg sync.WaitGroup
	for i, part := range parts {
		wg.Add(1)
		go func() { defer wg.Done(); all[i] = part(ctx) }()
	}
	wg.Wait()
	for _, f := range all {
		access = append(access, f...)
	}
	return access
}

// asked is what became of a question to the API.
type asked struct {
	status int // 0 = no answer
	body   []byte
	err    error
}

func (a asked) why() string {
	switch {
	case a.status == 0:
		return a.err.Error()
	case a.status < 400:
		return fmt.Sprintf("%d, but not as its API does", a.status)
	}
	return fmt.Sprintf("%d %s", a.status, (&answer{body: a.body}).anonymous())
}

// ask makes one call with a key at an address; that something was refused is no error.
func (x *Examiner) ask(ctx context.Context, base, method, path, key string, form url.Values) asked {
	req, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return asked{err: err}
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	begin := x.c.cfg.Now()
	a, err := x.c.perform(req, key)
	outcome := &err
	defer x.c.observe("examine", begin, outcome)
	if err != nil {
		return asked{err: err}
	}
	return asked{status: a.status, body: a.body}
}

func (x *Examiner) get(ctx context.Context, path string) asked {
	return x.ask(ctx, x.c.base, http.MethodGet, path, x.c.cfg.AccountKey, nil)
}

// ours is a path of the domain's.
func (x *Examiner) ours(version, rest string) string {
	return "/" + version + "/domains/" + url.PathEscape(x.c.cfg.Domain) + rest
}

// access asks whether the account key opens the domain; if not, why.
func (x *Examiner) access(ctx context.Context) ([]postern.Finding, domainAnswer, bool) {
	var d domainAnswer
	if x.c.cfg.AccountKey == "" {
		return []postern.Finding{warn("MAILGUN-KEY-NONE", "mailgun.account_key is not set")}, d, false
	}
	a := x.get(ctx, x.ours("v4", ""))
	switch {
	case a.status == 0:
		return []postern.Finding{fail("MAILGUN-UNREACHABLE", "%s: %v", x.c.base, a.err)}, d, false
	case a.status == http.StatusOK:
		if err := d.read(a.body); err != nil {
			return []postern.Finding{fail("MAILGUN-UNREACHABLE", "%s answers 200, but not as Mailgun's API does", x.c.base)}, d, false
		}
		return []postern.Finding{fine("MAILGUN-KEY", "the account key opens %s in region %s", x.c.cfg.Domain, x.c.cfg.Region)}, d, true
	case a.status >= 500 || a.status == http.StatusTooManyRequests:
		return []postern.Finding{skip("MAILGUN-KEY", "Mailgun answers %s", a.why())}, d, false
	}
	if x.elsewhere(ctx) {
		other := map[string]string{"us": "eu", "eu": "us"}[x.c.cfg.Region]
		f := fail("MAILGUN-REGION", "%s is unknown in region %s, and is there in region %s", x.c.cfg.Domain, x.c.cfg.Region, other)
		return []postern.Finding{mend(f, "Set mailgun.region to %q.", other)}, d, false
	}
	if a.status == http.StatusNotFound && !json.Valid(a.body) {
		return []postern.Finding{fail("MAILGUN-UNREACHABLE", "%s answers 404, but not as Mailgun's API does", x.c.base)}, d, false
	}
	if a.status == http.StatusNotFound {
		return []postern.Finding{fail("MAILGUN-DOMAIN-NONE", "Mailgun does not know %s in region %s", x.c.cfg.Domain, x.c.cfg.Region)}, d, false
	}
	if x.sends(ctx, x.c.cfg.AccountKey).good {
		return []postern.Finding{fail("MAILGUN-KEY-SCOPE", "mailgun.account_key may send for %s, and nothing else: it is a domain sending key", x.c.cfg.Domain)}, d, false
	}
	return []postern.Finding{fail("MAILGUN-KEY-REFUSED", "mailgun.account_key is refused: %s", a.why())}, d, false
}

// elsewhere asks whether the other region knows the domain.
func (x *Examiner) elsewhere(ctx context.Context) bool {
	if x.exam.OtherAPIURL == "" {
		return false
	}
	a := x.ask(ctx, x.exam.OtherAPIURL, http.MethodGet, x.ours("v4", ""), x.c.cfg.AccountKey, nil)
	var d domainAnswer
	return a.status == http.StatusOK && d.read(a.body) == nil
}

type sends struct {
	good  bool
	asked asked
}

// sends asks whether a key may send for the domain, with a message that lacks
// everything: a good key is told what is missing, a bad one that it is bad.
func (x *Examiner) sends(ctx context.Context, key string) sends {
	a := x.ask(ctx, x.c.base, http.MethodPost, "/v3/"+url.PathEscape(x.c.cfg.Domain)+"/messages", key, url.Values{"o:testmode": {"yes"}})
	return sends{a.status == http.StatusBadRequest, a}
}

// sending examines the sending key. known: the account key works.
func (x *Examiner) sending(ctx context.Context, known bool) []postern.Finding {
	key, name := x.c.cfg.SendingKey, "mailgun.sending_key"
	if key == "" {
		key, name = x.c.cfg.AccountKey, "mailgun.account_key"
	}
	if key == "" {
		return []postern.Finding{fail("MAILGUN-SENDING-REFUSED", "there is no key: mailgun.sending_key is not set")}
	}
	s := x.sends(ctx, key)
	switch status := s.asked.status; {
	case status < 400 || status >= 500 || status == http.StatusTooManyRequests:
		return []postern.Finding{skip("MAILGUN-SENDING", "Mailgun does not say: %s", s.asked.why())}
	case !s.good && !known && status == http.StatusUnauthorized && x.exam.OtherAPIURL != "" && x.sendsElsewhere(ctx, key):
		return []postern.Finding{fail("MAILGUN-REGION", "%s sends for %s in the other region", name, x.c.cfg.Domain)}
	case !s.good:
		f := fail("MAILGUN-SENDING-REFUSED", "%s may not send for %s: %s", name, x.c.cfg.Domain, s.asked.why())
		if x.isSigningKey(key) {
			f = mend(f, "%s holds the webhook signing key. Put a domain sending key there.", name)
		}
		return []postern.Finding{f}
	}
	if a := x.ask(ctx, x.c.base, http.MethodGet, "/v3/routes?limit=1", key, nil); a.status == http.StatusOK {
		return []postern.Finding{warn("MAILGUN-KEY-WIDE", "%s can change the whole account", name)}
	}
	return []postern.Finding{fine("MAILGUN-SENDING", "%s may send for %s, and nothing else", name, x.c.cfg.Domain)}
}

func (x *Examiner) sendsElsewhere(ctx context.Context, key string) bool {
	a := x.ask(ctx, x.exam.OtherAPIURL, http.MethodPost, "/v3/"+url.PathEscape(x.c.cfg.Domain)+"/messages", key, url.Values{"o:testmode": {"yes"}})
	return a.status == http.StatusBadRequest
}

func (x *Examiner) isSigningKey(key string) bool {
	for _, k := range x.c.cfg.SigningKeys {
		if k == key {
			return true
		}
	}
	return false
}
