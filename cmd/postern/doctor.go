package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/internal/seal"
	"github.com/postern-chat/postern/platform/sendbird"
	"github.com/postern-chat/postern/provider/mailgun"
	"github.com/postern-chat/postern/setup"
	"github.com/postern-chat/postern/setup/doctor"
	"github.com/postern-chat/postern/setup/lookup"
	"github.com/postern-chat/postern/store"
)

type doctorCmd struct {
	JSON      bool          `help:"Print the report as JSON."`
	RoundTrip bool          `help:"Send a mail to ourselves, and time each hop. The gateway must be running."`
	Wait      time.Duration `default:"90s" help:"How long the round trip may take."`
}

// Run examines the set-up and prints what was found. The exit status is the report's.
func (cmd *doctorCmd) Run(a *app) error { return cmd.run(a, doctorSeams{}) }

// doctorSeams are what a test puts in place of the world.
type doctorSeams struct {
	public    doctor.Public // Dial, Roots, Resolve, SmallBody, LargeBody
	now       func() time.Time
	disk      doctor.Disk // Free, Sync
	glance    func(context.Context, *Config) (store.Glance, error)
	names     func(doctor.Names) doctor.Names
	otherAPI  string // of Mailgun's other region
	secureAPI *http.Client
}

func (cmd *doctorCmd) run(a *app, seams doctorSeams) error {
	report, err := cmd.examine(a, seams)
	if err != nil {
		return err
	}
	write := report.WriteText
	if cmd.JSON {
		write = report.WriteJSON
	}
	if err := write(a.stdout); err != nil {
		return err
	}
	if s := report.Status(); s != 0 {
		return exitStatus(s)
	}
	return nil
}

func (cmd *doctorCmd) examine(a *app, seams doctorSeams) (doctor.Report, error) {
	path := a.configPath()
	cfg, err := loadConfig(path, a.environ)
	if err != nil {
		return doctor.Unreadable(strings.Split(err.Error(), "\n")), nil
	}
	x := &examination{a: a, cfg: cfg, doctorSeams: seams, path: path}
	if x.now == nil {
		x.now = time.Now
	}
	checks := x.checks()
	if cmd.RoundTrip {
		checks = append(checks, x.roundTrip(cmd.Wait))
	}
	told, done := progress(a)
	defer done()
	return doctor.Examine(a.ctx, checks, told), nil
}

// exitStatus ends the program without a word: the report has said everything.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// progress shows on a terminal how far the examination is.
func progress(a *app) (doctor.Progress, func()) {
	f, ok := a.stderr.(*os.File)
	if !ok {
		return nil, func() {}
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil, func() {}
	}
	show := func(done, all int, waiting []string) {
		const most = 3
		rest := strings.Join(waiting[:min(len(waiting), most)], ", ")
		if len(waiting) > most {
			rest += ", ..."
		}
		_, _ = fmt.Fprintf(f, "\r\x1b[K%d of %d  %s", done, all, rest)
	}
	return show, func() { _, _ = fmt.Fprint(f, "\r\x1b[K") }
}

// examination is one run of the doctor.
type examination struct {
	a    *app
	cfg  *Config
	path string
	doctorSeams
}

// checks lists everything that is asked.
func (x *examination) checks() []doctor.Check {
	out := x.settings().Checks()
	out = append(out, x.clock().Check(), x.database().Check(), x.disks().Check())
	out = append(out, x.publicChecks()...)
	for _, e := range examiners() {
		out = append(out, x.examiner(e))
	}
	return append(out, x.dns()...)
}

func (x *examination) settings() doctor.Settings {
	c := x.cfg
	origin := "the environment"
	if x.path != "" {
		origin = x.path + " and the environment"
	}
	var missing []string
	if err := c.require("serve", x.path); err != nil {
		missing = strings.Split(err.Error(), "\n")
	}
	keys := map[string]string{
		"sendbird.api_token": string(c.Sendbird.APIToken), "sendbird.master_token": string(c.Sendbird.MasterToken),
		"mailgun.sending_key": string(c.Mailgun.SendingKey), "mailgun.account_key": string(c.Mailgun.AccountKey),
		"admin_token": string(c.AdminToken), "secret": string(c.Secret),
	}
	for i, k := range c.Mailgun.SigningKeys {
		keys[fmt.Sprintf("mailgun.signing_keys[%d]", i)] = string(k)
	}
	return doctor.Settings{
		Origin: origin, Missing: missing, Warnings: c.Warnings, Secret: string(c.Secret), AdminToken: string(c.AdminToken), Keys: keys,
		// One token, or one key, may do both; what that means is told elsewhere.
		MaySame: [][2]string{{"sendbird.api_token", "sendbird.master_token"}, {"mailgun.sending_key", "mailgun.account_key"}},
		Region:  c.Mailgun.Region, APIURL: c.Mailgun.APIURL, Domain: c.Mailgun.Domain,
		Regions: map[string]string{"us": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"},
	}
}

func (x *examination) services() []string {
	var all []string
	for _, s := range []string{x.cfg.Mailgun.APIURL, x.cfg.Sendbird.APIURL} {
		if s != "" {
			all = append(all, s)
		}
	}
	return all
}

func (x *examination) clock() doctor.Clock {
	return doctor.Clock{URLs: x.services(), Client: x.secureAPI, Now: x.now}
}

func (x *examination) disks() doctor.Disk {
	d := x.disk
	d.DataDir = x.cfg.DataDir
	if file, ok := strings.CutPrefix(string(x.cfg.Database), "sqlite:"); ok {
		d.Database = filepath.Dir(strings.TrimPrefix(file, "//"))
	}
	return d
}

// somePeople bounds how many people are compared with lists.
const somePeople = 10_000

// database looks at the database beside whoever is at work on it.
func (x *examination) database() doctor.Database {
	return doctor.Database{
		Name: x.cfg.Database.String(), Ready: newRemote(x.cfg).base + "/readyz",
		Look: func(ctx context.Context) (doctor.DatabaseSeen, error) {
			g, err := x.look(ctx, 0)
			return doctor.DatabaseSeen{Exists: g.Exists, Version: g.Version, Latest: g.Latest, Commit: g.Commit}, err
		},
	}
}

func (x *examination) look(ctx context.Context, people int) (store.Glance, error) {
	if x.glance != nil {
		return x.glance(ctx, x.cfg)
	}
	return store.Look(ctx, string(x.cfg.Database), people)
}

func (x *examination) publicChecks() []doctor.Check {
	p := x.public
	p.URL, p.Listen, p.Services, p.Now = strings.TrimRight(x.cfg.PublicURL, "/"), x.cfg.Listen, x.services(), x.now
	chat, mail := platforms()[0].name, providers()[0].name
	p.Hooks = []string{"/hooks/" + chat, "/hooks/" + mail + "/inbound/mime", "/hooks/" + mail + "/inbound", "/hooks/" + mail + "/events"}
	keys, err := seal.Parse(string(x.cfg.Secret))
	if err != nil {
		return []doctor.Check{{Subject: "URL-GATEWAY", Ask: func(context.Context) []postern.Finding {
			return []postern.Finding{doctor.Skip("URL-GATEWAY", "secret is not set")}
		}}}
	}
	p.Keys = keys
	if p.Resolve == nil {
		if c, err := x.asker(); err == nil {
			p.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) { return c.View().Addresses(ctx, host) }
		}
	}
	return p.Checks()
}

// asker asks the DNS as the configuration says.
func (x *examination) asker() (doctor.Names, error) {
	c, err := lookup.New(lookup.Config{Resolver: x.cfg.DNS.Resolver, Servers: x.cfg.DNS.Servers, Timeout: 2 * time.Second, Total: 7 * time.Second})
	if err != nil {
		return nil, err
	}
	if x.names != nil {
		return x.names(doctor.Lookup{Client: c}), nil
	}
	return doctor.Lookup{Client: c}, nil
}

func (x *examination) dns() []doctor.Check {
	if x.cfg.Mailgun.Domain == "" {
		return nil
	}
	names, err := x.asker()
	if err != nil {
		return []doctor.Check{{Subject: "DNS-SERVERS", Ask: func(context.Context) []postern.Finding {
			return []postern.Finding{doctor.Skip("DNS-SERVERS", "%v", err)}
		}}}
	}
	host := x.cfg.DNS.Host
	if host == "manual" || host == "rfc2136" { // anybody's servers may be those
		host = ""
	}
	d := doctor.DNS{Lookup: names, Domain: x.cfg.Mailgun.Domain, Host: host, Net: x.public}
	d.Net.Now = x.now
	if d.Net.Dial == nil {
		d.Net.Dial = dial
	}
	if u, err := url.Parse(x.cfg.PublicURL); err == nil {
		d.PublicHost = u.Hostname()
	}
	if x.cfg.TLS.Mode == "acme" && x.cfg.TLS.CA == "" {
		d.CA = "letsencrypt.org"
	}
	d.Wanted = func(context.Context) ([]postern.DNSRecord, error) {
		return nil, errors.New("the provider could not be asked")
	}
	if m, err := x.mailgun(); err == nil {
		d.Wanted, d.Secured = m.Wanted, m.Secured
	}
	return d.Checks()
}

// examiner is a side that examines itself: one line each.
type examiner struct {
	subject string
	make    func(*examination) (setup.Examiner, error)
}

func examiners() []examiner {
	return []examiner{
		{"MAILGUN-KEY", func(x *examination) (setup.Examiner, error) { return x.mailgun() }},
		{"SENDBIRD-API", func(x *examination) (setup.Examiner, error) { return x.sendbird() }},
	}
}

func (x *examination) examiner(e examiner) doctor.Check {
	return doctor.Check{Subject: e.subject, Ask: func(ctx context.Context) []postern.Finding {
		side, err := e.make(x)
		if err != nil {
			return []postern.Finding{doctor.Skip(e.subject, "%v", err)}
		}
		return side.Examine(ctx)
	}}
}

func unobserved(string, string, time.Duration) {}

func (x *examination) mailgun() (*mailgun.Examiner, error) {
	p, err := newMailgun(x.cfg, slog.New(slog.DiscardHandler), unobserved, nil)
	if err != nil {
		return nil, err
	}
	client, ok := p.(*mailgun.Client)
	if !ok {
		return nil, errors.New("not Mailgun")
	}
	return client.Examiner(mailgun.Exam{
		InboundURL: x.hook(providers()[0].name + "/inbound/mime"), EventsURL: x.hook(providers()[0].name + "/events"), Reply: x.replyAddress(), OtherAPIURL: x.otherAPI, People: x.people,
	}), nil
}

func (x *examination) sendbird() (*sendbird.Examiner, error) {
	p, err := newSendbird(x.cfg, slog.New(slog.DiscardHandler), unobserved, nil)
	if err != nil {
		return nil, err
	}
	client, ok := p.(*sendbird.Client)
	if !ok {
		return nil, errors.New("not Sendbird")
	}
	return client.Examiner(sendbird.Exam{HookURL: x.hook(platforms()[0].name)}), nil
}

// hook is the public address of a webhook, "" if there is none.
func (x *examination) hook(path string) string {
	if x.cfg.PublicURL == "" {
		return ""
	}
	return strings.TrimRight(x.cfg.PublicURL, "/") + "/hooks/" + path
}

// people are those whom the gateway writes to, by address.
func (x *examination) people(ctx context.Context) (map[string]postern.UserID, error) {
	g, err := x.look(ctx, somePeople)
	if err != nil {
		return nil, errors.New("see DB")
	}
	all := make(map[string]postern.UserID, len(g.People))
	for _, p := range g.People {
		if p.Email != "" {
			all[strings.ToLower(p.Email)] = p.UserID
		}
	}
	return all, nil
}

// replyAddress has the form of a reply address, and is nobody's.
func (x *examination) replyAddress() string {
	word := strings.Repeat("a", 39)
	if keys, err := seal.Parse(string(x.cfg.Secret)); err == nil {
		word = keys.ID("doctor", seal.NewNumber())
	}
	return word + "@" + x.cfg.Mailgun.Domain
}
