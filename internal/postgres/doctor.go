package postgres

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Finding is one line of a diagnosis.
type Finding struct {
	OK   bool
	Text string // what was found, or what is wrong and what to do
}

// Diagnose says what a start in dir would find.
func Diagnose(path, dir string, extra ...string) []Finding {
	var all []Finding
	for _, in := range All(path, extra...) {
		ok := in.Major >= MinMajor && in.Major <= MaxMajor
		text := fmt.Sprintf("PostgreSQL %s in %s", in.Version, in.Bin)
		if !ok {
			text += fmt.Sprintf(" cannot be used: the service is written for %d to %d", MinMajor, MaxMajor)
		}
		all = append(all, Finding{ok, text})
	}
	chosen, err := Find(path, extra...)
	if err != nil {
		return append(all, Finding{false, err.Error()})
	}
	return append(all, diagnoseDir(chosen, dir)...)
}

func diagnoseDir(in Install, dir string) []Finding {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return []Finding{{false, err.Error()}}
	}
	owner, err := unprivileged()
	if err != nil {
		return []Finding{{false, err.Error()}}
	}
	var all []Finding
	if owner.drop {
		all = append(all, Finding{true, "the service is root; PostgreSQL will run as " + owner.name})
	}
	if _, err := os.Stat(abs); err != nil {
		return append(all, Finding{true, fmt.Sprintf("the data directory %s is not there yet and will be made", abs)})
	}
	if err := owner.reaches(abs); err != nil {
		return append(all, Finding{false, err.Error()})
	}
	version, err := os.ReadFile(filepath.Join(abs, clusterName, "PG_VERSION"))
	if err != nil {
		return append(all, Finding{true, fmt.Sprintf("the data directory %s holds no database yet", abs)})
	}
	v := strings.TrimSpace(string(version))
	if v != strconv.Itoa(in.Major) {
		return append(all, Finding{false, fmt.Sprintf("the data directory %s was made by PostgreSQL %s and %s would be used: install PostgreSQL %s", abs, v, in.Version, v)})
	}
	all = append(all, Finding{true, fmt.Sprintf("the data directory %s holds a database of PostgreSQL %s", abs, v)})
	s := &Server{dir: abs}
	if err := s.takeLock(); err != nil {
		return append(all, Finding{true, strings.Replace(err.Error(), ": stop that process, or choose another directory with --data", " (the service is running)", 1)})
	}
	s.lock.Close()
	return all
}
