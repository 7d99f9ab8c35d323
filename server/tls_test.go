package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/trunkline/trunkline/client/wire"
)

// certify writes a certificate for this machine, with a name that tells it from others.
func certify(t *testing.T, dir, name string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestTLS(t *testing.T) {
	dir, remote := t.TempDir(), shop(t)
	first := certify(t, dir, "first")
	set := settings(remote, t.TempDir())
	set.TLSCertFile, set.TLSKeyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	s := start(t, remote, set)
	s.url = strings.Replace(s.url, "http:", "https:", 1)
	trust := func(c *x509.Certificate) *tls.Config {
		pool := x509.NewCertPool()
		pool.AddCert(c)
		return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	get := func(config *tls.Config, path string) (*http.Response, error) {
		transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		res, err := (&http.Client{Transport: transport}).Get(s.url + path)
		if err == nil {
			res.Body.Close()
		}
		return res, err
	}
	eventually(t, "it is ready", func() bool {
		res, err := get(trust(first), "/readyz")
		return err == nil && res.StatusCode == http.StatusOK
	})
	res, err := get(trust(first), "/v1/status")
	if err != nil || res.ProtoMajor != 2 || !strings.HasPrefix(res.Header.Get("Strict-Transport-Security"), "max-age=") {
		t.Errorf("%v %v", res, err)
	}
	for _, path := range []string{"/v1/config/checkout.timeout?env=prod", "/v1/config/none", "/env/prod/ofrep/v1/evaluate/flags/checkout.timeout", "/ofrep/none", "/none", "/metrics", "/"} {
		if res, err = get(trust(first), path); err != nil {
			t.Fatal(err)
		}
		if isSecured(t, res); res.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("%s: %v", path, res.Header)
		}
	}
	old := trust(first)
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if _, err := get(old, "/v1/status"); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	d := websocket.Dialer{Subprotocols: []string{wire.Subprotocol}, TLSClientConfig: trust(first)}
	ws, _, err := d.Dial("wss"+strings.TrimPrefix(s.url, "https")+"/v1/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"hello","env":"prod"}`))
	if m := next(t, ws); !strings.Contains(m, "checkout") {
		t.Errorf("the stream says %s", m)
	}

	if err := os.WriteFile(filepath.Join(dir, "cert.pem"), []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	<-time.After(1100 * time.Millisecond) // it is looked at once a second
	if _, err := get(trust(first), "/v1/status"); err != nil {
		t.Errorf("while the files cannot be read: %v", err)
	}
	<-time.After(1100 * time.Millisecond)
	if _, err := get(trust(first), "/v1/status"); err != nil { // it is looked at once more
		t.Errorf("while the files still cannot be read: %v", err)
	}
	if n := strings.Count(s.log.String(), "the certificate was changed and cannot be read"); n != 1 {
		t.Errorf("it is warned of %d times", n)
	}
	second := certify(t, dir, "second")
	eventually(t, "the new certificate is shown", func() bool {
		_, err := get(trust(second), "/v1/status")
		return err == nil
	})
}
