package replytext_test

import (
	"fmt"

	"github.com/postern-chat/postern/replytext"
)

func ExampleExtract() {
	r := replytext.Extract(replytext.Input{Text: `Friday suits me.

Am Mo., 5. Jan. 2026 um 10:15 Uhr schrieb Ann Lee <ann@example.org>:

> Shall we meet on Friday?

Von meinem iPhone gesendet
`})
	fmt.Println(r.Text)
	for _, c := range r.Cuts {
		fmt.Printf("%s by %s\n", c.Kind, c.Reason)
	}
	// Output:
	// Friday suits me.
	// attribution by attribution
	// quote by attribution
	// device footer by device
}

// What was sent is the strongest evidence: it finds a quote that nothing marks.
func ExampleExtract_sent() {
	r := replytext.Extract(replytext.Input{
		Text: "Friday suits me.\n\nShall we meet on Friday, or is Thursday better for all of you?\n",
		Sent: []replytext.Sent{{
			From: []string{"k3v9x2m7@chat.example.org"},
			Name: "Ana (Support)",
			Text: "Shall we meet on Friday,\nor is Thursday better for all of you?\n",
		}},
	})
	fmt.Println(r.Text)
	// Output: Friday suits me.
}

// Answers between quoted lines come out as pairs too.
func ExampleExtract_interleaved() {
	r := replytext.Extract(replytext.Input{Text: `On 5 Jan 2026, at 10:15, Ann Lee <ann@example.org> wrote:

> Which day?
Friday.
> And where?
At the harbour.
`})
	for _, p := range r.Pairs {
		fmt.Printf("%s -> %s\n", p.Quoted, p.Answer)
	}
	// Output:
	// Which day? -> Friday.
	// And where? -> At the harbour.
}

func ExampleExtract_forward() {
	r := replytext.Extract(replytext.Input{Text: `Can you take this one?

---------- Message transféré ---------
De : Ann Lee <ann@example.org>
Date : lun. 5 janv. 2026 à 10:15
Objet : Vendredi
À : Omar <omar@example.org>

On se voit vendredi ?
`})
	fmt.Println(r.Text)
	fmt.Println(r.Forward.From, "|", r.Forward.Subject, "|", r.Forward.Text)
	// Output:
	// Can you take this one?
	// Ann Lee <ann@example.org> | Vendredi | On se voit vendredi ?
}

func ExampleExtract_html() {
	r := replytext.Extract(replytext.Input{
		HTML: `<div dir="ltr"><b>Two</b> things:<ul><li>the key</li><li>the <a href="https://example.org/plan">plan</a></li></ul></div>
<div class="gmail_quote"><div class="gmail_attr">On Mon, Ann wrote:</div><blockquote class="gmail_quote">What do you need?</blockquote></div>`,
		Markdown: true,
	})
	fmt.Println(r.Text)
	// Output:
	// **Two** things:
	// - the key
	// - the [plan](https://example.org/plan)
}
