package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

// feed gives the simulation its units.
func (c experimentSimulateCmd) feed(ctx context.Context, s *streams, m *simulation) error {
	switch {
	case c.Contexts == "-":
		return m.read(ctx, s.in, "standard input")
	case c.Contexts != "":
		f, err := os.Open(c.Contexts)
		if err != nil {
			return err
		}
		defer f.Close()
		return m.read(ctx, f, c.Contexts)
	}
	return c.make(ctx, m)
}

// often is after how many units it is asked whether to go on.
const often = 1 << 10

// read reads a context a line. One that was there before counts once: a unit that is counted twice makes a split look uneven.
func (m *simulation) read(ctx context.Context, r io.Reader, name string) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxContextLine)
	seen := map[uint64]struct{}{}
	n := 0
	for lines.Scan() {
		if n++; n%often == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if m.total+m.repeated == maxSimulated {
			return fmt.Errorf("%s holds more than %s contexts; take a sample of them", name, commas(maxSimulated))
		}
		who, digest, err := readContext(line)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", name, n, err)
		}
		if _, again := seen[digest]; again {
			m.repeated++
			continue
		}
		seen[digest] = struct{}{}
		m.unit(&who)
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("%s:%d: a line of more than %s bytes; write one context a line", name, n+1, commas(maxContextLine))
	}
	if lines.Err() == nil && m.total == 0 {
		return fmt.Errorf("%s holds no context; write one a line, as {\"targetingKey\": \"u1\"}", name)
	}
	return lines.Err()
}

func readContext(line []byte) (who experiment.Context, digest uint64, err error) {
	v, err := value.ParseJSON(line)
	if err != nil {
		return who, 0, fmt.Errorf("no JSON: %w", err)
	}
	who, err = experiment.ParseContext(v)
	sum := v.Sum()
	return who, binary.BigEndian.Uint64(sum[:8]), err
}

// make makes up units: all attributes that name a unit have the same name, and the rest is what --context says.
func (c experimentSimulateCmd) make(ctx context.Context, m *simulation) error {
	n := c.Units
	if n == 0 {
		n = defaultUnits
	}
	if n < 1 || n > maxSimulated {
		return misused("--units: from 1 to %s", commas(maxSimulated))
	}
	said := value.Empty
	if c.Context != "" {
		var err error
		if said, err = value.ParseJSON([]byte(c.Context)); err == nil && said.Kind() != value.Map {
			err = errors.New("write a map of attributes")
		}
		if err != nil {
			return misused("--context: %w; as {\"country\": \"DE\"}", err)
		}
	}
	next := c.names(n)
	for i := range n {
		if i%often == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		v, name := said, value.NewString(next(i), value.Place{})
		for _, path := range m.units {
			v = planted(v, path, name)
		}
		who, err := experiment.ParseContext(v)
		if err != nil {
			return misused("--context: %w", err)
		}
		m.unit(&who)
	}
	return nil
}

// names names units, none twice: another seed names others.
func (c experimentSimulateCmd) names(n int) func(i int) string {
	first := c.Seed*uint64(n) + 1 - uint64(n) // of seed 1 it is 1
	switch c.IDs {
	case "sequence":
		return func(i int) string { return strconv.FormatUint(first+uint64(i), 10) }
	case "email":
		return func(i int) string { return "user" + strconv.FormatUint(first+uint64(i), 10) + "@example.com" }
	}
	source := rand.NewPCG(c.Seed, 0)
	return func(int) string { return uuid(source.Uint64(), source.Uint64()) }
}

// uuid is a random one (RFC 9562, version 4).
func uuid(a, b uint64) string {
	a, b = a&^0xf000|0x4000, b&^(3<<62)|2<<62
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&0xffffffffffff)
}

// planted is a map with a member at a path, and maps on the way to it.
func planted(v *value.Value, path value.Path, member *value.Value) *value.Value {
	if len(path) == 0 {
		return member
	}
	below, ok := v.Get(path[0])
	if !ok {
		below = value.Empty
	}
	entries := slices.DeleteFunc(slices.Clone(v.Entries()), func(e value.Entry) bool { return e.Key == path[0] })
	return value.NewMap(append(entries, value.Entry{Key: path[0], Value: planted(below, path[1:], member)}), value.Place{})
}
