package doctor

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/postern-chat/postern"
)

// Settings are what the configuration says, as far as it can be judged by itself.
type Settings struct {
	// Origin is where it was read, for the evidence.
	Origin string
	// Missing are keys without which the gateway does not start.
	Missing []string
	// Warnings are the remarks that reading it gave.
	Warnings []string
	// Secret is the value of `secret`; AdminToken that of `admin_token`.
	Secret, AdminToken string
	// Keys are all keys and tokens of services by their names in the configuration. Pairs
	// named in MaySame may have the same value.
	Keys    map[string]string
	MaySame [][2]string
	// Region and APIURL are the e-mail provider's, Domain ours there.
	Region, APIURL, Domain string
	// Regions are the provider's own addresses by region.
	Regions map[string]string
}

// Checks gives the checks of the settings.
func (s Settings) Checks() []Check {
	return []Check{
		{Subject: "CONFIG", Ask: func(context.Context) []postern.Finding { return s.whole() }},
		{Subject: "CONFIG-KEYS", Ask: func(context.Context) []postern.Finding { return s.keys() }},
	}
}

// Unreadable is the report on a configuration that cannot be read: a finding for each line.
func Unreadable(lines []string) Report {
	var r Report
	for _, line := range lines {
		r.Findings = append(r.Findings, Found("CONFIG-READ", "%s", line))
	}
	return r
}

func (s Settings) whole() []postern.Finding {
	var out []postern.Finding
	for _, m := range s.Missing {
		out = append(out, Found("CONFIG-MISSING", "%s", m))
	}
	for _, w := range s.Warnings {
		out = append(out, Found("CONFIG-REMARK", "%s", w))
	}
	for region, address := range s.Regions {
		if region != s.Region && strings.EqualFold(strings.TrimRight(s.APIURL, "/"), address) {
			out = append(out, mend(Found("CONFIG-REGION", "mailgun.region is %s, but mailgun.api_url is the address of region %s", s.Region, region),
				"Leave mailgun.api_url out, and set mailgun.region to the region that the domain lives in."))
		}
	}
	if len(out) == 0 {
		out = append(out, OK("CONFIG", "read from %s; nothing is missing", s.Origin))
	}
	return out
}

func (s Settings) keys() []postern.Finding {
	var out []postern.Finding
	if weak := weakKey(s.Secret); weak != "" {
		out = append(out, Found("CONFIG-SECRET-WEAK", "secret: %s", weak))
	}
	const least = 16
	if s.AdminToken != "" && len(s.AdminToken) < least {
		out = append(out, Found("CONFIG-ADMIN-SHORT", "admin_token has %d characters", len(s.AdminToken)))
	}
	names := make([]string, 0, len(s.Keys))
	for name, value := range s.Keys {
		if value != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for i, a := range names {
		for _, b := range names[i+1:] {
			if s.Keys[a] != s.Keys[b] || slices.Contains(s.MaySame, [2]string{a, b}) || slices.Contains(s.MaySame, [2]string{b, a}) {
				continue
			}
			out = append(out, Found("CONFIG-KEYS-SAME", "%s and %s have the same value; they are different things", a, b))
		}
	}
	if len(out) == 0 {
		out = append(out, OK("CONFIG-KEYS", "%d keys and tokens, none of them twice", len(names)))
	}
	return out
}

// weakKey tells why a key can be guessed, without repeating any of it.
func weakKey(secret string) string {
	for i, part := range strings.Split(secret, ",") {
		text := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(strings.TrimSpace(part), "="))
		key, err := base64.RawStdEncoding.DecodeString(text)
		if err != nil || len(key) == 0 {
			continue // reading the configuration said so
		}
		different := map[byte]bool{}
		letters := true
		for _, b := range key {
			different[b] = true
			letters = letters && b >= ' ' && b < 0x7f
		}
		// 32 random bytes have 30 different ones; fewer than 16 do not happen.
		if len(different) < 16 {
			return fmt.Sprintf("key %d has only %d different bytes", i+1, len(different))
		}
		if letters { // a chance of 1 in 10^13
			return fmt.Sprintf("key %d is readable text, not random bytes", i+1)
		}
	}
	return ""
}
