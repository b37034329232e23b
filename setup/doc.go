// Package setup makes the world outside what the gateway needs. A plan compares how
// things are with how they should be, on the e-mail provider's side, the chat platform's
// and in the DNS, and carries the difference out. What speaks to one service lives with
// that service (provider/..., platform/..., dns/...); here stands what is common: the
// order, the question before anything changes, the snapshot and the way back.
//
// The doctor, who finds what is wrong with a set-up that should work, is setup/doctor;
// questions to name servers are setup/lookup; reading SPF and DMARC is setup/policy.
package setup
