package sendbird

import (
	"context"
	"time"
)

// sleep waits for d, or until one of the contexts ends; it tells whether d passed.
func sleep(a, b context.Context, d time.Duration) bool {
	if d <= 0 {
		return a.Err() == nil && b.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-a.Done():
	case <-b.Done():
	}
	return false
}

// untilDone waits until one of the contexts has ended.
func untilDone(a, b context.Context) {
	select {
	case <-a.Done():
	case <-b.Done():
	}
}
