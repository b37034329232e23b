package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/blob"
	"github.com/postern-chat/postern/store"
)

// Sorter says what is to be done about an arrival. It is asked before the request is
// answered, so it does not block.
type Sorter interface {
	SortChat(postern.ChatEvent) store.Plan
	SortMailEvent(postern.MailEvent) store.Plan
	// SortInbound fails with Invalid for mail that can never be accepted.
	SortInbound(postern.Inbound) (store.Plan, error)
}

// Recorder keeps arrivals: *store.Store.
type Recorder interface {
	Record(ctx context.Context, a store.Arrival) (id int64, duplicate bool, err error)
	NoteSoon(n store.Note)
}

// Config is what the hooks need.
type Config struct {
	Store  Recorder
	Blobs  blob.Store
	Sorter Sorter
	Logger *slog.Logger
	// Observe counts what arrived: source and outcome ("recorded", "duplicate",
	// "skipped: ...", "refused: ..."). It does not block. nil = nobody counts.
	Observe func(source, outcome string)
}

// Limits of what a stranger's request may cost.
const (
	maxChatBody    = 4 << 20
	maxEventBody   = 1 << 20
	maxInboundBody = 110 << 20 // 25 MB of 8-bit mail, every byte percent-encoded, and some
	maxInboundTime = 3 * time.Minute
	maxInbounds    = 64       // large bodies under way at once
	inMemory       = 32 << 10 // of a mail; more goes to a file
	onWord         = 64 << 10 // set aside for a body because its Content-Length says so
)

// Hooks answers webhooks.
type Hooks struct {
	cfg      Config
	inbounds chan struct{}
}

// New checks the configuration.
func New(cfg Config) (*Hooks, error) {
	if cfg.Store == nil || cfg.Blobs == nil || cfg.Sorter == nil {
		return nil, errors.New("webhook: store, blobs and sorter are needed")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string, string) {}
	}
	return &Hooks{cfg: cfg, inbounds: make(chan struct{}, maxInbounds)}, nil
}

// Chat answers a chat platform's webhooks. What can never be accepted gets 400.
func (h *Hooks) Chat(name string, hook ChatHook) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.answer(w, name, http.StatusBadRequest, h.chat(w, r, name, hook))
	})
}

func (h *Hooks) chat(w http.ResponseWriter, r *http.Request, name string, hook ChatHook) error {
	body, err := readAll(w, r, maxChatBody)
	if err != nil {
		return err
	}
	if err := hook.Verify(r.Header, body); err != nil {
		return err
	}
	e, err := hook.Decode(body)
	if err != nil {
		return err
	}
	return h.record(r.Context(), name, h.cfg.Sorter.SortChat(e), store.Arrival{Source: name, Body: body})
}

// MailEvents answers a provider's webhooks on mails that we sent. What can never be
// accepted gets 406, after which Mailgun does not try again.
func (h *Hooks) MailEvents(name string, hook MailHook) http.Handler {
	source := name + ".events"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.answer(w, source, http.StatusNotAcceptable, h.mailEvent(w, r, source, hook))
	})
}

func (h *Hooks) mailEvent(w http.ResponseWriter, r *http.Request, source string, hook MailHook) error {
	body, err := readAll(w, r, maxEventBody)
	if err != nil {
		return err
	}
	e, token, digest, err := hook.Event(body)
	if err != nil {
		return err
	}
	plan := h.cfg.Sorter.SortMailEvent(e)
	plan.Dedup = source + ":" + token
	return h.record(r.Context(), source, plan, store.Arrival{Source: source, Digest: digest, Body: body})
}

// Inbound answers a provider's handing over of mail, raw or taken apart.
func (h *Hooks) Inbound(name string, hook MailHook, raw bool) http.Handler {
	source := name + ".inbound"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.answer(w, source, http.StatusNotAcceptable, h.inbound(w, r, source, hook, raw))
	})
}

func (h *Hooks) inbound(w http.ResponseWriter, r *http.Request, source string, hook MailHook, raw bool) error {
	select {
	case h.inbounds <- struct{}{}:
		defer func() { <-h.inbounds }()
	default:
		return postern.Errorf(postern.Temporary, "webhook.inbound", "%d mails are being read", maxInbounds).Because(postern.CauseBusy)
	}
	// The server's own limits are for small bodies; not every ResponseWriter can do this.
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(maxInboundTime))
	_ = rc.SetWriteDeadline(time.Now().Add(maxInboundTime + time.Minute)) // storing takes its time
	r.Body = http.MaxBytesReader(w, r.Body, maxInboundBody)
	draft := h.cfg.Blobs.NewDraft(inMemory)
	defer draft.Discard()
	draft.Expect(r.ContentLength)
	read := hook.InboundForm
	if raw {
		read = hook.InboundMIME
	}
	in, err := read(r.Context(), r, draft)
	if err != nil {
		return tooLarge(err)
	}
	plan, err := h.cfg.Sorter.SortInbound(in)
	if err != nil {
		return err
	}
	plan.Dedup = source + ":" + in.Key
	return h.keep(r.Context(), source, plan, in, draft)
}

// keep stores a mail: its bytes first, then the row that refers to them. A blob that
// nothing refers to is no harm; a row without its blob would be.
func (h *Hooks) keep(ctx context.Context, source string, plan store.Plan, in postern.Inbound, draft *blob.Draft) error {
	envelope, err := json.Marshal(in)
	if err != nil {
		return postern.Errorf(postern.Invalid, "webhook.inbound", "envelope: %w", err)
	}
	content, ref, err := draft.Keep()
	if err != nil {
		return err
	}
	a := store.Arrival{Source: source, Digest: in.Digest, Body: envelope, Content: content, Ref: ref}
	fresh, err := h.put(ctx, source, plan, a)
	if !fresh && ref != "" && postern.KindOf(err) != postern.Temporary {
		_ = h.cfg.Blobs.Delete(ref)
	}
	return err
}

// record stores an arrival, or counts why it is not worth storing. The token of its
// signature, if it had one, is used up all the same: a body of another kind must not be
// signed with it. Only that is kept then, not the content.
func (h *Hooks) record(ctx context.Context, source string, plan store.Plan, a store.Arrival) error {
	_, err := h.put(ctx, source, plan, a)
	if err == nil && plan.Skip != "" && a.Digest != nil {
		_, _, err = h.cfg.Store.Record(ctx, store.Arrival{Source: a.Source, Dedup: plan.Dedup, Digest: a.Digest})
	}
	return err
}

func (h *Hooks) put(ctx context.Context, source string, plan store.Plan, a store.Arrival) (fresh bool, err error) {
	if plan.Skip != "" {
		h.cfg.Observe(source, "skipped: "+plan.Skip)
		if plan.Note.What != "" {
			h.cfg.Store.NoteSoon(plan.Note)
		}
		return false, nil
	}
	a.Dedup, a.Jobs, a.Notes = plan.Dedup, plan.Jobs, plan.Notes
	_, duplicate, err := h.cfg.Store.Record(ctx, a)
	switch {
	case err != nil:
		return false, err
	case duplicate:
		h.cfg.Observe(source, "duplicate")
	default:
		h.cfg.Observe(source, "recorded")
	}
	return !duplicate, nil
}

func readAll(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	r.Body = http.MaxBytesReader(w, r.Body, most)
	size := min(r.ContentLength, onWord)
	if size < 0 {
		size = 4 << 10
	}
	body := make([]byte, 0, size+1) // and one, so that the end is seen without growing
	for {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			// The line broke or was too slow: the same may come again whole.
			return nil, tooLarge(postern.Errorf(postern.Temporary, "webhook.read", "body: %w", err))
		}
	}
}

// tooLarge classes what MaxBytesReader says, wherever it comes out.
func tooLarge(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return postern.Errorf(postern.Invalid, "webhook.read", "larger than %d bytes", large.Limit).Because(postern.CauseTooLarge)
	}
	return err
}

// answer turns an outcome into a status. invalid is the status of what can never be
// accepted. A stranger learns nothing from the body; the operator from log and count.
func (h *Hooks) answer(w http.ResponseWriter, source string, invalid int, err error) {
	if err == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	status := http.StatusServiceUnavailable
	switch postern.KindOf(err) {
	case postern.Denied:
		status = http.StatusUnauthorized
	case postern.Invalid, postern.Permanent:
		status = invalid
	}
	h.cfg.Observe(source, "refused: "+reason(err))
	h.cfg.Logger.Warn("a webhook was refused", "source", source, "status", status, "reason", reason(err), "error", err)
	http.Error(w, http.StatusText(status), status)
}

var causes = map[postern.Cause]string{
	postern.CauseStale: "signature outside its time", postern.CauseReplayed: "signature used again with another content",
	postern.CauseTooLarge: "too large", postern.CauseBusy: "too busy",
}

// reason is one of few words, fit to label a count.
func reason(err error) string {
	if s := causes[postern.CauseOf(err)]; s != "" {
		return s
	}
	switch postern.KindOf(err) {
	case postern.Denied:
		return "signature does not hold"
	case postern.Invalid, postern.Permanent:
		return "malformed"
	}
	return "not stored"
}
