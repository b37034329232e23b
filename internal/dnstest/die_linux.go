package dnstest

import "syscall"

// dieWithUs ends the server with the test, however that ends.
func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
