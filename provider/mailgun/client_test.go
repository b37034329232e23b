package mailgun

import (
	"strings"
	"testing"
)

func TestNew(t *testing.T) {
	for name, test := range map[string]struct {
		cfg  Config
		base string // "" = refused
	}{
		"us by default":   {Config{Domain: "d"}, "https://api.mailgun.net"},
		"eu":              {Config{Domain: "d", Region: "eu"}, "https://api.eu.mailgun.net"},
		"own address":     {Config{Domain: "d", APIURL: "http://127.0.0.1:1/mg/"}, "http://127.0.0.1:1/mg"},
		"no domain":       {Config{}, ""},
		"unknown region":  {Config{Domain: "d", Region: "asia"}, ""},
		"with a version":  {Config{Domain: "d", APIURL: "https://api.mailgun.net/v3/"}, ""},
		"no URL":          {Config{Domain: "d", APIURL: "api.mailgun.net"}, ""},
		"not for the web": {Config{Domain: "d", APIURL: "ftp://api.mailgun.net"}, ""},
	} {
		c, err := New(test.cfg)
		if (err != nil) != (test.base == "") {
			t.Errorf("%s: error %v", name, err)
		}
		if err == nil && c.base != test.base {
			t.Errorf("%s: base %s, want %s", name, c.base, test.base)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "mailgun: ") {
			t.Errorf("%s: error %q does not say whose it is", name, err)
		}
	}
}
