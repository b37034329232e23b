package sendbird

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
)

func TestPostText(t *testing.T) {
	type seen struct {
		method, path, token, contentType string
		body                             map[string]any
	}
	var got []seen
	api := fakeAPI(t, func(w http.ResponseWriter, r *http.Request) {
		s := seen{method: r.Method, path: r.URL.EscapedPath(), token: r.Header.Get("Api-Token"), contentType: r.Header.Get("Content-Type")}
		if err := json.NewDecoder(r.Body).Decode(&s.body); err != nil {
			t.Error(err)
		}
		got = append(got, s)
		io.WriteString(w, `{"message_id":9007199254740993,"type":"MESG"}`)
	})
	p := textPost
	p.Channel, p.Text = "sales/a b", "Größe <42> & \"ok\"\n😀"
	id, err := api.Post(bg, p)
	if err != nil || id != "9007199254740993" {
		t.Fatalf("%q, %v", id, err)
	}
	p.User = ""
	if _, err := api.Post(bg, p); err != nil {
		t.Fatal(err)
	}
	user, admin := got[0], got[1]
	if user.method != "POST" || user.path != "/v3/group_channels/sales%2Fa%20b/messages" || user.token != testToken || !strings.HasPrefix(user.contentType, "application/json") {
		t.Errorf("%+v", user)
	}
	for k, v := range map[string]any{"message_type": "MESG", "user_id": "dimitri", "message": p.Text, "custom_type": "postern", "data": `{"postern":"mark.1"}`, "mark_as_read": false} {
		if user.body[k] != v {
			t.Errorf("%s: %v", k, user.body[k])
		}
	}
	if _, has := admin.body["user_id"]; has || admin.body["message_type"] != "ADMM" || admin.body["data"] != `{"postern":"mark.1"}` {
		t.Errorf("admin: %v", admin.body)
	}
	// Every try of one post has the same id, another post another.
	if d := user.body["dedup_id"]; d != admin.body["dedup_id"] || d == "" || dedupID("p1") == dedupID("p2") {
		t.Errorf("dedup_id %v, %v", d, admin.body["dedup_id"])
	}
	if markOf(user.body["data"].(string)) != "mark.1" {
		t.Error("our own mark is not found again")
	}
}

func TestMembersThroughAllPages(t *testing.T) {
	var asked []url.Values
	api := fakeAPI(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query())
		if r.Method != "GET" || r.URL.Path != "/v3/group_channels/ch/members" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		pages := map[string]string{
			"": `{"members":[{"user_id":"a","nickname":"A","is_active":true,"is_online":true,"state":"joined","read_ts":1750000000001,"delivered_ts":1750000000002,"metadata":{},"role":"operator"},
			      {"user_id":"b","is_active":false,"is_online":false,"state":"invited","read_ts":0,"delivered_ts":null}],"next":"t+/="}`,
			"t+/=": `{"next":"u","members":[{"user_id":"b","is_active":true},{"user_id":"c","is_active":true,"state":"joined","last_seen_at":-1}]}`,
			"u":    `{"members":[{"user_id":"d"}],"next":""}`,
		}
		io.WriteString(w, pages[r.URL.Query().Get("token")])
	})
	got, err := api.Members(bg, "ch")
	if err != nil {
		t.Fatal(err)
	}
	want := []postern.Member{
		{User: postern.User{ID: "a", Name: "A"}, Online: true, Active: true, Joined: true, ReadAt: time.UnixMilli(1750000000001).UTC(), DeliveredAt: time.UnixMilli(1750000000002).UTC()},
		{User: postern.User{ID: "b"}},
		{User: postern.User{ID: "c"}, Active: true, Joined: true},
		{User: postern.User{ID: "d"}, Active: true, Joined: true},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
	for _, q := range asked {
		for k, v := range map[string]string{"limit": "100", "member_state_filter": "all", "show_read_receipt": "true", "show_delivery_receipt": "true"} {
			if q.Get(k) != v {
				t.Errorf("%s is %q", k, q.Get(k))
			}
		}
	}
}

func TestMembersEndSomewhere(t *testing.T) {
	calls := 0
	for name, c := range map[string]struct {
		page func(n int) string
		kind postern.Kind
		most int
	}{
		"the same token for ever":  {func(int) string { return `{"members":[{"user_id":"a"}],"next":"t"}` }, postern.Temporary, 2},
		"two tokens in turn":       {func(n int) string { return fmt.Sprintf(`{"members":[{"user_id":"a"}],"next":"t%d"}`, n%2) }, postern.Temporary, 3},
		"empty pages for ever":     {func(n int) string { return fmt.Sprintf(`{"members":[],"next":"t%d"}`, n) }, postern.Temporary, 1},
		"always more":              {func(n int) string { return hundred(n) }, postern.Permanent, 201},
		"a member without end":     {func(n int) string { return fmt.Sprintf(`{"members":[{"user_id":"a"}],"next":"t%d"}`, n) }, postern.Temporary, 2},
		"an error on the way":      {func(n int) string { return map[bool]string{true: hundred(n), false: "{"}[n == 0] }, postern.Temporary, 2},
		"members are not a list":   {func(n int) string { return `{"members":{},"next":""}` }, postern.Temporary, 1},
		"members are not there":    {func(n int) string { return `{"next":""}` }, postern.Temporary, 1},
		"the whole is not a thing": {func(n int) string { return `null` }, postern.Temporary, 1},
	} {
		calls = 0
		api := fakeAPI(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, c.page(calls)); calls++ })
		list, err := api.Members(bg, "ch")
		wantError(t, name, err, c.kind, 0, "")
		if list != nil || calls > c.most {
			t.Errorf("%s: %d members, %d calls", name, len(list), calls)
		}
	}
}

func hundred(page int) string {
	list := make([]string, 100)
	for i := range list {
		list[i] = fmt.Sprintf(`{"user_id":"u%d-%d"}`, page, i)
	}
	return fmt.Sprintf(`{"members":[%s],"next":"t%d"}`, strings.Join(list, ","), page)
}

func TestMessages(t *testing.T) {
	api := fakeAPI(t, func(w http.ResponseWriter, r *http.Request) {
		want := url.Values{"message_ts": {"1750000000321"}, "prev_limit": {"0"}, "next_limit": {"200"}, "include": {"true"}, "include_reply_type": {"ALL"}, "including_removed": {"true"}}
		if r.URL.Path != "/v3/group_channels/ch/messages" || r.URL.RawQuery != want.Encode() {
			t.Errorf("asked for %s", r.URL)
		}
		io.WriteString(w, `{"messages":[{"message_id":1000,"created_at":2,"message":"c","type":"MESG","user":{"user_id":"a"},"data":"{\"postern\":\"m\"}"},
			{"message_id":999,"created_at":2,"message":"b","type":"MESG","is_removed":true},{"message_id":5,"created_at":1,"type":"ADMM","message":"a","user":null},{"created_at":9},7]}`)
	})
	got, err := api.Messages(bg, "ch", time.UnixMilli(1750000000321))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0].ID != "5" || got[1].ID != "999" || got[2].ID != "1000" {
		t.Fatalf("got %+v", got)
	}
	if got[0].Type != postern.AdminMessage || !got[1].Removed || got[2].Mark != "m" || got[2].Sender.ID != "a" || got[2].Channel != "ch" {
		t.Errorf("got %+v", got)
	}
}

func TestMessagesFromTheBeginning(t *testing.T) {
	api := fakeAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if ts := r.URL.Query().Get("message_ts"); ts != "0" {
			t.Errorf("message_ts %q", ts)
		}
		io.WriteString(w, `{"messages":[]}`)
	})
	if got, err := api.Messages(bg, "ch", time.Time{}); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestChannelAndMessage(t *testing.T) {
	api := fakeAPI(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v3/group_channels/ch":
			io.WriteString(w, `{"channel_url":"ch","name":"Support","custom_type":"help","is_super":true,"max_length_message":-1,"channel":{"name":"old","channel_url":"old"}}`)
		case "/v3/group_channels/ch/messages/77":
			io.WriteString(w, `{"message_id":"77","type":"FILE","file":{"url":"https://file-eu-1.sendbird.com/x","name":"x","type":"text/plain","size":3}}`)
		default:
			t.Errorf("asked for %s", r.URL)
		}
	})
	ch, err := api.Channel(bg, "ch")
	if want := (postern.Channel{ID: "ch", Name: "Support", CustomType: "help", Large: true, MaxMessageLength: -1}); err != nil || ch != want {
		t.Errorf("%+v, %v", ch, err)
	}
	m, err := api.Message(bg, "ch", "77")
	if err != nil || m.Type != postern.FileMessage || len(m.Files) != 1 || m.Files[0].Size != 3 || m.Channel != "ch" {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestMarks(t *testing.T) {
	var got []string
	api := fakeAPI(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.URL.Path+" "+string(b))
		io.WriteString(w, `{}`)
	})
	if err := errors.Join(api.MarkDelivered(bg, "ch", "bob@example.com"), api.MarkRead(bg, "ch", "bob@example.com")); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`PUT /v3/group_channels/ch/messages/mark_as_delivered {"user_id":"bob@example.com"}`,
		`PUT /v3/group_channels/ch/messages/mark_as_read {"user_id":"bob@example.com"}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
