// Command large measures what a large attachment costs the gateway in each direction:
// time from arrival to arrival, and the growth of the gateway's memory (the peak of
// its resident set, read from /proc). It runs the real binary between the emulators.
//
//	go run ./bench/large -binary bin/postern [-mb 25] [-n 1]
//
// -n is how many mails arrive at once; towards the mailbox one file goes at a time,
// because files that wait for one member share a mail and its limit.
//
// From chat to mail a file stays below Mailgun's 25 MB for a whole mail, in base64, so
// the attachment there is 18 MB at most; larger ones are linked and cost nothing.
package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/postern-chat/postern/sandbox"
)

func main() {
	binary := flag.String("binary", "bin/postern", "the program to measure")
	mb := flag.Int("mb", 25, "size of the attachment in MB (10^6)")
	n := flag.Int("n", 1, "how many mails at once")
	flag.Parse()
	if err := run(*binary, *mb*1_000_000, *n); err != nil {
		fmt.Fprintln(os.Stderr, "large:", err)
		os.Exit(1)
	}
}

// house is the world with the gateway as a process of its own.
type house struct {
	*sandbox.World
	cmd *exec.Cmd
}

func run(binary string, size, n int) error {
	dir, err := os.MkdirTemp("", "postern-large-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	h, err := start(binary, dir)
	if err != nil {
		return err
	}
	defer h.stop()
	// A first small round makes the participant, his address, and warm caches.
	if err := h.outward(1000, 1); err != nil {
		return err
	}
	address, err := h.replyAddress()
	if err != nil {
		return err
	}
	if err := h.inward(address, 25_000, 1); err != nil {
		return err
	}
	out := min(size, 18_000_000)
	for _, step := range []struct {
		what string
		n    int
		size int
		do   func() error
	}{
		{"chat to mail", 1, out, func() error { return h.outward(out, 1) }},
		{"mail to chat", n, size, func() error { return h.inward(address, size, n) }},
	} {
		before, err := h.resetPeak()
		if err != nil {
			return err
		}
		begin := time.Now()
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
		took := time.Since(begin)
		peak, err := h.memory("VmHWM")
		if err != nil {
			return err
		}
		fmt.Printf("%s: %d x %.1f MB in %.2f s; resident %.1f MB before, %.1f MB at the peak\n", step.what, step.n, float64(step.size)/1e6, took.Seconds(), before, peak)
	}
	return nil
}

func start(binary, dir string) (*house, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := ln.Addr().String()
	if err := ln.Close(); err != nil { // the gateway takes it next
		return nil, err
	}
	ctx := context.Background()
	w, err := sandbox.Start(ctx, sandbox.Config{GatewayURL: "http://" + addr, Seed: 1})
	if err != nil {
		return nil, err
	}
	w.AdminToken = "large"
	h := &house{World: w, cmd: exec.Command(binary, "serve")}
	h.cmd.Stderr = os.Stderr
	h.cmd.Dir = dir
	if h.cmd.Path, err = filepath.Abs(h.cmd.Path); err != nil {
		return nil, err
	}
	h.cmd.Env = []string{
		"POSTERN_LISTEN=" + addr, "POSTERN_PUBLIC_URL=http://" + addr, "POSTERN_SECRET=" + strings.Repeat("A", 43) + "=", "POSTERN_ADMIN_TOKEN=large",
		"POSTERN_SENDBIRD_APP_ID=" + w.AppID, "POSTERN_SENDBIRD_API_URL=" + w.SendbirdAPI, "POSTERN_SENDBIRD_API_TOKEN=" + w.APIToken,
		"POSTERN_MAILGUN_DOMAIN=" + w.Domain, "POSTERN_MAILGUN_API_URL=" + w.MailgunAPI, "POSTERN_MAILGUN_SENDING_KEY=" + w.SendingKey,
		"POSTERN_MAILGUN_ACCOUNT_KEY=" + w.AccountKey, "POSTERN_MAILGUN_SIGNING_KEYS=" + w.SigningKey, "POSTERN_NOTIFY_DELAY=0s", "POSTERN_LOG_LEVEL=warn",
	}
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	ready := func() (bool, error) {
		resp, err := http.Get("http://" + addr + "/readyz")
		if err != nil {
			return false, nil // not yet
		}
		return resp.StatusCode == http.StatusOK, resp.Body.Close()
	}
	return h, errors.Join(wait("the gateway", ready), h.Introduce(ctx))
}

func (h *house) stop() {
	_ = h.cmd.Process.Signal(os.Interrupt)
	_ = h.cmd.Wait()
	_ = h.Close()
}

const bob = "bob@people.example"

// outward has Ana send files, and waits until they lie in Bob's mailbox.
func (h *house) outward(size, n int) error {
	have := h.received()
	content := bytes.Repeat([]byte{0xa5}, size)
	for range n {
		var b bytes.Buffer
		form := multipart.NewWriter(&b)
		part, err := form.CreateFormFile("file", "large.bin")
		if err != nil {
			return err
		}
		if _, err := part.Write(content); err != nil {
			return err
		}
		if err := errors.Join(form.WriteField("message_type", "FILE"), form.Close()); err != nil {
			return err
		}
		resp, err := http.Post(h.Sendbird+"/_emulator/users/ana/channels/"+h.Channel+"/messages", form.FormDataContentType(), &b)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("upload: %s", resp.Status)
		}
	}
	return wait("the files in Bob's mailbox", func() (bool, error) { return h.received() >= have+n, nil })
}

// received counts the files that Bob got.
func (h *house) received() (n int) {
	for _, m := range h.People.Messages(bob) {
		if !m.Sent {
			n += len(m.Files)
		}
	}
	return n
}

func (h *house) replyAddress() (string, error) {
	for _, m := range h.People.Messages(bob) {
		if a := regexp.MustCompile(`<(.+@.+)>`).FindStringSubmatch(m.From); a != nil {
			return a[1], nil
		}
	}
	return "", errors.New("no mail to answer")
}

// inward has Bob mail files, and waits until they stand in the chat.
func (h *house) inward(to string, size, n int) error {
	have, err := h.posted()
	if err != nil {
		return err
	}
	body := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0x5a}, size))
	var lines strings.Builder
	for len(body) > 76 {
		lines.WriteString(body[:76] + "\r\n")
		body = body[76:]
	}
	lines.WriteString(body + "\r\n")
	for i := range n {
		head := fmt.Sprintf("From: Bob <%s>\r\nTo: <%s>\r\nSubject: Re: Support\r\nMessage-ID: <large.%d.%d@people.example>\r\nMIME-Version: 1.0\r\n"+
			"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nHere %d\r\n--x\r\nContent-Type: application/octet-stream\r\n"+
			"Content-Disposition: attachment; filename=large.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n", bob, to, time.Now().UnixNano(), i, i)
		raw := io.MultiReader(strings.NewReader(head), strings.NewReader(lines.String()), strings.NewReader("--x--\r\n"))
		if err := h.People.Submit(context.Background(), bob, []string{to}, raw); err != nil {
			return err
		}
	}
	return wait("the files in the chat", func() (bool, error) {
		now, err := h.posted()
		return now >= have+n, err
	})
}

// posted counts the files in the chat that are Bob's.
func (h *house) posted() (n int, err error) {
	resp, err := http.Get(h.Sendbird + "/_emulator/state")
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	var state struct {
		Channels []struct {
			Messages []struct {
				Type string
				User struct {
					ID string `json:"user_id"`
				}
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&state); err != nil {
		return 0, err
	}
	for _, c := range state.Channels {
		for _, m := range c.Messages {
			if m.Type == "FILE" && m.User.ID == "bob" {
				n++
			}
		}
	}
	return n, nil
}

// resetPeak forgets the highest resident size so far and tells the present one, in MB.
func (h *house) resetPeak() (float64, error) {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", h.cmd.Process.Pid), []byte("5"), 0); err != nil {
		return 0, err
	}
	return h.memory("VmRSS")
}

func (h *house) memory(what string) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, what+":"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1000, err
		}
	}
	return 0, errors.New("no " + what)
}

func wait(what string, ok func() (bool, error)) error {
	deadline := time.Now().Add(2 * time.Minute)
	for {
		done, err := ok()
		if err != nil || done {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New("waited in vain for " + what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
