package replytext

import (
	"fmt"
	"html"
	"math/rand/v2"
	"strings"
	"testing"
)

// The mails here are written as Postern would send them, then quoted as mail
// programs would, in every language of testdata/attributions.txt. Stage one has
// what was sent, so almost nothing may go wrong.

const (
	ourName    = "Ana (Support)"
	ourAddress = "k3v9x2m7q4t8w1z6@chat.gateway.example"
)

// sentMails are mails of ours, as paragraphs.
var sentMails = [][]string{
	{
		"Hi Omar, your order left our warehouse this morning.",
		"Would you like it delivered to the office or to your home address? The carrier needs to know by tomorrow noon.",
		"Also, may we leave the parcel with a neighbour if nobody opens the door?",
	},
	{
		"Ana wrote at 10:02:",
		"The invoice 2024-118 is attached, please check the amount on page two before Friday.",
		"Ben wrote at 10:07:",
		"And could you tell us which colour you want, the dark blue one or the light grey one?",
	},
	{
		"Die Montage ist für Dienstag um 8:30 Uhr geplant. Passt Ihnen dieser Termin, oder sollen wir ihn verschieben?",
		"Bitte stellen Sie sicher, dass der Keller zugänglich ist und der Strom abgestellt werden kann.",
	},
	{
		"Bonjour, nous avons bien reçu votre dossier et nous vous en remercions.",
		"Il manque encore une copie de votre pièce d'identité. Pouvez-vous nous l'envoyer avant la fin du mois ?",
		"Merci d'avance pour votre réponse rapide.",
	},
	{
		"お問い合わせありがとうございます。ご注文の商品は明日発送いたします。",
		"お届け先の住所に変更がないか、ご確認をお願いいたします。 Order 5521 stays open until you answer this mail.",
	},
}

const sentFooter = "You get this mail because you were away from the chat. Answer it and your words appear there. Leave these mails: https://chat.gateway.example/u/7f3k2"

// replies are a person's words, one per line of thought.
var replies = [][]string{
	{"Yes, that is fine."},
	{"To the office, please. I am there from nine to five, on the third floor.", "Nobody at home before Thursday."},
	{"Dienstag passt gut, vielen Dank.", "Der Schlüssel liegt beim Hausmeister:", "Herr Vogt, Tel. 030 5550123"},
	{"- dark blue for the chairs", "- light grey for the table", "and please no plastic wrapping this time"},
	{"Je vous l'envoie lundi 5 janvier à 10:15 au plus tard."},
	{"はい、変更ありません。よろしくお願いします。"},
	{"I wrote to your colleague on Monday already, see below what he said: nothing.", "So who is in charge?"},
	{"Ok", "👍"},
}

// A generator makes one quoted mail after the other from a seed.
type generator struct {
	*rand.Rand
	attributions []string
}

// pick returns one of list.
func pick[T any](g *generator, list []T) T { return list[g.IntN(len(list))] }

func (g *generator) sent() ([]string, Sent) {
	paras := append([]string{}, pick(g, sentMails)...)
	all := append(append([]string{}, paras...), sentFooter)
	var h strings.Builder
	for _, p := range all {
		h.WriteString("<p>" + html.EscapeString(p) + "</p>\n")
	}
	return all, Sent{
		From: []string{ourAddress}, Name: ourName, Subject: "Conversation with Ana",
		Text: wrapAll(all, 78), HTML: h.String(),
	}
}

func wrapAll(paras []string, n int) string {
	var out []string
	for _, p := range paras {
		out = append(out, wrapAt(p, n))
	}
	return strings.Join(out, "\n\n")
}

// quote puts marks before each line.
func quote(s, mark string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(mark+lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// noise does to a whole mail what happens on the way.
func (g *generator) noise(s string) string {
	switch g.IntN(7) {
	case 0:
		s = strings.ReplaceAll(s, "\n", "\r\n")
	case 1:
		s = strings.ReplaceAll(s, ", ", ",\u00a0")
	case 2:
		s = strings.ReplaceAll(s, ". ", ".\u200b ")
	case 3:
		s = strings.ReplaceAll(s, "https://chat.gateway.example/u/7f3k2", "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fchat.gateway.example%2Fu%2F7f3k2&data=05")
	case 4:
		s = "\ufeff" + s
	}
	return s
}

// above puts a mail system's warning on top, below a telephone's footer, at times.
func (g *generator) around(body, history string) string {
	if g.IntN(4) == 0 {
		body = "[EXTERNAL] This email originated from outside of the organization. Do not click links or open attachments unless you recognize the sender.\n\n" + body
	}
	switch g.IntN(6) {
	case 0:
		body += "\n\nSent from my iPhone"
	case 1:
		body += "\n\n-- \nOmar Haddad\nHaddad & Sons"
	}
	return body + history
}

// mail writes a reply in one of the forms that people quote in, and returns it
// with the author's paragraphs that found a place in it.
func (g *generator) mail(form, attr, mark string, width int, own, paras []string, ourText string) (string, []string) {
	reply := strings.Join(own, "\n\n")
	var text string
	switch form {
	case "top":
		text = g.around(reply, "\n\n"+attr+"\n\n"+quote(ourText, mark)+"\n")
	case "bottom":
		text = attr + "\n" + quote(ourText, mark) + "\n\n" + reply + "\n"
	case "unmarked":
		text = g.around(reply, "\n\n"+attr+"\n\n"+ourText+"\n")
	case "unmarked bottom":
		text = attr + "\n\n" + ourText + "\n\n" + reply + "\n"
	case "outlook":
		text = g.around(reply, "\n\n________________________________\nFrom: "+ourName+" <"+ourAddress+">\nSent: Monday, January 5, 2026 10:15 AM\nTo: Omar\nSubject: Conversation with Ana\n\n"+ourText+"\n")
	case "bare":
		text = g.around(reply, "\n\n"+ourText+"\n")
	case "interleaved":
		var b strings.Builder
		b.WriteString(attr + "\n")
		for i, p := range paras[:len(paras)-1] {
			b.WriteString(quote(wrapAt(p, width), mark) + "\n\n")
			if i < len(own) {
				b.WriteString(own[i] + "\n\n")
			}
		}
		b.WriteString(quote(sentFooter, mark) + "\n")
		if len(own) > len(paras)-1 {
			own = own[:len(paras)-1]
		}
		text = b.String()
	}
	return text, own
}

func TestGeneratedText(t *testing.T) {
	attrs, weak := attributions(t, ourName, ourAddress)
	g := &generator{Rand: rand.New(rand.NewPCG(1, 2)), attributions: attrs}
	const n = 6000
	wrong := map[string]int{}
	total := 0
	for range n {
		paras, sent := g.sent()
		own := pick(g, replies)
		attr := pick(g, attrs)
		mark := pick(g, []string{"> ", ">", " > ", "> > "})
		width := pick(g, []int{72, 76, 1000})
		ourText := wrapAll(paras, width)
		if g.IntN(3) == 0 { // wrapped again after it was marked
			ourText = wrapAll(paras, 90)
		}
		form := pick(g, []string{"top", "top", "bottom", "unmarked", "unmarked bottom", "outlook", "interleaved", "bare"})
		if weak[attr] && strings.HasPrefix(form, "unmarked") {
			form = "top"
		}
		attr = wrapAt(attr, width)
		text, own := g.mail(form, attr, mark, width, own, paras, ourText)
		total++
		r := Extract(Input{Text: g.noise(text), Sent: []Sent{sent}})
		if problem := check(r, own, form); problem != "" {
			wrong[form]++
			if wrong[form] <= 3 {
				t.Logf("%s: %s\n--- mail\n%s\n--- got\n%s", form, problem, text, r.Text)
			}
		}
	}
	sum := 0
	for _, k := range wrong {
		sum += k
	}
	t.Logf("%d of %d wrong: %v", sum, total, wrong)
	if float64(sum) > .005*float64(total) {
		t.Errorf("%d of %d generated replies are wrong: more than 0.5 %%", sum, total)
	}
}

// check says what is wrong with a result; own are the author's paragraphs.
func check(r Result, own []string, form string) string {
	squash := func(s string) string {
		return strings.Join(strings.Fields(strings.ReplaceAll(fold(s), "\u200b", "")), " ")
	}
	if form == "interleaved" && len(own) > 1 {
		if len(r.Pairs) != len(own) {
			return fmt.Sprintf("%d pairs instead of %d", len(r.Pairs), len(own))
		}
		for i, p := range r.Pairs {
			if squash(p.Answer) != squash(own[i]) {
				return fmt.Sprintf("pair %d answers %q", i, p.Answer)
			}
			if p.Sent != 0 {
				return fmt.Sprintf("pair %d quotes mail %d: %q", i, p.Sent, p.Quoted)
			}
		}
		return ""
	}
	if got, want := squash(r.Text), squash(strings.Join(own, " ")); got != want {
		return fmt.Sprintf("got %q, want %q", got, want)
	}
	if !r.Certain {
		return "not certain"
	}
	return ""
}
