package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-chat/postern/internal/seal"
	"github.com/postern-chat/postern/sandbox/dns"
	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/sendbird"
	"github.com/postern-chat/postern/setup/doctor"
	"github.com/postern-chat/postern/store"
)

// clinic is a world in order, with a gateway at https://gw.example.com: every case
// breaks one thing in it.
type clinic struct {
	t     *testing.T
	dns   *dns.Server
	mail  *mailgun.Server
	chat  *sendbird.Server
	env   map[string]string
	seams doctorSeams

	mailURL, chatURL string
	mailHandler      http.Handler // what answers at mailURL
	gateway          http.Handler // what answers at the public address
	ca               *authority
	serverCert       *tls.Certificate
	plain            bool // the public address speaks no TLS
	closed           bool // nobody listens there
}

const (
	clinicDomain = "mg.example.com"
	clinicHost   = "gw.example.com"
	clinicURL    = "https://" + clinicHost
)

func newClinic(t *testing.T) *clinic {
	t.Helper()
	c := &clinic{t: t, ca: newAuthority(t)}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	dir := t.TempDir()
	c.dns, err = dns.New(dns.Config{Seed: 1, Zones: []dns.Zone{{Name: "example.com", Records: []dns.Record{
		{Name: "example.com", Type: "MX", Data: "aspmx.l.google.com", Priority: 1},
		{Name: "example.com", Type: "TXT", Data: "v=spf1 include:_spf.google.com ~all"},
		{Name: "example.com", Type: "TXT", Data: "google-site-verification=abc"},
		{Name: clinicHost, Type: "A", Data: "203.0.113.10"},
	}}}})
	must(err)
	t.Cleanup(func() { _ = c.dns.Close() })
	c.mail, err = mailgun.New(mailgun.Config{
		Domains: []string{clinicDomain}, Seed: 1, Manual: true, TempDir: dir, Lookup: c.dns.Lookup,
		Publish: func(r mailgun.DNSRecord) {
			_ = c.dns.Put(dns.Record{Name: r.Name, Type: r.Type, Data: r.Value, Priority: r.Priority})
		},
	})
	must(err)
	t.Cleanup(func() { _ = c.mail.Close() })
	c.chat, err = sendbird.New(sendbird.Config{Seed: 1, TempDir: dir, Webhook: sendbird.Webhook{URL: clinicURL + "/hooks/sendbird", IncludeMembers: true}})
	must(err)
	t.Cleanup(func() { _ = c.chat.Close() })
	c.mailHandler = c.mail.Handler()
	c.mailURL = c.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.mailHandler.ServeHTTP(w, r) }))
	c.chatURL = c.serve(c.chat.Handler())
	c.configure(dir)
	c.mg("PUT", "/v4/domains/"+clinicDomain, url.Values{"dkim_key_size": {"2048"}, "spam_action": {"tag"}})
	c.mg("PUT", "/v3/domains/"+clinicDomain+"/tracking/open", url.Values{"active": {"yes"}})
	c.hooks()
	c.records()
	return c
}

// configure writes the configuration that fits, and the gateway that it describes.
func (c *clinic) configure(dir string) {
	var key [32]byte
	_, _ = rand.Read(key[:])
	secret := base64.StdEncoding.EncodeToString(key[:])
	c.env = map[string]string{
		"POSTERN_PUBLIC_URL": clinicURL, "POSTERN_SECRET": secret, "POSTERN_ADMIN_TOKEN": "clinic-admin-token-0123", "POSTERN_LISTEN": "127.0.0.1:1",
		"POSTERN_DATABASE": "sqlite:" + filepath.Join(dir, "postern.db"), "POSTERN_DATA_DIR": filepath.Join(dir, "data"),
		"POSTERN_SENDBIRD_APP_ID": c.chat.AppID(), "POSTERN_SENDBIRD_API_URL": c.chatURL + "/v3", "POSTERN_SENDBIRD_API_TOKEN": c.chat.MasterToken(),
		"POSTERN_MAILGUN_DOMAIN": clinicDomain, "POSTERN_MAILGUN_API_URL": c.mailURL, "POSTERN_MAILGUN_SENDING_KEY": "key-sandbox-sending",
		"POSTERN_MAILGUN_ACCOUNT_KEY": "key-sandbox-account", "POSTERN_MAILGUN_SIGNING_KEYS": "key-sandbox-signing",
		"POSTERN_DNS_RESOLVER": c.dns.Addr(dns.Resolver), "POSTERN_DNS_SERVERS": c.dns.Addr(dns.NS1) + "," + c.dns.Addr(dns.NS2),
		"POSTERN_DNS_HOST": "cloudflare", "POSTERN_DNS_CLOUDFLARE_TOKEN": c.dns.CloudflareToken(),
		"POSTERN_DNS_CLOUDFLARE_API_URL": c.serve(c.dns.Handler()) + "/client/v4",
	}
	c.gateway = fakeGateway(c.t, secret)
	c.serverCert = c.ca.issue(c.t, time.Now().Add(80*24*time.Hour), clinicHost)
	c.seams.public = doctor.Public{Roots: c.ca.pool, SmallBody: 1200 << 10, LargeBody: 3 << 20, Dial: c.dial}
	// Written in earnest, but how fast this machine's disk is now is not what is tested.
	c.seams.disk.Sync = func(dir string) (time.Duration, error) {
		f, err := os.CreateTemp(dir, ".clinic-*")
		if err == nil {
			err = errors.Join(f.Close(), os.Remove(f.Name()))
		}
		return time.Millisecond, err
	}
	c.seams.glance = func(ctx context.Context, cfg *Config) (store.Glance, error) {
		g, err := store.Look(ctx, string(cfg.Database), 100)
		g.Commit = min(g.Commit, time.Millisecond)
		return g, err
	}
}

// fakeGateway answers the doctor, and refuses to be asked for webhooks as the true one does.
func fakeGateway(t *testing.T, secret string) http.Handler {
	keys, err := seal.Parse(secret)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(doctor.Path, doctor.Responder(keys, time.Now))
	for _, p := range []string{"/hooks/sendbird", "/hooks/mailgun/inbound/mime", "/hooks/mailgun/inbound", "/hooks/mailgun/events"} {
		mux.HandleFunc("POST "+p, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	}
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	return mux
}

func (c *clinic) serve(h http.Handler) string {
	s := httptest.NewServer(h)
	c.t.Cleanup(s.Close)
	return s.URL
}

// dial leads the public name, whatever its address, to the gateway of the case.
func (c *clinic) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if c.closed {
		addr = "127.0.0.1:1"
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
	s := httptest.NewUnstartedServer(c.gateway)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // the doctor hangs up on purpose
	if _, port, _ := net.SplitHostPort(addr); port != "80" && !c.plain {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{*c.serverCert}}
		s.StartTLS()
	} else {
		s.Start()
	}
	c.t.Cleanup(s.Close)
	return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
}

// mg asks Mailgun as its owner.
func (c *clinic) mg(method, path string, form url.Values) string {
	c.t.Helper()
	req, err := http.NewRequest(method, c.mailURL+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("api", "key-sandbox-account")
	return c.do(req)
}

// sb asks Sendbird as its owner.
func (c *clinic) sb(method, path string, in any) string {
	c.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		c.t.Fatal(err)
	}
	req, err := http.NewRequest(method, c.chatURL+"/v3"+path, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Api-Token", c.chat.MasterToken())
	return c.do(req)
}

func (c *clinic) do(req *http.Request) string {
	c.t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		c.t.Fatalf("%s %s: %s: %s, %v", req.Method, req.URL, resp.Status, b, err)
	}
	return string(b)
}

// hooks are route and webhooks as they should be.
func (c *clinic) hooks() {
	c.mail.AddWebhook(clinicDomain, clinicURL+"/hooks/mailgun/events")
	c.route(0, `match_recipient("`+replyPattern+`@mg\.example\.com")`, `forward("`+clinicURL+`/hooks/mailgun/inbound/mime")`, "stop()")
}

func (c *clinic) route(priority int, expression string, actions ...string) {
	c.t.Helper()
	if _, err := c.mail.AddRoute(priority, expression, actions...); err != nil {
		c.t.Fatal(err)
	}
}

// noRoutes takes all routes away.
func (c *clinic) noRoutes() {
	var list struct{ Items []struct{ ID string } }
	if err := json.Unmarshal([]byte(c.mg("GET", "/v3/routes", nil)), &list); err != nil {
		c.t.Fatal(err)
	}
	for _, r := range list.Items {
		c.mg("DELETE", "/v3/routes/"+r.ID, nil)
	}
}

// records puts what the domain needs into the zone.
func (c *clinic) records() {
	for _, r := range c.mail.DNSRecords(clinicDomain) {
		c.put(r.Type, r.Name, r.Value, r.Priority)
	}
	c.put("TXT", "_dmarc."+clinicDomain, "v=DMARC1; p=none", 0)
}

func (c *clinic) put(kind, name, data string, priority ...int) {
	c.t.Helper()
	r := dns.Record{Name: name, Type: kind, Data: data}
	if len(priority) > 0 {
		r.Priority = priority[0]
	}
	if err := c.dns.Put(r); err != nil {
		c.t.Fatal(err)
	}
}

// swap puts a record in the place of all of its type and name.
func (c *clinic) swap(kind, name, data string) {
	c.t.Helper()
	c.dns.Drop(name, kind)
	c.put(kind, name, data)
}

// wanted is the value of a record that Mailgun wants, and its name.
func (c *clinic) wanted(kind, part string) (name, value string) {
	c.t.Helper()
	for _, r := range c.mail.DNSRecords(clinicDomain) {
		if r.Type == kind && strings.Contains(r.Name, part) {
			return r.Name, r.Value
		}
	}
	c.t.Fatalf("no %s with %q is wanted", kind, part)
	return "", ""
}

// says changes what Mailgun answers at a path.
func (c *clinic) says(path string, edit func(map[string]any)) {
	next := c.mailHandler
	c.mailHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path || r.Method != http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		var v map[string]any
		if rec.Code == http.StatusOK && json.Unmarshal(rec.Body.Bytes(), &v) == nil {
			edit(v)
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(v)
			return
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	})
}

func (c *clinic) environ() []string {
	var all []string
	for k, v := range c.env {
		if v != "" {
			all = append(all, k+"="+v)
		}
	}
	slices.Sort(all)
	return all
}

// report is what `postern doctor --json` prints.
type report struct {
	Verdict  string
	Status   int
	Findings []struct{ Code, Health, Title, Evidence, Remedy string }
}

// problems are the codes of what is wrong, sorted, once each.
func (r report) problems() []string {
	codes := []string{}
	for _, f := range r.Findings {
		if (f.Health == "warning" || f.Health == "failure") && !slices.Contains(codes, f.Code) {
			codes = append(codes, f.Code)
		}
	}
	slices.Sort(codes)
	return codes
}

// examine runs the doctor in this process.
func (c *clinic) examine(args ...string) (r report, text string, status int) {
	c.t.Helper()
	var out bytes.Buffer
	a := &app{ctx: c.t.Context(), stdout: &out, stderr: io.Discard, environ: c.environ()}
	err := (&doctorCmd{JSON: true}).run(a, c.seams)
	if s, ok := err.(exitStatus); ok { //nolint:errorlint // it is never wrapped
		status = int(s)
	} else if err != nil {
		c.t.Fatal(err)
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		c.t.Fatalf("%v: %s", err, &out)
	}
	return r, out.String(), status
}

// authority makes certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	in := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Clinic CA"}, NotBefore: time.Now().Add(-48 * time.Hour),
		NotAfter: time.Now().Add(1000 * time.Hour * 24), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, in, in, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, pool: x509.NewCertPool()}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) issue(t *testing.T, until time.Time, names ...string) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	in := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, NotBefore: until.Add(-90 * 24 * time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, in, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
