package sendbird

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEncodeIsASCIIAndMeansTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := map[string]any{}
		for range rapid.IntRange(0, 6).Draw(t, "n") {
			in[rapid.String().Draw(t, "key")] = rapid.OneOf(
				rapid.Map(rapid.String(), func(s string) any { return s }),
				rapid.Map(rapid.Bool(), func(b bool) any { return b }),
				rapid.Map(rapid.SliceOf(rapid.String()), func(l []string) any {
					out := []any{}
					for _, s := range l {
						out = append(out, s)
					}
					return out
				}),
			).Draw(t, "value")
		}
		raw := encode(in, rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "seed"))))
		for i, b := range raw {
			if b < 0x20 || b >= 0x7f {
				t.Fatalf("byte %#x in %s", b, raw)
			}
			if b == '/' && raw[i-1] != '\\' {
				t.Fatalf("bare slash in %s", raw)
			}
		}
		var back any
		if err := json.Unmarshal(raw, &back); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		a, _ := json.Marshal(in)
		b, _ := json.Marshal(back)
		if string(a) != string(b) {
			t.Fatalf("%s became %s", a, b)
		}
	})
}

func TestEncodeGolden(t *testing.T) {
	v := obj{"b": "a/b \"é\" 🙂\n\x01", "a": []string{}, "c": map[string]int64{"x": 1700000000123}, "d": nil, "e": []obj{{"k": true}}}
	want(t, "sorted", string(encode(v, nil)),
		`{"a":[],"b":"a\/b \"\u00e9\" \ud83d\ude42\n\u0001","c":{"x":1700000000123},"d":null,"e":[{"k":true}]}`)
	seen := map[string]bool{}
	for n := range uint64(20) {
		seen[string(encode(v, rand.New(rand.NewPCG(1, n))))] = true
	}
	if len(seen) < 5 {
		t.Errorf("20 shufflings gave %d orders", len(seen))
	}
}

func TestAnswersAndErrors(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Webhook = Webhook{} })
	w.user("ana")
	for name, c := range map[string]struct {
		method, path string
		body         any
		code         int
		message      string
	}{
		"unknown user":      {"GET", "/v3/users/nobody", nil, 400201, `"User" not found.`},
		"unknown channel":   {"GET", "/v3/group_channels/nope1", nil, 400201, `"Channel" not found.`},
		"no nickname":       {"POST", "/v3/users", obj{"user_id": "x", "profile_url": ""}, 400105, "nickname must be required."},
		"null is absent":    {"POST", "/v3/users", obj{"user_id": "x", "profile_url": "", "nickname": nil}, 400105, "nickname must be required."},
		"no profile_url":    {"POST", "/v3/users", obj{"user_id": "x", "nickname": "X"}, 400105, "profile_url must be required."},
		"blank id":          {"POST", "/v3/users", obj{"user_id": " ", "nickname": "X", "profile_url": ""}, 400151, ""},
		"string wanted":     {"POST", "/v3/users", obj{"user_id": 5, "nickname": "X", "profile_url": ""}, 400100, ""},
		"number wanted":     {"PUT", "/v3/users/ana", obj{"last_seen_at": "soon"}, 400101, ""},
		"list wanted":       {"PUT", "/v3/users/ana", obj{"discovery_keys": "a"}, 400102, ""},
		"object wanted":     {"POST", "/v3/users/ana/metadata", obj{"metadata": []string{"a"}}, 400103, ""},
		"boolean wanted":    {"PUT", "/v3/users/ana", obj{"is_active": "yes"}, 400104, ""},
		"duplicate":         {"POST", "/v3/users", obj{"user_id": "ana", "nickname": "", "profile_url": ""}, 400202, ""},
		"long id":           {"POST", "/v3/users", obj{"user_id": strings.Repeat("é", 81), "nickname": "", "profile_url": ""}, 400305, ""},
		"long nickname":     {"POST", "/v3/users", obj{"user_id": "x", "nickname": strings.Repeat("n", 81), "profile_url": ""}, 400110, ""},
		"long profile":      {"POST", "/v3/users", obj{"user_id": "x", "nickname": "", "profile_url": strings.Repeat("u", 2049)}, 400110, ""},
		"languages":         {"PUT", "/v3/users/ana", obj{"preferred_languages": []string{"a", "b", "c", "d", "e"}}, 400203, ""},
		"bad JSON":          {"POST", "/v3/users", `{"user_id":`, 400403, ""},
		"two values":        {"POST", "/v3/users", `{} {}`, 400403, ""},
		"a list":            {"POST", "/v3/users", `[]`, 400403, ""},
		"unknown endpoint":  {"GET", "/v3/nothing", nil, 400930, ""},
		"unknown method":    {"DELETE", "/v3/users", nil, 400930, ""},
		"outside v3":        {"GET", "/v2/users", nil, 400930, ""},
		"page too long":     {"GET", "/v3/users?limit=101", nil, 400113, ""},
		"page zero":         {"GET", "/v3/users?limit=0", nil, 400113, ""},
		"page negative":     {"GET", "/v3/users?limit=-1", nil, 400106, ""},
		"page no number":    {"GET", "/v3/users?limit=ten", nil, 400101, ""},
		"bad page token":    {"GET", "/v3/users?token=%21", nil, 400111, ""},
		"self block":        {"POST", "/v3/users/ana/block", obj{"target_id": "ana"}, 400112, ""},
		"unknown in set":    {"GET", "/v3/users?active_mode=some", nil, 400111, ""},
		"bad channel url":   {"POST", "/v3/group_channels", obj{"user_ids": []string{"ana"}, "channel_url": "a b!"}, 400151, ""},
		"short channel url": {"POST", "/v3/group_channels", obj{"user_ids": []string{"ana"}, "channel_url": "abc"}, 400151, ""},
		"long name":         {"POST", "/v3/group_channels", obj{"user_ids": []string{"ana"}, "name": strings.Repeat("n", 192)}, 400110, ""},
		"long custom type":  {"POST", "/v3/group_channels", obj{"user_ids": []string{"ana"}, "custom_type": strings.Repeat("n", 129)}, 400110, ""},
		"no members":        {"POST", "/v3/group_channels", obj{"name": "x"}, 400105, ""},
		"strict":            {"POST", "/v3/group_channels", obj{"user_ids": []string{"ana", "zoe"}, "strict": true}, 400111, ""},
		"distinct super":    {"POST", "/v3/group_channels", obj{"user_ids": []string{"ana"}, "is_distinct": true, "is_super": true}, 400111, ""},
		"too many ids":      {"POST", "/v3/group_channels", obj{"user_ids": make100plus()}, 400203, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{t: t, s: w.s, url: w.url, http: w.http}
			a := w.refused(c.method, c.path, c.body, 400, c.code)
			want(t, "keys", keys(a.obj), "code error message")
			want(t, "content type", a.head.Get("Content-Type"), "application/json")
			if c.message != "" {
				want(t, "message", a.obj["message"], c.message)
			}
		})
	}
}

func make100plus() []string {
	var ids []string
	for i := range 101 {
		ids = append(ids, "u"+string(rune('0'+i%10)))
	}
	return ids
}

func TestTokensAndCallers(t *testing.T) {
	w := newWorld(t)
	as := func(token, method, path string) answer {
		req, _ := http.NewRequest(method, w.url+path, nil)
		if token != "" {
			req.Header.Set("Api-Token", token)
		}
		return w.send(req)
	}
	for _, token := range []string{"", "wrong", testToken + "0"} {
		a := as(token, "GET", "/v3/users")
		want(t, "status of "+token, a.status, 400)
		want(t, "code of "+token, a.obj["code"], 400401)
	}
	want(t, "message without a token", as("", "GET", "/v3/users").obj["message"], "Not valid Api-Token. Api-Token is missing.")

	second := w.ok("POST", "/v3/applications/api_tokens", nil)["token"].(string)
	want(t, "length", len(second), 40)
	want(t, "secondary", as(second, "GET", "/v3/users").status, 200)
	want(t, "secondary makes no tokens", as(second, "POST", "/v3/applications/api_tokens").obj["code"], 400108)
	want(t, "listed", dig(w.ok("GET", "/v3/applications/api_tokens", nil), "api_tokens", 0, "token"), second)
	w.ok("GET", "/v3/applications/api_tokens/"+second, nil)
	w.ok("DELETE", "/v3/applications/api_tokens/"+second, nil)
	want(t, "revoked", as(second, "GET", "/v3/users").obj["code"], 400401)
	w.refused("GET", "/v3/applications/api_tokens/"+second, nil, 400, 400201)

	const list = "/v3/applications/settings/ip_whitelist"
	w.refused("PUT", list, obj{"ip_whitelist_addresses": []string{"here"}}, 400, 400111)
	w.ok("PUT", list, obj{"ip_whitelist_addresses": []string{"127.0.0.0/8"}})
	w.ok("PUT", list, obj{"ip_whitelist_addresses": []string{"192.0.2.1"}})
	want(t, "both", dig(w.ok("GET", list, nil), "ip_whitelist_addresses"), "[127.0.0.0/8 192.0.2.1]")
	w.ok("DELETE", list+"?ip_whitelist_addresses=127.0.0.0/8", nil)
	w.refused("GET", "/v3/users", nil, 400, 400108)

	w.ok("POST", "/_emulator/reset", nil)
	w.ok("PUT", "/_emulator/available", obj{"available": false})
	w.refused("GET", "/v3/users", nil, 403, 403100)
}

// TestContentTypes: what stands in Content-Type does not matter for JSON.
func TestContentTypes(t *testing.T) {
	w := newWorld(t)
	for i, kind := range []string{"application/json; charset=utf8", "application/json, charset=utf8", "text/plain", "", ";;", "multipart/form-data"} {
		req, _ := http.NewRequest("POST", w.url+"/v3/users", strings.NewReader(`{"user_id":"u`+string(rune('a'+i))+`","nickname":"","profile_url":""}`))
		req.Header.Set("Api-Token", testToken)
		req.Header.Set("Content-Type", kind)
		want(t, kind, w.send(req).status, 200)
	}
}

func TestAnswerStyle(t *testing.T) {
	w := newWorld(t)
	a := w.do("POST", "/v3/users", obj{"user_id": "ana", "nickname": "Åsa", "profile_url": "https://img.example/a.png"})
	for _, part := range []string{`"profile_url":"https:\/\/img.example\/a.png"`, `"nickname":"\u00c5sa"`} {
		if !strings.Contains(string(a.raw), part) {
			t.Errorf("%s is not in %s", part, a.raw)
		}
	}
	if strings.Contains(string(a.raw), ": ") || strings.Contains(string(a.raw), ", ") {
		t.Errorf("not compact: %s", a.raw)
	}
	want(t, "empty answer", string(w.do("DELETE", "/v3/users/ana", nil).raw), "{}")
}
