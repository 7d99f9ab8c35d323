package validator_test

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/value"
)

func large(bytes int) *compile.Snapshot {
	v := value.NewMap([]value.Entry{{Key: "text", Value: value.NewString(strings.Repeat("x", bytes), value.Place{})}}, value.Place{})
	return &compile.Snapshot{Values: v, Delivered: v}
}

func TestHTTP(t *testing.T) {
	var got *http.Request
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		_, _ = io.WriteString(w, `{"verdict": "rejected", "problems": [{"message": "too large"}]}`)
	})
	problems, err := only(t, "url: %q", server.URL+"/v1/config?strict=1").Validate(t.Context(), candidate(t))
	if err != nil || len(problems) != 1 || problems[0].Message != "too large" {
		t.Fatalf("%v, %v", problems, err)
	}
	if got.Method != http.MethodPost || got.RequestURI != "/v1/config?strict=1" || got.Header.Get("Content-Type") != "application/json" ||
		got.Header.Get("User-Agent") != "trunkline" || got.Header.Get("Authorization") != "" {
		t.Errorf("%s %s %v", got.Method, got.RequestURI, got.Header)
	}
}

func TestHTTPStatus(t *testing.T) {
	for status, want := range map[int]string{
		201: "the service answers 201 Created and not 200",
		204: "the service answers 204 No Content and not 200",
		403: "the service answers 403 Forbidden and not 200",
		503: "the service answers 503 Service Unavailable and not 200",
		599: "the service answers 599 and not 200",
	} {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"verdict": "valid"}`)
		})
		noAnswer(t, only(t, "url: %q", server.URL), want)
	}
}

func TestHTTPRedirectIsNotFollowed(t *testing.T) {
	var paths []string
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
	})
	noAnswer(t, only(t, "url: %q", server.URL+"/here"), "the service answers 307 Temporary Redirect, and redirects are not followed")
	if len(paths) != 1 {
		t.Errorf("asked at %v", paths)
	}
}

func TestHTTPTime(t *testing.T) {
	for _, begins := range []string{"", `{"verdict":`} {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if _, _ = io.WriteString(w, begins); begins != "" {
				w.(http.Flusher).Flush()
			}
			<-r.Context().Done()
		})
		noAnswer(t, only(t, "url: %q, timeout: 100ms", server.URL), "it took longer than 100ms")
	}
}

func TestHTTPBreaksOff(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"verdict": "valid"}`)
	})
	noAnswer(t, only(t, "url: %q", server.URL), "the answer breaks off: unexpected EOF")
}

// TestHTTPFloods has answers that would never end.
func TestHTTPFloods(t *testing.T) {
	body := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	})
	noAnswer(t, only(t, "url: %q", body.URL), "the answer is larger than 1048576 bytes")
	header := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<17)) })
	noAnswer(t, only(t, "url: %q", header.URL), "net/http: HTTP/1.x transport connection broken: net/http: server response headers exceeded 65536 bytes")
}

func TestHTTPLargeQuestion(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"verdict": "valid"}`)
	})
	c := candidate(t)
	c.New = large(8 << 20)
	if _, err := only(t, "url: %q", server.URL).Validate(t.Context(), c); err != nil {
		t.Error(err)
	}
}

func TestToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var got string
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		_, _ = io.WriteString(w, `{"verdict": "valid"}`)
	})
	v := only(t, "url: %q, tokenFile: %q", server.URL, file)
	for _, token := range []string{"hunter1", "hunter2"} { // rotated
		write(token + "\n")
		if _, err := v.Validate(t.Context(), candidate(t)); err != nil || got != "Bearer "+token {
			t.Errorf("sent %q, %v", got, err)
		}
	}
	got = ""
	for _, bad := range []string{"", "\n", "hunter1 hunter2", "hunter\x00", strings.Repeat("h", 1<<15)} {
		write(bad)
		noAnswer(t, v, "the file "+file+" must hold one token and nothing else")
	}
	_ = os.Remove(file)
	noAnswer(t, v, "read the token: open "+file)
	if got != "" {
		t.Errorf("sent %q", got)
	}
}

func TestHTTPS(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("trust is not set by a file here")
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"verdict": "valid"}`)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	if _, err := only(t, "url: %q", server.URL).Validate(t.Context(), candidate(t)); err != nil {
		t.Error(err)
	}
	// insecure does not make a certificate good
	elsewhere := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	noAnswer(t, only(t, "url: %q, insecure: true", elsewhere), "tls: failed to verify certificate: x509: certificate is valid for example.com")
}

// TestLinkLocal has a name that resolves to where clouds hand out credentials.
func TestLinkLocal(t *testing.T) {
	for address, shown := range map[string]string{"169.254.169.254": "169.254.169.254:80", "fe80::1": "[fe80::1]:80"} {
		resolves(t, address)
		noAnswer(t, only(t, `url: "http://checks.test", insecure: true`),
			"dial tcp "+shown+": the name resolves to a link-local address, which is refused")
	}
}

// TestNoProxy holds that the proxy of the environment, which TestMain sets, is not asked.
func TestNoProxy(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"verdict": "valid"}`) })
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	resolves(t, "127.0.0.1")
	if _, err := only(t, `url: "http://checks.test:%s", insecure: true`, port).Validate(t.Context(), candidate(t)); err != nil {
		t.Error(err)
	}
}

// TestLinkLocalByAddress holds that an address that the settings name is meant.
func TestLinkLocalByAddress(t *testing.T) {
	file := "allowHosts: [169.254.0.1]\nvalidators: [{name: a, url: 'http://169.254.0.1:1/', insecure: true, timeout: 100ms}]"
	_, err := parsed(t, file)[0].Validate(t.Context(), candidate(t))
	if err == nil || strings.Contains(err.Error(), "link-local") {
		t.Errorf("got %v", err)
	}
}
