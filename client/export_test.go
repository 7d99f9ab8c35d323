package client

import (
	"time"

	"github.com/trunkline/trunkline/value"
)

// Pause is how long the client waits after the try-th failure.
func (c *Client) Pause(err error, try int) time.Duration { return c.pause(err, try) }

// Hasten shortens all that the client waits for, but for the server's silence.
func (c *Client) Hasten() *Client {
	c.times.firstRetry, c.times.mostRetry, c.times.kept, c.times.update = time.Millisecond, 5*time.Millisecond, 50*time.Millisecond, time.Millisecond
	c.times.assign = 20 * time.Millisecond
	return c
}

// Settled sets for how long a connection must have lasted to count as good, and from what on the waiting doubles.
func (c *Client) Settled(after, firstRetry time.Duration) *Client {
	c.times.settled, c.times.firstRetry, c.times.mostRetry = after, firstRetry, time.Hour
	return c
}

// DeadAfter is after how long without a word a connection counts as dead.
func (c *Client) DeadAfter(silence time.Duration) *Client {
	c.times.silence = silence
	return c
}

// Bound bounds what a server may send.
func (c *Client) Bound(bytes, nodes int) *Client {
	c.bounds = bounds{bytes, nodes}
	return c
}

// Restarting is the error of a goaway.
func Restarting(after time.Duration) error { return &restarting{after, "stops"} }

// ApplyPatch applies a JSON Patch.
func ApplyPatch(v *value.Value, patch []byte) (*value.Value, error) { return applyPatch(v, patch) }

// CountNodes bounds how many values a JSON text holds.
func CountNodes(text []byte) int { return countNodes(text) }
