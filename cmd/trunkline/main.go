// Command trunkline makes a Git repository the live configuration of running systems.
//
// Standard output is data, standard error is talk. The exit code is 0, 1 when the answer is no or something failed, and 2 when
// the command was used wrongly.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/trunkline/trunkline/server"
)

// cli is every verb with its flags.
type cli struct {
	Config kong.ConfigFlag `help:"YAML file with settings, by the names of the flags." placeholder:"FILE" env:"TRUNKLINE_CONFIG"`

	Demo     demoCmd     `cmd:"" group:"laptop" help:"Play the whole story on an example: a push, a bad one, a rollback."`
	Init     initCmd     `cmd:"" group:"laptop" help:"Write a config repo that teaches."`
	Dev      devCmd      `cmd:"" group:"laptop" help:"Serve a working tree while it is edited."`
	Validate validateCmd `cmd:"" group:"laptop" help:"Judge a working tree as the server would."`
	Diff     diffCmd     `cmd:"" group:"laptop" help:"What differs between two commits, by value."`
	Policy   policyCmd   `cmd:"" group:"laptop" help:"Test policies."`
	Schema   schemaCmd   `cmd:"" group:"laptop" help:"Write schemas."`

	Serve   serveCmd   `cmd:"" group:"run" help:"Follow a repository and serve its configuration."`
	Status  statusCmd  `cmd:"" group:"run" help:"What is live where, since when, and what keeps newer commits out."`
	Version versionCmd `cmd:"" group:"run" help:"Print the version."`
	Token   tokenCmd   `cmd:"" group:"run" help:"Make, list and revoke tokens."`

	Get   getCmd   `cmd:"" group:"look" help:"Read a value."`
	Watch watchCmd `cmd:"" group:"look" help:"Show changes as they go live."`
	Query queryCmd `cmd:"" group:"look" help:"Find values by what they are."`

	History historyCmd `cmd:"" group:"look" help:"Judged versions, and what became of each."`
	Blame   blameCmd   `cmd:"" group:"look" help:"Who last changed a value, in which commit and line."`
	Matrix  matrixCmd  `cmd:"" group:"look" help:"Where environments differ."`
	Explain explainCmd `cmd:"" group:"look" help:"How a value came about, overlay by overlay."`

	Audit auditCmd `cmd:"" group:"look" help:"Who changed what, and who did what."`

	Rollback rollbackCmd `cmd:"" group:"act" help:"Go back to an earlier version by a commit of your own."`

	Pin    pinCmd    `cmd:"" group:"act" help:"Hold an environment at a version."`
	Unpin  unpinCmd  `cmd:"" group:"act" help:"Let an environment go on to its newest valid version."`
	Stop   stopCmd   `cmd:"" group:"act" help:"Take a rollout or an experiment out of effect."`
	Resume resumeCmd `cmd:"" group:"act" help:"Let it into effect again."`
	Accept acceptCmd `cmd:"" group:"act" help:"Let a commit stand that breaks the rules on commits."`

	Flag       flagCmd       `cmd:"" group:"product" help:"Begin, list and retire flags: values that some get first."`
	Experiment experimentCmd `cmd:"" group:"product" help:"Begin, plan and try out experiments."`

	Announce announceCmd `cmd:"" hidden:"" help:"Tell a server of a push, from the post-receive hook of a plain Git remote."`
}

// output is how results are written.
type output struct {
	Output string `help:"text or json." short:"o" default:"text" enum:"text,json"`
}

func (o output) json() bool { return o.Output == "json" }

// done tells what was done: in a sentence, or as the server answered.
func (o output) done(io *streams, answer any, sentence string, about ...any) error {
	if o.json() {
		return json.NewEncoder(io.out).Encode(answer)
	}
	_, err := fmt.Fprintf(io.out, sentence+"\n", about...)
	return err
}

// streams are where a verb reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
	color    bool
}

// errNo is the error of a verb whose answer is no; what it found is written already.
var errNo = errors.New("no")

// misuse is the error of arguments that cannot be, beyond what the parser of flags finds.
type misuse struct{ error }

func (m misuse) Unwrap() error { return m.error }

func misused(format string, about ...any) error { return misuse{fmt.Errorf(format, about...)} }

func main() { os.Exit(run(os.Args[1:])) }

// run is main without the process, so that tests can be the command.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	io := &streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, color: terminal(os.Stdout) && os.Getenv("NO_COLOR") == ""}
	return execute(ctx, args, io)
}

func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

const description = `Trunkline makes a Git repository the live configuration of running systems: a push is judged, goes live, and reaches every
connected client; a revert is a rollback; a bad commit changes nothing and says why.`

func execute(ctx context.Context, args []string, io *streams) int {
	var c cli
	exit := -1
	parser, err := kong.New(&c,
		kong.Name("trunkline"), kong.Description(description), kong.Writers(io.out, io.err),
		kong.Exit(func(code int) { exit = code }),
		kong.Configuration(settingsFile),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(io),
		kong.ExplicitGroups([]kong.Group{
			{Key: "laptop", Title: "On a laptop:"},
			{Key: "run", Title: "Run and operate:"},
			{Key: "look", Title: "Look:"},
			{Key: "act", Title: "Act:"},
			{Key: "product", Title: "Flags and experiments:"},
			{Key: "Repository", Title: "Repository:"},
			{Key: "Server", Title: "Server:"},
		}),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 120}),
	)
	if err != nil {
		fmt.Fprintln(io.err, "trunkline:", err)
		return 2
	}
	switch {
	case len(args) == 0 || args[0] == "help":
		args = []string{"--help"}
	case args[0] == "--version":
		args = []string{"version"}
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 {
		return exit // help was asked for and is written
	}
	if err == nil {
		err = parsed.Run()
	} else {
		err = misuse{err}
	}
	var wrong misuse
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errNo):
		return 1
	case errors.As(err, &wrong):
		fmt.Fprintf(io.err, "trunkline: %v\nSee trunkline --help.\n", err)
		return 2
	default:
		fmt.Fprintln(io.err, "trunkline:", strings.TrimSpace(err.Error()))
		return 1
	}
}

type versionCmd struct{}

func (versionCmd) Run(io *streams) error {
	fmt.Fprintln(io.out, "trunkline", server.Version)
	return nil
}

// logger writes the program's own log.
func logger(w io.Writer, level string) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // the flag allows only names it knows
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l}))
}
