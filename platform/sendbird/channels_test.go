package sendbird

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/postern-chat/postern"
)

func TestChannels(t *testing.T) {
	var asked []url.Values
	api := fakeAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if asked = append(asked, r.URL.Query()); r.Method != "GET" || r.URL.Path != "/v3/group_channels" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		switch r.URL.Query().Get("token") {
		case "":
			io.WriteString(w, `{"channels":[
 {"name":"Support","channel_url":"c1","created_at":1700000000,"is_super":false,"max_length_message":-1,"members":[{"user_id":"x"}],
  "last_message":{"message_id":238303377,"type":"MESG","message":"Hi","data":"","silent":false,"created_at":1750000000123,"user":{"user_id":"ana","nickname":"Ana"}},"channel":{"channel_url":"nested"}},
 {"channel_url":"c2","last_message":null},
 {"name":"no url","last_message":{"message_id":1}},
 {"channel_url":"c3","is_super":true,"last_message":{"message_id":"9","type":"ADMM","message":"x","data":"{\"postern\":\"m\"}","created_at":1750000000001,"user":null}}],
 "next":"n+/="}`)
		default:
			io.WriteString(w, `{"next":"","channels":[]}`)
		}
	})
	list, next, err := api.Channels(bg, "")
	if err != nil || next != "n+/=" || len(list) != 3 {
		t.Fatalf("%+v, %q, %v", list, next, err)
	}
	first := postern.ChatMessage{ID: "238303377", Channel: "c1", Sender: postern.User{ID: "ana", Name: "Ana"}, Text: "Hi", CreatedAt: time.UnixMilli(1750000000123).UTC()}
	if got := list[0]; got.Channel != (postern.Channel{ID: "c1", Name: "Support", MaxMessageLength: -1}) || got.Last.ID != first.ID || got.Last.Channel != "c1" || got.Last.Sender != first.Sender || !got.Last.CreatedAt.Equal(first.CreatedAt) {
		t.Errorf("got %+v", got)
	}
	if got := list[1]; got.Channel.ID != "c2" || got.Last.ID != "" || !got.Last.CreatedAt.IsZero() {
		t.Errorf("a channel without a message: %+v", got)
	}
	if got := list[2]; !got.Channel.Large || got.Last.Type != postern.AdminMessage || got.Last.Mark != "m" || got.Last.ID != "9" {
		t.Errorf("got %+v", got)
	}
	if list, next, err = api.Channels(bg, next); err != nil || next != "" || len(list) != 0 {
		t.Errorf("%+v, %q, %v", list, next, err)
	}
	want := url.Values{"order": {"latest_last_message"}, "limit": {"100"}, "show_empty": {"false"}, "token": {"n+/="}}
	if got := asked[1]; got.Encode() != want.Encode() {
		t.Errorf("asked %v", got)
	}
}

func TestChannelsRefusedOrOdd(t *testing.T) {
	for name, c := range map[string]struct {
		h    http.HandlerFunc
		kind postern.Kind
		code string
	}{
		"not by this plan": {refuse(400, 400108), postern.Denied, "400108"},
		"no list":          {answer(200, `{"channels":{}}`), postern.Temporary, ""},
		"no channels":      {answer(200, `{"next":""}`), postern.Temporary, ""},
		"cut":              {answer(200, `{"channels":[{"channel_url":"a"`), postern.Temporary, ""},
		"for ever":         {answer(200, `{"channels":[],"next":"t"}`), postern.Temporary, ""},
	} {
		_, _, err := fakeAPI(t, c.h).Channels(bg, "t")
		wantError(t, name, err, c.kind, 0, c.code)
	}
}

// What a list gives of a message is what its webhook gives, so that the rules make the
// same of both.
func TestListedIsAsHeard(t *testing.T) {
	payloads := map[string][2]string{
		"text": {
			`{"category":"group_channel:message_send","sender":{"user_id":"ana","nickname":"Ana","metadata":{}},"silent":false,"type":"MESG","payload":{"message_id":7,"message":"Hi","created_at":1750000000123,"data":""},"channel":{"channel_url":"ch"}}`,
			`{"message_id":7,"type":"MESG","channel_url":"ch","user":{"user_id":"ana","nickname":"Ana"},"message":"Hi","data":"","file":{},"silent":false,"created_at":1750000000123,"updated_at":0}`,
		},
		"file": {
			`{"category":"group_channel:message_send","sender":{"user_id":"ana","nickname":"Ana"},"type":"FILE","payload":{"message_id":8,"url":"https://file.example/a.pdf","filename":"a.pdf","content_type":"application/pdf","content_size":13984,"created_at":1750000000124,"data":""},"channel":{"channel_url":"ch"}}`,
			`{"message_id":8,"type":"FILE","user":{"user_id":"ana","nickname":"Ana"},"file":{"url":"https://file.example/a.pdf","name":"a.pdf","type":"application/pdf","size":13984,"data":""},"created_at":1750000000124}`,
		},
		"ours, silent": {
			`{"category":"group_channel:message_send","sender":{"user_id":"bob","nickname":"Bob"},"silent":true,"type":"MESG","payload":{"message_id":9,"message":"Yes","created_at":1750000000125,"data":"{\"postern\":\"p.1\"}"},"channel":{"channel_url":"ch"}}`,
			`{"message_id":9,"type":"MESG","user":{"user_id":"bob","nickname":"Bob"},"message":"Yes","data":"{\"postern\":\"p.1\"}","silent":true,"created_at":1750000000125}`,
		},
		"application's": {
			`{"category":"group_channel:message_send","sender":{},"type":"ADMM","payload":{"message_id":10,"message":"Closed","created_at":1750000000126,"data":""},"channel":{"channel_url":"ch"}}`,
			`{"message_id":10,"type":"ADMM","user":null,"message":"Closed","data":"","created_at":1750000000126}`,
		},
	}
	for name, p := range payloads {
		api := fakeAPI(t, answer(200, `{"messages":[`+p[1]+`]}`))
		heard, err := api.Decode([]byte(p[0]))
		if err != nil {
			t.Fatal(err)
		}
		list, err := api.Messages(bg, "ch", time.UnixMilli(0))
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		a, b := heard.Message, list[0]
		if !slices.Equal(a.Files, b.Files) {
			t.Errorf("%s: files %+v and %+v", name, a.Files, b.Files)
		}
		a.Files, b.Files = nil, nil
		if a.ID != b.ID || a.Channel != b.Channel || a.Type != b.Type || a.Sender != b.Sender || a.Text != b.Text || !a.CreatedAt.Equal(b.CreatedAt) || a.Silent != b.Silent || a.Mark != b.Mark {
			t.Errorf("%s: heard %+v, listed %+v", name, a, b)
		}
	}
}
