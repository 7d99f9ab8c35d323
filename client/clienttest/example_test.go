package clienttest_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/clienttest"
)

// Checkout is a program's own: it reads from whatever it is given.
type Checkout struct{ config client.Reader }

func (c *Checkout) Attempts() int64 { return 1 + c.config.Int("checkout.retries", 3) }

// accept is what the program would give to [client.Options].
func accept(s *client.State) error {
	if s.Int("checkout.retries", 0) < 0 {
		return errors.New("retries cannot be negative")
	}
	return nil
}

func Example() {
	t := &testing.T{} // in a test its own

	config := clienttest.New(t, map[string]any{"checkout.retries": 2})
	checkout := &Checkout{config}
	fmt.Println(checkout.Attempts())

	config.Accept(accept)
	config.Set("checkout.retries", 4)
	config.Set("checkout.retries", -1)
	fmt.Println(checkout.Attempts(), config.Nacks()[0].Reason)
	// Output:
	// 3
	// 5 retries cannot be negative
}
