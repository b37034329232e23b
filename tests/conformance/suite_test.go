package conformance

import "testing"

// TestConformance runs the suites one after another: the last ones look at what the others asked.
func TestConformance(t *testing.T) {
	rec := &Recorder{}
	var left []LeftOut
	suites := []struct {
		name string
		run  func(*testing.T)
	}{
		{"mailgun-go", func(t *testing.T) { left = append(left, LeftOut{MailgunGo, testMailgunGo(t, rec)}) }},
		{"mailgun.js", func(t *testing.T) { left = append(left, LeftOut{MailgunJS, testMailgunJS(t, rec)}) }},
		{"sendbird-platform-sdk", func(t *testing.T) { left = append(left, LeftOut{SendbirdJS, testSendbirdJS(t, rec)}) }},
		{"postern sendbird", func(t *testing.T) { testPosternChat(t, rec) }},
		{"postern mailgun", func(t *testing.T) { testPosternMail(t, rec) }},
		{"payloads", func(t *testing.T) { testPayloads(t, rec) }},
		{"libdns", func(t *testing.T) { testLibdns(t, rec) }},
		{"plain", func(t *testing.T) { testPlain(t, rec) }},
		{"openapi", func(t *testing.T) { testOpenAPI(t, rec) }},
	}
	passed := true
	for _, s := range suites {
		passed = t.Run(s.name, s.run) && passed
	}
	if passed {
		t.Run("everything", func(t *testing.T) { testEverything(t, rec) })
		t.Run("document", func(t *testing.T) { testDocument(t, rec, left) })
	}
}
