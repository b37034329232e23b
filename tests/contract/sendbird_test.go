package contract

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// sendbird is a small, strict chat platform, written from Sendbird's documents.
type sendbird struct {
	t   testing.TB
	srv *httptest.Server

	mu       sync.Mutex
	channels map[string]*channel
	users    map[string]*user
	files    map[string]*file
	nextID   int64
	calls    []call
	wrong    []string // calls that no document allows
	marks    []mark
	asked    map[string]int                                    // requests of files, by path
	before   func(w http.ResponseWriter, r *http.Request) bool // true: answered
	onPost   func(*channel, *post)                             // after a post was taken, before its answer
	after    func(w http.ResponseWriter, p *post) bool         // true: answered
	pageSize int
}

type user struct {
	ID, Nick         string
	Online, Inactive bool
}

type member struct {
	*user
	State    string // joined, invited
	Blocking bool   // the sender
	Read     int64
	Deliv    int64
}

type channel struct {
	URL, Name string
	Super     bool
	Max       int // max_length_message
	Members   []*member
	Posts     []*post
}

type post struct {
	ID, At           int64
	Type, User, Text string
	CustomType, Data string
	FileName, Mime   string
	File             []byte
	URL              string
	API              bool
	Arrived          time.Time
	Form             map[string]string
}

type file struct {
	body      []byte
	encrypted bool
	redirect  string
}

type call struct{ Method, Path, Query, Body string }

type mark struct{ Kind, Channel, User string }

func newSendbird(t testing.TB) *sendbird {
	s := &sendbird{t: t, channels: map[string]*channel{}, users: map[string]*user{}, files: map[string]*file{}, nextID: 1000,
		asked: map[string]int{}, pageSize: 100}
	mux := http.NewServeMux()
	mux.HandleFunc("/files/{name}", s.serveFile)
	mux.HandleFunc("GET /v3/users/{id}", s.getUser)
	mux.HandleFunc("GET /v3/group_channels/{url}", s.getChannel)
	mux.HandleFunc("GET /v3/group_channels/{url}/members", s.getMembers)
	mux.HandleFunc("GET /v3/group_channels/{url}/members/{id}", s.getMember)
	mux.HandleFunc("GET /v3/group_channels/{url}/messages", s.listMessages)
	mux.HandleFunc("GET /v3/group_channels/{url}/messages/{id}", s.getMessage)
	mux.HandleFunc("GET /v3/group_channels/{url}/messages/unread_count", s.unread)
	mux.HandleFunc("POST /v3/group_channels/{url}/messages", s.postMessage)
	mux.HandleFunc("PUT /v3/group_channels/{url}/messages/{mark}", s.putMark)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.wrong = append(s.wrong, r.Method+" "+r.URL.Path)
		s.mu.Unlock()
		sbError(w, 400, 400930, "unknown endpoint")
	})
	s.srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		before := s.before
		s.mu.Unlock()
		if before != nil && before(w, r) {
			return
		}
		if strings.HasPrefix(r.URL.Path, "/v3/") && r.Header.Get("Api-Token") != apiToken {
			s.mu.Lock()
			s.wrong = append(s.wrong, "no Api-Token: "+r.URL.Path)
			s.mu.Unlock()
			sbError(w, 400, 400401, "Not valid Api-Token.")
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		s.srv.CloseClientConnections()
		s.srv.Close()
		for _, c := range s.wrong {
			t.Errorf("Sendbird: a call that no document allows: %s", c)
		}
	})
	return s
}

func sbError(w http.ResponseWriter, status, code int, text string) {
	sbJSON(w, status, map[string]any{"message": text, "code": code, "error": true})
}

func sbJSON(w http.ResponseWriter, status int, v any) {
	b, _ := json.Marshal(v)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(strings.ReplaceAll(string(b), "/", `\/`)))
}

// channel makes one with these members, all offline.
func (s *sendbird) channel(url, name string, ids ...string) *channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &channel{URL: url, Name: name, Max: -1}
	for _, id := range ids {
		u := s.users[id]
		if u == nil {
			u = &user{ID: id, Nick: strings.ToUpper(id[:1]) + id[1:]}
			s.users[id] = u
		}
		c.Members = append(c.Members, &member{user: u, State: "joined"})
	}
	s.channels[url] = c
	return c
}

func (c *channel) member(id string) *member {
	for _, m := range c.Members {
		if m.ID == id {
			return m
		}
	}
	return nil
}

// change runs f while nobody else looks.
func (s *sendbird) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// posts are the messages that came by the API.
func (s *sendbird) posts(c *channel) []post {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []post
	for _, p := range c.Posts {
		if p.API {
			out = append(out, *p)
		}
	}
	return out
}

func (s *sendbird) marked(kind string, c *channel, user string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, m := range s.marks {
		if m == (mark{kind, c.URL, user}) {
			n++
		}
	}
	return n
}

// add puts a message of the chat itself into a channel.
func (s *sendbird) add(c *channel, p *post) *post {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addLocked(c, p)
}

func (s *sendbird) addLocked(c *channel, p *post) *post {
	s.nextID++
	p.ID, p.At, p.Arrived = s.nextID, time.Now().UnixMilli(), time.Now()
	p.Type = cmp.Or(p.Type, "MESG")
	if n := len(c.Posts); n > 0 && p.At <= c.Posts[n-1].At {
		p.At = c.Posts[n-1].At + 1
	}
	c.Posts = append(c.Posts, p)
	if m := c.member(p.User); m != nil && p.Form["mark_as_read"] != "false" {
		m.Read, m.Deliv = p.At, p.At // who writes has read
	}
	return p
}

// find gives the channel, locked; a nil one has been answered for.
func (s *sendbird) find(w http.ResponseWriter, r *http.Request) *channel {
	s.calls = append(s.calls, call{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, ""})
	c := s.channels[r.PathValue("url")]
	if c == nil {
		sbError(w, 400, 400201, `"Channel" not found.`)
	}
	return c
}

func (s *sendbird) getUser(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[r.PathValue("id")]
	if u == nil {
		sbError(w, 400, 400201, `"User" not found.`)
		return
	}
	sbJSON(w, 200, map[string]any{"user_id": u.ID, "nickname": u.Nick, "profile_url": "", "is_online": u.Online, "is_active": !u.Inactive,
		"last_seen_at": -1, "has_ever_logged_in": false, "metadata": map[string]any{}})
}

func (m *member) resource(c *channel) map[string]any {
	return map[string]any{"user_id": m.ID, "nickname": m.Nick, "profile_url": "", "is_active": !m.Inactive, "is_online": m.Online,
		"last_seen_at": 0, "state": m.State, "role": "", "is_muted": false, "metadata": map[string]any{}, "delivered_ts": m.Deliv, "read_ts": m.Read}
}

func (s *sendbird) getChannel(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(w, r)
	if c == nil {
		return
	}
	q := r.URL.Query()
	res := map[string]any{"channel_url": c.URL, "name": c.Name, "custom_type": "", "data": "", "is_distinct": false, "is_super": c.Super,
		"created_at": 1700000000, "member_count": len(c.Members), "joined_member_count": len(c.Members), "max_length_message": c.Max,
		"freeze": false, "message_survival_seconds": -1}
	if q.Get("show_member") == "true" && !c.Super {
		var ms []any
		for _, m := range c.Members {
			ms = append(ms, m.resource(c))
		}
		res["members"] = ms
	}
	if q.Get("show_read_receipt") == "true" {
		rr := map[string]any{}
		for _, m := range c.Members {
			rr[m.ID] = m.Read
		}
		res["read_receipt"] = rr
	}
	if q.Get("show_delivery_receipt") == "true" {
		rr := map[string]any{}
		for _, m := range c.Members {
			if m.Deliv != 0 {
				rr[m.ID] = m.Deliv
			}
		}
		res["delivery_receipt"] = rr
	}
	sbJSON(w, 200, res)
}

func (s *sendbird) getMembers(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(w, r)
	if c == nil {
		return
	}
	q := r.URL.Query()
	limit := 10
	if l := q.Get("limit"); l != "" {
		limit, _ = strconv.Atoi(l)
	}
	if limit < 1 || limit > 100 {
		sbError(w, 400, 400113, "limit")
		return
	}
	limit = min(limit, s.pageSize)
	start := 0
	if tok := q.Get("token"); tok != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(tok, "opaque/+"))
		if err != nil || !strings.HasPrefix(tok, "opaque/+") {
			sbError(w, 400, 400109, "token")
			return
		}
		start = n
	}
	ms, next := []any{}, ""
	for i := start; i < len(c.Members); i++ {
		if len(ms) == limit {
			next = "opaque/+" + strconv.Itoa(i)
			break
		}
		ms = append(ms, c.Members[i].resource(c))
	}
	sbJSON(w, 200, map[string]any{"members": ms, "next": next})
}

func (s *sendbird) getMember(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(w, r)
	if c == nil {
		return
	}
	m := c.member(r.PathValue("id"))
	state := "none"
	if m != nil {
		state = m.State
	}
	sbJSON(w, 200, map[string]any{"is_member": m != nil, "state": state})
}

func (s *sendbird) resource(c *channel, p *post) map[string]any {
	res := map[string]any{"message_id": p.ID, "type": p.Type, "custom_type": p.CustomType, "channel_url": c.URL, "channel_type": "group_channels",
		"mention_type": "users", "mentioned_users": []any{}, "is_removed": false, "message": p.Text, "translations": map[string]any{}, "data": p.Data,
		"file": map[string]any{}, "silent": false, "created_at": p.At, "updated_at": 0}
	if p.User != "" {
		nick := ""
		if u := s.users[p.User]; u != nil {
			nick = u.Nick
		}
		res["user"] = map[string]any{"user_id": p.User, "nickname": nick, "profile_url": "", "metadata": map[string]any{}}
	}
	if p.Type == "FILE" {
		res["file"] = map[string]any{"url": p.URL, "name": p.FileName, "type": p.Mime, "size": len(p.File), "data": ""}
	}
	return res
}

func (s *sendbird) listMessages(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(w, r)
	if c == nil {
		return
	}
	q := r.URL.Query()
	ts, err := strconv.ParseInt(q.Get("message_ts"), 10, 64)
	if id := q.Get("message_id"); err != nil && id != "" {
		for _, p := range c.Posts {
			if strconv.FormatInt(p.ID, 10) == id {
				ts, err = p.At, nil
			}
		}
	}
	if err != nil {
		sbError(w, 400, 400105, "message_ts or message_id")
		return
	}
	prev, next := 15, 15
	for k, n := range map[string]*int{"prev_limit": &prev, "next_limit": &next} {
		if v := q.Get(k); v != "" {
			*n, err = strconv.Atoi(v)
			if err != nil || *n < 0 || *n > 200 {
				sbError(w, 400, 400113, k)
				return
			}
		}
	}
	var older, same, newer []any
	for _, p := range c.Posts {
		if v := q.Get("custom_types"); v != "" && v != "*" && !slices.Contains(strings.Split(v, ","), p.CustomType) {
			continue
		}
		if v := cmp.Or(q.Get("sender_ids"), q.Get("sender_id")); v != "" && !slices.Contains(strings.Split(v, ","), p.User) {
			continue
		}
		switch res := s.resource(c, p); {
		case p.At < ts:
			older = append(older, res)
		case p.At > ts:
			newer = append(newer, res)
		default:
			same = append(same, res)
		}
	}
	older, newer = older[max(0, len(older)-prev):], newer[:min(len(newer), next)]
	if q.Get("include") == "false" {
		same = nil
	}
	all := append(append(append([]any{}, older...), same...), newer...)
	if q.Get("reverse") == "true" {
		slices.Reverse(all)
	}
	sbJSON(w, 200, map[string]any{"messages": all})
}

func (s *sendbird) getMessage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(w, r)
	if c == nil {
		return
	}
	for _, p := range c.Posts {
		if strconv.FormatInt(p.ID, 10) == r.PathValue("id") {
			sbJSON(w, 200, s.resource(c, p))
			return
		}
	}
	sbError(w, 400, 400201, `"Message" not found.`)
}

func (s *sendbird) unread(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(w, r)
	if c == nil {
		return
	}
	res := map[string]int{}
	for id := range strings.SplitSeq(r.URL.Query().Get("user_ids"), ",") {
		if m := c.member(id); m != nil {
			for _, p := range c.Posts {
				if p.User != id && p.At > m.Read {
					res[id]++
				}
			}
		}
	}
	sbJSON(w, 200, map[string]any{"unread": res})
}

func (s *sendbird) putMark(w http.ResponseWriter, r *http.Request) {
	var body struct {
		UserID string `json:"user_id"`
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	kind := r.PathValue("mark")
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(w, r)
	if c == nil {
		return
	}
	m := c.member(body.UserID)
	if err != nil || m == nil || kind != "mark_as_read" && kind != "mark_as_delivered" {
		s.wrong = append(s.wrong, fmt.Sprintf("PUT %s by %q: %v", kind, body.UserID, err))
		sbError(w, 400, 400108, "not a member")
		return
	}
	s.marks = append(s.marks, mark{kind, c.URL, body.UserID})
	now := time.Now().UnixMilli()
	if kind == "mark_as_read" {
		m.Read = now
		sbJSON(w, 200, map[string]any{})
		return
	}
	m.Deliv = now
	sbJSON(w, 200, map[string]any{"ts": now})
}

// file serves bytes at a file URL.
func (s *sendbird) file(name string, f *file) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[name] = f
	return s.srv.URL + "/files/" + url.PathEscape(name)
}

func (s *sendbird) serveFile(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	f := s.files[r.PathValue("name")]
	s.asked[r.PathValue("name")]++
	s.mu.Unlock()
	switch {
	case f == nil:
		w.WriteHeader(404)
	case f.redirect != "":
		http.Redirect(w, r, f.redirect, http.StatusFound)
	case f.encrypted && r.Header.Get("Api-Token") != apiToken:
		w.WriteHeader(403)
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write(f.body)
	}
}
