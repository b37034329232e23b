// Package grow fills a database with the past: conversations, participants, messages
// that were mailed, and answers that were posted. It writes
// rows straight into the tables of the real schema, which must be there, and asks the
// database at run time which columns they have; lanes and jobs stay empty, because the
// past has no open work.
package grow

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// Size says how much is made. Channels and users are named as bench/load names them.
type Size struct {
	Messages, Conversations, People int
	Domain                          string
}

// chunk is how many rows one statement makes.
const chunk = 100_000

// bodyBytes is what an event's body has: less than a real one's 3.3 kB, which would
// make the file large and the trees above it no deeper.
const bodyBytes = 400

// table is what is known about the rows of one table. The values are SQL of the row's
// number n, in words that both databases get translated, see dialect.
type table struct {
	name   string
	rows   int
	values map[string]string
}

// Fill adds the rows. told hears of each table when it is full.
func Fill(ctx context.Context, database string, size Size, told func(table string, rows int64)) error {
	d, db, err := open(database)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	err = d.prepare(ctx, db)
	for _, t := range tables(size) {
		if err == nil {
			err = d.fill(ctx, db, t)
		}
		if err == nil {
			told(t.name, int64(t.rows))
		}
	}
	if err == nil {
		err = d.numbered(ctx, db)
	}
	if err == nil {
		err = d.finish(ctx, db)
	}
	return errors.Join(err, db.Close())
}

// tables describes the past: message n was said in conversation n mod C to its one
// participant, and mailed; every tenth was answered.
func tables(s Size) []table {
	c := fmt.Sprintf("(n %% %d)", s.Conversations)
	user := func(conv string) string { return fmt.Sprintf("'u' || pad8(%s %% %d)", conv, s.People) }
	channel := func(conv string) string {
		return fmt.Sprintf("'sendbird_group_channel_10000000_%s' || pad8(%s)", strings.Repeat("0", 32), conv)
	}
	// Participants' ids are random: a permutation of a range a little larger.
	participant := func(conv string) string { return fmt.Sprintf("(1000000007 + (%s) * 48271 %% 2147483647)", conv) }
	// Over the last three weeks: retention leaves it alone.
	const span = 21 * 24 * time.Hour
	at := fmt.Sprintf("(%d + n %% %d * %d)", time.Now().Add(-span).UnixMilli(), s.Messages, span.Milliseconds()/int64(max(s.Messages, 1)))
	delivery := "'d-' || pad16(n)"
	answers := s.Messages / 10
	return []table{
		{"people", s.People, map[string]string{"user_id": user("n"), "email": user("n") + " || '@people.example'", "name": "'Name'", "updated_at": at}},
		{"conversations", s.Conversations, map[string]string{"id": "n + 1", "platform": "'sendbird'", "channel": channel("n"), "name": "'Support'", "subject": "'Support'", "root_id": "'c.' || pad16(n) || '@" + s.Domain + "'", "created_at": at}},
		{"participants", s.Conversations, map[string]string{"id": participant("n"), "conversation_id": "n + 1", "user_id": user("n"), "created_at": at}},
		{"events", s.Messages, map[string]string{"source": "'sendbird'", "dedup": "pad16(n) || ':sendbird:' || " + channel(c) + " || ':sent'", "received_at": at, "body": fmt.Sprintf("bytes(%d)", bodyBytes)}},
		{"deliveries", s.Messages, map[string]string{"id": delivery, "participant_id": participant(c), "state": "5", "message_id": delivery + " || '@" + s.Domain + "'", "provider_id": delivery,
			"recipient": user(c) + " || '@people.example'", "newest_at": at, "created_at": at, "attempted_at": at, "accepted_at": at, "delivered_at": at, "opened_at": at}},
		{"delivery_contents", s.Messages, map[string]string{"delivery_id": delivery, "content": contentOf(bodyBytes)}},
		{"mailed", s.Messages, map[string]string{"participant_id": participant(c), "message_id": "pad16(n)", "delivery_id": delivery, "created_at": at}},
		{"posts", answers, map[string]string{"id": "'p-' || pad16(n)", "batch": "'mail-' || pad16(n)", "seq": "0", "conversation_id": c + " + 1", "user_id": user(c), "text": "'Thank you, see you at four.'",
			"state": "2", "chat_message_id": "pad16(n + 500000000)", "created_at": at, "attempted_at": at}},
	}
}

// contentOf is what a delivery keeps of a mail: JSON.
func contentOf(n int) string { return fmt.Sprintf("json(%d)", n) }

func open(database string) (dialect, *sql.DB, error) {
	if file, ok := strings.CutPrefix(database, "sqlite:"); ok {
		db, err := sql.Open("sqlite", "file:"+file)
		return sqlite, db, err
	}
	db, err := sql.Open("pgx", database)
	return postgres, db, err
}
