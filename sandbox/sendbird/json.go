package sendbird

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sort"
	"strconv"
	"unicode/utf8"
)

// obj is a JSON object under construction. Handlers build fresh ones, so that nothing of the state escapes its lock.
type obj = map[string]any

// encode writes v as the service does: compact, ASCII only, slashes as \/. Keys come in an order drawn from r, or
// sorted when r is nil.
func encode(v any, r *rand.Rand) []byte {
	return appendJSON(nil, v, r)
}

func appendJSON(b []byte, v any, r *rand.Rand) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case string:
		return appendString(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		return strconv.AppendFloat(b, v, 'g', -1, 64)
	case json.Number:
		return append(b, v.String()...)
	case map[string]any:
		return appendMap(b, v, r)
	case map[string]string:
		return appendMap(b, v, r)
	case map[string]int64:
		return appendMap(b, v, r)
	case map[string]int:
		return appendMap(b, v, r)
	case []any:
		return appendList(b, v, r)
	case []string:
		return appendList(b, v, r)
	case []map[string]any:
		return appendList(b, v, r)
	}
	return appendOther(b, v, r)
}

// appendOther takes what has no case of its own the long way, through encoding/json and back.
func appendOther(b []byte, v any, r *rand.Rand) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("sendbird: cannot encode %T: %v", v, err)) // only our own types come here
	}
	var plain any
	if err := decodeJSON(raw, &plain); err != nil {
		panic(fmt.Sprintf("sendbird: cannot decode %T again: %v", v, err))
	}
	return appendJSON(b, plain, r)
}

func appendMap[V any](b []byte, m map[string]V, r *rand.Rand) []byte {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	if r != nil {
		r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	}
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, k)
		b = append(b, ':')
		b = appendJSON(b, m[k], r)
	}
	return append(b, '}')
}

func appendList[V any](b []byte, list []V, r *rand.Rand) []byte {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, v, r)
	}
	return append(b, ']')
}

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, c := range s { // invalid UTF-8 comes out as U+FFFD
		switch {
		case c == '"' || c == '\\' || c == '/':
			b = append(b, '\\', byte(c))
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c < 0x20 || c == 0x7f || c >= utf8.RuneSelf && c < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, c)
		case c >= 0x10000:
			c -= 0x10000
			b = fmt.Appendf(b, `\u%04x\u%04x`, 0xd800+c>>10, 0xdc00+c&0x3ff)
		default:
			b = append(b, byte(c))
		}
	}
	return append(b, '"')
}
