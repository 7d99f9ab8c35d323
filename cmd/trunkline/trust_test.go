package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trunkline/trunkline/internal/gittest"
)

// certify writes a certificate of a name, with its key.
func certify(t *testing.T, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// TestOperatorOverPublicCertificate holds that the operator's token serves on the server's machine although the certificate is for the name
// that clients call the server by.
func TestOperatorOverPublicCertificate(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	remote.Write(map[string]string{"config/web.yaml": "step: 0\n"})
	remote.Commit("Begin")
	remote.Push()
	data := filepath.Join(t.TempDir(), "data")
	cert, key := certify(t, "config.example.com")
	c := startChild(t, remote, data, "--tls-cert-file", cert, "--tls-key-file", key)
	run := func(flags []string, args ...string) string {
		cmd := exec.Command("trunkline", append(args, flags...)...)
		cmd.Env = append(os.Environ(), "TRUNKLINE_DATA="+data, "TRUNKLINE_SERVER="+strings.Replace(c.url, "http", "https", 1))
		out, err := cmd.CombinedOutput()
		if err != nil {
			return "failed: " + string(out)
		}
		return string(out)
	}
	trusted := []string{"--ca-file", cert, "--tls-server-name", "config.example.com"}
	for deadline := time.Now().Add(killPatience); !strings.Contains(run(trusted, "get", "web.step"), "0"); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the server is not ready: %s", run(trusted, "get", "web.step"))
		}
	}
	for _, test := range []struct {
		flags []string
		args  []string
		want  string
	}{
		{nil, []string{"token", "list"}, "name what its certificate is for with --tls-server-name"},
		{trusted[2:], []string{"token", "list"}, "name the certificates to trust with --ca-file"},
		{[]string{"--ca-file", cert}, []string{"token", "list"}, "name what its certificate is for with --tls-server-name"},
		{[]string{"--ca-file", cert, "--tls-server-name", "other.example.com"}, []string{"status"}, "--tls-server-name"},
		{[]string{"--server", c.url}, []string{"token", "list"}, "begin its address with https://"},
		{[]string{"--ca-file", key}, []string{"status"}, "holds no certificate in PEM"},
		{[]string{"--ca-file", filepath.Join(data, "none")}, []string{"status"}, "no such file"},
		{trusted, []string{"token", "new", "checkout"}, "tlk_"},
		{trusted, []string{"token", "list"}, "checkout"},
		{trusted, []string{"token", "revoke", "checkout", "-o", "json"}, `{"tokens":[{"id":`},
		{trusted, []string{"query", "**"}, "web.step"},
		{trusted, []string{"audit", "verify"}, "head "},
		{trusted, []string{"audit", "trim", "--keep", "1", "--reason", "room", "--dry-run"}, "a start needs these records"},
		{trusted, []string{"audit", "trim", "--before", "1d", "--reason", "room"}, "nothing is older"},
		{trusted, []string{"audit", "trim", "--before", "yesterday", "--reason", "room"}, "nor how long ago, as 7d"},
		{trusted, []string{"audit", "trim", "--reason", "room"}, "it is not said what to keep"},
	} {
		if got := run(test.flags, test.args...); !strings.Contains(got, test.want) {
			t.Errorf("%v %v: %s, want %q", test.args, test.flags, got, test.want)
		}
	}

	watch := exec.Command("trunkline", append([]string{"watch", "-o", "json"}, trusted...)...)
	watch.Env = append(os.Environ(), "TRUNKLINE_SERVER="+strings.Replace(c.url, "http", "https", 1))
	out, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = watch.Process.Kill()
		_ = watch.Wait()
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), `"snapshot"`) {
		t.Log(lines.Text())
	}
	if !strings.Contains(lines.Text(), `"step":0`) {
		t.Errorf("the stream shows %s", lines.Text())
	}
}
