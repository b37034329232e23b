package relay

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/letter"
	"github.com/postern-chat/postern/store"
)

// Bounces go to the envelope's sender, who is the provider, and come as its events. One
// that comes as a mail to the reply address is rare, and anybody can write it who saw the
// mail: its Message-ID and reply address stand in whatever the recipient forwards. Nothing
// in it can be verified (a sender can write even the provider's verdicts into his header).
// But whoever saw the mail proves that it was delivered. So a bounce is believed only of a
// mail of which neither an event nor the provider's books tell that it was.

// bounceNews is what a bounce that came as a mail says of a delivery.
type bounceNews struct {
	delivery store.Delivery
	doubt    string // why it is not believed; "" = it is
}

// bounceNews finds the delivery that a bounce is about; nil if it is about none.
func (r *Rules) bounceNews(ctx context.Context, m *arrived) (*bounceNews, error) {
	if m.mail == nil || m.mail.Bounce == nil || !m.mail.Bounce.Permanent() || m.to.ID == 0 {
		return nil, nil
	}
	for _, id := range m.mail.Bounce.OurIDs {
		d, ok, err := r.Store.DeliveryByMessageID(ctx, id)
		if err != nil {
			return nil, err
		}
		if ok && d.Participant == m.to.ID {
			doubt, err := r.doubted(ctx, m, d)
			return &bounceNews{d, doubt}, err
		}
	}
	return nil, nil
}

// bounceAge is how long after the call a bounce is believed: no server tries for longer
// (RFC 5321 section 4.5.4.1: 4 to 5 days).
const bounceAge = 7 * 24 * time.Hour

// doubted says why a bounce is not believed; "" if it is.
func (r *Rules) doubted(ctx context.Context, m *arrived, d store.Delivery) (string, error) {
	about := slices.ContainsFunc(m.mail.Bounce.Recipients, func(one letter.Recipient) bool {
		return one.Outcome == letter.OutcomeFailed && (strings.EqualFold(one.Address, d.Recipient) || strings.EqualFold(one.Original, d.Recipient))
	})
	switch {
	case !about:
		return "it is about another address", nil
	case forged(m.in, m.mail) != "":
		return "perhaps forged", nil
	case d.State == store.Failed:
		return "", nil
	case d.State >= store.Delivered || !d.AnsweredAt.IsZero() || !d.OpenedAt.IsZero():
		return "the mail was delivered", nil
	case d.AttemptedAt.IsZero() || r.Now().Sub(d.AttemptedAt) > bounceAge:
		return "it comes too late", nil
	}
	t, can := able[Tracer](r.Provider)
	if !can {
		return "", nil
	}
	told, err := through(ctx, r.mail, func(ctx context.Context) ([]postern.MailEvent, error) {
		return t.Trace(ctx, d.MessageID, r.called(d))
	})
	if settled(err) {
		return "the provider's books cannot be asked", nil
	}
	for _, e := range told {
		if e.Kind == postern.MailDelivered || e.Kind == postern.MailOpened {
			return "the mail was delivered", nil
		}
	}
	return "", err
}

// bounced writes down what a bounce says, or that it was not believed.
func (r *Rules) bounced(tx *store.Tx, m *arrived, b *bounceNews) error {
	if b == nil {
		return nil
	}
	if b.doubt != "" {
		r.Observe("bounce not believed", b.doubt)
		n := r.mailNote(m, "bounce not believed", b.doubt, "")
		n.Ref2 = string(b.delivery.ID)
		return tx.Note(n)
	}
	if _, err := tx.Advance(b.delivery.ID, store.Failed, tx.Now(), "bounced by mail"); err != nil {
		return err
	}
	if err := tx.Add(receiptJob(b.delivery.Participant)); err != nil { // one may have waited for it
		return err
	}
	return r.stop(tx, b.delivery, postern.StopBounced, "bounced by mail")
}
