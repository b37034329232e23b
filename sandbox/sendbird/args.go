package sendbird

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strconv"
	"strings"
)

// args reads the parameters of a call, from a JSON body, a form or a query. The first wrong one is kept in err, and
// what is read after it is zero: handlers read all they need and then look once.
type args struct {
	m    map[string]any
	text bool // values came as text (form, query): numbers, booleans and lists are parsed from strings
	err  error
}

func textArgs(v url.Values) *args {
	m := make(map[string]any, len(v))
	for k, vs := range v {
		m[strings.TrimSuffix(k, "[]")] = strings.Join(vs, ",")
	}
	return &args{m: m, text: true}
}

func (a *args) fail(code int, format string, v ...any) {
	if a.err == nil {
		a.err = fail(code, format, v...)
	}
}

// has tells whether key was given. null counts as absent.
func (a *args) has(key string) bool { return a.m[key] != nil }

func (a *args) str(key string) string {
	switch v := a.m[key].(type) {
	case nil:
		return ""
	case string:
		return v
	}
	a.fail(codeNotString, "\"%s\" must be a string.", key)
	return ""
}

// need is str of a parameter that must be there and not empty.
func (a *args) need(key string) string {
	if !a.has(key) {
		if a.err == nil {
			a.err = missing(key)
		}
		return ""
	}
	s := a.str(key)
	if a.err == nil && strings.TrimSpace(s) == "" {
		a.fail(codeBadCharacter, "\"%s\" must not be empty.", key)
	}
	return s
}

// max is str with a limit in characters.
func (a *args) max(key string, limit int) string {
	s := a.str(key)
	if len([]rune(s)) > limit {
		a.fail(codeTooLong, "\"%s\" must be at most %d characters.", key, limit)
	}
	return s
}

func (a *args) boolean(key string, def bool) bool {
	switch v := a.m[key].(type) {
	case nil:
		return def
	case bool:
		return v
	case string:
		if a.text {
			switch strings.ToLower(v) {
			case "true", "1":
				return true
			case "false", "0", "":
				return false
			}
		}
	}
	a.fail(codeNotBoolean, "\"%s\" must be a boolean.", key)
	return def
}

func (a *args) integer(key string, def int64) int64 {
	s := ""
	switch v := a.m[key].(type) {
	case nil:
		return def
	case json.Number:
		s = v.String()
	case string:
		if a.text {
			s = v
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		a.fail(codeNotNumber, "\"%s\" must be a number.", key)
		return def
	}
	return n
}

// between is integer with a closed range.
func (a *args) between(key string, def, low, high int64) int64 {
	n := a.integer(key, def)
	if a.has(key) && a.err == nil && (n < low || n > high) {
		if n < 0 && low >= 0 {
			a.fail(codeNegative, "\"%s\" must not be negative.", key)
		}
		a.fail(codeOutOfRange, "\"%s\" must be between %d and %d.", key, low, high)
	}
	return n
}

// oneOf is str with a closed set; the first value is the default.
func (a *args) oneOf(key string, values ...string) string {
	s := a.str(key)
	if s == "" {
		return values[0]
	}
	for _, v := range values {
		if strings.EqualFold(s, v) {
			return v
		}
	}
	a.fail(codeInvalid, "\"%s\" must be one of %s.", key, strings.Join(values, ", "))
	return values[0]
}

// list reads a list of strings; in text, comma separated or a JSON list.
func (a *args) list(key string) []string {
	switch v := a.m[key].(type) {
	case nil:
		return nil
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				a.fail(codeNotString, "\"%s\" must be a list of strings.", key)
				return nil
			}
			out = append(out, s)
		}
		return out
	case string:
		if !a.text {
			break
		}
		if list, ok := parsedText(v).([]any); ok {
			return (&args{m: obj{key: list}}).list(key)
		}
		var out []string
		for s := range strings.SplitSeq(v, ",") {
			if s = strings.TrimSpace(s); s != "" {
				out = append(out, s)
			}
		}
		return out
	}
	a.fail(codeNotList, "\"%s\" must be a list.", key)
	return nil
}

func (a *args) object(key string) obj {
	v := a.value(key)
	if v == nil {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		a.fail(codeNotJSON, "\"%s\" must be a JSON object.", key)
	}
	return m
}

// objects reads a list of objects.
func (a *args) objects(key string) []obj {
	v := a.value(key)
	if v == nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		a.fail(codeNotList, "\"%s\" must be a list.", key)
		return nil
	}
	out := make([]obj, 0, len(list))
	for _, e := range list {
		m, ok := e.(map[string]any)
		if !ok {
			a.fail(codeNotJSON, "\"%s\" must be a list of JSON objects.", key)
			return nil
		}
		out = append(out, m)
	}
	return out
}

// value is the bare value; in text it is parsed as JSON if it is JSON.
func (a *args) value(key string) any {
	v := a.m[key]
	if s, ok := v.(string); ok && a.text {
		if p := parsedText(s); p != nil {
			return p
		}
	}
	return v
}

// parsedText is the object or list that s holds, or nil.
func parsedText(s string) any {
	if t := strings.TrimSpace(s); !strings.HasPrefix(t, "{") && !strings.HasPrefix(t, "[") {
		return nil
	}
	var v any
	if decodeJSON([]byte(s), &v) != nil {
		return nil
	}
	return v
}

// stringMap reads an object of strings (metadata).
func (a *args) stringMap(key string) map[string]string {
	m := a.object(key)
	if m == nil {
		return nil
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		s, ok := v.(string)
		if !ok {
			a.fail(codeNotString, "\"%s\" must hold strings.", key)
			return nil
		}
		out[k] = s
	}
	return out
}

// decodeJSON decodes one value and nothing behind it, keeping numbers whole.
func decodeJSON(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}
