//go:build unix

package dnstest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Zone is one zone of a server.
type Zone struct {
	Name   string // "example.test"
	Text   string // of the zone file; $ORIGIN and $TTL 300 stand before it
	Signed bool   // with keys that the server makes
}

// Key signs updates, by HMAC-SHA256. It is the tests' own and no secret.
const (
	KeyName   = "postern-test"
	KeySecret = "cG9zdGVybidzIHRlc3RzLCBub3RoaW5nIHNlY3JldCE="
)

const startTimeout = 30 * time.Second

// Port gives a port that is free on all addresses at this moment, by UDP and TCP.
func Port(t testing.TB, ips ...string) int {
	t.Helper()
	for range 50 {
		l, err := net.Listen("tcp", net.JoinHostPort(ips[0], "0"))
		if err != nil {
			t.Skipf("this machine has no address %s", ips[0])
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if free(ips, port) {
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

func free(ips []string, port int) bool {
	for _, ip := range ips {
		l, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
		if err != nil {
			return false
		}
		l.Close()
		p, err := net.ListenPacket("udp", net.JoinHostPort(ip, strconv.Itoa(port)))
		if err != nil {
			return false
		}
		p.Close()
	}
	return true
}

// program finds a name server. Without it the test is skipped, or fails where CI is set.
func program(t testing.TB, name, pkg string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/local/sbin") {
		if p := filepath.Join(dir, name); isFile(p) {
			return p
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("no %s on this machine (Debian: apt-get install %s)", name, pkg)
	}
	t.Skipf("no %s on this machine (Debian: apt-get install %s)", name, pkg)
	return ""
}

func isFile(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.Mode().IsRegular()
}

// folder makes a short one: sockets may have no long names.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dns")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Knot runs an authoritative server at ip:port with the zones, until the test ends. All
// take updates signed with Key, and transfers to nobody.
func Knot(t testing.TB, ip string, port int, zones ...Zone) (addr string) {
	t.Helper()
	bin := program(t, "knotd", "knot")
	dir := folder(t)
	var conf strings.Builder
	fmt.Fprintf(&conf, "server:\n  rundir: %q\n  listen: %s@%d\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n", dir, ip, port)
	fmt.Fprintf(&conf, "log:\n  - target: stdout\n    any: info\ndatabase:\n  storage: %q\n", dir)
	fmt.Fprintf(&conf, "key:\n  - id: %s\n    algorithm: hmac-sha256\n    secret: %s\nacl:\n  - id: update\n    key: %s\n    action: update\n", KeyName, KeySecret, KeyName)
	conf.WriteString("template:\n  - id: default\n    storage: \"" + dir + "\"\n    journal-content: none\n    zonefile-sync: -1\n    zonefile-load: whole\n    acl: update\nzone:\n")
	for i, z := range zones {
		file := fmt.Sprintf("%d.zone", i)
		write(t, filepath.Join(dir, file), "$ORIGIN "+z.Name+".\n$TTL 300\n"+z.Text+"\n")
		fmt.Fprintf(&conf, "  - domain: %s.\n    file: %s\n", z.Name, file)
		if z.Signed {
			conf.WriteString("    dnssec-signing: on\n    journal-content: changes\n    zonefile-load: difference\n")
		}
	}
	write(t, filepath.Join(dir, "knot.conf"), conf.String())
	run(t, "server started", bin, "-c", filepath.Join(dir, "knot.conf"))
	return net.JoinHostPort(ip, strconv.Itoa(port))
}

// Unbound runs a resolver at ip:port. stubs says which addresses (ip:port) have a zone;
// anchors are DS records of zones that it validates.
func Unbound(t testing.TB, ip string, port int, stubs map[string][]string, anchors ...string) (addr string) {
	t.Helper()
	bin := program(t, "unbound", "unbound")
	dir := folder(t)
	var conf strings.Builder
	fmt.Fprintf(&conf, "server:\n  interface: %s@%d\n  do-daemonize: no\n  chroot: \"\"\n  username: \"\"\n  directory: %q\n  pidfile: \"\"\n", ip, port, dir)
	conf.WriteString("  use-syslog: no\n  logfile: \"\"\n  verbosity: 1\n  num-threads: 1\n  do-ip6: no\n  do-not-query-localhost: no\n  module-config: \"validator iterator\"\n  local-zone: \"test.\" nodefault\n  harden-large-queries: no\n")
	for _, a := range anchors {
		fmt.Fprintf(&conf, "  trust-anchor: %q\n", a)
	}
	conf.WriteString("remote-control:\n  control-enable: no\n")
	for zone, addrs := range stubs {
		fmt.Fprintf(&conf, "stub-zone:\n  name: %q\n", zone+".")
		for _, a := range addrs {
			fmt.Fprintf(&conf, "  stub-addr: %s\n", strings.Replace(a, ":", "@", 1))
		}
	}
	write(t, filepath.Join(dir, "unbound.conf"), conf.String())
	run(t, "start of service", bin, "-d", "-c", filepath.Join(dir, "unbound.conf"))
	return net.JoinHostPort(ip, strconv.Itoa(port))
}

// run starts a server, waits for the line in which it says that it serves, and stops it
// when the test ends.
func run(t testing.TB, ready, bin string, args ...string) {
	t.Helper()
	cmd := exec.Command(bin, args...)
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = in, in
	cmd.SysProcAttr = dieWithUs()
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", bin, err)
	}
	in.Close()
	up, gone := make(chan struct{}), make(chan string, 1)
	go func() {
		var last []string
		seen := false
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if !seen && strings.Contains(lines.Text(), ready) {
				seen = true
				close(up)
			}
			if last = append(last, lines.Text()); len(last) > 30 {
				last = last[1:]
			}
		}
		out.Close()
		gone <- strings.Join(last, "\n")
	}()
	stop := func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
	select {
	case <-up:
		t.Cleanup(func() {
			stop()
			if log := <-gone; t.Failed() && testing.Verbose() {
				t.Logf("%s said:\n%s", filepath.Base(bin), log)
			}
		})
	case log := <-gone:
		_ = cmd.Wait()
		t.Fatalf("%s ended at once:\n%s", bin, log)
	case <-time.After(startTimeout):
		stop()
		t.Fatalf("%s does not say %q:\n%s", bin, ready, <-gone)
	}
}
