package page

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// beat is how often a quiet stream shows that it lives.
const beat = 15 * time.Second

// getStream tells the story as server-sent events:
//
//	hello   {"boot"}: of another boot than before means that the world is another
//	cleared {}      : the lines so far belong to a story that was started over
//	lines   [Line]  : new lines
//	look    {"chat","mail","held"}: versions; what rose should be fetched again
//	gateway {"up"}  : whether it answers
func (p *Page) getStream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Time{})
	p.watched(1)
	defer p.watched(-1)
	t := time.NewTicker(beat)
	defer t.Stop()
	if send(w, "hello", map[string]string{"boot": p.boot}) != nil {
		return
	}
	var seen story
	for {
		p.mu.Lock()
		now, more := p.story, p.changed
		var lines []Line
		for i := len(now.lines); i > 0 && now.lines[i-1].Seq > max(seen.seq, now.cut); i-- {
			lines = now.lines[i-1:]
		}
		lines = append([]Line(nil), lines...)
		p.mu.Unlock()
		if tellMore(w, seen, now, lines) != nil || rc.Flush() != nil {
			return
		}
		seen = now
		select {
		case <-more:
		case <-t.C:
			if _, err := fmt.Fprint(w, ": still here\n\n"); err != nil {
				return
			}
		case <-r.Context().Done():
			return
		case <-p.done:
			return
		}
	}
}

func tellMore(w http.ResponseWriter, seen, now story, lines []Line) error {
	if now.cut != seen.cut {
		if err := send(w, "cleared", map[string]string{}); err != nil {
			return err
		}
	}
	if now.chatVersion != seen.chatVersion || now.mailVersion != seen.mailVersion || now.heldVersion != seen.heldVersion {
		if err := send(w, "look", map[string]int64{"chat": now.chatVersion, "mail": now.mailVersion, "held": now.heldVersion}); err != nil {
			return err
		}
	}
	if now.gate != seen.gate {
		if err := send(w, "gateway", map[string]bool{"up": now.gate == gateUp}); err != nil {
			return err
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return send(w, "lines", lines)
}

func send(w http.ResponseWriter, event string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, b)
	return err
}

func (p *Page) watched(by int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watchers += by
}
