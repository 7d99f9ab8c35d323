//go:build race

package access_test

const raceEnabled = true // under which a sync.Pool forgets at random
