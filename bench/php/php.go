// Package php runs the tutorial's way: a synchronous PHP script behind php-fpm and
// nginx, as ourselves and in a folder that is thrown away. Programs come from
// bench/php/install.
package php

import (
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

//go:embed webhook.php
var script []byte

// ErrNone says that there is no PHP here.
var ErrNone = errors.New("no php-fpm with curl, or no nginx (bench/php/install)")

// Server is a running nginx with php-fpm.
type Server struct {
	Addr     string // host:port
	children []*exec.Cmd
}

// Start runs children PHP processes that mail through the provider at that base URL.
func Start(dir string, children int, provider string) (*Server, error) {
	fpm, nginx, err := programs()
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, fmt.Sprintf("php-%d", children))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{Addr: ln.Addr().String()}
	_ = ln.Close() // nginx takes it next
	socket := filepath.Join(dir, "fpm.sock")
	files := map[string]string{"webhook.php": string(script), "fpm.conf": fpmConf(dir, socket, children, provider), "nginx.conf": nginxConf(dir, socket, s.Addr)}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	fpmArgs := []string{"-n", "-F", "-y", filepath.Join(dir, "fpm.conf"),
		"-d", "zend_extension=opcache", "-d", "extension=curl", "-d", "opcache.enable=1", "-d", "opcache.validate_timestamps=0"}
	if os.Geteuid() == 0 {
		fpmArgs = append(fpmArgs, "-R")
	}
	err = errors.Join(s.run(fpm, fpmArgs...), s.run(nginx, "-e", filepath.Join(dir, "error.log"), "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-g", "daemon off;"))
	if err == nil {
		err = s.await(socket)
	}
	if err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Server) run(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.children = append(s.children, cmd)
	return nil
}

func (s *Server) await(socket string) error {
	for range 200 {
		if c, err := net.Dial("tcp", s.Addr); err == nil {
			_ = c.Close()
			if c, err := net.Dial("unix", socket); err == nil {
				return c.Close()
			}
		}
		time.Sleep(25 * time.Millisecond)
	}
	return errors.New("php: nginx or php-fpm does not start")
}

// Stop ends both.
func (s *Server) Stop() {
	for _, c := range slices.Backward(s.children) {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
	}
}

func programs() (fpm, nginx string, err error) {
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if p, err := exec.LookPath(name); err == nil {
			nginx = p
		}
	}
	all, _ := filepath.Glob("/usr/sbin/php-fpm*")
	for _, p := range all {
		out, err := exec.Command(p, "-m").Output()
		if err == nil && strings.Contains(string(out), "\ncurl\n") {
			fpm = p
		}
	}
	if fpm == "" || nginx == "" {
		return "", "", ErrNone
	}
	return fpm, nginx, nil
}

func fpmConf(dir, socket string, children int, provider string) string {
	return fmt.Sprintf(`[global]
pid = %[1]s/fpm.pid
error_log = %[1]s/fpm.log
log_level = warning
[www]
listen = %[2]s
listen.backlog = 1024
listen.mode = 0666
user = root
group = root
pm = static
pm.max_children = %[3]d
clear_env = no
env[MAILGUN] = %[4]s
catch_workers_output = yes
`, dir, socket, children, provider)
}

func nginxConf(dir, socket, addr string) string {
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;"
	}
	return fmt.Sprintf(`%[4]s
worker_processes auto;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log error;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  server {
    listen %[3]s backlog=1024;
    location / {
      fastcgi_pass unix:%[2]s;
      fastcgi_param SCRIPT_FILENAME %[1]s/webhook.php;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
    }
  }
}
`, dir, socket, addr, user)
}
