package sandbox_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/postern-chat/postern/sandbox"
)

// In a test of your own program: start a world, start your program with its addresses
// and keys, connect them; then let somebody write in the chat, and see what came of it.
func ExampleRun() {
	var t *testing.T // your test's

	w := sandbox.Run(t, sandbox.Config{})
	yours := http.NewServeMux() // your program, with w.SendbirdAPI, w.APIToken, w.MailgunAPI, w.SendingKey, w.SigningKey ...
	srv := httptest.NewServer(yours)
	t.Cleanup(srv.Close)
	if err := w.Connect(sandbox.Hooks{Sendbird: srv.URL + "/hooks/sendbird", Events: srv.URL + "/hooks/mailgun"}); err != nil {
		t.Fatal(err)
	}

	if _, err := w.Say(t.Context(), "ana", w.Channel, "Is anybody there?"); err != nil {
		t.Fatal(err)
	}
	mails, err := w.Mails(t.Context(), "bob@people.example", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(mails[0].Subject)
}

// A mail sent by Mailgun's API lies in Bob's mailbox.
func ExampleStart() {
	ctx := context.Background()
	w, err := sandbox.Start(ctx, sandbox.Config{Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = w.Close() }()

	form := url.Values{"from": {"Desk <desk@" + w.Domain + ">"}, "to": {"bob@people.example"}, "subject": {"Hello"}, "text": {"Good morning"}}
	req, err := http.NewRequestWithContext(ctx, "POST", w.MailgunAPI+"/v3/"+w.Domain+"/messages", strings.NewReader(form.Encode()))
	if err != nil {
		fmt.Println(err)
		return
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("api", w.SendingKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()

	mails, err := w.Mails(ctx, "bob@people.example", 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(resp.StatusCode, mails[0].Subject)
	fmt.Println(mails[0].Text)
	// Output:
	// 200 Hello
	// Good morning
}
