package gitsync_test

import (
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/internal/gittest"
)

// signing is a remote whose commits are signed, by files of OpenSSH.
type signing struct {
	*gittest.Remote
	t   *testing.T
	dir string
}

func newSigning(t *testing.T) *signing {
	t.Helper()
	needs(t, "ssh-keygen")
	return &signing{gittest.NewRemote(t), t, t.TempDir()}
}

func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skip(program + " is not installed")
	}
}

// keygen makes a pair of keys and returns the private one's file.
func (s *signing) keygen(args ...string) string {
	s.t.Helper()
	file := filepath.Join(s.dir, strings.Join(args, ""))
	s.output(exec.Command("ssh-keygen", append(args, "-q", "-N", "", "-C", "", "-f", file)...))
	return file
}

func (s *signing) output(cmd *exec.Cmd) string {
	s.t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}

// with are the options that make git sign by a key.
func with(key string) []string {
	return []string{"-c", "gpg.format=ssh", "-c", "user.signingKey=" + key}
}

// sign commits a change, signed.
func (s *signing) sign(key, subject string, options ...string) string {
	s.t.Helper()
	s.Write(map[string]string{"config/app.yaml": subject})
	s.Git("add", "--all")
	args := append(with(key), options...)
	s.Git(append(args, "commit", "--quiet", "--gpg-sign", "--message", subject+"\n\nAnd why.")...)
	return s.Head()
}

// line is a key's line in an allowed_signers file.
func (s *signing) line(principal, options, key string) string {
	s.t.Helper()
	public, err := os.ReadFile(key + ".pub")
	must(s.t, err)
	return strings.TrimSpace(principal+" "+options) + " " + string(public)
}

// gitTrusts asks Git.
func (s *signing) gitTrusts(commit, lines string) bool {
	s.t.Helper()
	file := filepath.Join(s.dir, "allowed_signers")
	must(s.t, os.WriteFile(file, []byte(lines), 0o600))
	cmd := gittest.Command(s.t.Context(), s.Work(), "-c", "gpg.ssh.allowedSignersFile="+file, "verify-commit", commit)
	return cmd.Run() == nil
}

// object writes a commit as it is given.
func (s *signing) object(raw string) string {
	s.t.Helper()
	file := filepath.Join(s.dir, "raw")
	must(s.t, os.WriteFile(file, []byte(raw), 0o600))
	return s.Git("hash-object", "-t", "commit", "-w", "--literally", file)
}

func (s *signing) raw(commit string) string {
	s.t.Helper()
	out, err := gittest.Command(s.t.Context(), s.Work(), "cat-file", "commit", commit).Output()
	must(s.t, err)
	return string(out)
}

// mirror follows a commit that has all of these among its parents.
func (s *signing) mirror(commits ...string) *following {
	s.t.Helper()
	args := []string{"commit-tree", "-m", "All", s.Git("mktree", "--missing")}
	for _, c := range commits {
		args = append(args, "-p", c)
	}
	s.Git("push", "--quiet", "--force", "origin", s.Git(args...)+":refs/heads/main")
	w := follow(s.t, s.URL())
	w.next()
	return w
}

// What git signs by a key of any kind is known for what it is, as git knows it.
func TestSignersAgreeWithGit(t *testing.T) {
	t.Parallel()
	s := newSigning(t)
	ed := s.keygen("-t", "ed25519")
	signed := map[string]string{ // commits to keys
		s.sign(ed, "By ed25519"): ed,
		s.sign(ed, "An old encoding", "-c", "i18n.commitEncoding=ISO-8859-1"): ed,
	}
	for _, kind := range [][]string{{"-t", "ecdsa", "-b", "256"}, {"-t", "ecdsa", "-b", "521"}, {"-t", "rsa", "-b", "2048"}} {
		key := s.keygen(kind...)
		signed[s.sign(key, "By "+strings.Join(kind, " "))] = key
	}
	// A merge of a signed tag holds the tag, with its signature, in a header of many lines.
	s.Git("checkout", "--quiet", "-b", "feature")
	s.sign(ed, "Feature")
	s.Git(append(with(ed), "tag", "--sign", "--message", "Ready\n\ngpgsig is a word here", "v1")...)
	s.Git("checkout", "--quiet", gittest.Branch)
	s.sign(ed, "Main")
	s.Git(append(with(ed), "merge", "--quiet", "--strategy=ours", "--gpg-sign", "--no-ff", "--no-edit", "v1")...)
	if !strings.Contains(s.raw("HEAD"), "\nmergetag object ") {
		t.Error("the merge does not hold the tag")
	}
	signed[s.Head()] = ed
	unsigned := change(s.Remote, "Unsigned")
	s.Push()
	w := follow(t, s.URL())
	w.next()

	var lines strings.Builder
	for _, key := range signed {
		lines.WriteString(s.line(filepath.Base(key)+"@example.com", "", key))
	}
	keys := keyring(t, []byte(lines.String()))
	stranger := keyring(t, []byte(s.line("stranger", "", s.keygen("-t", "ed25519", "-a", "1"))))
	for commit, key := range signed {
		fingerprint := strings.Fields(s.output(exec.Command("ssh-keygen", "-l", "-f", key+".pub")))[1]
		want := gitsync.Signer{Kind: "ssh", Principal: filepath.Base(key) + "@example.com", Fingerprint: fingerprint}
		if got, err := w.Signer(hash(t, commit), keys); err != nil || got != want {
			t.Errorf("%s is signed by %+v, %v, want %+v", key, got, err, want)
		}
		if !s.gitTrusts(commit, lines.String()) {
			t.Errorf("git does not trust the commit by %s", key)
		}
		_, err := w.Signer(hash(t, commit), stranger)
		if !errors.Is(err, gitsync.ErrUntrusted) || !strings.Contains(err.Error(), fingerprint) {
			t.Errorf("%s, not in the keyring: %v, want ErrUntrusted and %s", key, err, fingerprint)
		}
	}
	for _, k := range []*gitsync.Keyring{keys, nil} {
		if _, err := w.Signer(hash(t, unsigned), k); !errors.Is(err, gitsync.ErrUnsigned) {
			t.Errorf("unsigned: %v, want ErrUnsigned", err)
		}
	}
	if _, err := w.Signer(gitsync.Hash{1}, keys); !errors.Is(err, gitsync.ErrNotFound) {
		t.Errorf("no such commit: %v, want ErrNotFound", err)
	}
}

// A signature vouches for one commit, by one key, for one purpose. Where git says no, so do we.
func TestForgedSignatures(t *testing.T) {
	t.Parallel()
	s := newSigning(t)
	key, other := s.keygen("-t", "ed25519"), s.keygen("-t", "rsa", "-b", "2048")
	honest, second := s.sign(key, "Honest"), s.sign(key, "Second")
	raw := s.raw(second)
	parent := s.raw(honest)
	unsigned, signature := cutSignature(t, raw)
	_, another := cutSignature(t, parent)
	private, err := os.ReadFile(key)
	must(t, err)
	signer, err := ssh.ParsePrivateKey(private)
	must(t, err)
	strange := sshSignature(t, sshKeyOf(t, 3), unsigned, "git")
	first, rest, _ := strings.Cut(raw, "\n")
	cases := []struct {
		name, raw string
		want      error
		git       bool // trusts it all the same
	}{
		{"untouched", raw, nil, true},
		{"signed again", withHeader(unsigned, "gpgsig", sshSignature(t, signer, unsigned, "git")), nil, true},
		{"with a signature for another hash", withHeader(raw, "gpgsig-sha256", another), nil, true},
		{"message", strings.Replace(raw, "And why.", "And why not.", 1), gitsync.ErrBadSignature, false},
		{"tree", strings.Replace(raw, first, "tree "+s.Git("rev-parse", honest+"^{tree}"), 1), gitsync.ErrBadSignature, false},
		{"author", strings.Replace(raw, "author Ada", "author Eve", 1), gitsync.ErrBadSignature, false},
		{"parent", strings.Replace(raw, "parent "+honest, "parent "+honest+"\nparent "+honest, 1), gitsync.ErrBadSignature, false},
		{"another header", strings.Replace(raw, "\ngpgsig ", "\nnote x\ngpgsig ", 1), gitsync.ErrBadSignature, false},
		{"the signature of another", withHeader(unsigned, "gpgsig", another), gitsync.ErrBadSignature, false},
		{"for files", withHeader(unsigned, "gpgsig", sshSignature(t, signer, unsigned, "file")), gitsync.ErrBadSignature, false},
		{"by a stranger", withHeader(unsigned, "gpgsig", strange), gitsync.ErrUntrusted, false},
		{"unsigned", unsigned, gitsync.ErrUnsigned, false},
		{"signed for another hash alone", withHeader(unsigned, "gpgsig-sha256", signature), gitsync.ErrUnsigned, false},
		{"twice", withHeader(raw, "gpgsig", signature), gitsync.ErrBadSignature, true},
		{"two blocks", withHeader(unsigned, "gpgsig", signature+"\n"+signature), gitsync.ErrBadSignature, true},
		{"words behind", withHeader(unsigned, "gpgsig", signature+"\nmore"), gitsync.ErrBadSignature, true},
		{"words before", withHeader(unsigned, "gpgsig", "more\n"+signature), gitsync.ErrBadSignature, false},
		{"cut off", withHeader(unsigned, "gpgsig", signature[:len(signature)/2]), gitsync.ErrBadSignature, false},
		{"garbage", withHeader(unsigned, "gpgsig", "\x00\xff\x1b"), gitsync.ErrBadSignature, false},
		{"empty", withHeader(unsigned, "gpgsig", ""), gitsync.ErrBadSignature, false},
		{"garbage in armor", withHeader(unsigned, "gpgsig", armoredAs("SSH SIGNATURE", "SSHSIG")), gitsync.ErrBadSignature, false},
		{"garbage in PGP's armor", withHeader(unsigned, "gpgsig", armoredAs("PGP SIGNATURE", "\xc2\x05\x04")), gitsync.ErrBadSignature, false},
		{"huge", withHeader(unsigned, "gpgsig", armoredAs("SSH SIGNATURE", strings.Repeat("x", 1<<20))), gitsync.ErrBadSignature, false},
		{"X.509", withHeader(unsigned, "gpgsig", armoredAs("SIGNED MESSAGE", "x")), gitsync.ErrUntrusted, false},
		// To git and to us it is a commit without parents, that nobody signed as such.
		{"before the parents", first + "\n" + headerOf("gpgsig", signature) + cutHeader(rest), gitsync.ErrBadSignature, true},
	}
	var commits []string
	for _, tt := range cases {
		commits = append(commits, s.object(tt.raw))
	}
	w := s.mirror(commits...)
	lines := s.line("ada@example.com", "", key) + s.line("ben@example.com", "", other)
	keys := keyring(t, []byte(lines))
	for i, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.Signer(hash(t, commits[i]), keys)
			if !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if err != nil && (len(err.Error()) > 300 || strings.ContainsAny(err.Error(), "\x00\x1b\n")) {
				t.Errorf("error %q is not fit to be shown", err)
			}
			if git := s.gitTrusts(commits[i], lines); git != tt.git {
				t.Errorf("git trusts it: %t, want %t", git, tt.git)
			}
		})
	}
}

// cutSignature parts a commit as it stands from its signature.
func cutSignature(t *testing.T, raw string) (unsigned, signature string) {
	t.Helper()
	before, rest, found := strings.Cut(raw, "\ngpgsig ")
	signature, message, ended := strings.Cut(rest, "\n\n")
	if !found || !ended {
		t.Fatalf("%q is not signed", raw)
	}
	return before + "\n\n" + message, strings.ReplaceAll(signature, "\n ", "\n")
}

// cutHeader leaves out the signature, of a commit without its first line.
func cutHeader(rest string) string {
	before, after, _ := strings.Cut(rest, "\ngpgsig ")
	_, message, _ := strings.Cut(after, "\n\n")
	return before + "\n\n" + message
}

func armoredAs(kind, content string) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(content)}))
}

// Every line that OpenSSH understands means to us what it means to git, and the time that counts is the commit's.
func TestAllowedSignersAgreeWithGit(t *testing.T) {
	t.Parallel()
	s := newSigning(t)
	key := s.keygen("-t", "ed25519")
	commit := s.sign(key, "Signed") // on 2026-01-01, between 09:00 and 09:01 UTC
	raw := s.raw(commit)
	decoy := s.line("decoy", "", s.keygen("-t", "ecdsa"))
	for _, tt := range []struct {
		principal, options string
		want               error
		name               string // of the signer, when not the principal
	}{
		{"ada@example.com", "", nil, ""},
		{"ada@example.com,ada@home.example", "", nil, "ada@example.com"},
		{`"Ada Lovelace"`, "", nil, "Ada Lovelace"},
		{"*@example.com", "", nil, "*@example.com"},
		{"ada", "\t", nil, ""},
		{"ada", `namespaces="git"`, nil, ""},
		{"ada", `NameSpaces="file,git"`, nil, ""},
		{"ada", `namespaces="g?t"`, nil, ""},
		{"ada", `namespaces="*"`, nil, ""},
		{"ada", `namespaces="file"`, gitsync.ErrUntrusted, ""},
		{"ada", `namespaces="*,!git"`, gitsync.ErrUntrusted, ""},
		{"ada", `namespaces="gi"`, gitsync.ErrUntrusted, ""},
		{"ada", `valid-after="20260101Z"`, nil, ""},
		{"ada", `valid-after="202601010900Z",valid-before="20260101090100Z"`, nil, ""},
		{"ada", `valid-before="20260101090100Z",namespaces="git",valid-after="20251231Z"`, nil, ""},
		{"ada", `valid-after="20260102Z"`, gitsync.ErrBadSignature, ""},
		{"ada", `valid-before="20260101Z"`, gitsync.ErrBadSignature, ""},
		{"ada", `valid-before="20260101090000Z"`, gitsync.ErrBadSignature, ""},
	} {
		lines := "# who may\n\n" + decoy + s.line(tt.principal, tt.options, key)
		got, err := gitsync.Verify([]byte(raw), keyring(t, []byte(lines)))
		if !errors.Is(err, tt.want) {
			t.Errorf("%s %s: %v, want %v", tt.principal, tt.options, err, tt.want)
		}
		name := tt.name
		if name == "" {
			name = tt.principal
		}
		if err == nil && got.Principal != name {
			t.Errorf("%s %s: the signer is %q, want %q", tt.principal, tt.options, got.Principal, name)
		}
		if git := s.gitTrusts(commit, lines); git != (err == nil) {
			t.Errorf("%s %s: git trusts it: %t, and we: %v", tt.principal, tt.options, git, err)
		}
	}
}

// The bounds of a key's time belong to it, whatever the clock says.
func TestKeysAreJudgedAtTheTimeOfTheCommit(t *testing.T) {
	key := sshKeyOf(t, 1)
	raw := []byte(sshSigned(t, key, text("Signed")))
	for options, want := range map[string]error{
		`valid-after="20260101090000"`:                                nil, // without Z it is UTC, too
		`valid-before="20260101090000Z"`:                              nil,
		`valid-after="20260101090001Z"`:                               gitsync.ErrBadSignature,
		`valid-before="20260101085959Z"`:                              gitsync.ErrBadSignature,
		`valid-after="20250101Z",valid-before="20260101T"`:            errors.New("no keyring"),
		`valid-after="20260101090000Z",valid-before="20260101090000"`: errors.New("no keyring"),
	} {
		k, err := gitsync.ParseKeyring([]byte(allowed("ada", options, key.PublicKey())))
		if err == nil {
			_, err = gitsync.Verify(raw, k)
		}
		if (err == nil) != (want == nil) || errors.Is(want, gitsync.ErrBadSignature) && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", options, err, want)
		}
	}
	// Of two lines of one key the one counts that trusts it.
	lines := allowed("old", `valid-before="20250101Z"`, key.PublicKey()) + allowed("files", `namespaces="file"`, key.PublicKey()) +
		allowed("new", "", key.PublicKey())
	if got, err := gitsync.Verify(raw, keyring(t, []byte(lines))); err != nil || got.Principal != "new" {
		t.Errorf("signed by %+v, %v, want new", got, err)
	}
}

// A security key signs when it is touched, and not otherwise.
func TestSecurityKeys(t *testing.T) {
	commit := text("Signed")
	for flags, want := range map[byte]error{1: nil, 5: nil, 0: gitsync.ErrBadSignature} {
		key := newSecurityKey(t, flags).signer()
		keys := keyring(t, []byte(allowed("ada", "", key.PublicKey())))
		if _, err := gitsync.Verify([]byte(sshSigned(t, key, commit)), keys); !errors.Is(err, want) {
			t.Errorf("flags %d: %v, want %v", flags, err, want)
		}
	}
}

// A certificate proves nothing to us: its authority cannot be trusted.
func TestCertificatesAreUntrusted(t *testing.T) {
	authority, key := sshKeyOf(t, 1), sshKeyOf(t, 2)
	cert := &ssh.Certificate{Key: key.PublicKey(), CertType: ssh.UserCert, ValidBefore: ssh.CertTimeInfinity, ValidPrincipals: []string{"ada"}}
	must(t, cert.SignCert(rand.Reader, authority))
	certified, err := ssh.NewCertSigner(cert, key)
	must(t, err)
	keys := keyring(t, []byte(allowed("ada", "", key.PublicKey())), []byte(allowed("ca", "", authority.PublicKey())))
	if _, err := gitsync.Verify([]byte(sshSigned(t, certified, text("Signed"))), keys); !errors.Is(err, gitsync.ErrUntrusted) {
		t.Errorf("by a certificate: %v, want ErrUntrusted", err)
	}
}

// Commits that are not as Git writes them are not judged by their signatures.
func TestOddHeaders(t *testing.T) {
	key := sshKeyOf(t, 1)
	keys := keyring(t, []byte(allowed("ada", "", key.PublicKey())))
	commit := text("Signed")
	for name, odd := range map[string]string{
		"no tree":          strings.Replace(commit, "tree ", "tre ", 1),
		"a short tree":     strings.Replace(commit, "tree 4b", "tree ", 1),
		"a short parent":   strings.Replace(commit, "parent ab", "parent ", 1),
		"no author":        strings.Replace(commit, "author ", "writer ", 1),
		"no committer":     strings.Replace(commit, "committer ", "keeper ", 1),
		"no date":          strings.Replace(commit, fmt.Sprint(committedAt.Unix()), "", 1),
		"no zone":          strings.Replace(commit, " +0000\n", "\n", 1),
		"before 1970":      strings.Replace(commit, fmt.Sprint(committedAt.Unix()), "-1", 1),
		"beyond all dates": strings.Replace(commit, fmt.Sprint(committedAt.Unix()), strings.Repeat("9", 30), 1),
	} {
		if _, err := gitsync.Verify([]byte(sshSigned(t, key, odd)), keys); !errors.Is(err, gitsync.ErrBadSignature) {
			t.Errorf("%s: %v, want ErrBadSignature", name, err)
		}
	}
	far := strings.Replace(commit, fmt.Sprint(committedAt.Unix()), fmt.Sprint(uint64(1)<<63-1), 1)
	if _, err := gitsync.Verify([]byte(sshSigned(t, key, far)), keys); err != nil {
		t.Errorf("in the last second of all: %v", err)
	}
}
