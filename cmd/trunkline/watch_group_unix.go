//go:build unix

package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// grouped gives a command a process group of its own, so that what the terminal sends us does not reach it, and has Cancel ask the
// whole group to end. finish kills what is left of it.
func grouped(cmd *exec.Cmd) (finish func()) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	kill := func(sig syscall.Signal) error {
		err := syscall.Kill(-cmd.Process.Pid, sig)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
	cmd.Cancel = func() error { return kill(syscall.SIGTERM) }
	return func() {
		if cmd.Process != nil {
			_ = kill(syscall.SIGKILL)
		}
	}
}

var signals = map[string]os.Signal{
	"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "TERM": syscall.SIGTERM,
	"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "WINCH": syscall.SIGWINCH, "CONT": syscall.SIGCONT,
}

func signalNamed(name string) (os.Signal, error) {
	if sig, ok := signals[strings.TrimPrefix(strings.ToUpper(name), "SIG")]; ok {
		return sig, nil
	}
	return nil, misused("--signal %s is none of HUP, INT, QUIT, TERM, USR1, USR2, WINCH and CONT", name)
}
