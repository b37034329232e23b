package sendbird

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// control is the plane beside the API: what an application's people do, what the world does to it, and the book.
func (s *Server) control() http.Handler {
	mux := http.NewServeMux()
	on := func(pattern string, do func(*http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, err := do(r)
			s.reply(w, v, err)
		})
	}
	on("GET /_emulator/{$}", s.ctlAbout)
	on("GET /_emulator/state", s.ctlState)
	on("POST /_emulator/reset", s.ctlReset)
	on("GET /_emulator/switches", s.ctlSwitches)
	on("PUT /_emulator/switches", s.ctlSetSwitches)
	on("GET /_emulator/clock", s.ctlClock)
	on("PUT /_emulator/clock", s.ctlSetClock)
	on("PUT /_emulator/available", s.ctlAvailable)
	on("GET /_emulator/book", s.ctlBook)
	mux.HandleFunc("GET /_emulator/book/stream", s.streamBook)
	on("GET /_emulator/webhooks", s.ctlHooks)
	on("GET /_emulator/webhooks/{id}", s.ctlHook)
	on("POST /_emulator/webhooks/{id}/resend", s.ctlResend)
	on("POST /_emulator/webhooks/wait", s.ctlWait)
	on("POST /_emulator/webhooks/emit", s.ctlEmit)
	on("GET /_emulator/faults", s.ctlFaults)
	on("POST /_emulator/faults/calls", s.ctlAddFault)
	on("POST /_emulator/faults/webhooks", s.ctlAddHookFault)
	on("DELETE /_emulator/faults", s.ctlClearFaults)
	on("DELETE /_emulator/faults/{id}", s.ctlRemoveFault)
	on("PUT /_emulator/channels/{channel_url}", s.ctlChannel)
	on("PUT /_emulator/users/{user_id}/presence", s.ctlPresence)
	on("PUT /_emulator/users/{user_id}/push", s.ctlPush)
	on("POST /_emulator/users/{user_id}/file_key", s.ctlFileKey)
	s.clientRoutes(mux)
	return mux
}

func (s *Server) reply(w http.ResponseWriter, v any, err error) {
	status, b, _ := s.render(v, err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// readControl decodes a body into v; unknown names are errors, so that a test's typing error does not pass silently.
func readControl(r *http.Request, v any) error {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxJSONBody))
	if err != nil {
		return err
	}
	if len(raw) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fail(codeInvalidJSON, "%s", err)
	}
	return nil
}

func (s *Server) ctlAbout(*http.Request) (any, error) {
	return obj{"app_id": s.cfg.AppID, "master_token": s.cfg.MasterToken, "seed": s.cfg.Seed}, nil
}

func (s *Server) ctlReset(*http.Request) (any, error) {
	s.Reset()
	s.book.add(Entry{Kind: "reset"})
	return obj{}, nil
}

func (s *Server) ctlSwitches(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sw, nil
}

func (s *Server) ctlSetSwitches(r *http.Request) (any, error) {
	s.mu.Lock()
	sw := s.sw
	s.mu.Unlock()
	if err := readControl(r, &sw); err != nil {
		return nil, err
	}
	if err := s.SetSwitches(sw); err != nil {
		return nil, fail(codeInvalid, "%s", err)
	}
	return sw, nil
}

// SetSwitches replaces all switches, until Reset.
func (s *Server) SetSwitches(sw Switches) error {
	if err := sw.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sw = sw
	s.courier.setRules(sw)
	return nil
}

func (s *Server) ctlClock(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return obj{"now": s.now(), "stopped": s.st.frozenAt != 0}, nil
}

func (s *Server) ctlSetClock(r *http.Request) (any, error) {
	var in struct {
		AdvanceMS int64 `json:"advance_ms"`
		Stop      *bool `json:"stop"`
	}
	if err := readControl(r, &in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	now := s.now() + in.AdvanceMS
	stop := s.st.frozenAt != 0
	if in.Stop != nil {
		stop = *in.Stop
	}
	s.st.frozenAt, s.st.offset = 0, now-s.cfg.Now().UnixMilli()
	if stop {
		s.st.frozenAt = now
	}
	s.mu.Unlock()
	return s.ctlClock(r)
}

func (s *Server) ctlAvailable(r *http.Request) (any, error) {
	var in struct {
		Available bool `json:"available"`
	}
	if err := readControl(r, &in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.down = !in.Available
	return obj{"available": in.Available}, nil
}

// ctlChannel changes what only Sendbird's own people can: the length of texts, and the flags of a channel.
func (s *Server) ctlChannel(r *http.Request) (any, error) {
	var in struct {
		MaxLength *int  `json:"max_length_message"`
		Super     *bool `json:"is_super"`
	}
	if err := readControl(r, &in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, err := s.anyChannel(r.PathValue("channel_url"))
	if err != nil {
		return nil, err
	}
	if in.MaxLength != nil {
		ch.maxLength = *in.MaxLength
	}
	if in.Super != nil {
		ch.super = *in.Super
	}
	return s.channelResource(ch, channelView{members: true, memberMode: "all"}), nil
}

func (s *Server) anyChannel(url string) (*channel, error) {
	if ch, err := s.st.channel(groupChannels, url); err == nil {
		return ch, nil
	}
	return s.st.channel(openChannels, url)
}

func (s *Server) ctlPresence(r *http.Request) (any, error) {
	var in struct {
		Online bool `json:"online"`
	}
	if err := readControl(r, &in); err != nil {
		return nil, err
	}
	return obj{"online": in.Online}, s.SetPresence(r.PathValue("user_id"), in.Online)
}

// SetPresence opens or closes a user's connection; nothing else changes is_online.
func (s *Server) SetPresence(userID string, online bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.st.activeUser(userID)
	if err == nil {
		s.setOnline(u, online)
	}
	return err
}

// ctlPush sets what webhooks repeat of a user's push preferences.
func (s *Server) ctlPush(r *http.Request) (any, error) {
	var in struct {
		Enabled *bool   `json:"push_enabled"`
		Trigger *string `json:"push_trigger_option"`
		DND     *bool   `json:"do_not_disturb"`
	}
	if err := readControl(r, &in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.st.user(r.PathValue("user_id"))
	if err != nil {
		return nil, err
	}
	if in.Enabled != nil {
		u.pushOff = !*in.Enabled
	}
	if in.Trigger != nil {
		u.pushTrigger = *in.Trigger
	}
	if in.DND != nil {
		u.dnd = *in.DND
	}
	s.pushChanged(u)
	return obj{"push_enabled": !u.pushOff, "push_trigger_option": u.pushTrigger, "do_not_disturb": u.dnd}, nil
}

func (s *Server) ctlFileKey(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.st.user(r.PathValue("user_id"))
	if err != nil {
		return nil, err
	}
	return obj{"auth": s.fileKey(u), "expires_at": u.fileKeyEnd}, nil
}

func (s *Server) ctlHooks(*http.Request) (any, error) { return obj{"webhooks": s.courier.list()}, nil }

func (s *Server) ctlHook(r *http.Request) (any, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	if h := s.courier.one(id); h != nil {
		return h, nil
	}
	return nil, notFound("Webhook")
}

func pathID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, fail(codeNotNumber, "\"id\" must be a number.")
	}
	return id, nil
}

func (s *Server) ctlResend(r *http.Request) (any, error) {
	in := struct {
		Copies  int   `json:"copies"`
		DelayMS int64 `json:"delay_ms"`
	}{Copies: 1}
	if err := readControl(r, &in); err != nil {
		return nil, err
	}
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	if !s.courier.resend(id, min(in.Copies, 100), time.Duration(in.DelayMS)*time.Millisecond) {
		return nil, notFound("Webhook")
	}
	return obj{}, nil
}

// ctlWait answers once every event has come to its end, or after timeout_ms (default 10000) with done=false.
func (s *Server) ctlWait(r *http.Request) (any, error) {
	q := textArgs(r.URL.Query())
	ms := q.between("timeout_ms", 10_000, 0, 600_000)
	if q.err != nil {
		return nil, q.err
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Duration(ms)*time.Millisecond)
	defer cancel()
	return obj{"done": s.courier.wait(ctx) == nil}, nil
}

// ctlEmit makes a webhook that no action here causes (announcements, moderation). Its body is given; category, app_id
// and, for a known channel, channel and members are filled in.
func (s *Server) ctlEmit(r *http.Request) (any, error) {
	var in struct {
		Category string         `json:"category"`
		Channel  string         `json:"channel_url"`
		Body     map[string]any `json:"body"`
	}
	if err := readControl(r, &in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.Body == nil {
		in.Body = obj{}
	}
	var ch *channel
	if in.Channel != "" {
		var err error
		if ch, err = s.anyChannel(in.Channel); err != nil {
			return nil, err
		}
	}
	if !s.subscribed(in.Category) {
		return nil, fail(codeUnacceptable, "The application is not subscribed to %q.", in.Category)
	}
	s.emit(in.Category, ch, "", in.Body)
	return obj{"webhook": s.st.events}, nil
}

func (s *Server) ctlFaults(*http.Request) (any, error) {
	calls, hooks := s.faults.list()
	return obj{"calls": calls, "webhooks": hooks}, nil
}

func (s *Server) ctlAddFault(r *http.Request) (any, error) {
	var f Fault
	if err := readControl(r, &f); err != nil {
		return nil, err
	}
	return obj{"id": s.AddFault(f)}, nil
}

func (s *Server) ctlAddHookFault(r *http.Request) (any, error) {
	var f HookFault
	if err := readControl(r, &f); err != nil {
		return nil, err
	}
	id, err := s.AddHookFault(f)
	if err != nil {
		return nil, fail(codeInvalid, "%s", err)
	}
	return obj{"id": id}, nil
}

func (s *Server) ctlClearFaults(*http.Request) (any, error) {
	s.faults.clear()
	return obj{}, nil
}

func (s *Server) ctlRemoveFault(r *http.Request) (any, error) {
	id, err := pathID(r)
	if err == nil && !s.RemoveFault(id) {
		err = notFound("Fault")
	}
	return obj{}, err
}

func (s *Server) ctlBook(r *http.Request) (any, error) {
	q := textArgs(r.URL.Query())
	after, limit := q.integer("after", 0), q.between("limit", 500, 1, 5000)
	if q.err != nil {
		return nil, q.err
	}
	entries := s.Book(after, int(limit))
	next := after
	if len(entries) > 0 {
		next = entries[len(entries)-1].N
	}
	if entries == nil {
		entries = []Entry{}
	}
	return obj{"entries": entries, "next": next}, nil
}

// streamBook writes entries as server-sent events, each with its number as id, from after (or Last-Event-ID) on.
func (s *Server) streamBook(w http.ResponseWriter, r *http.Request) {
	after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if last, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64); err == nil {
		after = last
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	beat := time.NewTicker(15 * time.Second)
	defer beat.Stop()
	for {
		entries, grown := s.book.after(after, 500)
		for _, e := range entries {
			after = e.N
			if _, err := io.WriteString(w, "id: "+strconv.FormatInt(e.N, 10)+"\ndata: "+string(e.json())+"\n\n"); err != nil {
				return
			}
		}
		if err := out.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return
		}
		if len(entries) > 0 {
			continue
		}
		select {
		case <-grown:
		case <-beat.C:
			if _, err := io.WriteString(w, ": still here\n\n"); err != nil {
				return
			}
		case <-r.Context().Done():
			return
		case <-s.ctx.Done():
			return
		}
	}
}
