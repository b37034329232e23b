package doctor

import "github.com/postern-chat/postern"

func mailgunSubjects() []Subject {
	return []Subject{
		{"MAILGUN-KEY", "account key", "`curl -s --user api:KEY https://api.mailgun.net/v4/domains/DOMAIN` (api.eu.mailgun.net in Europe).", []Problem{
			{"MAILGUN-KEY-NONE", postern.Warning, "there is no account key", "Without it nothing can be asked about the account.", "An uncertain send cannot be looked up and may go out twice; suppressions cannot be lifted; the doctor sees half.", "Make a key at Mailgun (API Security) and set `mailgun.account_key`.", false},
			{"MAILGUN-KEY-REFUSED", postern.Failure, "the account key is refused", "It is wrong, revoked, or of another account.", "As if there were none; setup does not work.", "Make a key at Mailgun (API Security) and set `mailgun.account_key`.", false},
			{"MAILGUN-KEY-SCOPE", postern.Failure, "the account key is a domain sending key", "It can send for the domain and do nothing else.", "As if there were none; setup does not work.", "Put that key into `mailgun.sending_key`, and an account key into `mailgun.account_key`.", false},
			{"MAILGUN-REGION", postern.Failure, "the domain is in the other region", "Mailgun's two regions know nothing of each other.", "No mail goes out.", "Set `mailgun.region`.", false},
			{"MAILGUN-UNREACHABLE", postern.Failure, "Mailgun's API cannot be reached", "No connection, or something else answers there.", "No mail goes out; it waits.", "Check the way out (proxy, firewall) and `mailgun.api_url`.", false},
		}},
		{"MAILGUN-SENDING", "sending key", "`curl --user api:KEY https://api.mailgun.net/v3/DOMAIN/messages -F o:testmode=yes` says 400 for a good key, 401 for a bad one.", []Problem{
			{"MAILGUN-SENDING-REFUSED", postern.Failure, "the sending key may not send for the domain", "It is wrong, revoked, or of another domain.", "No mail goes out.", "Make a domain sending key at Mailgun (Sending > Domain settings > Sending keys) and set `mailgun.sending_key`.", false},
			{"MAILGUN-KEY-WIDE", postern.Warning, "the sending key can change the whole account", "It is an account key; sending needs less.", "None; but whoever gets hold of the running gateway's key has the account.", "Use a domain sending key.", false},
		}},
		{"MAILGUN-DOMAIN", "domain at Mailgun", "Mailgun's page, Sending > Domains; or `GET /v4/domains/DOMAIN`.", []Problem{
			{"MAILGUN-DOMAIN-NONE", postern.Failure, "Mailgun does not know the domain", "It was never made, was deleted, or belongs to another account.", "No mail goes out.", "Run `postern setup`, or correct `mailgun.domain`.", true},
			{"MAILGUN-UNVERIFIED", postern.Failure, "the domain is not verified", "Mailgun has not found the DNS records that it wants.", "At most 300 mails a day go out, or none.", "Mend what the DNS part says, then run `postern setup`, which asks Mailgun to look again.", true},
			{"MAILGUN-DISABLED", postern.Failure, "the domain is disabled", "Mailgun has stopped it: complaints, bounces, or a bill.", "No mail goes out.", "Ask Mailgun's support.", false},
			{"MAILGUN-TRIAL", postern.Warning, "the domain is Mailgun's sandbox", "It writes to five addresses that have agreed, and to nobody else.", "Everybody else gets no mail.", "Use a domain of your own.", false},
			{"MAILGUN-SPAM-BLOCK", postern.Warning, "Mailgun throws away what it takes for spam", "The domain's spam filter is set to block.", "An answer that looks like spam never arrives, and nobody is told.", "Set the filter to tag: the gateway judges by itself.", false},
			{"MAILGUN-SPAM-OFF", postern.Warning, "mail comes in without Mailgun's verdicts", "The domain's spam filter is off; what Mailgun found about SPF and DKIM comes with the mail only if it is set to tag.", "Forged answers are harder to tell from true ones.", "Run `postern setup`: it sets the filter to tag, which refuses nothing.", true},
			{"MAILGUN-RECORDS", postern.Failure, "Mailgun does not find DNS records that mail needs", "By its own look at MX, SPF and DKIM. It looks seldom, so this may be old.", "Mail is not delivered, or lands in spam; answers do not come in.", "Mend what the DNS part says; `postern setup` asks Mailgun to look again.", true},
			{"MAILGUN-RECORD-TRACK", postern.Warning, "Mailgun does not find the tracking record", "By its own look at the CNAME.", "Opens are not seen; the chat does not show that mail was read.", "Mend what DNS-TRACK says; `postern setup` asks Mailgun to look again.", true},
		}},
		{"MAILGUN-TRACK", "tracking settings", "`GET /v3/domains/DOMAIN/tracking`.", []Problem{
			{"MAILGUN-TRACK-OFF", postern.Warning, "tracking of opens is off for the domain", "The gateway asks for it with each mail, which not every plan grants over the domain's setting.", "The chat may not show that mail was read.", "Run `postern setup`, or switch it on at Mailgun.", true},
			{"MAILGUN-TRACK-UNSUBSCRIBE", postern.Warning, "Mailgun adds its own unsubscribe link", "Its footer and list stand beside ours; who uses it is suppressed for the whole domain.", "People leave one conversation and get no mail from any.", "Switch unsubscribe tracking off for the domain.", false},
		}},
		{"MAILGUN-SIGNING", "signing key", "Mailgun's page, API Security > HTTP webhook signing key.", []Problem{
			{"MAILGUN-SIGNING-OTHER", postern.Failure, "Mailgun signs with a key that we do not have", "It was regenerated, or another key stands in its place here.", "Every answer by mail and every event is refused with 401.", "Copy the HTTP webhook signing key into `mailgun.signing_keys` (keep the old one behind it for eight hours).", false},
		}},
		{"MAILGUN-ROUTE", "route of inbound mail", "`GET /v3/routes/match?address=x@DOMAIN`.", []Problem{
			{"MAILGUN-ROUTE-NONE", postern.Failure, "no route brings mail to us", "Mailgun takes mail for the domain and does not post it here.", "Answers do not reach the chat.", "Run `postern setup`.", true},
			{"MAILGUN-ROUTE-MISS", postern.Failure, "our route does not match our addresses", "Its expression was changed, or is of another domain.", "Answers do not reach the chat.", "Run `postern setup`, or correct the expression.", true},
			{"MAILGUN-ROUTE-STALE", postern.Failure, "the route posts to another address of ours", "`public_url` changed since it was made.", "Answers go to where the gateway was.", "Run `postern setup`.", true},
			{"MAILGUN-ROUTE-PARSED", postern.Warning, "the route posts parsed mail", "Our address without `/mime` gets Mailgun's own idea of the mail.", "Attachments with odd names are lost; forgeries are harder to tell.", "Let the route forward to the address that ends in `/mime`.", false},
			{"MAILGUN-ROUTE-CAUGHT", postern.Failure, "another route takes our mail first", "Routes are the account's; one with a smaller number matches and stops.", "Answers go somewhere else.", "Give ours a smaller number, or make the other more precise.", false},
			{"MAILGUN-ROUTE-SHARED", postern.Warning, "another route takes our mail as well", "It matches first and does not stop.", "Answers are read by somebody else too.", "Make the other route more precise, unless it is meant.", false},
		}},
		{"MAILGUN-HOOK", "event webhooks", "`GET /v3/domains/DOMAIN/webhooks`.", []Problem{
			{"MAILGUN-HOOK-NONE", postern.Failure, "events are not posted to us", "For the events that are named there is no webhook to our address.", "Delivery, reading or failure of mail does not show in the chat; bounced addresses are written to again.", "Run `postern setup`.", true},
			{"MAILGUN-HOOK-STALE", postern.Failure, "events are posted to another address of ours", "`public_url` changed since they were made.", "As if there were none.", "Run `postern setup`.", true},
			{"MAILGUN-HOOK-FULL", postern.Failure, "there is no place for our webhook", "Mailgun keeps three addresses for an event, and all are others'.", "As if there were none.", "Take one away that nobody needs, then run `postern setup`.", false},
		}},
		{"MAILGUN-PEOPLE", "suppressed people", "`GET /v3/DOMAIN/bounces/ADDRESS`, also `complaints` and `unsubscribes`.", []Problem{
			{"MAILGUN-PEOPLE-SUPPRESSED", postern.Warning, "people we know are on Mailgun's lists", "They bounced, complained or unsubscribed before; Mailgun takes mail for them and does not send it.", "They get no mail.", "Find out why, then `postern people lift USER`.", false},
		}},
	}
}

func sendbirdSubjects() []Subject {
	return []Subject{
		{"SENDBIRD-API", "application and token", "`curl -s -H \"Api-Token: TOKEN\" https://api-APP_ID.sendbird.com/v3/applications/settings/webhook`.", []Problem{
			{"SENDBIRD-TOKEN", postern.Failure, "the token is refused", "It is wrong, revoked, or of another application.", "Nothing works: no mail is written, no answer posted.", "Copy a token from the dashboard: Settings > Application > General > API tokens.", false},
			{"SENDBIRD-APP", postern.Failure, "there is no such application", "The application's host does not exist, or it is closed.", "Nothing works.", "Copy the application id from the dashboard; look whether the plan has ended.", false},
			{"SENDBIRD-UNREACHABLE", postern.Failure, "Sendbird's API cannot be reached", "No connection, or something else answers there.", "Nothing is posted or asked; it waits.", "Check the way out (proxy, firewall) and `sendbird.api_url`.", false},
			{"SENDBIRD-DENIED", postern.Failure, "Sendbird refuses us", "The token is good, and the call is not allowed: the address we call from is not on the list of allowed ones, or the plan lacks it.", "Nothing works.", "Dashboard: Settings > Application > Security; add the gateway's address, or a fixed way out.", false},
		}},
		{"SENDBIRD-RATE", "calls left", "The headers `X-RateLimit-Limit` and `X-RateLimit-Remaining` of any answer.", []Problem{
			{"SENDBIRD-RATE-NONE", postern.Warning, "no calls are left in this second", "The plan's calls are used up, by us or by somebody else with the same application.", "Posts and receipts are late.", "See who else calls; take a larger plan.", false},
		}},
		{"SENDBIRD-HOOK", "webhook of the application", "`GET /v3/applications/settings/webhook?display_all_webhook_categories=true`; dashboard: Settings > Chat > Webhooks.", []Problem{
			{"SENDBIRD-HOOK-NONE", postern.Failure, "the application posts its events nowhere", "There is no address.", "Nothing is mailed.", "Run `postern setup`.", true},
			{"SENDBIRD-HOOK-OTHER", postern.Failure, "the application posts its events to somebody else", "An application has one address.", "Nothing is mailed.", "If the other one is no longer needed: `postern setup --replace`. Else put a fan-out before both.", false},
			{"SENDBIRD-HOOK-STALE", postern.Failure, "events go to another address of ours", "`public_url` changed since it was set.", "Nothing is mailed.", "Run `postern setup`.", false},
			{"SENDBIRD-HOOK-OFF", postern.Failure, "the webhook is switched off", "The address is right, and nothing is posted.", "Nothing is mailed.", "Run `postern setup`.", true},
			{"SENDBIRD-EVENTS", postern.Failure, "new messages are not posted", "`group_channel:message_send` is not among the events.", "Nothing is mailed.", "Run `postern setup`: it adds ours to those that are on.", true},
			{"SENDBIRD-EVENTS-SOME", postern.Warning, "some events that we use are not posted", "Edits, deletions or reading are not told.", "Deleted messages are mailed; what was read in the chat is mailed too.", "Run `postern setup`: it adds ours to those that are on.", true},
			{"SENDBIRD-MEMBERS", postern.Warning, "webhooks do not list the members", "`include_members` is off.", "None; each message costs a call more, which a small plan may not have.", "Run `postern setup`.", true},
		}},
		{"SENDBIRD-MASTER", "master token", "`GET /v3/applications/api_tokens` answers the master token, and no other.", []Problem{
			{"SENDBIRD-MASTER-SECONDARY", postern.Failure, "webhooks are verified with a secondary token", "Sendbird signs with the master token, whatever token calls.", "Every webhook is refused with 401, three times; the message is not mailed.", "Set `sendbird.master_token` to the master API token of the dashboard.", false},
			{"SENDBIRD-MASTER-WRONG", postern.Failure, "the master token is refused", "It is not a token of this application.", "Every webhook is refused with 401, three times; the message is not mailed.", "Set `sendbird.master_token` to the master API token of the dashboard.", false},
		}},
		{"SENDBIRD-ALLOWLIST", "allowed addresses", "`GET /v3/applications/settings/ip_whitelist`.", []Problem{
			{"SENDBIRD-ALLOWLIST-ON", postern.Warning, "only listed addresses may call", "Ours is among them now.", "None, until the gateway moves or its address changes; then nothing works.", "Give the gateway a fixed address, and keep the list in mind.", false},
		}},
		{"SENDBIRD-RECEIPTS", "delivery receipts", "Dashboard: Settings > Chat > Features; or `GET /v3/group_channels?show_delivery_receipt=true`.", []Problem{
			{"SENDBIRD-RECEIPTS-OFF", postern.Warning, "the application seems not to keep delivery marks", "Messages were read, and none is marked as delivered. The feature is part of some plans only.", "That a mail was delivered does not show in the chat; that it was read does.", "Ask Sendbird to switch delivery receipts on, or live without.", false},
		}},
	}
}
