package store

// noteColumnsOf are notes as columns, for unnest.
type noteColumnsOf struct {
	whats, whys, channels, users, refs, refs2, details []string
}

func (c *noteColumnsOf) append(n Note) {
	c.whats, c.whys = append(c.whats, n.What), append(c.whys, n.Why)
	c.channels, c.users = append(c.channels, string(n.Channel)), append(c.users, string(n.User))
	c.refs, c.refs2, c.details = append(c.refs, n.Ref), append(c.refs2, n.Ref2), append(c.details, n.Detail)
}

func (postgres) note(tx *Tx, notes []Note) error {
	var c noteColumnsOf
	for _, n := range notes {
		c.append(n)
	}
	_, err := tx.exec(`INSERT INTO notes (at, what, why, channel, user_id, ref, ref2, detail)
SELECT ?::bigint, what, why, channel, user_id, ref, ref2, detail
FROM unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[]) WITH ORDINALITY AS o(what, why, channel, user_id, ref, ref2, detail, n) ORDER BY n`,
		tx.now, c.whats, c.whys, c.channels, c.users, c.refs, c.refs2, c.details)
	return err
}

// join says it in two statements: only so the second sees a conversation that another
// transaction made while the first waited for it.
func (postgres) join(tx *Tx, convs []NewConversation, list []joined) (int, error) {
	n, m := len(convs), len(list)
	platforms, channels, names, subjects, roots := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, c := range convs {
		platforms[i], channels[i], names[i], subjects[i], roots[i] = c.Platform, string(c.Channel), c.Name, c.Subject, c.RootID
	}
	_, err := tx.exec(`INSERT INTO conversations (platform, channel, name, subject, root_id)
SELECT platform, channel, name, subject, root
FROM unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::text[]) WITH ORDINALITY AS c(platform, channel, name, subject, root, n) ORDER BY n
ON CONFLICT (platform, channel) DO NOTHING`, platforms, channels, names, subjects, roots)
	if err != nil {
		return 0, err
	}
	ids, users := make([]int64, m), make([]string, m)
	platforms, channels, names, subjects, roots = make([]string, m), make([]string, m), make([]string, m), make([]string, m), make([]string, m)
	for i, j := range list {
		ids[i], users[i] = int64(j.id), string(j.user)
		platforms[i], channels[i], names[i], subjects[i], roots[i] = j.Platform, string(j.Channel), j.Name, j.Subject, j.RootID
	}
	made, err := tx.exec(`INSERT INTO participants (id, conversation_id, user_id, created_at)
SELECT p.id, c.id, p.of, ?::bigint
FROM unnest(?::bigint[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[]) WITH ORDINALITY AS p(id, of, platform, channel, name, subject, root, n)
JOIN conversations c ON c.platform = p.platform AND c.channel = p.channel AND c.subject = p.subject AND c.root_id = p.root AND p.name IN ('', c.name) ORDER BY p.n
ON CONFLICT (conversation_id, user_id) DO NOTHING`, tx.now, ids, users, platforms, channels, names, subjects, roots)
	return int(made), err
}

// deliver stores all in one statement, each in the order of its key, in which
// other transactions that store the same wait for this one.
func (postgres) deliver(tx *Tx, ds []Delivery, mailed []mailedRow) error {
	n, m := len(ds), len(mailed)
	ids, messages, recipients, contents := make([]string, n), make([]string, n), make([]string, n), make([][]byte, n)
	participants, states, newest, attempted := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	for i, d := range ds {
		ids[i], messages[i], recipients[i], contents[i] = string(d.ID), d.MessageID, d.Recipient, d.Content
		participants[i], states[i], newest[i], attempted[i] = int64(d.Participant), int64(d.State), d.NewestAt, ms(d.AttemptedAt)
	}
	whose, written, parts, of := make([]int64, m), make([]int64, m), make([]string, m), make([]string, m)
	for i, r := range mailed {
		whose[i], written[i], parts[i], of[i] = int64(r.participant), r.CreatedAt, string(r.Message), string(r.delivery)
	}
	_, err := tx.exec(`WITH sent AS (
 INSERT INTO deliveries (id, participant_id, state, message_id, recipient, newest_at, created_at, attempted_at)
 SELECT id, participant, state, message, recipient, newest, ?::bigint, attempted
 FROM unnest(?::text[], ?::bigint[], ?::bigint[], ?::text[], ?::text[], ?::bigint[], ?::bigint[]) AS d(id, participant, state, message, recipient, newest, attempted) ORDER BY id
), kept AS (
 INSERT INTO delivery_contents (delivery_id, content) SELECT id, content FROM unnest(?::text[], ?::bytea[]) AS c(id, content) ORDER BY id
)
INSERT INTO mailed (participant_id, message_id, delivery_id, created_at)
SELECT participant, message, delivery, created FROM unnest(?::bigint[], ?::text[], ?::text[], ?::bigint[]) AS m(participant, message, delivery, created) ORDER BY 1, 2`,
		tx.now, ids, participants, states, messages, recipients, newest, attempted, ids, contents, whose, parts, of, written)
	return err
}

// count writes to rows of this connection, so that nobody waits for anybody.
func (postgres) count(tx *Tx, states, ns []int64) error {
	_, err := tx.exec(`INSERT INTO delivery_counts AS c (connection, state, n) SELECT pg_backend_pid(), state, n FROM unnest(?::bigint[], ?::bigint[]) AS u(state, n)
ON CONFLICT (connection, state) DO UPDATE SET n = c.n + excluded.n`, states, ns)
	return err
}

func (postgres) accept(tx *Tx, list []accepted) ([]string, error) {
	n := len(list)
	ids, providers, asks := make([]string, n), make([]string, n), make([]int64, n)
	for i, a := range list {
		ids[i], providers[i], asks[i] = string(a.id), a.provider, a.ask
	}
	return all(tx, scanString, `UPDATE deliveries SET state = ?, accepted_at = CASE WHEN accepted_at = 0 THEN ? ELSE accepted_at END, provider_id = u.provider, ask_at = u.ask
FROM unnest(?::text[], ?::text[], ?::bigint[]) AS u(id, provider, ask) WHERE deliveries.id = u.id AND state = ? RETURNING deliveries.id`,
		int(Accepted), tx.now, ids, providers, asks, int(Sending))
}

func (postgres) become(tx *Tx, jobs []becameJob) error {
	n := len(jobs)
	lanes, ids, kinds, args := make([]int64, n), make([]int64, n), make([]string, n), make([][]byte, n)
	for i, j := range jobs {
		lanes[i], ids[i], kinds[i], args[i] = j.lane, j.id, j.kind, j.args
	}
	_, err := tx.exec(`UPDATE jobs SET kind = u.kind, args = u.args, attempts = 0, due_at = ?, cap_at = ?
FROM unnest(?::bigint[], ?::bigint[], ?::text[], ?::bytea[]) AS u(lane, id, kind, args) WHERE jobs.lane = u.lane AND jobs.id = u.id`, tx.now, tx.now, lanes, ids, kinds, args)
	return err
}

func (postgres) watch(tx *Tx, ws []Watch, checked bool) error {
	n := len(ws)
	platforms, channels := make([]string, n), make([]string, n)
	uptos, actives, checks := make([]int64, n), make([]int64, n), make([]int64, n)
	for i, w := range ws {
		platforms[i], channels[i] = text(w.Platform), text(string(w.Channel))
		uptos[i], actives[i], checks[i] = w.Upto, ms(w.ActiveAt), ms(w.CheckAt)
	}
	_, err := tx.exec(`INSERT INTO watches (platform, channel, upto, active_at, check_at)
SELECT platform, channel, upto, active, due FROM unnest(?::text[], ?::text[], ?::bigint[], ?::bigint[], ?::bigint[])
 AS w(platform, channel, upto, active, due) ORDER BY platform COLLATE "C", channel COLLATE "C"`+putWatches,
		platforms, channels, uptos, actives, checks, flag(checked))
	return err
}
