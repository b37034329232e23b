// Package sendbird emulates one application of the Sendbird Platform API v3 with its webhooks.
package sendbird
