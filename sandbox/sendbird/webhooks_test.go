package sendbird

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden holds v, its keys sorted, against a file.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, '\n')
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, old) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, b, old)
	}
}

// TestPayloads makes every category that an action can cause and holds the first of each against its golden file.
func TestPayloads(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.FilesURL = "https://file-ap-1.sendbird.test" })
	w.ok("POST", "/v3/users", obj{"user_id": "ana", "nickname": "Ana", "profile_url": "https://img.example/ana.png", "metadata": obj{"team": "blue"}})
	w.user("bob", "cyd")
	ch := w.channel("support_1", "ana", "bob")
	client := "/_emulator/users/%s/channels/support_1"
	ana, bob := fmt.Sprintf(client, "ana"), fmt.Sprintf(client, "bob")
	m := w.ok("POST", ana+"/messages", obj{"message": "Hello", "mentioned_user_ids": []string{"bob"}})
	id := fmt.Sprint(m["message_id"])
	w.ok("POST", bob+"/messages/"+id+"/reactions", obj{"reaction": "heart"})
	w.ok("DELETE", bob+"/messages/"+id+"/reactions?reaction=heart", nil)
	w.ok("PUT", ana+"/messages/"+id, obj{"message": "Hello!"})
	w.ok("PUT", bob+"/read", nil)
	w.ok("DELETE", ana+"/messages/"+id, nil)
	w.ok("POST", bob+"/invite", obj{"user_ids": []string{"cyd"}})
	w.ok("PUT", ch, obj{"name": "Help", "is_public": true})
	w.ok("PUT", ch+"/freeze", obj{"freeze": true})
	w.ok("PUT", fmt.Sprintf(client, "cyd")+"/leave", nil)
	w.ok("POST", ch+"/invite", obj{"user_ids": []string{"cyd"}, "inviter_id": "ana", "invitation_status": obj{"cyd": "invited_by_friend"}})
	w.ok("PUT", fmt.Sprintf(client, "cyd")+"/decline", nil)
	w.ok("POST", "/v3/users/bob/block", obj{"target_id": "ana"})
	w.ok("DELETE", "/v3/users/bob/block/ana", nil)
	w.ok("POST", ch+"/operators", obj{"operator_ids": []string{"ana"}})
	w.ok("DELETE", ch+"/operators?delete_all=true", nil)
	w.ok("PUT", "/_emulator/users/bob/push", obj{"push_trigger_option": "off"})
	w.ok("PUT", "/_emulator/switches", obj{"profanity": []string{"darn"}, "user_messages_per_second": 5})
	w.ok("PUT", ch+"/freeze", obj{"freeze": false})
	w.ok("POST", bob+"/messages", obj{"message": "darn it"})
	w.ok("PUT", "/_emulator/switches", obj{"profanity_mode": "block", "user_messages_per_second": 0})
	w.refused("POST", bob+"/messages", obj{"message": "darn"}, 400, 900060)
	w.ok("PUT", "/_emulator/switches", obj{"user_messages_per_second": 1})
	w.refused("POST", bob+"/messages", obj{"message": "again"}, 400, 900200)
	n := w.say(ch, "ana", "reported")
	report := obj{"report_category": "spam", "reporting_user_id": "bob", "report_description": "ads"}
	w.ok("POST", fmt.Sprint("/v3/report/group_channels/support_1/messages/", n["message_id"]), report)
	w.ok("POST", "/v3/report/users/ana", report)
	w.ok("POST", "/v3/report/group_channels/support_1", report)
	w.openStory()
	w.ok("DELETE", ch, nil)

	seen := map[string]bool{}
	for _, h := range w.hooks("") {
		category := h["category"].(string)
		if !seen[category] {
			golden(t, strings.ReplaceAll(category, ":", "."), h)
		}
		seen[category] = true
	}
	unreachable := []string{"user:push_channel_preference", "user:device_token_register", "user:device_token_unregister",
		"profanity_filter:moderate", "image_moderation:block", "announcement:create_channels", "announcement:send_messages"}
	for _, category := range allCategories() {
		if seen[category] == contains(unreachable, category) {
			t.Errorf("%s: seen %v", category, seen[category])
		}
	}
}

func (w *world) openStory() {
	w.ok("POST", "/v3/open_channels", obj{"channel_url": "lobby", "name": "Lobby", "operators": []obj{{"user_id": "ana"}}})
	w.ok("PUT", "/_emulator/users/bob/channels/lobby/enter", nil)
	m := w.say("/v3/open_channels/lobby", "bob", "hi all")
	one := fmt.Sprint("/v3/open_channels/lobby/messages/", m["message_id"])
	w.ok("PUT", one, obj{"message_type": "MESG", "message": "hi"})
	w.ok("DELETE", one, nil)
	want(w.t, "participants", dig(w.ok("GET", "/v3/open_channels/lobby/participants", nil), "participants", 0, "user_id"), "bob")
	want(w.t, "open channels", dig(w.ok("GET", "/v3/open_channels", nil), "channels", 0, "participant_count"), 1)
	w.ok("PUT", "/_emulator/users/bob/channels/lobby/exit", nil)
	w.ok("POST", "/v3/report/open_channels/lobby", obj{"report_category": "spam"})
	w.ok("DELETE", "/v3/open_channels/lobby", nil)
}

// TestFileAndAdminPayloads: the other two kinds of message_send.
func TestFileAndAdminPayloads(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.FilesURL = "https://file-ap-1.sendbird.test" })
	ch := w.channel("support_1", "ana", "bob")
	w.form(ch+"/messages", map[string]string{"message_type": "FILE", "user_id": "ana"}, "a.pdf", "application/pdf", []byte("%PDF"))
	w.ok("POST", ch+"/messages", obj{"message_type": "ADMM", "message": "Closed", "custom_type": "note"})
	hooks := w.hooks("group_channel:message_send")
	golden(t, "group_channel.message_send.file", hooks[0])
	golden(t, "group_channel.message_send.admin", hooks[1])
}

func TestWebhookTransport(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("support_1", "ana", "bob")
	w.forget()
	w.say(ch, "ana", "né / 🙂")
	w.settle()
	p := w.recv.all()[0]
	for k, v := range map[string]string{"User-Agent": "SendBird", "Content-Type": "application/json", "Accept": "*/*",
		"Accept-Encoding": "gzip, deflate", "Unicode-Escaped": "true"} {
		want(t, k, p.head.Get(k), v)
	}
	if strings.Contains(string(p.raw), ": ") || strings.Contains(string(p.raw), "é") || !strings.Contains(string(p.raw), `n\u00e9 \/ \ud83d\ude42`) {
		t.Errorf("bytes: %s", p.raw)
	}
	// The order of keys differs from event to event.
	orders := map[string]bool{}
	for range 8 {
		w.say(ch, "ana", "x")
	}
	w.settle()
	for _, p := range w.recv.all() {
		key, _, _ := strings.Cut(string(p.raw), ":")
		orders[key] = true
	}
	if len(orders) < 3 {
		t.Errorf("first keys: %v", orders)
	}
}

func TestSameSeedSameBytes(t *testing.T) {
	run := func(seed int64) (out []string) {
		w := newWorld(t, func(c *Config) { c.Seed = seed; c.FilesURL = "https://f.test" })
		w.user("ana", "bob")
		link := w.ok("POST", "/v3/group_channels", obj{"user_ids": []string{"ana", "bob"}})["channel_url"].(string)
		w.form("/v3/group_channels/"+link+"/messages", map[string]string{"message_type": "FILE", "user_id": "ana"}, "a.txt", "text/plain", []byte("x"))
		w.settle()
		for _, p := range w.recv.all() {
			out = append(out, string(p.raw))
		}
		return out
	}
	a, b, c := run(5), run(5), run(6)
	want(t, "again", fmt.Sprint(a), fmt.Sprint(b))
	if fmt.Sprint(a) == fmt.Sprint(c) {
		t.Error("another seed, the same bytes")
	}
}

func TestWebhookSettings(t *testing.T) {
	w := newWorld(t)
	const path = "/v3/applications/settings/webhook"
	got := w.ok("GET", path+"?display_all_webhook_categories=true", nil)["webhook"].(map[string]any)
	want(t, "keys", keys(got), "all_webhook_categories enabled enabled_events include_members include_unread_count url")
	want(t, "events", got["enabled_events"], "[*]")
	want(t, "keys", keys(w.ok("GET", path, nil)["webhook"].(map[string]any)), "enabled enabled_events include_members include_unread_count url")
	w.refused("PUT", path, obj{"url": "nowhere"}, 400, 400114)
	w.refused("PUT", path, obj{"enabled_events": []string{"group_channel:delivered"}}, 400, 400111)

	ch := w.channel("room1", "ana", "bob")
	w.forget()
	put := func(v obj) map[string]any { return w.ok("PUT", path, v)["webhook"].(map[string]any) }
	say := func() []map[string]any {
		w.forget()
		w.say(ch, "ana", "x")
		return w.hooks("")
	}
	put(obj{"include_members": false})
	if _, there := say()[0]["members"]; there {
		t.Error("members although off")
	}
	put(obj{"include_members": true, "include_unread_count": false})
	if _, there := dig(say()[0], "members", 0).(map[string]any)["unread_message_count"]; there {
		t.Error("unread counts although off")
	}
	want(t, "one category", put(obj{"enabled_events": []string{"group_channel:message_update"}})["enabled"], true)
	want(t, "another event", len(say()), 0)
	want(t, "none", put(obj{"enabled_events": []string{}})["enabled"], false)
	put(obj{"enabled_events": []string{"*"}, "enabled": true})
	want(t, "all", len(say()), 1)
	put(obj{"enabled": false})
	want(t, "off", len(say()), 0)
	w.ok("PUT", "/_emulator/switches", obj{"push_trigger_as_bool": true})
	put(obj{"enabled": true})
	want(t, "as one capture has it", dig(say()[0], "members", 0, "push_trigger_option"), true)
}

func TestRetries(t *testing.T) {
	status := func(codes ...int) func(http.ResponseWriter, *http.Request) {
		n := -1
		return func(w http.ResponseWriter, _ *http.Request) {
			n = min(n+1, len(codes)-1)
			if codes[n] == 0 {
				resetConnection(w)
				return
			}
			w.WriteHeader(codes[n])
		}
	}
	for name, c := range map[string]struct {
		codes   []int
		lenient bool
		tries   int
		state   string
	}{
		"at once":            {[]int{200}, false, 1, "delivered"},
		"any 2xx":            {[]int{204}, false, 1, "delivered"},
		"third time":         {[]int{503, 503, 200}, false, 3, "delivered"},
		"lost":               {[]int{503}, false, 3, "lost"},
		"redirect":           {[]int{302, 200}, false, 2, "delivered"},
		"reset":              {[]int{0, 0, 200}, false, 3, "delivered"},
		"reset for ever":     {[]int{0}, false, 3, "lost"},
		"a status is enough": {[]int{503}, true, 1, "delivered"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(cfg *Config) { cfg.Switches.NoRetryOnStatus = c.lenient })
			w.user("ana", "bob")
			w.recv.answers(status(c.codes...))
			w.ok("POST", "/v3/users/ana/block", obj{"target_id": "bob"})
			posts := w.hooks("user:block")
			want(t, "posts", len(posts), c.tries)
			h := w.ok("GET", "/_emulator/webhooks", nil)["webhooks"].([]any)[0]
			want(t, "tries", len(dig(h, "tries").([]any)), c.tries)
			want(t, "state", dig(h, "state"), c.state)
			for _, p := range w.recv.all() {
				want(t, "bytes", string(p.raw), dig(h, "body"))
			}
		})
	}
}

// TestTimeout: a receiver that does not answer is tried again; what else happens does not wait for it for ever.
func TestTimeout(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Delivery.Timeout = 20 * time.Millisecond })
	w.user("ana", "bob")
	w.recv.answers(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	w.ok("POST", "/v3/users/ana/block", obj{"target_id": "bob"})
	w.settle()
	h := w.ok("GET", "/_emulator/webhooks/1", nil)
	want(t, "state", h["state"], "lost")
	for i := range 3 {
		want(t, "error", dig(h, "tries", i, "error"), "no answer in time")
	}
	w.refused("GET", "/_emulator/webhooks/99", nil, 400, 400201)
}

// texts lists what messages came, in the order of arrival.
func (w *world) texts() string {
	var out []string
	for _, h := range w.hooks("group_channel:message_send") {
		out = append(out, fmt.Sprint(dig(h, "payload", "message")))
	}
	return strings.Join(out, " ")
}

func TestOrderWithinAChannel(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob")
	w.forget()
	var sent []string
	for i := range 50 {
		sent = append(sent, fmt.Sprint(i))
		w.say(ch, "ana", fmt.Sprint(i))
	}
	want(t, "order", w.texts(), strings.Join(sent, " "))
}

func TestWebhookFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault obj
		came  string
	}{
		"duplicate":       {obj{"do": "duplicate", "count": 1}, "1 1 2 3"},
		"triplicate":      {obj{"do": "duplicate", "count": 1, "skip": 1, "copies": 3}, "1 2 2 2 3"},
		"drop":            {obj{"do": "drop", "count": 1, "skip": 1}, "1 3"},
		"reorder":         {obj{"do": "reorder", "count": 1, "delay_ms": 60000}, "2 1 3"},
		"reorder two":     {obj{"do": "reorder", "count": 2, "delay_ms": 60000}, "3 1 2"},
		"reorder alone":   {obj{"do": "reorder", "skip": 2, "delay_ms": 1}, "1 2 3"},
		"delay":           {obj{"do": "delay", "skip": 2, "delay_ms": 1}, "1 2 3"},
		"another event":   {obj{"do": "drop", "category": "group_channel:join"}, "1 2 3"},
		"another channel": {obj{"do": "drop", "channel_url": "room2"}, "1 2 3"},
		"certainly":       {obj{"do": "drop", "probability": 1}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ch := w.channel("room1", "ana", "bob")
			w.forget()
			w.ok("POST", "/_emulator/faults/webhooks", c.fault)
			for i := range 3 {
				w.say(ch, "ana", fmt.Sprint(i+1))
			}
			want(t, "came", w.texts(), c.came)
		})
	}
	w := newWorld(t)
	w.refused("POST", "/_emulator/faults/webhooks", obj{"do": "eat"}, 400, 400111)
	w.refused("POST", "/_emulator/faults/webhooks", obj{"do": "drop", "chance": 1}, 400, 400403)
}

func TestDropByChanceIsSeeded(t *testing.T) {
	run := func(seed int64) string {
		w := newWorld(t, func(c *Config) { c.Seed = seed })
		ch := w.channel("room1", "ana", "bob")
		w.forget()
		w.ok("POST", "/_emulator/faults/webhooks", obj{"do": "drop", "probability": 0.5})
		for i := range 30 {
			w.say(ch, "ana", fmt.Sprint(i))
		}
		return w.texts()
	}
	a := run(1)
	want(t, "the same again", run(1), a)
	if n := len(strings.Fields(a)); n < 5 || n > 25 {
		t.Errorf("%d of 30 came", n)
	}
	if run(2) == a {
		t.Error("another seed, the same losses")
	}
}

func TestResendAndEmit(t *testing.T) {
	w := newWorld(t)
	ch := w.channel("room1", "ana", "bob")
	w.forget()
	w.say(ch, "ana", "x")
	w.settle()
	list := w.ok("GET", "/_emulator/webhooks", nil)["webhooks"].([]any)
	last := list[len(list)-1]
	w.ok("POST", fmt.Sprint("/_emulator/webhooks/", dig(last, "id"), "/resend"), obj{"copies": 2, "delay_ms": 1})
	w.settle()
	posts := w.recv.all()
	want(t, "posts", len(posts), 3)
	for _, p := range posts {
		want(t, "bytes", string(p.raw), dig(last, "body"))
	}
	w.refused("POST", "/_emulator/webhooks/999/resend", nil, 400, 400201)
	want(t, "done", w.ok("POST", "/_emulator/webhooks/wait", nil)["done"], true)

	w.ok("POST", "/_emulator/webhooks/emit", obj{"category": "image_moderation:block", "channel_url": "room1", "body": obj{"type": "FILE"}})
	h := w.oneHook("image_moderation:block")
	want(t, "keys", keys(h), "app_id category channel type")
	w.refused("POST", "/_emulator/webhooks/emit", obj{"category": "made:up", "channel_url": "none"}, 400, 400201)
}

// TestReadSwitches: what fires message_read beside an app's own reading.
func TestReadSwitches(t *testing.T) {
	for name, c := range map[string]struct {
		switches obj
		events   int
	}{
		"default":    {obj{}, 2},
		"no echo":    {obj{"no_read_echo": true}, 1},
		"no sending": {obj{"no_read_on_send": true}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.ok("PUT", "/_emulator/switches", c.switches)
			ch := w.channel("room1", "ana", "bob")
			w.say(ch, "ana", "1")
			w.ok("PUT", ch+"/messages/mark_as_read", obj{"user_id": "bob"})
			w.say(ch, "ana", "2")
			w.say(ch, "bob", "3")
			want(t, "events", len(w.hooks("group_channel:message_read")), c.events)
		})
	}
}

// TestUnordered: with the switch on, a slow first event does not hold up the next of its channel.
func TestUnordered(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Switches.Unordered = true })
	ch := w.channel("room1", "ana", "bob")
	w.forget()
	second := make(chan struct{})
	var once sync.Once
	w.recv.answers(func(http.ResponseWriter, *http.Request) {
		if len(w.recv.all()) > 1 {
			once.Do(func() { close(second) })
		}
		<-second
	})
	w.say(ch, "ana", "1")
	w.say(ch, "ana", "2")
	want(t, "both", len(w.hooks("group_channel:message_send")), 2)
}

// TestResetDropsWebhooks: what waits, is held or is being tried comes to its end at once.
func TestResetDropsWebhooks(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Delivery.Timeout = time.Hour })
	ch := w.channel("room1", "ana", "bob")
	w.forget()
	started := make(chan struct{}, 1)
	w.recv.answers(func(_ http.ResponseWriter, r *http.Request) { started <- struct{}{}; <-r.Context().Done() })
	w.ok("POST", "/_emulator/faults/webhooks", obj{"do": "delay", "delay_ms": 3_600_000, "count": 1})
	w.ok("POST", "/_emulator/faults/webhooks", obj{"do": "reorder", "delay_ms": 3_600_000, "count": 1})
	for range 4 {
		w.say(ch, "ana", "x")
	}
	<-started
	w.ok("POST", "/_emulator/reset", nil)
	w.settle()
	want(t, "tried", len(w.recv.all()), 1)
	w.recv.answers(nil)
	w.user("ana", "bob")
	w.ok("POST", "/v3/users/ana/block", obj{"target_id": "bob"})
	want(t, "works on", len(w.hooks("user:block")), 1)
}

// TestCloseWhileTrying: Close does not wait for pauses and tries to come.
func TestCloseWhileTrying(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Delivery.Pauses = []time.Duration{time.Hour, time.Hour} })
	w.user("ana", "bob")
	failed := make(chan struct{}, 10)
	w.recv.answers(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(500); failed <- struct{}{} })
	w.ok("POST", "/_emulator/faults/webhooks", obj{"do": "delay", "delay_ms": 3_600_000, "skip": 1})
	w.ok("POST", "/v3/users/ana/block", obj{"target_id": "bob"})
	w.ok("POST", "/v3/users/bob/block", obj{"target_id": "ana"})
	<-failed
	if err := w.s.Close(); err != nil {
		t.Fatal(err)
	}
	w.refused("GET", "/v3/users", nil, 403, 403100)
	if _, err := os.Stat(w.s.dir); !os.IsNotExist(err) {
		t.Error("the folder is still there")
	}
}
