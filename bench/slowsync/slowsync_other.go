//go:build !linux || !(amd64 || arm64)

package slowsync

import (
	"context"
	"errors"
	"time"
)

var errNotHere = errors.New("slowsync: needs Linux on amd64 or arm64")

// Exec is not possible here.
func Exec(time.Duration, []string, []string) error { return errNotHere }

// Supervise is not possible here.
func Supervise(context.Context, string) error { return errNotHere }
