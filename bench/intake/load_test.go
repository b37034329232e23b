//go:build unix

package intake

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var masterToken = []byte("0123456789abcdef0123456789abcdef01234567")

const (
	keyDigits = 16
	signature = "X-Sendbird-Signature"
)

// keyMark stands before the key in a body.
const keyMark = `"message_id":`

// template is a webhook of the usual size, 3.3 kB, without its key.
func template() string {
	var b strings.Builder
	b.WriteString(`{"category":"group_channel:message_send","app_id":"00000000-0000-0000-0000-000000000000","payload":{` + keyMark)
	b.WriteString(strings.Repeat("0", keyDigits))
	b.WriteString(`,"message":"The parcel has left our house this morning and should be with you by Friday."},"members":[`)
	for i := range 5 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"user_id":"member-%d","nickname":"Member %d","is_active":true,"is_online":false,"state":"joined","profile_url":"https://files.example.com/%s","metadata":{%q:%q}}`,
			i, i, strings.Repeat("p", 120), "note", strings.Repeat("m", 250))
	}
	b.WriteString(`],"channel":{"name":"Orders","channel_url":"sendbird_group_channel_1","custom_type":"","data":"` + strings.Repeat("d", 450) + `"}}`)
	return b.String()
}

// client keeps one connection busy: it signs a webhook of its own, sends it and waits
// for the answer. It allocates next to nothing, as it shares the cores.
type client struct {
	conn   net.Conn
	in     *bufio.Reader
	mac    hash.Hash
	out    []byte
	body   []byte // within out
	key    []byte // within body
	sig    []byte // within out
	sum    []byte
	times  []time.Duration
	failed error
}

func newClient(addr string) (*client, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	body := template()
	head := fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s: ", len(body), signature)
	c := &client{conn: conn, in: bufio.NewReader(conn), mac: hmac.New(sha256.New, masterToken)}
	c.out = []byte(head + strings.Repeat("0", 64) + "\r\n\r\n" + body)
	c.sig = c.out[len(head) : len(head)+64]
	c.body = c.out[len(c.out)-len(body):]
	at := strings.Index(body, keyMark) + len(keyMark)
	c.key = c.body[at : at+keyDigits]
	return c, nil
}

func (c *client) post(key uint64) error {
	for i := keyDigits - 1; i >= 0; i-- {
		c.key[i] = byte('0' + key%10)
		key /= 10
	}
	c.mac.Reset()
	c.mac.Write(c.body)
	c.sum = c.mac.Sum(c.sum[:0])
	hex.Encode(c.sig, c.sum)
	if _, err := c.conn.Write(c.out); err != nil {
		return err
	}
	for first := true; ; first = false {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && string(line[9:12]) != "200" {
			return fmt.Errorf("answered %s", line)
		}
		if len(line) == 2 { // the answers have no body
			return nil
		}
	}
}

// result is what one round of one contender gave.
type result struct {
	perSecond float64
	p50, p99  time.Duration
	cpu       time.Duration // of this process, for each request, client included
}

// measure posts for a while over so many connections.
func measure(b *testing.B, addr string, conns int, keys *atomic.Uint64, d time.Duration) result {
	b.Helper()
	clients := make([]*client, conns)
	for i := range clients {
		c, err := newClient(addr)
		if err != nil {
			b.Fatal(err)
		}
		clients[i] = c
	}
	var wg sync.WaitGroup
	start, before := time.Now(), cpuUsed()
	for _, c := range clients {
		wg.Go(func() {
			for begun := time.Now(); begun.Sub(start) < d && c.failed == nil; {
				c.failed = c.post(keys.Add(1))
				now := time.Now()
				c.times = append(c.times, now.Sub(begun))
				begun = now
			}
		})
	}
	wg.Wait()
	took, used := time.Since(start), cpuUsed()-before
	var times []time.Duration
	for _, c := range clients {
		if c.failed != nil {
			b.Fatal(c.failed)
		}
		times = append(times, c.times...)
		_ = c.conn.Close()
	}
	slices.Sort(times)
	return result{perSecond: float64(len(times)) / took.Seconds(), p50: times[len(times)/2], p99: times[len(times)*99/100],
		cpu: used / time.Duration(len(times))}
}

func cpuUsed() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// verified reads and verifies a webhook, as every contender does, and gives its key.
func verified(w http.ResponseWriter, r *http.Request) (key string, body []byte, ok bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return "", nil, false
	}
	mac := hmac.New(sha256.New, masterToken)
	mac.Write(body)
	want, err := hex.DecodeString(r.Header.Get(signature))
	if err != nil || !hmac.Equal(want, mac.Sum(nil)) {
		w.WriteHeader(http.StatusUnauthorized)
		return "", nil, false
	}
	return keyIn(body), body, true
}

func keyIn(body []byte) string {
	i := strings.Index(string(body[:256]), keyMark) + len(keyMark)
	return string(body[i : i+keyDigits])
}

func laneOf(key string) string {
	n, _ := strconv.Atoi(key)
	return "mail/sendbird_group_channel_" + strconv.Itoa(n%*lanes) + "/member"
}
