package page

import (
	"net/http"
	"time"
)

// fromPage is the source of the lines that the page itself tells.
const fromPage = "page"

// postKill kills the gateway. Whether it runs again is seen by asking it.
func (p *Page) postKill(w http.ResponseWriter, _ *http.Request) {
	if p.cfg.Kill == nil {
		refuse(w, http.StatusNotFound, "the gateway is not this world's to kill")
		return
	}
	if err := p.cfg.Kill(); err != nil {
		refuse(w, http.StatusConflict, err.Error())
		return
	}
	p.mu.Lock()
	p.killed = true
	p.mu.Unlock()
	p.say(Line{Text: "the gateway was killed in the middle of its work", More: "kill -9", Tone: bad})
	answer(w, http.StatusOK, map[string]bool{"ok": true})
}

// say tells a line of the page's own.
func (p *Page) say(l Line) {
	p.touch(func(s *story) { s.say(l) })
}

func (s *story) say(l Line) {
	s.seq++
	l.Seq, l.N, l.At, l.Who, l.Source = s.seq, s.seq, time.Now().UnixMilli(), fromGateway, fromPage
	s.lines = append(s.lines, l)
}

// answers remembers whether the gateway answers, and tells when that changes.
func (p *Page) answers(up bool) {
	p.mu.Lock()
	killed := p.killed
	p.killed = killed && !up
	p.mu.Unlock()
	p.touch(func(s *story) {
		was := s.gate
		s.gate = gateDown
		if up {
			s.gate = gateUp
		}
		switch {
		case was == s.gate:
		case up && killed:
			s.say(Line{Text: "the gateway runs again", More: "what it had taken, it still has", Tone: good})
		case up:
			s.say(Line{Text: "the gateway answers", Tone: good})
		case was == gateUp && !killed:
			s.say(Line{Text: "the gateway does not answer", Tone: bad})
		}
	})
}

// Whether the gateway answers.
const (
	gateUnknown = iota
	gateUp
	gateDown
)

// own finds a line of the page's own.
func (p *Page) own(n int64) any {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.story.lines {
		if l.Source == fromPage && l.N == n {
			return l
		}
	}
	return nil
}
