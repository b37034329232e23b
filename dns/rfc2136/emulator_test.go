package rfc2136_test

import (
	"testing"

	"github.com/postern-chat/postern/dns/hosttest"
	"github.com/postern-chat/postern/dns/rfc2136"
	sandbox "github.com/postern-chat/postern/sandbox/dns"
)

func TestEmulator(t *testing.T) {
	hosttest.Run(t, func(t *testing.T) hosttest.Case {
		s, err := sandbox.New(sandbox.Config{Zones: []sandbox.Zone{{Name: "example.test", Host: "rfc2136"}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		name, secret := s.TSIG()
		h, err := rfc2136.New(rfc2136.Config{Server: s.Addr(sandbox.NS1), KeyName: name, Secret: secret})
		if err != nil {
			t.Fatal(err)
		}
		return hosttest.Case{Host: h, Zone: "example.test"}
	})
}
