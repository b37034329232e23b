package grow

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"sort"
	"strings"
)

// dialect is what differs between the databases.
type dialect struct {
	before, after []string // statements around it all
	columns       string   // name, type, whether a value is needed; of the table $1
	series        string   // rows n from $1 to $2, exclusive
	words         map[string]string
}

var sqlite = dialect{
	// If it fails it is thrown away: nothing needs to be durable before the end.
	before:  []string{"PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", "PRAGMA cache_size=-1500000", "PRAGMA temp_store=MEMORY"},
	after:   []string{"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL"},
	columns: `SELECT name, type, "notnull" <> 0 AND dflt_value IS NULL AND pk = 0 FROM pragma_table_info($1)`,
	series:  "WITH RECURSIVE s(n) AS (SELECT %[1]d UNION ALL SELECT n + 1 FROM s WHERE n + 1 < %[2]d)",
	words: map[string]string{
		"pad8": "printf('%%08d', $1)", "pad16": "printf('%%016d', $1)",
		"bytes": "CAST(printf('%%.*c', $1, 'x') AS BLOB)",
		"json":  `CAST('{"text":"' || printf('%%.*c', $1, 'x') || '"}' AS BLOB)`,
	},
}

var postgres = dialect{
	before: []string{"SET synchronous_commit = off"},
	after: []string{
		// Conversations were numbered by us.
		"SELECT setval(pg_get_serial_sequence('conversations', 'id'), (SELECT MAX(id) FROM conversations))",
		"VACUUM ANALYZE",
	},
	columns: `SELECT column_name, data_type, is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'
FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1`,
	series: "WITH s(n) AS (SELECT generate_series(%[1]d::bigint, %[2]d - 1))",
	words: map[string]string{
		"pad8": "lpad(($1)::text, 8, '0')", "pad16": "lpad(($1)::text, 16, '0')",
		"bytes": "convert_to(repeat('x', $1), 'UTF8')",
		"json":  `convert_to('{"text":"' || repeat('x', $1) || '"}', 'UTF8')`,
	},
}

func (d dialect) prepare(ctx context.Context, db *sql.DB) error { return execAll(ctx, db, d.before) }
func (d dialect) finish(ctx context.Context, db *sql.DB) error  { return execAll(ctx, db, d.after) }

// numbered tells a schema that keeps the highest ids itself what they are now.
func (d dialect) numbered(ctx context.Context, db *sql.DB) error {
	var n int
	rows, err := db.QueryContext(ctx, d.columns, "sequences")
	if err != nil {
		return err
	}
	for rows.Next() {
		n++
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || n == 0 {
		return err
	}
	return execAll(ctx, db, []string{"UPDATE sequences SET event = (SELECT MAX(id) FROM events)"})
}

func execAll(ctx context.Context, db *sql.DB, statements []string) error {
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

func (d dialect) fill(ctx context.Context, db *sql.DB, t table) error {
	names, values, err := d.shape(ctx, db, t)
	if err != nil {
		return err
	}
	for from := 0; from < t.rows; from += chunk {
		query := fmt.Sprintf("INSERT INTO %s (%s) ", t.name, strings.Join(names, ", ")) +
			fmt.Sprintf(d.series, from, min(from+chunk, t.rows)) + " SELECT " + strings.Join(values, ", ") + " FROM s"
		if _, err := db.ExecContext(ctx, query); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// shape says which columns are filled with what: those that are known and there, and
// those that need a value and are not known.
func (d dialect) shape(ctx context.Context, db *sql.DB, t table) (names, values []string, err error) {
	rows, err := db.QueryContext(ctx, d.columns, t.name)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	have := map[string]string{}
	for rows.Next() {
		var name, kind string
		var needed bool
		if err := rows.Scan(&name, &kind, &needed); err != nil {
			return nil, nil, err
		}
		switch value, known := t.values[name]; {
		case known:
			have[name] = d.translate(value)
		case needed:
			have[name] = zero(kind)
		}
	}
	if len(have) == 0 {
		return nil, nil, fmt.Errorf("there is no table %s", t.name)
	}
	for name := range have {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		values = append(values, have[name])
	}
	return names, values, rows.Err()
}

func zero(kind string) string {
	if strings.Contains(strings.ToLower(kind), "int") {
		return "0"
	}
	return "''"
}

var word = regexp.MustCompile(`(pad8|pad16|bytes|json)\(`)

// translate puts the dialect's own words in place of ours; their argument ends with the
// bracket that closes it.
func (d dialect) translate(value string) string {
	var b strings.Builder
	for {
		at := word.FindStringSubmatchIndex(value)
		if at == nil {
			b.WriteString(value)
			return b.String()
		}
		b.WriteString(value[:at[0]])
		depth, end := 1, at[1]
		for ; depth > 0; end++ {
			switch value[end] {
			case '(':
				depth++
			case ')':
				depth--
			}
		}
		argument := value[at[1] : end-1]
		own := strings.ReplaceAll(d.words[value[at[2]:at[3]]], "%%", "%")
		b.WriteString(strings.ReplaceAll(own, "$1", argument))
		value = value[end:]
	}
}
