package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/postern-chat/postern"
)

// Watch is how far a channel of a chat platform is known to be heard of: what is listed
// there is compared with what webhooks brought.
type Watch struct {
	Platform string
	Channel  postern.ChannelID
	Upto     int64     // creation (ms) up to which every message was heard or taken from a list
	ActiveAt time.Time // when something last happened there
	CheckAt  time.Time // when it is to be looked through; zero = when something happens
}

// FindWatch finds a channel's watch; false if there is none.
func (s *Store) FindWatch(ctx context.Context, platform string, ch postern.ChannelID) (w Watch, ok bool, err error) {
	var active, check int64
	ok, err = s.one(ctx, `SELECT upto, active_at, check_at FROM watches WHERE platform = ? AND channel = ?`,
		[]any{platform, string(ch)}, &w.Upto, &active, &check)
	w.Platform, w.Channel, w.ActiveAt, w.CheckAt = platform, ch, at(active), at(check)
	return w, ok, err
}

// PutWatch keeps what is news in a watch: Upto and ActiveAt only rise. An earlier
// CheckAt stands, unless checked says that it was just looked through.
func (tx *Tx) PutWatch(w Watch, checked bool) error {
	return tx.w.s.dialect.watch(tx, []Watch{w}, checked)
}

// PutWatches is PutWatch for many channels, none of them twice, that were not looked through.
func (tx *Tx) PutWatches(ws []Watch) error {
	if len(ws) == 0 {
		return nil
	}
	return tx.w.s.dialect.watch(tx, ws, false)
}

// putWatches is what follows the rows.
const putWatches = ` ON CONFLICT (platform, channel) DO UPDATE SET
 upto = CASE WHEN excluded.upto > watches.upto THEN excluded.upto ELSE watches.upto END,
 active_at = CASE WHEN excluded.active_at > watches.active_at THEN excluded.active_at ELSE watches.active_at END,
 check_at = CASE WHEN ? = 0 AND watches.check_at > 0 AND (excluded.check_at = 0 OR watches.check_at < excluded.check_at)
  THEN watches.check_at ELSE excluded.check_at END`

// flag is a truth in a column.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Suspect makes a channel due in which something may have been missed since a moment (ms).
// Where it is known up to where all was heard, that stands.
func (tx *Tx) Suspect(platform string, ch postern.ChannelID, since int64, active time.Time) error {
	_, err := tx.exec(`INSERT INTO watches (platform, channel, upto, active_at, check_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (platform, channel) DO UPDATE SET
 upto = CASE WHEN watches.upto = 0 THEN excluded.upto ELSE watches.upto END,
 active_at = CASE WHEN excluded.active_at > watches.active_at THEN excluded.active_at ELSE watches.active_at END,
 check_at = CASE WHEN watches.check_at > 0 AND watches.check_at < excluded.check_at THEN watches.check_at ELSE excluded.check_at END`,
		platform, string(ch), since, ms(active), tx.now)
	return err
}

// DueWatches takes channels that are to be looked through now, the longest due first,
// and lets them rest until again, should nobody tell more of them.
func (tx *Tx) DueWatches(platform string, most int, again time.Time) ([]postern.ChannelID, error) {
	names, err := all(tx, scanString, `SELECT channel FROM watches WHERE check_at > 0 AND check_at <= ? AND platform = ? ORDER BY check_at LIMIT ? + 0`, tx.now, platform, most)
	out := make([]postern.ChannelID, 0, len(names))
	for _, n := range names {
		if _, err := tx.exec(`UPDATE watches SET check_at = ? WHERE platform = ? AND channel = ?`, ms(again), platform, n); err != nil {
			return nil, err
		}
		out = append(out, postern.ChannelID(n))
	}
	return out, err
}

// HurryWatches makes all channels due that wait to be looked through.
func (tx *Tx) HurryWatches(platform string) error {
	_, err := tx.exec(`UPDATE watches SET check_at = ? WHERE check_at > ? AND platform = ?`, tx.now, tx.now, platform)
	return err
}

// WatchDue tells when the next channel is to be looked through; false if none is.
func (s *Store) WatchDue(ctx context.Context) (time.Time, bool, error) {
	return s.earliest(ctx, `SELECT MIN(check_at) FROM watches WHERE check_at > 0`)
}

func (s *Store) earliest(ctx context.Context, query string) (time.Time, bool, error) {
	var due sql.NullInt64
	_, err := s.one(ctx, query, nil, &due)
	return at(due.Int64), due.Valid, err
}

// Round is something that is done again and again, by whichever process is first.
type Round struct {
	DueAt time.Time
	Upto  int64 // what it got done, in its own measure
}

// FindRound finds a round by its name; false if nobody began it yet.
func (s *Store) FindRound(ctx context.Context, name string) (r Round, ok bool, err error) {
	var due int64
	ok, err = s.one(ctx, `SELECT due_at, upto FROM rounds WHERE name = ?`, []any{name}, &due, &r.Upto)
	r.DueAt = at(due)
	return r, ok, err
}

// BeginRound makes a round known that is not known yet, and says when the first one is due.
func (tx *Tx) BeginRound(name string, due time.Time, upto int64) error {
	_, err := tx.exec(`INSERT INTO rounds (name, due_at, upto) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING`, name, ms(due), upto)
	return err
}

// TakeRound takes a round that is due, for whoever asks first, and says when the next one is.
func (tx *Tx) TakeRound(name string, next time.Time) (mine bool, err error) {
	n, err := tx.exec(`UPDATE rounds SET due_at = ? WHERE name = ? AND due_at <= ?`, ms(next), name, tx.now)
	return n > 0, err
}

// RoundDone keeps what a round got done. It only rises.
func (tx *Tx) RoundDone(name string, upto int64) error {
	_, err := tx.exec(`UPDATE rounds SET upto = ? WHERE name = ? AND upto < ?`, upto, name, upto)
	return err
}

// Recorded tells which of these dedup keys were recorded.
func (s *Store) Recorded(ctx context.Context, keys []string) (map[string]int64, error) {
	out := map[string]int64{}
	err := s.inParts(ctx, `SELECT dedup, id FROM events WHERE dedup IN `, nil, keys, func(r *sql.Rows) error {
		var key string
		var id int64
		err := r.Scan(&key, &id)
		out[key] = id
		return err
	})
	return out, err
}

// NotMailed tells of chat messages why their webhook brought nothing to do, as far as a
// note says so. What is told of those that were recorded stands in their events: Recorded
// finds them.
func (s *Store) NotMailed(ctx context.Context, ch postern.ChannelID, ids []string) (map[string]string, error) {
	out := map[string]string{}
	err := s.inParts(ctx, `SELECT ref, why FROM notes WHERE what = 'not mailed' AND user_id = '' AND channel = ? AND ref IN `, []any{string(ch)}, ids, func(r *sql.Rows) error {
		var ref, why string
		err := r.Scan(&ref, &why)
		out[ref] = why
		return err
	})
	return out, err
}

// inParts reads rows by a list of any length. The list's last value fills its part up,
// so that there are few different statements.
func (s *Store) inParts(ctx context.Context, query string, args []any, list []string, each func(*sql.Rows) error) error {
	for len(list) > 0 {
		n := min(len(list), perLane)
		places := inLength(n)
		a := args[:len(args):len(args)]
		for i := range places {
			a = append(a, list[min(i, n-1)])
		}
		rows, err := s.query(ctx, query+in(places), a...)
		if err != nil {
			return err
		}
		if _, err := collect(rows, func(r *sql.Rows) (struct{}, error) { return struct{}{}, each(r) }); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// HasKind tells whether a lane has open jobs of a kind at this moment.
func (tx *Tx) HasKind(lane, kind string) (bool, error) {
	var id int64
	return tx.one(`SELECT id FROM jobs WHERE `+inLane+` AND kind = ? LIMIT 1`, []any{lane, kind}, &id)
}

// LaneHas tells whether a lane has open jobs of a kind.
func (s *Store) LaneHas(ctx context.Context, lane, kind string) (bool, error) {
	var id int64
	return s.one(ctx, `SELECT id FROM jobs WHERE `+inLane+` AND kind = ? LIMIT 1`, []any{lane, kind}, &id)
}

// AskAt says when the provider is to be asked about a delivery; zero = never.
func (tx *Tx) AskAt(id postern.DeliveryID, ask time.Time) error {
	_, err := tx.exec(`UPDATE deliveries SET ask_at = ? WHERE id = ?`, ms(ask), string(id))
	return err
}

// Asked is a delivery that the provider has and of which nothing more was heard.
type Asked struct {
	ID          postern.DeliveryID
	Participant postern.ParticipantID
}

// The index deliveries_ask is over the state's number.
const openAsks = ` FROM deliveries WHERE state = 3 AND ask_at > 0`

// DueAsks takes deliveries about which the provider is to be asked now, the longest due
// first, and lets them rest until again.
func (tx *Tx) DueAsks(most int, again time.Time) ([]Asked, error) {
	due, err := all(tx, func(r *sql.Rows) (a Asked, err error) {
		err = r.Scan(&a.ID, (*signed)(&a.Participant))
		return a, err
	}, `SELECT id, participant_id`+openAsks+` AND ask_at <= ? ORDER BY ask_at LIMIT ? + 0`, tx.now, most)
	for _, a := range due {
		if err == nil {
			err = tx.AskAt(a.ID, again)
		}
	}
	return due, err
}

// AskDue tells when the provider is to be asked next; false if there is nothing to ask.
func (s *Store) AskDue(ctx context.Context) (time.Time, bool, error) {
	return s.earliest(ctx, `SELECT MIN(ask_at)`+openAsks)
}

// MailedIn lists the chat messages that stand in a delivery, oldest first.
func (s *Store) MailedIn(ctx context.Context, d postern.DeliveryID) ([]Mailed, error) {
	rows, err := s.query(ctx, `SELECT message_id, created_at FROM mailed WHERE delivery_id = ? ORDER BY created_at, message_id`, string(d))
	if err != nil {
		return nil, err
	}
	return collect(rows, func(r *sql.Rows) (m Mailed, err error) {
		err = r.Scan(&m.Message, &m.CreatedAt)
		return m, err
	})
}

// Unmail takes the chat messages out of a delivery that certainly was not taken: they
// may go out in another one.
func (tx *Tx) Unmail(d postern.DeliveryID) error {
	_, err := tx.exec(`DELETE FROM mailed WHERE delivery_id = ?`, string(d))
	return err
}

// Committed runs f when what this function writes is written, not before and not if it fails.
func (tx *Tx) Committed(f func()) { tx.committed(f) }
