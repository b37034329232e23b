// Package conformance drives the emulators of Sendbird and Mailgun with clients that nobody here wrote, and holds
// Postern's own calls against the vendors' OpenAPI files.
//
// It is a module of its own, so that the vendors' SDKs never reach the product's. Everything runs in one process: the
// emulators stand behind a recorder that knows which client asked, and docs/sandbox-conformance.md is written from what
// was really asked and answered. Here lives nothing that the product needs.
//
//	tests/conformance/run.sh           npm ci, then all suites
//	tests/conformance/run.sh -update   and writes docs/sandbox-conformance.md anew
package conformance
