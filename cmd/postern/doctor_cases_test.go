package main

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/sendbird"
	"github.com/postern-chat/postern/store"
)

// broken is a set-up that is not in order.
type broken struct {
	name  string
	codes []string // exactly what is to be found
	make  func(c *clinic)
	// mends: `postern setup --yes` mends it, with these arguments more; left are the codes
	// that stand afterwards. Whatever is somebody else's in the zone is there still.
	mends bool
	args  []string
	left  []string
}

func codes(list ...string) []string { return list }

func brokenConfigs() []broken {
	return []broken{
		{name: "an unknown key", codes: codes("CONFIG-READ"), make: func(c *clinic) { c.env["POSTERN_NOTIFY_WHEN"] = "sometimes" }},
		{name: "no public URL and no signing key", codes: codes("CONFIG-MISSING", "MAILGUN-SIGNING-OTHER"), make: func(c *clinic) {
			c.env["POSTERN_PUBLIC_URL"], c.env["POSTERN_MAILGUN_SIGNING_KEYS"] = "", ""
		}},
		{name: "a misspelt variable", codes: codes("CONFIG-REMARK"), make: func(c *clinic) { c.env["POSTERN_MAILGUN_DOMAN"] = "mg.example.com" }},
		{name: "a secret of zeros", codes: codes("CONFIG-SECRET-WEAK"), make: func(c *clinic) {
			c.env["POSTERN_SECRET"] = strings.Repeat("A", 43) + "="
			c.gateway = fakeGateway(c.t, c.env["POSTERN_SECRET"])
		}},
		{name: "a secret that is a sentence", codes: codes("CONFIG-SECRET-WEAK"), make: func(c *clinic) {
			c.env["POSTERN_SECRET"] = "Y29ycmVjdCBob3JzZSBiYXR0ZXJ5IHN0YXBsZSBhbmQgc29tZSBtb3Jl" // "correct horse ..."
			c.gateway = fakeGateway(c.t, c.env["POSTERN_SECRET"])
		}},
		{name: "a short admin token", codes: codes("CONFIG-ADMIN-SHORT"), make: func(c *clinic) { c.env["POSTERN_ADMIN_TOKEN"] = "letmein" }},
		{name: "the account key for a signing key", codes: codes("CONFIG-KEYS-SAME", "MAILGUN-SIGNING-OTHER"), make: func(c *clinic) {
			c.env["POSTERN_MAILGUN_SIGNING_KEYS"] = "key-sandbox-account"
		}},
		{name: "the signing key for a sending key", codes: codes("CONFIG-KEYS-SAME", "MAILGUN-SENDING-REFUSED"), make: func(c *clinic) {
			c.env["POSTERN_MAILGUN_SENDING_KEY"] = "key-sandbox-signing"
		}},
		{name: "the clock a minute fast", codes: codes("CLOCK-OFF"), make: func(c *clinic) { c.seams.now = func() time.Time { return time.Now().Add(time.Minute) } }},
		{name: "the clock six minutes slow", codes: codes("CLOCK-WRONG"), make: func(c *clinic) { c.seams.now = func() time.Time { return time.Now().Add(-6 * time.Minute) } }},
	}
}

func glance(g store.Glance, err error) func(context.Context, *Config) (store.Glance, error) {
	return func(context.Context, *Config) (store.Glance, error) { return g, err }
}

func brokenMachines() []broken {
	return []broken{
		{name: "no such database server", codes: codes("DB-OPEN"), make: func(c *clinic) { c.env["POSTERN_DATABASE"] = "postgres://u:hunter2@127.0.0.1:1/x" }},
		{name: "old tables", codes: codes("DB-OLD"), make: func(c *clinic) { c.seams.glance = glance(store.Glance{Exists: true, Version: 1, Latest: 2}, nil) }},
		{name: "new tables", codes: codes("DB-NEW"), make: func(c *clinic) { c.seams.glance = glance(store.Glance{Exists: true, Version: 3, Latest: 2}, nil) }},
		{name: "a slow database", codes: codes("DB-SLOW"), make: func(c *clinic) {
			c.seams.glance = glance(store.Glance{Exists: true, Version: 2, Latest: 2, Commit: 200 * time.Millisecond}, nil)
		}},
		{name: "a gateway that is stuck", codes: codes("DB-STUCK"), make: func(c *clinic) {
			u := c.serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
			c.env["POSTERN_LISTEN"] = strings.TrimPrefix(u, "http://")
		}},
		{name: "data_dir is a file", codes: codes("DISK-WRITE"), make: func(c *clinic) { c.env["POSTERN_DATA_DIR"] = "/dev/null/data" }},
		{name: "a full disk", codes: codes("DISK-FULL"), make: func(c *clinic) { c.seams.disk.Free = func(string) (uint64, bool) { return 5 << 20, true } }},
		{name: "a nearly full disk", codes: codes("DISK-LOW"), make: func(c *clinic) { c.seams.disk.Free = func(string) (uint64, bool) { return 500 << 20, true } }},
		{name: "a slow disk", codes: codes("DISK-SLOW"), make: func(c *clinic) {
			c.seams.disk.Sync = func(string) (time.Duration, error) { return 300 * time.Millisecond, nil }
		}},
	}
}

// moved has the services post to another public address than the one that is set now.
func moved(c *clinic, to string) {
	c.env["POSTERN_PUBLIC_URL"] = to
	c.chat.SetWebhook(sendbird.Webhook{URL: to + "/hooks/sendbird", IncludeMembers: true})
	c.mail.AddWebhook(clinicDomain, to+"/hooks/mailgun/events")
	c.noRoutes()
	c.route(0, `match_recipient(".*@mg.example.com")`, `forward("`+to+`/hooks/mailgun/inbound/mime")`, "stop()")
}

// proxy stands before the gateway.
func (c *clinic) proxy(h func(next http.Handler, w http.ResponseWriter, r *http.Request)) {
	next := c.gateway
	c.gateway = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h(next, w, r) })
}

// limit is a proxy that refuses bodies above a length.
func (c *clinic) limit(most int64) {
	c.proxy(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > most {
			w.Header().Set("Server", "nginx")
			http.Error(w, "413 Request Entity Too Large", http.StatusRequestEntityTooLarge)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func brokenAddresses() []broken {
	return []broken{
		{name: "plain http", codes: codes("URL-HTTP"), make: func(c *clinic) { moved(c, "http://"+clinicHost) }},
		{name: "another port", codes: codes("URL-PORT"), make: func(c *clinic) { moved(c, clinicURL+":8443") }},
		{name: "no address", codes: codes("URL-HOST"), make: func(c *clinic) { c.dns.Drop(clinicHost, "A") }},
		{name: "an address of the house", codes: codes("URL-INSIDE"), make: func(c *clinic) { c.swap("A", clinicHost, "192.168.1.10") }},
		{name: "no TLS", codes: codes("URL-TLS-NONE", "URL-SILENT"), make: func(c *clinic) { c.plain = true }},
		{name: "an expired certificate", codes: codes("URL-TLS-EXPIRED"), make: func(c *clinic) {
			c.serverCert = c.ca.issue(c.t, time.Now().Add(-time.Hour), clinicHost)
		}},
		{name: "a certificate of tomorrow", codes: codes("URL-TLS-EXPIRED"), make: func(c *clinic) {
			c.serverCert = c.ca.issue(c.t, time.Now().Add(91*24*time.Hour), clinicHost)
		}},
		{name: "a certificate about to end", codes: codes("URL-TLS-SOON"), make: func(c *clinic) {
			c.serverCert = c.ca.issue(c.t, time.Now().Add(3*24*time.Hour), clinicHost)
		}},
		{name: "somebody else's certificate", codes: codes("URL-TLS-NAME"), make: func(c *clinic) {
			c.serverCert = c.ca.issue(c.t, time.Now().Add(80*24*time.Hour), "www.example.com")
		}},
		{name: "a certificate that nobody knows", codes: codes("URL-TLS-CHAIN"), make: func(c *clinic) {
			c.serverCert = newAuthority(c.t).issue(c.t, time.Now().Add(80*24*time.Hour), clinicHost)
		}},
		{name: "nobody listens", codes: codes("URL-SILENT"), make: func(c *clinic) { c.closed = true }},
		{name: "a proxy with nobody behind it", codes: codes("URL-DOWN"), make: func(c *clinic) {
			c.gateway = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		}},
		{name: "another site", codes: codes("URL-OTHER"), make: func(c *clinic) {
			c.gateway = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<h1>It works!</h1>")) })
		}},
		{name: "a proxy that wants a password", codes: codes("URL-OTHER"), make: func(c *clinic) {
			c.gateway = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
		}},
		{name: "another gateway", codes: codes("URL-SECRET"), make: func(c *clinic) {
			c.gateway = fakeGateway(c.t, "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=")
		}},
		{name: "a redirect", codes: codes("URL-REDIRECT"), make: func(c *clinic) {
			c.gateway = http.RedirectHandler("https://www.example.com/", http.StatusMovedPermanently)
		}},
		{name: "a proxy that knows one path", codes: codes("URL-PATHS"), make: func(c *clinic) {
			c.proxy(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/hooks/mailgun") {
					http.NotFound(w, r)
					return
				}
				next.ServeHTTP(w, r)
			})
		}},
		{name: "bodies of one megabyte", codes: codes("URL-BODY-SMALL"), make: func(c *clinic) { c.limit(1 << 20) }},
		{name: "bodies of two megabytes", codes: codes("URL-BODY-LARGE"), make: func(c *clinic) { c.limit(2 << 20) }},
		{name: "a proxy that cuts bodies", codes: codes("URL-BODY-CHANGED"), make: func(c *clinic) {
			c.proxy(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					_, _ = io.Copy(io.Discard, r.Body)
					r.Body = http.NoBody
				}
				next.ServeHTTP(w, r)
			})
		}},
	}
}

func brokenMailguns() []broken {
	events := clinicURL + "/hooks/mailgun/events"
	return []broken{
		{name: "no account key", codes: codes("MAILGUN-KEY-NONE"), make: func(c *clinic) { c.env["POSTERN_MAILGUN_ACCOUNT_KEY"] = "" }},
		{name: "a wrong account key", codes: codes("MAILGUN-KEY-REFUSED"), make: func(c *clinic) { c.env["POSTERN_MAILGUN_ACCOUNT_KEY"] = "key-of-yesterday" }},
		{name: "a sending key as account key", codes: codes("MAILGUN-KEY-SCOPE"), make: func(c *clinic) { c.env["POSTERN_MAILGUN_ACCOUNT_KEY"] = "key-sandbox-sending" }},
		{name: "the other region", codes: codes("MAILGUN-REGION"), make: func(c *clinic) {
			empty, err := mailgun.New(mailgun.Config{Domains: []string{"other.example.org"}, Manual: true, TempDir: c.t.TempDir()})
			if err != nil {
				c.t.Fatal(err)
			}
			c.t.Cleanup(func() { _ = empty.Close() })
			c.seams.otherAPI = c.mailURL
			c.env["POSTERN_MAILGUN_API_URL"] = c.serve(empty.Handler())
		}},
		{name: "no way to Mailgun", codes: codes("MAILGUN-UNREACHABLE"), make: func(c *clinic) { c.env["POSTERN_MAILGUN_API_URL"] = "http://127.0.0.1:1" }},
		{name: "another site for Mailgun", codes: codes("MAILGUN-UNREACHABLE"), make: func(c *clinic) {
			c.mailHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("Mailgun Magnificent API")) })
		}},
		{name: "a wrong sending key", codes: codes("MAILGUN-SENDING-REFUSED"), make: func(c *clinic) { c.env["POSTERN_MAILGUN_SENDING_KEY"] = "key-of-yesterday" }},
		{name: "the account key sends", codes: codes("MAILGUN-KEY-WIDE"), make: func(c *clinic) { c.env["POSTERN_MAILGUN_SENDING_KEY"] = "key-sandbox-account" }},
		{name: "the domain is not there", codes: codes("MAILGUN-DOMAIN-NONE", "MAILGUN-SENDING-REFUSED"), make: func(c *clinic) { c.mg("DELETE", "/v3/domains/"+clinicDomain, nil) },
			mends: true},
		{name: "the domain is not verified", codes: codes("MAILGUN-UNVERIFIED", "DNS-MX-NONE", "DNS-SPF-NONE", "DNS-DKIM-NONE", "DNS-TRACK-NONE", "DNS-DMARC-NONE", "MAILGUN-RECORDS", "MAILGUN-RECORD-TRACK"), make: func(c *clinic) {
			for _, r := range c.mail.DNSRecords(clinicDomain) {
				c.dns.Drop(r.Name, r.Type)
			}
			c.dns.Drop("_dmarc."+clinicDomain, "TXT")
			c.mg("DELETE", "/v3/domains/"+clinicDomain, nil)
			c.mg("POST", "/v4/domains", url.Values{"name": {clinicDomain}, "dkim_key_size": {"2048"}, "spam_action": {"tag"}, "web_prefix": {"email"}})
			c.mg("PUT", "/v3/domains/"+clinicDomain+"/tracking/open", url.Values{"active": {"yes"}})
			c.mail.AddWebhook(clinicDomain, events)
		}, mends: true},
		{name: "the domain is disabled", codes: codes("MAILGUN-DISABLED"), make: func(c *clinic) {
			c.says("/v4/domains/"+clinicDomain, func(v map[string]any) { v["domain"].(map[string]any)["state"] = "disabled" })
		}},
		{name: "Mailgun's own domain for trying", codes: codes("MAILGUN-TRIAL"), make: func(c *clinic) {
			c.says("/v4/domains/"+clinicDomain, func(v map[string]any) { v["domain"].(map[string]any)["type"] = "sandbox" })
		}},
		{name: "spam is thrown away", codes: codes("MAILGUN-SPAM-BLOCK"), make: func(c *clinic) {
			c.mg("PUT", "/v4/domains/"+clinicDomain, url.Values{"spam_action": {"block"}})
		}},
		{name: "mail comes without verdicts", codes: codes("MAILGUN-SPAM-OFF"), mends: true, make: func(c *clinic) {
			c.mg("PUT", "/v4/domains/"+clinicDomain, url.Values{"spam_action": {"disabled"}})
		}},
		{name: "Mailgun looked too early", codes: codes("MAILGUN-RECORDS", "MAILGUN-RECORD-TRACK"), mends: true, make: func(c *clinic) {
			kept := c.mail.DNSRecords(clinicDomain)
			for _, r := range kept {
				c.dns.Drop(r.Name, r.Type)
			}
			c.mg("PUT", "/v4/domains/"+clinicDomain+"/verify", nil)
			for _, r := range kept {
				c.put(r.Type, r.Name, r.Value, r.Priority)
			}
		}},
		{name: "opens are not tracked", codes: codes("MAILGUN-TRACK-OFF"), mends: true, make: func(c *clinic) {
			c.mg("PUT", "/v3/domains/"+clinicDomain+"/tracking/open", url.Values{"active": {"no"}})
		}},
		{name: "Mailgun's own footer", codes: codes("MAILGUN-TRACK-UNSUBSCRIBE"), make: func(c *clinic) {
			c.mg("PUT", "/v3/domains/"+clinicDomain+"/tracking/unsubscribe", url.Values{"active": {"yes"}})
		}},
		{name: "the signing key was made anew", codes: codes("MAILGUN-SIGNING-OTHER"), make: func(c *clinic) { c.mail.RotateSigningKey() }},
		{name: "no route", codes: codes("MAILGUN-ROUTE-NONE"), mends: true, make: func(c *clinic) { c.noRoutes() }},
		{name: "a route of another domain", codes: codes("MAILGUN-ROUTE-MISS"), make: func(c *clinic) {
			c.noRoutes()
			c.route(0, `match_recipient(".*@old.example.com")`, `forward("`+clinicURL+`/hooks/mailgun/inbound/mime")`, "stop()")
		}},
		{name: "a route to where we were", codes: codes("MAILGUN-ROUTE-STALE"), make: func(c *clinic) {
			c.noRoutes()
			c.route(0, `match_recipient(".*@mg.example.com")`, `forward("https://old.example.com/hooks/mailgun/inbound/mime")`, "stop()")
		}},
		{name: "a route for parsed mail", codes: codes("MAILGUN-ROUTE-PARSED"), make: func(c *clinic) {
			c.noRoutes()
			c.route(0, `match_recipient(".*@mg.example.com")`, `forward("`+clinicURL+`/hooks/mailgun/inbound")`, "stop()")
		}},
		{name: "another route first", codes: codes("MAILGUN-ROUTE-CAUGHT"), make: func(c *clinic) {
			c.route(-1, `match_recipient(".*@.*example.com")`, `forward("https://helpdesk.example.org/in")`, "stop()")
		}},
		{name: "another route as well", codes: codes("MAILGUN-ROUTE-SHARED"), make: func(c *clinic) {
			c.route(-1, `match_recipient(".*@.*example.com")`, `store(notify="https://archive.example.org/in")`)
		}},
		{name: "another route alone", codes: codes("MAILGUN-ROUTE-NONE"), make: func(c *clinic) {
			c.noRoutes()
			c.route(5, `catch_all()`, `forward("office@example.org")`)
		}},
		{name: "no webhooks", codes: codes("MAILGUN-HOOK-NONE"), mends: true, make: func(c *clinic) {
			c.mg("DELETE", "/v4/domains/"+clinicDomain+"/webhooks?url="+url.QueryEscape(events), nil)
		}},
		{name: "one webhook is missing", codes: codes("MAILGUN-HOOK-NONE"), mends: true, make: func(c *clinic) {
			c.mg("DELETE", "/v3/domains/"+clinicDomain+"/webhooks/opened", nil)
		}},
		{name: "webhooks to where we were", codes: codes("MAILGUN-HOOK-STALE"), mends: true, args: codes("--replace"), make: func(c *clinic) {
			c.mg("DELETE", "/v4/domains/"+clinicDomain+"/webhooks?url="+url.QueryEscape(events), nil)
			c.mail.AddWebhook(clinicDomain, "https://old.example.com/hooks/mailgun/events")
		}},
		{name: "no room for webhooks", codes: codes("MAILGUN-HOOK-FULL"), make: func(c *clinic) {
			c.mg("DELETE", "/v4/domains/"+clinicDomain+"/webhooks?url="+url.QueryEscape(events), nil)
			for _, host := range []string{"a", "b", "c"} {
				c.mail.AddWebhook(clinicDomain, "https://"+host+".example.org/events")
			}
		}},
		{name: "a suppressed person", codes: codes("MAILGUN-PEOPLE-SUPPRESSED"), make: func(c *clinic) {
			c.mg("POST", "/v3/"+clinicDomain+"/bounces", url.Values{"address": {"Ana@people.example"}, "code": {"550"}})
			c.seams.glance = glance(store.Glance{Exists: true, Version: 1, Latest: 1, People: []postern.Person{{UserID: "ana", Email: "ana@people.example"}}}, nil)
		}},
	}
}

func brokenSendbirds() []broken {
	hook := func(settings map[string]any) func(*clinic) {
		return func(c *clinic) { c.sb("PUT", "/applications/settings/webhook", settings) }
	}
	return []broken{
		{name: "a wrong token", codes: codes("SENDBIRD-TOKEN"), make: func(c *clinic) { c.env["POSTERN_SENDBIRD_API_TOKEN"] = "0123456789" }},
		{name: "a closed application", codes: codes("SENDBIRD-APP"), make: func(c *clinic) { c.chat.AddFault(sendbird.Fault{Status: 403, Code: 403100}) }},
		{name: "no way to Sendbird", codes: codes("SENDBIRD-UNREACHABLE"), make: func(c *clinic) { c.env["POSTERN_SENDBIRD_API_URL"] = "http://127.0.0.1:1/v3" }},
		{name: "another site for Sendbird", codes: codes("SENDBIRD-UNREACHABLE"), make: func(c *clinic) {
			c.env["POSTERN_SENDBIRD_API_URL"] = c.serve(http.NotFoundHandler()) + "/v3"
		}},
		{name: "an address that may not call", codes: codes("SENDBIRD-DENIED"), make: func(c *clinic) {
			c.sb("PUT", "/applications/settings/ip_whitelist", map[string]any{"ip_whitelist_addresses": []string{"203.0.113.99"}})
		}},
		{name: "no calls left", codes: codes("SENDBIRD-RATE-NONE"), make: func(c *clinic) {
			c.chat.AddFault(sendbird.Fault{Path: "/v3/applications/settings/webhook", Status: 429, Code: 500910})
		}},
		{name: "no webhook", codes: codes("SENDBIRD-HOOK-NONE"), mends: true, make: hook(map[string]any{"enabled": false, "url": ""})},
		{name: "somebody else's webhook", codes: codes("SENDBIRD-HOOK-OTHER"), mends: true, args: codes("--replace"), make: hook(map[string]any{"url": "https://bot.example.org/secret-path"})},
		{name: "a webhook to where we were", codes: codes("SENDBIRD-HOOK-STALE"), mends: true, args: codes("--replace"), make: hook(map[string]any{"url": "https://old.example.com/hooks/sendbird"})},
		{name: "the webhook is off", codes: codes("SENDBIRD-HOOK-OFF"), mends: true, make: hook(map[string]any{"enabled": false})},
		{name: "messages are not posted", codes: codes("SENDBIRD-EVENTS"), mends: true, make: hook(map[string]any{"enabled_events": []string{"group_channel:message_read", "user:block"}})},
		{name: "edits are not posted", codes: codes("SENDBIRD-EVENTS-SOME"), mends: true, make: hook(map[string]any{"enabled_events": []string{"group_channel:message_send", "group_channel:message_read"}})},
		{name: "members are not listed", codes: codes("SENDBIRD-MEMBERS"), mends: true, make: hook(map[string]any{"include_members": false})},
		{name: "a secondary token verifies", codes: codes("SENDBIRD-MASTER-SECONDARY"), make: func(c *clinic) {
			_, token, _ := strings.Cut(c.sb("POST", "/applications/api_tokens", map[string]any{}), `"token":"`)
			c.env["POSTERN_SENDBIRD_API_TOKEN"] = token[:40]
		}},
		{name: "a wrong master token", codes: codes("SENDBIRD-MASTER-WRONG"), make: func(c *clinic) {
			c.env["POSTERN_SENDBIRD_MASTER_TOKEN"] = strings.Repeat("0", 40)
		}},
		{name: "a list of callers", codes: codes("SENDBIRD-ALLOWLIST-ON"), make: func(c *clinic) {
			c.sb("PUT", "/applications/settings/ip_whitelist", map[string]any{"ip_whitelist_addresses": []string{"127.0.0.1"}})
		}},
		{name: "no delivery receipts", codes: codes("SENDBIRD-RECEIPTS-OFF"), make: func(c *clinic) {
			if err := c.chat.SetSwitches(sendbird.Switches{NoDeliveryReceipts: true}); err != nil {
				c.t.Fatal(err)
			}
			for _, u := range []string{"ana", "bob"} {
				c.sb("POST", "/users", map[string]any{"user_id": u, "nickname": u, "profile_url": ""})
			}
			c.sb("POST", "/group_channels", map[string]any{"channel_url": "support-1", "user_ids": []string{"ana", "bob"}})
			c.sb("POST", "/group_channels/support-1/messages", map[string]any{"message_type": "MESG", "user_id": "ana", "message": "hi"})
			c.sb("PUT", "/group_channels/support-1/messages/mark_as_read", map[string]any{"user_id": "bob"})
		}},
	}
}
