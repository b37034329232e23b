package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// migrate brings the tables up to date. A database that is newer than this program is
// left as it is: the next version may run beside us already.
func migrate(ctx context.Context, db *sql.DB, dialect goose.Dialect, folder string) error {
	files, err := fs.Sub(migrations, folder)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fault("store.migrate", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fault("store.migrate", err)
	}
	return nil
}

// migrateLock is the advisory lock under which one of several replicas migrates. Not
// goose's own: that makes its table before it locks, and asks every few seconds only.
const migrateLock = 0x706f737465726e // "postern"

func migratePostgres(ctx context.Context, db *sql.DB) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return fault("store.migrate", err)
	}
	// The lock ends with its connection.
	defer func() {
		_ = c.Raw(func(any) error { return driver.ErrBadConn })
		_ = c.Close()
	}()
	if _, err := c.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, int64(migrateLock)); err != nil {
		return fault("store.migrate", err)
	}
	return migrate(ctx, db, goose.DialectPostgres, "migrations/postgres")
}
