package migrations_test

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/pgtest"
	"github.com/testamur/testamur/migrations"
)

var update = flag.Bool("update", false, "write testdata anew: the schema, and the sums of new files")

// pages are the statements that tell what a database is made of, without the
// tables of the queue and of the migrator, which their libraries own.
var pages = []string{`
	select format('table %s: %s %s%s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
		case when a.attcollation is distinct from t.typcollation then ' collate ' || co.collname else '' end
		|| case when a.attnotnull then ' not null' else '' end, coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), ''))
	from pg_class c
	join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
	join pg_type t on t.oid = a.atttypid
	left join pg_collation co on co.oid = a.attcollation
	left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
	where c.oid = any($1) order by c.relname collate "C", a.attnum`, `
	select format('constraint %s on %s: %s', n.conname, n.conrelid::regclass, pg_get_constraintdef(n.oid))
	from pg_constraint n where n.conrelid = any($1) and n.contype <> 'n' order by 1`, `
	select pg_get_indexdef(i.indexrelid) from pg_index i where i.indrelid = any($1) order by 1`, `
	select format('policy %s on %s %s for %s using %s check %s', p.polname, p.polrelid::regclass,
		case when p.polpermissive then 'permissive' else 'restrictive' end, p.polcmd, coalesce(pg_get_expr(p.polqual, p.polrelid), '-'),
		coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '-'))
	from pg_policy p where p.polrelid = any($1) order by 1`, `
	select format('row security on %s: enabled %s forced %s', c.relname, c.relrowsecurity, c.relforcerowsecurity)
	from pg_class c where c.oid = any($1) order by 1`, `
	select format('grant on %s: %s', table_name, string_agg(privilege_type, ' ' order by privilege_type))
	from information_schema.role_table_grants
	where grantee = 'testamur_app' and table_name in (select relname from pg_class where oid = any($1)) group by table_name order by 1`, `
	select format('trigger on %s: %s', t.tgrelid::regclass, pg_get_triggerdef(t.oid))
	from pg_trigger t where t.tgrelid = any($1) and not t.tgisinternal order by 1`, `
	select format('function %s(%s): %s', p.proname, pg_get_function_identity_arguments(p.oid), md5(regexp_replace(p.prosrc || coalesce(pg_get_function_sqlbody(p.oid), ''), '\s+', ' ', 'g')))
	from pg_proc p where p.pronamespace = 'public'::regnamespace and p.proname not like 'river%' and $1::oid[] is not null order by 1`,
}

func connect(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func texts(t *testing.T, conn *pgx.Conn, sql string, args ...any) []string {
	t.Helper()
	rows, _ := conn.Query(t.Context(), sql, args...)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func ours(t *testing.T, conn *pgx.Conn) []uint32 {
	t.Helper()
	rows, _ := conn.Query(t.Context(), `
		select oid from pg_class
		where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and relname not like 'river\_%' and relname <> 'schema_version'`)
	all, err := pgx.CollectRows(rows, pgx.RowTo[uint32])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestTheSchemaIsAsWritten shows in a diff what a migration does to the whole.
func TestTheSchemaIsAsWritten(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	var got strings.Builder
	for _, sql := range pages {
		all := texts(t, conn, sql, ours(t, conn))
		if !strings.HasPrefix(all[0], "table") {
			slices.Sort(all) // columns keep their order
		}
		for _, line := range all {
			got.WriteString(line + "\n")
		}
	}
	golden(t, "schema.txt", got.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s is not what the migrations give (-file +migrated); if it is meant, run: go test ./migrations -update\n%s", path, diff)
	}
}

// TestALandedFileStaysAsItIs holds each file to its sum: databases out there
// have run it.
func TestALandedFileStaysAsItIs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.sql")
	if err != nil || len(files) < 8 {
		t.Fatal(files, err)
	}
	raw, err := os.ReadFile("testdata/sums.txt")
	if err != nil && !*update {
		t.Fatal(err)
	}
	landed := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		landed[name] = sum
	}
	var got strings.Builder
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sum := fmt.Sprintf("%x", sha256.Sum256(b))
		if landed[name] != "" && landed[name] != sum {
			t.Errorf("%s was changed after it landed: write the change as a new file", name)
			sum = landed[name]
		}
		fmt.Fprintf(&got, "%s  %s\n", sum, name)
	}
	golden(t, "sums.txt", got.String())
}

// TestEveryTenantTableIsGuarded finds a table that a request could read past
// its institution, or that could not be sharded by it.
func TestEveryTenantTableIsGuarded(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	for _, c := range []struct{ what, sql string }{
		{"has no institution_id", `select c.relname from pg_class c where c.oid = any($1)
			and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'institution_id' and a.attnotnull)`},
		{"does not force row security", `select relname from pg_class where oid = any($1) and not (relrowsecurity and relforcerowsecurity)`},
		{"has no policy for reading", `select c.relname from pg_class c where c.oid = any($1)
			and not exists (select from pg_policy p where p.polrelid = c.oid and p.polcmd in ('r', '*') and p.polpermissive)`},
		{"has a policy that does not ask for the institution", `select distinct p.polname || ' on ' || p.polrelid::regclass from pg_policy p
			where p.polrelid = any($1) and p.polpermissive and p.polrelid <> 'institution_locator'::regclass and coalesce(pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) !~ 'institution'`},
		{"has a key that does not begin with the institution", `select n.conname from pg_constraint n
			join pg_attribute a on a.attrelid = n.conrelid and a.attnum = n.conkey[1]
			where n.conrelid = any($1) and n.contype in ('p', 'u', 'f') and a.attname <> 'institution_id'`},
		{"is owned by the role of a request", `select relname from pg_class where oid = any($1) and pg_get_userbyid(relowner) = 'testamur_app'`},
	} {
		for _, name := range texts(t, conn, c.sql, ours(t, conn)) {
			if !slices.Contains(shared, name) {
				t.Errorf("%s %s", name, c.what)
			}
		}
	}
}

// shared are what is known before an institution is: it is found by it.
var shared = []string{"institution_locator_pkey"}

func TestMigratingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	version := `select version::text from schema_version`
	before := texts(t, conn, version)
	if err := migrations.Up(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if after := texts(t, conn, version); len(after) != 1 || after[0] != before[0] {
		t.Errorf("version %v, then %v", before, after)
	}
}
