// Package trunkline holds the example config repo, a shop with a database, a checkout, a search and a user interface, which the demo
// plays its story on, and the template from which a new config repo is made.
package trunkline

import (
	"embed"
	"io/fs"
)

//go:embed all:testdata/shop all:template
var files embed.FS

// Shop returns the files of the example config repo.
func Shop() fs.FS { return below("testdata/shop") }

// Template returns the files of a new config repo.
func Template() fs.FS { return below("template") }

func below(dir string) fs.FS {
	sub, err := fs.Sub(files, dir)
	if err != nil {
		panic(err) // the names above are valid
	}
	return sub
}
