package load

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"time"
)

// Token signs the webhooks.
const Token = "0123456789abcdef0123456789abcdef01234567"

// Widths of what changes from webhook to webhook, so that a webhook is patched in place.
const (
	KeyDigits   = 16 // of the message's id
	stampDigits = 19 // of a time in nanoseconds
	numDigits   = 8  // of channels and users
)

// KeyMark stands before the message's id, StampMark before the planned time in its text.
const (
	KeyMark   = `"message_id":`
	StampMark = "benchstamp"
)

// Members is how many a channel has; webhooks then have about 3.3 kB.
const Members = 5

// Kind says what webhooks are like.
type Kind struct {
	Path     string
	Away     int    // how many of the five are offline; 0 = the message needs no mail
	Channels int    // over how many channels the messages go, in turn
	Stride   int    // between the numbers of these channels; 0 = 1
	People   int    // how many users the channels' members are drawn from
	User     string // first letter of the users who are away; "" = "u"
	FileURL  string // the message is a file at this address
	FileSize int
}

// Channel is the address of a channel by its number.
func Channel(n int) string {
	return fmt.Sprintf("sendbird_group_channel_10000000_%032d%08d", 0, n)
}

// Users are those who are away in a channel.
func (k Kind) Users(channel int) []string {
	var out []string
	for i := range k.Away {
		out = append(out, fmt.Sprintf("%s%0*d", k.letter(), numDigits, k.user(channel, i)))
	}
	return out
}

func (k Kind) letter() string {
	if k.User == "" {
		return "u"
	}
	return k.User
}

func (k Kind) user(channel, i int) int { return (channel + 7*i) % max(k.People, 1) }

// Webhook is one request, which is patched and sent again and again.
type Webhook struct {
	kind    Kind
	out     []byte // head and body
	body    []byte // within out
	sig     []byte // within out
	key     []byte // within out, as all that follow
	stamp   []byte
	channel []byte
	users   [][]byte
	mac     hash.Hash
	sum     []byte
}

// NewWebhook makes a webhook of its own for a connection.
func NewWebhook(k Kind) *Webhook {
	k.Stride = max(k.Stride, 1)
	body := template(k)
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\nX-Sendbird-Signature: ", k.Path, len(body))
	w := &Webhook{kind: k, mac: hmac.New(sha256.New, []byte(Token))}
	w.out = []byte(head + strings.Repeat("0", 64) + "\r\n\r\n" + body)
	w.sig = w.out[len(head) : len(head)+64]
	w.body = w.out[len(w.out)-len(body):]
	w.key = w.slot(KeyMark, KeyDigits)
	w.stamp = w.slot(StampMark, stampDigits)
	w.channel = w.slot(Channel(0)[:len(Channel(0))-numDigits], numDigits)
	for i := range k.Away {
		w.users = append(w.users, w.slot(`"user_id":"`+awayMark(k, i), numDigits))
	}
	return w
}

func (w *Webhook) slot(mark string, width int) []byte {
	at := strings.Index(string(w.body), mark)
	if at < 0 {
		return nil // a file has no text
	}
	at += len(mark)
	if strings.HasPrefix(mark, `"user_id":"`) {
		at -= numDigits
	}
	return w.body[at : at+width]
}

// awayMark is a user before patching: his letter and a number to find him by.
func awayMark(k Kind, i int) string { return fmt.Sprintf("%s%0*d", k.letter(), numDigits, 99999000+i) }

// Patch makes it the webhook of message n, planned for at, and signs it.
func (w *Webhook) Patch(n uint64, at time.Time) []byte {
	put(w.key, n)
	if w.stamp != nil {
		put(w.stamp, uint64(at.UnixNano()))
	}
	channel := int(n%uint64(max(w.kind.Channels, 1))) * w.kind.Stride
	put(w.channel, uint64(channel))
	for i, u := range w.users {
		put(u, uint64(w.kind.user(channel, i)))
	}
	w.mac.Reset()
	w.mac.Write(w.body)
	w.sum = w.mac.Sum(w.sum[:0])
	hex.Encode(w.sig, w.sum)
	return w.out
}

func put(slot []byte, n uint64) {
	for i := len(slot) - 1; i >= 0; i-- {
		slot[i] = byte('0' + n%10)
		n /= 10
	}
}

// StampIn reads the planned time behind a StampMark.
func StampIn(b []byte) (time.Time, bool) {
	if len(b) < stampDigits {
		return time.Time{}, false
	}
	n, err := strconv.ParseInt(string(b[:stampDigits]), 10, 64)
	return time.Unix(0, n), err == nil
}

// template is a webhook as Sendbird writes it, before patching.
func template(k Kind) string {
	members := make([]string, Members)
	for i := range members {
		user := fmt.Sprintf("online-%d", i)
		if i >= Members-k.Away {
			user = awayMark(k, i-(Members-k.Away))
		}
		members[i] = fmt.Sprintf(`{"user_id":%q,"nickname":"Name %d","profile_url":"https:\/\/img.example\/p%d.png","is_active":true,"is_online":%t,"is_hidden":0,"state":"joined","is_blocking_sender":false,"is_blocked_by_sender":false,"unread_message_count":7,"total_unread_message_count":7,"channel_unread_message_count":2,"channel_mention_count":0,"push_enabled":true,"push_trigger_option":"default","do_not_disturb":false,"metadata":{"team":"blue"}}`,
			user, i, i, i < Members-k.Away)
	}
	created := strconv.FormatInt(time.Now().UnixMilli(), 10)
	kind, payload := "MESG", `"custom_type":"","message":"The parcel has left our house this morning. `+StampMark+strings.Repeat("0", stampDigits)+` See you at four.","translations":{},"created_at":`+created+`,"data":""`
	if k.FileURL != "" {
		kind, payload = "FILE", fmt.Sprintf(`"custom_type":"","url":%q,"content_type":"application/octet-stream","filename":"large.bin","filesize":%d,"created_at":%s,"data":""`, k.FileURL, k.FileSize, created)
	}
	return `{"category":"group_channel:message_send","app_id":"0A1B2C3D-0000-4000-8000-000000000000","sender":{"user_id":"online-0","nickname":"Name 0","profile_url":"https:\/\/img.example\/p0.png","metadata":{"team":"blue"}},"silent":false,"sender_ip_addr":"203.0.113.7","custom_type":"","mention_type":"users","mentioned_users":[],"members":[` +
		strings.Join(members, ",") + `],"type":"` + kind + `","payload":{` + KeyMark + strings.Repeat("0", KeyDigits) + `,` + payload +
		`},"message_events":{"send_push_notification":"receivers","update_unread_count":true,"update_mention_count":true,"update_last_message":true},"channel":{"name":"Support","channel_url":"` + Channel(0) +
		`","custom_type":"","is_distinct":false,"is_public":false,"is_super":false,"is_ephemeral":false,"is_discoverable":false,"data":""},"sdk":"JavaScript"}`
}
