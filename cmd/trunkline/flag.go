package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/value"
)

type flagCmd struct {
	New   flagNewCmd   `cmd:"" help:"Write a rollout that sets a value for some."`
	List  flagListCmd  `cmd:"" help:"Rollouts, and how far each has come."`
	Stale flagStaleCmd `cmd:"" help:"Rollouts that have done their work."`
}

type flagNewCmd struct {
	Key         string   `arg:"" help:"Name of the flag: letters, digits, _ and -." placeholder:"KEY"`
	Set         []string `arg:"" help:"What it sets, as search.newRanking=true." placeholder:"PATH=VALUE"`
	Env         []string `help:"Environments it counts in; may be left out where there is only one." short:"e" placeholder:"NAME" sep:","`
	Percentage  string   `help:"Of how many units it is in effect, as 10%; without it of those that --when selects, or of none yet." placeholder:"SHARE"`
	When        string   `help:"Whom it concerns, in CEL, as 'context.country == \"DE\"'." placeholder:"CEL"`
	Unit        string   `help:"Attribute of the context that names who is decided about; targetingKey without it." placeholder:"NAME"`
	Owner       string   `help:"Who answers for it." placeholder:"NAME"`
	Description string   `help:"What it is for." placeholder:"TEXT"`
	Expires     string   `help:"When it should have done its work: a date, or after so long, as 90d. It reminds people, and does nothing else." placeholder:"DATE"`
	Dir         string   `help:"Directory of the config repo." default:"." placeholder:"DIR"`
	Force       bool     `help:"Write the file though it has problems. A file that is there is never overwritten."`
}

func (flagNewCmd) Help() string {
	return `Writes rollouts/KEY.yaml, with a random salt and with comments that say what is what. A VALUE is of the kind that is configured: a text
as it is written, anything else as JSON. The file is judged as validate does before it is written.

Examples:
  trunkline flag new new-ranking search.newRanking=true --env prod --percentage 10% --owner team-search --expires 90d
  trunkline flag new eu-providers 'checkout.payment.providers=["card","ideal"]' -e prod --when 'context.country in ["NL", "BE"]'`
}

func (c flagNewCmd) Run(ctx context.Context, s *streams) error {
	share, err := c.share()
	if err != nil {
		return err
	}
	expires, err := day(c.Expires, time.Now())
	if err != nil {
		return misused("--expires: %w", err)
	}
	tree, err := openTree(ctx, c.Dir)
	if err != nil {
		return err
	}
	n := &newFiles{dir: c.Dir, tree: tree, force: c.Force}
	name := definition{experiment.KindRollout, c.Key}
	if err := n.begin(name); err != nil {
		return err
	}
	if n.environments, err = tree.environments(c.Env); err != nil {
		return err
	}
	set, err := tree.settings(ctx, n.environments, c.Set)
	if err != nil {
		return err
	}
	n.add(name, c.text(n.environments, set, share, expires))
	if err := n.write(ctx, s); err != nil {
		return err
	}
	c.next(s, n, share)
	return nil
}

// share is the percentage that is written; "" is none.
func (c flagNewCmd) share() (string, error) {
	if c.Percentage == "" && c.When == "" {
		return "0%", nil
	}
	if c.Percentage == "" {
		return "", nil
	}
	slots, err := slotsOf(c.Percentage)
	if err != nil {
		return "", misused("--percentage: %w", err)
	}
	return percent(slots), nil
}

// slotsOf reads a share of traffic, in slots.
func slotsOf(text string) (int, error) {
	number, ok := strings.CutSuffix(text, "%")
	share, err := strconv.ParseFloat(number, 64)
	slots := math.Round(share * 100)
	switch {
	case !ok || err != nil || !(share >= 0 && share <= 100):
		return 0, fmt.Errorf("%q is no share, as 20%% or 0.25%%", text)
	case math.Abs(share*100-slots) > 1e-6:
		return 0, fmt.Errorf("%s is finer than 0.01%%", text)
	}
	return int(slots), nil
}

// percent writes slots as files do.
func percent(slots int) string { return strconv.FormatFloat(float64(slots)/100, 'f', -1, 64) + "%" }

// day reads a date, or how long from now it is; "" is none.
func day(text string, now time.Time) (string, error) {
	if _, err := time.Parse(time.DateOnly, text); err == nil || text == "" {
		return text, nil
	}
	d, err := value.ParseDuration(text)
	if err != nil || d <= 0 {
		return "", fmt.Errorf("%q is neither a date, as 2027-01-31, nor how long from now, as 90d", text)
	}
	return now.Add(d).UTC().Format(time.DateOnly), nil
}

// settings read what a flag or a variant sets: values of the kinds that are configured in the first of the environments.
func (t *repoTree) settings(ctx context.Context, environments, texts []string) ([]experiment.Setting, error) {
	var set []experiment.Setting
	for _, text := range texts {
		p, given, err := setting(text)
		if err != nil {
			return nil, err
		}
		var configured *value.Value
		for _, env := range environments {
			at, err := t.settable(ctx, env, p)
			if err != nil {
				return nil, err
			}
			configured = cmp.Or(configured, at)
		}
		v, err := valueLike(configured, given)
		if err != nil {
			return nil, fmt.Errorf("%s is %s in %s: %w", p, configured.Kind().Article(), environments[0], err)
		}
		set = append(set, experiment.Setting{Path: p, Value: v})
	}
	return set, nil
}

// setting cuts PATH=VALUE. A key in quotes may hold the sign, too.
func setting(text string) (value.Path, string, error) {
	for i := range text {
		if text[i] != '=' {
			continue
		}
		if p, err := value.ParsePath(text[:i]); err == nil && len(p) > 0 {
			return p, text[i+1:], nil
		}
	}
	return nil, "", fmt.Errorf("%q sets nothing; write PATH=VALUE, as search.newRanking=true", text)
}

// valueLike reads a value of the kind of another. No error repeats it: it may be a secret.
func valueLike(configured *value.Value, text string) (*value.Value, error) {
	if configured.Kind() == value.String {
		return value.NewString(text, value.Place{}), nil
	}
	v, err := value.ParseJSON([]byte(text))
	kind := value.Null
	if err == nil {
		kind = v.Kind()
	}
	switch was := configured.Kind(); {
	case was == value.Bool && kind != value.Bool:
		return nil, errors.New("write true or false")
	case (was == value.Int || was == value.Float) && kind != value.Int && kind != value.Float:
		return nil, errors.New("write a number")
	case was == value.List && kind != value.List:
		return nil, errors.New(`write a list as JSON, as ["card","invoice"]`)
	case was == value.Map && kind != value.Map:
		return nil, errors.New("write a map as JSON with all of its members, or name a path below it")
	case err != nil:
		return value.NewString(text, value.Place{}), nil // null is configured: it may become anything
	}
	return v, nil
}

// text is the file.
func (c flagNewCmd) text(environments []string, set []experiment.Setting, share, expires string) string {
	b := &sheet{}
	b.line("# A flag: whoever a rule includes gets what is set here, everybody else what is configured.")
	b.line("# It changes by commits. `trunkline flag list` shows how far it has come, `trunkline flag stale` when it can go.")
	b.text("description", c.Description)
	b.text("owner", c.Owner)
	if expires != "" {
		b.line("expires: %s # reminds people, does nothing else", expires)
	}
	b.line("environments: [%s]", strings.Join(environments, ", "))
	if c.Unit == "" {
		b.line("# unit: accountId # the attribute of the context that names who is decided about; targetingKey without it")
	} else {
		b.line("unit: %s # the attribute of the context that names who is decided about", yamlText(c.Unit))
	}
	b.line("salt: '%s' # random: it places the units, so it stays as long as the file", newSalt())
	b.line("set:")
	b.settings("  ", set)
	b.line("rules: # the first that matches decides; where none does, the configured value stays")
	c.rule(b, share)
	return b.String()
}

func (c flagNewCmd) rule(b *sheet, share string) {
	name := "everyone"
	if c.When != "" {
		name = "targeted"
	}
	b.line("  - name: %s", name)
	if c.When != "" {
		b.line("    when: %s # what the context does not say makes its comparison false", yamlText(c.When))
	}
	if share == "" {
		b.line("    # percentage: 10%% # of those alone")
		return
	}
	b.line("    percentage: %s # one that grows only adds units", share)
	b.line("    # instead of percentage, a share that grows by itself:")
	b.line("    # ramp: {start: %s, over: 7d, from: 1%%, to: 100%%}", time.Now().UTC().AddDate(0, 0, 1).Format("2006-01-02T09:00:00Z"))
}

// next says what is there now, and what comes next.
func (c flagNewCmd) next(s *streams, n *newFiles, share string) {
	name := filepath.Join(c.Dir, n.files[0].name)
	fmt.Fprintln(s.out, name)
	whom := share + " of all"
	switch {
	case c.When != "" && share == "":
		whom = "everybody whom the condition selects"
	case c.When != "":
		whom = share + " of those whom the condition selects"
	case share == "100%":
		whom = "everyone"
	case share == "0%":
		whom = "nobody yet: raise the percentage"
	}
	fmt.Fprintf(s.err, "In %s it will be for %s. Next:\n\n", strings.Join(n.environments, ", "), whom)
	fmt.Fprintf(s.err, "  git add %s && git commit -m 'Begin the flag %s'\n  trunkline flag list\n", name, c.Key)
}
