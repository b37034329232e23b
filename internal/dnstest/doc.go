// Package dnstest runs real name servers for tests: Knot DNS, which has zones and takes
// updates, and Unbound, which resolves and validates. It is a helper of tests only.
package dnstest
