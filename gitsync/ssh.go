package gitsync

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// shell reaches a remote over SSH.
type shell struct {
	address
	keyFile    string
	knownHosts string
}

func newSSH(a address, o Options) (*shell, error) {
	if a.User == "" {
		a.User = "git"
	}
	if a.Port == 0 {
		a.Port = 22
	}
	return &shell{address: a, keyFile: o.SSHKeyFile, knownHosts: o.KnownHostsFile}, nil
}

func (s *shell) close() {}

// dial connects, and has git-upload-pack run. The end of ctx closes the connection, whatever state it is in: a server that
// accepts and then says nothing would otherwise hold us for ever.
func (s *shell) dial(ctx context.Context) (session, error) {
	hostPort := net.JoinHostPort(strings.Trim(s.Host, "[]"), strconv.Itoa(s.Port))
	auth, done, err := s.auth(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	config, err := s.config(hostPort, auth)
	if err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", hostPort)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	release := context.AfterFunc(ctx, func() { _ = conn.Close() })
	c, channels, requests, err := ssh.NewClientConn(conn, hostPort, config)
	if err != nil {
		release()
		_ = conn.Close()
		return nil, s.explain(hostPort, err)
	}
	client := ssh.NewClient(c, channels, requests)
	stop := func() error {
		release()
		_ = client.Close()
		_ = client.Wait()
		return nil
	}
	st, err := uploadPack(client, s.Path, stop)
	if err != nil {
		_ = stop()
		return nil, err
	}
	return st, nil
}

func uploadPack(client *ssh.Client, path string, stop func() error) (*stream, error) {
	sess, err := client.NewSession()
	if err != nil {
		return nil, fmt.Errorf("ssh session: %w", err)
	}
	st := &stream{stderr: &tail{}, stop: func() error { _ = sess.Close(); return stop() }}
	sess.Stderr = st.stderr
	st.listen = func() {
		late := time.AfterFunc(lastWords, func() { _ = client.Close() })
		defer late.Stop()
		_ = sess.Wait()
	}
	if st.in, err = sess.StdinPipe(); err != nil {
		return nil, fmt.Errorf("ssh session: %w", err)
	}
	if st.out, err = sess.StdoutPipe(); err != nil {
		return nil, fmt.Errorf("ssh session: %w", err)
	}
	if err := sess.Start("git-upload-pack " + quote(path)); err != nil {
		return nil, fmt.Errorf("git-upload-pack over ssh: %w", err)
	}
	return st, nil
}

// quote is Git's own quoting for the other side's shell.
func quote(path string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(path) + "'"
}

func (s *shell) config(hostPort string, auth ssh.AuthMethod) (*ssh.ClientConfig, error) {
	files := s.hostFiles()
	if len(files) == 0 {
		return nil, s.unknownHost(hostPort)
	}
	db, err := knownhosts.NewDB(files...)
	if err != nil {
		return nil, fmt.Errorf("known hosts: %w", err)
	}
	algorithms := db.HostKeyAlgorithms(hostPort)
	if len(algorithms) == 0 {
		return nil, s.unknownHost(hostPort)
	}
	return &ssh.ClientConfig{
		User:            s.User,
		Auth:            []ssh.AuthMethod{auth},
		HostKeyCallback: db.HostKeyCallback(),
		// A host has keys of several types. Unless told which of them we know, it offers its favourite, and that looks like
		// an attack.
		HostKeyAlgorithms: algorithms,
	}, nil
}

func (s *shell) hostFiles() []string {
	if s.knownHosts != "" {
		return []string{s.knownHosts}
	}
	var files []string
	candidates := []string{"/etc/ssh/ssh_known_hosts"}
	if home, err := os.UserHomeDir(); err == nil {
		candidates = append(candidates, filepath.Join(home, ".ssh", "known_hosts"))
	}
	for _, name := range candidates {
		if _, err := os.Stat(name); err == nil {
			files = append(files, name)
		}
	}
	return files
}

// auth is how we show who we are; done ends the conversation with the agent.
func (s *shell) auth(ctx context.Context) (method ssh.AuthMethod, done func(), err error) {
	if s.keyFile == "" {
		return agentAuth(ctx)
	}
	pem, err := os.ReadFile(s.keyFile)
	if err != nil {
		return nil, nil, fmt.Errorf("ssh key: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(pem)
	var sealed *ssh.PassphraseMissingError
	if errors.As(err, &sealed) {
		return nil, nil, hint(ErrCredential, "the ssh key %s has a passphrase: use one without, or an agent", s.keyFile)
	}
	if err != nil {
		return nil, nil, hint(ErrCredential, "the ssh key %s cannot be read: it must be a private key in OpenSSH or PEM form", s.keyFile)
	}
	return ssh.PublicKeys(signer), func() {}, nil
}

func agentAuth(ctx context.Context) (ssh.AuthMethod, func(), error) {
	socket := os.Getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return nil, nil, hint(ErrCredential, "ssh needs a key: name one by --ssh-key-file, or run an agent")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, nil, fmt.Errorf("ssh agent: %w", err)
	}
	release := context.AfterFunc(ctx, func() { _ = conn.Close() })
	done := func() { release(); _ = conn.Close() }
	return ssh.PublicKeysCallback(agent.NewClient(conn).Signers), done, nil
}

func (s *shell) unknownHost(hostPort string) error {
	where := s.knownHosts
	if where == "" {
		where = "~/.ssh/known_hosts"
	}
	scan := "ssh-keyscan " + strings.Trim(s.Host, "[]")
	if s.Port != 22 {
		scan = fmt.Sprintf("ssh-keyscan -p %d %s", s.Port, strings.Trim(s.Host, "[]"))
	}
	return hint(ErrCredential, "no key of the ssh host %s is known: compare what `%s` prints with what the host publishes, and add it to %s",
		hostPort, scan, where)
}

func (s *shell) explain(hostPort string, err error) error {
	switch {
	case knownhosts.IsHostKeyChanged(err):
		return hint(ErrCredential, "the ssh host %s shows another key than the known one: if it changed its key, replace the line in known_hosts; "+
			"otherwise somebody stands between", hostPort)
	case knownhosts.IsHostUnknown(err):
		return s.unknownHost(hostPort)
	case strings.Contains(err.Error(), "unable to authenticate"):
		return hint(ErrCredential, "the ssh host %s refuses the key for user %s: is it registered there, with leave to read?", hostPort, s.User)
	case strings.Contains(err.Error(), "no common algorithm for host key"):
		return hint(ErrCredential, "the ssh host %s has no key of the types that are known of it: add its present keys to known_hosts", hostPort)
	}
	return fmt.Errorf("ssh handshake: %w", err)
}
