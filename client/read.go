package client

import (
	"time"

	"github.com/trunkline/trunkline/value"
)

// Get finds a value. It is not found before the first values, where nothing stands, or where what stands is redacted.
func (c *Client) Get(path string) (*value.Value, bool) {
	s := c.state.Load()
	if s == nil {
		return nil, false
	}
	v, ok := s.Values.Lookup(path)
	return v, ok && v.Kind() != value.Redacted
}

// String reads a string, or the default where there is none.
func (c *Client) String(path, otherwise string) string {
	if v, ok := c.Get(path); ok && v.Kind() == value.String {
		return v.Str()
	}
	return otherwise
}

// Int reads an integer, or the default where there is none.
func (c *Client) Int(path string, otherwise int64) int64 {
	if v, ok := c.Get(path); ok && v.Kind() == value.Int {
		return v.Int()
	}
	return otherwise
}

// Float reads a number, integers included, or the default where there is none.
func (c *Client) Float(path string, otherwise float64) float64 {
	if v, ok := c.Get(path); ok && (v.Kind() == value.Float || v.Kind() == value.Int) {
		return v.Float()
	}
	return otherwise
}

// Bool reads a boolean, or the default where there is none.
func (c *Client) Bool(path string, otherwise bool) bool {
	if v, ok := c.Get(path); ok && v.Kind() == value.Bool {
		return v.Bool()
	}
	return otherwise
}

// Duration reads a duration written like 90s or 7d, or the default where there is none.
func (c *Client) Duration(path string, otherwise time.Duration) time.Duration {
	if v, ok := c.Get(path); ok {
		if d, err := value.ParseDuration(v.Str()); err == nil {
			return d
		}
	}
	return otherwise
}

// Read reads a value into a Go type as [value.Get] does: the default where there is none, and an error, with the path, where there is
// something else.
func Read[T any](c *Client, path string, otherwise T) (T, error) {
	return value.Get(c.values(), path, otherwise)
}

// Decode reads a value into what target points to, as [value.Decode] does.
func (c *Client) Decode(path string, target any) error { return value.Decode(c.values(), path, target) }

// values are the newest ones; nil before the first.
func (c *Client) values() *value.Value {
	if s := c.state.Load(); s != nil {
		return s.Values
	}
	return nil
}
