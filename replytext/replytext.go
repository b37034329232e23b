package replytext

import "strings"

// MaxInput is how much of each body Extract reads, in bytes. What lies beyond
// is neither examined nor returned, and Result.Truncated says so.
const MaxInput = 2 << 20

// Sure is the confidence from which on Extract cuts.
const Sure = 0.5

// Input is a mail and what is known about it. Every field may be empty.
type Input struct {
	Text    string // the text/plain body, UTF-8
	HTML    string // the text/html body, UTF-8
	Subject string

	// Sent are the mails that this one may answer, the likeliest first.
	Sent []Sent
	// ProviderText is what an e-mail provider took for the reply (Mailgun's
	// stripped-text). It is compared and reported, never used.
	ProviderText string
	// Markdown asks for Markdown where an HTML body has emphasis and links.
	Markdown bool
}

// Sent is a mail of ours, as it left.
type Sent struct {
	From      []string // addresses it was sent from, Reply-To included
	Name      string   // display name in From
	Subject   string
	MessageID string
	Text      string
	HTML      string
}

// Result is what Extract found.
type Result struct {
	// Text is the author's new words. It is the whole mail when Certain is false.
	Text string
	// Full is everything as text; spans refer to it.
	Full string
	// Cuts are the parts of Full that are not the author's new words, in order
	// and without overlap. With Certain false they are proposals.
	Cuts []Cut
	// Pairs are the answers written between quoted lines, in order.
	Pairs []Pair
	// Forward is the mail that was passed on, if there is one.
	Forward *Forward
	// Confidence is between 0 and 1: how sure the weakest cut of history is.
	Confidence float64
	// Certain tells whether Text was cut. It is true when there was nothing to cut.
	Certain bool
	// Truncated tells whether the body was longer than MaxInput.
	Truncated bool
	// Source is the body that Full was made of.
	Source Source
	// Disagreement is nil unless Input.ProviderText differs from Text.
	Disagreement *Disagreement
}

// Source is one of a mail's two bodies.
type Source string

// The bodies that Full can come from.
const (
	FromText Source = "text"
	FromHTML Source = "html"
)

// Kind is what a part of a mail is.
type Kind string

// The kinds of cuts.
const (
	Quote        Kind = "quote"         // words of an earlier mail
	Attribution  Kind = "attribution"   // the line or header block that introduces them
	Forwarded    Kind = "forwarded"     // a mail passed on, with its headers
	Signature    Kind = "signature"     // a signature block
	DeviceFooter Kind = "device footer" // "Sent from my telephone"
	Disclaimer   Kind = "disclaimer"    // legal text
	Banner       Kind = "banner"        // a mail system's warning above the text
	ListFooter   Kind = "list footer"   // a mailing list's or group's lines
)

// Cut is a part of Full that is not the author's.
type Cut struct {
	Start, End int // bytes in Full, End not included
	Kind       Kind
	Reason     string  // name of the rule
	Strength   float64 // 0 to 1
}

// Pair is a quoted passage and what the author wrote under it.
type Pair struct {
	Quoted string // without quote marks
	Answer string
	Sent   int // index in Input.Sent of the mail quoted, -1 if not known
}

// Forward is a mail that was passed on. Its headers are as the mail program
// wrote them, in its language; those it left out are empty.
type Forward struct {
	Comment string // what the one who forwards wrote
	From    string
	To      string
	Date    string
	Subject string
	Text    string // the forwarded mail's body
}

// Disagreement says how a provider's idea of the reply differs from ours.
type Disagreement struct {
	Missing []string // lines of Text that the provider lacks
	Extra   []string // lines that only the provider has
}

// Extract finds the author's new words in a mail. It never panics, takes time
// linear in the input's length, and keeps no reference to its input.
func Extract(in Input) Result {
	ours := newEvidence(in.Sent)
	d := readBody(in)
	d.passedOn = isForwardSubject(in.Subject)
	r := d.extract(ours)
	if d.source == FromHTML && strings.TrimSpace(r.Text) == "" && strings.TrimSpace(in.Text) != "" {
		// An HTML body of nothing but pictures, or one that could not be read.
		passedOn := d.passedOn
		d = newTextDoc(in.Text)
		d.passedOn = passedOn
		r = d.extract(ours)
	}
	if d.source == FromHTML {
		r.Truncated = len(in.HTML) > MaxInput
	} else {
		r.Truncated = len(in.Text) > MaxInput
	}
	r.Disagreement = compare(r.Text, in.ProviderText)
	return r
}

// readBody takes the HTML body if it has words, for it says more about what is
// quoted; the text body otherwise.
func readBody(in Input) *doc {
	if strings.TrimSpace(in.HTML) != "" {
		if d := newHTMLDoc(in.HTML, in.Markdown); strings.TrimSpace(d.full) != "" || strings.TrimSpace(in.Text) == "" {
			return d
		}
	}
	return newTextDoc(in.Text)
}
