package mailgun

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Mailgun writes "nothing" as [], {}, null, "" or by leaving the member out, and
// numbers as strings. A tree read by these helpers takes all of that: what is not
// there, or is something else, reads as empty.

type object = map[string]any

// parseTree reads one JSON value. Numbers keep their digits.
func parseTree(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one JSON value")
	}
	return v, nil
}

// canonical appends a form of v that does not depend on the order of members, white
// space or escapes, and that no other value has. For a digest; nobody reads it.
func canonical(b []byte, v any) []byte {
	text := func(kind byte, s string) []byte {
		b = append(b, kind)
		b = binary.AppendUvarint(b, uint64(len(s)))
		return append(b, s...)
	}
	switch v := v.(type) {
	case string:
		return text('s', v)
	case json.Number:
		return text('n', v.String())
	case bool:
		if v {
			return append(b, 't')
		}
		return append(b, 'f')
	case []any:
		b = append(b, '[')
		for _, item := range v {
			b = canonical(b, item)
		}
		return append(b, ']')
	case object:
		b = append(b, '{')
		for _, name := range slices.Sorted(maps.Keys(v)) {
			b = text('s', name)
			b = canonical(b, v[name])
		}
		return append(b, '}')
	}
	return append(b, '0')
}

// obj is an object, also one inside a string (the Logs API's user-variables). A nil map
// can be read from.
func obj(v any) object {
	if s, ok := v.(string); ok && strings.HasPrefix(s, "{") {
		v, _ = parseTree([]byte(s))
	}
	o, _ := v.(object)
	return o
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// str is a string or number as text, cleaned, at most limit bytes.
func str(v any, limit int) string {
	switch v := v.(type) {
	case string:
		return clean(v, limit)
	case json.Number:
		return clean(v.String(), limit)
	}
	return ""
}

// num is a number, or a string that holds one; 0 for anything else.
func num(v any) float64 {
	f, err := strconv.ParseFloat(str(v, 64), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

func truth(v any) bool {
	b, _ := v.(bool)
	return b || str(v, 8) == "true"
}

// moment is a time: Unix seconds with a fraction, or RFC 3339 (the Logs API). The zero
// time for anything else.
func moment(v any) time.Time {
	s := str(v, 64)
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.UTC()
	}
	f := num(v)
	if f <= 0 || f > 1e11 {
		return time.Time{}
	}
	return time.UnixMicro(int64(math.Round(f * 1e6))).UTC()
}

// seconds is a span of time; at most a week.
func seconds(v any) time.Duration {
	f := num(v)
	if f <= 0 {
		return 0
	}
	return time.Duration(min(f, 7*24*3600) * float64(time.Second))
}

// bareID is a Message-ID without its angle brackets: webhooks leave them out, answers do not.
func bareID(id string) string {
	return strings.Trim(clean(id, 1000), "<> ")
}

// clean makes text safe to store and to log: valid UTF-8, no control characters, at
// most limit bytes, no white space around it.
func clean(s string, limit int) string {
	if len(s) > limit {
		s = cut(s, limit)
	}
	if plain(s) {
		return strings.TrimSpace(s)
	}
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r // an invalid byte arrives as U+FFFD and is written as such
	}, s)
	return strings.TrimSpace(cut(s, limit))
}

func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// cut shortens s to at most limit bytes without breaking a character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for i := limit; i > 0 && i > limit-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			return s[:i]
		}
	}
	return s[:limit]
}
