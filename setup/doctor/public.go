package doctor

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/seal"
)

// Public are the checks of the address at which the world reaches the gateway.
type Public struct {
	URL    string // public_url
	Listen string // where the gateway listens on this machine, host:port; "" = not known
	Keys   *seal.Keys
	// Hooks are paths that the services post to; a GET of them is answered 405 by us.
	Hooks []string
	// Services are the addresses of the services' APIs: if all are loopback, the gateway
	// may be so too.
	Services []string
	// Bodies are the lengths of the self-test: what every proxy has to let through, and
	// what large mail needs. Defaults 1.2 MB and 28 MB.
	SmallBody, LargeBody int64
	// Resolve gives a name's addresses as the world sees them; default the system's.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Dial, Roots and Now are for trying it without a world: defaults are the system's.
	Dial  func(ctx context.Context, network, addr string) (net.Conn, error)
	Roots *x509.CertPool
	Now   func() time.Time
}

// Mailgun takes mails of 25 MB and posts them percent-encoded, a tenth longer.
const (
	smallBody = 1200 << 10
	largeBody = 28 << 20
)

// Checks gives the checks of the public address.
func (p Public) Checks() []Check {
	if p.SmallBody == 0 {
		p.SmallBody, p.LargeBody = smallBody, largeBody
	}
	if p.Resolve == nil {
		p.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if p.Dial == nil {
		p.Dial = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	u, err := url.Parse(p.URL)
	if err != nil || u.Host == "" {
		return []Check{{Subject: "URL", Ask: func(context.Context) []postern.Finding {
			return []postern.Finding{Skip("URL", "public_url is not set")}
		}}}
	}
	v := &visitor{Public: p, url: u}
	return []Check{
		{Subject: "URL", Ask: v.address},
		{Subject: "URL-TLS", Ask: v.certificate},
		{Subject: "URL-GATEWAY", Ask: v.gateway},
		{Subject: "URL-BODY", Ask: v.bodies},
	}
}

type visitor struct {
	Public
	url *url.URL
}

// address looks at the address itself and at where it leads.
func (v *visitor) address(ctx context.Context) []postern.Finding {
	host := v.url.Hostname()
	var out []postern.Finding
	local := isLocal(host)
	neighbours := v.neighbours()
	if v.url.Scheme != "https" && !(local && neighbours) {
		out = append(out, mend(Found("URL-HTTP", "public_url is %s", v.URL), "Set public_url to https://%s and let a proxy, or tls.mode = \"acme\", hold the certificate.", host))
	}
	if v.url.Port() != "" && v.url.Port() != "443" && !local {
		out = append(out, mend(Found("URL-PORT", "public_url is %s", v.URL), "Let port 443 lead to the gateway and set public_url to https://%s.", host))
	}
	addrs, err := v.addresses(ctx, host)
	switch {
	case err != nil || len(addrs) == 0:
		return append(out, mend(Found("URL-HOST", "%s has no address%s", host, because(err)), "Make an A or AAAA record %s that names the machine, or its proxy, then run doctor again.", host))
	case neighbours && slices.ContainsFunc(addrs, netip.Addr.IsLoopback):
		return append(out, OK("URL", "%s is this machine, and so are the services", v.URL))
	}
	if i := slices.IndexFunc(addrs, inside); i >= 0 {
		return append(out, Found("URL-INSIDE", "%s leads to %s, which the world cannot reach", host, addrs[i]))
	}
	if len(out) > 0 {
		return out
	}
	return []postern.Finding{OK("URL", "%s leads to %s", host, join(addrs))}
}

func (v *visitor) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	if host == "localhost" {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
	}
	return v.Resolve(ctx, host)
}

// neighbours tells whether all services are on this machine.
func (v *visitor) neighbours() bool {
	for _, s := range v.Services {
		if u, err := url.Parse(s); err != nil || !isLocal(u.Hostname()) {
			return false
		}
	}
	return len(v.Services) > 0
}

func isLocal(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// inside tells an address that is not one of the world's.
func inside(a netip.Addr) bool {
	a = a.Unmap()
	shared := netip.MustParsePrefix("100.64.0.0/10") // RFC 6598
	return !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLinkLocalUnicast() || shared.Contains(a)
}

func join[T fmt.Stringer](list []T) string {
	words := make([]string, len(list))
	for i, x := range list {
		words[i] = x.String()
	}
	return strings.Join(words, ", ")
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + plain(err)
}

// plain is an error's text without the URL that net/http puts before it.
func plain(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return err.Error()
}

// client makes requests as a service would: no redirect is followed, as none of them
// follows one with a POST.
func (v *visitor) client(insecure bool) *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: v.Dial, DisableKeepAlives: true, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: 20 * time.Second,
			// The certificate has a check of its own; the others see past it.
			TLSClientConfig: &tls.Config{RootCAs: v.Roots, InsecureSkipVerify: insecure, Time: v.Now}, //nolint:gosec // see above
		},
	}
}

// gateway asks whether it is this gateway that the world finds at the public address.
func (v *visitor) gateway(ctx context.Context) []postern.Finding {
	nonce := seal.NewID(v.Now())
	a, err := v.get(ctx, v.URL+Path+nonce)
	if err != nil {
		return []postern.Finding{v.unreachable(ctx, err)}
	}
	word, ok := v.Keys.OpenText(purposeAnswer, a.body)
	switch {
	case a.status == http.StatusOK && ok && word == nonce:
	case a.status == http.StatusOK && strings.HasPrefix(a.body, nonce+"."):
		return []postern.Finding{Found("URL-SECRET", "a Postern answers at %s, but it signs with another secret", v.URL)}
	case a.status/100 == 3:
		return []postern.Finding{mend(Found("URL-REDIRECT", "%s answers %d and sends the caller to %s", v.URL, a.status, a.location), "Set public_url to the address that answers without a redirect, and run setup again so that the services post there.")}
	case a.status == http.StatusBadGateway || a.status == http.StatusServiceUnavailable || a.status == http.StatusGatewayTimeout:
		return []postern.Finding{Found("URL-DOWN", "%s answers %d%s", v.URL, a.status, v.listening(ctx))}
	default:
		return []postern.Finding{Found("URL-OTHER", "%s answers %d%s to a question that only this gateway can answer%s", v.URL, a.status, a.server(), v.listening(ctx))}
	}
	if f := v.paths(ctx); len(f) > 0 {
		return f
	}
	return []postern.Finding{OK("URL-GATEWAY", "this gateway answers at %s, and on the %d addresses of its webhooks", v.URL, len(v.Hooks))}
}

// unreachable says why there was no answer at all.
func (v *visitor) unreachable(ctx context.Context, err error) postern.Finding {
	if ctx.Err() != nil {
		return Found("URL-SILENT", "no answer from %s in time%s", v.URL, v.listening(ctx))
	}
	if isLocal(v.url.Hostname()) {
		return mend(Found("URL-DOWN", "nothing answers at %s: %s", v.URL, plain(err)), "Start the gateway: postern serve.")
	}
	return Found("URL-SILENT", "no answer from %s: %s%s", v.URL, plain(err), v.listening(ctx))
}

// listening tells whether the gateway runs on this machine, where that can be told.
func (v *visitor) listening(ctx context.Context) string {
	if v.Listen == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	host, port, err := net.SplitHostPort(v.Listen)
	if err != nil {
		return ""
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return "; on this machine nothing listens at " + v.Listen + " either"
	}
	_ = conn.Close()
	return "; on this machine something does listen at " + v.Listen
}

// paths asks whether a proxy lets the addresses of the webhooks through.
func (v *visitor) paths(ctx context.Context) []postern.Finding {
	var lost []string
	for _, path := range v.Hooks {
		a, err := v.get(ctx, v.URL+path)
		switch {
		case err != nil:
			lost = append(lost, path+" ("+plain(err)+")")
		case a.status != http.StatusMethodNotAllowed:
			lost = append(lost, fmt.Sprintf("%s (%d)", path, a.status))
		}
	}
	if len(lost) == 0 {
		return nil
	}
	return []postern.Finding{mend(Found("URL-PATHS", "%s reaches this gateway, but these addresses do not: %s", v.URL, strings.Join(lost, ", ")),
		"Let the proxy forward everything below /hooks/ to %s, with the path as it is.", or(v.Listen, "the gateway"))}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// answered is an answer, read as far as it may be needed.
type answered struct {
	status         int
	body, location string
	header         http.Header
}

func (a answered) server() string {
	if s := a.header.Get("Server"); s != "" {
		return " (server: " + s + ")"
	}
	return ""
}

func (v *visitor) get(ctx context.Context, target string) (answered, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return answered{}, err
	}
	return v.do(req)
}

func (v *visitor) do(req *http.Request) (answered, error) {
	req.Header.Set("User-Agent", "postern-doctor")
	resp, err := v.client(true).Do(req)
	if err != nil {
		return answered{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return answered{}, err
	}
	return answered{resp.StatusCode, strings.TrimSpace(string(body)), resp.Header.Get("Location"), resp.Header}, nil
}

// bodies asks whether bodies come through whole: proxies refuse, or cut, what is longer
// than they were told (nginx: 1 MB).
func (v *visitor) bodies(ctx context.Context) []postern.Finding {
	nonce := seal.NewID(v.Now())
	a, err := v.get(ctx, v.URL+Path+nonce)
	if word, ok := v.Keys.OpenText(purposeAnswer, a.body); err != nil || !ok || word != nonce {
		return []postern.Finding{Skip("URL-BODY", "it is not this gateway that answers; see URL-GATEWAY")}
	}
	for _, size := range []int64{v.SmallBody, v.LargeBody} {
		code, past := "URL-BODY-SMALL", "not even a short mail with one picture"
		if size == v.LargeBody {
			code, past = "URL-BODY-LARGE", "no mail with large files"
		}
		f, ok := v.body(ctx, code, past, size)
		if !ok {
			return []postern.Finding{f}
		}
	}
	return []postern.Finding{OK("URL-BODY", "a body of %s came through whole", megabytes(v.LargeBody))}
}

func (v *visitor) body(ctx context.Context, code, past string, size int64) (postern.Finding, bool) {
	nonce := seal.NewID(v.Now())
	want := sha256.New()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.URL+Path+nonce, io.TeeReader(&filler{left: size, seed: nonce}, want))
	if err != nil {
		return Skip("URL-BODY", "%s", plain(err)), false
	}
	req.ContentLength = size
	req.Header.Set(headerWord, admission(v.Keys, v.Now(), nonce))
	req.Header.Set("Content-Type", "application/octet-stream")
	a, err := v.do(req)
	switch {
	case err != nil && ctx.Err() != nil:
		return Skip("URL-BODY", "%s could not be sent in time: this line is too slow for the question", megabytes(size)), false
	case err != nil:
		// A proxy that refuses a body may hang up while it is still being sent.
		return mend(Found(code, "the connection broke while %s were sent: %s", megabytes(size), plain(err)), bodyRemedy, past), false
	case a.status == http.StatusRequestEntityTooLarge:
		return mend(Found(code, "%s answers 413 to a body of %s%s", v.URL, megabytes(size), a.server()), bodyRemedy, past), false
	case a.status != http.StatusOK:
		return Skip("URL-BODY", "the self-test is answered %d; see URL-GATEWAY", a.status), false
	}
	word, ok := v.Keys.OpenText(purposeAnswer, a.body)
	if !ok {
		return Skip("URL-BODY", "somebody else answers; see URL-GATEWAY"), false
	}
	if word != bodyWord(nonce, size, want.Sum(nil)) {
		return Found("URL-BODY-CHANGED", "of %s sent, something else arrived", megabytes(size)), false
	}
	return postern.Finding{}, true
}

const bodyRemedy = "Raise the proxy's limit for bodies to 40 MB (nginx: client_max_body_size 40m; Apache: LimitRequestBody 41943040); as it is, %s can come in."

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// filler is a body that does not compress away and costs no memory.
type filler struct {
	left  int64
	seed  string
	block []byte
	at    int
}

// Read implements io.Reader.
func (f *filler) Read(p []byte) (int, error) {
	if f.left <= 0 {
		return 0, io.EOF
	}
	if f.block == nil {
		sum := sha256.Sum256([]byte(f.seed))
		for len(f.block) < 32<<10 {
			f.block = append(f.block, sum[:]...)
			sum = sha256.Sum256(sum[:])
		}
	}
	n := copy(p[:min(int64(len(p)), f.left)], f.block[f.at:])
	f.at = (f.at + n) % len(f.block)
	f.left -= int64(n)
	return n, nil
}
