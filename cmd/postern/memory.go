package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/listen"
	"github.com/postern-chat/postern/store"
)

// memory is what the commands that look and administer need: the store itself, or,
// while the gateway has it, the gateway's API.
type memory interface {
	PutPeople(ctx context.Context, people ...postern.Person) error
	People(ctx context.Context, after postern.UserID, limit int) ([]postern.Person, error)
	Explain(ctx context.Context, ref string) ([]store.Note, error)
	DeadJobs(ctx context.Context, kind string, after int64, limit int) ([]store.DeadJob, error)
	Replay(ctx context.Context, id int64) (bool, error)
	DiscardDead(ctx context.Context, id int64) (bool, error)
}

// withMemory opens the memory for a command. SQLite belongs to one process: while the
// gateway runs on it, the gateway is asked.
func (a *app) withMemory(do func(memory) error) error {
	cfg, err := a.loadConfig("")
	if err != nil {
		return err
	}
	s, err := openStore(a.ctx, cfg, newLogger(a.stderr, cfg.Log))
	if postern.CauseOf(err) == postern.CauseBusy && cfg.AdminToken != "" {
		return do(newRemote(cfg))
	}
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}

// remote is the memory as the running gateway's API gives it.
type remote struct {
	base, token string
	client      *http.Client
}

// newRemote reaches the gateway of this configuration, on this machine, where it listens.
func newRemote(cfg *Config) *remote {
	listens, base := cfg.Listen, "http://"
	if cfg.Server.PrivateListen != "" {
		listens = cfg.Server.PrivateListen
	} else if cfg.TLS.Mode != listen.ModeOff {
		base = "https://"
	}
	host, port, err := net.SplitHostPort(listens)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	address := net.JoinHostPort(host, port)
	client := &http.Client{Timeout: 30 * time.Second}
	if base == "https://" && len(cfg.TLS.Names) > 0 {
		// The certificate is for the public name, and that need not lead back to us.
		base += cfg.TLS.Names[0]
		client.Transport = &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}}
	} else {
		base += address
	}
	return &remote{base, string(cfg.AdminToken), client}
}

// call makes a call of the API; false if there is no such thing.
func (r *remote) call(ctx context.Context, method, path string, in, out any) (bool, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return false, err
	}
	req, err := http.NewRequestWithContext(ctx, method, r.base+"/api/v1/"+path, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		return false, fmt.Errorf("the database is in use, and the gateway that may use it does not answer: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	switch {
	case err != nil:
		return false, err
	case resp.StatusCode == http.StatusNotFound:
		return false, nil
	case resp.StatusCode != http.StatusOK:
		return false, fmt.Errorf("the gateway answers %s: %s", resp.Status, bytes.TrimSpace(answer))
	case out == nil:
		return true, nil
	}
	return true, json.Unmarshal(answer, out)
}

// PutPeople implements memory.
func (r *remote) PutPeople(ctx context.Context, people ...postern.Person) error {
	for _, p := range people {
		in := map[string]string{"email": p.Email, "name": p.Name, "locale": p.Locale, "time_zone": p.TimeZone}
		if _, err := r.call(ctx, http.MethodPut, "people/"+url.PathEscape(string(p.UserID)), in, nil); err != nil {
			return err
		}
	}
	return nil
}

// People implements memory.
func (r *remote) People(ctx context.Context, after postern.UserID, limit int) ([]postern.Person, error) {
	var out struct {
		People []postern.Person `json:"people"`
	}
	_, err := r.call(ctx, http.MethodGet, "people?limit="+strconv.Itoa(limit)+"&after="+url.QueryEscape(string(after)), nil, &out)
	return out.People, err
}

// Explain implements memory.
func (r *remote) Explain(ctx context.Context, ref string) ([]store.Note, error) {
	var out struct {
		Notes []store.Note `json:"notes"`
	}
	_, err := r.call(ctx, http.MethodGet, "explain/"+url.PathEscape(ref), nil, &out)
	return out.Notes, err
}

// Lift lets mail go out to a person again; false if he was not stopped.
func (r *remote) Lift(ctx context.Context, user postern.UserID) (bool, error) {
	return r.call(ctx, http.MethodPost, "people/"+url.PathEscape(string(user))+"/lift", nil, nil)
}

// DeadJobs implements memory.
func (r *remote) DeadJobs(ctx context.Context, kind string, after int64, limit int) ([]store.DeadJob, error) {
	var out struct {
		Dead []store.DeadJob `json:"dead"`
	}
	_, err := r.call(ctx, http.MethodGet, fmt.Sprintf("dead?kind=%s&after=%d&limit=%d", url.QueryEscape(kind), after, limit), nil, &out)
	return out.Dead, err
}

// Replay implements memory.
func (r *remote) Replay(ctx context.Context, id int64) (bool, error) {
	return r.call(ctx, http.MethodPost, fmt.Sprintf("dead/%d/replay", id), nil, nil)
}

// DiscardDead implements memory.
func (r *remote) DiscardDead(ctx context.Context, id int64) (bool, error) {
	return r.call(ctx, http.MethodPost, fmt.Sprintf("dead/%d/discard", id), nil, nil)
}
