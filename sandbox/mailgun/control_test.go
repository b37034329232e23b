package mailgun_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/sandbox/mailgun"
)

func TestBookAndReset(t *testing.T) {
	w := start(t)
	w.mg.AddWebhook(domain, w.hooks.url, "accepted")
	w.send("bob@example.org", simpleMail, nil)
	w.mg.Advance(time.Second)
	_, body := w.control("GET", "/_emulator/book", "")
	kinds := map[string]int{}
	for _, x := range body["entries"].([]any) {
		e := x.(map[string]any)
		kinds[e["kind"].(string)]++
		if text, _ := marshal(e); strings.Contains(text, sendingKey) || strings.Contains(text, "Authorization") {
			t.Errorf("a key is in the book: %s", text)
		}
	}
	for kind, n := range map[string]int{"request": 1, "event": 2, "post": 1, "delivery": 1} {
		if kinds[kind] != n {
			t.Errorf("%d entries of kind %s, want %d", kinds[kind], kind, n)
		}
	}
	after := int64(body["after"].(float64))
	if _, body = w.control("GET", fmt.Sprintf("/_emulator/book?after=%d", after), ""); len(body["entries"].([]any)) != 0 {
		t.Error("the cursor gives old entries")
	}
	w.control("POST", "/_emulator/inbound?from=a@x.org&to=x@"+domain, simpleMail)
	if _, body = w.control("GET", fmt.Sprintf("/_emulator/book?after=%d&kind=note", after), ""); len(body["entries"].([]any)) != 1 {
		t.Errorf("notes are %v", body)
	}
	w.send("later@example.org", simpleMail, nil)
	w.mg.SetSwitches(func(sw *mailgun.Switches) { sw.MaxTags = 9 })
	w.control("POST", "/_emulator/reset", "")
	w.mg.Advance(time.Hour)
	if len(w.mg.Messages()) != 0 || len(w.mg.Posts()) != 0 || len(w.boxes.Messages("later@example.org")) != 0 || w.pending() != 0 {
		t.Error("something is left after a reset")
	}
	if _, sw := w.control("GET", "/_emulator/switches", ""); sw["max_tags"] != 3.0 {
		t.Errorf("max_tags is %v", sw["max_tags"])
	}
	if entries := w.mg.Book(0, 0); len(entries) != 0 {
		t.Errorf("%d entries in the book", len(entries))
	}
	w.send("bob@example.org", simpleMail, nil)
	if entries := w.mg.Book(after, 0); len(entries) != 1 {
		t.Errorf("an old cursor gives %d entries", len(entries))
	}
}

func TestBookStream(t *testing.T) {
	w := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", w.url+"/_emulator/book/stream", nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	w.send("bob@example.org", simpleMail, nil)
	sc := bufio.NewScanner(resp.Body)
	var id, data string
	for sc.Scan() && data == "" {
		if v, ok := strings.CutPrefix(sc.Text(), "id: "); ok {
			id = v
		}
		if v, ok := strings.CutPrefix(sc.Text(), "data: "); ok {
			data = v
		}
	}
	var e mailgun.Entry
	if err := json.Unmarshal([]byte(data), &e); err != nil || e.Kind != "request" || strconv.FormatInt(e.Seq, 10) != id {
		t.Errorf("event %s is %s %v", id, data, err)
	}
}

// TestSameSeedSameWorld: the whole book repeats with the seed.
func TestSameSeedSameWorld(t *testing.T) {
	run := func(seed uint64) string {
		w := start(t, func(c *mailgun.Config) { c.Seed = seed; c.PublicURL = "http://emulator.invalid" })
		w.send("bob@example.org", simpleMail, nil)
		w.send("defer@example.org", simpleMail, nil)
		w.mg.Advance(time.Hour)
		var out strings.Builder
		for _, e := range w.mg.Book(0, 0) {
			out.WriteString(e.Kind + " " + e.Time.String() + " " + e.What + " " + e.MessageID + "\n")
		}
		return out.String()
	}
	if a, b := run(3), run(3); a != b {
		t.Errorf("two runs differ:\n%s\n%s", a, b)
	}
	if run(3) == run(4) {
		t.Error("another seed makes the same world")
	}
}

// TestAutomatic runs without anybody moving the clock, and many at once.
func TestAutomatic(t *testing.T) {
	w := start(t, func(c *mailgun.Config) { c.Manual, c.Now = false, time.Now })
	w.mg.AddWebhook(domain, w.hooks.url)
	const n = 40
	done := make(chan error, n)
	for i := range n {
		go func() {
			status, body := w.try(fmt.Sprintf("u%d@example.org", i))
			if status != 200 {
				done <- fmt.Errorf("%d %s", status, body)
				return
			}
			done <- nil
		}()
	}
	for range n {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if err := w.mg.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	order := map[string]string{}
	for _, e := range w.events() {
		order[e["recipient"].(string)] += e["event"].(string)[:1]
	}
	if len(order) != n {
		t.Errorf("%d recipients have events", len(order))
	}
	for to, got := range order {
		if got != "ad" {
			t.Errorf("%s has %s", to, got)
		}
	}
}
