package keyring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// The bounds of a command that gives the master key.
const (
	commandWithin = 20 * time.Second
	maxMasterFile = 4096 // bytes
)

// MasterFile reads the master key from a file that only its owner may read.
func MasterFile(name string) (Master, error) {
	info, err := os.Stat(name)
	if err != nil {
		return Master{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxMasterFile {
		return Master{}, fmt.Errorf("%s is no file with a master key", name)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return Master{}, fmt.Errorf("others may read the master key: chmod 600 %s", name)
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return Master{}, err
	}
	defer clear(raw)
	m, err := ParseMaster(string(raw))
	if err != nil {
		return m, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// MasterCommand runs a program that asks a key management service, or a
// hardware module, and prints the master key in hexadecimal. Its name is not
// given to a shell. What it prints as its error is shown, its output never.
func MasterCommand(ctx context.Context, name string, args ...string) (Master, error) {
	ctx, cancel := context.WithTimeout(ctx, commandWithin)
	defer cancel()
	var out, trouble limited
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &trouble, time.Second
	defer func() { clear(out.Bytes()) }()
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = errors.New("it did not answer in time")
		}
		return Master{}, fmt.Errorf("the command %s gave no master key: %w: %s", name, err, bytes.TrimSpace(trouble.Bytes()))
	}
	m, err := ParseMaster(out.String())
	if err != nil {
		return m, fmt.Errorf("what the command %s printed: %w", name, err)
	}
	return m, nil
}

// limited is a buffer that takes the beginning and lets the rest go.
type limited struct{ bytes.Buffer }

// Write keeps what there is room for.
func (l *limited) Write(p []byte) (int, error) {
	if room := maxMasterFile - l.Len(); room > 0 {
		l.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
