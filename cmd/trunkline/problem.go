package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/value"
)

// reader reads a file of a config repo as it was judged.
type reader func(file string) ([]byte, error)

// onDisk reads the files of a directory as they are now.
func onDisk(dir string) reader {
	return func(file string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, filepath.FromSlash(file))) }
}

// writeProblem writes a problem of the files of a directory for people, with the line it speaks of.
func writeProblem(w io.Writer, p compile.Problem, dir string, c palette) {
	showProblem(w, p, onDisk(dir), c)
}

// showProblem writes a problem for people, with the line it speaks of when the file can be read.
func showProblem(w io.Writer, p compile.Problem, read reader, c palette) {
	writeHeadline(w, p, c)
	if p.File != "" {
		place := p.File
		if p.Line > 0 {
			place = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
		}
		fmt.Fprintf(w, "  %s %s\n", c.dim("at"), place)
		writeSource(w, p, read, c)
	}
	if p.Hint != "" {
		fmt.Fprintf(w, "  %s %s\n", c.dim("hint"), p.Hint)
	}
	fmt.Fprintf(w, "  %s %s\n\n", c.dim("in"), strings.Join(p.Environments, ", "))
}

func writeHeadline(w io.Writer, p compile.Problem, c palette) {
	head := c.red(string(p.Severity))
	if p.Severity == compile.Warning {
		head = c.yellow(string(p.Severity))
	}
	subject := p.Message
	if p.Path != "" {
		subject = p.Path + ": " + p.Message
	}
	fmt.Fprintf(w, "%s %s %s\n", head, c.bold(subject), c.dim("["+p.Rule+"]"))
}

const maxSourceLine = 160

// secretLine tells whether a line of a document holds what should not be printed, whatever is said of it.
func secretLine(line string) bool {
	text := value.NewString(strings.Trim(line, " \t\r\"',"), value.Place{})
	if i := strings.IndexAny(line, ":="); i > 0 {
		key := strings.Trim(line[:i], " \t-\"'{")
		text = value.NewString(strings.Trim(line[i+1:], " \t\r\"',}"), value.Place{})
		if value.LooksSecret(key, text) {
			return true
		}
	}
	return value.LooksSecret("", text)
}

// writeSource shows the line with a caret. A line longer than a terminal's is cut around the column.
func writeSource(w io.Writer, p compile.Problem, read reader, c palette) {
	if p.Line == 0 || p.Hidden {
		return
	}
	data, err := read(p.File)
	if err != nil {
		return
	}
	lines := strings.Split(string(data), "\n")
	if p.Line > len(lines) {
		return
	}
	if secretLine(lines[p.Line-1]) {
		return
	}
	line := []rune(strings.ReplaceAll(strings.TrimRight(lines[p.Line-1], "\r"), "\t", " "))
	column := min(max(p.Column, 1), len(line)+1)
	if len(line) > maxSourceLine {
		from := max(0, min(column-maxSourceLine/2, len(line)-maxSourceLine))
		line, column = line[from:from+maxSourceLine], column-from
	}
	number := fmt.Sprint(p.Line)
	fmt.Fprintf(w, "  %s %s\n", c.dim(number+" |"), string(line))
	fmt.Fprintf(w, "  %s %s%s\n", c.dim(strings.Repeat(" ", len(number))+" |"), strings.Repeat(" ", column-1), c.red("^"))
}
