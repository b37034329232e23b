// Package listen is how the world connects: plain, with certificates from files, or
// with certificates that are obtained and renewed here; alone or behind proxies. It
// knows nothing of what is then asked.
package listen
