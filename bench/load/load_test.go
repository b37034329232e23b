package load

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// webhook is what the receiver reads.
type webhook struct {
	Payload struct {
		ID      int64 `json:"message_id"`
		Message string
	}
	Members []struct {
		ID     string `json:"user_id"`
		Online bool   `json:"is_online"`
	}
	Channel struct {
		URL string `json:"channel_url"`
	}
}

func read(t *testing.T, r *http.Request) webhook {
	var b bytes.Buffer
	_, err := b.ReadFrom(r.Body)
	mac := hmac.New(sha256.New, []byte(Token))
	mac.Write(b.Bytes())
	if got := r.Header.Get("X-Sendbird-Signature"); got != hex.EncodeToString(mac.Sum(nil)) {
		t.Errorf("the signature is %q, which is not that of the body", got)
	}
	var e webhook
	if err != nil || json.Unmarshal(b.Bytes(), &e) != nil {
		t.Errorf("not JSON (%v): %s", err, b.Bytes())
	}
	return e
}

func TestWebhooksAreWhatTheySay(t *testing.T) {
	var mu sync.Mutex
	got := map[int64]webhook{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := read(t, r)
		mu.Lock()
		defer mu.Unlock()
		got[e.Payload.ID] = e
	}))
	defer srv.Close()
	var ids atomic.Uint64
	ids.Store(1_000_000_000_000_000)
	k := Kind{Path: "/x", Away: 3, Channels: 10, Stride: 50, People: 400}
	r, err := Count(Target{Addr: strings.TrimPrefix(srv.URL, "http://"), Kind: k, Conns: 4, IDs: &ids}, 25)
	if err != nil || r.N != 25 || len(got) != 25 {
		t.Fatalf("%d posts, %d webhooks came, %v; 25 were wanted", r.N, len(got), err)
	}
	for id, e := range got {
		channel := int(id%10) * 50
		if e.Channel.URL != Channel(channel) {
			t.Errorf("message %d is in %s, not in channel %d", id, e.Channel.URL, channel)
		}
		var away []string
		for _, m := range e.Members {
			if !m.Online {
				away = append(away, m.ID)
			}
		}
		if fmt.Sprint(away) != fmt.Sprint(k.Users(channel)) || len(e.Members) != Members {
			t.Errorf("away are %v of %d, want %v of %d", away, len(e.Members), k.Users(channel), Members)
		}
		_, stamp, ok := strings.Cut(e.Payload.Message, StampMark)
		if at, fine := StampIn([]byte(stamp)); !ok || !fine || time.Since(at).Abs() > time.Hour {
			t.Errorf("no time in %q", e.Payload.Message)
		}
	}
}

func TestAnswersAreReadToTheirEnd(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"empty":  func(http.ResponseWriter, *http.Request) {},
		"length": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) },
		"chunked": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, 9000))
			w.(http.Flusher).Flush()
		},
	} {
		srv := httptest.NewServer(answer)
		var ids atomic.Uint64
		r, err := Count(Target{Addr: strings.TrimPrefix(srv.URL, "http://"), Kind: Kind{Path: "/"}, Conns: 1, IDs: &ids}, 5)
		if err != nil || r.N != 5 {
			t.Errorf("%s: %d posts, %v", name, r.N, err)
		}
		srv.Close()
	}
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	var ids atomic.Uint64
	if _, err := Count(Target{Addr: strings.TrimPrefix(srv.URL, "http://"), Kind: Kind{Path: "/"}, Conns: 1, IDs: &ids}, 1); err == nil {
		t.Error("a 404 counts as success")
	}
}
