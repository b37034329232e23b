package conformance

import "testing"

// TestConformance runs the suites one after another: the last ones look at what the others asked.
func TestConformance(t *testing.T) {
	rec := &Recorder{}
	t.Run("mailgun-go", func(t *testing.T) { testMailgunGo(t, rec) })
	t.Run("mailgun.js", func(t *testing.T) { testMailgunJS(t, rec) })
	t.Run("sendbird-platform-sdk", func(t *testing.T) { testSendbirdJS(t, rec) })
}
