package server

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/apply/validator"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/webhook"
)

// Settings are all there is to set. The tags name the flags; the environment variable of each is its name in capitals after
// TRUNKLINE_. Secrets are no flags: they come from the environment or from files.
type Settings struct {
	Repo   string `help:"Git remote to follow: an https or ssh URL, git@host:path, or a directory." placeholder:"URL" env:"TRUNKLINE_REPO" group:"Repository"`
	Branch string `help:"Branch to follow." default:"main" env:"TRUNKLINE_BRANCH" group:"Repository"`
	Path   string `help:"Folder of the repository that holds the config repo." placeholder:"DIR" env:"TRUNKLINE_PATH" group:"Repository"`
	Origin string `help:"Commit at which the chain of judged commits begins; the head at the first start by default." placeholder:"COMMIT" env:"TRUNKLINE_ORIGIN" group:"Repository"`

	Rewrites string `help:"What to do when the branch's history is rewritten: go on with it (\"follow\") or keep what is live until an operator accepts it (\"refuse\")." default:"follow" enum:"follow,refuse" env:"TRUNKLINE_REWRITES" group:"Repository"`

	SignersFile    string `help:"Keys that may sign commits: lines of an allowed_signers file, armored PGP public keys, or both." placeholder:"FILE" env:"TRUNKLINE_SIGNERS_FILE" group:"Repository"`
	ValidatorsFile string `help:"Checks of your own: programs and services that are asked before a commit goes live." placeholder:"FILE" env:"TRUNKLINE_VALIDATORS_FILE" group:"Repository"`

	Poll           time.Duration `help:"Time between looks at the remote, at least 1s." default:"30s" env:"TRUNKLINE_POLL" group:"Repository"`
	GitTokenFile   string        `help:"File with a token for an https remote (or set TRUNKLINE_GIT_TOKEN)." placeholder:"FILE" env:"TRUNKLINE_GIT_TOKEN_FILE" group:"Repository"`
	SSHKeyFile     string        `name:"ssh-key-file" help:"Private key for an ssh remote; the agent is asked without it." placeholder:"FILE" env:"TRUNKLINE_SSH_KEY_FILE" group:"Repository"`
	KnownHostsFile string        `help:"Host keys to trust for an ssh remote; ~/.ssh/known_hosts by default." placeholder:"FILE" env:"TRUNKLINE_KNOWN_HOSTS_FILE" group:"Repository"`

	Listen            string   `help:"Address to serve on." default:"127.0.0.1:7420" env:"TRUNKLINE_LISTEN" group:"Server"`
	TLSCertFile       string   `name:"tls-cert-file" help:"Certificate chain to serve by; read again when it changes." placeholder:"FILE" env:"TRUNKLINE_TLS_CERT_FILE" group:"Server"`
	TLSKeyFile        string   `name:"tls-key-file" help:"Key of the certificate." placeholder:"FILE" env:"TRUNKLINE_TLS_KEY_FILE" group:"Server"`
	OpsListen         string   `help:"Address that serves health and metrics alone." placeholder:"ADDR" env:"TRUNKLINE_OPS_LISTEN" group:"Server"`
	Data              string   `help:"Directory for the mirror and the log." default:"trunkline-data" placeholder:"DIR" env:"TRUNKLINE_DATA" group:"Server"`
	DigestKeyFile     string   `help:"File with the key of the fingerprints of values, 32 bytes or more: servers that share it give the same ones; digest.key under --data by default." placeholder:"FILE" env:"TRUNKLINE_DIGEST_KEY_FILE" group:"Server"`
	Adopt             bool     `help:"Go on with a --data directory that followed another remote or folder." env:"TRUNKLINE_ADOPT" group:"Server"`
	Audit             string   `help:"What a change does when the log cannot take its record: go live after 2s (\"wait\") or not at all (\"required\")." default:"wait" enum:"wait,required" env:"TRUNKLINE_AUDIT" group:"Server"`
	Webhooks          bool     `help:"Take webhooks at /webhook/github; needs a secret." env:"TRUNKLINE_WEBHOOKS" group:"Server"`
	WebhookSecretFile string   `help:"File with the webhook's secret (or set TRUNKLINE_WEBHOOK_SECRET); turns --webhooks on." placeholder:"FILE" env:"TRUNKLINE_WEBHOOK_SECRET_FILE" group:"Server"`
	TokensFile        string   `help:"File of the tokens' digests; tokens.json under --data by default." placeholder:"FILE" env:"TRUNKLINE_TOKENS_FILE" group:"Server"`
	JWTFile           string   `name:"jwt-file" help:"Issuers of JSON Web Tokens, and what their claims grant." placeholder:"FILE" env:"TRUNKLINE_JWT_FILE" group:"Server"`
	CORSOrigins       []string `name:"cors-origins" help:"Origins of web pages that may call with a credential, as https://app.example.com." placeholder:"ORIGIN" env:"TRUNKLINE_CORS_ORIGINS" group:"Server"`
	CredentialsOnly   bool     `help:"Let nobody in without a credential, programs of this machine included." env:"TRUNKLINE_CREDENTIALS_ONLY" group:"Server"`
	Insecure          bool     `help:"Let callers without a credential read from other addresses than loopback." env:"TRUNKLINE_INSECURE" group:"Server"`
	NoPage            bool     `help:"Serve no page for people at /." env:"TRUNKLINE_NO_PAGE" group:"Server"`
	LogLevel          string   `help:"Least level of the program's own log: debug, info, warn or error." default:"info" enum:"debug,info,warn,error" env:"TRUNKLINE_LOG_LEVEL" group:"Server"`

	// GitToken and WebhookSecret are read from the environment by [Settings.Secrets].
	GitToken      string `kong:"-"`
	WebhookSecret string `kong:"-"`
}

// Secrets reads the secrets that stand in the environment.
func (s *Settings) Secrets(getenv func(string) string) {
	s.GitToken = getenv("TRUNKLINE_GIT_TOKEN")
	s.WebhookSecret = getenv("TRUNKLINE_WEBHOOK_SECRET")
}

// Validate refuses settings that cannot work, and says what to set.
func (s *Settings) Validate() error {
	if s.Repo == "" {
		return errors.New("no repository to follow: name one with --repo or TRUNKLINE_REPO")
	}
	if s.GitToken != "" && s.GitTokenFile != "" {
		return errors.New("both TRUNKLINE_GIT_TOKEN and --git-token-file are set: keep one")
	}
	if s.WebhookSecret != "" && s.WebhookSecretFile != "" {
		return errors.New("both TRUNKLINE_WEBHOOK_SECRET and --webhook-secret-file are set: keep one")
	}
	s.Webhooks = s.Webhooks || s.WebhookSecret != "" || s.WebhookSecretFile != ""
	if strings.Contains(s.Path, "..") || strings.HasPrefix(s.Path, "/") {
		return fmt.Errorf("--path %s leads out of the repository; name a folder in it, as deploy/config", s.Path)
	}
	s.Path = filepath.ToSlash(filepath.Clean("/" + s.Path))[1:]
	if (s.TLSCertFile == "") != (s.TLSKeyFile == "") {
		return errors.New("--tls-cert-file and --tls-key-file belong together: name both")
	}
	if s.CredentialsOnly && s.Insecure {
		return errors.New("--credentials-only and --insecure exclude each other: keep one")
	}
	for _, origin := range s.CORSOrigins {
		if err := access.CheckOrigin(origin); err != nil {
			return fmt.Errorf("--cors-origins: %w", err)
		}
	}
	return nil
}

// recorded are the settings as they are kept in the log. A secret shows only that it is set.
func (s *Settings) recorded(by judging, key value.Key) map[string]string {
	set := func(text string) string {
		if text == "" {
			return "unset"
		}
		return "set"
	}
	recorded := map[string]string{
		"repo": s.Repo, "branch": s.Branch, "path": s.Path, "origin": s.Origin, "rewrites": s.Rewrites, "poll": s.Poll.String(), "gitTokenFile": s.GitTokenFile,
		"sshKeyFile": s.SSHKeyFile, "knownHostsFile": s.KnownHostsFile, "listen": s.Listen, "opsListen": s.OpsListen, "data": s.Data,
		"audit": s.Audit, "webhooks": fmt.Sprint(s.Webhooks), "webhookSecretFile": s.WebhookSecretFile, "insecure": fmt.Sprint(s.Insecure), "credentialsOnly": fmt.Sprint(s.CredentialsOnly), "noPage": fmt.Sprint(s.NoPage),
		"tlsCertFile": s.TLSCertFile, "tlsKeyFile": s.TLSKeyFile, "adopt": fmt.Sprint(s.Adopt), "logLevel": s.LogLevel, "digestKeyFile": s.DigestKeyFile, "digestKey": keyName(key), "tokensFile": s.TokensFile, "jwtFile": s.JWTFile, "jwt": content(s.JWTFile), "corsOrigins": strings.Join(s.CORSOrigins, " "),
		"signersFile": s.SignersFile, "validatorsFile": s.ValidatorsFile, "gitToken": set(s.GitToken), "webhookSecret": set(s.WebhookSecret),
	}
	maps.Copy(recorded, by.recorded())
	return recorded
}

// content names what a file holds by a digest: who may do what depends on that, and not on where it is kept.
func content(file string) string {
	if file == "" {
		return "none"
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "unreadable"
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(data))
}

// belongs refuses a data directory that followed something else: what is live there would be served under the wrong name.
func (s *Settings) belongs(last map[string]string) error {
	if last == nil || s.Adopt {
		return nil
	}
	same := last["repo"] == s.Repo
	if before := webhook.Normalise(last["repo"]); before != "" {
		same = same || before == webhook.Normalise(s.Repo)
	}
	what, was := "--repo", last["repo"]
	if same {
		what, was = "--path", last["path"]
		same = was == s.Path
	}
	if same {
		return nil
	}
	return fmt.Errorf("the data directory %s belongs to a server with %s %q: name another with --data, remove it to begin anew, or go on with it by --adopt", s.Data, what, was)
}

// following are the options of the follower.
func (s *Settings) following() (gitsync.Options, error) {
	o := gitsync.Options{
		URL: s.Repo, Branch: s.Branch, Dir: filepath.Join(s.Data, "mirror"), SSHKeyFile: s.SSHKeyFile,
		KnownHostsFile: s.KnownHostsFile, Poll: s.Poll,
	}
	if s.Origin != "" {
		var err error
		if o.Origin, err = gitsync.ParseHash(s.Origin); err != nil {
			return o, fmt.Errorf("--origin: %w", err)
		}
	}
	if s.GitToken != "" || s.GitTokenFile != "" {
		o.Token = func() (string, error) {
			token, err := secret(s.GitToken, s.GitTokenFile)
			return string(token), err
		}
	}
	return o, nil
}

// judging is what commits are judged by beside the config repo.
type judging struct {
	signers    []byte
	keys       *gitsync.Keyring    // that may sign; nil for none
	validators []compile.Validator // of the operator
}

func (s *Settings) judging() (j judging, err error) {
	if s.SignersFile != "" {
		if j.signers, err = os.ReadFile(s.SignersFile); err != nil {
			return j, fmt.Errorf("--signers-file: %w", err)
		}
		if j.keys, err = gitsync.ParseKeyring(j.signers); err != nil {
			return j, fmt.Errorf("--signers-file %s: %w", s.SignersFile, err)
		}
	}
	if s.ValidatorsFile != "" {
		if j.validators, err = validator.Read(s.ValidatorsFile); err != nil {
			return j, fmt.Errorf("--validators-file: %w", err)
		}
	}
	return j, nil
}

// recorded names the keys by a digest: verdicts depend on what they are, and not on where they are kept.
func (j judging) recorded() map[string]string {
	recorded := map[string]string{"signers": "none"}
	if j.keys != nil {
		recorded["signers"] = fmt.Sprintf("sha256:%x", sha256.Sum256(j.signers))
	}
	for name, what := range validator.Describe(j.validators) {
		recorded["validator."+name] = what
	}
	return recorded
}

// secret is a secret as it is now: a file is read at each use, so that a rotated one is taken up.
func secret(text, file string) ([]byte, error) {
	if file == "" {
		return []byte(text), nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return bytes.TrimSpace(data), nil
}
