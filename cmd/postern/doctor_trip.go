package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/seal"
	"github.com/postern-chat/postern/setup/doctor"
)

// dial connects as everybody does.
func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, addr)
}

// roundTrip sends a mail to an address of ours that is nobody's. The gateway notes its
// return under its Message-ID, and that is asked for.
func (x *examination) roundTrip(wait time.Duration) doctor.Check {
	return doctor.Trip{Wait: wait, Now: time.Now, Send: x.sendToOurselves, Notes: x.tripNotes, Told: func(hop string, took time.Duration) {
		_, _ = fmt.Fprintf(x.a.stderr, "round trip: %s after %v\n", hop, took.Round(time.Millisecond))
	}}.Check()
}

func (x *examination) sendToOurselves(ctx context.Context) (string, error) {
	if x.cfg.AdminToken == "" {
		return "", errors.New("admin_token is not set: the running gateway could not be asked what became of the mail, so none was sent")
	}
	p, err := newMailgun(x.cfg, slog.New(slog.DiscardHandler), unobserved, nil)
	if err != nil {
		return "", err
	}
	to := x.replyAddress()
	nonce := seal.NewID(time.Now())
	id := "doctor." + nonce + "@" + x.cfg.Mailgun.Domain
	text := strings.Join([]string{
		"From: Postern's doctor <" + to + ">", "To: <" + to + ">", "Subject: Round trip", "Date: " + time.Now().Format(time.RFC1123Z),
		"Message-ID: <" + id + ">", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Auto-Submitted: auto-generated", "",
		"This mail was sent by postern doctor --round-trip to itself.", "",
	}, "\r\n")
	_, err = p.Send(ctx, postern.Outgoing{
		Delivery: postern.DeliveryID("doctor-" + nonce), To: to, MessageID: id, Size: int64(len(text)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil },
	})
	return id, err
}

// tripNotes asks the running gateway what it noted of a mail.
func (x *examination) tripNotes(ctx context.Context, id string) ([]doctor.TripNote, error) {
	notes, err := newRemote(x.cfg).Explain(ctx, id)
	if err != nil {
		return nil, err
	}
	var out []doctor.TripNote
	for _, n := range notes {
		out = append(out, doctor.TripNote{At: n.At, Event: n.What == "event ignored", Detail: n.Detail})
	}
	return out, nil
}
