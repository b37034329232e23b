package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/postern-chat/postern"
)

// Trip is a mail to ourselves: through the provider, and back through the inbound hook of
// the running gateway, which notes what arrives. Nobody else sees it, and it is posted
// nowhere: it says of itself that it is automatic.
type Trip struct {
	// Send gives the provider a mail to an address of ours and tells its Message-ID.
	Send func(ctx context.Context) (messageID string, err error)
	// Notes tells what the running gateway noted of a Message-ID so far.
	Notes func(ctx context.Context, messageID string) ([]TripNote, error)
	Wait  time.Duration // for its return; default 90 s
	Every time.Duration // how often it is asked for; default 500 ms
	Now   func() time.Time
	// Told, if set, is told of each hop when it is over.
	Told func(hop string, took time.Duration)
}

// TripNote is one thing that the gateway noted.
type TripNote struct {
	At     time.Time
	Event  bool   // of the provider, not a mail
	Detail string // the event's kind
}

// Check gives the check of the round trip.
func (t Trip) Check() Check {
	if t.Wait == 0 {
		t.Wait = 90 * time.Second
	}
	if t.Every == 0 {
		t.Every = 500 * time.Millisecond
	}
	if t.Now == nil {
		t.Now = time.Now
	}
	return Check{Subject: "ROUND-TRIP", Limit: t.Wait + 30*time.Second, Ask: t.ask}
}

func (t Trip) ask(ctx context.Context) []postern.Finding {
	start := t.Now()
	id, err := t.Send(ctx)
	if err != nil {
		return []postern.Finding{Found("ROUND-TRIP-SEND", "%v", err)}
	}
	accepted := t.Now().Sub(start)
	t.told("accepted by the provider", accepted)
	hops := []string{"accepted after " + short(accepted)}
	var back, event time.Duration
	deadline := start.Add(t.Wait)
	for t.Now().Before(deadline) && (back == 0 || event == 0) {
		notes, err := t.Notes(ctx, id)
		if err != nil {
			return []postern.Finding{Skip("ROUND-TRIP", "%s; then the running gateway could not be asked: %v", hops[0], err)}
		}
		for _, n := range notes {
			took := max(n.At.Sub(start), time.Millisecond)
			switch {
			case n.Event && event == 0 && n.Detail == "delivered":
				event = took
				t.told("delivered, says an event", took)
			case !n.Event && back == 0:
				back = took
				t.told("came back through the inbound hook", took)
			}
		}
		// The event may be a little behind the mail; longer than that it is missed.
		if back != 0 && event == 0 && t.Now().After(start.Add(back+t.Wait/3)) {
			break
		}
		if back == 0 || event == 0 {
			select {
			case <-ctx.Done():
				deadline = t.Now()
			case <-time.After(t.Every):
			}
		}
	}
	return t.verdict(hops, back, event)
}

func (t Trip) told(hop string, took time.Duration) {
	if t.Told != nil {
		t.Told(hop, took)
	}
}

func (t Trip) verdict(hops []string, back, event time.Duration) []postern.Finding {
	if event != 0 {
		hops = append(hops, "its delivery told after "+short(event))
	}
	if back == 0 {
		return []postern.Finding{Found("ROUND-TRIP-INBOUND", "%s, and not back within %v", strings.Join(hops, ", "), t.Wait)}
	}
	hops = append(hops, "back at the inbound hook after "+short(back))
	if event == 0 {
		return []postern.Finding{Found("ROUND-TRIP-EVENTS", "%s; no event told of it", strings.Join(hops, ", "))}
	}
	return []postern.Finding{OK("ROUND-TRIP", "%s", strings.Join(hops, ", "))}
}

func short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return d.Round(100 * time.Millisecond).String()
}
