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
	"github.com/postern-chat/postern/store"
)

// memory is what commands read and change: the store, or the gateway that holds it.
type memory interface {
	PutPeople(ctx context.Context, people ...postern.Person) error
	// People lists those after a user id, in its order, at most limit.
	People(ctx context.Context, after postern.UserID, limit int) ([]postern.Person, error)
	Explain(ctx context.Context, id string) ([]store.Note, error)
}

// running is a gateway on this machine. SQLite belongs to one process, so that while it
// runs, commands ask it, through its API.
type running struct {
	base   string
	token  Secret
	client *http.Client
}

// errAbsent: the running gateway does not know what was asked for.
var errAbsent = errors.New("not found")

// findRunning gives the gateway that holds our SQLite file, if openErr says that
// somebody does and our configuration says where it listens.
func findRunning(ctx context.Context, cfg *Config, openErr error) (*running, bool) {
	if postern.KindOf(openErr) != postern.Denied || !cfg.Database.sqlite() || cfg.AdminToken == "" {
		return nil, false
	}
	host, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return nil, false
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	g := &running{base: "http://" + net.JoinHostPort(host, port) + "/api/v1", token: cfg.AdminToken, client: &http.Client{Timeout: time.Minute}}
	return g, g.call(ctx, http.MethodGet, "/status", nil, nil) == nil
}

// call makes one call and decodes its answer.
func (g *running) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, g.base+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+string(g.token))
	res, err := g.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	answer := json.NewDecoder(io.LimitReader(res.Body, 16<<20))
	if res.StatusCode == http.StatusOK {
		if out == nil {
			return nil
		}
		return answer.Decode(out)
	}
	var said struct{ Error string }
	_ = answer.Decode(&said) // without it the status has to do
	if res.StatusCode == http.StatusNotFound {
		return errAbsent
	}
	return fmt.Errorf("the running gateway answers %s: %s", res.Status, said.Error)
}

func (g *running) PutPeople(ctx context.Context, people ...postern.Person) error {
	for _, p := range people {
		in := map[string]string{"email": p.Email, "name": p.Name, "locale": p.Locale, "time_zone": p.TimeZone}
		if err := g.call(ctx, http.MethodPut, "/people/"+url.PathEscape(string(p.UserID)), in, nil); err != nil {
			return fmt.Errorf("%s: %w", p.UserID, err)
		}
	}
	return nil
}

func (g *running) People(ctx context.Context, after postern.UserID, limit int) ([]postern.Person, error) {
	var out struct{ People []postern.Person }
	q := url.Values{"after": {string(after)}, "limit": {strconv.Itoa(limit)}}
	err := g.call(ctx, http.MethodGet, "/people?"+q.Encode(), nil, &out)
	return out.People, err
}

func (g *running) Explain(ctx context.Context, id string) ([]store.Note, error) {
	var out struct{ Notes []store.Note }
	err := g.call(ctx, http.MethodGet, "/explain/"+url.PathEscape(id), nil, &out)
	if errors.Is(err, errAbsent) {
		err = nil
	}
	return out.Notes, err
}

// lift is false if the person was not stopped.
func (g *running) lift(ctx context.Context, user postern.UserID) (bool, error) {
	err := g.call(ctx, http.MethodPost, "/people/"+url.PathEscape(string(user))+"/lift", nil, nil)
	if errors.Is(err, errAbsent) {
		return false, nil
	}
	return err == nil, err
}
