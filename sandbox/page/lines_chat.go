package page

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/postern-chat/postern/sandbox/sendbird"
)

// Tones of a line.
const (
	good = "good"
	held = "held"
	bad  = "bad"
)

// names are what people are called.
type names struct {
	byID, byAddress map[string]string
	domain          string // of reply addresses
}

func (p *Page) names() names {
	facts := p.cfg.Facts()
	n := names{map[string]string{}, map[string]string{}, "@" + facts.Domain}
	for _, one := range facts.People {
		n.byID[one.ID], n.byAddress[strings.ToLower(one.Address)] = one.Name, one.Name
	}
	return n
}

func (n names) user(id string) string {
	if s := n.byID[id]; s != "" {
		return s
	}
	if id == "" {
		return "somebody"
	}
	return id
}

// mailbox is a person's name, or the address itself if it is nobody's.
func (n names) mailbox(address string) string {
	if s := n.byAddress[strings.ToLower(address)]; s != "" {
		return s
	}
	if n.domain != "@" && strings.HasSuffix(strings.ToLower(address), n.domain) {
		return "a reply address"
	}
	return address
}

// changesChat tells whether an entry may have changed what the chat shows.
func changesChat(e sendbird.Entry) bool {
	return e.Kind == "client" || e.Kind == "reset" || e.Kind == "call" && e.Method != "GET"
}

// chatLine is an entry of the Sendbird emulator's book as a line, if it is one.
func chatLine(e sendbird.Entry, n names) (Line, bool) {
	l := Line{At: e.At, Who: fromChat, Status: e.Status}
	switch e.Kind {
	case "client":
		l.Who = "chat"
		l.Text, l.Minor = clientDid(e, n)
		if e.Status == 200 {
			l.Status = 0 // nobody doubts it
		}
		l.failed(e.Status, chatError(e.Answer))
	case "call":
		l.Who = fromGateway
		l.Text, l.Minor = called(e, n)
		l.failed(e.Status, chatError(e.Answer))
		if e.Fault != "" && l.More == "" {
			l.More = "on purpose"
			if e.Millis >= 1000 {
				l.More = "after " + strconv.FormatInt(e.Millis/1000, 10) + " s, on purpose"
			}
		}
	case "try":
		l.Text = "webhook " + short(e.Category)
		if e.Try > 1 {
			l.More = "try " + strconv.Itoa(e.Try)
		}
		l.Minor = !strings.HasSuffix(e.Category, ":message_send")
		l.Again, l.AgainID = "webhook", strconv.FormatInt(e.Webhook, 10)
		if e.Error != "" {
			l.Tone, l.More, l.Minor = bad, strings.TrimPrefix(l.More+" · "+lastWords(e.Error), " · "), false
		}
		l.failed(e.Status, "")
	case "outcome":
		if e.State != "lost" && e.State != "dropped" {
			return l, false
		}
		l.Text, l.Tone = "webhook "+short(e.Category)+" never arrived", bad
		l.Again, l.AgainID = "webhook", strconv.FormatInt(e.Webhook, 10)
	default: // an event was made: its tries say the rest
		return l, false
	}
	return l, true
}

// lastWords are the end of an error's chain: what it came to. The whole stands behind the
// line.
func lastWords(err string) string {
	if i := strings.LastIndex(err, ": "); i >= 0 {
		return err[i+2:]
	}
	return err
}

// failed paints a line red for a status that is an error.
func (l *Line) failed(status int, why string) {
	if status >= 200 && status < 400 || status == 0 && l.Tone == "" {
		return
	}
	l.Tone, l.Minor = bad, false
	if why != "" {
		l.More = why
	}
}

func short(category string) string {
	_, what, ok := strings.Cut(category, ":")
	if !ok {
		return category
	}
	return what
}

func chatError(answer string) string {
	var e struct {
		Message string `json:"message"`
		Code    int    `json:"code"`
	}
	if json.Unmarshal([]byte(answer), &e) != nil || e.Code == 0 {
		return ""
	}
	return e.Message + " (" + strconv.Itoa(e.Code) + ")"
}

// said is what a message's resource tells: the text, or the file.
func said(answer string) string {
	var m struct {
		Message string `json:"message"`
		File    struct {
			Name string `json:"name"`
		} `json:"file"`
	}
	if json.Unmarshal([]byte(answer), &m) != nil {
		return ""
	}
	if m.File.Name != "" {
		return "the file " + m.File.Name
	}
	return quoted(m.Message)
}

func quoted(s string) string {
	const most = 60
	r := []rune(strings.Join(strings.Fields(s), " "))
	if len(r) > most {
		r = append(r[:most-1:most-1], '…')
	}
	return "“" + string(r) + "”"
}

// segments are the unescaped parts of a path.
func segments(path string) []string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i, s := range parts {
		if u, err := url.PathUnescape(s); err == nil {
			parts[i] = u
		}
	}
	return parts
}

// clientDid tells what a person did in the chat; path is
// /_emulator/users/{id}/channels[/{url}/...].
func clientDid(e sendbird.Entry, n names) (text string, minor bool) {
	s := segments(e.Path)
	if len(s) < 4 {
		return e.Method + " " + e.Path, true
	}
	who, act := n.user(s[2]), e.Method
	if len(s) > 5 {
		act += " " + s[5]
	}
	switch {
	case act == "POST":
		return who + " made a channel", false
	case act == "POST messages" && len(s) == 6:
		if e.Status >= 300 {
			return who + " tried to write", false
		}
		return who + " wrote " + said(e.Answer), false
	case act == "PUT messages":
		return who + " changed it to " + said(e.Answer), false
	case act == "DELETE messages" && len(s) == 7:
		return who + " deleted a message", false
	case act == "PUT read":
		return who + " looked at the chat", true
	case act == "POST invite":
		return who + " invited somebody", false
	case act == "PUT leave":
		return who + " left the channel", false
	}
	return who + ": " + e.Method + " " + strings.Join(s[3:], "/"), true
}

// called tells what the gateway asked of Sendbird; path is
// /v3/group_channels/{url}/... or /files/...
func called(e sendbird.Entry, n names) (text string, minor bool) {
	s := segments(e.Path)
	if len(s) > 0 && s[0] == "files" {
		return "fetched a file from Sendbird", true
	}
	if len(s) < 3 || s[1] != "group_channels" {
		return "asked Sendbird: " + e.Method + " " + e.Path, true
	}
	act := e.Method
	if len(s) > 3 {
		act += " " + strings.Join(append([]string{s[3]}, s[min(5, len(s)):]...), " ")
	}
	if len(s) > 4 && s[3] == "messages" && strings.HasPrefix(s[4], "mark_as_") {
		act = s[4]
	}
	var in struct {
		User string `json:"user_id"`
	}
	_ = json.Unmarshal([]byte(e.Request), &in) // a form names nobody here
	switch act {
	case "GET":
		return "asked Sendbird about the channel", true
	case "GET members":
		return "asked Sendbird who is there", true
	case "GET messages":
		return "asked Sendbird what was written", true
	case "POST messages":
		if e.Status >= 300 {
			return "tried to post in the chat", false
		}
		return "posted " + said(e.Answer) + " in the chat", false
	case "mark_as_delivered":
		return "moved " + n.user(in.User) + "’s delivered mark in Sendbird", true
	case "mark_as_read":
		return "moved " + n.user(in.User) + "’s read mark in Sendbird", true
	}
	return "asked Sendbird: " + e.Method + " " + strings.Join(s[3:], "/"), true
}
