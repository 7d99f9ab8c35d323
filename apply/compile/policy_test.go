package compile_test

import (
	"strings"
	"testing"

	"github.com/trunkline/trunkline/apply/compile"
)

// TestPoliciesOfAChange holds what depends on the commit: a waiver on a rollback, and who wrote it.
func TestPoliciesOfAChange(t *testing.T) {
	const policies = `policies:
  - {id: neverLess, match: web.replicas, expression: self >= oldSelf, allowOnRollback: true, message: replicas never shrink}
  - {id: noRollback, match: web.frozen, expression: "!rollback && self == oldSelf", message: this never changes}
  - {id: owner, match: web.price, expression: 'commit.email.endsWith("@shop.example")', message: prices belong to the shop}
`
	at := func(web string) map[string]string {
		return map[string]string{"config/web.yaml": web, "policies/a.yaml": policies}
	}
	for name, test := range map[string]struct {
		web      string
		rollback bool
		email    string
		want     map[string]compile.Severity // by rule
	}{
		"nothing changed":       {web: "replicas: 3\nfrozen: 1\nprice: 5\n"},
		"fewer":                 {web: "replicas: 2\nfrozen: 1\nprice: 5\n", want: map[string]compile.Severity{"policy.neverLess": compile.Error}},
		"fewer by a rollback":   {web: "replicas: 2\nfrozen: 1\nprice: 5\n", rollback: true, want: map[string]compile.Severity{"policy.neverLess": compile.Warning}},
		"no waiver":             {web: "replicas: 3\nfrozen: 2\nprice: 5\n", rollback: true, want: map[string]compile.Severity{"policy.noRollback": compile.Error}},
		"a stranger's price":    {web: "replicas: 3\nfrozen: 1\nprice: 6\n", email: "eve@example.com", want: map[string]compile.Severity{"policy.owner": compile.Error}},
		"the shop's own price":  {web: "replicas: 3\nfrozen: 1\nprice: 6\n", email: "ada@shop.example"},
		"added by a stranger":   {web: "replicas: 3\nfrozen: 1\nprice: 5\nmore: 1\n", email: "eve@example.com"},
		"removed: nothing left": {web: "frozen: 1\nprice: 5\n", want: map[string]compile.Severity{"policyUnused": compile.Warning}},
	} {
		t.Run(name, func(t *testing.T) {
			judge := func(web string, against compile.Against) *compile.Result {
				s := newStore()
				result, err := compile.New(key).Compile(t.Context(), s, s.put(at(web)), against)
				if err != nil {
					t.Fatal(err)
				}
				return result
			}
			// At first the price is new, so its policy asks whose it is.
			before := judge("replicas: 3\nfrozen: 1\nprice: 5\n", compile.Against{Commit: compile.DescribeCommit("", "ada@shop.example", "", "", nil)})
			result := judge(test.web, compile.Against{
				Baselines: before.Snapshots, Rollback: map[string]bool{"default": test.rollback}, Commit: compile.DescribeCommit("", test.email, "", "", nil),
			})
			if len(result.Problems) != len(test.want) {
				t.Errorf("problems: %v, want %v", result.Problems, test.want)
			}
			for _, p := range result.Problems {
				if test.want[p.Rule] != p.Severity {
					t.Errorf("%s", p)
				}
			}
		})
	}
}

// TestFoldersAndDocumentsTogetherAreBounded holds that what goes live can be read by every client.
func TestFoldersAndDocumentsTogetherAreBounded(t *testing.T) {
	files := map[string]string{
		"config/" + strings.Repeat("d/", 20) + "a.json": strings.Repeat(`{"k":`, 60) + "1" + strings.Repeat("}", 60),
	}
	result := compiled(t, files, nil)
	if result.Valid("default") || result.Problems[0].Rule != "tooDeep" {
		t.Errorf("problems: %v", result.Problems)
	}
}
