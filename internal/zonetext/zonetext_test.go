package zonetext

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"":                       `""`,
		"v=spf1 -all":            `"v=spf1 -all"`,
		`a "b" \c`:               `"a \"b\" \\c"`,
		"\x00\x7fé":              `"\000\127\195\169"`,
		strings.Repeat("x", 255): `"` + strings.Repeat("x", 255) + `"`,
		strings.Repeat("x", 256): `"` + strings.Repeat("x", 255) + `" "x"`,
	} {
		if have := Quote(text, Decimal); have != want {
			t.Errorf("%q is %s, want %s", text, have, want)
		}
	}
}

func TestJoin(t *testing.T) {
	for _, test := range []struct{ parts, want string }{
		{"", ""}, {"a|b", "ab"}, {`\"|\\`, `"\`}, {`\065\255`, "A\xff"}, {`\256`, "256"}, {`\06`, "06"}, {`x\`, `x\`},
	} {
		if have := Join(strings.Split(test.parts, "|")); have != test.want {
			t.Errorf("%s is %q, want %q", test.parts, have, test.want)
		}
	}
}

func TestThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(rapid.Byte(), 0, 700).Draw(t, "text"))
		parts := Strings(text, Decimal)
		if have := Join(parts); have != text {
			t.Fatalf("%q became %q by %q", text, have, parts)
		}
		raw := Strings(text, func(c byte) string { return string([]byte{c}) })
		if len(parts) != max(1, (len(text)+254)/255) || slices.ContainsFunc(raw, func(s string) bool { return len(s) > 2*maxString }) {
			t.Fatalf("%d bytes became %d strings", len(text), len(parts))
		}
	})
}
