package conformance

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	mailgunsdk "github.com/mailgun/mailgun-go/v5"
	"github.com/mailgun/mailgun-go/v5/mtypes"
	"github.com/postern-chat/postern/sandbox/mailgun"
)

type switches = mailgun.Switches

func goRoutes(t *testing.T, c *goSDK) {
	made := must(c.CreateRoute(c.ctx, mtypes.Route{Priority: 2, Description: "d", Expression: `match_recipient(".*@` + domain + `")`,
		Actions: []string{`forward("` + c.w.hooks.url + `/in")`, "stop()"}}))(t, "CreateRoute")
	same(t, "description", made.Description, "d")
	same(t, "actions", len(made.Actions), 2)
	same(t, "created_at is there", made.CreatedAt.IsZero(), false)
	second := must(c.CreateRoute(c.ctx, mtypes.Route{Priority: 1, Expression: "catch_all()", Actions: []string{"stop()"}}))(t, "CreateRoute")

	got := must(c.GetRoute(c.ctx, made.Id))(t, "GetRoute")
	same(t, "expression", got.Expression, made.Expression)
	next := must(c.UpdateRoute(c.ctx, made.Id, mtypes.Route{Priority: 5, Description: "e"}))(t, "UpdateRoute")
	same(t, "priority", next.Priority, 5)
	same(t, "expression after the update", next.Expression, made.Expression)

	it := c.ListRoutes(&mailgunsdk.ListOptions{Limit: 1})
	ids, page := []string{}, []mtypes.Route{}
	for it.Next(c.ctx, &page) {
		same(t, "page", len(page), 1)
		ids = append(ids, page[0].Id)
	}
	ok(t, "ListRoutes", it.Err())
	same(t, "total", it.TotalCount, 2)
	same(t, "order is by priority", strings.Join(ids, " "), second.Id+" "+made.Id)
	ok(t, "DeleteRoute", c.DeleteRoute(c.ctx, second.Id))
	same(t, "status of a second delete", mailgunsdk.GetStatusFromErr(c.DeleteRoute(c.ctx, second.Id)), 404)
}

// goInbound: a mail taken by a route is read with the SDK's own helper.
func goInbound(t *testing.T, c *goSDK) {
	got := make(chan mailgunsdk.ForwardedMessage, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1 << 20); err != nil && err != http.ErrNotMultipart {
			t.Error(err)
		}
		got <- mailgunsdk.ExtractForwardedMessage(r.Form)
	}))
	t.Cleanup(srv.Close)
	must(c.CreateRoute(c.ctx, mtypes.Route{Expression: "catch_all()", Actions: []string{`forward("` + srv.URL + `/in")`}}))(t, "CreateRoute")
	raw := "From: Bob <" + bob + ">\r\nTo: ana@" + domain + "\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <in.1@example.org>\r\nDate: Mon, 02 Nov 2026 09:00:00 +0000\r\n" +
		"Content-Type: text/plain; charset=utf-8\r\n\r\nYes.\r\n\r\nOn Mon, 2 Nov 2026, Ana wrote:\r\n> Really?\r\n"
	ok(t, "Receive", c.w.mg.Receive(c.ctx, bob, []string{"ana@" + domain}, strings.NewReader(raw)))
	c.w.settle()
	m := <-got
	same(t, "recipient", m.Recipient, "ana@"+domain)
	same(t, "sender", m.Sender, bob)
	same(t, "from", m.From, "Bob <"+bob+">")
	same(t, "subject", m.Subject, "Grüße")
	same(t, "stripped text", strings.TrimSpace(m.StrippedText), "Yes.")
	same(t, "the plain body has the quote", strings.Contains(m.BodyPlain, "> Really?"), true)
	same(t, "a header", m.MessageHeaders["Message-Id"], "<in.1@example.org>")
}

func goDomains(t *testing.T, c *goSDK) {
	made := must(c.CreateDomain(c.ctx, "new.example.net", &mailgunsdk.CreateDomainOptions{SpamAction: mtypes.SpamActionTag, Wildcard: true,
		DKIMKeySize: 2048, WebScheme: "https", WebPrefix: "track", RequireTLS: true}))(t, "CreateDomain")
	d := made.Domain
	same(t, "name", d.Name, "new.example.net")
	same(t, "state", d.State, "unverified")
	same(t, "spam action", d.SpamAction, mtypes.SpamActionTag)
	same(t, "wildcard", d.Wildcard, true)
	same(t, "require_tls", d.RequireTLS, true)
	same(t, "web", d.WebScheme+" "+d.WebPrefix, "https track")
	same(t, "smtp login", d.SMTPLogin, "postmaster@new.example.net")
	same(t, "created_at is there", d.CreatedAt.IsZero(), false)
	same(t, "receiving records", len(made.ReceivingDNSRecords), 2)
	same(t, "sending records", len(made.SendingDNSRecords), 3)
	same(t, "a priority", made.ReceivingDNSRecords[0].Priority, "10")

	c.w.mg.VerifyDNS("new.example.net")
	checked := must(c.VerifyDomain(c.ctx, "new.example.net"))(t, "VerifyDomain")
	same(t, "state", checked.Domain.State, "active")
	same(t, "a record", checked.SendingDNSRecords[0].Active, true)
	must(c.VerifyAndReturnDomain(c.ctx, "new.example.net"))(t, "VerifyAndReturnDomain")

	ok(t, "UpdateDomainDkimSelector", c.UpdateDomainDkimSelector(c.ctx, "new.example.net", "s2"))

	no, ttl := false, 3600
	ok(t, "UpdateDomain", c.UpdateDomain(c.ctx, "new.example.net", &mailgunsdk.UpdateDomainOptions{SpamAction: mtypes.SpamActionDisabled,
		Wildcard: &no, RequireTLS: &no, WebPrefix: "email", MessageTTL: &ttl}))
	yes := true
	got := must(c.GetDomain(c.ctx, "new.example.net", &mailgunsdk.GetDomainOptions{Extended: &yes, WithDNS: &yes}))(t, "GetDomain").Domain
	same(t, "spam action", got.SpamAction, mtypes.SpamActionDisabled)
	same(t, "wildcard", got.Wildcard, false)
	same(t, "web prefix", got.WebPrefix, "email")
	same(t, "message ttl", got.MessageTTL, 3600)
	// The SDK's own constant is not what the API takes.
	err := c.UpdateDomain(c.ctx, "new.example.net", &mailgunsdk.UpdateDomainOptions{SpamAction: mtypes.SpamActionDelete})
	same(t, "status of spam action delete", mailgunsdk.GetStatusFromErr(err), 400)

	state, sort := mtypes.DomainStateActive, "name:desc"
	it := c.ListDomains(&mailgunsdk.ListDomainsOptions{Limit: 1, State: &state, Sort: &sort})
	names, page := []string{}, []mtypes.Domain{}
	for it.Next(c.ctx, &page) {
		same(t, "page", len(page), 1)
		names = append(names, page[0].Name)
	}
	ok(t, "ListDomains", it.Err())
	same(t, "domains", strings.Join(names, " "), "new.example.net "+domain)
	ok(t, "DeleteDomain", c.DeleteDomain(c.ctx, "new.example.net"))
	_, err = c.GetDomain(c.ctx, "new.example.net", nil)
	same(t, "status after the delete", mailgunsdk.GetStatusFromErr(err), 404)
}

func goTracking(t *testing.T, c *goSDK) {
	ok(t, "UpdateOpenTracking", c.UpdateOpenTracking(c.ctx, domain, "yes"))
	ok(t, "UpdateClickTracking", c.UpdateClickTracking(c.ctx, domain, "htmlonly"))
	ok(t, "UpdateUnsubscribeTracking", c.UpdateUnsubscribeTracking(c.ctx, domain, "yes", "<p>bye</p>", "bye"))
	got := must(c.GetDomainTracking(c.ctx, domain))(t, "GetDomainTracking")
	same(t, "open", got.Open.Active, true)
	same(t, "click", got.Click.Active, true)
	same(t, "unsubscribe", got.Unsubscribe, mtypes.TrackingStatus{Active: true, HTMLFooter: "<p>bye</p>", TextFooter: "bye"})
	ok(t, "UpdateOpenTracking", c.UpdateOpenTracking(c.ctx, domain, "no"))
	same(t, "open", must(c.GetDomainTracking(c.ctx, domain))(t, "GetDomainTracking").Open.Active, false)
	same(t, "status of nonsense", mailgunsdk.GetStatusFromErr(c.UpdateOpenTracking(c.ctx, domain, "perhaps")), 400)
}

func goBounces(t *testing.T, c *goSDK) {
	ok(t, "AddBounce", c.AddBounce(c.ctx, domain, "a@example.org", "550", "no such user"))
	ok(t, "AddBounces", c.AddBounces(c.ctx, domain, []mtypes.Bounce{{Address: "b@example.org", Code: "551"}, {Address: "c+d@example.org", Error: "x"}}))
	one := must(c.GetBounce(c.ctx, domain, "a@example.org"))(t, "GetBounce")
	same(t, "code", one.Code, "550")
	same(t, "error", one.Error, "no such user")
	same(t, "created_at is there", one.CreatedAt.IsZero(), false)
	same(t, "an address with +", must(c.GetBounce(c.ctx, domain, "c+d@example.org"))(t, "GetBounce").Address, "c+d@example.org")

	it := c.ListBounces(domain, &mailgunsdk.ListOptions{Limit: 2})
	all, page := []string{}, []mtypes.Bounce{}
	for it.Next(c.ctx, &page) {
		for _, b := range page {
			all = append(all, b.Address)
		}
	}
	ok(t, "ListBounces", it.Err())
	same(t, "bounces", strings.Join(all, " "), "a@example.org b@example.org c+d@example.org")
	same(t, "First", it.First(c.ctx, &page), true)
	same(t, "on the first page", len(page), 2)
	same(t, "Last", it.Last(c.ctx, &page), true)
	same(t, "last of the last page", page[len(page)-1].Address, "c+d@example.org")

	ok(t, "DeleteBounce", c.DeleteBounce(c.ctx, domain, "a@example.org"))
	_, err := c.GetBounce(c.ctx, domain, "a@example.org")
	same(t, "status after the delete", mailgunsdk.GetStatusFromErr(err), 404)
	ok(t, "DeleteBounceList", c.DeleteBounceList(c.ctx, domain))
	same(t, "anything left", c.ListBounces(domain, nil).Next(c.ctx, &page), false)
}

func goUnsubscribes(t *testing.T, c *goSDK) {
	ok(t, "CreateUnsubscribe", c.CreateUnsubscribe(c.ctx, domain, "a@example.org", "*"))
	ok(t, "CreateUnsubscribe", c.CreateUnsubscribe(c.ctx, domain, "t@example.org", "news"))
	ok(t, "CreateUnsubscribes", c.CreateUnsubscribes(c.ctx, domain, []mtypes.Unsubscribe{{Address: "b@example.org", Tags: []string{"news", "gw"}}, {Address: "c@example.org"}}))
	// The SDK's form field is `tag`, which the API does not know: it unsubscribes from everything.
	for address, want := range map[string]string{"a@example.org": "*", "b@example.org": "news,gw", "c@example.org": "*", "t@example.org": "*"} {
		got := must(c.GetUnsubscribe(c.ctx, domain, address))(t, "GetUnsubscribe")
		same(t, "tags of "+address, strings.Join(got.Tags, ","), want)
	}
	it := c.ListUnsubscribes(domain, &mailgunsdk.ListOptions{Limit: 3})
	n, page := 0, []mtypes.Unsubscribe{}
	for it.Next(c.ctx, &page) {
		n += len(page)
	}
	ok(t, "ListUnsubscribes", it.Err())
	same(t, "unsubscribes", n, 4)
	ok(t, "DeleteUnsubscribeWithTag", c.DeleteUnsubscribeWithTag(c.ctx, domain, "b@example.org", "news"))
	ok(t, "DeleteUnsubscribe", c.DeleteUnsubscribe(c.ctx, domain, "a@example.org"))
	_, err := c.GetUnsubscribe(c.ctx, domain, "a@example.org")
	same(t, "status after the delete", mailgunsdk.GetStatusFromErr(err), 404)
}

func goComplaints(t *testing.T, c *goSDK) {
	ok(t, "CreateComplaint", c.CreateComplaint(c.ctx, domain, "a@example.org"))
	ok(t, "CreateComplaints", c.CreateComplaints(c.ctx, domain, []string{"b@example.org", "c@example.org"}))
	got := must(c.GetComplaint(c.ctx, domain, "b@example.org"))(t, "GetComplaint")
	same(t, "address", got.Address, "b@example.org")
	same(t, "created_at is there", got.CreatedAt.IsZero(), false)
	it := c.ListComplaints(domain, &mailgunsdk.ListOptions{Limit: 2})
	n, page := 0, []mtypes.Complaint{}
	for it.Next(c.ctx, &page) {
		n += len(page)
	}
	ok(t, "ListComplaints", it.Err())
	same(t, "complaints", n, 3)
	ok(t, "DeleteComplaint", c.DeleteComplaint(c.ctx, domain, "a@example.org"))
	_, err := c.GetComplaint(c.ctx, domain, "a@example.org")
	same(t, "status after the delete", mailgunsdk.GetStatusFromErr(err), 404)
}

func goKeys(t *testing.T, c *goSDK) {
	made := must(c.CreateAPIKey(c.ctx, "sending", &mailgunsdk.CreateAPIKeyOptions{Kind: "domain", DomainName: domain, Description: "d"}))(t, "CreateAPIKey")
	if made.ID == "" || made.Secret == "" {
		t.Fatalf("the key is %+v", made)
	}
	same(t, "role", made.Role, "sending")
	list := must(c.ListAPIKeys(c.ctx, &mailgunsdk.ListAPIKeysOptions{Kind: "domain", DomainName: domain}))(t, "ListAPIKeys")
	found := false
	for _, k := range list {
		found = found || (k.ID == made.ID && k.Description == "d" && k.Secret == "" && k.DomainName == domain)
	}
	same(t, "the key is listed without its secret", found, true)

	only := mailgunsdk.NewMailgun(made.Secret)
	ok(t, "SetAPIBase", only.SetAPIBase(c.w.url))
	m := mailgunsdk.NewMessage(domain, "ana@"+domain, "s", "t", bob)
	ok(t, "AddTag", m.AddTag("one", "two"))
	must(only.Send(c.ctx, m))(t, "Send with the new key")
	_, err := only.ListAPIKeys(c.ctx, nil)
	same(t, "status of a sending key that asks for more", mailgunsdk.GetStatusFromErr(err), 401)
	ok(t, "DeleteAPIKey", c.DeleteAPIKey(c.ctx, made.ID))
	_, err = only.Send(c.ctx, m)
	same(t, "status of a key that is gone", mailgunsdk.GetStatusFromErr(err), 401)

	limits := must(c.GetTagLimits(c.ctx, domain))(t, "GetTagLimits")
	same(t, "limit", limits.Limit, 20_000)
	same(t, "count", limits.Count, 2)
}
