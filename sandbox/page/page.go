package page

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/postern-chat/postern/sandbox/mailbox"
	"github.com/postern-chat/postern/sandbox/mailgun"
	"github.com/postern-chat/postern/sandbox/sendbird"
)

//go:embed static
var static embed.FS

// Person is somebody of the story.
type Person struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Address string `json:"address"`
}

// Facts are what the page tells a newcomer about the world.
type Facts struct {
	People  []Person `json:"people"`
	Channel string   `json:"channel"` // of the story, "" if there is none
	SMTP    string   `json:"smtp"`
	Domain  string   `json:"domain"`
	// QuietMillis is the gateway's quiet window, for a hint only.
	QuietMillis int64 `json:"quiet_ms"`
}

// Config is what the page shows and works upon. Logger and Client may be left out.
type Config struct {
	Chat  *sendbird.Server
	Mail  *mailgun.Server
	Boxes *mailbox.Server
	// Gateway is where it answers, without a slash at its end; AdminToken opens its API
	// and never leaves this process.
	Gateway, AdminToken string
	// Facts are asked for at each load; they may change with Reset.
	Facts func() Facts
	// Reset starts the story over. It may block; nil: there is no such button.
	Reset func(context.Context) error
	// Kill kills the gateway, which somebody starts again; nil: there is no such button.
	Kill   func() error
	Client *http.Client
	Logger *slog.Logger
}

// Page serves the page. Close it.
type Page struct {
	cfg   Config
	chat  http.Handler // control plane and files
	mail  http.Handler
	boxes http.Handler
	boot  string // another one tells a page in the browser that its world is gone
	stop  context.CancelFunc
	done  chan struct{}

	mu       sync.Mutex
	story    story
	watchers int
	paused   bool
	changed  chan struct{} // closed and replaced whenever story changes
	breaks   breaks
	killed   bool // by the page, and not seen alive since
}

// New starts to follow what happens, from now on.
func New(cfg Config) (*Page, error) {
	if cfg.Chat == nil || cfg.Mail == nil || cfg.Boxes == nil || cfg.Facts == nil {
		return nil, errors.New("page: chat, mail, boxes and facts are needed")
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Page{
		cfg: cfg, chat: cfg.Chat.Handler(), mail: cfg.Mail.Handler(), boxes: cfg.Boxes.Handler(),
		boot: strconv.FormatInt(time.Now().UnixNano(), 36), changed: make(chan struct{}), done: make(chan struct{}),
		story: story{told: newUnnumbered()},
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	p.fastForward(ctx)
	go p.watch(ctx)
	return p, nil
}

// Close ends the streams and waits for what runs.
func (p *Page) Close() error {
	p.stop()
	<-p.done
	return nil
}

// Handler serves the page at / and what it needs below /api/.
func (p *Page) Handler() http.Handler {
	mux := http.NewServeMux()
	p.doors(mux)
	for pattern, f := range map[string]http.HandlerFunc{
		"GET /api/world":              p.getWorld,
		"GET /api/stream":             p.getStream,
		"GET /api/lines/{source}/{n}": p.getLine,
		"GET /api/breaks":             p.getBreaks,
		"PUT /api/breaks":             p.putBreaks,
		"POST /api/reset":             p.postReset,
		"POST /api/kill":              p.postKill,
		"GET /api/held":               p.gateway("/api/v1/held"),
		"POST /api/held/{id}/release": p.gateway("/api/v1/held/{id}/release"),
		"POST /api/held/{id}/discard": p.gateway("/api/v1/held/{id}/discard"),
		"GET /api/explain/{id}":       p.gateway("/api/v1/explain/{id}"),
		"GET /api/people":             p.gateway("/api/v1/people"),
		"POST /api/people/{id}/lift":  p.gateway("/api/v1/people/{id}/lift"),
		"GET /api/status":             p.gateway("/api/v1/status"),
	} {
		mux.HandleFunc(pattern, f)
	}
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, "the page has no such call")
	})
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic("page: " + err.Error()) // the folder is embedded above
	}
	mux.Handle("/", revalidated(http.FileServerFS(files)))
	return guarded(mux)
}

// revalidated keeps a browser from showing yesterday's page; embedded files have no
// time that it could ask about.
func revalidated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			refuse(w, http.StatusMethodNotAllowed, "the page is only to be read")
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

func (p *Page) getWorld(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, struct {
		Facts
		Boot     string   `json:"boot"`
		Reset    bool     `json:"can_reset"`
		Kill     bool     `json:"can_kill"`
		Gateway  string   `json:"gateway"`
		Programs []string `json:"programs"`
		Clients  []string `json:"clients"`
	}{p.cfg.Facts(), p.boot, p.cfg.Reset != nil, p.cfg.Kill != nil, p.cfg.Gateway, texts(mailbox.Programs()), texts(mailbox.Clients())})
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return out
}

// postReset mends what was broken and starts the story over.
func (p *Page) postReset(w http.ResponseWriter, r *http.Request) {
	if p.cfg.Reset == nil {
		refuse(w, http.StatusNotFound, "this world is not reset from here")
		return
	}
	p.mend()
	p.pause(true)
	err := p.cfg.Reset(r.Context())
	p.fastForward(r.Context())
	p.pause(false)
	if err != nil {
		refuse(w, http.StatusBadGateway, err.Error())
		return
	}
	answer(w, http.StatusOK, map[string]bool{"ok": true})
}

// pause keeps what the world does to itself out of the story.
func (p *Page) pause(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = on
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // whoever stops reading has stopped reading
}

func refuse(w http.ResponseWriter, status int, text string) {
	answer(w, status, map[string]string{"error": text})
}
