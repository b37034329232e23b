package conformance

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	mailgunsdk "github.com/mailgun/mailgun-go/v5"
	"github.com/postern-chat/postern/sandbox/mailgun"
)

// watched is a transport that knows which method of the SDK made a request: the outermost one on the stack.
type watched struct {
	mu   sync.Mutex
	seen map[string]bool // Client.Send, BouncesIterator.Next
}

const sdkPath = "github.com/mailgun/mailgun-go/v5."

func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	name := ""
	for {
		f, more := frames.Next()
		if rest, ours := strings.CutPrefix(f.Function, sdkPath+"(*"); ours {
			name = strings.Replace(rest, ").", ".", 1)
		}
		if !more {
			break
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && resp.StatusCode < 300 {
		w.mu.Lock()
		w.seen[name] = true
		w.mu.Unlock()
	}
	return resp, err
}

// made says whether a method of the interface was called with success, for lists: whether they were read.
func (w *watched) made(m reflect.Method) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen["Client."+m.Name] {
		return true
	}
	out := m.Type.Out(0)
	if out.Kind() != reflect.Pointer {
		return false
	}
	name := out.Elem().Name()
	return w.seen[name+".Next"] || w.seen[name+".Poll"]
}

// byURL are the methods that take a whole URL instead of making one, and Send, which wants a message.
var byURL = []string{"Send", "ReSend", "GetStoredMessage", "GetStoredMessageRaw", "GetStoredAttachment"}

// noRequest are methods that ask nobody.
var noRequest = []string{"APIBase", "APIKey", "AddOverrideHeader", "HTTPClient", "RemoveOnBehalfOfSubaccount", "SetAPIBase", "SetHTTPClient",
	"SetOnBehalfOfSubaccount", "VerifyWebhookSignature"}

// wants are endpoints of methods that check what they are given before they ask.
var wants = map[string]string{"UpdateTemplate": "PUT /v3/x/templates/x", "ListMonitoredDomains": "GET /v1/monitoring/domains"}

var errProbe = errors.New("probe")

// probe says what request a method of the SDK would make, "" if none: it is called with arguments without meaning.
func probe(m reflect.Method) (endpoint string) {
	c := mailgunsdk.NewMailgun("x")
	c.SetHTTPClient(&http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		if endpoint == "" {
			endpoint = r.Method + " " + r.URL.EscapedPath()
		}
		return nil, errProbe
	})})
	defer func() { _ = recover() }() // a method that wants more than zero values
	args := []reflect.Value{}
	for i := range m.Type.NumIn() {
		args = append(args, argument(m.Type.In(i)))
	}
	f := reflect.ValueOf(c).MethodByName(m.Name)
	if m.Type.IsVariadic() {
		args = args[:len(args)-1]
	}
	out := f.Call(args)
	if next := out[0].MethodByName("Next"); next.IsValid() && endpoint == "" {
		next.Call([]reflect.Value{argument(next.Type().In(0)), reflect.New(next.Type().In(1).Elem())})
	} else if poll := out[0].MethodByName("Poll"); poll.IsValid() && endpoint == "" {
		poll.Call([]reflect.Value{argument(poll.Type().In(0)), reflect.New(poll.Type().In(1).Elem())})
	}
	return endpoint
}

func argument(t reflect.Type) reflect.Value {
	switch {
	case t == reflect.TypeFor[context.Context]():
		return reflect.ValueOf(context.Background())
	case t.Kind() == reflect.String:
		return reflect.ValueOf("x").Convert(t)
	case t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct:
		return reflect.New(t.Elem())
	}
	return reflect.Zero(t)
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// checkSDKCalls fails for each method of the SDK whose endpoint is emulated and that no test has called.
// It gives the methods that ask for something else.
func checkSDKCalls(t *testing.T, w *watched) (left []string) {
	sdk := reflect.TypeFor[mailgunsdk.Mailgun]()
	emulated := 0
	for i := range sdk.NumMethod() {
		m := sdk.Method(i)
		asks := probe(m)
		if slices.Contains(byURL, m.Name) {
			asks = "by URL"
		}
		if asks == "" {
			asks = wants[m.Name]
		}
		method, path, _ := strings.Cut(asks, " ")
		switch {
		case asks == "": // a setter, or the check of a signature
			if !slices.Contains(noRequest, m.Name) {
				t.Errorf("%s made no request: does the probe still work?", m.Name)
			}
		case asks != "by URL" && Find(mailgun.Endpoints(), method, path) == "":
			left = append(left, m.Name)
			if w.made(m) {
				t.Errorf("%s succeeded, though %s is not emulated", m.Name, asks)
			}
		default:
			emulated++
			if !w.made(m) {
				t.Errorf("%s asks %s, which is emulated, but no test called it with success", m.Name, asks)
			}
		}
	}
	t.Logf("%d of the SDK's %d methods ask for what is emulated, %d for something else", emulated, sdk.NumMethod(), len(left))
	if emulated < 40 {
		t.Errorf("only %d methods were found: does the probe still work?", emulated)
	}
	return left
}
