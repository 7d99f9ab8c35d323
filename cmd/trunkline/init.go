package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/trunkline/trunkline"
)

type initCmd struct {
	Dir string `arg:"" optional:"" default:"." help:"Directory for the new config repo; made when it is not there." placeholder:"DIR"`
}

func (initCmd) Help() string {
	return `Writes a config repo that teaches: values, environments, a schema, a policy with tests, a rollout, an experiment, a workflow and a hook
that validate. Nothing that is there is overwritten.

Example:
  trunkline init config && cd config && git init && git config core.hooksPath .githooks`
}

func (c initCmd) Run(io *streams) error {
	template := trunkline.Template()
	var taken []string
	err := fs.WalkDir(template, ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			if _, there := os.Lstat(filepath.Join(c.Dir, filepath.FromSlash(path))); there == nil {
				taken = append(taken, path)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	if len(taken) > 0 {
		return fmt.Errorf("%s is there already, and nothing was written; name an empty directory", filepath.Join(c.Dir, taken[0]))
	}
	if err := copyFiles(template, c.Dir); err != nil {
		return err
	}
	hook := filepath.Join(c.Dir, ".githooks", "pre-commit")
	if err := os.Chmod(hook, 0o755); err != nil {
		return err
	}
	fmt.Fprintf(io.out, "%s holds a config repo now. Next:\n\n  cd %s\n  git init && git config core.hooksPath .githooks\n  trunkline validate\n", c.Dir, c.Dir)
	return nil
}
