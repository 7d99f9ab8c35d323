package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/internal/atomicfile"
	"github.com/trunkline/trunkline/value"
)

// fileFlags are for a file that is kept in step with what is live.
type fileFlags struct {
	File    string        `help:"Keep this file in step with what is live; without it changes are shown." placeholder:"FILE"`
	Format  string        `help:"Of the file: json, yaml, toml or dotenv; by default what its name ends with." enum:",json,yaml,toml,dotenv" default:"" placeholder:"FORMAT"`
	Mode    string        `help:"Of the file." default:"0600"`
	Once    bool          `help:"Write the file once and end."`
	Timeout time.Duration `help:"With --once: how long to wait for values." default:"1m"`

	Exec        string        `help:"Command to run after each change of the file. Words are parted as a shell does, and nothing else is done." placeholder:"COMMAND"`
	Shell       bool          `help:"Give the command to /bin/sh."`
	ExecTimeout time.Duration `help:"How long the command may take." default:"1m"`
	Signal      string        `help:"Signal to send after each change of the file, as HUP." placeholder:"NAME"`
	PidFile     string        `help:"File with the number of the process to signal." placeholder:"FILE"`

	NackOnFailure bool `help:"Tell the server when the command or the signal fails (the default)." default:"true" negatable:""`
	ExitOnError   bool `help:"End with 1 when the file cannot be written, or the command or the signal fails."`
}

// Validate refuses what cannot be meant.
func (f fileFlags) Validate() error {
	if f.File == "" {
		return f.alone()
	}
	if _, err := f.format(); err != nil {
		return err
	}
	if _, err := f.mode(); err != nil {
		return err
	}
	if (f.Signal == "") != (f.PidFile == "") {
		return misused("--signal and --pid-file belong together: name both")
	}
	if _, err := signalNamed(f.Signal); f.Signal != "" && err != nil {
		return err
	}
	if f.ExecTimeout <= 0 || f.Timeout <= 0 {
		return misused("--exec-timeout and --timeout are longer than nothing")
	}
	_, err := f.command()
	return err
}

// alone refuses flags that mean nothing without a file.
func (f fileFlags) alone() error {
	if f.Once || f.Exec != "" || f.Shell || f.Signal != "" || f.PidFile != "" || f.Format != "" || f.ExitOnError {
		return misused("--once, --exec and the like are about a file: name it with --file")
	}
	return nil
}

func (f fileFlags) mode() (fs.FileMode, error) {
	n, err := strconv.ParseUint(f.Mode, 8, 32)
	if err != nil || n == 0 || n > 0o777 {
		return 0, misused("--mode %s is no mode of a file: write it like 0640", f.Mode)
	}
	return fs.FileMode(n), nil
}

// command is what is to be run; empty when nothing is.
func (f fileFlags) command() ([]string, error) {
	switch {
	case f.Exec == "" && f.Shell:
		return nil, misused("--shell is about a command: name it with --exec")
	case f.Exec == "":
		return nil, nil
	case f.Shell:
		return []string{"/bin/sh", "-c", f.Exec}, nil
	}
	words, err := splitWords(f.Exec)
	if err != nil {
		return nil, fmt.Errorf("--exec: %w", err)
	}
	return words, nil
}

// keepFile keeps the file in step until ctx ends.
func (c watchCmd) keepFile(ctx context.Context, io *streams) error {
	k, err := newFileKeeper(c.fileFlags, c.Env, io)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	o, err := c.options()
	if err != nil {
		return err
	}
	o.Log = k.log
	o.Accept = func(s *client.State) error { return k.take(ctx, s) }
	o.OnEvent = func(e client.Event) {
		if e.Kind == client.Disconnected {
			return
		}
		if c.Once {
			end(errors.Join(errOnce, k.err))
		} else if c.ExitOnError && k.err != nil {
			end(k.err)
		}
	}
	follow, err := client.New(o)
	if err != nil {
		return err
	}
	if c.Once {
		defer time.AfterFunc(c.Timeout, func() {
			end(fmt.Errorf("no values came within %s; is the server running, and is --server right?", c.Timeout))
		}).Stop()
	}
	err = follow.Run(ctx)
	switch cause := context.Cause(ctx); {
	case ctx.Err() == nil:
		return err // the server's refusal
	case errors.Is(cause, errOnce):
		return k.err
	case errors.Is(cause, context.Canceled):
		return nil // interrupted, as it is meant to be
	default:
		return cause
	}
}

// errOnce ends following once the file was written.
var errOnce = errors.New("once is enough")

// fileKeeper keeps one file in step. One goroutine at a time uses it.
type fileKeeper struct {
	flags  fileFlags
	file   string // its absolute path
	format string
	mode   fs.FileMode
	argv   []string
	env    string
	io     *streams
	log    *slog.Logger
	err    error // of the last version; nil when it is in the file and was told
}

func newFileKeeper(f fileFlags, env string, io *streams) (*fileKeeper, error) {
	k := &fileKeeper{flags: f, env: env, io: io, log: logger(io.err, "info")}
	k.format, _ = f.format() // Validate has judged them
	k.mode, _ = f.mode()
	k.argv, _ = f.command()
	var err error
	if k.file, err = filepath.Abs(f.File); err != nil {
		return nil, err
	}
	if info, err := os.Stat(filepath.Dir(k.file)); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("--file %s: there is no such directory; make it first", f.File)
	}
	if info, err := os.Stat(k.file); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("--file %s: something else than a file stands there", f.File)
	}
	return k, lookUp(k.argv)
}

// take brings the file to a state and tells of it. Its error is what the server is told.
func (k *fileKeeper) take(ctx context.Context, s *client.State) error {
	changed, err := k.write(s.Values)
	if err != nil {
		k.err = err
		k.log.Error("the file stays as it was", "file", k.flags.File, "commit", short(s.Commit), "err", err)
		return err
	}
	if changed {
		k.log.Info("written", "file", k.flags.File, "commit", short(s.Commit))
	}
	if !changed && k.err == nil {
		return nil
	}
	if k.err = k.tell(ctx, s); k.err == nil {
		return nil
	}
	if ctx.Err() == nil {
		k.log.Error("the file is written, but who reads it does not know; it is tried again after the next change", "file", k.flags.File, "err", k.err)
	}
	if !k.flags.NackOnFailure {
		return nil
	}
	return k.err
}

// write writes the file, unless it holds the same already.
func (k *fileKeeper) write(values *value.Value) (changed bool, err error) {
	data, err := render(k.format, values)
	if err != nil {
		return false, err
	}
	if k.holds(data) {
		return false, nil
	}
	return true, atomicfile.Write(k.file, data, k.mode)
}

func (k *fileKeeper) holds(data []byte) bool {
	info, err := os.Lstat(k.file)
	if err != nil || info.Mode() != k.mode || info.Size() != int64(len(data)) {
		return false
	}
	there, err := os.ReadFile(k.file)
	return err == nil && bytes.Equal(there, data)
}

// tell runs the command and sends the signal.
func (k *fileKeeper) tell(ctx context.Context, s *client.State) error {
	if len(k.argv) > 0 {
		if err := k.run(ctx, s); err != nil {
			return err
		}
	}
	if k.flags.Signal == "" {
		return nil
	}
	return k.signal()
}
