package sendbird

import "sort"

const (
	groupChannels = "group_channels"
	openChannels  = "open_channels"
)

// state is all that the application holds. Server.mu guards it.
type state struct {
	seq      int64 // order of creation of users and channels
	lastID   int64 // last message id
	events   int64 // webhooks made
	lastTime int64 // last time given out by tick, ms
	hexes    uint64
	users    map[string]*user
	channels map[string]*channel // by channelKey
	tokens   []apiToken
	allowed  []string // callers' addresses; empty = everybody
	hook     hookSettings
	reports  []report
	offset   int64 // ms the clock is ahead of Config.Now
	frozenAt int64 // ms at which the clock stands, 0 = it runs
	burst    map[string][]int64
	down     bool // application not available

	autoAccept *bool // of invitations, where a user has no preference
}

type apiToken struct {
	token   string
	created int64
}

type hookSettings struct {
	enabled        bool
	url            string
	includeMembers bool
	includeUnread  bool
	events         []string
}

type user struct {
	seq         int64
	id          string
	nickname    string
	profileURL  string
	metadata    map[string]string
	accessToken string
	active      bool
	online      bool
	everOnline  bool
	lastSeen    int64 // ms; -1 never, 0 while online
	created     int64 // ms
	discovery   []string
	languages   []string
	blocks      map[string]bool // whom this user blocks
	pushTrigger string
	pushOff     bool
	dnd         bool
	pushOther   obj   // hours, zone and sound
	autoAccept  *bool // of invitations; nil = as the application has it
	fileKey     string
	fileKeyEnd  int64 // ms
}

type channel struct {
	seq          int64
	kind         string // groupChannels or openChannels
	url          string
	name         string
	customType   string
	data         string
	coverURL     string
	accessCode   string
	distinct     bool
	public       bool
	super        bool
	ephemeral    bool
	discoverable bool
	frozen       bool
	maxLength    int
	created      int64 // ms
	createdBy    string
	members      map[string]*member
	operators    map[string]bool // open channels; members of group channels carry a role
	messages     []*message      // by created, then id
	byID         map[int64]*message
	dedup        map[string]int64
	metadata     map[string]string
	counters     map[string]int64
	bans         map[string]*sanction
	mutes        map[string]*sanction
	typing       map[string]bool
}

type member struct {
	user      *user
	invited   bool // not yet joined
	friend    bool // invited by a friend
	operator  bool
	inviter   string
	joined    int64 // ms
	read      int64 // high-water mark, ms; 0 = never
	delivered int64 // high-water mark, ms; 0 = never
	hidden    int   // 0 shown, 1 hidden until the next message, 2 hidden
	joinOrder int64
}

type sanction struct {
	start, end  int64
	description string
	user        *user
}

type message struct {
	id         int64
	channel    *channel
	kind       string // MESG, FILE, ADMM
	senderID   string // "" for ADMM
	sender     obj    // as it was at sending
	text       string
	customType string
	data       string
	created    int64
	updated    int64
	silent     bool
	removed    bool
	operator   bool
	mention    string
	mentioned  []string
	arrays     []metaArray
	files      []fileRef // one for a file message, several for a multiple-file message
	multi      bool
	auth       bool // require_auth
	parent     int64
	toChannel  bool
	reqID      string
	push       bool
	reactions  map[string]*reaction
	sdk        string
	ip         string
}

type metaArray struct {
	key   string
	value []string
}

type fileRef struct {
	url, name, kind string
	size            int64
	thumbnails      []obj
}

type reaction struct {
	users   []string
	updated int64
}

func newState() *state {
	return &state{
		users:    map[string]*user{},
		channels: map[string]*channel{},
		hook:     hookSettings{includeUnread: true},
		burst:    map[string][]int64{},
		lastID:   100_000_000, // ids of real applications have nine or ten digits
	}
}

func channelKey(kind, url string) string { return kind + "/" + url }

func (st *state) user(id string) (*user, error) {
	if u := st.users[id]; u != nil {
		return u, nil
	}
	return nil, notFound("User")
}

// activeUser is user without the deactivated.
func (st *state) activeUser(id string) (*user, error) {
	u, err := st.user(id)
	if err == nil && !u.active {
		return nil, fail(codeDeactivated, "\"User\" is deactivated.")
	}
	return u, err
}

func (st *state) channel(kind, url string) (*channel, error) {
	if ch := st.channels[channelKey(kind, url)]; ch != nil {
		return ch, nil
	}
	return nil, notFound("Channel")
}

func (st *state) sortedUsers() []*user {
	out := make([]*user, 0, len(st.users))
	for _, u := range st.users {
		out = append(out, u)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].seq < out[j].seq })
	return out
}

func (st *state) sortedChannels(kind string) []*channel {
	var out []*channel
	for _, ch := range st.channels {
		if kind == "" || ch.kind == kind {
			out = append(out, ch)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].seq < out[j].seq })
	return out
}

// sortedMembers lists members in the order they came.
func (ch *channel) sortedMembers() []*member {
	out := make([]*member, 0, len(ch.members))
	for _, m := range ch.members {
		out = append(out, m)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].joinOrder < out[j].joinOrder })
	return out
}

func (ch *channel) joinedCount() int {
	n := 0
	for _, m := range ch.members {
		if !m.invited {
			n++
		}
	}
	return n
}

// insert keeps messages in order; back-dated ones find their place.
func (ch *channel) insert(m *message) {
	i := sort.Search(len(ch.messages), func(i int) bool {
		o := ch.messages[i]
		return o.created > m.created || o.created == m.created && o.id > m.id
	})
	ch.messages = append(ch.messages, nil)
	copy(ch.messages[i+1:], ch.messages[i:])
	ch.messages[i] = m
	ch.byID[m.id] = m
}

// last is the newest message that everybody sees, or nil.
func (ch *channel) last() *message {
	for i := len(ch.messages) - 1; i >= 0; i-- {
		if m := ch.messages[i]; !m.removed && !m.silent && (m.parent == 0 || m.toChannel) {
			return m
		}
	}
	return nil
}

// unread counts what m has not read. Silent messages and own ones never count; nor does what was there before.
func (ch *channel) unread(m *member) int {
	if m.invited || ch.kind != groupChannels {
		return 0
	}
	from := max(m.read, m.joined)
	i := sort.Search(len(ch.messages), func(i int) bool { return ch.messages[i].created > from })
	n := 0
	for _, msg := range ch.messages[i:] {
		if !msg.removed && !msg.silent && msg.senderID != m.user.id {
			n++
		}
	}
	return n
}

func (ch *channel) unreadMentions(m *member) int {
	n, from := 0, max(m.read, m.joined)
	first := sort.Search(len(ch.messages), func(i int) bool { return ch.messages[i].created > from })
	for _, msg := range ch.messages[first:] {
		if msg.removed || msg.silent || msg.senderID == m.user.id {
			continue
		}
		if msg.mention == "channel" {
			n++
			continue
		}
		for _, id := range msg.mentioned {
			if id == m.user.id {
				n++
				break
			}
		}
	}
	return n
}

// totalUnread is the user's unread messages over all group channels.
func (st *state) totalUnread(u *user) (messages, channels int) {
	for _, ch := range st.channels {
		if m := ch.members[u.id]; m != nil {
			if n := ch.unread(m); n > 0 {
				messages, channels = messages+n, channels+1
			}
		}
	}
	return messages, channels
}
