package mailgun

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"

	"github.com/postern-chat/postern"
)

// signingKey tells whether the account's signing key is among ours, and the first.
func (s *Setup) signingKey(ctx context.Context) (known, first bool, err error) {
	var a struct {
		Key string `json:"http_signing_key"`
	}
	if err := s.do(ctx, "signing-key", http.MethodGet, "/v5/accounts/http_signing_key", nil, &a); err != nil {
		return false, false, err
	}
	for i, k := range s.c.cfg.SigningKeys {
		if subtle.ConstantTimeCompare([]byte(k), []byte(a.Key)) == 1 && a.Key != "" {
			return true, i == 0, nil
		}
	}
	return false, false, nil
}

// signingChange compares the account's signing key with ours. Neither is shown.
func (s *Setup) signingChange(ctx context.Context, _ *domainAnswer) ([]postern.Change, error) {
	c := postern.Change{Key: keySign, Sign: postern.Keep, Title: "webhook signing key", Want: "the one in mailgun.signing_keys"}
	known, first, err := s.signingKey(ctx)
	switch {
	case postern.KindOf(err) == postern.Denied:
		// The key's role may not read it; everything else still can be done.
		c.Is, c.Want, c.Why = "not readable with this key", "", "compare it by hand: API Security in Mailgun's dashboard"
	case err != nil:
		return nil, err
	case known && first:
		c.Is = c.Want
	case known:
		c.Is, c.Want = "a later one of mailgun.signing_keys", ""
	default:
		c.Sign, c.Is = postern.Conflict, "another one"
		c.Why = "every webhook would be refused: put the key of API Security, HTTP webhook signing key, in Mailgun's dashboard first into mailgun.signing_keys"
		if len(s.c.cfg.SigningKeys) == 0 {
			c.Is = "mailgun.signing_keys is empty"
		}
	}
	return []postern.Change{c}, nil
}

var suppressionLists = [...]string{"bounces", "unsubscribes", "complaints"}

// suppressions counts the entries of the domain's lists, up to 1000 each.
func (s *Setup) suppressions(ctx context.Context) ([]int, error) {
	counts := make([]int, len(suppressionLists))
	for i, list := range suppressionLists {
		var a struct {
			Items []struct{} `json:"items"`
		}
		if err := s.do(ctx, "suppressions", http.MethodGet, "/v3/"+url.PathEscape(s.c.cfg.Domain)+"/"+list+"?limit=1000", nil, &a); err != nil {
			return nil, err
		}
		counts[i] = len(a.Items)
	}
	return counts, nil
}

// suppressionChange shows how many addresses Mailgun will not write to.
func (s *Setup) suppressionChange(ctx context.Context, d *domainAnswer) ([]postern.Change, error) {
	if d == nil {
		return nil, nil
	}
	n, err := s.suppressions(ctx)
	if err != nil {
		return nil, err
	}
	is := ""
	for i, list := range suppressionLists {
		if i > 0 {
			is += ", "
		}
		more := ""
		if n[i] >= 1000 {
			more = " or more"
		}
		is += fmt.Sprintf("%d%s %s", n[i], more, list)
	}
	return []postern.Change{{Key: keyLists, Sign: postern.Keep, Title: "suppressed addresses", Is: is, Want: is}}, nil
}
