package gitsync_test

import "fmt"

// pktLine frames one line of the Git protocol.
func pktLine(s string) string { return fmt.Sprintf("%04x%s", len(s)+4, s) }
