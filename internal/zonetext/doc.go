// Package zonetext cuts, escapes and joins the strings of TXT records as zone files have
// them (RFC 1035 sections 3.3 and 5.1). What one DNS host's API makes of them belongs to
// that host.
package zonetext
