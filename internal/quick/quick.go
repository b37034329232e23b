// Package quick writes JSON strings without reflection, for what is written for every
// webhook. It holds nothing else: whatever is written now and then goes by encoding/json.
package quick

import (
	"encoding/json"
	"unicode/utf8"
)

// String appends s as a JSON string, in the same bytes as json.Marshal.
func String(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c == 0x7f {
			quoted, _ := json.Marshal(s) // a string: never fails
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// Field appends a field of an object that json.Marshal would write for a string with
// "omitempty": nothing if it is empty. b ends behind the brace or behind a field.
func Field(b []byte, name, s string) []byte {
	if s == "" {
		return b
	}
	b = Name(b, name)
	return String(b, s)
}

// Name appends a field's name, which is plain, and the colon.
func Name(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	return append(append(append(b, '"'), name...), `":`...)
}
