// Package apicall makes calls to small HTTP APIs of which each has its own pace: it keeps
// to a rate, waits when it is told to, reads no more than it should and follows no
// redirect with a key in hand. What the answers mean is the caller's business; no vendor
// is known here.
package apicall
