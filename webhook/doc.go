// Package webhook is the way in: it limits, verifies, decodes, records and answers.
//
// What lives here: the HTTP of the hooks, and what status each outcome gets. What may
// not: what becomes of an arrival (relay says it, through Sorter), and how a platform
// or provider signs and spells its requests (its own folder says it, through ChatHook
// and MailHook).
//
// An answer of 200 means that the arrival stands in the store, or that nothing is to be
// done about it. Nothing of a request whose signature does not hold is kept.
package webhook
