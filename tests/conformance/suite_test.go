package conformance

import "testing"

// TestConformance runs the suites one after another: the last ones look at what the others asked.
func TestConformance(t *testing.T) {
	rec := &Recorder{}
	for _, s := range []struct {
		name string
		run  func(*testing.T, *Recorder)
	}{
		{"mailgun-go", testMailgunGo},
		{"mailgun.js", testMailgunJS},
		{"sendbird-platform-sdk", testSendbirdJS},
		{"postern sendbird", testPosternChat},
		{"postern mailgun", testPosternMail},
		{"payloads", testPayloads},
		{"openapi", testOpenAPI},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t, rec) })
	}
}
