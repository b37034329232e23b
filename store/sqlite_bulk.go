package store

func (sqlite) join(tx *Tx, convs []NewConversation, list []joined) (n int, err error) {
	for part := range parts(convs) {
		args := make([]any, 0, 5*len(part))
		for _, c := range part {
			args = append(args, c.Platform, string(c.Channel), c.Name, c.Subject, c.RootID)
		}
		if _, err := tx.exec(rows(len(part), `INSERT INTO conversations (platform, channel, name, subject, root_id) VALUES `, 5, ` ON CONFLICT (platform, channel) DO NOTHING`), args...); err != nil {
			return n, err
		}
	}
	for part := range parts(list) {
		args := make([]any, 0, 1+7*len(part))
		args = append(args, tx.now)
		for _, j := range part {
			args = append(args, int64(j.id), string(j.user), j.Platform, string(j.Channel), j.Subject, j.RootID, j.Name)
		}
		m, err := tx.exec(rows(len(part), `INSERT INTO participants (id, conversation_id, user_id, created_at)
SELECT others.column1, c.id, others.column2, ? FROM (VALUES `, 7, `) AS others CROSS JOIN conversations c
WHERE c.platform = others.column3 AND c.channel = others.column4 AND c.subject = others.column5 AND c.root_id = others.column6 AND others.column7 IN ('', c.name)
ON CONFLICT (conversation_id, user_id) DO NOTHING`), args...)
		if n += int(m); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (sqlite) deliver(tx *Tx, ds []Delivery, mailed []mailedRow) error {
	for part := range parts(ds) {
		args, contents := make([]any, 0, 8*len(part)), make([]any, 0, 2*len(part))
		for i := range part {
			args, contents = append(args, part[i].row(tx.now)...), append(contents, string(part[i].ID), part[i].Content)
		}
		if _, err := tx.exec(rows(len(part), `INSERT INTO delivery_contents (delivery_id, content) VALUES `, 2, ``), contents...); err != nil {
			return err
		}
		if _, err := tx.exec(rows(len(part), `INSERT INTO deliveries (id, participant_id, state, message_id, recipient, newest_at, created_at, attempted_at) VALUES `, 8, ``), args...); err != nil {
			return err
		}
	}
	for part := range parts(mailed) {
		args := make([]any, 0, 4*len(part))
		for _, m := range part {
			args = append(args, int64(m.participant), string(m.Message), string(m.delivery), m.CreatedAt)
		}
		if _, err := tx.exec(rows(len(part), `INSERT INTO mailed (participant_id, message_id, delivery_id, created_at) VALUES `, 4, ``), args...); err != nil {
			return err
		}
	}
	return nil
}

func (sqlite) count(tx *Tx, states, ns []int64) error {
	var args []any
	for i, state := range states {
		args = append(args, state, ns[i])
	}
	_, err := tx.exec(rows(len(states), `INSERT INTO delivery_counts (state, n) VALUES `, 2, ` ON CONFLICT (state) DO UPDATE SET n = n + excluded.n`), args...)
	return err
}

func (sqlite) accept(tx *Tx, list []accepted) (rose []string, err error) {
	for part := range parts(list) {
		args := make([]any, 0, 3+3*len(part))
		args = append(args, int(Accepted), tx.now)
		for _, a := range part {
			args = append(args, string(a.id), a.provider, a.ask)
		}
		ids, err := all(tx, scanString, rows(len(part), `UPDATE deliveries SET state = ?, accepted_at = CASE WHEN accepted_at = 0 THEN ? ELSE accepted_at END,
 provider_id = others.column2, ask_at = others.column3 FROM (VALUES `, 3, `) AS others WHERE deliveries.id = others.column1 AND state = ? + 0 RETURNING id`), append(args, int(Sending))...)
		if err != nil {
			return nil, err
		}
		rose = append(rose, ids...)
	}
	return rose, nil
}

func (sqlite) note(tx *Tx, notes []Note) error {
	for part := range parts(notes) {
		args := make([]any, 0, 8*len(part))
		for _, n := range part {
			args = append(args, tx.now, n.What, n.Why, string(n.Channel), string(n.User), n.Ref, n.Ref2, n.Detail)
		}
		if _, err := tx.exec(rows(len(part), `INSERT INTO notes (at, what, why, channel, user_id, ref, ref2, detail) VALUES `, 8, ``), args...); err != nil {
			return err
		}
	}
	return nil
}

func (sqlite) become(tx *Tx, jobs []becameJob) error {
	for part := range parts(jobs) {
		args := make([]any, 0, 2+4*len(part))
		args = append(args, tx.now, tx.now)
		for _, j := range part {
			args = append(args, j.lane, j.id, j.kind, j.args)
		}
		if _, err := tx.exec(rows(len(part), `UPDATE jobs SET kind = others.column3, args = others.column4, attempts = 0, due_at = ?, cap_at = ? FROM (VALUES `, 4,
			`) AS others WHERE jobs.lane = others.column1 AND jobs.id = others.column2`), args...); err != nil {
			return err
		}
	}
	return nil
}

func (sqlite) watch(tx *Tx, ws []Watch, checked bool) error {
	for part := range parts(ws) {
		args := make([]any, 0, 1+5*len(part))
		for _, w := range part {
			args = append(args, w.Platform, string(w.Channel), w.Upto, ms(w.ActiveAt), ms(w.CheckAt))
		}
		if _, err := tx.exec(rows(len(part), `INSERT INTO watches (platform, channel, upto, active_at, check_at) VALUES `, 5, putWatches), append(args, flag(checked))...); err != nil {
			return err
		}
	}
	return nil
}

// hold locks nothing, there is one writer, and so reads no lane that is known.
func (sqlite) hold(tx *Tx, lanes []string, _ bool) (map[string]heldLane, error) {
	k, err := tx.known()
	if err != nil {
		return nil, err
	}
	if len(k.lanes) > maxKnown {
		clear(k.lanes)
	}
	held := make(map[string]heldLane, len(lanes))
	var fresh []any
	for _, lane := range lanes {
		if h, ok := k.lanes[lane]; ok {
			held[lane] = h
		} else {
			fresh = append(fresh, lane)
		}
	}
	for part := range parts(fresh) {
		rows, err := tx.query(`SELECT lane, number, fence, poked FROM lanes WHERE lane IN `+in(len(part)), part...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var lane string
			var h heldLane
			if err := rows.Scan(&lane, &h.number, &h.fence, &h.poked); err != nil {
				_ = rows.Close()
				return nil, tx.fail(err)
			}
			held[lane], k.lanes[lane] = h, h
		}
		if err := rows.Close(); err != nil {
			return nil, tx.fail(err)
		}
		if err := rows.Err(); err != nil {
			return nil, tx.fail(err)
		}
	}
	return held, nil
}

func (sqlite) finish(tx *Tx, jobs []jobKey) error {
	for part := range parts(jobs) {
		args := make([]any, 0, 2*len(part))
		for _, j := range part {
			args = append(args, tx.held[j.lane].number, j.id)
		}
		if _, err := tx.exec(rows(len(part), `DELETE FROM jobs WHERE (lane, id) IN (VALUES `, 2, `)`), args...); err != nil {
			return err
		}
	}
	return nil
}

func (sqlite) release(tx *Tx, lanes []string) error {
	for part := range parts(lanes) {
		names, args := make(map[int64]string, len(part)), make([]any, 0, len(part))
		for _, lane := range part {
			number := tx.held[lane].number
			names[number], args = lane, append(args, number)
		}
		gone, err := all(tx, scanInt, `DELETE FROM lanes WHERE number IN `+in(len(part))+` AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.lane = lanes.number) RETURNING number`, args...)
		if err != nil {
			return err
		}
		for _, number := range gone {
			tx.w.known.forget(names[number])
			delete(names, number)
		}
		for number, lane := range names {
			if err := releaseLane(tx, number, lane); err != nil {
				return err
			}
		}
	}
	return nil
}

// releaseLane gives a lane back that has jobs.
func releaseLane(tx *Tx, number int64, lane string) error {
	var h laneHead
	ok, err := tx.one(`SELECT kind, due_at, cap_at, `+latestDue+` FROM jobs WHERE lane = ? ORDER BY id LIMIT 1`, []any{tx.now, number}, &h.kind, &h.due, &h.cap, &h.latest)
	if err != nil || !ok {
		return err
	}
	due, limit := tx.dueOf(h, lane)
	tx.w.known.owned(lane, 0)
	_, err = tx.exec(`UPDATE lanes SET due_at = ?, cap_at = ?, fence = 0, poked = '' WHERE number = ?`, due, limit, number)
	return err
}
