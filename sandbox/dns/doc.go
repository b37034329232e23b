// Package dns emulates the part of the world's DNS that a mail domain is set up in: a
// zone store, the name servers and the resolver that answer from it, and the ways in
// which its records are changed: GoDaddy's Domains API v1 and v3, Cloudflare's API v4
// and RFC 2136 updates. With the limits, error texts and traps of each, and with
// failures on demand.
//
// It behaves as the team's collected facts say (facts/dns-sms-hosting.md section 1);
// what is unknown there is a field of Switches. It shares no code with Postern's DNS
// hosts and imports nothing of Postern, so that one misreading of an API cannot hide on
// both sides.
//
// Over HTTP, one server answers for all: /v1 and /v3 are GoDaddy's (below /ote/ its test
// environment), /client/v4 is Cloudflare's. Everything under /_emulator/ is nobody's:
// there the book of what was asked is read, faults are set, zones are made and looked
// at, and state is reset.
package dns
