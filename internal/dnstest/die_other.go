//go:build unix && !linux

package dnstest

import "syscall"

func dieWithUs() *syscall.SysProcAttr { return nil }
