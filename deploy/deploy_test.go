// Package deploy_test holds what lies here against the program: flags, variables, metrics and documents that it names must be there.
package deploy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/trunkline/trunkline/internal/gittest"
	"github.com/trunkline/trunkline/server"
)

func TestFlagsAndVariablesAreKnown(t *testing.T) {
	known := matches(help(t, "serve"), `--[a-z][a-z-]+`)
	for _, verb := range []string{"serve", "status"} {
		known = append(known, matches(help(t, verb), `\bTRUNKLINE_[A-Z_]+`)...)
	}
	files := map[string]string{
		"trunkline.service":           `--[a-z][a-z-]+|\bTRUNKLINE_[A-Z_]+`,
		"kubernetes/statefulset.yaml": `--[a-z][a-z-]+|\bTRUNKLINE_[A-Z_]+`,
		"Dockerfile":                  `\bTRUNKLINE_[A-Z_]+`,
	}
	for file, pattern := range files {
		used := matches(read(t, file), pattern)
		if len(used) == 0 {
			t.Errorf("%s: no flag or variable was found", file)
		}
		for _, name := range used {
			if !slices.Contains(known, name) {
				t.Errorf("%s: serve knows no %s", file, name)
			}
		}
	}
}

func TestAlertsAreOfExposedMetrics(t *testing.T) {
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For string
				Labels           struct{ Severity string }
				Annotations      struct {
					Summary, Description string
					Runbook              string `yaml:"runbook_url"`
				}
			}
		}
	}
	dec := yaml.NewDecoder(strings.NewReader(read(t, "prometheus/alerts.yaml")))
	dec.KnownFields(true)
	if err := dec.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	exposed, headings := exposed(t), anchors(read(t, "../docs/operate.md"))
	for _, rule := range rules.Groups[0].Rules {
		named := matches(rule.Expr, `\btrunkline_[a-z_]+`)
		if len(named) == 0 {
			t.Errorf("%s: %s names no metric", rule.Alert, rule.Expr)
		}
		for _, metric := range named {
			if !slices.Contains(exposed, metric) {
				t.Errorf("%s: the server exposes no %s", rule.Alert, metric)
			}
		}
		file, heading, _ := strings.Cut(rule.Annotations.Runbook, "#")
		if !strings.HasSuffix(file, "/docs/operate.md") || !slices.Contains(headings, heading) {
			t.Errorf("%s: there is no %s", rule.Alert, rule.Annotations.Runbook)
		}
		if rule.Labels.Severity == "" || rule.Annotations.Summary == "" || rule.Annotations.Description == "" {
			t.Errorf("%s: a severity, a summary or a description is missing", rule.Alert)
		}
	}
}

func TestAlertsFire(t *testing.T) {
	promtool := installed(t, "promtool", "prometheus")
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = "prometheus"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

func TestUnitIsGood(t *testing.T) {
	analyze := installed(t, "systemd-analyze", "systemd")
	unit := filepath.Join(t.TempDir(), "trunkline.service")
	text := strings.Replace(read(t, "trunkline.service"), "/usr/local/bin/trunkline", "/bin/true", 1) // which must be there
	if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("trunkline.service:")) { // a setting it does not know is a warning
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

func TestYAMLParses(t *testing.T) {
	var manifests []string
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(file) != ".yaml" {
			return err
		}
		if filepath.Dir(file) == "kubernetes" && d.Name() != "kustomization.yaml" {
			manifests = append(manifests, d.Name())
		}
		dec := yaml.NewDecoder(strings.NewReader(read(t, file)))
		for {
			var doc map[string]any
			if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var kustomization struct{ Resources []string }
	if err := yaml.Unmarshal([]byte(read(t, "kubernetes/kustomization.yaml")), &kustomization); err != nil {
		t.Fatal(err)
	}
	slices.Sort(kustomization.Resources)
	if !slices.Equal(kustomization.Resources, manifests) {
		t.Errorf("kustomization.yaml has %v, the directory %v", kustomization.Resources, manifests)
	}
}

// TestDocumentsNameWhatIsThere holds the commands of the documents, with their flags, against the program.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	documents, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	everything := ""
	for _, file := range append(documents, "../README.md", "README.md") {
		commands := matches(strings.ReplaceAll(read(t, file), "\\\n", " "), "(?m)(?:^|[\\s/`(])trunkline ([a-z][^`#|\\n]*)")
		if strings.HasSuffix(file, "operate.md") && len(commands) < 10 {
			t.Errorf("%s: %d commands were found", file, len(commands))
		}
		for _, verb := range matches(read(t, file), `(?m)^    trunkline ([a-z]+)`) {
			if !slices.Contains(verbs(t), verb) {
				t.Errorf("%s: there is no trunkline %s", file, verb)
			}
		}
		for _, command := range commands {
			verb, known := documented(t, command)
			if verb == "" {
				continue
			}
			everything += known
			for _, flag := range matches(command, `(?:^| )(--?[a-z][a-z-]*)`) {
				if !regexp.MustCompile(`(^|[ ,\[])` + flag + `\b`).MatchString(known) {
					t.Errorf("%s: trunkline %s knows no %s: %s", file, verb, flag, command)
				}
			}
		}
	}
	everything += help(t, "serve")
	for _, flag := range matches(read(t, "../docs/operate.md"), "`(--[a-z][a-z-]+)") {
		if !strings.Contains(everything, flag) {
			t.Errorf("operate.md: there is no %s", flag)
		}
	}
}

// documented are the verb of a command and its help; "" where the text is no command.
func documented(t *testing.T, command string) (verb, text string) {
	t.Helper()
	words := strings.Fields(command)
	if !slices.Contains(verbs(t), words[0]) {
		return "", ""
	}
	text = help(t, words[0])
	if !strings.Contains(text, "<command>") || len(words) == 1 {
		return words[0], text
	}
	for sub := range strings.SplitSeq(words[1], "|") { // new|list|revoke
		if !strings.Contains(text, words[0]+" "+sub+" ") {
			t.Errorf("there is no trunkline %s %s: %s", words[0], sub, command)
			return "", ""
		}
		words[1] = sub
	}
	return words[0] + " " + words[1], help(t, words[0], words[1])
}

func verbs(t *testing.T) []string { return matches(help(t), `(?m)^  ([a-z]+)`) }

// program is the command, built once for all tests.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "trunkline")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "trunkline")
	if out, err := exec.Command("go", "build", "-o", program, "../cmd/trunkline").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("go build: %v: %s", err, out))
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// helped are the texts of help that were asked for.
var helped = map[string]string{}

func help(t *testing.T, verb ...string) string {
	t.Helper()
	name := strings.Join(verb, " ")
	if text, ok := helped[name]; ok {
		return text
	}
	out, err := exec.Command(program, append(verb, "--help")...).Output()
	if err != nil {
		t.Fatalf("%s --help: %v", name, err)
	}
	helped[name] = string(out)
	return helped[name]
}

// exposed are the names of the metrics of a server that has something live.
func exposed(t *testing.T) []string {
	t.Helper()
	remote := gittest.NewRemote(t)
	remote.Write(map[string]string{"config/shop.yaml": "open: true\n"})
	remote.Commit("Begin")
	remote.Push()
	s, err := server.New(server.Settings{
		Repo: remote.URL(), Branch: "main", Poll: time.Minute, Listen: "127.0.0.1:0", OpsListen: "127.0.0.1:0", Data: t.TempDir(), Audit: "wait",
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended: %v", err)
		}
	}()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if code, _ := get(t, "http://"+s.OpsAddr()+"/readyz"); code == http.StatusOK {
			break
		} else if time.Now().After(deadline) {
			t.Fatal("the server does not become ready")
		}
	}
	_, metrics := get(t, "http://"+s.OpsAddr()+"/metrics")
	return matches(metrics, `(?m)^# TYPE (\S+)`)
}

func get(t *testing.T, url string) (code int, body string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

// matches are the texts that a pattern finds, or its group if it has one.
func matches(text, pattern string) []string {
	var found []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, m[len(m)-1])
	}
	return found
}

// anchors are what links into a Markdown document name its headings by.
func anchors(markdown string) []string {
	var anchors []string
	for _, heading := range matches(markdown, `(?m)^#+ (.+)$`) {
		anchors = append(anchors, strings.ReplaceAll(strings.ToLower(heading), " ", "-"))
	}
	return anchors
}

func installed(t *testing.T, program, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		path, err = filepath.Abs(filepath.Join("..", "bin", program)) // where setup.sh puts it
		if err == nil {
			_, err = os.Stat(path)
		}
	}
	if err != nil {
		t.Skipf("%s is not installed: it comes with Debian's package %s", program, debianPackage)
	}
	return path
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
