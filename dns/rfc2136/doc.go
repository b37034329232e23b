// Package rfc2136 changes zones on name servers that take dynamic updates (RFC 2136):
// BIND, Knot, PowerDNS and others, with TSIG (RFC 8945).
//
// It speaks the protocol itself. The libdns module for it lists by zone transfer, which a
// key for updates is seldom allowed, and sends no prerequisites, without which an update
// replaces a CNAME (section 3.4.2.2) or is silently dropped beside one.
package rfc2136
