package mailgun

import (
	"maps"
	"time"
)

// Switches are the things that the facts leave open, that differ between
// accounts, or that a test wants otherwise. All can be changed while running
// (PUT /_emulator/switches).
type Switches struct {
	// MaxTags per message; the rest is dropped. Documents say 3 (2026), SDKs 10.
	MaxTags int `json:"max_tags"`
	// TagLimit is the number of different tags a domain may have.
	TagLimit int `json:"tag_limit"`
	// MaxRecipients per call, MaxMessage and MaxOptions in bytes.
	MaxRecipients int   `json:"max_recipients"`
	MaxMessage    int64 `json:"max_message"`
	MaxOptions    int   `json:"max_options"`
	// MaxAheadHours bounds o:deliverytime: 72 or 168 by plan.
	MaxAheadHours int `json:"max_ahead_hours"`
	// Magnificent: unknown paths answer 200 with a text instead of 404.
	Magnificent bool `json:"magnificent"`
	// EventLagSeconds is how late events show in the Events and Logs APIs.
	EventLagSeconds float64 `json:"event_lag_seconds"`
	// LogsFilterMessageID: the Logs API knows the attribute message-id (nobody
	// has said so).
	LogsFilterMessageID bool `json:"logs_filter_message_id"`
	// HookLagSeconds is how late a new account-level webhook takes effect.
	HookLagSeconds float64 `json:"hook_lag_seconds"`
	// ResolveHooks refuses webhook URLs that the world cannot resolve, such as
	// localhost, as Mailgun does.
	ResolveHooks bool `json:"resolve_hooks"`
	// RoutedEvents: inbound mail causes accepted and delivered webhooks with
	// flags.is-routed.
	RoutedEvents bool `json:"routed_events"`
	// RefuseUnrouted: mail for which no route stands is refused with 550 instead
	// of taken and dropped.
	RefuseUnrouted bool `json:"refuse_unrouted"`
	// Accept2xx: any 2xx ends a post, not 200 alone.
	Accept2xx bool `json:"accept_2xx"`
	// SandboxEvent: a sandbox domain rejects strangers by an event (older
	// documents) instead of by a 403.
	SandboxEvent bool `json:"sandbox_event"`
	// UnverifiedPerDay is how many mails a day a domain may send whose DNS is not
	// verified: 300 says the manual. 0: none.
	UnverifiedPerDay int `json:"unverified_per_day"`
	// RetentionHours is how long events and kept mails can be asked for: three
	// days on paid plans, one on the free plan.
	RetentionHours float64 `json:"retention_hours"`

	// RateLimit switches the limits on, and with them the three header families.
	RateLimit         bool `json:"rate_limit"`
	SendsPerWindow    int  `json:"sends_per_window"`
	RecipientsPerWin  int  `json:"recipients_per_window"`
	RequestsPerWindow int  `json:"requests_per_window"`
	// Down: every API call answers this status; 0 is up.
	Down int `json:"down"`
	// DuplicatePosts, DropPosts: chance in [0,1] that a webhook or inbound post
	// is made twice, or never. FailSends: that a send answers 503.
	DuplicatePosts float64 `json:"duplicate_posts"`
	DropPosts      float64 `json:"drop_posts"`
	FailSends      float64 `json:"fail_sends"`
	// EventDelaySeconds is how much later than usual the webhooks of events come; with
	// EventDisorder, those of opens and clicks in half of that: they overtake.
	EventDelaySeconds float64 `json:"event_delay_seconds"`
	EventDisorder     bool    `json:"event_disorder"`
	LostAnswers       float64 `json:"lost_answers"` // send accepted, answered 500
	BounceChance      float64 `json:"bounce_chance"`
	DeferChance       float64 `json:"defer_chance"`
	// Oddities by name, see Oddities.
	Oddities map[string]bool `json:"oddities"`
}

// Oddities are the shapes of real payloads that surprise a decoder, by the name
// under which Switches.Oddities or a fault asks for them.
func Oddities() []string {
	return []string{
		OddVarsArray, OddStorageArray, OddStorageURLArray, OddStatusNull, OddCodeString, OddDescriptionNull,
		OddEnhancedMissing, OddTagsMissing, OddParentSignature, OddStrippedMissing, OddCIDMapMissing, OddBrackets,
		OddVarsString, OddCIDMapEmptyKey, OddHeadersMissing, OddUnknownEvent, OddTimestampNumber,
	}
}

// Names of oddities.
const (
	OddVarsArray       = "user-variables-array"       // [] when empty
	OddVarsString      = "user-variables-string"      // a string of JSON, as the Logs API has
	OddStorageArray    = "storage-array"              // []
	OddStorageURLArray = "storage-url-array"          // {"url":[..]}
	OddStatusNull      = "delivery-status-null"       // null
	OddCodeString      = "code-string"                // "550"
	OddDescriptionNull = "description-null"           // description and enhanced-code null
	OddEnhancedMissing = "enhanced-code-missing"      // no enhanced-code, no description
	OddTagsMissing     = "tags-missing"               // no tags
	OddParentSignature = "parent-signature"           // as for subaccounts
	OddTimestampNumber = "signature-timestamp-number" // a number where documents say string
	OddStrippedMissing = "stripped-missing"           // inbound without stripped-*
	OddCIDMapMissing   = "content-id-map-missing"     // inbound without content-id-map
	OddCIDMapEmptyKey  = "content-id-map-empty-key"   // inbound with an empty key in it
	OddBrackets        = "message-id-brackets"        // message-id with < and >
	OddHeadersMissing  = "message-headers-only-id"    // delivered with only message-id
	OddUnknownEvent    = "unknown-event"              // an event nobody has heard of, before each
)

// DefaultSwitches are the settings that the facts suggest.
func DefaultSwitches() Switches {
	return Switches{
		MaxTags: 3, TagLimit: 20_000, MaxRecipients: 1000, MaxMessage: 25 << 20, MaxOptions: 16 << 10, MaxAheadHours: 72, RetentionHours: 72, UnverifiedPerDay: 300,
		Magnificent: true, RoutedEvents: true, SendsPerWindow: 300, RecipientsPerWin: 3000, RequestsPerWindow: 2500,
		Oddities: map[string]bool{OddVarsArray: true},
	}
}

func (sw Switches) retention() time.Duration { return seconds(sw.RetentionHours * 3600) }

func (sw Switches) clone() Switches {
	sw.Oddities = maps.Clone(sw.Oddities)
	return sw
}

func (s *Server) switches() Switches {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.switches.clone()
}

// SetSwitches changes the switches.
func (s *Server) SetSwitches(change func(*Switches)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sw := s.st.switches.clone()
	if sw.Oddities == nil {
		sw.Oddities = map[string]bool{}
	}
	change(&sw)
	s.st.switches = sw
}
