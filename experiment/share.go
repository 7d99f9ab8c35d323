package experiment

import (
	"fmt"
	"strconv"
	"strings"
)

// parseShare reads a share of traffic, as 20% or 0.25%, in slots: one is 0.01 %.
func parseShare(s string) (slots int, err error) {
	number, ok := strings.CutSuffix(s, "%")
	whole, fraction, fractional := strings.Cut(number, ".")
	if !ok || !digits(whole) || fractional && !digits(fraction) {
		return 0, fmt.Errorf("%q is no percentage, as 20%% or 0.25%%", s)
	}
	if len(fraction) > 2 {
		return 0, fmt.Errorf("%s is finer than 0.01%%", s)
	}
	n, err := strconv.Atoi(whole + (fraction + "00")[:2])
	if err != nil || n > Slots || len(whole) > 3 {
		return 0, fmt.Errorf("%s is not within 0%% and 100%%", s)
	}
	return n, nil
}

func digits(s string) bool {
	return s != "" && len(s) <= 8 && strings.Trim(s, "0123456789") == ""
}

// share writes slots as files do: 20%, 0.25%.
func share(slots int) string {
	s := strconv.Itoa(slots / 100)
	if rest := slots % 100; rest != 0 {
		s += strings.TrimRight(fmt.Sprintf(".%02d", rest), "0")
	}
	return s + "%"
}

// thousands writes a number with commas: 2,000.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// slotsInWords writes how many: 1 slot, 2,000 slots.
func slotsInWords(n int) string {
	if n == 1 {
		return "1 slot"
	}
	return thousands(n) + " slots"
}
