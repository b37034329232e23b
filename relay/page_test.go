package relay

import (
	"html/template"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// byTemplate is page as html/template would write it, which knows what may stand where.
var byTemplate = template.Must(template.New("mail").Parse(`<!doctype html>
<html lang="{{.Lang}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"></head>
<body style="margin:0;padding:16px;font:16px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif">
<div style="max-width:640px">
{{range .Paragraphs}}{{if .Who}}<div style="margin-top:12px"><b>{{.Who}}</b></div>
{{end}}<div dir="auto" style="margin:4px 0 12px">{{range $i, $l := .Lines}}{{if $i}}<br>
{{end}}{{$l}}{{end}}</div>
{{end}}{{range .Links}}<div style="margin:4px 0">{{$.Words.Files}}: {{if .URL}}<a href="{{.URL}}">{{.Name}}</a>{{else}}{{.Name}} ({{.Note}}){{end}}</div>
{{end}}<div style="margin-top:24px;padding-top:8px;border-top:1px solid #8884;font-size:13px;color:#777">{{.Words.Reply}}{{if .Leave}}<br>
<a href="{{.Leave}}" style="color:#777">{{.Words.Leave}}</a>{{end}}</div>
</div></body></html>
`))

func TestPageIsWhatATemplateMakes(t *testing.T) {
	nasty := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		`"><script>alert(1)</script>`, `' onmouseover='x`, "&amp;&lt;", "a+b", "\x00", "\xff\xfe<", "`", "{{.Leave}}", "</div></body>", "%3Cscript%3E", "%zz%", "(x)", "\u2028",
	}))
	rapid.Check(t, func(t *rapid.T) {
		var ps []paragraph
		for range rapid.IntRange(0, 3).Draw(t, "paragraphs") {
			ps = append(ps, paragraph{Who: nasty.Draw(t, "who"), Lines: rapid.SliceOfN(nasty, 1, 3).Draw(t, "lines")})
		}
		var links []shownLink
		for range rapid.IntRange(0, 2).Draw(t, "links") {
			l := shownLink{Name: nasty.Draw(t, "name"), Note: "see the chat"}
			if rapid.Bool().Draw(t, "with an address") {
				l.URL = "https://cloud.example/" + nasty.Draw(t, "url")
			}
			links = append(links, l)
		}
		leave := rapid.SampledFrom([]string{"", "https://postern.example/u/word", `http://a.example/"><b>`}).Draw(t, "leave")
		lang := rapid.IntRange(0, len(wordings)-1).Draw(t, "language")
		var want strings.Builder
		err := byTemplate.Execute(&want, map[string]any{"Paragraphs": ps, "Links": links, "Words": wordings[lang], "Leave": leave, "Lang": languages[lang].String()})
		if err != nil {
			t.Fatal(err)
		}
		if got := page(ps, links, wordings[lang], leave, languages[lang].String()); got != want.String() {
			t.Fatalf("%s\n\nwant\n%s", got, want.String())
		}
	})
}

func BenchmarkRender(b *testing.B) {
	r := &Rules{Config: Config{PublicURL: "https://postern.example"}}
	c := content{messages: []wanted{from("ana", "Ana", "Is the bike still for sale?\nI could come on Saturday.")}, locale: "de-AT", Leave: "https://postern.example/u/word"}
	b.ReportAllocs()
	for b.Loop() {
		c.render(r, "delivery")
	}
}
