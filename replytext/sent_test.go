package replytext

import "testing"

// An attribution in a language that no table knows is known by our display name, and
// only if we are told that it is ours.
func TestOurNameInAttribution(t *testing.T) {
	const own = "Nah, kom yu so."
	mail := own + "\n\nAna Okoro (Support) 14:05 en taim ya i raetem:\nHalo Bob, wanem taem bae yu kam?\n"
	sent := Sent{Name: "Ana Okoro (Support)", From: []string{"x@chat.example"}}
	if r := Extract(Input{Text: mail, Sent: []Sent{sent}}); r.Text != own {
		t.Errorf("with our name known the reply is %q, want %q", r.Text, own)
	}
	if r := Extract(Input{Text: mail, Sent: []Sent{{Name: "Somebody Else", From: sent.From}}}); r.Text == own {
		t.Error("cut although the name is not ours: the test proves nothing")
	}
}

// An answer in words like those that were sent before is the author's, above the
// quotation and below it.
func TestAnswerLikeWhatWasSent(t *testing.T) {
	sent := []Sent{
		{From: []string{"x@chat.example"}, Name: "Xia (Room)", Text: "Shall we meet?\n\n-- \nAnswer this e-mail to answer in the chat.\n"},
		{From: []string{"x@chat.example"}, Name: "Xia (Room)", Text: "See you on Saturday at ten, of course.\n\n-- \nAnswer this e-mail to answer in the chat.\n"},
	}
	const quote = "On 11/22/26 12:49, Xia (Room) <x@chat.example> wrote:\n> Shall we meet?\n>\n> --\n> Answer this e-mail to answer in the chat.\n"
	for _, own := range []string{"See you on Saturday at eleven, of course.", "See you on Saturday at ten, of course."} {
		for _, mail := range []string{quote + "\n" + own + "\n", own + "\n\n" + quote, own + "\n"} {
			if r := Extract(Input{Text: mail, Sent: sent}); r.Text != own {
				t.Errorf("of %q the reply is %q, want %q", mail, r.Text, own)
			}
		}
	}
}
