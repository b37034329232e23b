// Package hosttest is what every DNS host has to keep to, as tests: setup.Host in the
// small print. It is for tests only.
package hosttest
