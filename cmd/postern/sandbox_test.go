package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/sandbox"
)

// command runs the program in this process, with its first line of output as JSON. It
// ends with the test, and must end well.
func command(t *testing.T, args ...string) (out sandbox.Addresses) {
	t.Helper()
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	var stderr bytes.Buffer
	go func() {
		status := run(ctx, args, strings.NewReader(""), w, &stderr, os.Environ())
		_ = w.Close() // a reader sees the end
		ended <- status
	}()
	t.Cleanup(func() {
		cancel()
		if status := <-ended; status != exitOK {
			t.Errorf("status %d: %s", status, &stderr)
		}
	})
	if err := json.NewDecoder(r).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func ready(ctx context.Context, gateway string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, gateway+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// TestSandboxKill: the gateway is killed in earnest, comes back where it was, and what is
// written meanwhile arrives.
func TestSandboxKill(t *testing.T) {
	out := command(t, "sandbox", "--headless", "--seed", "5")
	if !ready(t.Context(), out.Gateway) {
		t.Fatal("it does not answer, though it was announced")
	}
	ask(t, http.MethodPost, out.Page+"api/kill", "")
	ask(t, http.MethodPost, out.Sendbird+"/_emulator/users/ana/channels/"+out.Channel+"/messages", `{"message":"Written while it is down"}`)
	until(t, "Bob has mail", func() bool {
		return strings.Contains(ask(t, http.MethodGet, out.Mailboxes+"/mailboxes/bob@people.example/messages", ""), `"subject":"Support"`)
	})
	if !ready(t.Context(), out.Gateway) {
		t.Error("it is not back")
	}
}

// TestSandboxSetupPlayed: what the sandbox tells a newcomer to type, typed; then the
// first mail and its answer.
func TestSandboxSetupPlayed(t *testing.T) {
	for _, host := range []string{"cloudflare", "rfc2136"} { // at GoDaddy's pace it takes half a minute
		t.Run(host, func(t *testing.T) {
			out := command(t, "sandbox", "--with-setup", "--headless", "--dns", host)
			say := func(args ...string) {
				t.Helper()
				var stdout, stderr bytes.Buffer
				if status := run(t.Context(), append([]string{"--config", out.Config}, args...), strings.NewReader(""), &stdout, &stderr, nil); status != exitOK {
					t.Fatalf("%v: status %d: %s%s", args, status, &stdout, &stderr)
				}
			}
			say("setup", "--yes")
			say("people", "import", out.PeopleCSV)
			ctx, stop := context.WithCancel(context.Background())
			served := make(chan int, 1)
			go func() {
				served <- run(ctx, []string{"--config", out.Config, "serve"}, nil, io.Discard, io.Discard, nil)
			}()
			t.Cleanup(func() {
				stop()
				if status := <-served; status != exitOK {
					t.Errorf("serve: status %d", status)
				}
			})
			until(t, "the gateway answers", func() bool { return ready(t.Context(), out.Gateway) })
			ask(t, http.MethodPost, out.Sendbird+"/_emulator/users/ana/channels/"+out.Channel+"/messages", `{"message":"Set up!"}`)
			mailboxes := out.Mailboxes + "/mailboxes/bob@people.example/messages"
			var id string
			until(t, "Bob has mail", func() bool {
				_, rest, ok := strings.Cut(ask(t, http.MethodGet, mailboxes, ""), `"id":"`)
				id, _, _ = strings.Cut(rest, `"`)
				return ok
			})
			ask(t, http.MethodPost, mailboxes+"/"+id+"/reply", `{"text":"So it is."}`)
			until(t, "the answer is in the chat", func() bool {
				return strings.Contains(ask(t, http.MethodGet, out.Sendbird+"/_emulator/state", ""), "So it is.")
			})
		})
	}
}

// until waits for something to be true.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// ask calls the emulated world and gives the answer's text.
func ask(t *testing.T, method, to, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Postern-Page", "1")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %v: %s", method, to, resp.Status, err, b)
	}
	return string(b)
}

// TestSandboxWithSetup: the file that is written is a whole configuration for each host.
func TestSandboxWithSetup(t *testing.T) {
	for _, host := range []string{"godaddy", "cloudflare", "rfc2136"} {
		file := filepath.Join(t.TempDir(), "sandbox.toml")
		out := command(t, "sandbox", "--with-setup", "--headless", "--dns", host, "--config-out", file)
		if out.Config != file || out.DNS.Host != host || ready(t.Context(), out.Gateway) {
			t.Errorf("%s: %+v", host, out)
		}
		cfg, err := loadConfig(file, nil)
		if err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		if err := cfg.require("serve", file); err != nil {
			t.Errorf("%s: %v", host, err)
		}
		if "http://"+cfg.Listen != out.Gateway || cfg.Mailgun.APIURL != out.MailgunAPI || string(cfg.AdminToken) != out.AdminToken {
			t.Errorf("%s: %+v", host, cfg)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", host, info, err)
		}
	}
	var stderr bytes.Buffer
	if status := run(t.Context(), []string{"sandbox", "--config-out", "x"}, nil, io.Discard, &stderr, nil); status != exitUsage {
		t.Errorf("--config-out alone: status %d, %s", status, &stderr)
	}
}
