package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// announceCmd sends the webhook that a forge would send. A plain Git remote has none: its post-receive hook calls this.
type announceCmd struct {
	Server     string `help:"URL of the server." default:"http://127.0.0.1:7420" env:"TRUNKLINE_SERVER"`
	SecretFile string `help:"File with the webhook's secret." required:""`
	Repo       string `help:"The remote, as the server follows it." required:""`
	Branch     string `help:"The branch that was pushed." default:"main"`
}

func (c announceCmd) Run(ctx context.Context) error {
	secret, err := os.ReadFile(c.SecretFile)
	if err != nil {
		return err
	}
	return announce(ctx, c.Server, c.Repo, c.Branch, []byte(strings.TrimSpace(string(secret))))
}

const announcePatience = 5 * time.Second

func announce(ctx context.Context, server, repo, branch string, secret []byte) error {
	ctx, cancel := context.WithTimeout(ctx, announcePatience)
	defer cancel()
	body, err := json.Marshal(map[string]any{"ref": "refs/heads/" + branch, "repository": map[string]string{"clone_url": repo}})
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server+"/webhook/github", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Event", "push")
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		return fmt.Errorf("announce: the server answers %s", res.Status)
	}
	return nil
}
