package sendbird

import (
	"encoding/json"
	"strings"
	"testing"
)

// The standard library is the judge of what JSON is.

var jsonSamples = []string{
	``, ` `, `{}`, `[]`, `{"a":1}`, `{"a":1,}`, `{,}`, `[1,]`, `[,1]`, `[1 2]`, `{"a" 1}`, `{"a":}`, `{a:1}`, `{"a":1 "b":2}`,
	`[`, `{`, `{"a"`, `{"a":`, `"`, `"\`, `"\u12`, `]`, `}`, `[}`, `{]`, `[[]`, `[]]`, `{}{}`, `1 2`,
	`0`, `-0`, `01`, `-`, `1.`, `.5`, `1.5`, `1e`, `1e+`, `1e+5`, `-1.5E-7`, `+1`, `1.2.3`, `0x1`, `NaN`, `--1`,
	`true`, `tru`, `trueX`, `null`, `nul`, `false`, `fals`, `nulll`,
	`"a"`, `"\/\b\f\n\r\t\"\\"`, `"\x"`, `"\u00e9"`, `"\uD83D\uDE00"`, `"\uD83D"`, `"\uD83Dx"`, `"\uDE00\uD83D"`, `"\u00zz"`,
	"\"a\x01\"", "\"\xff\xfe\"", "\"\xed\xa0\x80\"", "\"tab\there\"", "\"new\nline\"", "\x00", "{}\x00", "\ufeff{}",
	` { "a" : [ 1 , true , null , { } ] , "b" : "c" } `, `{"\u0061":1}`, `{"a":1,"a":2}`,
	strings.Repeat("[", 150) + strings.Repeat("]", 150),
}

func TestReaderAcceptsWhatEncodingJSONAccepts(t *testing.T) {
	for _, s := range jsonSamples {
		sameVerdict(t, []byte(s))
	}
}

func sameVerdict(t *testing.T, b []byte) {
	t.Helper()
	r := reader{b: b}
	r.skip()
	err := r.end()
	if err == errDeep {
		return
	}
	if valid := json.Valid(b); valid != (err == nil) {
		t.Errorf("%.80q: encoding/json says valid=%v, reader says %v", b, valid, err)
	}
}

func TestReaderReadsStringsAsEncodingJSONDoes(t *testing.T) {
	for _, s := range jsonSamples {
		sameString(t, []byte(s))
	}
}

func sameString(t *testing.T, b []byte) {
	t.Helper()
	var want string
	if json.Unmarshal(b, &want) != nil || strings.TrimSpace(string(b)) == "null" {
		return
	}
	r := reader{b: b}
	got := r.str()
	if err := r.end(); err != nil {
		t.Errorf("%q: %v", b, err)
	}
	// The one difference that is meant.
	want = strings.ReplaceAll(want, "\x00", "\ufffd")
	if got != want {
		t.Errorf("%q: got %q, want %q", b, got, want)
	}
}

func TestReaderBoundsDepth(t *testing.T) {
	for _, c := range []struct {
		depth int
		want  error
	}{{maxDepth, nil}, {maxDepth + 1, errDeep}, {1_000_000, errDeep}} {
		for _, pair := range []string{"[]", "{}"} {
			open := pair[:1]
			if open == "{" {
				open = `{"a":`
			}
			s := strings.Repeat(open, c.depth-1) + pair + strings.Repeat(pair[1:], c.depth-1)
			r := reader{b: []byte(s)}
			r.skip()
			if err := r.end(); err != c.want {
				t.Errorf("%d levels of %s: got %v, want %v", c.depth, pair, err, c.want)
			}
		}
	}
}

func TestReaderIsTolerantOfTypes(t *testing.T) {
	for _, c := range []struct {
		in   string
		str  string
		num  int64
		flag bool
	}{
		{`"x"`, "x", 0, false},
		{`12`, "12", 12, false},
		{`"12"`, "12", 12, false},
		{`1`, "1", 1, true},
		{`"1"`, "1", 1, true},
		{`0`, "0", 0, false},
		{`1.9`, "1.9", 1, false},
		{`1.7e12`, "1.7e12", 1700000000000, false},
		{`1e400`, "1e400", 0, false},
		{`99999999999999999999`, "99999999999999999999", 0, false},
		{`-5`, "-5", -5, false},
		{`true`, "", 0, true},
		{`"true"`, "true", 0, true},
		{`"false"`, "false", 0, false},
		{`null`, "", 0, false},
		{`{"a":[1]}`, "", 0, false},
		{`[1,{"a":2}]`, "", 0, false},
	} {
		in := []byte(c.in)
		a, b, d := reader{b: in}, reader{b: in}, reader{b: in}
		if got := a.str(); got != c.str || a.end() != nil {
			t.Errorf("%s: str gives %q, %v", c.in, got, a.end())
		}
		if got := b.integer(); got != c.num || b.end() != nil {
			t.Errorf("%s: integer gives %d, %v", c.in, got, b.end())
		}
		if got := d.boolean(false); got != c.flag || d.end() != nil {
			t.Errorf("%s: boolean gives %v, %v", c.in, got, d.end())
		}
	}
	absent := reader{b: []byte("null")}
	if !absent.boolean(true) {
		t.Error("null is not the default")
	}
}
