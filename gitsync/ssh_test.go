package gitsync_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/trunkline/trunkline/internal/gittest"
)

// sshServer serves one repository by git-upload-pack, as a hosting service does.
type sshServer struct {
	addr     string
	hostKeys map[string]ssh.Signer // by type
	keyFile  string                // a key it accepts

	t      *testing.T
	config *ssh.ServerConfig
	work   sync.WaitGroup
}

func newSSHServer(t *testing.T) *sshServer {
	t.Helper()
	s := &sshServer{t: t, hostKeys: map[string]ssh.Signer{}}
	user, file := userKey(t)
	s.keyFile = file
	s.config = &ssh.ServerConfig{PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if meta.User() != "git" || string(key.Marshal()) != string(user.Marshal()) {
			return nil, errors.New("not you")
		}
		return nil, nil
	}}
	for _, key := range hostKeys(t) {
		signer, err := ssh.NewSignerFromKey(key)
		must(t, err)
		s.hostKeys[signer.PublicKey().Type()] = signer
		s.config.AddHostKey(signer)
	}
	s.listen()
	return s
}

func hostKeys(t *testing.T) []crypto.Signer {
	t.Helper()
	_, e, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	c, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	return []crypto.Signer{e, c, r}
}

// userKey makes a key and writes its private half to a file.
func userKey(t *testing.T) (ssh.PublicKey, string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	must(t, err)
	block, err := ssh.MarshalPrivateKey(key, "")
	must(t, err)
	return signer.PublicKey(), writeKey(t, block)
}

func writeKey(t *testing.T, block *pem.Block) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "id")
	must(t, os.WriteFile(name, pem.EncodeToMemory(block), 0o600))
	return name
}

func (s *sshServer) listen() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(s.t, err)
	s.addr = l.Addr().String()
	var open sync.Map
	s.work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Store(conn, nil)
			s.work.Go(func() { s.serve(conn); _ = conn.Close(); open.Delete(conn) })
		}
	})
	s.t.Cleanup(func() {
		_ = l.Close()
		open.Range(func(conn, _ any) bool { _ = conn.(net.Conn).Close(); return true })
		s.work.Wait()
	})
}

func (s *sshServer) serve(conn net.Conn) {
	server, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return
	}
	defer server.Close()
	var sessions sync.WaitGroup
	defer sessions.Wait()
	sessions.Go(func() { ssh.DiscardRequests(requests) })
	for c := range channels {
		channel, requests, err := c.Accept()
		if err != nil {
			return
		}
		sessions.Go(func() { run(channel, requests) })
	}
}

// run executes git-upload-pack, and nothing else.
func run(channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	for req := range requests {
		path, ok := strings.CutPrefix(string(req.Payload[min(4, len(req.Payload)):]), "git-upload-pack ")
		if req.Type != "exec" || !ok {
			_ = req.Reply(false, nil)
			continue
		}
		_ = req.Reply(true, nil)
		cmd := exec.Command("git", "upload-pack", strings.Trim(path, "'"))
		cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
		in, err := cmd.StdinPipe()
		if err != nil || cmd.Start() != nil {
			return
		}
		go func() { _, _ = io.Copy(in, channel); _ = in.Close() }()
		_ = cmd.Wait()
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(cmd.ProcessState.ExitCode())}))
		return
	}
}

func (s *sshServer) url(path string) string { return "ssh://git@" + s.addr + path }

// knownHosts writes a file that knows the server by the given types of keys.
func (s *sshServer) knownHosts(types ...string) string {
	s.t.Helper()
	var lines strings.Builder
	for _, kind := range types {
		lines.WriteString(knownhosts.Line([]string{knownhosts.Normalize(s.addr)}, s.hostKeys[kind].PublicKey()) + "\n")
	}
	return knownFile(s.t, lines.String())
}

func knownFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "known_hosts")
	must(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

// A host has keys of several types, and known_hosts holds one of them, whichever.
func TestSSHWithEachTypeOfHostKey(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	change(remote, "First")
	remote.Push()
	s := newSSHServer(t)
	for kind := range s.hostKeys {
		w := follow(t, s.url(remote.Path()), sshWith(s.keyFile, s.knownHosts(kind)))
		w.next()
		next := change(remote, "For "+kind)
		remote.Push()
		w.Hint()
		if u := w.next(); hashes(u.Commits) != next {
			t.Errorf("%s: %s came, want %s", kind, hashes(u.Commits), next)
		}
		w.stop()
	}
}

func TestSSHFailuresSayWhatToDo(t *testing.T) {
	t.Parallel()
	remote := gittest.NewRemote(t)
	change(remote, "First")
	remote.Push()
	s, other := newSSHServer(t), newSSHServer(t)
	known := s.knownHosts(ssh.KeyAlgoED25519)
	impostor := knownFile(t, knownhosts.Line([]string{knownhosts.Normalize(s.addr)}, other.hostKeys[ssh.KeyAlgoED25519].PublicKey())+"\n")
	_, stranger := userKey(t)
	sealed := sealedKey(t)
	noise := filepath.Join(t.TempDir(), "noise")
	must(t, os.WriteFile(noise, []byte("s3cret"), 0o600))
	for _, tt := range []struct{ name, url, key, known, says string }{
		{"unknown host", s.url(remote.Path()), s.keyFile, knownFile(t, ""), "ssh-keyscan -p"},
		{"no known_hosts", s.url(remote.Path()), s.keyFile, filepath.Join(t.TempDir(), "none"), "known hosts"},
		{"another host key", s.url(remote.Path()), s.keyFile, impostor, "another key"},
		{"unknown user key", s.url(remote.Path()), stranger, known, "refuses the key"},
		{"another user", "ssh://mallory@" + s.addr + remote.Path(), s.keyFile, known, "refuses the key for user mallory"},
		{"passphrase", s.url(remote.Path()), sealed, known, "passphrase"},
		{"no key", s.url(remote.Path()), noise, known, "cannot be read"},
		{"no repository", s.url("/nowhere"), s.keyFile, known, "no repository"},
		{"nobody listens", "ssh://git@127.0.0.1:1" + remote.Path(), s.keyFile, knownAt(t, s, "127.0.0.1:1"), "refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := follow(t, tt.url, sshWith(tt.key, tt.known))
			if state := w.fails(); !strings.Contains(state.LastError, tt.says) || strings.Contains(state.LastError, "s3cret") {
				t.Errorf("error %q, want it to say %q", state.LastError, tt.says)
			}
		})
	}
}

func knownAt(t *testing.T, s *sshServer, addr string) string {
	t.Helper()
	return knownFile(t, knownhosts.Line([]string{knownhosts.Normalize(addr)}, s.hostKeys[ssh.KeyAlgoED25519].PublicKey())+"\n")
}

func sealedKey(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte("s3cret"))
	must(t, err)
	return writeKey(t, block)
}

// A server that accepts and says nothing holds nobody for ever.
func TestSSHServerThatSaysNothing(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	s := newSSHServer(t)
	w := follow(t, "ssh://git@"+l.Addr().String()+"/repo.git", impatient(200*time.Millisecond),
		sshWith(s.keyFile, knownAt(t, s, l.Addr().String())))
	if state := w.fails(); !strings.Contains(state.LastError, "too long") {
		t.Errorf("error %q, want it to say that it took too long", state.LastError)
	}
}

func TestSSHAgent(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "")
	s := newSSHServer(t)
	w := follow(t, s.url("/repo.git"), sshWith("", s.knownHosts(ssh.KeyAlgoED25519)))
	if state := w.fails(); !strings.Contains(state.LastError, "--ssh-key-file") {
		t.Errorf("error %q, want it to say what to give", state.LastError)
	}
}
