package value

import (
	"fmt"
	"strings"
)

// described is a value in a message: what it is, and its content where that is short.
func described(v *Value) string {
	switch k := v.Kind(); {
	case k == Null:
		return k.String()
	case k == Bool, v.number():
		return v.String()
	case k == String:
		return fmt.Sprintf("the string %q", clipped(v.str))
	case k == Redacted:
		return "a redacted value"
	case v.Len() == 0:
		return "an empty " + k.String()
	default:
		return k.Article()
	}
}

// clipped is a text that is not too long for a message.
func clipped(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
