package page

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/sendbird"
)

// Breaks are the switches that break things. All off is how a world starts.
type Breaks struct {
	MailgunDown  bool `json:"mailgun_down"`  // every call to Mailgun is answered 503
	SendbirdSlow bool `json:"sendbird_slow"` // every call to Sendbird takes three seconds
	Twice        bool `json:"twice"`         // every webhook comes twice
	Lost         bool `json:"lost"`          // no webhook comes
	Late         bool `json:"late"`          // Mailgun's come late, of opens before those of deliveries
}

// breaks are the switches and the rules behind them. Guarded by Page.mu.
type breaks struct {
	Breaks
	slow, twice, lost int64 // faults of the Sendbird emulator; 0: none
}

const (
	slowMillis  = 3000
	lateSeconds = 8
)

func (p *Page) getBreaks(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	b := p.breaks.Breaks
	p.mu.Unlock()
	answer(w, http.StatusOK, b)
}

func (p *Page) putBreaks(w http.ResponseWriter, r *http.Request) {
	var want Breaks
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&want); err != nil {
		refuse(w, http.StatusBadRequest, "the body is not the JSON of switches: "+err.Error())
		return
	}
	if err := p.setBreaks(want); err != nil {
		refuse(w, http.StatusBadGateway, err.Error())
		return
	}
	answer(w, http.StatusOK, want)
}

// setBreaks breaks and mends until things are as wanted.
func (p *Page) setBreaks(want Breaks) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := &p.breaks
	if (b.slow != 0) != want.SendbirdSlow {
		b.slow = p.rule(b.slow, func() int64 {
			return p.cfg.Chat.AddFault(sendbird.Fault{Path: "/v3/**", DelayMS: slowMillis})
		})
	}
	hook := func(f sendbird.HookFault) (id int64, err error) {
		return p.cfg.Chat.AddHookFault(f)
	}
	var errs [2]error
	if (b.twice != 0) != want.Twice {
		b.twice = p.rule(b.twice, func() (id int64) {
			id, errs[0] = hook(sendbird.HookFault{Do: "duplicate", Copies: 2})
			return id
		})
	}
	if (b.lost != 0) != want.Lost {
		b.lost = p.rule(b.lost, func() (id int64) {
			id, errs[1] = hook(sendbird.HookFault{Do: "drop"})
			return id
		})
	}
	p.cfg.Mail.SetSwitches(func(sw *mailgun.Switches) {
		sw.Down, sw.DuplicatePosts, sw.DropPosts, sw.EventDelaySeconds, sw.EventDisorder = 0, 0, 0, 0, false
		if want.Late {
			sw.EventDelaySeconds, sw.EventDisorder = lateSeconds, true
		}
		if want.MailgunDown {
			sw.Down = http.StatusServiceUnavailable
		}
		if want.Twice {
			sw.DuplicatePosts = 1
		}
		if want.Lost {
			sw.DropPosts = 1
		}
	})
	b.Breaks = want
	return errors.Join(errs[:]...)
}

// rule takes a fault of the Sendbird emulator back if there is one, else makes it.
func (p *Page) rule(id int64, make func() int64) int64 {
	if id == 0 {
		return make()
	}
	p.cfg.Chat.RemoveFault(id) // false: a reset was faster
	return 0
}

// mend puts all switches back.
func (p *Page) mend() { _ = p.setBreaks(Breaks{}) } // only making a rule can fail
