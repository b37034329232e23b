package mailgun

import (
	"context"
	"strings"
	"time"

	"github.com/postern-chat/postern/sandbox/mailbox/eml"
	"github.com/postern-chat/postern/sandbox/mailbox/spool"
)

// state is all that Reset throws away. Server.mu guards it.
type state struct {
	domains     map[string]*domain
	domainOrder []string
	keys        []*apiKey
	signingKey  string
	routes      []*route
	hooks       []*accountHook
	messages    map[string]*message // by storage key
	order       []*message
	tokens      map[string]*delivery // by tracking token
	events      []*event
	posts       []*post
	postByID    map[string]*post
	held        map[string]*post // posts kept back by a reorder fault, by URL
	faults      []*Fault
	counts      map[string]int // how often a counted fault has struck, by its words
	switches    Switches
	sandboxTo   []sandboxRecipient
	allowed     []allowedIP // who may call the API; empty is everybody
	limits      map[string]*window
}

type domain struct {
	Name        string
	ID          string
	CreatedAt   time.Time
	State       string
	Type        string
	Settings    map[string]string
	Tracking    tracking
	hooks       map[string][]string // event type -> URLs
	suppression map[string]*suppressionList
	verified    map[string]bool     // DNS records by name, where set by hand
	seen        map[string][]string // what the DNS had there when it was last looked at
	dkim        string              // what its keys are made from
	dkimHost    string              // the domain at which the DKIM key stands
	region      string
	tags        map[string]bool
}

type message struct {
	key       string
	domain    string
	id        string // Message-Id without brackets
	method    string // HTTP or smtp
	keyID     string
	base      string // where the emulator is reached, without a slash at the end
	sender    string // envelope
	raw       *spool.Blob
	header    eml.Header
	files     []eml.File
	size      int64
	opts      options
	inbound   bool
	created   time.Time
	to        []*delivery
	recipVars map[string]map[string]any
	fields    *composed // to build each recipient's copy in a batch; nil otherwise
}

// delivery is a message on its way to one recipient. Its lane alone works on
// it; Server.mu guards state, tries, delivered, opened and sent, which others
// look at.
type delivery struct {
	msg       *message
	to        string
	token     string
	state     string // queued, delivered, failed, dropped
	tries     int
	first     time.Time
	delivered time.Time
	opened    int
	fault     string // the action of the fault that struck at acceptance
	pending   *Fault // that fault, until the first attempt
	sent      *spool.Blob
}

func (s *Server) newState() *state {
	st := &state{domains: map[string]*domain{}, messages: map[string]*message{}, tokens: map[string]*delivery{},
		postByID: map[string]*post{}, held: map[string]*post{}, counts: map[string]int{}, limits: map[string]*window{},
		signingKey: s.cfg.SigningKey, switches: DefaultSwitches()}
	if s.cfg.Switches != nil {
		st.switches = s.cfg.Switches.clone()
	}
	now := s.Now()
	for _, name := range s.cfg.Domains {
		d := newDomain(&s.ids, strings.ToLower(name), now, "active")
		d.region = s.cfg.Region
		st.addDomain(d)
	}
	st.keys = []*apiKey{
		{ID: "sandbox-account", Kind: "user", Role: "admin", Description: "account key", Secret: s.cfg.AccountKey, CreatedAt: now},
		{ID: "sandbox-sending", Kind: "domain", Role: "sending", Description: "sending key", Secret: s.cfg.SendingKey,
			Domain: strings.ToLower(s.cfg.SendingDomain), CreatedAt: now},
	}
	return st
}

func (st *state) addDomain(d *domain) {
	st.domains[d.Name] = d
	st.domainOrder = append(st.domainOrder, d.Name)
}

func newDomain(ids *idMaker, name string, now time.Time, condition string) *domain {
	kind := "custom"
	if strings.HasPrefix(name, "sandbox") && strings.HasSuffix(name, ".mailgun.org") {
		kind = "sandbox"
	}
	d := &domain{Name: name, ID: ids.hex(24), CreatedAt: now.UTC(), State: condition, Type: kind, dkim: ids.hex(40),
		Settings: map[string]string{"spam_action": "disabled", "web_prefix": "email", "web_scheme": "http", "dkim_selector": "k1"},
		hooks:    map[string][]string{}, suppression: map[string]*suppressionList{}, verified: map[string]bool{}, seen: map[string][]string{}, tags: map[string]bool{}, dkimHost: name}
	for _, kind := range suppressionKinds {
		d.suppression[kind] = &suppressionList{}
	}
	return d
}

// later schedules run, unless the emulator is reset before.
func (s *Server) later(d time.Duration, lane string, run func(ctx context.Context)) {
	s.mu.Lock()
	st := s.st
	s.mu.Unlock()
	s.sched.After(d, lane, func(ctx context.Context) {
		s.mu.Lock()
		same := s.st == st
		s.mu.Unlock()
		if same {
			run(ctx)
		}
	})
}

// rawFor is the MIME as posted (empty address) or as one recipient got it.
// Needs Server.mu.
func (m *message) rawFor(address string) *spool.Blob {
	if m == nil || address == "" {
		if m == nil {
			return nil
		}
		return m.raw
	}
	for _, d := range m.to {
		if strings.EqualFold(d.to, address) {
			return d.sent
		}
	}
	return nil
}

// remove frees the mails of a state that is no longer the server's.
func (st *state) remove() {
	for _, m := range st.messages {
		m.raw.Remove()
		for _, d := range m.to {
			d.sent.Remove()
		}
	}
}
