//go:build unix

package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/pgtest"
	"github.com/postern-chat/postern/internal/seal"
	"github.com/postern-chat/postern/store"
)

// BenchmarkFlow takes messages through the store as a chat message becomes a mail: recorded
// by 64 at once, claimed, written down, noted as taken. Besides mails a second it tells the
// processor time of this process for each, which depends least on the machine's other work.
func BenchmarkFlow(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { flow(b, "sqlite:"+filepath.Join(b.TempDir(), "flow.db")) })
	b.Run("postgres", func(b *testing.B) { flow(b, pgtest.Start(b)) })
}

func flow(b *testing.B, database string) {
	s, err := store.Open(b.Context(), store.Config{Database: database})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	const inFlight = 1000
	var n atomic.Int64
	gate := make(chan struct{}, inFlight)
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	all := make(chan struct{})
	w := s.NewWorkers(1000, slog.New(slog.DiscardHandler), func(ctx context.Context, l *store.Lease) (func(*store.Tx) error, error) {
		final, err := mail(ctx, s, l)
		return func(tx *store.Tx) error {
			if err := final(tx); err != nil {
				return err
			}
			tx.Committed(func() {
				<-gate
				if n.Add(1) == int64(b.N) {
					close(all)
				}
			})
			return nil
		}, err
	})
	running.Go(func() { w.Run(ctx) })
	body := []byte(strings.Repeat("x", 3000))
	var next atomic.Int64
	took := make([]time.Duration, b.N) // to record each
	before := used()
	b.ResetTimer()
	for range 64 {
		running.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				gate <- struct{}{}
				user := fmt.Sprintf("user-%d", i%50_000)
				begun := time.Now()
				_, _, err := s.Record(ctx, store.Arrival{Source: "sendbird", Dedup: fmt.Sprintf("key-%016d", i), Digest: body[:32], Body: body,
					Jobs:  []store.LaneJob{{Lane: fmt.Sprintf("mail/sendbird/channel_%032d/%s", i%50_000, user), Kind: "mail", Args: []byte(user)}},
					Notes: []store.Note{{What: "not mailed", Why: "online", Channel: "channel", User: "other", Ref: fmt.Sprint(i)}}})
				if err != nil {
					b.Error(err)
				}
				took[i-1] = time.Since(begun)
			}
		})
	}
	<-all
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "record-p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "record-p99-ms")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
	b.ReportMetric(float64((used()-before).Microseconds())/float64(b.N), "cpu-µs/mail")
	cancel()
	running.Wait()
}

// mail does what relay does with one message.
func mail(ctx context.Context, s *store.Store, l *store.Lease) (func(*store.Tx) error, error) {
	j := l.Jobs[0]
	id := postern.DeliveryID(seal.NewID(time.Now()))
	user, ch := postern.UserID(j.Args), postern.ChannelID(strings.Split(l.Lane, "/")[2])
	known, err := s.Recipient(ctx, "sendbird", ch, user, []postern.MessageID{postern.MessageID(id)})
	if err != nil {
		return nil, err
	}
	fresh := postern.ParticipantID(seal.NewNumber())
	err = s.Work(ctx, l, func(tx *store.Tx) error {
		p := known.Participant
		if p.ID == 0 {
			var err error
			if p, err = tx.NewParticipant(store.NewConversation{Platform: "sendbird", Channel: ch, Name: "Support", Subject: "Support", RootID: string(ch) + "@mg.example.com"}, user, fresh); err != nil {
				return err
			}
		}
		d := store.Delivery{ID: id, Participant: p.ID, State: store.Sending, MessageID: string(id) + "@mg.example.com", Recipient: "a@example.com", Content: j.Event.Body, NewestAt: j.ID, AttemptedAt: tx.Now()}
		if err := tx.AddDelivery(d, []store.Mailed{{Message: postern.MessageID(id), CreatedAt: j.ID}}); err != nil {
			return err
		}
		if err := tx.UseBlobs(string(id)); err != nil {
			return err
		}
		return tx.Become(j, "send", []byte(id))
	})
	time.Sleep(5 * time.Millisecond) // the provider
	return func(tx *store.Tx) error {
		if err := tx.Accept(id, "provider-"+string(id), tx.Now().Add(time.Hour), store.LaneJob{}); err != nil {
			return err
		}
		return tx.Done(j)
	}, err
}

// used is the processor time of this process.
func used() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
