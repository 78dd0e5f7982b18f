//go:build !linux

package postgres

import "os/exec"

// dieWithParent does nothing where the kernel has no such signal: the next
// start ends the server that was left over.
func dieWithParent(*exec.Cmd) {}
