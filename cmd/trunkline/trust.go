package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
)

// trust are the flags that tell by what certificate a server of https is known.
type trust struct {
	CAFile        string `name:"ca-file" help:"Certificates to trust, in the place of the system's, for a server of https." env:"TRUNKLINE_CA_FILE" placeholder:"FILE"`
	TLSServerName string `name:"tls-server-name" help:"Name that the server's certificate is for, where --server calls it otherwise, as by 127.0.0.1." env:"TRUNKLINE_TLS_SERVER_NAME" placeholder:"NAME"`

	config *tls.Config // nil where the system and the URL say it all
}

// AfterApply reads what the flags name.
func (t *trust) AfterApply() error {
	if t.CAFile == "" && t.TLSServerName == "" {
		return nil
	}
	t.config = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.TLSServerName}
	if t.CAFile == "" {
		return nil
	}
	data, err := os.ReadFile(t.CAFile)
	if err != nil {
		return fmt.Errorf("--ca-file: %w", err)
	}
	t.config.RootCAs = x509.NewCertPool()
	if !t.config.RootCAs.AppendCertsFromPEM(data) {
		return fmt.Errorf("--ca-file %s holds no certificate in PEM", t.CAFile)
	}
	return nil
}

// client is how requests are made.
func (t trust) client() *http.Client {
	if t.config == nil {
		return http.DefaultClient
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = t.config
	return &http.Client{Transport: transport}
}

// distrusted says what to do about a certificate that is not as it is expected.
func distrusted(err error) string {
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &name):
		return "name what its certificate is for with --tls-server-name"
	case errors.As(err, &authority):
		return "name the certificates to trust with --ca-file"
	default:
		return "is it running, and is --server right?"
	}
}
