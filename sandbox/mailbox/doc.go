// Package mailbox emulates the people on the mail side: their mailboxes, their
// mail programs and the servers behind them.
//
// Mail comes from the Mailgun emulator or by SMTP, is kept until a reset, and
// can be opened (with its pictures, as the person's program would fetch them),
// clicked, answered with the quoting of common programs, forwarded as .eml or
// marked as spam, all over HTTP. What a person sends to an address that the
// Exchange hosts goes there; everything else lands in that person's mailbox.
//
// A real mail program can be the person: it reads by IMAP and sends by SMTP.
// Reading by IMAP is not opening; the sender learns of it only if the program
// itself fetches the mail's pictures.
//
// It imports nothing of Postern.
package mailbox
