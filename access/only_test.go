package access_test

import (
	"net/http/httptest"
	"testing"

	"github.com/trunkline/trunkline/access"
)

func TestCredentialsOnly(t *testing.T) {
	g := access.NewGuard(access.GuardOptions{CredentialsOnly: true})
	r := httptest.NewRequest("GET", "http://127.0.0.1:7420/v1/status", nil)
	r.RemoteAddr = "127.0.0.1:1"
	refused, ok := g.Check(r).(*access.Refused)
	if !ok || refused.Status != 401 || refused.Reason != access.ReasonMissing {
		t.Errorf("a program of this machine is answered %v", refused)
	}
}
