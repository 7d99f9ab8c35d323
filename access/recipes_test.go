package access_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/trunkline/trunkline/access"
)

// recipe opens settings under testdata, which are those of docs/operate.md, but for the place of the keys: they are those of rsa.
func recipe(t *testing.T, name string) *access.Guard {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := access.ParseProviders(name, text); err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`(?m)^    jwks:\n(      .*\n)+|^    jwks: .*\n`).ReplaceAll(text, []byte("    jwks: {file: jwks.json}\n"))
	write(t, filepath.Join(dir, name), string(text))
	write(t, filepath.Join(dir, "jwks.json"), string(jwks(t, "rsa")))
	return access.NewGuard(access.GuardOptions{JWTs: openJWTs(t, filepath.Join(dir, name), access.KeyTimes{})})
}

// kubernetes are the claims of a projected service account token, as the API server of 1.34 makes them.
func kubernetes(namespace, account string, changes map[string]any) map[string]any {
	now := time.Now().Unix()
	c := map[string]any{
		"aud": []string{"trunkline"}, "exp": now + 3607, "iat": now, "iss": "https://kubernetes.default.svc.cluster.local",
		"jti": "e51f1fbc-4733-4b85-a59f-ba80c0523874", "nbf": now, "sub": "system:serviceaccount:" + namespace + ":" + account,
		"kubernetes.io": map[string]any{
			"namespace":      namespace,
			"node":           map[string]any{"name": "worker-1", "uid": "517eb86e-b863-451b-bf70-86cb61439a3a"},
			"pod":            map[string]any{"name": "checkout-6d4cf56db6-x2x5v", "uid": "0d8b260e-ef0e-45fb-be8e-ff44f97722e8"},
			"serviceaccount": map[string]any{"name": account, "uid": "e6a8680e-d103-4cce-80ea-03acbbeacf7d"},
			"warnafter":      now + 3000,
		},
	}
	for name, v := range changes {
		c[name] = v
	}
	return c
}

func TestKubernetes(t *testing.T) {
	g := recipe(t, "kubernetes.yaml")
	rsa := keys()["rsa"]
	who, w := ask(g, bearer(stranger, sign(t, rsa, kubernetes("shop", "checkout", nil))))
	if who == nil {
		t.Fatal(w.Body)
	}
	if who.String() != "jwt:shop/checkout" || !who.Grant.Allows("prod") || who.Grant.Allows("staging") || !who.Grant.May(access.Publish) {
		t.Errorf("%+v", who)
	}
	if who, _ := ask(g, bearer(stranger, sign(t, rsa, kubernetes("team-a", "anything", nil)))); who == nil || who.Name != "team-a/anything" || who.Grant.Rights() != 0 {
		t.Errorf("by the namespace: %+v", who)
	}
	for name, c := range map[string]map[string]any{
		"another account":   kubernetes("shop", "default", nil),
		"another namespace": kubernetes("shop2", "checkout", nil),
		"a longer one":      kubernetes("shop", "checkout2", nil),
		"for the cluster":   kubernetes("shop", "checkout", map[string]any{"aud": []string{"https://kubernetes.default.svc.cluster.local"}}),
		"of another one":    kubernetes("shop", "checkout", map[string]any{"iss": "https://other"}),
	} {
		if who, w := ask(g, bearer(stranger, sign(t, rsa, c))); who != nil || w.Code < 401 {
			t.Errorf("%s: %+v", name, who)
		}
	}
}

// github are the claims of a workflow's token, as GitHub documents them.
func github(repository, ref string, changes map[string]any) map[string]any {
	now := time.Now().Unix()
	c := map[string]any{
		"jti": "c8c6b1e1-8a3c-4a3f-9b1a-0d8f5d8f0e0f", "sub": "repo:" + repository + ":ref:" + ref, "aud": "https://config.acme.example",
		"ref": ref, "sha": "4be2cf9f2b5e2a1c8e4a4e3f5d1a2b3c4d5e6f70", "repository": repository, "repository_owner": "acme",
		"actor_id": "12", "repository_visibility": "private", "repository_id": "74", "repository_owner_id": "65", "run_id": "9876543210",
		"run_number": "10", "run_attempt": "2", "runner_environment": "github-hosted", "actor": "octocat", "workflow": "deploy",
		"head_ref": "", "base_ref": "", "event_name": "push", "ref_type": "branch", "ref_protected": "true",
		"job_workflow_ref": repository + "/.github/workflows/deploy.yml@" + ref, "workflow_ref": repository + "/.github/workflows/deploy.yml@" + ref,
		"iss": "https://token.actions.githubusercontent.com", "nbf": now - 600, "exp": now + 300, "iat": now,
	}
	for name, v := range changes {
		c[name] = v
	}
	return c
}

func TestGitHub(t *testing.T) {
	g := recipe(t, "github.yaml")
	rsa := keys()["rsa"]
	signed := func(c map[string]any) string {
		return sign(t, rsa, c, "typ", "JWT", "x5t", "eBZ_cn3sXYAd0ch4THBKHIgOwOE")
	}
	who, w := ask(g, bearer(stranger, signed(github("acme/shop", "refs/heads/main", nil))))
	if who == nil {
		t.Fatal(w.Body)
	}
	if who.String() != "jwt:github:acme/shop" || !who.Grant.May(access.Operate) || !who.Grant.Allows("prod") {
		t.Errorf("%+v", who)
	}
	if who, _ := ask(g, bearer(stranger, signed(github("acme/web", "refs/pull/3/merge", nil)))); who == nil || who.Grant.Allows("prod") || who.Grant.Rights() != access.History {
		t.Errorf("any workflow of the owner: %+v", who)
	}
	for name, c := range map[string]map[string]any{
		"another owner":              github("acne/shop", "refs/heads/main", map[string]any{"repository_owner_id": "66"}),
		"a renamed owner's old name": github("acme/shop", "refs/heads/main", map[string]any{"repository_owner_id": "66"}),
		"for another service":        github("acme/shop", "refs/heads/main", map[string]any{"aud": "https://github.com/acme"}),
	} {
		if who, w := ask(g, bearer(stranger, signed(c))); who != nil || w.Code < 401 {
			t.Errorf("%s: %+v", name, who)
		}
	}
	for _, ref := range []string{"refs/heads/main2", "refs/heads/x/main", "refs/tags/main", "refs/pull/1/merge"} {
		if who, _ := ask(g, bearer(stranger, signed(github("acme/shop", ref, nil)))); who == nil || who.Grant.May(access.Operate) {
			t.Errorf("%s may operate", ref)
		}
	}
}
