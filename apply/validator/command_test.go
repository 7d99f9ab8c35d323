//go:build unix

package validator_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/apply/compile"
)

const valid = `echo '{"verdict": "valid"}'`

// script is a validator that runs a shell script, which knows a file of its own as $OUT.
func script(t *testing.T, text, more string) (v compile.Validator, out string) {
	t.Helper()
	out = filepath.Join(t.TempDir(), "out")
	return only(t, "command: %s, environment: {OUT: %q}%s", quoted([]string{"/bin/sh", "-c", text}), out, more), out
}

// passes expects the verdict valid.
func passes(t *testing.T, v compile.Validator) {
	t.Helper()
	if problems, err := v.Validate(t.Context(), candidate(t)); err != nil || problems != nil {
		t.Fatalf("%v, %v", problems, err)
	}
}

func content(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestCommand(t *testing.T) {
	v, out := script(t, `cat > "$OUT"; pwd >> "$OUT"; `+valid, "")
	passes(t, v)
	question, dir, _ := strings.Cut(content(t, out), "}/")
	if want := asked(t, "", candidate(t)); question+"}" != want {
		t.Errorf("asked %s}, want %s", question, want)
	}
	if dir != "\n" {
		t.Errorf("ran in /%s", dir)
	}
}

// TestCommandNeedNotListen has a program that leaves a large question unread.
func TestCommandNeedNotListen(t *testing.T) {
	v, _ := script(t, valid, "")
	c := candidate(t)
	c.New = large(1 << 20)
	if _, err := v.Validate(t.Context(), c); err != nil {
		t.Error(err)
	}
}

func TestCommandRejects(t *testing.T) {
	v, _ := script(t, `echo '{"verdict": "rejected", "problems": [{"message": "too large"}]}'`, "")
	got, err := v.Validate(t.Context(), candidate(t))
	want := []compile.Problem{{Severity: compile.Error, Rule: "capacity", Message: "too large"}}
	if err != nil || !cmp.Equal(want, got) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestCommandFails(t *testing.T) {
	for text, want := range map[string]string{
		valid + "; exit 3": "the command ends with exit status 3",
		`echo; printf '\033[31m no\tquota \nmore\n' >&2; exit 1`: `the command ends with exit status 1: it says "[31m no quota"`,
		valid + "; kill -9 $$": "the command ends with signal: killed",
		"exit 0":               "the answer is empty",
		"echo ok":              "the answer is not JSON: ",
		"head -c 100000 /dev/zero | tr '\\0' e >&2; exit 2": `the command ends with exit status 2: it says "eeeeee`,
	} {
		v, _ := script(t, text, "")
		noAnswer(t, v, want)
	}
	noAnswer(t, only(t, "command: [/nonexistent/check]"), "start the command: fork/exec /nonexistent/check: no such file or directory")
	noAnswer(t, only(t, "command: [/etc/passwd]"), "start the command: fork/exec /etc/passwd: permission denied")
}

func TestCommandFloods(t *testing.T) {
	begun := time.Now()
	v, _ := script(t, "trap '' PIPE; yes", ", timeout: 20s")
	noAnswer(t, v, "the answer is larger than 1048576 bytes")
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestCommandSaysMuch(t *testing.T) {
	v, _ := script(t, "head -c 1000000 /dev/zero | tr '\\0' e >&2; exit 1", "")
	_, err := v.Validate(t.Context(), candidate(t))
	if err == nil || len(err.Error()) > 300 {
		t.Errorf("got %v", err)
	}
}

// TestCommandTime holds that the whole group ends with the time, even what ignores to be told so and holds the pipes.
func TestCommandTime(t *testing.T) {
	begun := time.Now()
	v, out := script(t, `trap '' TERM INT HUP
		(exec sleep 30) & echo $! > "$OUT"
		echo 'waiting for the database' >&2
		wait`, ", timeout: 200ms")
	noAnswer(t, v, `it took longer than 200ms: it says "waiting for the database"`)
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	gone(t, out)
}

// TestCommandLeavesNothing holds that what a program started and did not wait for ends with it.
func TestCommandLeavesNothing(t *testing.T) {
	v, out := script(t, `trap '' TERM INT HUP
		(exec sleep 30) & echo $! > "$OUT"; `+valid, "")
	begun := time.Now()
	passes(t, v)
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	gone(t, out)
}

// TestCommandIsLeft has a process that leaves the group and holds the pipes: it is not waited for.
func TestCommandIsLeft(t *testing.T) {
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("there is no setsid")
	}
	v, out := script(t, `setsid sh -c 'echo $$ > "$OUT"; exec sleep 30' &
		while [ ! -s "$OUT" ]; do sleep 0.01; done; `+valid, "")
	begun := time.Now()
	passes(t, v)
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	if err := syscall.Kill(pid(t, out), syscall.SIGKILL); err != nil {
		t.Errorf("the test does not show what it should: %v", err)
	}
}

func pid(t *testing.T, file string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(content(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// gone expects that a process has ended, be it that nobody has taken its exit code yet.
func gone(t *testing.T, file string) {
	t.Helper()
	n := strconv.Itoa(pid(t, file))
	for range 50 {
		state, _ := exec.Command("ps", "-o", "stat=", "-p", n).Output()
		if len(state) == 0 || state[0] == 'Z' {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("the process %s is still there", n)
}

func TestCommandEnvironment(t *testing.T) {
	t.Setenv("TRUNKLINE_GIT_TOKEN", "hunter2")
	t.Setenv("LD_LIBRARY_PATH", "/nonexistent")
	v, out := script(t, `env > "$OUT"; `+valid, "")
	passes(t, v)
	var got []string
	for line := range strings.Lines(content(t, out)) {
		switch name, _, _ := strings.Cut(line, "="); name {
		case "PWD", "OLDPWD", "SHLVL", "_": // of the shell
		default:
			got = append(got, strings.TrimSpace(line))
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"HOME=/", "LANG=C.UTF-8", "OUT=" + out, "PATH=/usr/bin:/bin"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestCommandIsNoShell(t *testing.T) {
	argument := `$(touch /tmp/x) "*" ; exit 1 | $OUT` + "\n`id`"
	out := filepath.Join(t.TempDir(), "out")
	argv := []string{"/bin/sh", "-c", `printf %s "$1" > "$OUT"; ` + valid, "sh", argument}
	passes(t, only(t, "command: %s, environment: {OUT: %q}", quoted(argv), out))
	if got := content(t, out); got != argument {
		t.Errorf("got %q", got)
	}
}
