package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/postern-chat/postern"
)

// Glance is what can be seen of a database without touching it.
type Glance struct {
	Exists bool // false: a file that the first start will make
	// Version of the tables, and the latest that this program knows. Version 0: no tables.
	Version, Latest int64
	// Commit is how long a commit takes; 0: it was not tried (a file: see its disk).
	Commit time.Duration
	People []postern.Person
}

// Look looks at a database while others may be at work on it: it takes no lock, makes no
// table and brings nothing up to date. It reads at most people rows of people.
func Look(ctx context.Context, database string, people int) (g Glance, err error) {
	scheme, rest, _ := strings.Cut(database, ":")
	var db *sql.DB
	folder := "migrations/postgres"
	switch scheme {
	case "sqlite":
		folder = "migrations/sqlite"
		rest = strings.TrimPrefix(rest, "//")
		if _, err := os.Stat(rest); errors.Is(err, fs.ErrNotExist) {
			g.Latest, err = latest(folder)
			return g, err
		}
		db, err = sql.Open("sqlite", "file:"+(&url.URL{Path: rest}).EscapedPath()+"?mode=ro&_pragma=busy_timeout(2000)")
	case "postgres", "postgresql":
		cfg, perr := pgx.ParseConfig(database)
		if perr != nil {
			return g, &postern.Error{Kind: postern.Denied, Op: "store.look", Err: perr}
		}
		db = stdlib.OpenDB(*cfg)
	default:
		return g, postern.Errorf(postern.Denied, "store.look", "database is neither sqlite:FILE nor postgres://...")
	}
	if err != nil {
		return g, fault("store.look", err)
	}
	defer func() { _ = db.Close() }()
	g.Exists = true
	if g.Latest, err = latest(folder); err != nil {
		return g, err
	}
	if err := db.PingContext(ctx); err != nil {
		return g, fault("store.look", err)
	}
	if err := g.read(ctx, db, scheme == "sqlite", people); err != nil {
		return g, err
	}
	return g, nil
}

func (g *Glance) read(ctx context.Context, db *sql.DB, lite bool, people int) error {
	ours := `SELECT count(*) FROM sqlite_master WHERE name = 'goose_db_version'`
	if !lite {
		ours = `SELECT count(*) FROM pg_class WHERE oid = to_regclass('goose_db_version')`
	}
	var n int
	if err := db.QueryRowContext(ctx, ours).Scan(&n); err != nil {
		return fault("store.look", err)
	}
	if n > 0 {
		if err := db.QueryRowContext(ctx, `SELECT COALESCE(max(version_id), 0) FROM goose_db_version`).Scan(&g.Version); err != nil {
			return fault("store.look", err)
		}
	}
	if !lite {
		g.commit(ctx, db)
	}
	if g.Version == 0 || people == 0 {
		return nil
	}
	rows, err := db.QueryContext(ctx, `SELECT user_id, email FROM people ORDER BY user_id LIMIT $1`, people)
	if err != nil {
		return fault("store.look", err)
	}
	g.People, err = collect(rows, func(r *sql.Rows) (p postern.Person, err error) {
		err = r.Scan(&p.UserID, &p.Email)
		return p, err
	})
	return err
}

// commit times a commit that writes to the log and to no table. Where that is not
// allowed nothing is told.
func (g *Glance) commit(ctx context.Context, db *sql.DB) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return
	}
	if _, err := tx.ExecContext(ctx, `SELECT pg_logical_emit_message(true, 'postern', 'doctor')`); err != nil {
		_ = tx.Rollback()
		return
	}
	start := time.Now()
	if tx.Commit() == nil {
		g.Commit = time.Since(start)
	}
}

// latest is the highest number of a folder of migrations.
func latest(folder string) (int64, error) {
	files, err := fs.ReadDir(migrations, folder)
	if err != nil {
		return 0, err
	}
	var most int64
	for _, f := range files {
		if v, err := goose.NumericComponent(f.Name()); err == nil {
			most = max(most, v)
		}
	}
	return most, nil
}
