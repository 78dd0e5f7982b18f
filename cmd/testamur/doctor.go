package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/postgres"
)

type doctorCmd struct {
	store
	network
}

// Run prints a line for each thing that was looked at. The exit code is 1 when
// the service would not start.
func (c *doctorCmd) Run(p *place) error {
	p.print("testamur %s, %s, %s/%s, %d processors", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	found, err := c.findings(p)
	if err != nil {
		return err
	}
	wrong := 0
	for _, f := range found {
		sign := "ok   "
		if !f.OK {
			sign = "WRONG"
			wrong++
		}
		p.print("%s  %s", sign, f.Text)
	}
	if wrong > 0 {
		return exit(1)
	}
	return nil
}

func (c *doctorCmd) findings(p *place) ([]postgres.Finding, error) {
	dir, err := c.dir()
	if err != nil {
		return nil, err
	}
	var all []postgres.Finding
	if c.DatabaseURL != "" {
		all = append(all, askServer(p.ctx, c.DatabaseURL))
	} else {
		all = append(all, postgres.Diagnose(p.getenv("PATH"), dir, installs(p.getenv)...)...)
	}
	origin, err := c.origin(c.Addr)
	if err != nil {
		all = append(all, postgres.Finding{Text: err.Error()})
	} else {
		all = append(all, postgres.Finding{OK: true, Text: "ids begin with " + origin})
	}
	return append(all, masterFinding(p, dir)), nil
}

// askServer is what the operator's server says of itself.
func askServer(ctx context.Context, url string) postgres.Finding {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return postgres.Finding{Text: fmt.Sprintf("the server of --database-url does not answer: %v", redacted(err))}
	}
	defer conn.Close(ctx)
	var number int
	var text string
	err = conn.QueryRow(ctx, "select current_setting('server_version_num')::int, current_setting('server_version')").Scan(&number, &text)
	if err != nil {
		return postgres.Finding{Text: err.Error()}
	}
	ok := number/10000 >= postgres.MinMajor && number/10000 <= postgres.MaxMajor
	f := postgres.Finding{OK: ok, Text: "the server of --database-url is PostgreSQL " + text}
	if !ok {
		f.Text += fmt.Sprintf("; the service is written for %d to %d", postgres.MinMajor, postgres.MaxMajor)
	}
	return f
}

func masterFinding(p *place, dir string) postgres.Finding {
	if p.getenv("TESTAMUR_MASTER_KEY") != "" {
		return postgres.Finding{OK: true, Text: "the master key comes from TESTAMUR_MASTER_KEY"}
	}
	name := filepath.Join(dir, masterName)
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return postgres.Finding{OK: true, Text: "there is no master key yet; the first start makes " + name}
	case info.Mode().Perm()&0o077 != 0:
		return postgres.Finding{Text: fmt.Sprintf("others may read the master key: chmod 600 %s", name)}
	}
	return postgres.Finding{OK: true, Text: "the master key is " + name + "; back it up apart from the database"}
}
