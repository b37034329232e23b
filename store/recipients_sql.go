package store

import (
	"fmt"
	"strings"
)

// recipientColumns are what is read of each wanted row: its number, counted from 1; what
// is known of the message (1: yes); the person; the conversation; the participant.
const (
	recipientColumns = `want.n, v.removed, v.text, m.found, o.found,
 pe.email, pe.name, pe.locale, pe.time_zone, pe.stopped, pe.stopped_detail, pe.stopped_at, r.read_at, c.id, c.name, c.subject, c.root_id,
 p.id, p.muted_at, p.revoked_at, p.own_read_at, p.own_read_upto, p.own_delivered_upto`
	recipientWidth = 23
)

// askLengths are the numbers of rows that SQLite's statements take, so that there are few
// of them. Rows too many are NULL.
var askLengths = [...]int{1, 4, 8, 16, togetherRows}

// recipients joins by VALUES, which costs half of what json_each does.
func (sqlite) recipients(want []wanted) (string, []any) {
	n := togetherRows
	for i := len(askLengths) - 1; i >= 0 && askLengths[i] >= len(want); i-- {
		n = askLengths[i]
	}
	args := make([]any, 4*n)
	for i, w := range want {
		a := args[4*i:]
		a[0], a[1], a[2] = w.platform, w.channel, w.user
		if w.message >= 0 {
			a[3] = w.messages[w.message]
		}
	}
	var q strings.Builder
	q.WriteString(`WITH want(n, platform, channel, user_id, message) AS (VALUES (1, ?, ?, ?, ?)`)
	for i := 2; i <= n; i++ {
		fmt.Fprintf(&q, `, (%d, ?, ?, ?, ?)`, i)
	}
	q.WriteString(recipientsOfSQLite)
	return q.String(), args
}

const recipientsOfSQLite = `)
SELECT ` + recipientColumns + ` FROM want
LEFT JOIN people pe ON pe.user_id = want.user_id
LEFT JOIN reads r ON r.platform = want.platform AND r.channel = want.channel AND r.user_id = want.user_id
LEFT JOIN conversations c ON c.platform = want.platform AND c.channel = want.channel
LEFT JOIN participants p ON p.conversation_id = c.id AND p.user_id = want.user_id
LEFT JOIN revisions v ON v.platform = want.platform AND v.channel = want.channel AND v.message_id = want.message
LEFT JOIN (SELECT participant_id, message_id, 1 AS found FROM mailed) AS m ON m.participant_id = p.id AND m.message_id = want.message
LEFT JOIN (SELECT conversation_id, chat_message_id, 1 AS found FROM posts WHERE chat_message_id <> '') AS o ON o.conversation_id = p.conversation_id AND o.chat_message_id = want.message
WHERE want.platform IS NOT NULL`

// recipients looks each up by itself, whatever the planner believes of the tables' sizes:
// a plan that was made while they were small goes through them later.
func (postgres) recipients(want []wanted) (string, []any) {
	n := len(want)
	platforms, channels, users, messages := make([]string, n), make([]string, n), make([]string, n), make([]*string, n)
	for i, w := range want {
		platforms[i], channels[i], users[i] = w.platform, w.channel, w.user
		if w.message >= 0 {
			messages[i] = &w.messages[w.message]
		}
	}
	return recipientsOfPostgres, []any{platforms, channels, users, messages}
}

const recipientsOfPostgres = `SELECT ` + recipientColumns + `
FROM unnest(?::text[], ?::text[], ?::text[], ?::text[]) WITH ORDINALITY AS want(platform, channel, user_id, message, n)
LEFT JOIN LATERAL (SELECT * FROM people WHERE user_id = want.user_id LIMIT 1) AS pe ON true
LEFT JOIN LATERAL (SELECT * FROM reads WHERE platform = want.platform AND channel = want.channel AND user_id = want.user_id LIMIT 1) AS r ON true
LEFT JOIN LATERAL (SELECT * FROM conversations WHERE platform = want.platform AND channel = want.channel LIMIT 1) AS c ON true
LEFT JOIN LATERAL (SELECT * FROM participants WHERE conversation_id = c.id AND user_id = want.user_id LIMIT 1) AS p ON true
LEFT JOIN LATERAL (SELECT * FROM revisions WHERE platform = want.platform AND channel = want.channel AND message_id = want.message LIMIT 1) AS v ON true
LEFT JOIN LATERAL (SELECT 1::bigint AS found FROM mailed WHERE participant_id = p.id AND message_id = want.message LIMIT 1) AS m ON true
LEFT JOIN LATERAL (SELECT 1::bigint AS found FROM posts WHERE conversation_id = p.conversation_id AND chat_message_id = want.message AND chat_message_id <> '' LIMIT 1) AS o ON true`
