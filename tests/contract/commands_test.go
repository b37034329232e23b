package contract

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// People come by file, before the gateway runs and while it does, on both kinds of database.
func TestPeopleCommands(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	csv := filepath.Join(w.gw.dir, "people.csv")
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(csv, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(want int, args ...string) (string, string) {
		t.Helper()
		out, errs, code := w.gw.run("", args...)
		if code != want {
			t.Errorf("%v: exit %d\n%s%s", args, code, out, errs)
		}
		return out, errs
	}
	write("\ufeffname,user_id,email,locale,time_zone\n\"Bob, the 2nd\",bob,bob@example.org,de,Europe/Berlin\r\n,carl@x,carl@example.org,,\n")
	run(0, "people", "import", csv) // while it runs
	out, _ := run(0, "people", "list")
	for _, want := range []string{"user_id,email", `"Bob, the 2nd"`, "carl@x,carl@example.org"} {
		if !contains(out, want) {
			t.Errorf("list without %q:\n%s", want, out)
		}
	}
	c := w.sb.channel("chan_p", "Support", "ana", "bob")
	p := w.say(c, "ana", "imported?")
	m := w.mg.mail(t, "bob@example.org", 1)
	if to := m.header(t).Get("To"); !contains(to, "Bob, the 2nd") {
		t.Errorf("To %q", to)
	}
	w.gw.idle()
	out, _ = run(0, "explain", fmt.Sprint(p.ID))
	if !contains(out, "mailed") || contains(out, "imported?") {
		t.Errorf("explain:\n%s", out)
	}
	w.gw.stop()
	write("user_id,email\nbob,bob2@example.org\nbob,bob3@example.org\n")
	run(0, "people", "import", csv) // while it does not run
	out, _ = run(0, "people", "list")
	if !contains(out, "bob,bob3@example.org") || strings.Count(out, "bob,") != 1 {
		t.Errorf("list:\n%s", out)
	}
	stored := out
	for name, bad := range map[string]string{"no heading": "bob,bob@example.org\n", "unknown column": "user_id,email,phone\na,a@b.example,1\n", "bad address": "user_id,email\nx,x@example.org\ny,nonsense\n",
		"too few": "user_id,email\nx\n", "empty": "", "two addresses": "user_id,email\nx,\"a@b.example, c@d.example\"\n"} {
		write(bad)
		if _, errs, code := w.gw.run("", "people", "import", csv); code == 0 || len(errs) == 0 {
			t.Errorf("%s: exit %d, %q", name, code, errs)
		}
	}
	if out, _ = run(0, "people", "list"); out != stored {
		t.Errorf("a file with a mistake changed something:\n%s", out)
	}
}

func TestReplyCommand(t *testing.T) {
	t.Parallel()
	g := newGateway(t, "http://127.0.0.1:1", "http://127.0.0.1:1", nil)
	g.env = map[string]string{} // it needs no configuration
	raw := letter("bob@example.org", "x@y.example", "The new words.\n\nOn Mon, 2 Jan 2026 at 10:00, Ana <a@b.example> wrote:\n\n> Old words.\n")
	out, errs, code := g.run(raw, "reply")
	if code != 0 || strings.TrimSpace(out) != "The new words." {
		t.Errorf("exit %d, %q %q", code, out, errs)
	}
	out, _, code = g.run(raw, "reply", "--json")
	var parts map[string]any
	if err := json.Unmarshal([]byte(out), &parts); err != nil || code != 0 || !contains(out, "The new words.") {
		t.Errorf("exit %d, %v, %s", code, err, out)
	}
	for _, odd := range []string{"", "\x00\xff\xfe", strings.Repeat("a", 1<<20), "Content-Type: multipart/mixed\r\n\r\n"} {
		if _, errs, code := g.run(odd, "reply"); code > 1 || contains(errs, "panic") {
			t.Errorf("%.20q: exit %d %s", odd, code, errs)
		}
	}
}

func TestVersionAndInit(t *testing.T) {
	t.Parallel()
	g := newGateway(t, "http://127.0.0.1:1", "http://127.0.0.1:1", nil)
	g.env = map[string]string{}
	if out, _, code := g.run("", "version"); code != 0 || !contains(out, "postern") {
		t.Errorf("version: %d %q", code, out)
	}
	if _, errs, code := g.run("", "init"); code != 0 {
		t.Fatalf("init: %d %s", code, errs)
	}
	b, err := os.ReadFile(filepath.Join(g.dir, "postern.toml"))
	if err != nil || !contains(string(b), "[sendbird]") || !contains(string(b), "#") {
		t.Errorf("%v\n%s", err, b)
	}
	before := string(b)
	if _, _, code := g.run("", "init"); code == 0 {
		t.Error("init overwrites")
	}
	if b, _ := os.ReadFile(filepath.Join(g.dir, "postern.toml")); string(b) != before {
		t.Error("init overwrote")
	}
	// What it wrote needs only what nobody can guess.
	if _, errs, code := g.run("", "serve"); code == 0 || !contains(errs, "sendbird") {
		t.Errorf("serve with a fresh file: %d %s", code, errs)
	}
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	g := newGateway(t, "http://127.0.0.1:1", "http://127.0.0.1:1", nil)
	whole := g.env
	serve := func(env vars, without ...string) (string, int) {
		g.env = map[string]string{}
		for k, v := range whole {
			g.env[k] = v
		}
		for k, v := range env {
			g.env[k] = v
		}
		for _, k := range without {
			delete(g.env, k)
		}
		out, errs, code := g.run("", "serve")
		return out + errs, code
	}
	file := filepath.Join(g.dir, "bad.toml")
	if err := os.WriteFile(file, []byte("listen = \"127.0.0.1:0\"\n\n[mailgun]\ndomane = \"x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.env = whole
	out, errs, code := g.run("", "serve", "--config", file)
	if out += errs; code == 0 || !contains(out, "domane") || !contains(out, "4") {
		t.Errorf("unknown key: %d %s", code, out)
	}
	for _, k := range []string{"SENDBIRD_API_TOKEN", "MAILGUN_DOMAIN", "MAILGUN_SENDING_KEY", "MAILGUN_SIGNING_KEYS", "SECRET"} {
		out, code := serve(nil, "POSTERN_"+k)
		if code == 0 || !contains(out, "POSTERN_"+k) {
			t.Errorf("without %s: %d %s", k, code, out)
		}
		if contains(out, "goroutine") || strings.Count(strings.TrimSpace(out), "\n") > 2 {
			t.Errorf("without %s: not one clear line: %s", k, out)
		}
	}
	for k, v := range map[string]string{"POSTERN_NOTIFY_WHEN": "sometimes", "POSTERN_NOTIFY_DELAY": "soon", "POSTERN_RECEIPTS_READ": "x", "POSTERN_INBOUND_STRANGERS": "x",
		"POSTERN_MAILGUN_REGION": "mars", "POSTERN_SECRET": "short", "POSTERN_DATABASE": "mysql://x", "POSTERN_LISTEN": "nowhere:99999999",
		"POSTERN_DATA_DIR": "/proc/none", "POSTERN_PUBLIC_URL": "ftp://x"} {
		out, code := serve(vars{k: v})
		if code == 0 || !contains(out, k) && !contains(out, strings.ToLower(strings.TrimPrefix(k, "POSTERN_"))) {
			t.Errorf("%s=%s: %d %s", k, v, code, out)
		}
	}
	for name, dsn := range map[string]string{"refused": "postgres://u:s3cretpw@127.0.0.1:1/x", "no folder": "sqlite:/proc/none/x.db"} {
		out, code := serve(vars{"POSTERN_DATABASE": dsn})
		if code == 0 || !contains(strings.ToLower(out), "database") || contains(out, "s3cretpw") {
			t.Errorf("%s: %d %s", name, code, out)
		}
	}
	// A value by file; and both at once is a mistake.
	keyFile := filepath.Join(g.dir, "key")
	if err := os.WriteFile(keyFile, []byte(sendingKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := serve(vars{"POSTERN_MAILGUN_SENDING_KEY_FILE": keyFile}); code == 0 || !contains(out, "POSTERN_MAILGUN_SENDING_KEY") {
		t.Errorf("both: %d %s", code, out)
	}
	if out, code := serve(vars{"POSTERN_MAILGUN_SENDING_KEY_FILE": g.dir + "/none"}, "POSTERN_MAILGUN_SENDING_KEY"); code == 0 || !contains(out, "POSTERN_MAILGUN_SENDING_KEY_FILE") {
		t.Errorf("no file: %d %s", code, out)
	}
}

// Keys by file, the master token that defaults to the API token, and a second secret.
func TestOtherWaysToConfigure(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c, m := w.mailed("bob")
	w.gw.stop()
	f := filepath.Join(w.gw.dir, "token")
	if err := os.WriteFile(f, []byte(apiToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	delete(w.gw.env, "POSTERN_SENDBIRD_API_TOKEN")
	delete(w.gw.env, "POSTERN_SENDBIRD_MASTER_TOKEN")
	w.gw.env["POSTERN_SENDBIRD_API_TOKEN_FILE"] = f
	w.gw.env["POSTERN_SECRET"] = "bmV3IHNlY3JldCBvZiBtb3JlIHRoYW4gdGhpcnR5LXR3byBieXRlcyE=," + w.gw.env["POSTERN_SECRET"]
	w.gw.start()
	p := w.sb.add(c, &post{User: "ana", Text: "signed by the API token"})
	body := wire(w.messageHook("group_channel:message_send", c, p))
	if code := w.request(pathSendbird, map[string]string{"X-Sendbird-Signature": sign(apiToken, body), "Content-Type": "application/json"}, strings.NewReader(body)); code != 200 {
		t.Fatalf("status %d", code)
	}
	m2 := w.mg.mail(t, m.To, 2)
	w.answer(m, "to the old address")
	w.answer(m2, "to the new address")
	if got := w.posted(c, 2); got[0].Text == got[1].Text {
		t.Errorf("%+v", got)
	}
	if m2.header(t).Get("Subject") != m.header(t).Get("Subject") || rootOf(t, m2.header(t)) != rootOf(t, m.header(t)) {
		t.Error("the thread broke")
	}
}

// The sandbox serves the whole story, on one line of JSON.
func TestSandbox(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(binary, "sandbox", "--headless", "--seed", "7")
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"HOME=" + cmd.Dir, "PATH=" + os.Getenv("PATH")}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	lines := make(chan string, 10)
	go func() {
		defer close(lines)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			lines <- sc.Text()
		}
	}()
	var line string
	select {
	case line = <-lines:
	case <-time.After(patience):
		t.Fatal("no line")
	}
	var addrs map[string]any
	if err := json.Unmarshal([]byte(line), &addrs); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	t.Log(line)
	tried := 0
	for k, v := range addrs {
		if u, ok := v.(string); ok && strings.HasPrefix(u, "http://") {
			res, err := http.Get(u)
			if err != nil {
				t.Errorf("%s: %v", k, err)
				continue
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			tried++
		}
	}
	if tried < 2 {
		t.Errorf("%d addresses of HTTP servers", tried)
	}
	sandboxStory(t, addrs)
	select {
	case l, open := <-lines:
		t.Errorf("more on stdout (open %v): %s", open, l)
	default:
	}
}

// sandboxStory drives the sandbox as a stranger who knows only the two services' APIs and
// SMTP: a chat message becomes a mail, whose answer comes back.
func sandboxStory(t *testing.T, addrs map[string]any) {
	get := func(k string) string { s, _ := addrs[k].(string); return s }
	call := func(method, to, body string, auth func(*http.Request), out any) error {
		req, err := http.NewRequest(method, to, strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		auth(req)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != 200 {
			return fmt.Errorf("%s %s: %s", method, to, res.Status)
		}
		return json.NewDecoder(res.Body).Decode(out)
	}
	chat := func(r *http.Request) { r.Header.Set("Api-Token", get("api_token")) }
	books := func(r *http.Request) { r.SetBasicAuth("api", get("account_key")) }
	room := get("sendbird_api") + "/group_channels/" + get("channel")
	var posted struct {
		ID int64 `json:"message_id"`
		At int64 `json:"created_at"`
	}
	if err := call("POST", room+"/messages", `{"message_type":"MESG","user_id":"ana","message":"A question from the outside"}`, chat, &posted); err != nil {
		t.Fatal(err)
	}
	var from, to string
	poll(t, "the mail in Mailgun's books", func() error {
		var events struct {
			Items []struct {
				Recipient string
				Message   struct{ Headers map[string]string }
			}
		}
		if err := call("GET", get("mailgun_api")+"/v3/"+get("domain")+"/events?event=accepted", "", books, &events); err != nil {
			return err
		}
		for _, e := range events.Items {
			if a, err := mail.ParseAddress(e.Message.Headers["from"]); err == nil {
				from, to = a.Address, e.Recipient
				return nil
			}
		}
		return fmt.Errorf("%d events", len(events.Items))
	})
	if err := smtp.SendMail(get("smtp"), nil, to, []string{from}, []byte(letter(to, from, "An answer from the outside\n"))); err != nil {
		t.Fatal(err)
	}
	poll(t, "the answer in the chat", func() error {
		var list struct {
			Messages []struct{ Message string }
		}
		if err := call("GET", fmt.Sprintf("%s/messages?message_ts=%d&prev_limit=0&next_limit=50", room, posted.At), "", chat, &list); err != nil {
			return err
		}
		for _, m := range list.Messages {
			if m.Message == "An answer from the outside" {
				return nil
			}
		}
		return fmt.Errorf("%d messages", len(list.Messages))
	})
}
