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
