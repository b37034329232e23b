package letter

import (
	"strconv"
	"strings"
)

// Authentication is what the header says about who sent the mail. Everything in it is a hint: any sender can write these
// fields. They prove something only if the receiving server is known to write its own on top, and Host names that server.
type Authentication struct {
	// Host is the authserv-id of the topmost Authentication-Results field (RFC 8601), "" if there is none. Fields below it
	// are ignored: a sender can add passing ones.
	Host    string
	Results []AuthResult

	// Mailgun's own check, present when its spam filter tags: "pass", "fail", "softfail", "neutral" or "".
	// Its DKIM result does not tell whether the signature is the author's domain's.
	ProviderSPF, ProviderDKIM string
	// SpamScore is X-Mailgun-Sscore (about 5 is spam), valid if HasScore; Spam is X-Mailgun-Sflag.
	SpamScore float64
	HasScore  bool
	Spam      bool
}

// AuthResult is one method of an Authentication-Results field.
type AuthResult struct {
	Method string            // "spf", "dkim", "dmarc", "arc" ...
	Result string            // "pass", "fail", "none" ...
	Props  map[string]string // "header.d", "smtp.mailfrom" ... in lower case names
}

// Result returns the topmost field's verdict for a method; "pass" if any of several passes, "" if it is not mentioned.
func (a Authentication) Result(method string) string {
	out := ""
	for _, r := range a.Results {
		if strings.EqualFold(r.Method, method) && (out == "" || r.Result == "pass") {
			out = r.Result
		}
	}
	return out
}

// Authentication reads the verdicts in the header.
func (m *Message) Authentication() Authentication {
	h := m.Header
	a := Authentication{
		ProviderSPF:  worst(h, "X-Mailgun-Spf"),
		ProviderDKIM: worst(h, "X-Mailgun-Dkim-Check-Result"),
		Spam:         strings.EqualFold(strings.TrimSpace(h.Get("X-Mailgun-Sflag")), "yes"),
	}
	if s, err := strconv.ParseFloat(strings.TrimSpace(h.Get("X-Mailgun-Sscore")), 64); err == nil && s == s {
		a.SpamScore, a.HasScore = s, true
	}
	if f, ok := h.find("Authentication-Results"); ok {
		a.Host, a.Results = parseAuthResults(clip(cleanUTF8(unfold(f.Raw)), 10000))
	}
	return a
}

func verdict(s string) string {
	return strings.ToLower(strings.TrimSpace(stripComment(s)))
}

// parseAuthResults reads "host 1; spf=pass (comment) smtp.mailfrom=a@b; dkim=fail header.d=c" (RFC 8601 section 2.2).
func parseAuthResults(s string) (host string, out []AuthResult) {
	for i, piece := range splitOutside(dropComments(s), ';') {
		words := strings.Fields(piece)
		if i == 0 {
			if len(words) > 0 && !strings.Contains(words[0], "=") {
				host = strings.ToLower(words[0])
				continue
			}
		}
		if len(words) == 0 {
			continue
		}
		method, result, ok := strings.Cut(words[0], "=")
		if !ok {
			continue // "none"
		}
		method, _, _ = strings.Cut(strings.ToLower(method), "/")
		r := AuthResult{Method: method, Result: strings.ToLower(result)}
		for _, w := range words[1:] {
			if k, v, ok := strings.Cut(w, "="); ok {
				if r.Props == nil {
					r.Props = map[string]string{}
				}
				if _, dup := r.Props[strings.ToLower(k)]; !dup {
					r.Props[strings.ToLower(k)] = strings.Trim(v, `"`)
				}
			}
		}
		out = append(out, r)
	}
	return host, out
}

// dropComments removes comments, nested ones too, outside of quoted strings.
func dropComments(s string) string {
	var b strings.Builder
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			if depth == 0 {
				b.WriteByte(c)
				b.WriteByte(s[i+1])
			}
			i++
		case c == '"' && depth == 0:
			quoted = !quoted
			b.WriteByte(c)
		case c == '(' && !quoted:
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth == 0:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// splitOutside splits at sep outside of quoted strings.
func splitOutside(s string, sep byte) (out []string) {
	quoted, from := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:])
}

// worst is the verdict of a field that may stand several times: a fail wins, for a
// writer may have put a pass of his own beside it.
func worst(h Header, name string) string {
	out := ""
	for _, v := range h.Values(name) {
		if v = verdict(v); out == "" || v == "fail" {
			out = v
		}
	}
	return out
}
