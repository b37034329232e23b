package mailbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// Handler serves the mailboxes as JSON for a page and for tests. It is open to
// everybody who reaches it: serve it on loopback only. Paths:
//
//	GET    /mailboxes                                  all mailboxes
//	PUT    /mailboxes/{address}          {name}        make or name one
//	POST   /mailboxes/{address}/send     Letter        write a new mail
//	POST   /mailboxes/{address}/upload?to=             send a raw .eml as it stands
//	GET    /mailboxes/{address}/messages               newest last
//	GET    /mailboxes/{address}/messages/{id}          headers, text, html, files
//	GET    .../{id}/raw                                the mail, byte for byte
//	GET    .../{id}/html?images=1                      for a frame; pictures only if asked for
//	GET    .../{id}/files/{n}                          an attachment
//	POST   .../{id}/open                 {client}      fetch its pictures as that client
//	POST   .../{id}/click                {url}         follow a link
//	POST   .../{id}/reply                Answer        answer it
//	POST   .../{id}/spam, /unsubscribe
//	GET    /happenings?after=  and  /happenings/stream what happened; as server-sent events
//	POST   /reset
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	const one = "/mailboxes/{address}/messages/{id}"
	for pattern, f := range map[string]func(w http.ResponseWriter, r *http.Request) (any, error){
		"GET /mailboxes":                    s.getBoxes,
		"PUT /mailboxes/{address}":          s.putBox,
		"POST /mailboxes/{address}/send":    s.postSend,
		"POST /mailboxes/{address}/upload":  s.postUpload,
		"GET /mailboxes/{address}/messages": s.getMessages,
		"GET " + one:                        s.getMessage,
		"GET " + one + "/raw":               s.getRaw,
		"GET " + one + "/html":              s.getHTML,
		"GET " + one + "/files/{n}":         s.getFile,
		"POST " + one + "/open":             s.postOpen,
		"POST " + one + "/click":            s.postClick,
		"POST " + one + "/reply":            s.postReply,
		"POST " + one + "/spam":             s.postSpam,
		"POST " + one + "/unsubscribe":      s.postUnsubscribe,
		"GET /happenings":                   s.getHappenings,
		"GET /happenings/stream":            s.getStream,
		"POST /reset":                       s.postReset,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, err := f(w, r)
			switch {
			case errors.Is(err, errAnswered):
			case errors.Is(err, errNotFound):
				writeJSON(w, http.StatusNotFound, map[string]string{"error": err.Error()})
			case err != nil:
				writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			default:
				writeJSON(w, http.StatusOK, v)
			}
		})
	}
	return mux
}

var (
	errAnswered = errors.New("answered")
	errNotFound = errors.New("no such message")
)

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}

func readJSON(r *http.Request, v any) error {
	dec := json.NewDecoder(io.LimitReader(r.Body, 128<<20))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("sandbox mailbox: %w", err)
	}
	return nil
}

// Box is a mailbox in a list.
type Box struct {
	Address string `json:"address"`
	Name    string `json:"name"`
	Count   int    `json:"count"`
	Unseen  int    `json:"unseen"`
}

// Boxes are all mailboxes in the order of their coming.
func (s *Server) Boxes() []Box {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Box{}
	for _, key := range s.order {
		b := s.boxes[key]
		x := Box{Address: b.address, Name: b.name, Count: len(b.mails)}
		for _, m := range b.mails {
			if !m.seen {
				x.Unseen++
			}
		}
		out = append(out, x)
	}
	return out
}

// Message is a mail of a mailbox.
type Message struct {
	ID        string    `json:"id"`
	MessageID string    `json:"message_id"`
	From      string    `json:"from"`
	To        string    `json:"to"`
	Subject   string    `json:"subject"`
	Date      string    `json:"date"`
	Received  time.Time `json:"received"`
	Size      int64     `json:"size"`
	Sent      bool      `json:"sent"` // written by the owner
	Seen      bool      `json:"seen"`
	Opens     int       `json:"opens"`
	Shown     bool      `json:"shown"` // a person saw its pictures
	Spam      bool      `json:"spam"`
	Files     []File    `json:"files"`

	// Only for one message, not in lists.
	Header   [][2]string `json:"header,omitempty"`
	Text     string      `json:"text,omitempty"`
	HTML     string      `json:"html,omitempty"`
	Pictures []string    `json:"pictures,omitempty"` // remote ones
	Links    []string    `json:"links,omitempty"`
	Envelope string      `json:"envelope_from,omitempty"`
}

// File is an attachment of a Message.
type File struct {
	Filename    string `json:"filename"`
	ContentType string `json:"content_type"`
	ContentID   string `json:"content_id,omitempty"`
	Size        int64  `json:"size"`
}

// Messages are a mailbox's mails, oldest first, without their text.
func (s *Server) Messages(address string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Message{}
	if b := s.boxes[strings.ToLower(address)]; b != nil {
		for _, m := range b.mails {
			out = append(out, m.brief())
		}
	}
	return out
}

// Message is one mail with its header and text.
func (s *Server) Message(address, id string) (Message, bool) {
	m := s.find(address, id)
	if m == nil {
		return Message{}, false
	}
	s.mu.Lock()
	out := m.brief()
	s.mu.Unlock()
	for _, f := range m.parsed.Header {
		out.Header = append(out.Header, [2]string{f.Name, f.Value})
	}
	out.Text, out.HTML, out.Envelope = m.parsed.Text, m.parsed.HTML, m.from
	out.Pictures, out.Links = references(m.parsed.HTML)
	return out, true
}

// Await waits until at least n mails that others wrote lie in a mailbox, and returns
// them, oldest first, with header and text.
func (s *Server) Await(ctx context.Context, address string, n int) ([]Message, error) {
	for {
		s.mu.Lock()
		more := s.changed
		s.mu.Unlock()
		var got []Message
		for _, m := range s.Messages(address) {
			if full, ok := s.Message(address, m.ID); ok && !m.Sent {
				got = append(got, full)
			}
		}
		if len(got) >= n {
			return got, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return got, fmt.Errorf("sandbox mailbox: %d of %d mails in %s: %w", len(got), n, address, ctx.Err())
		}
	}
}

// Raw opens a mail's bytes; the caller closes them.
func (s *Server) Raw(address, id string) (io.ReadCloser, error) {
	m := s.find(address, id)
	if m == nil {
		return nil, errNotFound
	}
	return m.raw.Open()
}

// brief needs Server.mu.
func (m *mail) brief() Message {
	h := m.parsed.Header
	out := Message{ID: m.id, MessageID: strings.Trim(strings.TrimSpace(h.Get("Message-Id")), "<>"), From: h.Text("From"), To: h.Text("To"),
		Subject: h.Text("Subject"), Date: h.Get("Date"), Received: m.received, Size: m.raw.Size(), Sent: m.sent, Seen: m.seen,
		Opens: m.opens, Shown: m.shown, Spam: m.spam, Files: []File{}}
	for _, f := range m.parsed.Files {
		out.Files = append(out.Files, File{f.Filename, f.ContentType, f.ContentID, f.Size})
	}
	return out
}

func (s *Server) getBoxes(http.ResponseWriter, *http.Request) (any, error) {
	return map[string]any{"mailboxes": s.Boxes()}, nil
}

func (s *Server) putBox(_ http.ResponseWriter, r *http.Request) (any, error) {
	var in struct {
		Name string `json:"name"`
	}
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	s.Open(r.PathValue("address"), in.Name)
	return map[string]bool{"ok": true}, nil
}

func (s *Server) getMessages(_ http.ResponseWriter, r *http.Request) (any, error) {
	return map[string]any{"messages": s.Messages(r.PathValue("address"))}, nil
}

func (s *Server) getMessage(_ http.ResponseWriter, r *http.Request) (any, error) {
	m, ok := s.Message(r.PathValue("address"), r.PathValue("id"))
	if !ok {
		return nil, errNotFound
	}
	return m, nil
}

func (s *Server) getRaw(w http.ResponseWriter, r *http.Request) (any, error) {
	rc, err := s.Raw(r.PathValue("address"), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rc.Close() }()
	w.Header().Set("Content-Type", "message/rfc822")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.Copy(w, rc)
	return nil, errAnswered
}

// getHTML is for a frame: nothing in it may run or leave, pictures come only
// when asked for, and what the mail itself brings (cid:) comes always.
func (s *Server) getHTML(w http.ResponseWriter, r *http.Request) (any, error) {
	m := s.find(r.PathValue("address"), r.PathValue("id"))
	if m == nil {
		return nil, errNotFound
	}
	pictures := "'self' data:"
	if r.URL.Query().Get("images") == "1" {
		pictures += " http: https:"
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "sandbox allow-popups; default-src 'none'; style-src 'unsafe-inline'; img-src "+pictures)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	doc := m.parsed.HTML
	if doc == "" {
		doc = "<!doctype html><meta name=\"color-scheme\" content=\"light dark\"><pre style=\"margin:16px;white-space:pre-wrap;font:15px/1.5 system-ui,sans-serif\">" + html.EscapeString(m.parsed.Text) + "</pre>"
	}
	for i, f := range m.parsed.Files {
		if f.ContentID != "" {
			doc = strings.ReplaceAll(doc, "cid:"+f.ContentID, "files/"+strconv.Itoa(i))
			doc = strings.ReplaceAll(doc, "cid:"+url.PathEscape(f.ContentID), "files/"+strconv.Itoa(i))
		}
	}
	_, _ = io.WriteString(w, doc)
	return nil, errAnswered
}

func (s *Server) getFile(w http.ResponseWriter, r *http.Request) (any, error) {
	m := s.find(r.PathValue("address"), r.PathValue("id"))
	n, err := strconv.Atoi(r.PathValue("n"))
	if m == nil || err != nil || n < 0 || n >= len(m.parsed.Files) {
		return nil, errNotFound
	}
	f := m.parsed.Files[n]
	rc, err := f.Blob.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = rc.Close() }()
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	disposition := "attachment"
	if slices.Contains([]string{"image/png", "image/jpeg", "image/gif", "image/webp"}, f.ContentType) {
		disposition = "inline"
	}
	h.Set("Content-Type", f.ContentType)
	h.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": orText(f.Filename, "file")}))
	h.Set("Content-Length", strconv.FormatInt(f.Size, 10))
	_, _ = io.Copy(w, rc)
	return nil, errAnswered
}

func (s *Server) postOpen(_ http.ResponseWriter, r *http.Request) (any, error) {
	var in struct {
		Client Client `json:"client"`
	}
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	if in.Client == "" {
		in.Client = Human
	}
	got, err := s.View(r.Context(), r.PathValue("address"), r.PathValue("id"), in.Client)
	return map[string]any{"fetched": append([]Fetched{}, got...)}, err
}

func (s *Server) postClick(_ http.ResponseWriter, r *http.Request) (any, error) {
	var in struct {
		URL string `json:"url"`
	}
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	return s.Click(r.Context(), r.PathValue("address"), r.PathValue("id"), in.URL)
}

func (s *Server) postReply(_ http.ResponseWriter, r *http.Request) (any, error) {
	var in Answer
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	id, err := s.Reply(r.Context(), r.PathValue("address"), r.PathValue("id"), in)
	return map[string]string{"message_id": id}, err
}

func (s *Server) postSend(_ http.ResponseWriter, r *http.Request) (any, error) {
	var in Letter
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	id, err := s.Write(r.Context(), r.PathValue("address"), in)
	return map[string]string{"message_id": id}, err
}

func (s *Server) postUpload(_ http.ResponseWriter, r *http.Request) (any, error) {
	return map[string]bool{"ok": true}, s.Upload(r.Context(), r.PathValue("address"), r.URL.Query()["to"], r.Body)
}

func (s *Server) postSpam(_ http.ResponseWriter, r *http.Request) (any, error) {
	return map[string]bool{"ok": true}, s.Spam(r.PathValue("address"), r.PathValue("id"))
}

func (s *Server) postUnsubscribe(_ http.ResponseWriter, r *http.Request) (any, error) {
	return s.Unsubscribe(r.Context(), r.PathValue("address"), r.PathValue("id"))
}

func (s *Server) postReset(http.ResponseWriter, *http.Request) (any, error) {
	s.Reset()
	return map[string]bool{"ok": true}, nil
}

func after(r *http.Request) int64 {
	n, _ := strconv.ParseInt(orText(r.Header.Get("Last-Event-ID"), r.URL.Query().Get("after")), 10, 64)
	return n
}

func (s *Server) getHappenings(_ http.ResponseWriter, r *http.Request) (any, error) {
	list, _ := s.Happenings(after(r))
	last := after(r)
	if len(list) > 0 {
		last = list[len(list)-1].Seq
	}
	return map[string]any{"happenings": append([]Happening{}, list...), "after": last}, nil
}

func (s *Server) getStream(w http.ResponseWriter, r *http.Request) (any, error) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Time{})
	at := after(r)
	for {
		list, more := s.Happenings(at)
		for _, h := range list {
			b, _ := json.Marshal(h)
			if _, err := fmt.Fprintf(w, "id: %d\ndata: %s\n\n", h.Seq, b); err != nil {
				return nil, errAnswered
			}
			at = h.Seq
		}
		if rc.Flush() != nil {
			return nil, errAnswered
		}
		select {
		case <-more:
		case <-r.Context().Done():
			return nil, errAnswered
		case <-s.ctx.Done():
			return nil, errAnswered
		}
	}
}
