package sendbird

import (
	"errors"
	"net/http"
	"time"
)

// clientIP stands for the address of an app's user in webhooks (RFC 5737).
const clientIP = "203.0.113.7"

// clientRoutes let an app's user act as his SDK would: what he does runs through the same rules as the API, with
// sdk "JavaScript" in the webhooks, and with the refusals that the service keeps for clients.
func (s *Server) clientRoutes(mux *http.ServeMux) {
	const me = "/_emulator/users/{user_id}/channels"
	const ch = me + "/{channel_url}"
	for pattern, do := range map[string]handle{
		"POST " + me:                                        clientCreates,
		"POST " + ch + "/messages":                          clientSends,
		"PUT " + ch + "/messages/{message_id}":              clientEdits,
		"DELETE " + ch + "/messages/{message_id}":           deleteMessage,
		"POST " + ch + "/messages/{message_id}/reactions":   addReaction,
		"DELETE " + ch + "/messages/{message_id}/reactions": removeReaction,
		"PUT " + ch + "/read":                               markAsRead,
		"PUT " + ch + "/delivered":                          markAsDelivered,
		"PUT " + ch + "/join":                               joinChannel,
		"PUT " + ch + "/accept":                             acceptInvitation,
		"PUT " + ch + "/decline":                            declineInvitation,
		"PUT " + ch + "/leave":                              leaveChannel,
		"POST " + ch + "/invite":                            inviteMembers,
		"PUT " + ch + "/enter":                              enterChannel,
		"PUT " + ch + "/exit":                               exitChannel,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.serveClient(w, r, do) })
	}
}

func (s *Server) serveClient(w http.ResponseWriter, r *http.Request, do handle) {
	begun := time.Now()
	s.mu.Lock()
	limit := s.sw.maxFile()
	s.mu.Unlock()
	body, files, raw, err := s.readBody(r, limit)
	defer func() { dropUploads(files) }()
	if errors.Is(err, errBodyCut) {
		panic(http.ErrAbortHandler)
	}
	c := &call{r: r, body: body, query: textArgs(r.URL.Query()), files: files, base: baseOf(r), sdk: "JavaScript", ip: clientIP}
	c.path = map[string]string{}
	for _, name := range []string{"user_id", "channel_url", "message_id"} {
		c.path[name] = r.PathValue(name)
	}
	var v any
	if err == nil {
		v, err = s.act(c, do)
	}
	status, answer, _ := s.render(v, err)
	e := Entry{Kind: "client", Method: r.Method, Path: r.URL.EscapedPath(), Status: status, Millis: time.Since(begun).Milliseconds()}
	e.setRequest(raw)
	e.setAnswer(answer)
	s.book.add(e)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(answer)
}

func (s *Server) act(c *call, do handle) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.st.activeUser(c.path["user_id"])
	if err != nil {
		return nil, err
	}
	c.as = u
	if sdk := c.body.str("sdk"); sdk != "" {
		c.sdk = sdk
	}
	c.path["channel_type"] = groupChannels
	if s.st.channels[channelKey(openChannels, c.path["channel_url"])] != nil {
		c.path["channel_type"] = openChannels
	}
	return do(s, c)
}

// clientCreates: who makes a channel is in it, and is its inviter.
func clientCreates(s *Server, c *call) (any, error) {
	ids := []any{c.as.id}
	for _, id := range userIDs(c.body) {
		ids = append(ids, id)
	}
	if c.body.err != nil {
		return nil, c.body.err
	}
	c.body.text = false
	c.body.m["user_ids"], c.body.m["inviter_id"] = ids, c.as.id
	return createGroupChannel(s, c)
}

// clientSends fills in the message type, which is plain from the rest.
func clientSends(s *Server, c *call) (any, error) {
	if !c.body.has("message_type") {
		c.body.m["message_type"] = "MESG"
		if c.file("file") != nil || c.body.has("url") || c.body.has("files") {
			c.body.m["message_type"] = "FILE"
		}
	}
	return sendMessage(s, c)
}

func clientEdits(s *Server, c *call) (any, error) {
	if !c.body.has("message_type") {
		_, m, err := c.message(s)
		if err != nil {
			return nil, err
		}
		c.body.m["message_type"] = m.kind
	}
	return updateMessage(s, c)
}
