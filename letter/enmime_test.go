package letter

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/jhillyerd/enmime/v2"
)

// TestBesideEnmime counts over the malformed mails and the corpus in how many the words are found, by this package and by
// enmime behind no clean-up. It fails if enmime finds a body that we do not.
func TestBesideEnmime(t *testing.T) {
	ours, theirs, failed, errs := 0, 0, 0, 0
	for _, c := range nasty() {
		m := mustRead(t, []byte(c.raw))
		found := strings.Contains(m.Text, c.text) && strings.Contains(m.HTML, c.html)
		text, html, err := enmimeBody([]byte(c.raw))
		other := err == nil && strings.Contains(text, c.text) && strings.Contains(html, c.html)
		if found {
			ours++
		}
		if other {
			theirs++
		} else {
			t.Logf("enmime misses %q: %v", c.name, err)
		}
		if err != nil {
			failed++
		}
	}
	t.Logf("malformed: %d mails, words found by letter %d, enmime %d (errors %d)", len(nasty()), ours, theirs, failed)

	ours, theirs = 0, 0
	for _, c := range charsetCases() {
		raw := "From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: text/plain"
		if c.declared != "" {
			raw += "; charset=" + c.declared
		}
		body := base64.StdEncoding.EncodeToString(encode(t, c.enc, c.text))
		mail := []byte(raw + "\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body + "\r\n")
		if mustRead(t, mail).Text == c.text {
			ours++
		}
		if text, _, err := enmimeBody(mail); err == nil && strings.TrimSpace(text) == c.text {
			theirs++
		}
	}
	t.Logf("charsets: %d texts, right by letter %d, enmime %d", len(charsetCases()), ours, theirs)

	n, missing, broken, asText := 0, 0, 0, 0
	for path, raw := range corpusMails(t) {
		n++
		text, html, err := enmimeBody(raw)
		m := mustRead(t, raw)
		if err != nil {
			errs++
		}
		if strings.TrimSpace(text+html) == "" {
			missing++
		}
		if strings.Contains(text+html, "\ufffd") {
			broken++
		}
		if strings.Contains(strings.ToLower(text), "content-type: ") || len(m.Problems) > 0 {
			asText++ // it took header or boundaries for text
			continue
		}
		if missed := missedWords(text, m.Text+"\n"+roughText(m.HTML)); len(missed) > 0 {
			t.Errorf("%s: enmime's text has words that ours has not: %.10q", path, missed)
		}
		if html != "" && m.HTML == "" {
			t.Errorf("%s: enmime has HTML, we have not", path)
		}
	}
	t.Logf("corpus: %d mails; enmime: %d errors, %d without a body, %d with broken characters, %d with header or boundaries as text; letter: see TestCorpus", n, errs, missing, broken, asText)
}

func enmimeBody(raw []byte) (text, html string, err error) {
	env, err := enmime.ReadEnvelope(bytes.NewReader(raw))
	if err != nil {
		return "", "", err
	}
	return strings.ReplaceAll(env.Text, "\r\n", "\n"), env.HTML, nil
}

func missedWords(text, ours string) (missed []string) {
	have := map[string]bool{}
	for w := range wordsOf(ours) {
		have[w] = true
	}
	for w := range wordsOf(text) {
		if !have[w] {
			missed = append(missed, w)
		}
	}
	return missed
}
