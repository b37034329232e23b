package store_test

import (
	"database/sql"
	"flag"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/postern-chat/postern/store"
)

// reads are statements that may go through a table, and why that stays cheap.
var reads = map[string]string{
	"FROM (SELECT added_at FROM jobs LIMIT": "open work only, bounded",
	"FROM sequences":                        "one row",
	"UPDATE sequences":                      "one row",
	"FROM delivery_counts":                  "a row for each state",
}

func excused(query string) bool {
	for part := range reads {
		if strings.Contains(query, part) {
			return true
		}
	}
	return false
}

// tables are all of ours; a plan may go through what it made itself.
var tables = regexp.MustCompile(`^SCAN (events|sequences|lanes|jobs|dead_jobs|people|conversations|participants|deliveries|delivery_contents|delivery_counts|mailed|revisions|reads|posts|held|notes|watches|rounds|house|blob_uses|[a-z])( |$)`)

// enough tells if the suite did not show its statements; part of the suite need not.
func enough(t *testing.T, queries map[string]bool) {
	t.Helper()
	if n := len(queries); n < 60 && !strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		t.Errorf("only %d statements were seen", n)
	}
}

// checkSQLitePlans asks how each statement would be run: none may go through a table.
func checkSQLitePlans(t *testing.T, queries map[string]bool) {
	t.Helper()
	enough(t, queries)
	file := sqlite().Fresh(t)
	s := openSQLite(t, store.Config{Database: file})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", strings.TrimPrefix(file, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for q := range queries {
		rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+q, make([]any, strings.Count(q, "?"))...)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		for rows.Next() {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				t.Fatal(err)
			}
			if tables.MatchString(step) && !excused(q) {
				t.Errorf("%s\n%s", step, q)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		_ = rows.Close()
	}
}

// checkPostgresPlans asks the same of PostgreSQL, which is told to go through a table
// only where there is no other way.
func checkPostgresPlans(t *testing.T, dsn string, queries map[string]bool) {
	t.Helper()
	enough(t, queries)
	s := openSQLite(t, store.Config{Database: dsn})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	exec := func(q string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	exec(`SET enable_seqscan = off`)
	exec(`SET plan_cache_mode = force_generic_plan`)
	n := 0
	for q := range queries {
		n++
		exec(fmt.Sprintf("PREPARE q%d AS %s", n, q))
		nulls := ""
		if c := strings.Count(q, "$"); c > 0 {
			nulls = "(" + strings.TrimSuffix(strings.Repeat("NULL, ", c), ", ") + ")"
		}
		rows, err := conn.Query(t.Context(), fmt.Sprintf("EXPLAIN (COSTS OFF) EXECUTE q%d%s", n, nulls))
		if err != nil {
			t.Fatal(err)
		}
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		for _, step := range plan {
			if strings.Contains(step, "Seq Scan on ") && !excused(q) {
				t.Errorf("%s\n%s\n%s", step, q, strings.Join(plan, "\n"))
			}
		}
	}
}
