// Package cloudflare keeps zones at Cloudflare: API v4 with a token that may edit DNS.
// Records are never proxied: mail and what proves a domain have to be seen as they are.
package cloudflare
