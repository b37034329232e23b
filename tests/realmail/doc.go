// Package realmail has mail programs that nobody here wrote be Bob: they read what the
// gateway sent by IMAP and answer it by SMTP, with their own quoting.
//
// It starts the binary as a newcomer does (postern sandbox --headless) and knows
// nothing of it but the line of JSON that it prints; it imports no package of ours.
// Without the mail program its test skips; in CI it fails.
package realmail
