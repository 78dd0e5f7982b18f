package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/postgres"
)

// store is where the data is; every command that works on it has these flags.
type store struct {
	Data        string `help:"Data directory: the private PostgreSQL and the master key. Default: ./data, or /var/lib/testamur where PostgreSQL cannot reach that." env:"TESTAMUR_DATA" placeholder:"DIR"`
	DatabaseURL string `name:"database-url" help:"PostgreSQL 15 to 18 to use in place of the private one." env:"TESTAMUR_DATABASE_URL" placeholder:"URL"`
	PublicURL   string `name:"public-url" help:"The https origin that ids begin with. It must never change once something was issued. Default: http://localhost and the port." env:"TESTAMUR_PUBLIC_URL" placeholder:"ORIGIN"`
}

// rootData is where root's data lies when PostgreSQL, which runs as another
// user, cannot enter the working directory.
const rootData = "/var/lib/testamur"

// dir is the data directory.
func (s store) dir() (string, error) {
	if s.Data != "" {
		return filepath.Abs(s.Data)
	}
	here, err := filepath.Abs("data")
	if err != nil {
		return "", err
	}
	if err := postgres.Reaches(here); err != nil && os.Geteuid() == 0 {
		return rootData, nil
	}
	return here, nil
}

// origin is the public URL, checked, or what fits the address that is served.
func (s store) origin(addr string) (string, error) {
	if s.PublicURL == "" {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return "", fmt.Errorf("--addr %q is not HOST:PORT", addr)
		}
		return "http://localhost:" + port, nil
	}
	u, err := url.Parse(s.PublicURL)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", fmt.Errorf("--public-url %q is not an origin: write it as https://records.example.edu", s.PublicURL)
	}
	local := u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return "", fmt.Errorf("--public-url %q is not https: it becomes part of every credential, and a verifier asks only over https", s.PublicURL)
	}
	return u.Scheme + "://" + u.Host, nil
}

// masterName is the file that holds the master key.
const masterName = "master.key"

// master is the key that seals signing keys: from TESTAMUR_MASTER_KEY, else from
// the command in TESTAMUR_MASTER_KEY_COMMAND, whose words are parted by blanks
// and which asks a key management service, else from the file that
// TESTAMUR_MASTER_KEY_FILE names, else from
// the data directory, where it is made when fresh says that nothing was sealed
// with another.
func (s store) master(getenv func(string) string, fresh func() (bool, error)) (keyring.Master, error) {
	if text := getenv("TESTAMUR_MASTER_KEY"); text != "" {
		m, err := keyring.ParseMaster(text)
		if err != nil {
			return m, fmt.Errorf("TESTAMUR_MASTER_KEY: %w", err)
		}
		return m, nil
	}
	if words := strings.Fields(getenv("TESTAMUR_MASTER_KEY_COMMAND")); len(words) > 0 {
		return keyring.MasterCommand(context.Background(), words[0], words[1:]...)
	}
	if name := getenv("TESTAMUR_MASTER_KEY_FILE"); name != "" {
		return keyring.MasterFile(name)
	}
	dir, err := s.dir()
	if err != nil {
		return keyring.Master{}, err
	}
	name := filepath.Join(dir, masterName)
	raw, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		raw, err = makeMaster(name, fresh)
	}
	if err != nil {
		return keyring.Master{}, fmt.Errorf("the master key: %w", err)
	}
	m, err := keyring.ParseMaster(string(raw))
	if err != nil {
		return m, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

func makeMaster(name string, fresh func() (bool, error)) ([]byte, error) {
	ok, err := fresh()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("the database holds signing keys, and the master key they were sealed with is neither in %s nor in TESTAMUR_MASTER_KEY: put it back from your backup", name)
	}
	text, err := keyring.NewMaster()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(text + "\n")
	return []byte(text), errors.Join(err, f.Sync(), f.Close())
}

// version is the program's version, from how it was built.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "development"
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(p *place) error {
	p.print("testamur %s", version())
	return nil
}
