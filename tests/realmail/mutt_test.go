package realmail

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMutt has mutt be Bob, twice in one conversation: it reads the mail by IMAP,
// answers it as its user would by pressing "r", with its own quoting, sends the answer
// by SMTP, and puts its copy into Sent.
func TestMutt(t *testing.T) {
	needs(t, "mutt", "script")
	w := start(t)
	const bob = "bob@people.example"
	for i, turn := range []struct{ ana, bob string }{
		{"Hello Bob,\nwhere is the key? Grüße", "Under the mat.\nGrüße, Bob"},
		{"Which mat?", "The green one"},
	} {
		w.says("ana", turn.ana)
		w.until("the mail", func() bool { return len(w.mails(bob)) == 2*i+1 })
		if m := w.mails(bob)[2*i]; m.Seen || m.Sent {
			t.Fatalf("before mutt looks: %+v", m)
		}
		screen := mutt(t, w, bob, turn.bob)
		w.until("the answer in the chat", func() bool { return len(w.chat()) == 2*i+2 })
		if want := []string{"ana: " + turn.ana, "bob: " + turn.bob}; !slices.Equal(w.chat()[2*i:], want) {
			t.Errorf("in the chat: %q, want %q", w.chat(), want)
		}
		mails := w.mails(bob)
		if len(mails) != 2*i+2 {
			t.Fatalf("%d mails, want one more that is sent, and once: %+v\n%s", len(mails), mails, screen)
		}
		if read, sent := mails[2*i], mails[2*i+1]; !read.Seen || read.Opens != 0 || !sent.Sent {
			t.Errorf("read by mutt: %+v; sent by it: %+v", read, sent)
		}
	}
	opened(t, w)
}

// opened: mutt fetches no pictures, so nothing may have been counted as an opening.
func opened(t *testing.T, w *world) {
	t.Helper()
	var seen struct{ Notes, Lately []struct{ What string } }
	w.call("GET", w.Gateway+"/api/v1/activity?limit=1000", nil, &seen)
	if len(seen.Lately) == 0 {
		t.Error("the gateway notes nothing; then the check says nothing")
	}
	for _, n := range append(seen.Notes, seen.Lately...) {
		if strings.Contains(n.What, "open") {
			t.Errorf("the gateway heard of an opening: %+v", n)
		}
	}
}

// mutt answers the newest mail of INBOX and ends. It wants a terminal: script(1) gives
// it one. It returns what was on it.
func mutt(t *testing.T, w *world, address, answer string) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := write("answer", answer+"\n\n")
	// The user's editor: the answer goes above what mutt quotes.
	editor := write("editor", fmt.Sprintf("cat %q \"$1\" > \"$1.new\" && mv \"$1.new\" \"$1\"\n", text))
	rc := write("muttrc", fmt.Sprintf(`
set folder="imap://%[1]s/" spoolfile="+INBOX" record="+Sent"
set imap_user="%[3]s" imap_pass="any" imap_authenticators="login"
set smtp_url="smtp://%[2]s/" ssl_starttls=no ssl_force_tls=no
set from="%[3]s" realname="Bob" use_from=yes use_envelope_from=yes hostname="people.example"
set editor="sh %[4]s %%s" include=yes fast_reply=yes abort_unmodified=no
set charset=utf-8 send_charset=utf-8 sort=mailbox-order
set copy=yes confirmappend=no quit=yes sleep_time=0 wait_key=no
push "<last-entry><reply><send-message><quit>"
`, w.IMAP, w.SMTP, address, editor))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "script", "-qec", fmt.Sprintf("mutt -n -F %q", rc), "/dev/null")
	cmd.Env = append(os.Environ(), "TERM=vt100", "LC_ALL=C.UTF-8", "HOME="+dir)
	keyboard, err := cmd.StdinPipe() // nobody types; closed, it would hang up
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = keyboard.Close() }()
	screen, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("mutt: %v\n%q", err, screen)
	}
	return string(screen)
}

func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%v (Debian: apt-get install mutt)", err)
			}
			t.Skipf("no %s here (Debian: apt-get install mutt bsdutils)", p)
		}
	}
}
