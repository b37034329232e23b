package contract

import (
	"testing"
	"time"

	"github.com/postern-chat/postern/internal/pgtest"
)

// The three flows, on both databases.
func TestFlows(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		flows(t, nil)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		flows(t, vars{"POSTERN_DATABASE": pgtest.Start(t)})
	})
}

func flows(t *testing.T, env vars) {
	w := newWorld(t, env)
	c, addr := w.pair("bob")
	first := w.say(c, "ana", "Hello Bob")
	m := w.mg.mail(t, addr, 1)
	if got := m.envelope(t).Text; !contains(got, "Hello Bob") {
		t.Errorf("text: %q", got)
	}
	w.happened(m, "delivered")
	poll(t, "the mark of delivery", func() error { return want(w.sb.marked("mark_as_delivered", c, "bob"), 1) })
	w.happened(m, "opened", opened(nil, person, time.Minute))
	poll(t, "the mark of reading", func() error { return want(w.sb.marked("mark_as_read", c, "bob"), 1) })

	w.answer(m, "Hello Ana\n\nOn Monday Ana wrote:\n> Hello Bob\n")
	posts := w.posted(c, 1)
	if p := posts[0]; p.Text != "Hello Ana" || p.User != "bob" || p.Type != "MESG" {
		t.Errorf("posted %+v", p)
	}
	w.echo(c, &posts[0])
	w.gw.idle()
	if n := len(w.mg.mails("")); n != 1 {
		t.Errorf("%d mails after the echo", n)
	}
	// The same webhook again, as Sendbird repeats it.
	w.hook(w.messageHook("group_channel:message_send", c, first))
	// And after a restart what is known stays known.
	if code := w.gw.stop(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	w.gw.start()
	w.hook(w.messageHook("group_channel:message_send", c, first))
	second := w.say(c, "ana", "Still there?")
	m2 := w.mg.mail(t, addr, 2)
	if got := m2.envelope(t).Text; !contains(got, second.Text) || contains(got, "Hello Bob") {
		t.Errorf("second text: %q", got)
	}
	w.answer(m, "Yes, to the old mail") // the old mail's address is still good
	if p := w.posted(c, 2)[1]; p.Text != "Yes, to the old mail" {
		t.Errorf("posted %+v", p)
	}
	w.gw.idle()
	if n := len(w.mg.mails("")); n != 2 {
		t.Errorf("%d mails", n)
	}
	if code := w.gw.stop(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
}
