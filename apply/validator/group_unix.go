//go:build unix

package validator

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// grouped gives a command a process group of its own, and has Cancel kill the group. What the command starts belongs to it too,
// unless it leaves.
//
// The group is also killed after its leader was waited for. It is another's by then only if all process numbers were given out
// in between.
func grouped(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
}
