package contract

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"time"
)

// Posts as Sendbird takes them, and what it refuses.

func (s *sendbird) postMessage(w http.ResponseWriter, r *http.Request) {
	p, err := readPost(r)
	s.mu.Lock()
	c := s.find(w, r)
	switch {
	case c == nil:
	case err != nil:
		s.wrong = append(s.wrong, "POST message: "+err.Error())
		sbError(w, 400, 400403, err.Error())
		c = nil
	case c.Max >= 0 && len([]rune(p.Text)) > c.Max:
		s.wrong = append(s.wrong, "POST message: too long")
		sbError(w, 400, 400110, "too long")
		c = nil
	case p.Type != "ADMM" && c.member(p.User) == nil:
		sbError(w, 400, 400108, "sender is not a member")
		c = nil
	default:
		s.paceLocked(p)
		if p.Type == "FILE" && p.URL == "" {
			name := fmt.Sprintf("%032x.bin", s.nextID)
			s.files[name] = &file{body: p.File}
			p.URL = s.srv.URL + "/files/" + name
		}
		s.addLocked(c, p)
	}
	onPost, after := s.onPost, s.after
	var res map[string]any
	if c != nil {
		res = s.resource(c, p)
	}
	s.mu.Unlock()
	if c == nil {
		return
	}
	if onPost != nil {
		onPost(c, p)
	}
	if after != nil && after(w, p) {
		return
	}
	sbJSON(w, 200, res)
}

// paceLocked: a user may send five messages a second.
func (s *sendbird) paceLocked(p *post) {
	n := 0
	for _, c := range s.channels {
		for _, o := range c.Posts {
			if o.API && o.User == p.User && time.Since(o.Arrived) < time.Second {
				n++
			}
		}
	}
	if n >= 5 && p.User != "" {
		s.wrong = append(s.wrong, fmt.Sprintf("more than five posts in a second by %s", p.User))
	}
}

func readPost(r *http.Request) (*post, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	form := map[string]string{}
	p := &post{API: true, Form: form}
	switch kind {
	case "application/json":
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			return nil, err
		}
		for k, v := range body {
			form[k] = fmt.Sprint(v)
		}
	case "multipart/form-data":
		if err := readForm(multipart.NewReader(r.Body, params["boundary"]), form, p); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("content type %q", kind)
	}
	p.Type, p.User, p.Text = form["message_type"], form["user_id"], form["message"]
	p.CustomType, p.Data = form["custom_type"], form["data"]
	switch {
	case p.Type == "MESG" && p.User != "" && p.Text != "":
	case p.Type == "ADMM" && p.User == "" && p.Text != "":
	case p.Type == "FILE" && p.User != "" && p.FileName != "":
	default:
		return nil, fmt.Errorf("fields missing or too many: %v", form)
	}
	if len(p.CustomType) > 128 || len(p.Data) > 4096 {
		return nil, fmt.Errorf("custom_type or data too long")
	}
	return p, nil
}

func readForm(mr *multipart.Reader, form map[string]string, p *post) error {
	for {
		part, err := mr.NextPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		b, err := io.ReadAll(part)
		if err != nil {
			return err
		}
		if part.FormName() != "file" {
			form[part.FormName()] = string(b)
			continue
		}
		p.File, p.FileName, p.Mime = b, part.FileName(), part.Header.Get("Content-Type")
		if p.FileName == "" || p.Mime == "" || p.File == nil {
			return fmt.Errorf("a file without name, type or bytes")
		}
		if len(b) > 25<<20 {
			return fmt.Errorf("a file of more than 25 MB")
		}
	}
}
