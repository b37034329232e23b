package quick

import (
	"encoding/json"
	"testing"
)

func FuzzString(f *testing.F) {
	for _, s := range []string{"", "plain words", `"\`, "<&>", "\x00\x1f\x7f", "\xff\xfe", "\u00fc\u2028\U0001f600", "a\tb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := json.Marshal(map[string]string{"a": s, "b": s})
		if err != nil {
			t.Fatal(err)
		}
		b := String(Name(String(Name([]byte("{"), "a"), s), "b"), s)
		if got := string(append(b, '}')); got != string(want) {
			t.Errorf("%q is written %s, not %s", s, got, want)
		}
	})
}

func TestField(t *testing.T) {
	if got := string(Field(Field(Field([]byte("{"), "a", ""), "b", "x"), "c", "y")); got != `{"b":"x","c":"y"` {
		t.Error(got)
	}
}
