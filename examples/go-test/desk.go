package desk

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// Desk mails the person on duty. Its addresses are settings, which is what makes it
// possible to run it against anything but the real services.
type Desk struct {
	SendbirdAPI, SendbirdToken string // https://api-{app id}.sendbird.com/v3, and its token
	MailgunAPI, MailgunKey     string // https://api.mailgun.net, and a sending key
	Domain, OnDuty             string // mails are from desk@Domain to OnDuty

	mu     sync.Mutex
	mailed map[int64]bool // by message; a real program would keep it on disk
}

// hook is what the desk reads of Sendbird's webhook.
type hook struct {
	Category string `json:"category"`
	Sender   struct {
		Nickname string `json:"nickname"`
	} `json:"sender"`
	Channel struct {
		URL string `json:"channel_url"`
	} `json:"channel"`
	Payload struct {
		ID      int64  `json:"message_id"`
		Message string `json:"message"`
	} `json:"payload"`
}

// ServeHTTP takes Sendbird's webhooks. An error makes Sendbird come again.
func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	sum := hmac.New(sha256.New, []byte(d.SendbirdToken))
	sum.Write(body)
	if !hmac.Equal([]byte(hex.EncodeToString(sum.Sum(nil))), []byte(r.Header.Get("X-Sendbird-Signature"))) {
		http.Error(w, "not Sendbird's", http.StatusUnauthorized)
		return
	}
	var h hook
	if err := json.Unmarshal(body, &h); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if h.Category != "group_channel:message_send" || !strings.Contains(strings.ToLower(h.Payload.Message), "urgent") {
		return
	}
	if err := d.alarm(r.Context(), h); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

// alarm mails once per message and says so in the channel.
func (d *Desk) alarm(ctx context.Context, h hook) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mailed[h.Payload.ID] {
		return nil
	}
	form := url.Values{"from": {"Desk <desk@" + d.Domain + ">"}, "to": {d.OnDuty}, "subject": {"Urgent, from " + h.Sender.Nickname}, "text": {h.Payload.Message}}
	err := d.post(ctx, d.MailgunAPI+"/v3/"+d.Domain+"/messages", "application/x-www-form-urlencoded", form.Encode(), func(r *http.Request) {
		r.SetBasicAuth("api", d.MailgunKey)
	})
	if err != nil {
		return err
	}
	if d.mailed == nil {
		d.mailed = map[int64]bool{}
	}
	d.mailed[h.Payload.ID] = true
	note, err := json.Marshal(map[string]string{"message_type": "ADMM", "message": "Somebody is on the way."})
	if err != nil {
		return err
	}
	return d.post(ctx, d.SendbirdAPI+"/group_channels/"+url.PathEscape(h.Channel.URL)+"/messages", "application/json", string(note), func(r *http.Request) {
		r.Header.Set("Api-Token", d.SendbirdToken)
	})
}

func (d *Desk) post(ctx context.Context, to, contentType, body string, sign func(*http.Request)) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contentType)
	sign(req)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return err
}
