// Package postgres supervises a private PostgreSQL for one data directory.
//
// It finds the server's programs, makes the cluster once, starts it on a Unix
// socket that only the service's own user can reach, and stops it with the
// service. Nothing listens on TCP. A service that was killed takes the server
// down with it, and the cluster comes back clean; a second service on the same
// directory is refused. As root the server runs as an unprivileged user,
// because PostgreSQL will not run as root and should not.
package postgres

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The versions of PostgreSQL the service is written for.
const (
	MinMajor = 15
	MaxMajor = 18
)

// Install is one set of PostgreSQL's programs.
type Install struct {
	Bin     string // folder that holds postgres and initdb
	Version string // such as "15.18"
	Major   int
}

// ErrNone says what to install when no usable PostgreSQL was found.
var ErrNone = fmt.Errorf("no PostgreSQL from %d to %d was found: install it (Debian and Ubuntu: apt-get install postgresql; macOS: brew install postgresql@17), run make demo, which obtains it, or name a server with --database-url", MinMajor, MaxMajor)

// usual are the places where packages put the programs, beside PATH.
var usual = []string{
	"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin",
	"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin", "/opt/local/lib/postgresql*/bin",
}

// Find is the best install: one of the extra folders first, then PATH, then the
// usual places, newest first. ErrNone when there is none.
func Find(path string, extra ...string) (Install, error) {
	for _, in := range All(path, extra...) {
		if in.Major >= MinMajor && in.Major <= MaxMajor {
			return in, nil
		}
	}
	return Install{}, ErrNone
}

// All are the installs that were found, usable or not, in order of preference.
func All(path string, extra ...string) []Install {
	dirs := slices.Concat(extra, filepath.SplitList(path))
	var rest []Install
	for _, pattern := range usual {
		matches, _ := filepath.Glob(pattern)
		for _, m := range matches {
			if in, err := look(m); err == nil {
				rest = append(rest, in)
			}
		}
	}
	slices.SortStableFunc(rest, func(a, b Install) int { return b.Major - a.Major })
	var all []Install
	for _, d := range dirs {
		if in, err := look(d); err == nil {
			all = append(all, in)
		}
	}
	return unique(append(all, rest...))
}

func unique(all []Install) []Install {
	var out []Install
	for _, in := range all {
		if !slices.ContainsFunc(out, func(o Install) bool { return o.Bin == in.Bin }) {
			out = append(out, in)
		}
	}
	return out
}

var versionText = regexp.MustCompile(`\(PostgreSQL\) ((\d+)[.\w]*)`)

// look reads one folder. The programs may be links to where the package really
// is, and must be started from there to find their own files.
func look(dir string) (Install, error) {
	if dir == "" {
		return Install{}, errors.New("no folder")
	}
	server, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
	if err != nil {
		return Install{}, err
	}
	bin := filepath.Dir(server)
	if _, err := os.Stat(filepath.Join(bin, "initdb")); err != nil {
		return Install{}, err
	}
	out, err := exec.Command(server, "--version").Output()
	if err != nil {
		return Install{}, fmt.Errorf("run %s: %w", server, err)
	}
	m := versionText.FindStringSubmatch(string(out))
	if m == nil {
		return Install{}, fmt.Errorf("%s does not say its version: %s", server, strings.TrimSpace(string(out)))
	}
	major, err := strconv.Atoi(m[2])
	return Install{Bin: bin, Version: m[1], Major: major}, err
}
