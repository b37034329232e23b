// Package deploy holds files for running the gateway, and this test, which has each of
// them read by its own tool.
package deploy

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tool finds a program. In CI it has to be there.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not here, and this is CI: tools/packages installs it", name)
		}
		t.Skipf("%s is not here (Debian: see tools/packages)", name)
	}
	return path
}

// built builds a program of deploy/check. Outside CI it is asked for with
// POSTERN_DEPLOY_CHECK=1: it means downloading some two hundred modules.
func built(t *testing.T, pkg string) string {
	t.Helper()
	if os.Getenv("CI") == "" && os.Getenv("POSTERN_DEPLOY_CHECK") == "" {
		t.Skip("POSTERN_DEPLOY_CHECK=1 builds its tool and runs this")
	}
	out := filepath.Join(t.TempDir(), "tool")
	cmd := exec.Command("go", "build", "-C", "check", "-o", out, pkg)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return out
}

func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return string(out)
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSystemd(t *testing.T) {
	analyze := tool(t, "systemd-analyze")
	// The program need not be installed here.
	unit := write(t, "postern.service", strings.Replace(read(t, "systemd/postern.service"), "/usr/local/bin/postern", "/bin/true", 1))
	if said := run(t, nil, analyze, "verify", unit); strings.Contains(said, "postern.service") {
		t.Errorf("systemd-analyze verify says:\n%s", said)
	}
	if said := run(t, nil, analyze, "security", "--offline=true", "--threshold=20", unit); !strings.Contains(said, "OK") {
		t.Errorf("exposed more than 2.0:\n%s", said)
	}
}

func TestNginx(t *testing.T) {
	nginx := tool(t, "nginx")
	dir := t.TempDir()
	key, cert := filepath.Join(dir, "key.pem"), filepath.Join(dir, "cert.pem")
	run(t, nil, tool(t, "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", "/CN=postern.example.com", "-keyout", key, "-out", cert)
	server := read(t, "proxy/nginx.conf")
	server = regexp.MustCompile(`ssl_certificate_key\s+\S+;`).ReplaceAllString(server, "ssl_certificate_key "+key+";")
	server = regexp.MustCompile(`ssl_certificate\s+\S+;`).ReplaceAllString(server, "ssl_certificate "+cert+";")
	conf := write(t, "nginx.conf", "pid "+dir+"/pid; error_log stderr; events {}\nhttp {\naccess_log off;\n"+server+"\n}\n")
	run(t, nil, nginx, "-t", "-c", conf, "-p", dir)
}

func TestCaddy(t *testing.T) {
	run(t, []string{"HOME=" + t.TempDir()}, tool(t, "caddy"), "validate", "--adapter", "caddyfile", "--config", "proxy/Caddyfile")
}

func TestPrometheus(t *testing.T) {
	promtool := tool(t, "promtool")
	run(t, nil, promtool, "check", "rules", "monitoring/alerts.yaml")
	run(t, nil, promtool, "test", "rules", "monitoring/alerts_test.yaml")
}

func TestDashboard(t *testing.T) {
	var board struct {
		UID    string `json:"uid"`
		Panels []struct {
			ID      int    `json:"id"`
			Title   string `json:"title"`
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	d := json.NewDecoder(bytes.NewReader([]byte(read(t, "monitoring/dashboard.json"))))
	if err := d.Decode(&board); err != nil {
		t.Fatal(err)
	}
	ids := map[int]bool{}
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q: no id of its own, no title, nothing to show, or beyond the edge", p.ID, p.Title)
		}
		ids[p.ID] = true
	}
	if board.UID == "" || len(ids) == 0 {
		t.Error("no dashboard")
	}
}

func TestCompose(t *testing.T) {
	compose := built(t, "./compose")
	env := []string{"POSTERN_PUBLIC_URL=https://a.example", "DATABASE_PASSWORD=b", "POSTERN_SENDBIRD_APP_ID=c", "POSTERN_MAILGUN_DOMAIN=d.example"}
	if said := run(t, env, compose, "compose/compose.yaml"); !strings.Contains(said, "[database postern]") {
		t.Errorf("services: %s", said)
	}
	// Every variable that has to be filled in stands in the example.
	example := read(t, "compose/.env.example")
	for _, m := range regexp.MustCompile(`\$\{([A-Z_]+)`).FindAllStringSubmatch(read(t, "compose/compose.yaml"), -1) {
		if !strings.Contains(example, m[1]+"=") {
			t.Errorf(".env.example lacks %s", m[1])
		}
	}
}

func TestHelm(t *testing.T) {
	helm, err := exec.LookPath("helm")
	if err != nil {
		helm = built(t, "helm.sh/helm/v3/cmd/helm")
	}
	run(t, nil, helm, "lint", "--strict", "helm/postern")
	sqlite := run(t, nil, helm, "template", "x", "helm/postern")
	many := run(t, nil, helm, "template", "x", "helm/postern", "--set", "replicas=3,ingress.enabled=true,ingress.tlsSecret=t,ingress.className=nginx,serviceMonitor.enabled=true,persistence.enabled=false",
		"--set-string", `config=data_dir="/data"`)
	for _, tt := range []struct {
		name, text string
		has, lacks []string
	}{
		{"SQLite", sqlite, []string{"type: Recreate", "kind: PersistentVolumeClaim", `public_url = "https://postern.example.com"`}, []string{"kind: Ingress", "PodDisruptionBudget"}},
		{"many", many, []string{"type: RollingUpdate", "kind: Ingress", "kind: PodDisruptionBudget", "kind: ServiceMonitor", "emptyDir"}, []string{"kind: PersistentVolumeClaim"}},
	} {
		for _, s := range tt.has {
			if !strings.Contains(tt.text, s) {
				t.Errorf("%s: no %s", tt.name, s)
			}
		}
		for _, s := range tt.lacks {
			if strings.Contains(tt.text, s) {
				t.Errorf("%s: has %s", tt.name, s)
			}
		}
	}
	if out, err := exec.Command(helm, "template", "x", "helm/postern", "--set", "replicas=2").CombinedOutput(); err == nil || !strings.Contains(string(out), "SQLite belongs to one process") {
		t.Errorf("two replicas on SQLite: %v\n%s", err, out)
	}
}

// What the image's recipe copies and runs is there.
func TestContainerfile(t *testing.T) {
	text := read(t, "container/Containerfile")
	for _, want := range []string{"FROM scratch", "CGO_ENABLED=0", "USER 65532", `ENTRYPOINT ["/postern"]`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	mod := read(t, "../go.mod")
	have := regexp.MustCompile(`golang:(\d+\.\d+)`).FindStringSubmatch(text)
	need := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(mod)
	if have == nil || need == nil || have[1] != need[1] {
		t.Errorf("the image builds with Go %v, go.mod wants %v", have, need)
	}
}
