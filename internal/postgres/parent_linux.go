package postgres

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel ask the server for a fast shutdown when the
// service dies, however it dies.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr.Pdeathsig = syscall.SIGINT }
