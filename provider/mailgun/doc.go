// Package mailgun is the e-mail provider Mailgun: a client for the few calls that
// the gateway makes while it runs, and readers for what Mailgun posts to us.
//
// One type, Client, satisfies relay.Provider, relay.Finder, relay.Lifter and
// webhook.MailHook. A call knows nothing of conversations, a reader stores nothing:
// both turn Mailgun's words into those of package postern and back. Retrying,
// remembering tokens and deciding what an event means belong elsewhere.
//
// It imports package postern and libraries, nothing else of ours. The vendor's SDK is
// not used: it has no time-out, buffers whole mails and fails on real events.
package mailgun
