package sandbox

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/postern-chat/postern/sandbox/dns"
	"github.com/postern-chat/postern/sandbox/mailbox"
	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/sendbird"
)

// Config says where the gateway is and how the world behaves.
type Config struct {
	// GatewayURL is where the gateway answers, without a slash at its end. It may be
	// empty: a world without a gateway serves the tests of other programs.
	GatewayURL string
	// Seed makes ids, tokens and chances repeatable; 0 draws one.
	Seed int64
	// Host is the loopback address to listen on; default 127.0.0.1.
	Host string
	// PageAddr is where the page is served; default Host and any free port.
	PageAddr string
	// SMTPAddr is where mail is taken; default Host and any free port.
	SMTPAddr string
	// IMAPAddr is where mail is read; default Host and any free port.
	IMAPAddr string
	// Hooks are where the emulators post from the start, when there is no GatewayURL or
	// elsewhere than there. Connect says so later.
	Hooks Hooks
	// Domain is the one that mail is sent from; default mg.postern.example.
	Domain string
	// DNS is who keeps the domain's zone: "godaddy" (default), "cloudflare" or "rfc2136".
	DNS string
	// Unset leaves everything undone that somebody does to make a gateway work: Sendbird
	// posts nothing, Mailgun does not know the domain and has no routes and webhooks, and
	// the zone has none of its records. Hooks are for Connect then.
	Unset bool
	// Empty leaves out the people and the channel of the story.
	Empty  bool
	Logger *slog.Logger
}

// Hooks are the URLs that the emulators post to. An empty one is the gateway's; without
// a gateway nothing is posted there.
type Hooks struct {
	Sendbird string // every webhook of the chat
	Inbound  string // Mailgun's route for all mail to the domain; raw if it ends in /mime, else parsed
	Events   string // Mailgun's webhooks: delivered, opened, failed ...
}

// below fills in the gateway's paths.
func (h Hooks) below(gateway string) Hooks {
	if gateway == "" {
		return h
	}
	return Hooks{
		Sendbird: cmp.Or(h.Sendbird, gateway+"/hooks/sendbird"),
		Inbound:  cmp.Or(h.Inbound, gateway+"/hooks/mailgun/inbound/mime"),
		Events:   cmp.Or(h.Events, gateway+"/hooks/mailgun/events"),
	}
}

// Addresses is everything somebody needs who wants to use the world: what `postern
// sandbox --headless` prints.
type Addresses struct {
	Page        string `json:"page,omitempty"` // where a newcomer plays
	Gateway     string `json:"gateway,omitempty"`
	SendbirdAPI string `json:"sendbird_api"` // Platform API, with /v3
	Sendbird    string `json:"sendbird"`     // its control plane is at /_emulator/
	MailgunAPI  string `json:"mailgun_api"`  // without a version
	Mailgun     string `json:"mailgun"`      // its control plane is at /_emulator/
	Mailboxes   string `json:"mailboxes"`    // everybody's mail as JSON
	SMTP        string `json:"smtp"`         // host:port; whatever is mailed to a reply address arrives
	IMAP        string `json:"imap"`         // host:port; read as anybody of the cast, with any password
	AppID       string `json:"app_id"`
	APIToken    string `json:"api_token"`
	Domain      string `json:"domain"`
	SendingKey  string `json:"sending_key"`
	AccountKey  string `json:"account_key"`
	SigningKey  string `json:"signing_key"`
	AdminToken  string `json:"admin_token,omitempty"` // of the gateway
	Channel     string `json:"channel,omitempty"`     // of the story
	Seed        int64  `json:"seed"`
	DNS
	Config    string `json:"config,omitempty"`     // the file for a gateway that is still to be set up
	PeopleCSV string `json:"people_csv,omitempty"` // whom that gateway has to know
}

// defaultDomain is reserved for examples (RFC 2606): nothing of the sandbox can reach
// anybody.
const defaultDomain = "mg.postern.example"

// World is a running world. Close it.
type World struct {
	Addresses
	Chat   *sendbird.Server
	Mail   *mailgun.Server
	People *mailbox.Server
	Names  *dns.Server
	// Quiet is the gateway's quiet window, for a hint on the page: 2 s unless set
	// before ServePage.
	Quiet time.Duration
	// Kill kills the gateway, which is started again: for a button of the page. Nil: there
	// is none. To be set before ServePage.
	Kill func() error

	cfg     Config
	client  *http.Client
	page    net.Listener
	servers []*http.Server
	closers []func() error

	mu sync.Mutex // guards Channel once the page is served
}

// Start starts a world on loopback. The gateway need not answer yet.
func Start(ctx context.Context, cfg Config) (w *World, err error) {
	if cfg.Host == "" {
		cfg.Host = "127.0.0.1"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Seed == 0 {
		cfg.Seed = time.Now().UnixNano() & 0x7fffffff
	}
	if !cfg.Unset {
		cfg.Hooks = cfg.Hooks.below(cfg.GatewayURL)
	}
	w = &World{cfg: cfg, client: &http.Client{Timeout: 30 * time.Second}, Quiet: 2 * time.Second}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	w.Gateway, w.Domain, w.Seed = cfg.GatewayURL, cmp.Or(cfg.Domain, defaultDomain), cfg.Seed
	if err := w.startChat(); err != nil {
		return w, err
	}
	if err := w.startDNS(); err != nil {
		return w, err
	}
	if err := w.startMail(); err != nil {
		return w, err
	}
	if !cfg.Unset {
		if err := errors.Join(w.enterRecords(), w.Connect(cfg.Hooks)); err != nil {
			return w, err
		}
	}
	if w.page, err = w.listen(cfg.PageAddr); err != nil {
		return w, err
	}
	w.Page = "http://" + w.page.Addr().String() + "/"
	if !cfg.Empty {
		return w, w.TellStory(ctx)
	}
	return w, nil
}

func (w *World) listen(addr string) (net.Listener, error) {
	if addr == "" {
		addr = net.JoinHostPort(w.cfg.Host, "0")
	}
	return net.Listen("tcp", addr)
}

// serve serves h on its own port and tells its address.
func (w *World) serve(ln net.Listener, h http.Handler) string {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	w.servers = append(w.servers, s)
	go func() { _ = s.Serve(ln) }() // ends with Close
	return "http://" + ln.Addr().String()
}

// Connect points the emulators at whoever should hear of what happens; nothing that
// happened before is told. Each of Mailgun's hooks that is given is one more, beside
// those it has; of Sendbird's there is one. A reset of an emulator forgets them; it
// goes back to Config.Hooks at Sendbird, and to none at Mailgun.
func (w *World) Connect(h Hooks) error {
	if h.Sendbird != "" {
		w.Chat.SetWebhook(chatHook(h.Sendbird))
	}
	if h.Events != "" {
		w.Mail.AddWebhook(w.Domain, h.Events)
	}
	if h.Inbound == "" {
		return nil
	}
	_, err := w.Mail.AddRoute(0, `match_recipient(".*@`+w.Domain+`")`, `forward("`+h.Inbound+`")`, "stop()")
	return err
}

func chatHook(to string) sendbird.Webhook { return sendbird.Webhook{URL: to, IncludeMembers: true} }

func (w *World) startChat() error {
	cfg := sendbird.Config{Seed: w.cfg.Seed, Logger: w.cfg.Logger}
	if !w.cfg.Unset {
		cfg.Webhook = chatHook(w.cfg.Hooks.Sendbird) // here, so that a reset goes back to it
	}
	chat, err := sendbird.New(cfg)
	if err != nil {
		return err
	}
	w.Chat, w.closers = chat, append(w.closers, chat.Close)
	ln, err := w.listen("")
	if err != nil {
		return err
	}
	w.Sendbird = w.serve(ln, chat.Handler())
	w.SendbirdAPI, w.AppID, w.APIToken = w.Sendbird+"/v3", chat.AppID(), chat.MasterToken()
	chat.SetFilesURL(w.Sendbird)
	return nil
}

func (w *World) startMail() error {
	ln, err := w.listen("")
	if err != nil {
		return err
	}
	w.Mailgun = "http://" + ln.Addr().String()
	w.MailgunAPI = w.Mailgun
	w.SendingKey, w.AccountKey, w.SigningKey = "key-sandbox-sending", "key-sandbox-account", "key-sandbox-signing"
	domains := []string{w.Domain}
	if w.cfg.Unset {
		domains = nil
	}
	var boxes *mailbox.Server
	w.Mail, err = mailgun.New(mailgun.Config{
		Domains: domains, SendingDomain: w.Domain, Lookup: w.lookUp, Publish: w.publish, AccountKey: w.AccountKey, SendingKey: w.SendingKey, SigningKey: w.SigningKey,
		Seed: uint64(w.cfg.Seed), PublicURL: w.Mailgun, Logger: w.cfg.Logger, Timing: mailgun.Timing{Compress: 60},
		Deliver: func(ctx context.Context, from, to string, raw io.Reader) error {
			return boxes.Deliver(ctx, from, to, raw)
		},
	})
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	w.closers = append(w.closers, w.Mail.Close)
	if boxes, err = mailbox.New(mailbox.Config{Exchange: w.Mail, Logger: w.cfg.Logger, Seed: uint64(w.cfg.Seed)}); err != nil {
		return errors.Join(err, ln.Close())
	}
	w.People, w.closers = boxes, append(w.closers, boxes.Close)
	w.serve(ln, w.Mail.Handler())
	return w.startMailboxes(boxes)
}

func (w *World) startMailboxes(boxes *mailbox.Server) error {
	ln, err := w.listen("")
	if err != nil {
		return err
	}
	w.Mailboxes = w.serve(ln, boxes.Handler())
	smtp, err := w.listen(w.cfg.SMTPAddr)
	if err != nil {
		return err
	}
	w.SMTP = smtp.Addr().String()
	go func() { _ = boxes.ServeSMTP(smtp) }() // ends with Close
	imap, err := w.listen(w.cfg.IMAPAddr)
	if err != nil {
		return err
	}
	w.IMAP = imap.Addr().String()
	go func() { _ = boxes.ServeIMAP(imap) }() // ends with Close
	return nil
}

// TellStory makes the people and the channel that a newcomer finds: Ana writes in the
// chat, Bob is away and has a mailbox. It is for worlds that began Empty, because whoever
// hears of it was not there yet.
func (w *World) TellStory(ctx context.Context) error {
	for _, p := range Cast() {
		if err := w.call(ctx, http.MethodPost, "/users", map[string]any{"user_id": p.ID, "nickname": p.Name, "profile_url": ""}, nil); err != nil {
			return err
		}
		if p.Address != "" {
			w.People.Open(p.Address, p.Name)
		}
	}
	return w.openChannel(ctx)
}

// openChannel makes the channel of the story and sees who is there: Ana, and nobody else.
func (w *World) openChannel(ctx context.Context) error {
	var made struct {
		URL string `json:"channel_url"`
	}
	err := w.call(ctx, http.MethodPost, "/group_channels", map[string]any{"name": "Support", "user_ids": []string{"ana", "bob"}}, &made)
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.Channel = made.URL
	w.mu.Unlock()
	for _, p := range Cast() {
		if err := w.Chat.SetPresence(p.ID, p.ID == "ana"); err != nil {
			return err
		}
	}
	return nil
}

// Person is somebody of the story.
type Person struct{ ID, Name, Address string }

// Cast are the people of the story. Ana and Carl are at the chat or not, as the
// page says; all have a mailbox.
func Cast() []Person {
	return []Person{{"ana", "Ana", "ana@people.example"}, {"bob", "Bob", "bob@people.example"}, {"carl", "Carl", "carl@people.example"}}
}

// Introduce tells the gateway who has which address, by its API.
func (w *World) Introduce(ctx context.Context) error {
	for _, p := range Cast() {
		body, err := json.Marshal(map[string]string{"email": p.Address, "name": p.Name, "locale": "en"})
		if err != nil {
			return err
		}
		if err := w.do(ctx, http.MethodPut, w.Gateway+"/api/v1/people/"+url.PathEscape(p.ID), body, "Authorization", "Bearer "+w.AdminToken, nil); err != nil {
			return err
		}
	}
	return nil
}

// call asks the Platform API.
func (w *World) call(ctx context.Context, method, path string, in, out any) error {
	return w.json(ctx, method, w.SendbirdAPI+path, in, out)
}

// act has somebody in the chat do something, by the emulator's control plane.
func (w *World) act(ctx context.Context, method, path string, in, out any) error {
	return w.json(ctx, method, w.Sendbird+"/_emulator"+path, in, out)
}

func (w *World) json(ctx context.Context, method, to string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	return w.do(ctx, method, to, body, "Api-Token", w.APIToken, out)
}

func (w *World) do(ctx context.Context, method, to string, body []byte, header, value string, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(header, value)
	resp, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, to, resp.Status, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// Close stops the world. The gateway should be stopped before.
func (w *World) Close() error {
	var errs []error
	for _, s := range w.servers {
		errs = append(errs, s.Close())
	}
	for i := len(w.closers) - 1; i >= 0; i-- {
		errs = append(errs, w.closers[i]())
	}
	if w.page != nil {
		_ = w.page.Close() // closed with its server already, if it had one
	}
	return errors.Join(errs...)
}
