package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// The values of Config.Mode.
const (
	ModeOff   = "off"   // plain HTTP: loopback, or behind a proxy that speaks HTTPS
	ModeFiles = "files" // certificate and key from files, read anew when they change
	ModeACME  = "acme"  // obtained and renewed by ourselves (RFC 8555)
)

// Config says how to be reached.
type Config struct {
	Mode              string
	CertFile, KeyFile string // ModeFiles

	// ModeACME.
	Names   []string // host names of the certificate
	Email   string   // where the authority writes to when something is wrong; may be empty
	CA      string   // directory URL; "" = Let's Encrypt
	CARoots string   // PEM file: whom to trust as that authority; "" = the system's
	Storage string   // folder for keys and certificates; replicas share it
	// HTTPListen answers HTTP-01 challenges and sends everybody else to https; "" =
	// TLS-ALPN-01 on our own port only, which then has to be reachable as 443.
	HTTPListen string

	// TrustedProxies are the addresses from which X-Forwarded-For is believed.
	TrustedProxies []string

	Now    func() time.Time
	Logger *slog.Logger
}

// Front is the way in. Its methods are safe for concurrent use.
type Front struct {
	cfg     Config
	log     *slog.Logger
	proxies []netip.Prefix
	refused refusals
	files   *files
	acme    *acme
}

// New checks the configuration. It asks nobody and opens no port.
func New(cfg Config) (*Front, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	f := &Front{cfg: cfg, log: cfg.Logger, refused: refusals{now: cfg.Now}}
	var err error
	if f.proxies, err = prefixes(cfg.TrustedProxies); err != nil {
		return nil, err
	}
	switch cfg.Mode {
	case "", ModeOff:
	case ModeFiles:
		f.files, err = newFiles(cfg)
	case ModeACME:
		f.acme, err = newACME(cfg)
	default:
		err = fmt.Errorf("listen: no mode %q", cfg.Mode)
	}
	return f, err
}

// Listen opens the port. With certificates, connections are TLS.
func (f *Front) Listen(ctx context.Context, address string) (net.Listener, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	switch {
	case f.files != nil:
		return tls.NewListener(ln, f.files.config()), nil
	case f.acme != nil:
		return tls.NewListener(ln, f.acme.config(ln.Addr())), nil
	}
	return ln, nil
}

// Run does what certificates need until ctx ends: answer challenges, renew. Call it
// after Listen. Without ACME it just waits.
func (f *Front) Run(ctx context.Context) error {
	if f.acme == nil {
		<-ctx.Done()
		return nil
	}
	return f.acme.run(ctx)
}

// redirect sends everybody to the same address over https.
func redirect(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	w.Header().Set("Connection", "close")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "use https", http.StatusForbidden) // a secret may have been sent already: do not invite its repetition
		return
	}
	http.Redirect(w, r, "https://"+host+r.URL.RequestURI(), http.StatusPermanentRedirect)
}

// serveUntil serves until ctx ends.
func serveUntil(ctx context.Context, srv *http.Server, ln net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
