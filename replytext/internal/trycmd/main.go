// Command trycmd prints the reply in a raw message, for tools/score-replies.
package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"os"
	"strings"

	"golang.org/x/net/html/charset"

	"github.com/postern-chat/postern/replytext"
)

func main() {
	raw, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	r := replytext.Extract(read(raw))
	fmt.Println(r.Text)
	if len(os.Args) > 1 {
		for _, c := range r.Cuts {
			fmt.Printf("CUT %s %q %.2f: %q\n", c.Kind, c.Reason, c.Strength, clip(r.Full[c.Start:c.End]))
		}
		fmt.Printf("CONF %.2f certain=%v pairs=%d fwd=%v src=%s\n", r.Confidence, r.Certain, len(r.Pairs), r.Forward != nil, r.Source)
		if len(os.Args) > 2 {
			fmt.Println("FULL:", r.Full)
		}
	}
}

func clip(s string) string {
	if len(s) > 160 {
		return s[:80] + " ... " + s[len(s)-80:]
	}
	return s
}

func read(raw []byte) replytext.Input {
	raw = bytes.TrimLeft(raw, "\r\n\t ")
	if bytes.HasPrefix(raw, []byte("From ")) {
		if i := bytes.IndexByte(raw, '\n'); i >= 0 {
			raw = raw[i+1:]
		}
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return replytext.Input{Text: string(raw)}
	}
	in := replytext.Input{Subject: m.Header.Get("Subject"), Markdown: true}
	part(&in, textproto.MIMEHeader(m.Header), m.Body)
	return in
}

func part(in *replytext.Input, h textproto.MIMEHeader, body io.Reader) {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		kind = "text/plain"
	}
	if strings.HasPrefix(kind, "multipart/") {
		all, _ := io.ReadAll(body)
		if !bytes.Contains(all, []byte("--"+params["boundary"])) {
			in.Text = string(all)
			return
		}
		mr := multipart.NewReader(bytes.NewReader(all), params["boundary"])
		for {
			p, err := mr.NextRawPart()
			if err != nil {
				return
			}
			part(in, p.Header, p)
		}
	}
	if strings.HasPrefix(strings.ToLower(h.Get("Content-Disposition")), "attachment") {
		return
	}
	switch strings.ToLower(h.Get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	b, _ := io.ReadAll(body)
	if cs := params["charset"]; cs != "" {
		if r, err := charset.NewReaderLabel(cs, bytes.NewReader(b)); err == nil {
			b, _ = io.ReadAll(r)
		}
	}
	switch {
	case kind == "text/html" && in.HTML == "":
		in.HTML = string(b)
	case kind == "text/plain" && in.Text == "":
		in.Text = string(b)
	}
}
