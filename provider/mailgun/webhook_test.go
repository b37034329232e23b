package mailgun

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern"
)

// eventBody puts a signature on event-data.
func eventBody(key string, at time.Time, data string) []byte {
	ts, sig := sign(key, at, testToken)
	return fmt.Appendf(nil, `{"signature":{"timestamp":"%s","token":"%s","signature":"%s"},"event-data":%s}`, ts, testToken, sig, data)
}

// Every shape of event-data in testdata/event, and what is read from it.
func TestEvents(t *testing.T) {
	files, err := filepath.Glob("testdata/event/*.json")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	c := newClient(t, nil)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			body := eventBody(testKey, now(), string(data))
			e, token, digest, err := c.Event(body)
			if err != nil || token != testToken || len(digest) != 32 {
				t.Fatalf("token %q, digest %x, error %v", token, digest, err)
			}
			if again, err := c.DecodeEvent(body); again != e || err != nil {
				t.Errorf("decoded again: %+v, %v", again, err)
			}
			golden(t, strings.TrimSuffix(file, ".json")+".golden", shown(e))
		})
	}
}

// shown tells what is set, a line each.
func shown(e postern.MailEvent) []byte {
	var b bytes.Buffer
	line := func(name string, v any, unset bool) {
		if !unset {
			fmt.Fprintf(&b, "%-12s %v\n", name, v)
		}
	}
	line("kind", e.Kind, false)
	line("key", e.Key, false)
	line("at", e.At.Format(time.RFC3339Nano), e.At.IsZero())
	line("delivery", e.Delivery, e.Delivery == "")
	line("participant", uint64(e.Participant), e.Participant == 0)
	line("message", e.MessageID, e.MessageID == "")
	line("recipient", e.Recipient, e.Recipient == "")
	line("opener", e.Opener, e.Opener == "")
	line("delivered", e.DeliveredAt.Format(time.RFC3339Nano), e.DeliveredAt.IsZero())
	line("suppressed", e.Suppressed, e.Suppressed == "")
	line("code", e.Code, e.Code == "")
	line("detail", e.Detail, e.Detail == "")
	line("retry", e.RetryAfter, e.RetryAfter == 0)
	return b.Bytes()
}

const someEvent = `{"event":"delivered","id":"e1","timestamp":1793577600.5}`

func TestEventRefused(t *testing.T) {
	ts, sig := sign(testKey, now(), testToken)
	for name, test := range map[string]struct {
		body  string
		kind  postern.Kind
		cause postern.Cause
	}{
		"empty":                {"", postern.Invalid, 0},
		"no JSON":              {"a=b", postern.Invalid, 0},
		"array":                {"[]", postern.Invalid, 0},
		"two values":           {string(eventBody(testKey, now(), someEvent)) + "{}", postern.Invalid, 0},
		"cut":                  {string(eventBody(testKey, now(), someEvent)[:150]), postern.Invalid, 0},
		"no signature":         {`{"event-data":` + someEvent + `}`, postern.Denied, 0},
		"signature null":       {`{"signature":null,"event-data":` + someEvent + `}`, postern.Denied, 0},
		"signature a string":   {`{"signature":"` + sig + `","event-data":` + someEvent + `}`, postern.Denied, 0},
		"forged":               {string(eventBody("guess", now(), someEvent)), postern.Denied, 0},
		"only the parent's":    {`{"signature":{"timestamp":"` + ts + `","token":"` + testToken + `","parent-signature":"` + sig + `"},"event-data":{}}`, postern.Denied, 0},
		"no token":             {`{"signature":{"timestamp":"` + ts + `","signature":"` + sig + `"},"event-data":{}}`, postern.Denied, 0},
		"stale":                {string(eventBody(testKey, now().Add(-25*time.Hour), someEvent)), postern.Denied, postern.CauseStale},
		"future":               {string(eventBody(testKey, now().Add(time.Hour), someEvent)), postern.Denied, postern.CauseStale},
		"no event-data":        {strings.Replace(string(eventBody(testKey, now(), someEvent)), "event-data", "data", 1), postern.Invalid, 0},
		"event-data null":      {string(eventBody(testKey, now(), "null")), postern.Invalid, 0},
		"event-data an array":  {string(eventBody(testKey, now(), "[]")), postern.Invalid, 0},
		"event-data a string":  {string(eventBody(testKey, now(), `"{}"`)), postern.Invalid, 0},
		"deep":                 {string(eventBody(testKey, now(), strings.Repeat("[", 20000)+strings.Repeat("]", 20000))), postern.Invalid, 0},
		"larger than we allow": {string(eventBody(testKey, now(), `{"x":"`+strings.Repeat("x", maxEvent)+`"}`)), postern.Invalid, postern.CauseTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, err := newClient(t, nil).Event([]byte(test.body))
			wantKind(t, err, test.kind, test.cause)
		})
	}
}

func TestEventTimestampAsNumber(t *testing.T) {
	ts, sig := sign(oldKey, now().Add(-8*time.Hour), testToken)
	body := fmt.Sprintf(`{"signature":{"timestamp":%s,"token":"%s","signature":"%s","parent-signature":"00"},"event-data":%s}`, ts, testToken, strings.ToUpper(sig), someEvent)
	e, _, _, err := newClient(t, nil).Event([]byte(body))
	if err != nil || e.Kind != postern.MailDelivered {
		t.Errorf("%+v, %v", e, err)
	}
}

// A repetition may name its members in another order; another content is another digest.
func TestEventDigest(t *testing.T) {
	c := newClient(t, nil)
	digest := func(data string) string {
		_, _, d, err := c.Event(eventBody(testKey, now(), data))
		if err != nil {
			t.Fatal(err)
		}
		return string(d)
	}
	first := digest(`{"id":"e1","event":"opened","a":{"x":[1,2],"y":null}}`)
	if digest("{ \"a\" : {\"y\":null, \"x\":[1,2]},\n\"event\":\"opened\",\"id\":\"e\\u0031\"}") != first {
		t.Error("another order is another event")
	}
	for _, other := range []string{
		`{"id":"e1","event":"opened","a":{"x":[2,1],"y":null}}`,
		`{"id":"e1","event":"opened","a":{"x":[1,2]}}`,
		`{"id":"e1","event":"clicked","a":{"x":[1,2],"y":null}}`,
	} {
		if digest(other) == first {
			t.Errorf("%s is the same event", other)
		}
	}
}

// An event's id is unique for a day, so its time belongs to the key.
func TestEventKey(t *testing.T) {
	key := func(data string) string {
		e, err := newClient(t, nil).DecodeEvent(eventBody(testKey, now(), data))
		if err != nil {
			t.Fatal(err)
		}
		return e.Key
	}
	first := key(`{"event":"opened","id":"e1","timestamp":1793577600.5}`)
	if key(`{"event":"opened","id":"e1","timestamp":"1793577600.500000"}`) != first {
		t.Error("the same time written otherwise is another event")
	}
	for _, other := range []string{
		`{"event":"opened","id":"e1","timestamp":1793664000.5}`, `{"event":"opened","id":"e2","timestamp":1793577600.5}`,
		`{"event":"opened","timestamp":1793577600.5}`, `{"event":"opened","timestamp":1793577600.6}`,
	} {
		if key(other) == first {
			t.Errorf("%s has the same key", other)
		}
	}
	if key(`{"event":"opened","timestamp":1}`) == key(`{"event":"opened","timestamp":2}`) {
		t.Error("without ids different events have the same key")
	}
}

func FuzzEvent(f *testing.F) {
	files, _ := filepath.Glob("testdata/event/*.json")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	c := newClient(f, nil)
	f.Fuzz(func(t *testing.T, data []byte) {
		body := eventBody(testKey, now(), string(data))
		e, token, digest, err := c.Event(body)
		if err != nil {
			if k := postern.KindOf(err); k != postern.Invalid && k != postern.Denied {
				t.Fatal(err)
			}
			return
		}
		again, err := c.DecodeEvent(body)
		if err != nil || again != e {
			t.Fatalf("%+v, then %+v, %v", e, again, err)
		}
		if len(digest) != 32 || token == "" || e.Key == "" || len(e.Key) > 300 {
			t.Fatalf("token %q, key %q", token, e.Key)
		}
		for _, s := range []string{string(e.Delivery), e.MessageID, e.Recipient, e.Code, e.Detail, e.Key} {
			if strings.ContainsAny(s, "\x00\r\n") || len(s) > 1100 || !json.Valid(mustJSON(t, s)) {
				t.Fatalf("unclean %q", s)
			}
		}
	})
}

func mustJSON(t *testing.T, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func BenchmarkEvent(b *testing.B) {
	data, err := os.ReadFile("testdata/event/delivered.json")
	if err != nil {
		b.Fatal(err)
	}
	c, body := newClient(b, nil), eventBody(testKey, now(), string(data))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, err := c.Event(body); err != nil {
			b.Fatal(err)
		}
	}
}
