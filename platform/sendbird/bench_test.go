package sendbird

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// webhookBody is a message_send as Sendbird writes it, 3.3 kB, five members.
func webhookBody() []byte {
	members := make([]string, 5)
	for i := range members {
		members[i] = fmt.Sprintf(`{"user_id":"user-%d","nickname":"Name %d","profile_url":"https:\/\/img.example\/p%d.png","is_active":true,"is_online":%v,"is_hidden":0,"state":"joined","is_blocking_sender":false,"is_blocked_by_sender":false,"unread_message_count":7,"total_unread_message_count":7,"channel_unread_message_count":2,"channel_mention_count":0,"push_enabled":true,"push_trigger_option":"default","do_not_disturb":false,"metadata":{"team":"blue"}}`, i, i, i, i%2 == 0)
	}
	return []byte(`{"category":"group_channel:message_send","app_id":"0A1B2C3D-0000-4000-8000-000000000000","sender":{"user_id":"user-0","nickname":"Name 0","profile_url":"https:\/\/img.example\/p0.png","metadata":{"team":"blue"}},"silent":false,"sender_ip_addr":"203.0.113.7","custom_type":"","mention_type":"users","mentioned_users":[],"members":[` +
		strings.Join(members, ",") +
		`],"type":"MESG","payload":{"message_id":238303376,"custom_type":"","message":"` + strings.Repeat("See you at four. ", 18) +
		`","translations":{"es":"Hola"},"created_at":1700000000123,"data":""},"message_events":{"send_push_notification":"receivers","update_unread_count":true,"update_mention_count":true,"update_last_message":true},"channel":{"name":"Support","channel_url":"sendbird_group_channel_12345678_0123456789abcdef0123456789abcdef01234567","custom_type":"","is_distinct":false,"is_public":false,"is_super":false,"is_ephemeral":false,"is_discoverable":false,"data":""},"sdk":"JavaScript"}`)
}

func sign(token string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

func benchClient(b *testing.B) *Client {
	c, err := New(Config{AppID: "A", APIToken: "0123456789abcdef0123456789abcdef01234567"})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func BenchmarkVerify(b *testing.B) {
	c, body := benchClient(b), webhookBody()
	h := http.Header{"X-Sendbird-Signature": {sign(c.cfg.APIToken, body)}}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Verify(h, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	c, body := benchClient(b), webhookBody()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Decode(body); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncodingJSON decodes the same fields of the same body with the standard
// library: the reason why Decode does not.
func BenchmarkEncodingJSON(b *testing.B) {
	type user struct {
		ID   string `json:"user_id"`
		Name string `json:"nickname"`
	}
	type event struct {
		Category string `json:"category"`
		Type     string `json:"type"`
		Silent   bool   `json:"silent"`
		Sender   user   `json:"sender"`
		Members  []struct {
			user
			Active   bool   `json:"is_active"`
			Online   bool   `json:"is_online"`
			State    string `json:"state"`
			Blocking bool   `json:"is_blocking_sender"`
		} `json:"members"`
		Payload struct {
			ID        int64  `json:"message_id"`
			Message   string `json:"message"`
			CreatedAt int64  `json:"created_at"`
			Data      string `json:"data"`
		} `json:"payload"`
		Channel struct {
			URL   string `json:"channel_url"`
			Name  string `json:"name"`
			Type  string `json:"custom_type"`
			Super bool   `json:"is_super"`
		} `json:"channel"`
	}
	body := webhookBody()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var e event
		if err := json.Unmarshal(body, &e); err != nil {
			b.Fatal(err)
		}
	}
}
