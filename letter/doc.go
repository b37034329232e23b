// Package letter reads e-mail as it really is: one raw RFC 5322 message in, its header, its texts and its
// attachments out, with the verdicts that a program needs before it acts on a mail: was it written by a person
// or by a machine, is it a bounce and of what, does it carry an invitation, is it signed or unreadable.
//
// The reader is tolerant. Whatever cannot be classed is text; every repair is reported in [Message.Problems].
// It is also bounded: see [Limits]. Attachments are found by their offsets and streamed from the source when
// opened, so memory does not grow with them.
//
// No signature is verified, no key used: what a mail claims of its sender stays a claim.
//
// What lives here: RFC 5322, 2045-2047, 2231, 3464, 3676, 3834, 5545, 8601, TNEF, and the charsets of mail.
// What may not live here: converting HTML to text, telling the reply from the quoted history, any access to
// network or disk (but the system's time zone tables, for invitations), and anything that knows who sends or receives the mail.
package letter
