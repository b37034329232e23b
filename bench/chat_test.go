package bench

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-chat/postern/blob"
	"github.com/postern-chat/postern/internal/seal"
	"github.com/postern-chat/postern/platform/sendbird"
	"github.com/postern-chat/postern/provider/mailgun"
	"github.com/postern-chat/postern/relay"
	"github.com/postern-chat/postern/store"
	"github.com/postern-chat/postern/webhook"
)

const token = "0123456789abcdef0123456789abcdef01234567"

// message is a webhook as Sendbird writes it, about 3 kB: five members, online or not.
func message(online bool) []byte {
	members := make([]string, 5)
	for i := range members {
		members[i] = fmt.Sprintf(`{"user_id":"user-%d","nickname":"Name %d","profile_url":"https:\/\/img.example\/p%d.png","is_active":true,"is_online":%t,"is_hidden":0,"state":"joined","is_blocking_sender":false,"is_blocked_by_sender":false,"unread_message_count":7,"total_unread_message_count":7,"channel_unread_message_count":2,"channel_mention_count":0,"push_enabled":true,"push_trigger_option":"default","do_not_disturb":false,"metadata":{"team":"blue"}}`, i, i, i, online)
	}
	return []byte(`{"category":"group_channel:message_send","app_id":"0A1B2C3D-0000-4000-8000-000000000000","sender":{"user_id":"user-0","nickname":"Name 0","profile_url":"https:\/\/img.example\/p0.png","metadata":{"team":"blue"}},"silent":false,"sender_ip_addr":"203.0.113.7","custom_type":"","mention_type":"users","mentioned_users":[],"members":[` +
		strings.Join(members, ",") +
		`],"type":"MESG","payload":{"message_id":238303376,"custom_type":"","message":"` + strings.Repeat("See you at four. ", 6) +
		`","translations":{"es":"Hola"},"created_at":1700000000123,"data":""},"message_events":{"send_push_notification":"receivers","update_unread_count":true,"update_mention_count":true,"update_last_message":true},"channel":{"name":"Support","channel_url":"sendbird_group_channel_12345678_0123456789abcdef0123456789abcdef01234567","custom_type":"","is_distinct":false,"is_public":false,"is_super":false,"is_ephemeral":false,"is_discoverable":false,"data":""},"sdk":"JavaScript"}`)
}

// other is an event that we have no use for.
var other = []byte(`{"category":"group_channel:freeze_unfreeze","app_id":"0A1B2C3D-0000-4000-8000-000000000000","members":[],"channel":{"name":"Support","channel_url":"sendbird_group_channel_12345678_0123456789abcdef0123456789abcdef01234567"}}`)

func signature(body []byte) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// house is everything that a chat webhook meets.
type house struct {
	chat     *sendbird.Client
	handler  http.Handler
	verifies http.Handler // does nothing but verify
}

func newHouse(b *testing.B) *house {
	b.Helper()
	dir := b.TempDir()
	s, err := store.Open(b.Context(), store.Config{Database: "sqlite:" + filepath.Join(dir, "house.db")})
	must(b, err)
	b.Cleanup(func() { _ = s.Close() })
	blobs, err := blob.NewDir(filepath.Join(dir, "blobs"))
	must(b, err)
	keys, err := seal.Parse(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	must(b, err)
	chat, err := sendbird.New(sendbird.Config{AppID: "A", APIToken: token})
	must(b, err)
	mail, err := mailgun.New(mailgun.Config{Domain: "mg.example.com", SendingKey: "k", SigningKeys: []string{"s"}})
	must(b, err)
	rules, err := relay.New(relay.Config{
		Store: s, Blobs: blobs, Keys: keys, Platform: chat, PlatformName: "sendbird", Provider: mail,
		Domain: "mg.example.com", When: relay.WhenOffline,
	})
	must(b, err)
	hooks, err := webhook.New(webhook.Config{Store: s, Blobs: blobs, Sorter: rules})
	must(b, err)
	return &house{chat: chat, handler: hooks.Chat("sendbird", chat), verifies: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20))
		if err != nil || chat.Verify(r.Header, body) != nil {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})}
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// direct calls a handler as a server does, without the server.
func direct(b *testing.B, h http.Handler, body []byte) {
	header := http.Header{"X-Sendbird-Signature": {signature(body)}, "Content-Type": {"application/json"}}
	reader := bytes.NewReader(body)
	w := &answer{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		*w = answer{header: w.header}
		h.ServeHTTP(w, &http.Request{Method: http.MethodPost, Header: header, Body: io.NopCloser(reader), ContentLength: int64(len(body))})
		if w.status != 0 && w.status != http.StatusOK {
			b.Fatal(w.status)
		}
	}
}

type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return len(p), nil }

// served calls a handler over the loopback, many at once.
func served(b *testing.B, h http.Handler, body []byte) {
	srv := httptest.NewServer(h)
	defer srv.Close()
	client := srv.Client()
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = 64
	sig := signature(body)
	b.SetParallelism(8)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, _ := http.NewRequest(http.MethodPost, srv.URL, bytes.NewReader(body))
			req.Header.Set("X-Sendbird-Signature", sig)
			resp, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				b.Error(resp.Status)
			}
		}
	})
}

// The bar: a webhook that needs no mail at 50 % (aim: 70) of a handler that only
// verifies. Compare the times of Verify with those of the others, Direct or Served.
func BenchmarkVerifyOnlyDirect(b *testing.B) { direct(b, newHouse(b).verifies, message(true)) }
func BenchmarkVerifyOnlyServed(b *testing.B) { served(b, newHouse(b).verifies, message(true)) }

// Everybody is online: the whole webhook is read to find out that nobody is mailed.
func BenchmarkChatSkipDirect(b *testing.B) { direct(b, newHouse(b).handler, message(true)) }
func BenchmarkChatSkipServed(b *testing.B) { served(b, newHouse(b).handler, message(true)) }

// An event that means nothing to us.
func BenchmarkChatOtherVerifyOnlyDirect(b *testing.B) { direct(b, newHouse(b).verifies, other) }
func BenchmarkChatOtherDirect(b *testing.B)           { direct(b, newHouse(b).handler, other) }
