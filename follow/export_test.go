package follow

import (
	"log/slog"

	"github.com/trunkline/trunkline/apply"
)

// OpenVerdicts opens the verdicts of a repository that has no name.
func OpenVerdicts(file string, log *slog.Logger) (l apply.Log, remembered []apply.Remembered, err error) {
	v, err := openVerdicts(file, identity{}, log)
	if err != nil {
		return nil, nil, err
	}
	return v, v.remembered(), nil
}
