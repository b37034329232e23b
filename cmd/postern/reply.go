package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/postern-chat/postern/letter"
	"github.com/postern-chat/postern/replytext"
)

type replyCmd struct {
	JSON bool `name:"json" help:"Print the parts as JSON: reply, what was cut and why, answers between quotes, forwarded mail."`
}

// maxReplyMail bounds what is read from standard input.
const maxReplyMail = 64 << 20

// Run reads a raw mail from standard input and prints what is new in it.
func (cmd *replyCmd) Run(a *app) error {
	raw, err := io.ReadAll(io.LimitReader(a.stdin, maxReplyMail+1))
	if err != nil {
		return err
	}
	m, err := letter.Read(bytes.NewReader(raw), int64(len(raw)), letter.Options{})
	if err != nil {
		return err
	}
	r := replytext.Extract(replytext.Input{Text: m.Text, HTML: m.HTML, Subject: m.Subject, Markdown: true})
	if cmd.JSON {
		e := json.NewEncoder(a.stdout)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(newReplyReport(m, r))
	}
	_, err = fmt.Fprintln(a.stdout, strings.TrimRight(r.Text, "\n"))
	return err
}

// replyReport is the form of `postern reply --json`.
type replyReport struct {
	From       string                  `json:"from"`
	Subject    string                  `json:"subject"`
	MessageID  string                  `json:"message_id"`
	InReplyTo  []string                `json:"in_reply_to"`
	Automatic  string                  `json:"automatic,omitempty"` // class of a mail that no person wrote
	Proof      string                  `json:"proof,omitempty"`
	Text       string                  `json:"text"`
	Full       string                  `json:"full"`
	Cuts       []replytext.Cut         `json:"cuts"`
	Pairs      []replytext.Pair        `json:"pairs"`
	Forward    *replytext.Forward      `json:"forward,omitempty"`
	Confidence float64                 `json:"confidence"`
	Certain    bool                    `json:"certain"`
	Truncated  bool                    `json:"truncated,omitempty"`
	Source     replytext.Source        `json:"source"`
	Files      []replyFile             `json:"files"`
	Calendar   []letter.Invitation     `json:"calendar,omitempty"`
	Bounce     *letter.Bounce          `json:"bounce,omitempty"`
	Problems   []letter.Problem        `json:"problems,omitempty"`
	Disagrees  *replytext.Disagreement `json:"disagreement,omitempty"`
}

type replyFile struct {
	Name string      `json:"name"`
	Type string      `json:"type"`
	Role letter.Role `json:"role"`
	Size int64       `json:"size"`
}

func newReplyReport(m *letter.Message, r replytext.Result) replyReport {
	out := replyReport{
		Subject: m.Subject, MessageID: m.MessageID, InReplyTo: append([]string{}, m.InReplyTo...), Text: r.Text, Full: r.Full,
		Cuts: append([]replytext.Cut{}, r.Cuts...), Pairs: append([]replytext.Pair{}, r.Pairs...), Forward: r.Forward,
		Confidence: r.Confidence, Certain: r.Certain, Truncated: r.Truncated, Source: r.Source, Files: []replyFile{},
		Calendar: m.Calendar, Bounce: m.Bounce, Problems: m.Problems, Disagrees: r.Disagreement,
	}
	if len(m.From) > 0 {
		out.From = m.From[0].Address
	}
	if m.Auto != nil {
		out.Automatic, out.Proof = string(m.Auto.Class), m.Auto.Proof
	}
	for _, f := range m.Attachments {
		out.Files = append(out.Files, replyFile{f.Name, f.ContentType, f.Role, f.Size})
	}
	return out
}
