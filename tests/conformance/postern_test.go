package conformance

import (
	"bytes"
	"context"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
	chatclient "github.com/postern-chat/postern/platform/sendbird"
	mailclient "github.com/postern-chat/postern/provider/mailgun"
	"github.com/postern-chat/postern/relay"
)

// What is driven here is all that Postern asks of the two services while it runs.
var (
	_ relay.Platform = (*chatclient.Client)(nil)
	_ relay.Provider = (*mailclient.Client)(nil)
)

// testPosternChat makes every call of platform/sendbird.
func testPosternChat(t *testing.T, rec *Recorder) {
	s, base := startChat(t, rec, PosternClients)
	s.SetFilesURL(base)
	ctx := t.Context()
	aside := httptest.NewServer(s.Handler()) // not recorded: these calls are not the client's
	defer aside.Close()
	setUp := plainCalls{t, aside.URL + "/v3", map[string]string{"Api-Token": s.MasterToken()}}
	setUp.ask("POST", "/users", "application/json", `{"user_id":"ana","nickname":"Ana","profile_url":""}`, 200)
	setUp.ask("POST", "/users", "application/json", `{"user_id":"bob@x","nickname":"Bob","profile_url":""}`, 200)
	setUp.ask("POST", "/group_channels", "application/json", `{"channel_url":"room-1","name":"Support","user_ids":["ana","bob@x"]}`, 200)

	c := must(chatclient.New(chatclient.Config{AppID: s.AppID(), APIURL: base + "/v3", APIToken: s.MasterToken()}))(t, "New")
	began := s.Now().Add(-time.Second)
	const room = postern.ChannelID("room-1")
	text := must(c.Post(ctx, postern.NewPost{ID: "1", Mark: "m1", Channel: room, User: "ana", Text: "Grüße"}))(t, "Post")
	must(c.Post(ctx, postern.NewPost{ID: "2", Mark: "m2", Channel: room, Text: "a line of the application"}))(t, "Post of an admin message")
	file := must(c.Post(ctx, postern.NewPost{ID: "3", Mark: "m3", Channel: room, User: "ana", File: &postern.Upload{Name: "ü.txt", ContentType: "text/plain", Size: 5,
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("bytes")), nil }}}))(t, "Post of a file")
	again := must(c.Post(ctx, postern.NewPost{ID: "1", Mark: "m1", Channel: room, User: "ana", Text: "Grüße"}))(t, "Post of the same")
	same(t, "id of the same post", again, text)

	list := must(c.Messages(ctx, room, began))(t, "Messages")
	same(t, "messages", len(list), 3)
	same(t, "text", list[0].Text, "Grüße")
	one := must(c.Message(ctx, room, file))(t, "Message")
	same(t, "files", len(one.Files), 1)
	body, size, err := c.OpenFile(ctx, one.Files[0])
	ok(t, "OpenFile", err)
	got := must(io.ReadAll(body))(t, "ReadAll")
	ok(t, "Close", body.Close())
	same(t, "the file", string(got), "bytes")
	same(t, "its size", size, 5)

	channel := must(c.Channel(ctx, room))(t, "Channel")
	same(t, "name", channel.Name, "Support")
	same(t, "members", len(must(c.Members(ctx, room))(t, "Members")), 2)
	ok(t, "MarkDelivered", c.MarkDelivered(ctx, room, "bob@x"))
	ok(t, "MarkRead", c.MarkRead(ctx, room, "bob@x"))
	_, err = c.Message(ctx, room, "99")
	same(t, "cause of a message that is not there", postern.CauseOf(err), postern.CauseNotFound)
}

// testPosternMail makes every call of provider/mailgun.
func testPosternMail(t *testing.T, rec *Recorder) {
	w := startMail(t, rec, PosternClients)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c := must(mailclient.New(mailclient.Config{Domain: domain, APIURL: w.url, SendingKey: sendingKey, AccountKey: accountKey,
		SigningKeys: []string{signingKey}, TempDir: t.TempDir()}))(t, "New")
	began := time.Now()
	raw := []byte("From: t@" + domain + "\r\nTo: " + bob + "\r\nSubject: s\r\nMessage-ID: <p.1@" + domain + ">\r\nContent-Type: text/plain; charset=utf-8\r\n" +
		"Content-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n")
	out := postern.Outgoing{Delivery: "d1", Participant: 7, To: bob, MessageID: "p.1@" + domain, Size: int64(len(raw)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }}
	same(t, "id", must(c.Send(ctx, out))(t, "Send"), "p.1@"+domain)
	w.settle()
	same(t, "mails of Bob", len(w.boxes.Messages(bob)), 1)
	same(t, "found", must(c.Find(ctx, "p.1@"+domain, began))(t, "Find"), true)
	same(t, "found what was never sent", must(c.Find(ctx, "p.2@"+domain, began))(t, "Find"), false)

	out.To = "bounce@example.org"
	must(c.Send(ctx, out))(t, "Send")
	w.settle()
	ok(t, "Lift", c.Lift(ctx, "bounce@example.org"))
	ok(t, "Lift of what is on no list", c.Lift(ctx, "bounce@example.org"))
}
