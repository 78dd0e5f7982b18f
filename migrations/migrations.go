// Package migrations owns every definition in the database: numbered files,
// forward only, one transaction each, applied under an advisory lock.
//
// The files run as the owner of the database; a request runs as the role
// testamur_app, which owns nothing. A file that has landed is never edited: the
// change is a new file. River's own tables come after ours, from its library.
package migrations

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/tern/v2/migrate"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed *.sql
var files embed.FS

const versionTable = "public.schema_version"

// lock is the advisory lock under which one process at a time migrates.
const lock = 7_364_151_200

// Up brings the database to the newest version; a database that is there
// already is left as it is.
func Up(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, "select pg_advisory_lock($1)", int64(lock)); err != nil {
		return fmt.Errorf("lock migrations: %w", err)
	}
	defer conn.Exec(context.WithoutCancel(ctx), "select pg_advisory_unlock($1)", int64(lock))
	m, err := migrate.NewMigrator(ctx, conn, versionTable)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if err := m.LoadMigrations(files); err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if err := fit(ctx, conn, m.Migrations); err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if err := m.Migrate(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return river(ctx, conn)
}

// fit lets the files run on a server that was built without lz4, as some
// packages are: its columns keep PostgreSQL's own compression.
func fit(ctx context.Context, conn *pgx.Conn, all []*migrate.Migration) error {
	var lz4 bool
	err := conn.QueryRow(ctx, `select 'lz4' = any(enumvals) from pg_settings where name = 'default_toast_compression'`).Scan(&lz4)
	if err != nil || lz4 {
		return err
	}
	for _, m := range all {
		m.UpSQL = strings.ReplaceAll(m.UpSQL, " compression lz4", "")
	}
	return nil
}

// river brings the job queue's tables to its library's newest version and lets
// the role of a request use them.
func river(ctx context.Context, conn *pgx.Conn) error {
	pool, err := pgxpool.NewWithConfig(ctx, poolOf(conn))
	if err != nil {
		return fmt.Errorf("migrate river: %w", err)
	}
	defer pool.Close()
	m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("migrate river: %w", err)
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate river: %w", err)
	}
	_, err = conn.Exec(ctx, `
		grant select, insert, update, delete on river_job, river_leader, river_queue, river_notification to testamur_app;
		grant usage on all sequences in schema public to testamur_app;
		grant select on river_migration to testamur_app`)
	if err != nil {
		return fmt.Errorf("grant river: %w", err)
	}
	return nil
}

func poolOf(conn *pgx.Conn) *pgxpool.Config {
	cfg, err := pgxpool.ParseConfig("")
	if err != nil {
		panic(err) // the empty string is a valid configuration
	}
	cfg.ConnConfig = conn.Config()
	cfg.MaxConns = 2
	return cfg
}

// Hash is the SHA-256 of all files, for test databases that are kept by it.
func Hash() string {
	h := sha256.New()
	names, _ := fs.Glob(files, "*.sql")
	for _, n := range names {
		b, _ := files.ReadFile(n)
		fmt.Fprintf(h, "%s %d\n%s", n, len(b), b)
	}
	return hex.EncodeToString(h.Sum(nil))
}
