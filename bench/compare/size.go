//go:build unix

package main

import (
	"context"
	"database/sql"
	"fmt"
	"sort"
	"strings"

	"github.com/postern-chat/postern/bench/load"
)

// sizeMessages go to so many conversations, each to one recipient.
const (
	sizeMessages      = 5_000
	sizeConversations = 1_000
)

// rowSize: what a message that is mailed leaves in the database, and what it makes the
// disk write. It is the base of docs/scaling.md.
func rowSize(ctx context.Context, w *world) ([]line, error) {
	out, err := w.sizeOf(ctx, "SQLite", "")
	if err != nil {
		return out, err
	}
	dsn, err := w.freshPostgres()
	if err != nil {
		return append(out, line{what: "size of a message, PostgreSQL", ours: "not measured: " + err.Error()}), nil
	}
	more, err := w.sizeOf(ctx, "PostgreSQL", dsn)
	return append(out, more...), err
}

func (w *world) sizeOf(ctx context.Context, name, dsn string) ([]line, error) {
	s := setting{name: "size-" + name, database: dsn, delay: "0s", people: sizeConversations}
	g, err := w.start(s)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(w.database(s.name), "sqlite:"))
	if dsn != "" {
		db, err = sql.Open("pgx", dsn)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	if err := w.reset(providerDelay); err != nil {
		return nil, err
	}
	before, err := logged(ctx, db, dsn, g)
	if err != nil {
		return nil, err
	}
	t := load.Target{Addr: g.addr, IDs: &w.ids, Conns: 16, Kind: load.Kind{Path: hookPath, Away: 1, Channels: sizeConversations, People: sizeConversations}}
	if _, err := load.Count(t, sizeMessages); err != nil {
		return nil, err
	}
	if err := await(ctx, sizeMessages, func() int64 { return w.counts().messages }); err != nil {
		return nil, err
	}
	after, err := logged(ctx, db, dsn, g)
	if err != nil {
		return nil, err
	}
	mails := w.counts().mails
	g.stop() // SQLite's log goes into the file
	total, tables, err := sizes(ctx, db, dsn)
	if err != nil {
		return nil, err
	}
	return []line{{what: "size of a message that is mailed to one, " + name,
		ours:   fmt.Sprintf("%.1f kB kept, %.1f kB written to disk", total/sizeMessages/1000, (after-before)/sizeMessages/1000),
		beside: fmt.Sprintf("%d messages in %d mails to %d conversations; kB kept by table: %s", sizeMessages, mails, sizeConversations, tables)}}, nil
}

// logged is how much was written so far: PostgreSQL's log, or what the gateway itself
// had written to SQLite's files.
func logged(ctx context.Context, db *sql.DB, dsn string, g *gateway) (n float64, err error) {
	if dsn == "" {
		return g.written(), nil
	}
	err = db.QueryRowContext(ctx, `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8`).Scan(&n)
	return n, err
}

// sizes are the bytes of all tables, with their indexes, and of each for a message.
func sizes(ctx context.Context, db *sql.DB, dsn string) (total float64, tables string, err error) {
	query := `SELECT m.tbl_name, SUM(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name GROUP BY 1`
	if dsn != "" {
		query = `SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace`
	}
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = rows.Close() }()
	type table struct {
		name  string
		bytes float64
	}
	var all []table
	for rows.Next() {
		var t table
		if err := rows.Scan(&t.name, &t.bytes); err != nil {
			return 0, "", err
		}
		total += t.bytes
		all = append(all, t)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].bytes > all[j].bytes })
	var out []string
	for _, t := range all[:min(len(all), 7)] {
		out = append(out, fmt.Sprintf("%s %.2f", t.name, t.bytes/sizeMessages/1000))
	}
	return total, strings.Join(out, ", "), rows.Err()
}
