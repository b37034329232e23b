// Package mailgun emulates Mailgun: its sending API, routes, event webhooks,
// Events and Logs APIs, suppressions, domains and tracking hosts, with its
// limits, error texts and oddities, and with failures on demand.
//
// It behaves as the team's collected facts say (facts/mailgun-and-email.md
// section 1); what is unknown there is a field of Switches. It shares no code
// with Postern's Mailgun client and imports nothing of Postern, so that one
// misreading of the API cannot hide on both sides.
//
// Everything under /_emulator/ is not Mailgun's: there the book of what
// happened is read, faults are set, time is moved and state is reset.
package mailgun
