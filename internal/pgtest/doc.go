// Package pgtest gives tests a PostgreSQL database of their own, on a throw-away
// server made from the machine's binaries. For tests only; nothing of ours may be
// imported here.
package pgtest
