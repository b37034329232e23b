package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"
)

type initCmd struct {
	Force  bool `help:"Write even if the file is there; the old one is kept with .old behind its name."`
	Stdout bool `help:"Print it instead of writing a file."`
	NoAsk  bool `help:"Ask nothing, also on a terminal."`

	PublicURL string   `name:"public-url" placeholder:"URL" help:"Where the world reaches us."`
	AppID     string   `name:"app-id" placeholder:"ID" help:"Sendbird's application id."`
	Domain    string   `placeholder:"DOMAIN" help:"Sending domain at Mailgun."`
	Region    string   `placeholder:"us|eu" help:"Mailgun's region."`
	DNSHost   string   `name:"dns-host" placeholder:"HOST" help:"Who keeps the domain's zone: manual, godaddy, cloudflare, route53, rfc2136."`
	Set       []string `sep:"none" placeholder:"KEY=VALUE" help:"Any other key. KEY=@FILE reads a file: arguments can be seen by others on this machine."`
}

// Run writes the file with a fresh secret and admin token, readable by its owner only. On
// a terminal it asks for what the flags do not say.
func (cmd *initCmd) Run(a *app) error {
	path := a.configPath()
	if path == "" {
		path = defaultConfigFile
	}
	if err := cmd.free(path); err != nil {
		return err
	}
	values, err := cmd.given()
	if err != nil {
		return usageError{err}
	}
	if isTerminal(a.stdin) && !cmd.NoAsk {
		if err := newInterview(a, values).run(a); err != nil {
			return err
		}
	}
	values["secret"], values["admin_token"] = randomText(base64.StdEncoding), randomText(base64.RawURLEncoding)
	var b bytes.Buffer
	if err := writeConfigFile(&b, values); err != nil {
		return err
	}
	if cmd.Stdout {
		_, err = a.stdout.Write(b.Bytes())
		return err
	}
	if cmd.Force {
		if err := os.Rename(path, path+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := writeNew(path, b.Bytes()); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return errThere(path)
		}
		return err
	}
	next := "fill in what is marked required, then run: postern setup"
	if cmd.complete(path) {
		next = "next: postern setup"
	}
	_, err = fmt.Fprintf(a.stderr, "wrote %s: %s\n", path, next)
	return err
}

// complete tells whether the file says all that the gateway needs.
func (cmd *initCmd) complete(path string) bool {
	c, err := loadConfig(path, nil)
	return err == nil && c.require("serve", path) == nil
}

// free tells in time, before anything is asked, that the file is there already.
func (cmd *initCmd) free(path string) error {
	if cmd.Stdout || cmd.Force {
		return nil
	}
	if _, err := os.Lstat(path); err == nil {
		return errThere(path)
	}
	return nil
}

func errThere(path string) error {
	return fmt.Errorf("%s is there already and holds the secret of all reply addresses; --force writes a new one", path)
}

// given are the answers that the flags give, by key.
func (cmd *initCmd) given() (map[string]string, error) {
	values := map[string]string{}
	all := append([]string{
		"public_url=" + cmd.PublicURL, "sendbird.app_id=" + cmd.AppID, "mailgun.domain=" + cmd.Domain, "mailgun.region=" + cmd.Region, "dns.host=" + cmd.DNSHost,
	}, cmd.Set...)
	for _, kv := range all {
		key, value, ok := strings.Cut(kv, "=")
		if !ok {
			return nil, fmt.Errorf("--set %s: write it like KEY=VALUE", kv)
		}
		if file, is := strings.CutPrefix(value, "@"); is {
			var err error
			if value, err = readValue(file); err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
		}
		if value = strings.TrimSpace(value); value == "" {
			continue
		}
		var err error
		if values[key], err = checkOption(key, value); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// checkOption tells whether a value is one for a key, and gives it back tidied.
func checkOption(key, value string) (string, error) {
	var keys []string
	for _, o := range options() {
		if o.Key == key {
			c := new(Config)
			if err := o.set(c, value); err != nil {
				return "", fmt.Errorf("%s: %w", key, err)
			}
			if f := o.field(c); f.Kind() == reflect.String {
				return f.Convert(reflect.TypeFor[string]()).String(), nil
			}
			return value, nil
		}
		keys = append(keys, o.Key)
	}
	return "", fmt.Errorf("%s is not a setting%s", key, didYouMean(key, keys))
}

// writeNew writes a file that must not be there yet.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// randomText gives 32 fresh random bytes as text.
func randomText(enc *base64.Encoding) string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return enc.EncodeToString(b[:])
}
