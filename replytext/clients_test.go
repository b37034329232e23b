package replytext

import (
	"html"
	"math/rand/v2"
	"strings"
	"testing"
)

// A client is a mail program's HTML around a reply. In its form REPLY stands for
// the author's paragraphs, ATTR for the attribution, FROM for our name and
// address, OURS for what we sent.
type client struct {
	name  string
	reply string // around each paragraph of the author: "%" is its text
	form  string
}

var clients = []client{
	{"Gmail", "<div>%</div>", `<div dir="ltr">REPLY</div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">ATTR<br></div><blockquote class="gmail_quote" style="margin:0 0 0 .8ex;border-left:1px #ccc solid;padding-left:1ex">OURS</blockquote></div>`},
	{"Gmail below", "<div>%</div>", `<div dir="ltr"><div class="gmail_quote"><div dir="ltr" class="gmail_attr">ATTR<br></div><blockquote class="gmail_quote" style="margin:0">OURS</blockquote></div><br>REPLY</div>`},
	{"Gmail forwarded on through Outlook", "<div>%</div>", `<div dir="ltr">REPLY</div><br><div class="x_gmail_quote"><div dir="ltr" class="x_gmail_attr">ATTR<br></div><blockquote class="x_gmail_quote">OURS</blockquote></div>`},
	{"Outlook on the web", "%<br>", `<div style="font-family:Calibri">REPLY</div><div id="appendonsend"></div><hr style="display:inline-block;width:98%" tabindex="-1"><div id="divRplyFwdMsg" dir="ltr"><font face="Calibri"><b>From:</b> FROM<br><b>Sent:</b> Monday, January 5, 2026 10:15 AM<br><b>To:</b> Omar<br><b>Subject:</b> Conversation with Ana</font><div>&nbsp;</div></div>OURS`},
	{"Outlook on the web, Yiddish", "%<br>", `<div>REPLY</div><div id="x_appendonsend"></div><hr tabindex="-1"><div id="x_divRplyFwdMsg"><b>פון:</b> FROM<br><b>געשיקט:</b> 5/1/2026 10:15<br></div>OURS`},
	{"Outlook", "<p class=MsoNormal>%<o:p></o:p></p>", `<body lang=EN-US><div class=WordSection1>REPLY<p class=MsoNormal><o:p>&nbsp;</o:p></p><div><div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0in 0in 0in'><p class=MsoNormal><b>From:</b> FROM<br><b>Sent:</b> Monday, January 5, 2026 10:15<br><b>To:</b> Omar<br><b>Subject:</b> Conversation<o:p></o:p></p></div></div>OURS</div></body>`},
	{"Outlook, Swahili", "<p class=MsoNormal>%<o:p></o:p></p>", `<div class=WordSection1>REPLY<p class=MsoNormal>&nbsp;</p><div><div style='border:none;border-top:solid #B5C4DF 1.0pt'><p class=MsoNormal><b>Kutoka:</b> FROM<br><b>Imetumwa:</b> 5 Januari 2026 10:15<br><b>Kwenda:</b> Omar<br><b>Mada:</b> Mazungumzo</p></div></div>OURS</div>`},
	{"Outlook for Mac", "<div>%</div>", `<body>REPLY<div><br></div><span id="OLK_SRC_BODY_SECTION"><div style="BORDER-TOP: #b5c4df 1pt solid"><span style="font-weight:bold">From: </span> FROM<br><span style="font-weight:bold">Date: </span> Monday, January 5, 2026 at 10:15<br><span style="font-weight:bold">Subject: </span> Conversation<br></div>OURS</span></body>`},
	{"Outlook on a telephone", "<div dir=\"auto\">%</div>", `<div>REPLY</div><div id="ms-outlook-mobile-signature"><div>Outlook für iOS beziehen</div></div><hr style="display:inline-block;width:98%" tabindex="-1"><div id="divRplyFwdMsg"><b>Von:</b> FROM<br><b>Gesendet:</b> Montag, 5. Januar 2026 10:15<br><b>An:</b> Omar<br><b>Betreff:</b> Gespräch</div>OURS`},
	{"Apple Mail", "<div>%</div>", `<html><body style="overflow-wrap: break-word;">REPLY<br id="lineBreakAtBeginningOfMessage"><div><br><blockquote type="cite"><div>ATTR</div><br class="Apple-interchange-newline"><div>OURS</div></blockquote></div><br></body></html>`},
	{"iPhone", "<div dir=\"ltr\">%</div>", `<html><body dir="auto">REPLY<div dir="ltr"><br></div><div dir="ltr">Sent from my iPhone</div><div dir="ltr"><br><blockquote type="cite">ATTR<br><br></blockquote></div><blockquote type="cite"><div dir="ltr">OURS</div></blockquote></body></html>`},
	{"Thunderbird", "<p>%</p>", `<body>REPLY<div class="moz-cite-prefix">ATTR<br></div><blockquote type="cite" cite="mid:1@gateway.example">OURS</blockquote></body>`},
	{"Thunderbird below", "<p>%</p>", `<body><div class="moz-cite-prefix">ATTR<br></div><blockquote type="cite" cite="mid:1@gateway.example">OURS</blockquote>REPLY</body>`},
	{"Yahoo", "<div dir=\"ltr\">%</div>", `<div class="ydp1a2b3c4dyahoo-style-wrap">REPLY<div><br></div></div><div id="ydp5e6f7a8byahoo_quoted_1234567890" class="ydp5e6f7a8byahoo_quoted"><div><div>ATTR</div><div><br></div><div>OURS</div></div></div>`},
	{"GMX", "<div>%</div>", `<div style="font-family: Verdana">REPLY<div>&nbsp;</div><div name="quote" style="margin:10px 5px 5px 10px; border-left:2px solid #C3D9E5;"><div><b>Gesendet:</b>&nbsp;Montag, 5. Januar 2026 um 10:15 Uhr<br/><b>Von:</b>&nbsp;FROM<br/><b>An:</b>&nbsp;Omar<br/><b>Betreff:</b>&nbsp;Gespräch</div><div name="quoted-content">OURS</div></div></div>`},
	{"Proton", "<div>%</div>", `REPLY<div class="protonmail_signature_block"><div class="protonmail_signature_block-proton">Sent with Proton Mail secure email.</div></div><div class="protonmail_quote">ATTR<br><blockquote class="protonmail_quote" type="cite">OURS</blockquote></div>`},
	{"QQ", "<div>%</div>", `REPLY<div><br></div><div style="font-size: 12px;">------------------&nbsp;原始邮件&nbsp;------------------</div><div style="font-size: 12px;background:#efefef;"><div><b>发件人:</b>&nbsp;FROM;</div><div><b>发送时间:</b>&nbsp;2026年1月5日(星期一) 上午10:15</div><div><b>收件人:</b>&nbsp;"Omar";</div><div><b>主题:</b>&nbsp;对话</div></div><div>OURS</div>`},
	{"163", "<div>%</div>", `<div style="line-height:1.7">REPLY<br><div></div><div id="divNeteaseMailCard"></div><br>ATTR<br><blockquote id="isReplyContent" style="PADDING-LEFT: 1ex; BORDER-LEFT: #ccc 1px solid">OURS</blockquote></div>`},
	{"Yandex", "<div>%</div>", `REPLY<div> </div><div>05.01.2026, 10:15, FROM:</div><blockquote>OURS</blockquote>`},
	{"Mail.ru", "<div>%</div>", `<HTML><BODY>REPLY<br><br><blockquote style="border-left:1px solid #0857A6; margin:10px; padding:0 0 0 10px;">Понедельник, 5 января 2026, 10:15 +03:00 от FROM:<br> <div id="">OURS</div></blockquote></BODY></HTML>`},
	{"Samsung", "<div>%</div>", `REPLY<div><br></div><div id="composer_signature"><div>Von meinem Galaxy gesendet</div></div><div><br></div><div><div>-------- Ursprüngliche Nachricht --------</div><div>Von: FROM </div><div>Datum: 05.01.26  10:15  (GMT+01:00) </div><div>An: Omar </div><div>Betreff: Gespräch </div><div><br></div></div>OURS`},
	{"Zimbra", "<div>%</div>", `<div style="font-family: arial">REPLY<div><br></div><hr id="zwchr" data-marker="__DIVIDER__"><div data-marker="__HEADERS__"><b>De: </b>FROM<br><b>Para: </b>Omar<br><b>Enviados: </b>Lunes, 5 de Enero 2026 10:15:00<br><b>Asunto: </b>Conversación<br></div><div data-marker="__QUOTED_TEXT__">OURS</div></div>`},
	{"Roundcube", "<p>%</p>", `<html><body>REPLY<p id="reply-intro">ATTR</p><blockquote type="cite" style="padding: 0 0.4em"><div id="replybody1">OURS</div></blockquote></body></html>`},
	{"Lotus Notes", "<font>%</font><br>", `REPLY<br><br><table><tr><td>From:</td><td>FROM</td></tr><tr><td>To:</td><td>Omar</td></tr><tr><td>Date:</td><td>05.01.2026 10:15</td></tr><tr><td>Subject:</td><td>Conversation</td></tr></table><hr noshade><br>OURS`},
	{"Spark", "<div>%</div>", `<div name="messageBodySection">REPLY</div><div name="messageSignatureSection"><br>Sent from Spark</div><div name="messageReplySection">ATTR<br><blockquote type="cite" class="spark_quote">OURS</blockquote></div>`},
	{"unmarked", "<p>%</p>", `<body>REPLY<p>ATTR</p>OURS</body>`},
}

func (c *client) write(own []string, attr, ours string) string {
	var b strings.Builder
	for _, p := range own {
		b.WriteString(strings.ReplaceAll(c.reply, "%", html.EscapeString(p)))
	}
	return strings.NewReplacer(
		"REPLY", b.String(),
		"ATTR", html.EscapeString(attr),
		"FROM", html.EscapeString(ourName)+` &lt;<a href="mailto:`+ourAddress+`">`+ourAddress+`</a>&gt;`,
		"OURS", ours,
	).Replace(c.form)
}

func TestGeneratedHTML(t *testing.T) {
	attrs, weak := attributions(t, ourName, ourAddress)
	for _, known := range []bool{true, false} {
		g := &generator{Rand: rand.New(rand.NewPCG(3, 4)), attributions: attrs}
		total, wrong := 0, map[string]int{}
		for range 100 {
			for i := range clients {
				c := &clients[i]
				_, sent := g.sent()
				own := pick(g, replies)
				attr := pick(g, attrs)
				for weak[attr] {
					attr = pick(g, attrs)
				}
				body := c.write(own, attr, prefixed(sent.HTML, pick(g, []string{"", "x_", "m_-123"})))
				in := Input{HTML: body, Markdown: g.IntN(2) == 0}
				if known {
					in.Sent = []Sent{sent}
				}
				total++
				r := Extract(in)
				if problem := check(r, own, "html"); problem != "" {
					wrong[c.name]++
					if wrong[c.name] == 1 {
						t.Logf("known=%v %s: %s\n--- mail\n%s\n--- full\n%s\n--- got\n%s", known, c.name, problem, body, r.Full, r.Text)
					}
				}
			}
		}
		sum := 0
		for _, k := range wrong {
			sum += k
		}
		t.Logf("known=%v: %d of %d wrong: %v", known, sum, total, wrong)
		if float64(sum) > .005*float64(total) {
			t.Errorf("known=%v: %d of %d generated replies are wrong", known, sum, total)
		}
	}
}

// prefixed is HTML of ours with the classes that webmail puts on it.
func prefixed(s, prefix string) string {
	if prefix == "" {
		return s
	}
	return strings.ReplaceAll(s, "<p>", `<p class="`+prefix+`MsoNormal">`)
}

// Interleaved answers, with the blockquote split as Gmail and Apple Mail do it.
func TestInterleavedHTML(t *testing.T) {
	paras := sentMails[0]
	sent := Sent{From: []string{ourAddress}, Name: ourName, Text: wrapAll(paras, 78)}
	own := []string{"Great.", "To the office, please.", "No, better not."}
	forms := map[string][3]string{
		"Gmail":       {`<div dir="ltr"><div class="gmail_quote"><div class="gmail_attr">On Mon, Jan 5, 2026 at 10:15 AM Ana wrote:<br></div>`, `<blockquote class="gmail_quote">%</blockquote>`, `</div></div>`},
		"Apple Mail":  {`<div>On 5 Jan 2026, at 10:15, Ana wrote:</div>`, `<blockquote type="cite"><div>%</div></blockquote>`, ``},
		"Thunderbird": {`<div class="moz-cite-prefix">On 05.01.26 10:15, Ana wrote:</div>`, `<blockquote type="cite" cite="mid:1@x"><p>%</p></blockquote>`, ``},
		"Yahoo":       {`<div id="ydp1a2b3c4dyahoo_quoted_1" class="ydp1a2b3c4dyahoo_quoted"><div>On Monday, January 5, 2026 at 10:15 AM, Ana wrote:</div>`, `<p>%</p>`, `</div>`},
		"Outlook":     {`<div id="appendonsend"></div><div id="divRplyFwdMsg"><b>From:</b> Ana &lt;` + ourAddress + `&gt;<br><b>Sent:</b> Monday, January 5, 2026 10:15<br><b>Subject:</b> x</div>`, `<p>%</p>`, ``},
		"plain":       {``, `<p>%</p>`, ``},
	}
	for name, f := range forms {
		var b strings.Builder
		b.WriteString(f[0])
		for i, p := range paras {
			b.WriteString(strings.ReplaceAll(f[1], "%", html.EscapeString(p)))
			b.WriteString("<div>" + own[i] + "</div>")
		}
		b.WriteString(f[2])
		r := Extract(Input{HTML: b.String(), Sent: []Sent{sent}})
		if problem := check(r, own, "interleaved"); problem != "" {
			t.Errorf("%s: %s\n%s", name, problem, r.Text)
		}
		for i, p := range r.Pairs {
			if p.Quoted != paras[i] && !strings.HasSuffix(p.Quoted, paras[i]) {
				t.Errorf("%s: pair %d quotes %q", name, i, p.Quoted)
			}
		}
	}
}
