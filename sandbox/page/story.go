package page

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/postern-chat/postern/sandbox/mailbox"
)

// Line is one readable line of what happened.
type Line struct {
	Seq  int64  `json:"seq"` // in the order of our hearing of it
	At   int64  `json:"at"`  // ms; lines are told in the order of their time
	Who  string `json:"who"` // chat, sendbird, gateway, mailgun, mailbox
	Text string `json:"text"`
	More string `json:"more,omitempty"` // in fewer words why, or with what
	// Tone is "" for what is usual, "good" for a step done, "held" for what waits for
	// somebody, "bad" for what failed.
	Tone   string `json:"tone,omitempty"`
	Status int    `json:"status,omitempty"` // of the answer, where there was one
	Minor  bool   `json:"minor,omitempty"`  // of interest only to who looks closely
	// Source and N name the entry behind the line: its raw form is at
	// /api/lines/{source}/{n}.
	Source string `json:"source"`
	N      int64  `json:"n"`
	// Again says what can be sent once more: "webhook" or "post", by its id.
	Again   string `json:"again,omitempty"`
	AgainID string `json:"again_id,omitempty"`
	Ref     string `json:"ref,omitempty"` // what the gateway can explain
}

// Sources of lines.
const (
	fromChat    = "sendbird"
	fromMail    = "mailgun"
	fromBoxes   = "mailbox"
	fromGateway = "gateway"
	fromTables  = "tables" // of the gateway: what it knows without having noted it
)

// note is one of the gateway's notes, as its API gives it.
type note struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	What    string    `json:"what"`
	Why     string    `json:"why"`
	Channel string    `json:"channel"`
	User    string    `json:"user"`
	Ref     string    `json:"ref"`
	Ref2    string    `json:"ref2"`
	Detail  string    `json:"detail"`
}

// story is what a page in the browser is told. Guarded by Page.mu.
type story struct {
	lines []Line // newest last
	seq   int64
	cut   int64 // lines up to here belong to a story that was started over

	// Cursors into the four sources.
	chat, mail, boxes, gateway int64
	// told holds what the gateway tells without a number, as far as it is in lines.
	told *unnumbered
	// Versions rise when the page should look again.
	chatVersion, mailVersion, heldVersion int64
	gate                                  int // whether the gateway answers
}

const (
	keptLines = 4000
	lookEvery = 100 * time.Millisecond
	atOnce    = 500 // entries of one source in one look
)

// watch follows the sources while somebody looks.
func (p *Page) watch(ctx context.Context) {
	defer close(p.done)
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		p.mu.Lock()
		watched := p.watchers > 0 && !p.paused
		p.mu.Unlock()
		if watched {
			p.look(ctx)
		}
	}
}

// look asks all sources what is new.
func (p *Page) look(ctx context.Context) {
	p.mu.Lock()
	at := p.story
	p.mu.Unlock()
	names := p.names()
	var lines []Line
	chat := p.cfg.Chat.Book(at.chat, atOnce)
	for _, e := range chat {
		at.chat = e.N
		if changesChat(e) {
			at.chatVersion++
		}
		if l, ok := chatLine(e, names); ok {
			l.Source, l.N = fromChat, e.N
			lines = append(lines, l)
		}
	}
	for _, e := range p.cfg.Mail.Book(at.mail, atOnce) {
		at.mail = e.Seq
		if l, ok := mailLine(e, names); ok {
			l.Source, l.N = fromMail, e.Seq
			lines = append(lines, l)
		}
	}
	happened, _ := p.cfg.Boxes.Happenings(at.boxes)
	for _, h := range happened {
		at.boxes = h.Seq
		at.mailVersion++
		if l, ok := boxLine(h, names); ok {
			l.Source, l.N = fromBoxes, h.Seq
			lines = append(lines, l)
		}
	}
	notes, lately, err := p.notes(ctx, at.gateway, atOnce)
	if ctx.Err() == nil {
		p.answers(err == nil)
	}
	for _, n := range at.told.fresh(lately) {
		l := noteLine(n, names)
		l.Source, l.N = fromTables, n.ID
		lines = append(lines, l)
	}
	for _, n := range notes {
		at.gateway = n.ID
		if holds(n) {
			at.heldVersion++
		}
		l := noteLine(n, names)
		l.Source, l.N = fromGateway, n.ID
		lines = append(lines, l)
	}
	p.tell(at, lines)
}

// tell adds what one look found, in the order of time.
func (p *Page) tell(at story, lines []Line) {
	slices.SortStableFunc(lines, func(a, b Line) int { return cmp.Compare(a.At, b.At) })
	p.touch(func(s *story) {
		if s.cut != at.cut {
			return // started over while we looked: these are of the old story
		}
		s.chat, s.mail, s.boxes, s.gateway = at.chat, at.mail, at.boxes, at.gateway
		s.chatVersion = max(s.chatVersion, at.chatVersion)
		s.mailVersion = max(s.mailVersion, at.mailVersion)
		s.heldVersion = max(s.heldVersion, at.heldVersion)
		for _, l := range lines {
			s.seq++
			l.Seq = s.seq
			s.lines = append(s.lines, l)
		}
		if len(s.lines) > keptLines {
			s.lines = append(s.lines[:0:0], s.lines[len(s.lines)-keptLines*3/4:]...)
		}
	})
}

// touch changes the story and wakes whoever waits for news if there are any.
func (p *Page) touch(change func(*story)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.story
	change(&p.story)
	after := p.story
	if before.seq == after.seq && before.cut == after.cut && before.chatVersion == after.chatVersion &&
		before.mailVersion == after.mailVersion && before.heldVersion == after.heldVersion && before.gate == after.gate {
		return
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// fastForward forgets all lines and goes to the end of every source.
func (p *Page) fastForward(ctx context.Context) {
	p.touch(func(s *story) {
		s.lines, s.cut = nil, s.seq+1
		s.seq++
		for {
			entries := p.cfg.Chat.Book(s.chat, atOnce)
			if len(entries) == 0 {
				break
			}
			s.chat = entries[len(entries)-1].N
		}
		if entries := p.cfg.Mail.Book(s.mail, 0); len(entries) > 0 {
			s.mail = entries[len(entries)-1].Seq
		}
		if list, _ := p.cfg.Boxes.Happenings(s.boxes); len(list) > 0 {
			s.boxes = list[len(list)-1].Seq
		}
		s.chatVersion, s.mailVersion, s.heldVersion = s.chatVersion+1, s.mailVersion+1, s.heldVersion+1
	})
	for ctx.Err() == nil {
		p.mu.Lock()
		after, told := p.story.gateway, p.story.told
		p.mu.Unlock()
		notes, lately, err := p.notes(ctx, after, atOnce)
		p.touch(func(s *story) { // no line about it: so things are from here on
			s.gate = gateUp
			if err != nil {
				s.gate = gateDown
			}
		})
		told.fresh(lately) // they are of the old story
		if err != nil || len(notes) == 0 {
			return
		}
		p.touch(func(s *story) { s.gateway = max(s.gateway, notes[len(notes)-1].ID) })
	}
}

// notes asks the gateway for what it noted after a number, and for the last things that
// it knows without having noted them.
func (p *Page) notes(ctx context.Context, after int64, limit int) (noted, lately []note, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.cfg.Gateway+"/api/v1/activity?after="+strconv.FormatInt(after, 10)+"&limit="+strconv.Itoa(limit), nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+p.cfg.AdminToken)
	resp, err := p.cfg.Client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("page: the gateway's activity: %s", resp.Status)
	}
	var out struct {
		Notes  []note `json:"notes"`
		Lately []note `json:"lately"`
	}
	err = json.NewDecoder(resp.Body).Decode(&out)
	return out.Notes, out.Lately, err
}

// getLine is the entry behind a line, raw.
func (p *Page) getLine(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
	if err != nil || n < 1 {
		refuse(w, http.StatusNotFound, "no such line")
		return
	}
	var found any
	switch r.PathValue("source") {
	case fromChat:
		if list := p.cfg.Chat.Book(n-1, 1); len(list) == 1 && list[0].N == n {
			found = list[0]
		}
	case fromMail:
		if list := p.cfg.Mail.Book(n-1, 1); len(list) == 1 && list[0].Seq == n {
			found = list[0]
		}
	case fromBoxes:
		list, _ := p.cfg.Boxes.Happenings(n - 1)
		if i := slices.IndexFunc(list, func(h mailbox.Happening) bool { return h.Seq == n }); i >= 0 {
			found = list[i]
		}
	case fromPage:
		found = p.own(n)
	case fromGateway:
		if list, _, err := p.notes(r.Context(), n-1, 1); err == nil && len(list) == 1 && list[0].ID == n {
			found = list[0]
		}
	case fromTables:
		p.mu.Lock()
		told := p.story.told
		p.mu.Unlock()
		if n, ok := told.entry(n); ok {
			found = n
		}
	}
	if found == nil {
		refuse(w, http.StatusNotFound, "the books have forgotten it")
		return
	}
	answer(w, http.StatusOK, found)
}
