package postgres

import (
	"fmt"
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// user is who the server runs as: nobody else than the service, unless the
// service is root.
type user struct {
	name     string
	drop     bool
	uid, gid int
}

// unprivileged is the service's own user or, for root, postgres or nobody:
// initdb insists on one that the system knows.
func unprivileged() (user, error) {
	if os.Geteuid() != 0 {
		return user{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := osuser.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil && uid != 0 {
			return user{name: name, drop: true, uid: uid, gid: gid}, nil
		}
	}
	return user{}, fmt.Errorf("PostgreSQL does not run as root, and this system has neither a user postgres nor a user nobody: run the service as an ordinary user, or name a server with --database-url")
}

// become makes the command run as the user, in a process group of its own so
// that a terminal's interrupt reaches the service alone.
func (u user) become(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if u.drop {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(u.uid), Gid: uint32(u.gid), Groups: []uint32{}}
	}
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=" + filepath.Dir(cmd.Path)}
}

// makeDir makes a folder that only the user enters, or takes it over.
func (u user) makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	return u.give(dir)
}

func (u user) give(name string) error {
	if !u.drop {
		return nil
	}
	return os.Chown(name, u.uid, u.gid)
}

// reaches checks that the user can walk down to a folder, and says which one
// stands in the way.
func (u user) reaches(dir string) error {
	if !u.drop {
		return nil
	}
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		mode := info.Mode().Perm()
		open := mode&0o001 != 0 || ok && (int(st.Uid) == u.uid && mode&0o100 != 0 || int(st.Gid) == u.gid && mode&0o010 != 0)
		if !open {
			return fmt.Errorf("PostgreSQL runs as the user %s, who cannot enter %s: choose another data directory with --data (such as /var/lib/testamur), or open that folder with chmod o+x", u.name, at)
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}
