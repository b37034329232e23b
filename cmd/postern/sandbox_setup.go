package main

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/postern-chat/postern/sandbox"
)

// unset serves a world in which nothing is set up, until the context ends. Everything
// that somebody needs to set a gateway up in it stands in a configuration file.
func (cmd *sandboxCmd) unset(a *app, w *sandbox.World, dir string) error {
	w.AdminToken = randomText(base64.RawURLEncoding)
	w.Config = cmd.ConfigOut
	if w.Config == "" {
		w.Config = filepath.Join(dir, defaultConfigFile)
	}
	if err := writeNew(w.Config, unsetConfig(w, dir)); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return usagef("%s is there already; name another file in --config-out, or take that one away", w.Config)
		}
		return err
	}
	w.PeopleCSV = filepath.Join(dir, "people.csv")
	if err := writeNew(w.PeopleCSV, castCSV()); err != nil {
		return err
	}
	if err := w.ServePage(); err != nil {
		return err
	}
	if err := cmd.announceUnset(a, w); err != nil {
		return err
	}
	<-a.ctx.Done()
	return nil
}

func (cmd *sandboxCmd) announceUnset(a *app, w *sandbox.World) error {
	if cmd.Headless {
		return json.NewEncoder(a.stdout).Encode(w.Addresses)
	}
	_, err := fmt.Fprintf(a.stdout, `Postern's sandbox is running, with nothing set up. Nothing leaves this machine.
Sendbird posts no webhooks, Mailgun does not know %s, and the
zone %s at %s has none of its records. No gateway runs.

In another terminal:

  export POSTERN_CONFIG=%s
  postern setup                  # shows what it would change, and asks
  postern people import %s
  postern serve

Then open %s and write to Bob.

  Mail at IMAP %s and SMTP %s; DNS at %s, its API and book at %s.
  Ctrl-C ends it, and all that is not in --config-out is removed.
`, w.Domain, w.Zone, w.DNS.Host, w.Config, w.PeopleCSV, w.Page, w.IMAP, w.SMTP, w.Resolver, w.API+"/_emulator/")
	return err
}

// castCSV are the people of the story for `postern people import`.
func castCSV() []byte {
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	_ = out.Write([]string{"user_id", "email", "name"}) // a buffer takes everything
	for _, p := range sandbox.Cast() {
		_ = out.Write([]string{p.ID, p.Address, p.Name})
	}
	out.Flush()
	return b.Bytes()
}

// unsetConfig is the file of a gateway that is still to be set up in the emulated world.
func unsetConfig(w *sandbox.World, dir string) []byte {
	var b strings.Builder
	b.WriteString("# Written by `postern sandbox --with-setup`: good for the emulated world that runs now, and for no other.\n")
	section := func(name string, pairs ...string) {
		if name != "" {
			b.WriteString("\n[" + name + "]\n")
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			fmt.Fprintf(&b, "%s = %s\n", pairs[i], tomlText(pairs[i+1]))
		}
	}
	section("", "listen", strings.TrimPrefix(w.Gateway, "http://"), "public_url", w.Gateway, "database", "sqlite:"+filepath.Join(dir, "postern.db"),
		"data_dir", filepath.Join(dir, "data"), "secret", freshSecret(), "admin_token", w.AdminToken)
	section("sendbird", "app_id", w.AppID, "api_url", w.SendbirdAPI, "api_token", w.APIToken)
	section("mailgun", "domain", w.Domain, "api_url", w.MailgunAPI, "sending_key", w.SendingKey, "account_key", w.AccountKey)
	fmt.Fprintf(&b, "signing_keys = [%s]\n", tomlText(w.SigningKey))
	section("dns", "host", w.DNS.Host, "zone", w.Zone, "resolver", w.Resolver)
	fmt.Fprintf(&b, "servers = [%s, %s]\n", tomlText(w.Servers[0]), tomlText(w.Servers[1]))
	switch w.DNS.Host {
	case "godaddy":
		section("dns.godaddy", "token", w.GoDaddyToken, "api_url", w.API)
	case "cloudflare":
		section("dns.cloudflare", "token", w.CloudflareToken, "api_url", w.API+"/client/v4")
	case "rfc2136":
		section("dns.rfc2136", "server", w.Servers[0], "key_name", w.TSIGName, "key", w.TSIGKey, "algorithm", "hmac-sha256")
	}
	section("notify", "delay", "2s")
	section("receipts", "human_after", "1s")
	return []byte(b.String())
}

// tomlText is a basic string of TOML: the escapes of JSON are among its own.
func tomlText(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic("postern: " + err.Error()) // a string always has a form in JSON
	}
	return string(b)
}
