package mailgun

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postern-chat/postern/sandbox/mailbox/eml"
)

func itoa(n int) string { return strconv.Itoa(n) }

// stored finds the message of the path, or answers 404.
func (s *Server) stored(c *call) *message {
	s.mu.Lock()
	m := s.st.messages[c.params["key"]]
	oldest := s.sched.Now().Add(-s.st.switches.retention())
	s.mu.Unlock()
	if m == nil || m.domain != c.domain || m.created.Before(oldest) {
		c.message(http.StatusNotFound, "Message not found")
		return nil
	}
	return m
}

// storedGet is the kept mail as JSON, or raw in it when the caller accepts
// message/rfc2822.
func (s *Server) storedGet(c *call) {
	m := s.stored(c)
	if m == nil {
		return
	}
	var to []string
	for _, d := range m.to {
		to = append(to, d.to)
	}
	out := map[string]any{"sender": senderOf(m), "recipients": strings.Join(to, ", "), "from": m.header.Text("From"),
		"subject": m.header.Text("Subject")}
	if strings.Contains(c.r.Header.Get("Accept"), "rfc2822") {
		b, err := m.raw.Bytes(maxInbound)
		if err != nil {
			c.message(http.StatusInternalServerError, "Internal Server Error")
			return
		}
		out["body-mime"] = string(b)
		c.answer(http.StatusOK, out)
		return
	}
	mail, err := s.parsed(m)
	if err != nil {
		c.message(http.StatusInternalServerError, "Internal Server Error")
		return
	}
	defer mail.Remove()
	for _, f := range m.header {
		if _, taken := out[canonical(f.Name)]; !taken {
			out[canonical(f.Name)] = eml.DecodeWords(f.Value)
		}
	}
	text := bodyPlain(mail)
	words, signature := stripped(text)
	headers := [][2]string{}
	for _, f := range m.header {
		headers = append(headers, [2]string{canonical(f.Name), eml.DecodeWords(f.Value)})
	}
	out["body-plain"], out["stripped-text"], out["stripped-signature"] = text, words, signature
	out["body-html"], out["stripped-html"] = mail.HTML, strippedHTML(mail.HTML, words)
	out["message-headers"], out["attachments"] = headers, attachmentList(m)
	out["content-id-map"] = map[string]any{}
	c.answer(http.StatusOK, out)
}

func attachmentList(m *message) []any {
	out := []any{}
	for i, f := range m.files {
		out = append(out, map[string]any{"name": named(f, i).Filename, "content-type": f.ContentType, "size": f.Size,
			"url": m.base + "/v3/domains/" + m.domain + "/messages/" + m.key + "/attachments/" + itoa(i)})
	}
	return out
}

// storedAttachment is one file of a kept mail.
func (s *Server) storedAttachment(c *call) {
	m := s.stored(c)
	if m == nil {
		return
	}
	mail, err := s.parsed(m)
	if err == nil {
		defer mail.Remove()
	}
	i, convErr := strconv.Atoi(c.params["n"])
	if err != nil || convErr != nil || i < 0 || i >= len(mail.Files) {
		c.message(http.StatusNotFound, "Attachment not found")
		return
	}
	r, err := mail.Files[i].Blob.Open()
	if err != nil {
		c.message(http.StatusNotFound, "Attachment not found")
		return
	}
	defer func() { _ = r.Close() }()
	c.w.Header().Set("Content-Type", mail.Files[i].ContentType)
	_, _ = io.Copy(c.w, r)
}

// storedResend sends a kept mail to new recipients.
func (s *Server) storedResend(c *call) {
	m := s.stored(c)
	if m == nil {
		return
	}
	f, ok := c.form()
	if !ok {
		return
	}
	next := &message{domain: m.domain, method: "HTTP", keyID: c.key.ID, base: c.base(), raw: m.raw, header: m.header,
		files: m.files, size: m.size, id: m.id, created: s.Now()}
	if err := s.readRecipients(next, &sendForm{values: f}, true, s.switches()); err != nil {
		c.refused(err)
		return
	}
	s.enqueue(next)
	c.answer(http.StatusOK, map[string]string{"id": "<" + next.id + ">", "message": textQueued})
}

func (s *Server) storedDelete(c *call) {
	m := s.stored(c)
	if m == nil {
		return
	}
	s.mu.Lock()
	delete(s.st.messages, m.key)
	s.mu.Unlock()
	c.message(http.StatusOK, "Message has been deleted")
}

// storeAndNotify keeps an inbound mail and, if there is a URL, tells it where.
func (s *Server) storeAndNotify(d *delivery, notify string) {
	m := d.msg
	data := s.messageData(d)
	delete(data, "envelope")
	data["message"].(map[string]any)["recipients"] = []any{d.to}
	s.emit(d, "stored", "", data)
	if notify == "" {
		return
	}
	mail, err := s.parsed(m)
	if err != nil {
		return
	}
	defer mail.Remove()
	s.mu.Lock()
	t := s.newTriple(s.sched.Now())
	s.mu.Unlock()
	text := bodyPlain(mail)
	words, signature := stripped(text)
	f := &form{}
	for _, x := range [][2]string{{"domain", m.domain}, {"recipient", d.to}, {"sender", m.sender}, {"from", m.header.Text("From")},
		{"subject", m.header.Text("Subject")}, {"body-plain", text}, {"stripped-text", words}, {"stripped-signature", signature},
		{"body-html", mail.HTML}, {"stripped-html", strippedHTML(mail.HTML, words)}, {"attachments", jsonText(attachmentList(m))},
		{"message-url", m.base + "/v3/domains/" + m.domain + "/messages/" + m.key}, {"message-headers", headersJSON(m.header)},
		{"timestamp", t.timestamp}, {"token", t.token}, {"signature", t.signature}} {
		f.add(x[0], x[1])
	}
	f.cidMap(mail.Files, nil)
	s.postForm(d, "notify", notify, f)
}

func (s *Server) sendingQueues(c *call) {
	q := map[string]any{"is_disabled": false, "disabled": map[string]any{"until": "", "reason": ""}}
	c.answer(http.StatusOK, map[string]any{"regular": q, "scheduled": q})
}

// clearQueues drops what has not been delivered yet.
func (s *Server) clearQueues(c *call) {
	s.mu.Lock()
	for _, m := range s.st.order {
		if m.domain != c.domain {
			continue
		}
		for _, d := range m.to {
			if d.state == "queued" {
				d.state = "dropped"
			}
		}
	}
	s.mu.Unlock()
	c.message(http.StatusOK, "done")
}

// sendLimit answers 429 and sets the headers of the sending
// API while the rate limit switch is on.
func (s *Server) sendLimit(c *call, m *message) error {
	sw := s.switches()
	if err := s.unverifiedLimit(c, m, sw.UnverifiedPerDay); err != nil {
		return err
	}
	if !sw.RateLimit {
		return nil
	}
	sends, reset := s.use("send "+c.domain, 1, sw.SendsPerWindow, 10*time.Second)
	c.limitHeaders("X-Ratelimit", sw.SendsPerWindow, sends, reset)
	rcpts, reset2 := s.use("rcpt "+c.domain, len(m.to), sw.RecipientsPerWin, 10*time.Second)
	c.limitHeaders("X-Recipient", sw.RecipientsPerWin, rcpts, reset2)
	if sends < 0 || rcpts < 0 {
		wait := max(1, int(reset.Sub(s.Now()).Seconds()+0.999))
		return refuse(http.StatusTooManyRequests,
			"Domain %s is not allowed to send: account-requests-per-sec limit exceeded, try again after %d seconds", c.domain, wait)
	}
	return nil
}

// requestLimit is the same for all other calls; it answers when it is over.
func (c *call) requestLimit() bool {
	sw := c.s.switches()
	if !sw.RateLimit {
		return true
	}
	limit, span, name := sw.RequestsPerWindow, 15*time.Second, "request"
	if strings.HasSuffix(c.r.URL.Path, "/verify") {
		limit, span, name = 10, time.Second, "verify"
	}
	hooks := strings.Contains(c.r.URL.Path, "/webhooks")
	if hooks { // 300 a minute for an account
		limit, span, name = 300, time.Minute, "webhooks"
	}
	left, reset := c.s.use(name, 1, limit, span)
	c.limitHeaders("X-Request", limit, left, reset)
	if left >= 0 {
		return true
	}
	if hooks {
		c.answer(http.StatusTooManyRequests, map[string]int{"retry-seconds": 60})
	} else {
		c.message(http.StatusTooManyRequests, "Too many requests")
	}
	return false
}

// use takes n from a window; what is left is negative when it was too much.
func (s *Server) use(name string, n, limit int, span time.Duration) (left int, reset time.Time) {
	now := s.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.st.limits[name]
	if w == nil || now.Sub(w.start) >= span {
		w = &window{start: now}
		s.st.limits[name] = w
	}
	reset = w.start.Add(span)
	if w.used+n > limit {
		return -1, reset
	}
	w.used += n
	return limit - w.used, reset
}

// limitHeaders: Reset is Unix time in milliseconds in all three families.
func (c *call) limitHeaders(family string, limit, left int, reset time.Time) {
	h := c.w.Header()
	h.Set(family+"-Limit", itoa(limit))
	h.Set(family+"-Remaining", itoa(max(0, left)))
	h.Set(family+"-Reset", strconv.FormatInt(reset.UnixMilli(), 10))
}
