//go:build linux || darwin || freebsd

package doctor

import "syscall"

// freeBytes asks what is left for whoever is not root.
func freeBytes(dir string) (uint64, bool) {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return 0, false
	}
	return uint64(max(0, int64(s.Bavail))) * uint64(s.Bsize), true //nolint:gosec,unconvert // types differ by system
}
