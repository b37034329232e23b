package replytext

import (
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	empty := "On 5 Jan 2026, at 10:15, Ana (Support) <" + ourAddress + "> wrote:\n\n> Shall we meet on Friday at the harbour?\n"
	r := Extract(Input{Text: empty})
	if r.Certain || strings.TrimSpace(r.Text) == "" || len(r.Cuts) == 0 {
		t.Errorf("nothing is known, yet all is cut: %+v", r)
	}
	r = Extract(Input{Text: empty, Sent: []Sent{{From: []string{ourAddress}, Text: "Shall we meet on Friday at the harbour?"}}})
	if !r.Certain || r.Text != "" {
		t.Errorf("all of it is ours: %+v", r)
	}
	r = Extract(Input{Text: "Just this."})
	if !r.Certain || r.Confidence != 1 || r.Text != "Just this." || r.Cuts != nil {
		t.Errorf("there is nothing to cut: %+v", r)
	}
	if r = Extract(Input{}); r.Text != "" || !r.Certain {
		t.Errorf("an empty mail: %+v", r)
	}
	long := strings.Repeat("word ", MaxInput/4)
	if r = Extract(Input{Text: long}); !r.Truncated || len(r.Full) > MaxInput {
		t.Errorf("%d bytes of %d, truncated %v", len(r.Full), len(long), r.Truncated)
	}
}

func TestDisagreement(t *testing.T) {
	in := Input{
		Text:         "Please write to:\nOmar Haddad\nomar@example.org\n\nOn 5 Jan 2026, at 10:15, Ann <ann@example.org> wrote:\n> Where to?\n",
		ProviderText: "Please write to:\r\nOn 5 Jan 2026, at 10:15, Ann wrote:",
	}
	r := Extract(in)
	if r.Text != "Please write to:\nOmar Haddad\nomar@example.org" {
		t.Errorf("the provider was believed: %q", r.Text)
	}
	if r.Disagreement == nil || len(r.Disagreement.Missing) != 2 || len(r.Disagreement.Extra) != 1 {
		t.Errorf("disagreement %+v", r.Disagreement)
	}
	in.ProviderText = "Please  write to:\r\n\r\nOmar Haddad\r\nomar@example.org\r\n"
	if r = Extract(in); r.Disagreement != nil {
		t.Errorf("white space is no disagreement: %+v", r.Disagreement)
	}
}

func TestHTMLToText(t *testing.T) {
	for _, c := range []struct{ html, text, markdown string }{
		{`<p>One<br>two</p><p>three</p>`, "One\ntwo\n\nthree", ""},
		{`a <b>bold </b>word, <i>soft</i>`, "a bold word, soft", "a **bold** word, *soft*"},
		{`<a href="https://example.org/a">https://example.org/a</a> <a href="https://www.example.org/">example.org</a>`, "https://example.org/a example.org", ""},
		{`see <a href="https://example.org/a">this</a>`, "see this (https://example.org/a)", "see [this](https://example.org/a)"},
		{`<a href="https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fexample.org%2Fa&amp;data=05">this</a>`, "this (https://example.org/a)", "[this](https://example.org/a)"},
		{`<a href="mailto:ann@example.org">ann@example.org</a> <a href="javascript:alert(1)">x</a>`, "ann@example.org x", ""},
		{`<ol><li>one<ul><li>deep</li></ul></li><li>two</ol>`, "1. one\n  - deep\n2. two", ""},
		{`<ol start=3><li>three</ol>`, "3. three", ""},
		{`<table><tr><td>a</td><td>b</td></tr><tr><th>c<td>d</table>`, "a | b\nc | d", ""},
		{"<pre>x\n  y\n\nz</pre>", "x\n  y\n\nz", ""},
		{`a<br><span style="display:none">hidden</span><span style="mso-hide:all">too</span><img src="https://t.example/p.gif" width=1 height=1>b`, "a\nb", ""},
		{`before <img src="cid:img1" alt="a cat"> after`, "before ![a cat](cid:img1) after", ""},
		{`<img src="https://mail.example/e/1f600.png" alt="😀"> hi`, "😀 hi", ""},
		{`<style>p{}</style><script>x</script><title>t</title>text<!-- c -->`, "text", ""},
		{`Mail <ann@example.org> or &lt;b@example.org&gt;`, "Mail <ann@example.org> or <b@example.org>", ""},
		{`a&nbsp;&nbsp;b &amp; c`, "a  b & c", ""},
		{`<h2>Head</h2>body`, "Head\n\nbody", "## Head\n\nbody"},
		{`x<hr>y`, "x\n\n---\n\ny", ""},
	} {
		if r := Extract(Input{HTML: c.html}); r.Full != c.text {
			t.Errorf("%s\n got %q\nwant %q", c.html, r.Full, c.text)
		}
		if c.markdown == "" {
			continue
		}
		if r := Extract(Input{HTML: c.html, Markdown: true}); r.Full != c.markdown {
			t.Errorf("%s\n got %q\nwant %q", c.html, r.Full, c.markdown)
		}
	}
}

// A blockquote alone proves nothing.
func TestOwnBlockquote(t *testing.T) {
	page := `<div>The manual says:</div><blockquote>Turn it left.</blockquote><div>That breaks it.</div>` +
		`<div class="gmail_quote"><div class="gmail_attr">On Mon, Jan 5, 2026 at 10:15 AM Ann &lt;ann@example.org&gt; wrote:</div><blockquote class="gmail_quote">How is it?</blockquote></div>`
	want := "The manual says:\n\n> Turn it left.\n\nThat breaks it."
	if r := Extract(Input{HTML: page}); r.Text != want {
		t.Errorf("got %q, cuts %v", r.Text, r.Cuts)
	}
}
