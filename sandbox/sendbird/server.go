package sendbird

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// Config of an emulated application. The zero value is usable: it gets an application id, a token and a seed of its own.
type Config struct {
	AppID       string           // UUID; default made from Seed
	MasterToken string           // 40 hex characters; default made from Seed
	Seed        int64            // of ids, key order and chances; 0 draws one
	Now         func() time.Time // default time.Now
	HTTPClient  *http.Client     // delivers webhooks; default one of its own. Redirects are its business
	Logger      *slog.Logger     // default discards
	FilesURL    string           // what stands before /files/...; default: the host that the upload was made to
	TempDir     string           // parent of the folder for file bytes; default os.TempDir
	Webhook     Webhook          // where events go at the start
	Switches    Switches         // what the documents leave open, and features an application may lack
	Delivery    DeliveryTimes    // of webhooks
	BookEntries int              // how many entries the book keeps, default 5000
	SlowBy      time.Duration    // of the name fault "slow", default 3s
}

// Webhook is the application's webhook setting (PUT /v3/applications/settings/webhook does the same).
type Webhook struct {
	URL            string   // empty = off
	IncludeMembers bool     // never for supergroups whatever it says
	Events         []string // default all
}

// DeliveryTimes bound the tries of a webhook.
type DeliveryTimes struct {
	Timeout time.Duration   // for an answer; default 5s, as documented
	Pauses  []time.Duration // between tries, one fewer than tries; default 1s and 2s (undocumented)
}

// A Server is one application. All methods may be called from several goroutines.
type Server struct {
	cfg    Config
	log    *slog.Logger
	dir    string // file bytes
	routes *router
	ctx    context.Context // ends with Close
	stop   context.CancelFunc

	book    *book
	courier *courier
	faults  *faults
	limits  *limiter

	mu    sync.Mutex
	st    *state
	sw    Switches
	files map[string]*storedFile // by <hex>.<ext>
}

// New makes a server with an empty application and a temporary folder for files. Close it.
func New(cfg Config) (*Server, error) {
	if cfg.Seed == 0 {
		var b [8]byte
		if _, err := rand.Read(b[:]); err != nil {
			return nil, err
		}
		for _, c := range b {
			cfg.Seed = cfg.Seed<<8 | int64(c)
		}
	}
	fill(&cfg)
	if err := cfg.Switches.check(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(cfg.TempDir, "sendbird-files-")
	if err != nil {
		return nil, fmt.Errorf("sendbird: folder for files: %w", err)
	}
	s := &Server{cfg: cfg, log: cfg.Logger, dir: dir, sw: cfg.Switches}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.book = newBook(cfg.BookEntries, s.wallNow)
	s.faults = newFaults(cfg.Seed, cfg.SlowBy)
	s.limits = newLimiter()
	s.courier = newCourier(s.ctx, cfg, s.book, s.faults)
	s.routes = s.table()
	s.Reset()
	return s, nil
}

func fill(cfg *Config) {
	r := mrand.New(mrand.NewPCG(uint64(cfg.Seed), 0xA99))
	if cfg.AppID == "" {
		h := hexOf(r, 32)
		cfg.AppID = strings.ToUpper(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:])
	}
	if cfg.MasterToken == "" {
		cfg.MasterToken = hexOf(r, 40)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Delivery.Timeout == 0 {
		cfg.Delivery.Timeout = 5 * time.Second
	}
	if cfg.Delivery.Pauses == nil {
		cfg.Delivery.Pauses = []time.Duration{time.Second, 2 * time.Second}
	}
	if cfg.BookEntries == 0 {
		cfg.BookEntries = 5000
	}
	if cfg.SlowBy == 0 {
		cfg.SlowBy = 3 * time.Second
	}
}

// AppID is the application's id, for the host name api-{app id}.
func (s *Server) AppID() string { return s.cfg.AppID }

// MasterToken signs webhooks and opens the API.
func (s *Server) MasterToken() string { return s.cfg.MasterToken }

// SetFilesURL changes Config.FilesURL, for whoever knows his address only after he listens.
func (s *Server) SetFilesURL(base string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.FilesURL = strings.TrimRight(base, "/")
}

// SetWebhook sets where events go, as the dashboard would.
func (s *Server) SetWebhook(w Webhook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.setWebhook(w)
}

func (st *state) setWebhook(w Webhook) {
	if len(w.Events) == 0 {
		w.Events = []string{"*"}
	}
	st.hook = hookSettings{enabled: w.URL != "", url: w.URL, includeMembers: w.IncludeMembers, includeUnread: true, events: w.Events}
}

// Reset forgets users, channels, messages, files, tokens, faults and the clock's offset, and goes back to the webhook
// and the switches of Config. Webhooks not yet sent are dropped. The book goes on, so that a reader's cursor stays good.
func (s *Server) Reset() {
	s.courier.dropAll()
	s.faults.clear()
	s.limits.clear()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.files {
		f.remove()
	}
	s.files = map[string]*storedFile{}
	s.st = newState()
	s.sw = s.cfg.Switches
	s.st.setWebhook(s.cfg.Webhook)
	s.courier.setRules(s.sw)
}

// Close stops webhooks and streams, waits for them and removes the files. A handler still running answers 403100.
func (s *Server) Close() error {
	s.stop()
	s.courier.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.down = true
	s.files = map[string]*storedFile{}
	return errors.Join(os.RemoveAll(s.dir))
}

// Handler serves /v3/ (Platform API), /files/ and /_emulator/ (control plane).
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /files/{name}", s.serveFile)
	mux.Handle("/_emulator/", s.control())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The mux would answer 301 to a path with "//" or "..", which user ids may hold.
		if strings.HasPrefix(r.URL.Path, "/files/") || strings.HasPrefix(r.URL.Path, "/_emulator/") {
			mux.ServeHTTP(w, r)
			return
		}
		s.serveAPI(w, r)
	})
}

// wallNow is the clock without the tick, for the book and for limits.
func (s *Server) wallNow() time.Time { return s.cfg.Now() }

// now is the application's clock, ms; it never stands before a time given out. Called under mu.
func (s *Server) now() int64 {
	t := s.st.frozenAt
	if t == 0 {
		t = s.cfg.Now().UnixMilli() + s.st.offset
	}
	return max(t, s.st.lastTime)
}

// tick is now, and later than every time given before it, so that a mark never covers what came after it. The
// switch SharedMilliseconds lets several things happen in one millisecond, as in the real service. Called under mu.
func (s *Server) tick() int64 {
	t := s.now()
	if t == s.st.lastTime && !s.sw.SharedMilliseconds {
		t++
	}
	s.st.lastTime = t
	return t
}

// hex draws n hexadecimal digits, the same for the same seed and count. Called under mu.
func (s *Server) hex(n int) string {
	s.st.hexes++
	return hexOf(mrand.New(mrand.NewPCG(uint64(s.cfg.Seed), s.st.hexes)), n)
}

func hexOf(r *mrand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdef"[r.IntN(16)]
	}
	return string(b)
}

func (s *Server) digits(n int) string {
	s.st.hexes++
	r := mrand.New(mrand.NewPCG(uint64(s.cfg.Seed), s.st.hexes))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + r.IntN(10))
	}
	return string(b)
}

func (s *Server) nextEvent() int64 {
	s.st.events++
	return s.st.events
}

func (s *Server) nextSeq() int64 {
	s.st.seq++
	return s.st.seq
}
