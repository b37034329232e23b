package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write generated files instead of comparing them")

const (
	goodKey  = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	otherKey = "_-ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" // other alphabet, no padding
)

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "postern.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestContract holds the table of design section 3: outside checks depend on it.
func TestContract(t *testing.T) {
	contract := []struct{ key, env, def string }{
		{"listen", "POSTERN_LISTEN", "127.0.0.1:8080"},
		{"public_url", "POSTERN_PUBLIC_URL", ""},
		{"database", "POSTERN_DATABASE", "sqlite:postern.db"},
		{"data_dir", "POSTERN_DATA_DIR", "postern-data"},
		{"secret", "POSTERN_SECRET", ""},
		{"admin_token", "POSTERN_ADMIN_TOKEN", ""},
		{"sendbird.app_id", "POSTERN_SENDBIRD_APP_ID", ""},
		{"sendbird.api_url", "POSTERN_SENDBIRD_API_URL", ""},
		{"sendbird.api_token", "POSTERN_SENDBIRD_API_TOKEN", ""},
		{"sendbird.master_token", "POSTERN_SENDBIRD_MASTER_TOKEN", ""},
		{"mailgun.domain", "POSTERN_MAILGUN_DOMAIN", ""},
		{"mailgun.region", "POSTERN_MAILGUN_REGION", "us"},
		{"mailgun.api_url", "POSTERN_MAILGUN_API_URL", ""},
		{"mailgun.sending_key", "POSTERN_MAILGUN_SENDING_KEY", ""},
		{"mailgun.account_key", "POSTERN_MAILGUN_ACCOUNT_KEY", ""},
		{"mailgun.signing_keys", "POSTERN_MAILGUN_SIGNING_KEYS", ""},
		{"mailgun.unsure_after", "POSTERN_MAILGUN_UNSURE_AFTER", "35m"},
		{"notify.when", "POSTERN_NOTIFY_WHEN", "offline"},
		{"notify.delay", "POSTERN_NOTIFY_DELAY", "10s"},
		{"receipts.read", "POSTERN_RECEIPTS_READ", "human-open"},
		{"receipts.human_after", "POSTERN_RECEIPTS_HUMAN_AFTER", "20s"},
		{"inbound.strangers", "POSTERN_INBOUND_STRANGERS", "hold"},
	}
	byKey := map[string]option{}
	for _, o := range options() {
		byKey[o.Key] = o
	}
	for _, c := range contract {
		o, ok := byKey[c.key]
		if !ok || o.Env != c.env || o.Default != c.def {
			t.Errorf("%s: have variable %q and default %q, want %q and %q", c.key, o.Env, o.Default, c.env, c.def)
		}
	}
}

// TestOptions holds what the derived names need: a text for each, and no variable
// that could be mistaken for the _FILE of another.
func TestOptions(t *testing.T) {
	seen := map[string]string{}
	for _, o := range options() {
		if o.Doc == "" || !strings.HasSuffix(o.Doc, ".") {
			t.Errorf("%s: doc %q is not a sentence", o.Key, o.Doc)
		}
		for _, name := range []string{o.Env, o.Env + "_FILE"} {
			if was, dup := seen[name]; dup {
				t.Errorf("%s belongs to both %s and %s", name, was, o.Key)
			}
			seen[name] = o.Key
		}
		if o.Unless != "" && o.Need == nil {
			t.Errorf("%s: unless without need", o.Key)
		}
		if o.secret() && o.Default != "" && o.Key != "database" {
			t.Errorf("%s: a secret has a default", o.Key)
		}
	}
	if n := len(seen) / 2; n < 25 {
		t.Fatalf("only %d options found", n)
	}
}

func TestDefaults(t *testing.T) {
	c, err := loadConfig("", nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Notify.Delay != 10*time.Second || c.Notify.DelayMax != 50*time.Second {
		t.Errorf("delay %v, delay_max %v", c.Notify.Delay, c.Notify.DelayMax)
	}
	if c.Mail.AttachLimit != 18e6 || c.Server.Workers != 1000 || c.Sendbird.MaxMessageLength != 5000 {
		t.Errorf("attach_limit %v, workers %v, max_message_length %v", c.Mail.AttachLimit, c.Server.Workers, c.Sendbird.MaxMessageLength)
	}
	if c.Mailgun.APIURL != "https://api.mailgun.net" {
		t.Errorf("mailgun.api_url %q", c.Mailgun.APIURL)
	}
}

func TestDerived(t *testing.T) {
	c, err := loadConfig("", []string{
		"POSTERN_SENDBIRD_APP_ID=ABC", "POSTERN_SENDBIRD_API_TOKEN=t0ken",
		"POSTERN_MAILGUN_REGION=eu", "POSTERN_NOTIFY_DELAY=0s",
		"POSTERN_PUBLIC_URL=https://p.example.com/x/",
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Sendbird.APIURL != "https://api-ABC.sendbird.com/v3" || c.Sendbird.MasterToken != "t0ken" {
		t.Errorf("api_url %q, master_token from api_token: %t", c.Sendbird.APIURL, c.Sendbird.MasterToken == "t0ken")
	}
	if c.Mailgun.APIURL != "https://api.eu.mailgun.net" || c.Notify.DelayMax != 0 || c.PublicURL != "https://p.example.com/x" {
		t.Errorf("%q %v %q", c.Mailgun.APIURL, c.Notify.DelayMax, c.PublicURL)
	}
}

func TestSources(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	put("mailgun.sending_key", "from-credential\n")
	put("sendbird.api_token", "from-credential")
	put("listen", "127.0.0.1:1") // not a secret: never read from there
	file := writeFile(t, `
listen = "127.0.0.1:2"
data_dir = "from-file"
people.user_id_is_address = true
[mailgun]
domain = "Mail.Example.COM"
sending_key = "from-file"
account_key = "from-file"
signing_keys = ["new", "old"]
unsure_after = ""
[mail]
attach_limit = "1MiB"
[server]
workers = 7
`)
	c, err := loadConfig(file, []string{
		"CREDENTIALS_DIRECTORY=" + dir,
		"POSTERN_SENDBIRD_API_TOKEN=from-environment",
		"POSTERN_SENDBIRD_FILE_HOSTS=a.example, .b.example,",
		"POSTERN_DATA_DIR=",
		"POSTERN_SECRET_FILE=" + put("key", goodKey+","+otherKey+"\n"),
		"POSTERN_SENDBIRD_API_TOKE=x", "POSTERN_PORT=tcp://10.0.0.1:80",
	})
	if err != nil {
		t.Fatal(err)
	}
	checks := []struct {
		what      string
		have, exp any
	}{
		{"listen, file", c.Listen, "127.0.0.1:2"},
		{"data_dir, empty variable does not count", c.DataDir, "from-file"},
		{"sending_key, credential before file", string(c.Mailgun.SendingKey), "from-credential"},
		{"account_key, file", string(c.Mailgun.AccountKey), "from-file"},
		{"api_token, environment before credential", string(c.Sendbird.APIToken), "from-environment"},
		{"signing_keys", c.Mailgun.SigningKeys, []Secret{"new", "old"}},
		{"unsure_after, empty in the file", c.Mailgun.UnsureAfter, 35 * time.Minute},
		{"domain", c.Mailgun.Domain, "mail.example.com"},
		{"file_hosts", c.Sendbird.FileHosts, []string{"a.example", ".b.example"}},
		{"user_id_is_address, dotted key", c.People.UserIDIsAddress, true},
		{"attach_limit", c.Mail.AttachLimit, ByteSize(1 << 20)},
		{"workers", c.Server.Workers, 7},
		{"keys", strings.Count(string(c.Secret), ",") + 1, 2},
		{"warnings", c.Warnings, []string{"POSTERN_SENDBIRD_API_TOKE is not a setting of ours; did you mean POSTERN_SENDBIRD_API_TOKEN?"}},
	}
	for _, ch := range checks {
		if !reflect.DeepEqual(ch.have, ch.exp) {
			t.Errorf("%s: have %#v, want %#v", ch.what, ch.have, ch.exp)
		}
	}
}

func TestFileErrors(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"unknown", "listn = 1\n", ":1: listn is not a setting; did you mean listen?"},
		{"unknown in section", "[notify]\n\ndelai = '1s'\n", ":3: notify.delai is not a setting; did you mean notify.delay?"},
		{"unknown section", "# x\n[sendbrid]\na = 1\n", ":2: sendbrid is not a setting; did you mean sendbird?"},
		{"wrong section", "[sendbird]\ndelay_max = '1s'\n", ":2: sendbird.delay_max is not a setting; did you mean notify.delay_max?"},
		{"unheard of", "zzzzzzzzzz = 1\n", "zzzzzzzzzz is not a setting; `postern init --stdout` shows all there are"},
		{"inline table", "notify = { delay = '1s', wen = 'x' }\n", ":1: notify.wen is not a setting; did you mean notify.when?"},
		{"array of tables", "[[notify]]\ndelay = '1s'\n", ":1: notify is not a setting"},
		{"twice", "listen = ':1'\nlisten = ':2'\n", ":2: toml: "},
		{"syntax", "listen = ':1'\ndata_dir = \n", ":2: toml: "},
		{"enum", "[notify]\nwhen = 'ofline'\n", `:2: notify.when (POSTERN_NOTIFY_WHEN): "ofline" is not one of offline, unread, never; did you mean offline?`},
		{"duration without unit", "[notify]\ndelay = 10\n", `:2: notify.delay (POSTERN_NOTIFY_DELAY): "10" is not a duration; write it like 10s, 5m, 1h30m or 90d`},
		{"negative", "[notify]\ndelay = '-1s'\n", "is not a duration"},
		{"size", "[mail]\nattach_limit = '18 apples'\n", `"18 apples" is not a size; write it like 18MB or 16MiB`},
		{"too small", "[server]\nworkers = 0\n", "0 is too small; at least 1"},
		{"number for text", "data_dir = 3\n", "must be text in quotes"},
		{"bool for text", "data_dir = true\n", "must be a text, not true or false"},
		{"list for text", "data_dir = ['a']\n", "must be one text, not a list"},
		{"date", "data_dir = 2026-01-01\n", "must be a text"},
		{"table for text", "[data_dir]\nx = 1\n", ":1: data_dir (POSTERN_DATA_DIR): must be a text"},
		{"text for bool", "people.user_id_is_address = 'yes'\n", `"yes" is neither true nor false`},
		{"numbers in list", "[mailgun]\nsigning_keys = [1]\n", "must be a list of texts in quotes"},
		{"listen", "listen = '8080'\n", "is not an address with a port"},
		{"url", "public_url = 'postern.example.com'\n", "is not a web address; write it like https://host.example.com"},
		{"url with user", "public_url = 'https://u:p@postern.example.com'\n", "must be a plain web address"},
		{"database", "database = 'mysql://hunter2'\n", "must be sqlite:FILE or postgres://USER:PASSWORD@HOST/NAME"},
		{"no database file", "database = 'sqlite:'\n", "must be sqlite:FILE"},
		{"domain", "mailgun.domain = 'https://mail.example.com'\n", "is not a domain"},
		{"secret short", "secret = 'aHVudGVyMg=='\n", ":1: secret (POSTERN_SECRET): key 1 has 7 bytes, 32 are needed; make one with: openssl rand -base64 32"},
		{"secret, second bad", "secret = '" + goodKey + ",hunter2!'\n", "key 2 is not base64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := writeFile(t, tt.file)
			_, err := loadConfig(path, nil)
			if err == nil {
				t.Fatal("no error")
			}
			have := err.Error()
			if !strings.HasPrefix(have, path+":") || !strings.Contains(have, tt.want) || strings.Contains(have, "\n") {
				t.Errorf("have %q, want one line: file%s", have, tt.want)
			}
			if strings.Contains(have, "hunter2") || strings.Contains(have, "aHVud") {
				t.Errorf("tells a secret: %s", have)
			}
		})
	}
}

func TestEnvironmentErrors(t *testing.T) {
	empty := writeFile(t, " \n")
	tests := []struct {
		name    string
		environ []string
		want    string
	}{
		{"bad value", []string{"POSTERN_NOTIFY_DELAY=soon"}, `POSTERN_NOTIFY_DELAY (notify.delay): "soon" is not a duration; write it like 10s, 5m, 1h30m or 90d`},
		{"both", []string{"POSTERN_SECRET=a", "POSTERN_SECRET_FILE=b"}, "POSTERN_SECRET and POSTERN_SECRET_FILE are both set (secret); unset one of them"},
		{"file absent", []string{"POSTERN_SECRET_FILE=/nowhere/x"}, "POSTERN_SECRET_FILE (secret): open /nowhere/x: no such file or directory"},
		{"file empty", []string{"POSTERN_SECRET_FILE=" + empty}, "POSTERN_SECRET_FILE (secret): " + empty + " is empty; put the value in it"},
		{"two at once", []string{"POSTERN_LISTEN=x", "POSTERN_LOG_LEVEL=loud"}, "POSTERN_LISTEN (listen): \"x\" is not an address with a port; write it like 127.0.0.1:8080 or :8080\nPOSTERN_LOG_LEVEL (log.level): \"loud\" is not one of debug, info, warn, error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := loadConfig("", tt.environ); err == nil || err.Error() != tt.want {
				t.Errorf("have %v, want %s", err, tt.want)
			}
		})
	}
}

func TestRequire(t *testing.T) {
	c, err := loadConfig("", nil)
	if err != nil {
		t.Fatal(err)
	}
	err = c.require("serve", "")
	if err == nil {
		t.Fatal("an empty configuration is enough for serve")
	}
	var missing []string
	for line := range strings.Lines(err.Error()) {
		key, _, _ := strings.Cut(line, " is missing: set it in postern.toml or as POSTERN_")
		missing = append(missing, key)
	}
	want := []string{"public_url", "secret", "sendbird.app_id", "sendbird.api_token", "mailgun.domain", "mailgun.sending_key", "mailgun.signing_keys"}
	if !reflect.DeepEqual(missing, want) {
		t.Errorf("missing %q, want %q", missing, want)
	}

	c, err = loadConfig("", []string{
		"POSTERN_PUBLIC_URL=https://p.example.com", "POSTERN_SECRET=" + goodKey, "POSTERN_SENDBIRD_API_URL=http://127.0.0.1:1/v3",
		"POSTERN_SENDBIRD_API_TOKEN=x", "POSTERN_MAILGUN_DOMAIN=m.example.com", "POSTERN_MAILGUN_SENDING_KEY=x", "POSTERN_MAILGUN_SIGNING_KEYS=x",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.require("serve", ""); err != nil {
		t.Error(err)
	}
}

func TestExposedFile(t *testing.T) {
	for _, tt := range []struct {
		text string
		mode os.FileMode
		want int
	}{
		{"admin_token = 'x'", 0o644, 1},
		{"admin_token = 'x'", 0o600, 0},
		{"listen = ':1'", 0o644, 0},
	} {
		path := writeFile(t, tt.text)
		if err := os.Chmod(path, tt.mode); err != nil {
			t.Fatal(err)
		}
		c, err := loadConfig(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Warnings) != tt.want {
			t.Errorf("%s, mode %o: warnings %q, want %d", tt.text, tt.mode, c.Warnings, tt.want)
		}
	}
}

// TestSecretsDoNotShow prints a configuration in every way there is.
func TestSecretsDoNotShow(t *testing.T) {
	const word = "hunter2"
	c := &Config{
		Secret:   word,
		Database: "postgres://user:" + word + "@db.example/postern?sslpassword=" + word,
		Mailgun:  MailgunConfig{SigningKeys: []Secret{word}},
	}
	var out bytes.Buffer
	for _, v := range []any{c, *c, c.Secret, &c.Secret, c.Database, c.Mailgun, c.Mailgun.SigningKeys} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%08b"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprintln(&out, v)
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Fatal(err)
		}
		newLogger(&out, LogConfig{Format: "json"}).Info("x", "v", v)
		newLogger(&out, LogConfig{Format: "text"}).Info("x", "v", v, slog.Group("g", "v", v))
	}
	hex := fmt.Sprintf("%x", word)
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, word) || strings.Contains(strings.ToLower(line), hex) || strings.Contains(line, "104 117 110") {
			t.Errorf("shows the secret: %s", line)
		}
	}
	if !strings.Contains(out.String(), "***") || !strings.Contains(out.String(), "postgres://user:xxxxx@db.example/postern") {
		t.Error("nothing masked was printed at all")
	}
}

func TestByteSize(t *testing.T) {
	for s, want := range map[string]ByteSize{"0": 0, "17": 17, "18MB": 18e6, "18 mb": 18e6, "1kB": 1000, "16MiB": 16 << 20, "2GiB": 2 << 30, "5B": 5} {
		have, err := parseByteSize(s)
		if err != nil || have != want {
			t.Errorf("%s: %d, %v", s, have, err)
		}
		if again, err := parseByteSize(have.String()); err != nil || again != have {
			t.Errorf("%s is printed as %s", s, have)
		}
	}
	for _, s := range []string{"", "MB", "-1MB", "1.5MB", "1TB", "99999999999GB", "9223372036854775808"} {
		if b, err := parseByteSize(s); err == nil {
			t.Errorf("%q is taken as %d", s, b)
		}
	}
}

// TestWrittenFile takes the file that init writes, uncomments everything, and finds
// the defaults again.
func TestWrittenFile(t *testing.T) {
	var b bytes.Buffer
	if err := writeConfigFile(&b, map[string]string{"secret": goodKey, "mailgun.signing_keys": "a,b"}); err != nil {
		t.Fatal(err)
	}
	c, err := loadConfig(writeFile(t, b.String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if string(c.Secret) != goodKey || !reflect.DeepEqual(c.Mailgun.SigningKeys, []Secret{"a", "b"}) {
		t.Error("the values given do not stand in it")
	}

	b.Reset()
	if err := writeConfigFile(&b, nil); err != nil {
		t.Fatal(err)
	}
	assignment := regexp.MustCompile(`(?m)^# ([a-z_]+ = )`)
	if n := len(assignment.FindAllString(b.String(), -1)); n != len(options()) {
		t.Errorf("%d settings in the file, %d there are", n, len(options()))
	}
	have, err := loadConfig(writeFile(t, assignment.ReplaceAllString(b.String(), "$1")), nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := loadConfig("", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(have, want) {
		t.Errorf("have %+v, want %+v", have, want)
	}
}

// TestGenerated holds docs/configuration.md to the struct; `make generate` writes it.
func TestGenerated(t *testing.T) { generated(t, "../../docs/configuration.md", writeConfigDoc) }

// generated holds a document to what write makes of the code, or writes it.
func generated(t *testing.T, path string, write func(io.Writer) error) {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s is not what the code says; run: make generate", path)
	}
}

func TestNearest(t *testing.T) {
	words := []string{"listen", "notify.delay", "notify.delay_max"}
	for s, want := range map[string]string{"listne": "listen", "notify.delay_mx": "notify.delay_max", "delay": "", "": "", "x": ""} {
		if have := nearest(s, words); have != want {
			t.Errorf("%q: %q, want %q", s, have, want)
		}
	}
}
