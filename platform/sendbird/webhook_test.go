package sendbird

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/postern-chat/postern"
)

var update = flag.Bool("update", false, "write the golden files anew")

const testToken = "0123456789abcdef0123456789abcdef01234567"

func newTestClient(t testing.TB, change func(*Config)) *Client {
	t.Helper()
	cfg := Config{AppID: "APP-ID", APIToken: testToken, Rates: Rates{Channel: -1, User: -1}}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// golden compares what was made of testdata/DIR/NAME.json with NAME.golden beside it.
func golden(t *testing.T, dir string, decode func(body []byte) (any, error)) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", dir, "*.json"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no test data in %s: %v", dir, err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".json"), func(t *testing.T) {
			body, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			if v, err := decode(body); err != nil {
				got = []byte("error: " + postern.KindOf(err).String() + "\n")
			} else {
				got = compact(t, v)
			}
			file := strings.TrimSuffix(name, ".json") + ".golden"
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("differs from %s (-want +got):\n%s", file, d)
			}
		})
	}
}

// compact writes a value as JSON without the fields that are zero.
func compact(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	out, err := json.MarshalIndent(prune(tree), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			e = prune(e)
			if v[k] = e; e == nil || e == "0001-01-01T00:00:00Z" || reflect.ValueOf(e).IsZero() || reflect.DeepEqual(e, map[string]any{}) {
				delete(v, k)
			}
		}
	case []any:
		for i := range v {
			v[i] = prune(v[i])
		}
	}
	return v
}

func TestDecode(t *testing.T) {
	c := newTestClient(t, nil)
	golden(t, "webhook", func(body []byte) (any, error) { return c.Decode(body) })
}

func TestReadMessage(t *testing.T) {
	golden(t, "message", func(body []byte) (any, error) { return readMessage(body) })
}

// What a file's name promises must be in its golden file, whoever wrote that.
func TestGoldenFilesSayWhatTheirNamesPromise(t *testing.T) {
	c := newTestClient(t, nil)
	names, _ := filepath.Glob("testdata/webhook/*.json")
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		e, err := c.Decode(body)
		word, _, _ := strings.Cut(filepath.Base(name), "-")
		want := map[string]postern.ChatEventKind{"send": postern.MessageSent, "update": postern.MessageEdited,
			"delete.json": postern.MessageDeleted, "delete": postern.MessageDeleted, "read.json": postern.MessagesRead, "read": postern.MessagesRead, "other": postern.ChatOther}
		kind, known := want[word]
		switch {
		case word == "bad":
			if postern.KindOf(err) != postern.Invalid {
				t.Errorf("%s: %v", name, err)
			}
		case !known || err != nil || e.Kind != kind:
			t.Errorf("%s: kind %v, %v", name, e.Kind, err)
		}
	}
}

func TestDecodeNeverTakesATruncatedBody(t *testing.T) {
	c := newTestClient(t, nil)
	body := webhookBody()
	for n := range body {
		if _, err := c.Decode(body[:n]); postern.KindOf(err) != postern.Invalid {
			t.Fatalf("the first %d bytes: %v", n, err)
		}
	}
}

func TestMarkOf(t *testing.T) {
	for _, c := range []struct{ data, want string }{
		{``, ""},
		{`{"postern":"abc"}`, "abc"},
		{` {"a":{"postern":"no"},"postern":"abc","b":[1]} `, "abc"},
		{`{"postern":""}`, ""},
		{`{"postern":7}`, ""},
		{`{"postern":{"a":1}}`, ""},
		{`{"postern":"abc"`, ""},
		{`{"postern":"abc"}}`, ""},
		{`["postern","abc"]`, ""},
		{`postern abc is no JSON`, ""},
		{`{"postern":"` + strings.Repeat("x", maxMark) + `"}`, strings.Repeat("x", maxMark)},
		{`{"postern":"` + strings.Repeat("x", maxMark+1) + `"}`, ""},
		{`{"postern":"abc","pad":"` + strings.Repeat("x", maxData) + `"}`, ""},
		{`{"postern":"abc","deep":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`, ""},
	} {
		if got := markOf(c.data); got != c.want {
			t.Errorf("%.60s: got %q, want %q", c.data, got, c.want)
		}
	}
}

func TestVerify(t *testing.T) {
	const master = "feedfacefeedfacefeedfacefeedfacefeedface"
	c := newTestClient(t, func(cfg *Config) { cfg.MasterToken = master })
	body := []byte(`{"url":"https:\/\/a.example\/"}`)
	good := sign(master, body)
	for _, tc := range []struct {
		name        string
		sig, legacy string
		body        []byte
		ok          bool
	}{
		{"both headers", good, good, body, true},
		{"new header", good, "", body, true},
		{"legacy header only", "", good, body, true},
		{"upper case", strings.ToUpper(good), "", body, true},
		{"none", "", "", body, false},
		{"signed with the API token", sign(testToken, body), "", body, false},
		{"wrong new header beside a right legacy one", sign("x", body), good, body, false},
		{"slashes not escaped", good, "", bytes.ReplaceAll(body, []byte(`\/`), []byte(`/`)), false},
		{"body longer", good, "", append(bytes.Clone(body), ' '), false},
		{"too short", good[:62], "", body, false},
		{"too long", good + "00", "", body, false},
		{"empty digest", "", "00", body, false},
		{"not hexadecimal", strings.Repeat("z", 64), "", body, false},
		{"another product's form", "sha1=" + good[:59], "", body, false},
	} {
		h := http.Header{}
		if tc.sig != "" {
			h.Set("x-sendbird-signature", tc.sig)
		}
		if tc.legacy != "" {
			h.Set("x-signature", tc.legacy)
		}
		err := c.Verify(h, tc.body)
		if tc.ok != (err == nil) || err != nil && postern.KindOf(err) != postern.Denied {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestVerifyUsesTheAPITokenIfThereIsNoMasterToken(t *testing.T) {
	body := []byte("{}")
	h := http.Header{}
	h.Set("x-sendbird-signature", sign(testToken, body))
	if err := newTestClient(t, nil).Verify(h, body); err != nil {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, dir := range []string{"webhook", "message"} {
		names, _ := filepath.Glob(filepath.Join("testdata", dir, "*.json"))
		for _, name := range names {
			body, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(body)
		}
	}
	for _, s := range jsonSamples {
		f.Add([]byte(s))
	}
	c := newTestClient(f, nil)
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		e, err := c.Decode(body)
		if !bytes.Equal(before, body) {
			t.Fatal("Decode changed the body")
		}
		sameVerdict(t, body)
		sameString(t, body)
		switch {
		case err != nil:
			if postern.KindOf(err) != postern.Invalid || e.Kind != postern.ChatOther {
				t.Fatalf("error %v with event %+v", err, e)
			}
			return
		case !json.Valid(body):
			t.Fatal("took what is no JSON")
		}
		if e.Kind == postern.MessageSent && (e.Channel.ID == "" || e.Message.ID == "" || e.Message.Channel != e.Channel.ID) {
			t.Fatalf("incomplete: %+v", e)
		}
		if e.HasMembers != (len(e.Members) > 0) || len(e.Message.Mark) > maxMark {
			t.Fatalf("%+v", e)
		}
		if _, err := json.Marshal(e); err != nil {
			t.Fatalf("cannot be written down: %v", err)
		}
		if strings.ContainsRune(e.Message.Text, 0) {
			t.Fatal("U+0000 in the text")
		}
		_, _, _ = readMembers(body)
		_, _ = readMessages(body)
		_ = readRefusal(body)
	})
}
