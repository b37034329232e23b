// Package replytext finds the words that the author of a mail wrote anew, apart
// from everything that his mail program, his company and earlier writers put
// around them.
//
// It looks at evidence in the order of its strength: what we know to have sent,
// the marks that mail programs leave in HTML, the lines of the text (quote marks,
// attributions and header blocks in some fifty languages), and the habits of
// footers. Every cut is reported with its span, rule and strength; below a
// threshold nothing is cut.
//
// The package stands alone. It knows bodies, not messages: taking a raw message
// apart is package letter's work, and what becomes of a reply is its caller's.
// It imports nothing of Postern, keeps no state and does no I/O.
package replytext
