package relay

import (
	"testing"
	"time"

	"github.com/postern-chat/postern/store"
)

// Without a quiet window, what the webhook said of who is there is believed for a moment;
// what has waited for longer, or was put into its lane anew, is asked about.
func TestLookAgain(t *testing.T) {
	waits := func(d time.Duration, queued func(*house)) *house {
		h := newHouse(t)
		h.says("ana", "Hello")
		h.now = h.now.Add(d)
		if queued != nil {
			queued(h)
		}
		h.chat.members[1].Online = true
		h.settle()
		return h
	}
	t.Run("just now", func(t *testing.T) {
		h := waits(fresh-time.Second, nil)
		if n := countOf(h.chat.asked, "members") + countOf(h.chat.asked, "messages"); n != 0 || len(h.mail.sent) != 1 {
			t.Errorf("%d calls, %d mails", n, len(h.mail.sent))
		}
	})
	t.Run("some time ago", func(t *testing.T) {
		h := waits(fresh+time.Second, nil)
		if len(h.mail.sent) != 0 {
			t.Error("mailed to somebody who is online")
		}
		h.wantNoted("not mailed", "online")
	})
	t.Run("some time ago, and put into its lane anew", func(t *testing.T) {
		h := waits(fresh+time.Second, func(h *house) {
			leases, err := h.Store.Claim(t.Context(), 1)
			h.must(err)
			j := leases[0].Jobs[0]
			h.must(h.Store.Finish(t.Context(), leases[0], func(tx *store.Tx) error {
				if err := tx.AddFor(j.Event.ID, h.messageJob(channel, "bob")); err != nil {
					return err
				}
				return tx.Done(j)
			}))
		})
		if len(h.mail.sent) != 0 {
			t.Error("mailed to somebody who is online")
		}
		h.wantNoted("not mailed", "online")
	})
}
