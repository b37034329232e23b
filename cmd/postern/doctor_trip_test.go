package main

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/setup/doctor"
)

// trip makes a round trip in a world with a running gateway.
func (w *world) trip(wait time.Duration, told io.Writer) []postern.Finding {
	w.t.Helper()
	cfg := *w.cfg
	cfg.Listen = w.addr
	x := &examination{a: &app{ctx: w.t.Context(), stderr: told}, cfg: &cfg}
	return doctor.Examine(w.t.Context(), []doctor.Check{x.roundTrip(wait)}, nil).Findings
}

// TestRoundTrip: a mail to ourselves comes back; where it does not, the doctor says how
// far it came. It is posted nowhere and waits for nobody.
func TestRoundTrip(t *testing.T) {
	for name, test := range map[string]struct {
		code  string
		spoil func(w *world)
	}{
		"all is well":    {"ROUND-TRIP", func(*world) {}},
		"a wrong key":    {"ROUND-TRIP-SEND", func(w *world) { w.cfg.Mailgun.SendingKey = "key-of-yesterday" }},
		"no admin token": {"ROUND-TRIP-SEND", func(w *world) { w.cfg.AdminToken = "" }},
		"no inbound":     {"ROUND-TRIP-INBOUND", func(w *world) { w.strike(mailgun.Fault{On: "post", Action: "drop", Event: "inbound"}) }},
		"no events":      {"ROUND-TRIP-EVENTS", func(w *world) { w.strike(mailgun.Fault{On: "post", Action: "drop", Event: "delivered"}) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			before := len(w.chat())
			test.spoil(w)
			var told bytes.Buffer
			wait := time.Minute // for what comes
			if name != "all is well" {
				wait = 3 * time.Second // for what never does
			}
			found := w.trip(wait, &told)
			t.Logf("%+v\n%s", found, &told)
			if len(found) != 1 || found[0].Code != test.code {
				t.Errorf("found %+v, want %s", found, test.code)
			}
			if len(w.chat()) != before || w.noted("held", "") {
				t.Error("the mail was posted, or waits for somebody")
			}
		})
	}
}

func (w *world) strike(f mailgun.Fault) {
	w.t.Helper()
	if _, err := w.Mail.AddFault(f); err != nil {
		w.t.Fatal(err)
	}
}
