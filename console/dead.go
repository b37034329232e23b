package console

import (
	"context"
	"net/http"

	"github.com/postern-chat/postern/store"
)

// deadPerPage is how many jobs that were given up are shown at once.
const deadPerPage = 100

// registerDead adds the calls about jobs that were given up.
func (a *API) registerDead(mux *http.ServeMux) {
	for pattern, h := range map[string]handler{
		"GET /api/v1/dead":               a.listDead,
		"POST /api/v1/dead/{id}/replay":  func(r *http.Request) (any, error) { return a.settle(r, a.cfg.Store.Replay) },
		"POST /api/v1/dead/{id}/discard": func(r *http.Request) (any, error) { return a.settle(r, a.cfg.Store.DiscardDead) },
	} {
		mux.Handle(pattern, a.guard(h))
	}
}

// deadForms are what the overview's buttons do.
func (a *API) deadForms() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"POST /console/dead/{id}/replay":  a.inside(a.act(func(ctx context.Context, r *http.Request) error { return a.settleForm(ctx, r, a.cfg.Store.Replay) })),
		"POST /console/dead/{id}/discard": a.inside(a.act(func(ctx context.Context, r *http.Request) error { return a.settleForm(ctx, r, a.cfg.Store.DiscardDead) })),
		"POST /console/dead/replay":       a.inside(a.act(func(ctx context.Context, _ *http.Request) error { return a.replayAll(ctx) })),
	}
}

func (a *API) listDead(r *http.Request) (any, error) {
	after, err := number(r, "after", 0, 0, 1<<62)
	if err != nil {
		return nil, err
	}
	limit, err := number(r, "limit", deadPerPage, 1, 1000)
	if err != nil {
		return nil, err
	}
	dead, err := a.cfg.Store.DeadJobs(r.Context(), r.FormValue("kind"), int64(after), limit)
	return map[string]any{"dead": orEmpty(dead)}, err
}

// replayAll replays what is given up now. One that is given up again meanwhile has a
// higher id than all of them and is left.
func (a *API) replayAll(ctx context.Context) error {
	var all []store.DeadJob
	for after := int64(0); ; {
		page, err := a.cfg.Store.DeadJobs(ctx, "", after, 1000)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		all, after = append(all, page...), page[len(page)-1].ID
	}
	for _, d := range all {
		if _, err := a.cfg.Store.Replay(ctx, d.ID); err != nil {
			return err
		}
	}
	a.cfg.Logger.Info("jobs that were given up are replayed", "jobs", len(all))
	return nil
}
