// Package trunkline holds the example config repo: a shop with a database, a checkout, a search and a user interface, which the
// demo plays its story on.
package trunkline

import (
	"embed"
	"io/fs"
)

//go:embed all:testdata/shop
var files embed.FS

// Shop returns the files of the example config repo.
func Shop() fs.FS {
	shop, err := fs.Sub(files, "testdata/shop")
	if err != nil {
		panic(err) // the name above is valid
	}
	return shop
}
