//go:build !linux && !darwin && !freebsd

package doctor

// freeBytes cannot be told here.
func freeBytes(string) (uint64, bool) { return 0, false }
