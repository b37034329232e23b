package mailgun

import (
	"encoding/json"
	"net/http"
	"net/mail"
	"net/url"
	"sort"
	"strings"
	"time"

	"github.com/postern-chat/postern/sandbox/mailbox/eml"
)

// options are the o:, h:, v: and t: parameters of a send call.
type options struct {
	tags            []string
	vars            map[string]string
	headers         []eml.Field
	testMode        bool
	deliverAt       time.Time
	deliverWithin   time.Duration
	opens, clicks   string // yes, no, htmlonly, or "" for the domain's setting
	pixelTop        string
	suppressHeaders string
	archiveTo       string
}

var truths = map[string]string{"yes": "yes", "true": "yes", "no": "no", "false": "no", "htmlonly": "htmlonly"}

func (s *Server) readOptions(values url.Values, sw Switches, now time.Time) (options, error) {
	o := options{vars: map[string]string{}}
	total := 0
	names := make([]string, 0, len(values))
	for name, vs := range values {
		if len(name) > 2 && name[1] == ':' && strings.ContainsRune("ohvt", rune(name[0])) {
			names = append(names, name)
			for _, v := range vs {
				total += len(name) + len(v)
			}
		}
	}
	if total > sw.MaxOptions {
		return o, refuse(http.StatusBadRequest, "%s", textOptions)
	}
	sort.Strings(names)
	for _, name := range names {
		var err error
		switch name[:2] {
		case "v:":
			o.vars[name[2:]] = values.Get(name)
		case "h:":
			o.headers = append(o.headers, eml.Field{Name: name[2:], Value: oneLine(values.Get(name))})
		case "o:":
			err = o.set(name[2:], values[name], sw, now)
		}
		if err != nil {
			return o, err
		}
	}
	if v := values.Get("h:X-Mailgun-Variables"); v != "" {
		o.jsonVars(v)
	}
	return o, nil
}

func (o *options) set(name string, vs []string, sw Switches, now time.Time) error {
	v := strings.ToLower(strings.TrimSpace(vs[0]))
	switch name {
	case "tag":
		o.addTags(vs, sw)
	case "testmode":
		o.testMode = truths[v] == "yes"
	case "deliverytime":
		t, err := mail.ParseDate(vs[0])
		if err != nil {
			return refuse(http.StatusBadRequest, "deliverytime parameter is invalid. please check documentation")
		}
		if t.Sub(now) > time.Duration(sw.MaxAheadHours)*time.Hour {
			return refuse(http.StatusBadRequest, "deliverytime parameter is too far in the future. please check documentation")
		}
		o.deliverAt = t
	case "deliver-within":
		d, err := time.ParseDuration(v)
		if err != nil || d < 5*time.Minute || d > 24*time.Hour {
			return refuse(http.StatusBadRequest, "deliver-within parameter is invalid. please check documentation")
		}
		o.deliverWithin = d
	case "tracking":
		// Sorts before the two finer options, which therefore win.
		o.opens, o.clicks = strings.Replace(truths[v], "htmlonly", "yes", 1), truths[v]
	case "tracking-clicks":
		o.clicks = truths[v]
	case "tracking-opens":
		o.opens = truths[v]
	case "tracking-pixel-location-top":
		o.pixelTop = truths[v]
	case "suppress-headers":
		o.suppressHeaders = vs[0]
	case "archive-to":
		o.archiveTo = vs[0]
	}
	return nil
}

// addTags keeps the first tags and drops the rest, as the manual of 2024 says.
// Tags are ASCII, compared without case, at most 128 characters.
func (o *options) addTags(vs []string, sw Switches) {
	seen := map[string]bool{}
	for _, t := range vs {
		t = strings.TrimSpace(t)
		ascii := strings.IndexFunc(t, func(r rune) bool { return r > 126 || r < 32 }) < 0
		if t == "" || !ascii || len(t) > 128 || seen[strings.ToLower(t)] || len(o.tags) >= sw.MaxTags {
			continue
		}
		seen[strings.ToLower(t)] = true
		o.tags = append(o.tags, t)
	}
}

// jsonVars reads X-Mailgun-Variables: values that are no strings become strings
// of JSON, as they come back from Mailgun.
func (o *options) jsonVars(v string) {
	var raw map[string]json.RawMessage
	if json.Unmarshal([]byte(v), &raw) != nil {
		return
	}
	for k, x := range raw {
		var s string
		if json.Unmarshal(x, &s) != nil {
			s = string(x)
		}
		o.vars[k] = s
	}
}

// eventVars are the variables as events show them: cut at 4 KB in total.
func (o options) eventVars() map[string]any {
	names := make([]string, 0, len(o.vars))
	for k := range o.vars {
		names = append(names, k)
	}
	sort.Strings(names)
	out, room := map[string]any{}, 4096
	for _, k := range names {
		v := o.vars[k]
		room -= len(k)
		if room <= 0 {
			break
		}
		v = v[:min(len(v), room)]
		room -= len(v)
		out[k] = v
	}
	return out
}

func (o options) suppresses(header string) bool {
	if strings.EqualFold(strings.TrimSpace(o.suppressHeaders), "all") {
		return true
	}
	for _, h := range strings.Split(o.suppressHeaders, ",") {
		if strings.EqualFold(strings.TrimSpace(h), header) {
			return true
		}
	}
	return false
}

func readRecipientVariables(m *message, v string) error {
	if v == "" {
		return nil
	}
	if json.Unmarshal([]byte(v), &m.recipVars) != nil {
		return refuse(http.StatusBadRequest, "recipient-variables parameter is not valid JSON. please check documentation")
	}
	return nil
}

func oneLine(s string) string {
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", " ").Replace(s))
}
