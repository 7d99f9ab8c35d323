package client

import (
	"time"

	"github.com/trunkline/trunkline/value"
)

// Pause is how long the client waits after the try-th failure.
func (c *Client) Pause(err error, try int) time.Duration { return c.pause(err, try) }

// Restarting is the error of a goaway.
func Restarting(after time.Duration) error { return &restarting{after} }

// ApplyPatch applies a JSON Patch.
func ApplyPatch(v *value.Value, patch []byte) (*value.Value, error) { return applyPatch(v, patch) }
