package mailgun

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// control is everything below /_emulator/. It is open to everybody who reaches
// it: serve it on loopback only.
func (s *Server) control() http.Handler {
	mux := http.NewServeMux()
	for pattern, f := range map[string]http.HandlerFunc{
		"GET /_emulator/{$}":                s.controlHelp,
		"GET /_emulator/book":               s.controlBook,
		"GET /_emulator/book/stream":        s.controlStream,
		"POST /_emulator/reset":             s.controlReset,
		"GET /_emulator/switches":           s.controlSwitches,
		"PUT /_emulator/switches":           s.controlSwitches,
		"GET /_emulator/faults":             s.controlFaults,
		"POST /_emulator/faults":            s.controlFaultAdd,
		"DELETE /_emulator/faults":          s.controlFaultsClear,
		"DELETE /_emulator/faults/{id}":     s.controlFaultsClear,
		"GET /_emulator/clock":              s.controlClock,
		"POST /_emulator/clock":             s.controlClock,
		"POST /_emulator/drain":             s.controlDrain,
		"GET /_emulator/posts":              s.controlPosts,
		"POST /_emulator/posts/{id}/resend": s.controlResend,
		"GET /_emulator/messages":           s.controlMessages,
		"GET /_emulator/messages/{key}/raw": s.controlRaw,
		"POST /_emulator/events":            s.controlEvent,
		"POST /_emulator/inbound":           s.controlInbound,
		"POST /_emulator/dns/{domain}":      s.controlDNS,
		"POST /_emulator/signing-key":       s.controlSigningKey,
		"POST /_emulator/webhooks/{domain}": s.controlWebhook,
	} {
		mux.HandleFunc(pattern, f)
	}
	return mux
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}

func writeError(w http.ResponseWriter, status int, err error) {
	writeJSON(w, status, map[string]string{"error": err.Error()})
}

func readJSON(w http.ResponseWriter, r *http.Request, v any) bool {
	dec := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		writeError(w, http.StatusBadRequest, err)
		return false
	}
	return true
}

func (s *Server) controlHelp(w http.ResponseWriter, _ *http.Request) {
	locals := []string{}
	for k, v := range Locals() {
		locals = append(locals, k+"@: "+v)
	}
	slices.Sort(locals)
	writeJSON(w, http.StatusOK, map[string]any{"local_parts": locals, "oddities": Oddities(), "paths": []string{
		"GET book?after=&limit=&kind=", "GET book/stream?after=", "POST reset", "GET|PUT switches", "GET|POST|DELETE faults", "DELETE faults/{id}",
		"GET|POST clock {advance}", "POST drain?timeout=", "GET posts", "POST posts/{id}/resend", "GET messages", "GET messages/{key}/raw?recipient=",
		"POST events {event,recipient,message_id}", "POST inbound?from=&to=", "POST dns/{domain}", "POST signing-key", "POST webhooks/{domain} {url,types}"}})
}

func cursor(r *http.Request) int64 {
	n, _ := strconv.ParseInt(orText(r.Header.Get("Last-Event-ID"), r.URL.Query().Get("after")), 10, 64)
	return n
}

func (s *Server) controlBook(w http.ResponseWriter, r *http.Request) {
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	after, kind := cursor(r), r.URL.Query().Get("kind")
	entries, _ := s.book.after(after, 0)
	out := []Entry{}
	for _, e := range entries {
		after = e.Seq
		if kind == "" || kind == e.Kind {
			out = append(out, e)
		}
		if limit > 0 && len(out) >= limit {
			break
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"entries": out, "after": after})
}

// controlStream sends each entry as a server-sent event with its number as id.
func (s *Server) controlStream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Time{})
	after := cursor(r)
	for {
		entries, more := s.book.after(after, 500)
		for _, e := range entries {
			b, _ := json.Marshal(e)
			if _, err := fmt.Fprintf(w, "id: %d\ndata: %s\n\n", e.Seq, b); err != nil {
				return
			}
			after = e.Seq
		}
		if rc.Flush() != nil {
			return
		}
		if len(entries) == 500 {
			continue
		}
		select {
		case <-more:
		case <-r.Context().Done():
			return
		case <-s.sched.ctx.Done():
			return
		}
	}
}

func (s *Server) controlReset(w http.ResponseWriter, _ *http.Request) {
	s.Reset()
	writeJSON(w, http.StatusOK, map[string]bool{"ok": true})
}

func (s *Server) controlSwitches(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		sw := s.switches()
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&sw); err != nil { // fields that are missing keep their value
			writeError(w, http.StatusBadRequest, err)
			return
		}
		s.SetSwitches(func(p *Switches) { *p = sw })
	}
	writeJSON(w, http.StatusOK, s.switches())
}

func (s *Server) controlFaults(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	out := []Fault{}
	for _, f := range s.st.faults {
		out = append(out, *f)
	}
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"faults": out})
}

func (s *Server) controlFaultAdd(w http.ResponseWriter, r *http.Request) {
	var f Fault
	if !readJSON(w, r, &f) {
		return
	}
	id, err := s.AddFault(f)
	if err != nil {
		writeError(w, http.StatusBadRequest, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"id": id})
}

// faultActions are the actions that each place knows.
func faultActions() map[string][]string {
	return map[string][]string{
		"api":      {"status", "slow", "hang", "reset"},
		"send":     {"status", "slow", "hang", "reset", "status-after-accept", "reset-after-accept", "hang-after-accept"},
		"delivery": {"bounce", "delayed-bounce", "defer", "espblock", "no-mx", "suppress", "reject", "complain", "unsubscribe", "lose"},
		"post":     {"duplicate", "drop", "delay", "reorder"},
		"payload":  {"odd"},
	}
}

// AddFault adds a fault to the script; it strikes from now on.
func (s *Server) AddFault(f Fault) (id string, err error) {
	if !slices.Contains(faultActions()[f.On], f.Action) {
		return "", fmt.Errorf("sandbox mailgun: no action %q on %q", f.Action, f.On)
	}
	if strings.HasPrefix(f.Action, "status") && f.Status == 0 {
		f.Status = http.StatusInternalServerError
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Struck = 0
	f.ID = "fault-" + itoa(len(s.st.faults)+1) + "-" + s.ids.hex(6)
	s.st.faults = append(s.st.faults, &f)
	return f.ID, nil
}

func (s *Server) controlFaultsClear(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	s.mu.Lock()
	s.st.faults = slices.DeleteFunc(slices.Clone(s.st.faults), func(f *Fault) bool { return id == "" || f.ID == id })
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]bool{"ok": true})
}

// controlClock shows the emulator's time; POST {"advance":"10m"} moves it.
func (s *Server) controlClock(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		var in struct {
			Advance string `json:"advance"`
		}
		if !readJSON(w, r, &in) {
			return
		}
		d, err := time.ParseDuration(orText(in.Advance, "0s"))
		if err != nil || d < 0 {
			writeError(w, http.StatusBadRequest, fmt.Errorf("advance must be a positive duration, not %q", in.Advance))
			return
		}
		s.Advance(d)
	}
	pending, next := s.sched.Pending()
	out := map[string]any{"now": s.Now(), "pending": pending}
	if pending > 0 {
		out["next"] = next
	}
	writeJSON(w, http.StatusOK, out)
}

func (s *Server) controlDrain(w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(orText(r.URL.Query().Get("timeout"), "30s"))
	if err != nil {
		writeError(w, http.StatusBadRequest, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), d)
	defer cancel()
	if err := s.Drain(ctx); err != nil {
		writeError(w, http.StatusGatewayTimeout, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]bool{"ok": true})
}

func (s *Server) controlPosts(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"posts": s.Posts()})
}

func (s *Server) controlResend(w http.ResponseWriter, r *http.Request) {
	if err := s.Resend(r.PathValue("id")); err != nil {
		writeError(w, http.StatusNotFound, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]bool{"ok": true})
}

// Sent is a message that was accepted, with what became of it per recipient.
type Sent struct {
	Key        string            `json:"key"`
	Domain     string            `json:"domain"`
	MessageID  string            `json:"message_id"`
	Subject    string            `json:"subject"`
	From       string            `json:"from"`
	Size       int64             `json:"size"`
	Tags       []string          `json:"tags"`
	Variables  map[string]string `json:"variables"`
	TestMode   bool              `json:"test_mode"`
	Created    time.Time         `json:"created"`
	Recipients []SentTo          `json:"recipients"`
}

// SentTo is one recipient of a Sent.
type SentTo struct {
	Address string `json:"address"`
	State   string `json:"state"` // queued, delivered, failed, dropped
	Tries   int    `json:"tries"`
	Opened  int    `json:"opened"`
	Fault   string `json:"fault,omitempty"`
}

// Messages are all messages that the API accepted, oldest first.
func (s *Server) Messages() []Sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Sent{}
	for _, m := range s.st.order {
		x := Sent{Key: m.key, Domain: m.domain, MessageID: m.id, Subject: m.header.Text("Subject"), From: m.header.Text("From"),
			Size: m.size, Tags: m.opts.tags, Variables: m.opts.vars, TestMode: m.opts.testMode, Created: m.created}
		for _, d := range m.to {
			x.Recipients = append(x.Recipients, SentTo{d.to, d.state, d.tries, d.opened, d.fault})
		}
		out = append(out, x)
	}
	return out
}

func (s *Server) controlMessages(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"messages": s.Messages()})
}

// controlRaw is a message's MIME: as posted, or as one recipient got it.
func (s *Server) controlRaw(w http.ResponseWriter, r *http.Request) {
	to := r.URL.Query().Get("recipient")
	s.mu.Lock()
	m := s.st.messages[r.PathValue("key")]
	blob := (*message)(nil).rawFor(to)
	if m != nil {
		blob = m.rawFor(to)
	}
	s.mu.Unlock()
	if blob == nil {
		writeError(w, http.StatusNotFound, errors.New("no such message"))
		return
	}
	rc, err := blob.Open()
	if err != nil {
		writeError(w, http.StatusNotFound, err)
		return
	}
	defer func() { _ = rc.Close() }()
	w.Header().Set("Content-Type", "message/rfc822")
	_, _ = io.Copy(w, rc)
}

// controlEvent makes something happen to a message that was sent: opened,
// clicked, unsubscribed, complained, delayed-bounce.
func (s *Server) controlEvent(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Event, Recipient, URL, Agent, IP string
		MessageID                        string `json:"message_id"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	d := s.find(in.Recipient, in.MessageID)
	if d == nil {
		writeError(w, http.StatusNotFound, fmt.Errorf("nothing was sent to %q", in.Recipient))
		return
	}
	v := somebody()
	v.ip, v.agent = orText(in.IP, v.ip), orText(in.Agent, v.agent)
	switch in.Event {
	case "opened":
		s.open(d, v)
	case "clicked":
		s.clicked(d, v, in.URL)
	case "unsubscribed":
		s.unsubscribe(d, v, "*")
	case "complained":
		_ = s.Complain(d.to, d.msg.id)
	case "delayed-bounce":
		s.later(0, "to:"+d.token, func(context.Context) { s.delayedBounce(d) })
	default:
		writeError(w, http.StatusBadRequest, fmt.Errorf("cannot make event %q", in.Event))
		return
	}
	writeJSON(w, http.StatusOK, map[string]bool{"ok": true})
}

// controlInbound takes a raw mail as Mailgun's MX would: ?from=&to=&to=.
func (s *Server) controlInbound(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if err := s.Receive(r.Context(), q.Get("from"), q["to"], r.Body); err != nil {
		writeError(w, http.StatusUnprocessableEntity, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]bool{"ok": true})
}

func (s *Server) controlDNS(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Records []string `json:"records"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	s.VerifyDNS(r.PathValue("domain"), in.Records...)
	writeJSON(w, http.StatusOK, map[string]bool{"ok": true})
}

func (s *Server) controlSigningKey(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"http_signing_key": s.RotateSigningKey()})
}

func (s *Server) controlWebhook(w http.ResponseWriter, r *http.Request) {
	var in struct {
		URL   string   `json:"url"`
		Types []string `json:"types"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	s.AddWebhook(r.PathValue("domain"), in.URL, in.Types...)
	writeJSON(w, http.StatusOK, map[string]bool{"ok": true})
}
