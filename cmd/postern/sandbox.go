package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-chat/postern/sandbox"
)

type sandboxCmd struct {
	Headless  bool   `help:"Print one line of JSON with every address, and no more."`
	Seed      int64  `placeholder:"N" help:"Make whatever is random the same on every run."`
	Listen    string `placeholder:"ADDR" default:"127.0.0.1:8025" help:"Where the page is; a free port if that one is taken. Headless: any free port."`
	SMTP      string `placeholder:"ADDR" default:"127.0.0.1:2525" help:"Where mail is taken; a free port if that one is taken. Headless: any free port."`
	IMAP      string `placeholder:"ADDR" default:"127.0.0.1:1143" help:"Where mail is read with a mail program; a free port if that one is taken. Headless: any free port."`
	WithSetup bool   `help:"Start with nothing set up and no gateway: that is left to you, in another terminal."`
	DNS       string `placeholder:"HOST" enum:"godaddy,cloudflare,rfc2136" default:"godaddy" help:"Who keeps the domain's zone: godaddy, cloudflare or rfc2136."`
	ConfigOut string `placeholder:"FILE" type:"path" help:"Where the configuration of that gateway is written; the file must not be there yet. With --with-setup."`
}

// Run starts the emulated world and the gateway in it, and goes on until the context ends.
func (cmd *sandboxCmd) Run(a *app) (err error) {
	if cmd.ConfigOut != "" && !cmd.WithSetup {
		return usagef("--config-out goes with --with-setup: otherwise the gateway runs already")
	}
	addr, err := reservedAddress()
	if err != nil {
		return err
	}
	w, err := sandbox.Start(a.ctx, sandbox.Config{
		GatewayURL: "http://" + addr, Seed: cmd.Seed, DNS: cmd.DNS, Unset: cmd.WithSetup, Empty: !cmd.WithSetup,
		PageAddr: cmd.address(cmd.Listen), SMTPAddr: cmd.address(cmd.SMTP), IMAPAddr: cmd.address(cmd.IMAP), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	dir, err := os.MkdirTemp("", "postern-sandbox-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if cmd.WithSetup {
		return cmd.unset(a, w, dir)
	}
	cfg, environ, err := a.sandboxConfig(w, dir)
	if err != nil {
		return usageError{err}
	}
	w.Quiet = cfg.Notify.Delay
	return cmd.play(a, w, newChild(addr, environ, a.stderr))
}

// play runs the gateway, introduces the people, and says where everything is.
func (cmd *sandboxCmd) play(a *app, w *sandbox.World, k *child) error {
	ctx, cancel := context.WithCancel(a.ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- k.run(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-k.ready:
	}
	w.Kill = k.kill
	story := func() error { return errors.Join(w.TellStory(ctx), w.Introduce(ctx)) }
	for _, step := range []func() error{story, w.ServePage, func() error { return cmd.announce(a, w) }} {
		if err := step(); err != nil {
			cancel()
			return errors.Join(err, <-ended)
		}
	}
	return <-ended
}

func (cmd *sandboxCmd) announce(a *app, w *sandbox.World) error {
	if cmd.Headless {
		return json.NewEncoder(a.stdout).Encode(w.Addresses)
	}
	_, err := fmt.Fprintf(a.stdout, `Postern's sandbox is running. Nothing leaves this machine.

  %s   <- open this: write to Bob

  A real mail program can be Bob: IMAP at %s, SMTP at %s, both without
  encryption; user bob@people.example, any password.
  Ctrl-C ends it.
`, w.Page, w.IMAP, w.SMTP)
	return err
}

// address is where to listen: the place asked for if it is free, else any port.
func (cmd *sandboxCmd) address(addr string) string {
	if cmd.Headless {
		return ""
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return ""
	}
	_ = ln.Close() // somebody may take it now; then starting says so
	return addr
}

// reservedAddress is a free one for a program that is started later, and again at the same place.
func reservedAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// sandboxConfig is the configuration of a gateway in the emulated world, and the
// environment that gives it: what the world dictates, what suits playing, and over that
// whatever the environment says.
func (a *app) sandboxConfig(w *sandbox.World, dir string) (*Config, []string, error) {
	w.AdminToken = "sandbox-" + strconv.FormatInt(w.Seed, 36)
	world := []string{
		"POSTERN_LISTEN=" + strings.TrimPrefix(w.Gateway, "http://"), "POSTERN_PUBLIC_URL=" + w.Gateway,
		"POSTERN_SENDBIRD_APP_ID=" + w.AppID, "POSTERN_SENDBIRD_API_URL=" + w.SendbirdAPI, "POSTERN_SENDBIRD_API_TOKEN=" + w.APIToken,
		"POSTERN_SENDBIRD_MASTER_TOKEN=" + w.APIToken, "POSTERN_MAILGUN_DOMAIN=" + w.Domain, "POSTERN_MAILGUN_API_URL=" + w.MailgunAPI,
		"POSTERN_MAILGUN_SENDING_KEY=" + w.SendingKey, "POSTERN_MAILGUN_ACCOUNT_KEY=" + w.AccountKey, "POSTERN_MAILGUN_SIGNING_KEYS=" + w.SigningKey,
		"POSTERN_ADMIN_TOKEN=" + w.AdminToken,
	}
	suits := []string{
		"POSTERN_DATABASE=sqlite:" + filepath.Join(dir, "postern.db"), "POSTERN_DATA_DIR=" + filepath.Join(dir, "data"),
		"POSTERN_SECRET=" + freshSecret(),
		"POSTERN_NOTIFY_DELAY=2s", "POSTERN_RECEIPTS_HUMAN_AFTER=1s", "POSTERN_MAILGUN_UNSURE_AFTER=10s", "POSTERN_LOG_LEVEL=error",
	}
	given := slices.DeleteFunc(slices.Clone(a.environ), func(e string) bool {
		return slices.ContainsFunc(world, func(w string) bool { return strings.HasPrefix(e, w[:strings.IndexByte(w, '=')]) })
	})
	// Later entries win.
	environ := slices.Concat(suits, given, world)
	cfg, err := loadConfig("", environ)
	return cfg, environ, err
}

func freshSecret() string {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails, see crypto/rand
	return base64.StdEncoding.EncodeToString(key[:])
}
