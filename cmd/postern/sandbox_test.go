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
	post := func(to, body string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Postern-Page", "1")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", to, resp.Status)
		}
	}
	post(out.Page+"api/kill", "")
	post(out.Sendbird+"/_emulator/users/ana/channels/"+out.Channel+"/messages", `{"message":"Written while it is down"}`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, out.Mailboxes+"/mailboxes/bob@people.example/messages", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if strings.Contains(string(b), `"subject":"Support"`) {
			break
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("Bob has no mail: %s", b)
		}
	}
	if !ready(t.Context(), out.Gateway) {
		t.Error("it is not back")
	}
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
