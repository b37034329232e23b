package realmail

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// world is a running sandbox with the gateway in it.
type world struct {
	t           *testing.T
	Gateway     string `json:"gateway"`
	SendbirdAPI string `json:"sendbird_api"`
	Mailboxes   string `json:"mailboxes"`
	SMTP        string `json:"smtp"`
	IMAP        string `json:"imap"`
	APIToken    string `json:"api_token"`
	AdminToken  string `json:"admin_token"`
	Channel     string `json:"channel"`
}

// start builds the binary and runs its sandbox until the test ends.
func start(t *testing.T) *world {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "postern")
	build := exec.Command("go", "build", "-o", binary, "../../cmd/postern")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	cmd := exec.Command(binary, "sandbox", "--headless", "--seed", "1")
	cmd.Env = append(os.Environ(), "POSTERN_NOTIFY_DELAY=0s")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("the sandbox: %v\n%s", err, complaints.Bytes())
		}
	})
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the sandbox says nothing: %v\n%s", err, complaints.Bytes())
	}
	w := &world{t: t}
	if err := json.Unmarshal(line, w); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	return w
}

// call asks an address and reads the JSON of its answer.
func (w *world) call(method, to string, in, out any) {
	w.t.Helper()
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			w.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, to, &body)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Api-Token", w.APIToken)
	req.Header.Set("Authorization", "Bearer "+w.AdminToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s %s: %s %v: %s", method, to, resp.Status, err, b)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(b, out); err != nil {
		w.t.Fatalf("%s %s: %v: %s", method, to, err, b)
	}
}

// until asks again and again until ok, for as long as the test may take.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	end := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-end:
			w.t.Fatalf("waited in vain for: %s", what)
		case <-tick.C:
		}
	}
}

// says posts in the chat.
func (w *world) says(user, text string) {
	w.t.Helper()
	w.call("POST", w.SendbirdAPI+"/group_channels/"+w.Channel+"/messages",
		map[string]string{"message_type": "MESG", "user_id": user, "message": text}, nil)
}

// chat is what stands in the channel, as "user: text".
func (w *world) chat() (said []string) {
	w.t.Helper()
	var got struct {
		Messages []struct {
			Message string
			User    struct {
				ID string `json:"user_id"`
			}
		}
	}
	w.call("GET", fmt.Sprintf("%s/group_channels/%s/messages?message_ts=%d&prev_limit=20&next_limit=0", w.SendbirdAPI, w.Channel, int64(1e13)), nil, &got)
	for _, m := range got.Messages {
		said = append(said, m.User.ID+": "+m.Message)
	}
	return said
}

// mail is what lies in a mailbox.
type mail struct {
	ID    string
	Sent  bool
	Seen  bool
	Opens int
}

func (w *world) mails(address string) []mail {
	w.t.Helper()
	var got struct{ Messages []mail }
	w.call("GET", w.Mailboxes+"/mailboxes/"+address+"/messages", nil, &got)
	return got.Messages
}
