package keep_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-chat/postern/blob"
	"github.com/postern-chat/postern/blob/blobtest"
	"github.com/postern-chat/postern/keep"
	"github.com/postern-chat/postern/store"
)

const day = 24 * time.Hour

type house struct {
	t     *testing.T
	store *store.Store
	blobs *blob.Dir
	root  string
	now   *now
	log   *log
}

type now struct {
	mu sync.Mutex
	t  time.Time
}

func (n *now) Now() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.t
}

func (n *now) move(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.t = n.t.Add(d)
}

type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.b.String(), s)
}

func newHouse(t *testing.T, root string) *house {
	t.Helper()
	// Blobs have the disk's time, so the clock begins with it.
	h := &house{t: t, root: root, now: &now{t: time.Now()}, log: &log{}}
	var err error
	h.store, err = store.Open(t.Context(), store.Config{Database: "sqlite:" + filepath.Join(t.TempDir(), "house.db"), Now: h.now.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.store.Close() })
	if h.blobs, err = blob.NewDir(root); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) keeper() *keep.Keeper {
	h.t.Helper()
	k, err := keep.New(keep.Config{Store: h.store, Blobs: h.blobs, Now: h.now.Now, Logger: slog.New(slog.NewTextHandler(h.log, nil)),
		Keep: store.Keep{Events: 30 * day, Deliveries: 60 * day}})
	if err != nil {
		h.t.Fatal(err)
	}
	return k
}

func (h *house) there(ref string) bool {
	f, err := h.blobs.Open(ref)
	if err == nil {
		_ = f.Close()
	}
	return err == nil
}

func (h *house) blob() string { return blobtest.Keep(h.t, h.blobs, []byte("bytes")) }

func (h *house) do(fn func(tx *store.Tx) error) {
	h.t.Helper()
	if err := h.store.Do(h.t.Context(), fn); err != nil {
		h.t.Fatal(err)
	}
}

// A blob goes when nothing needs it any more, and not before it is a day old.
func TestOrphans(t *testing.T) {
	h := newHouse(t, filepath.Join(t.TempDir(), "blobs"))
	k := h.keeper()
	orphan, ofEvent, ofDelivery := h.blob(), h.blob(), h.blob()
	if _, _, err := h.store.Record(t.Context(), store.Arrival{Source: "mail", Body: []byte("{}"), Ref: ofEvent}); err != nil {
		t.Fatal(err)
	}
	h.do(func(tx *store.Tx) error {
		d := store.Delivery{ID: "d", Participant: 1, MessageID: "d@x", Recipient: "r", Content: []byte("{}")}
		if err := tx.AddDelivery(d, nil); err != nil {
			return err
		}
		if _, err := tx.Advance("d", store.Delivered, tx.Now(), ""); err != nil {
			return err
		}
		return tx.UseBlobs("d", ofDelivery)
	})
	want := func(when string, refs ...bool) {
		t.Helper()
		k.Once(t.Context())
		for i, ref := range []string{orphan, ofEvent, ofDelivery} {
			if h.there(ref) != refs[i] {
				t.Errorf("%s: blob %d is there: %v", when, i, !refs[i])
			}
		}
	}
	want("at once", true, true, true)
	h.now.move(day - time.Hour)
	want("before a day", true, true, true)
	h.now.move(2 * time.Hour)
	want("after a day", false, true, true)
	h.now.move(30 * day)
	want("when the event is gone", false, false, true)
	h.now.move(31 * day)
	want("when the delivery is gone", false, false, false)
	if h.log.has("WARN") || h.log.has("ERROR") || !h.log.has("events=1") {
		t.Error(h.log.b.String())
	}
}

// With another database every blob would look like an orphan: none is touched.
func TestAnothersBlobs(t *testing.T) {
	root := filepath.Join(t.TempDir(), "blobs")
	first := newHouse(t, root)
	first.keeper().Once(t.Context())
	ref := first.blob()
	empty := newHouse(t, root)
	empty.now.move(10 * day)
	empty.keeper().Once(t.Context())
	if !empty.there(ref) {
		t.Error("removed another's blob")
	}
	if !empty.log.has("another database") {
		t.Error("without a word")
	}
}

// What fails is said, and done the next time.
func TestFails(t *testing.T) {
	h := newHouse(t, filepath.Join(t.TempDir(), "blobs"))
	k := h.keeper()
	ref := h.blob()
	h.now.move(2 * day)
	owner := filepath.Join(h.root, "owner")
	if err := os.Mkdir(owner, 0o700); err != nil {
		t.Fatal(err)
	}
	k.Once(t.Context())
	if !h.there(ref) || !h.log.has("tried again") {
		t.Error("failed without a word")
	}
	if err := os.Remove(owner); err != nil {
		t.Fatal(err)
	}
	k.Once(t.Context())
	if h.there(ref) {
		t.Error("not made good")
	}
}

// Run ends with its context.
func TestRun(t *testing.T) {
	h := newHouse(t, filepath.Join(t.TempDir(), "blobs"))
	ref := h.blob()
	h.now.move(2 * day)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); h.keeper().Run(ctx) }()
	for end := time.Now().Add(time.Minute); h.there(ref); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing was done")
		}
	}
	cancel()
	<-done
}

func TestNew(t *testing.T) {
	if _, err := keep.New(keep.Config{}); err == nil {
		t.Error("made without a store")
	}
}
