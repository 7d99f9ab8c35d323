package value

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseDuration reads a duration as Go writes it, `90s` or `1h30m`, or in whole days, `7d`.
func ParseDuration(s string) (time.Duration, error) {
	days, ok := strings.CutSuffix(s, "d")
	if !ok {
		return time.ParseDuration(s)
	}
	n, err := strconv.ParseInt(days, 10, 32)
	const day = 24 * time.Hour
	if err != nil || n > math.MaxInt64/int64(day) || n < math.MinInt64/int64(day) {
		return 0, fmt.Errorf("%q is not a number of days", s)
	}
	return time.Duration(n) * day, nil
}
