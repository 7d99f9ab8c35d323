package validator_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trunkline/trunkline/apply/validator"
)

func TestRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "validators.yaml")
	err := os.WriteFile(file, []byte(`
allowHosts: [checks.example.com, "::1"]
validators:
  - name: capacity
    command: [/usr/local/bin/check-capacity, --strict]
    environment: {REGION: eu}
    timeout: 30s
    environments: [prod]
    reveal: false
  - name: quota
    url: https://CHECKS.example.com.:8443/v1/config
    tokenFile: /etc/trunkline/quota.token
    timeout: 100ms
  - {name: local, url: "http://[0:0::1]:8080", reveal: true}
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	validators, err := validator.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, v := range validators {
		names = append(names, v.Name())
	}
	if diff := cmp.Diff([]string{"capacity", "quota", "local"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestReadNothing(t *testing.T) {
	for _, file := range []string{"", "# none yet\n", "validators: []\n", "allowHosts: []\n"} {
		if validators := parsed(t, file); len(validators) > 0 {
			t.Errorf("%q: %v", file, validators)
		}
	}
	if _, err := validator.Read("/nonexistent/v.yaml"); err == nil || err.Error() != "validators: open /nonexistent/v.yaml: no such file or directory" {
		t.Errorf("got %v", err)
	}
}

const nameHint = "; write name: and a word of letters, digits and -, beginning with a small letter, at most 63"

// TestMistakes holds the words for each mistake, of whole files and of single validators.
func TestMistakes(t *testing.T) {
	for _, test := range []struct{ file, want string }{
		{"validators: [\n", "v.yaml:2:1: did not find expected node content; "},
		{"a", "v.yaml:1:1: the document is a scalar; "},
		{"validators: []\nvalidators: []", "v.yaml:2:1: "},
		{"validator: []", `v.yaml:1:1: there is no setting "validator"; did you mean validators?`},
		{"allow: []", `v.yaml:1:1: there is no setting "allow"; known here are allowHosts, validators`},
		{"validators: {}", "v.yaml:1:1: validators is a map; write each under it with a dash, as - name: capacity"},
		{"validators: [capacity]", "v.yaml:1:14: a validator is a string; write its name and its command or url"},
		{"validators: [" + strings.Repeat("{},", 17) + "]", "v.yaml:1:1: there are 17 validators, more than 16; join some of them"},
		{"allowHosts: a", "v.yaml:1:13: allowHosts is a string and not a list; write allowHosts: [checks.example.com]"},
		{"allowHosts: ['*.example.com']", `v.yaml:1:1: "*.example.com" is no host; write names or addresses alone, as checks.example.com: no scheme, port or pattern`},
		{"allowHosts: ['https://a.b']", `v.yaml:1:1: "https://a.b" is no host; write names or addresses alone`},
		{"allowHosts: ['a.b:443']", `v.yaml:1:1: "a.b:443" is no host; write names or addresses alone`},
		{"allowHosts: [1]", "v.yaml:1:14: in allowHosts stands an integer and not a string; quote it"},
		{"x: " + strings.Repeat("y", 1<<16), "v.yaml:1:1: the file "},
	} {
		mistaken(t, test.file, test.want)
	}
}

func TestMistakesOfValidators(t *testing.T) {
	const command, hosts = "name: a, command: [/bin/true]", "allowHosts: [a.b, 10.0.0.1]\nvalidators: [{name: a, "
	for _, test := range []struct{ entry, want string }{
		{"command: [/bin/true]", "v.yaml:1:14: a validator has no name" + nameHint},
		{"name: Capacity, command: [/bin/true]", `v.yaml:1:21: "Capacity" cannot name a validator` + nameHint},
		{"name: [a], command: [/bin/true]", `v.yaml:1:15: a list cannot name a validator` + nameHint},
		{command + "},{" + command, "v.yaml:1:53: two validators have the name a; give each its own"},
		{"name: a", "v.yaml:1:14: a validator must have one way to be asked; write either command or url"},
		{command + ", url: 'https://a.b'", "v.yaml:1:14: a validator must have one way to be asked; write either command or url"},
		{
			"name: a, comand: [/bin/true]", "v.yaml:1:14: a validator must have one way to be asked; write either command or url\n" +
				`v.yaml:1:24: there is no setting "comand"; did you mean command?`,
		},
		{command + ", enviroment: {}", `v.yaml:1:46: there is no setting "enviroment"; did you mean environment?`},
		{command + ", tokenFile: /t", `v.yaml:1:57: there is no setting "tokenFile"; known here are command, environment, name, environments, timeout, reveal`},
		{"name: a, command: /bin/true", "v.yaml:1:33: command is a string and not a list; write command: [/usr/local/bin/check, --strict]"},
		{"name: a, command: []", "v.yaml:1:24: command does not begin with an absolute path; begin it with the path of a program, as command: [/usr/local/bin/check, --strict]"},
		{"name: a, command: [check]", "v.yaml:1:24: command does not begin with an absolute path; begin it with"},
		{"name: a, command: [/check, 1.10]", "v.yaml:1:42: in command stands a number and not a string; quote it"},
		{command + ", environment: [A=1]", "v.yaml:1:46: environment is a list; write environment: {REGION: eu}"},
		{command + ", environment: {PORT: 80}", "v.yaml:1:66: the variable PORT is an integer and not a string; quote it"},
		{command + ", environment: {A=B: x}", `v.yaml:1:65: "A=B" cannot name a variable; use letters, digits and _`},
		{command + ", environments: prod", "v.yaml:1:60: environments is a string and not a list; write environments: [prod]"},
		{command + ", environments: []", "v.yaml:1:46: environments names none; remove the line to have it asked about all"},
		{command + ", environments: ['p*']", `v.yaml:1:46: "p*" is no name of an environment; write names as the manifest does`},
		{command + ", timeout: 5", "v.yaml:1:55: timeout is 5; write 100ms to 30s, as timeout: 5s"},
		{command + ", timeout: 1m", `v.yaml:1:55: timeout is "1m"; write 100ms to 30s, as timeout: 5s`},
		{command + ", timeout: 0s", `v.yaml:1:55: timeout is "0s"; write 100ms to 30s, as timeout: 5s`},
		{command + ", reveal: yes", `v.yaml:1:54: reveal is "yes"; write reveal: true, or remove the line`},
	} {
		mistaken(t, "validators: [{"+test.entry+"}]", test.want)
	}
	for _, test := range []struct{ entry, want string }{
		{"url: [a]", "v.yaml:2:24: url is no address of http or https; write one as https://checks.example.com/v1/config"},
		{"url: a.b/v1", "v.yaml:2:29: url is no address of http or https; "},
		{"url: 'ftp://a.b/hunter2'", "v.yaml:2:29: url is no address of http or https; "},
		{"url: 'https:///v1'", "v.yaml:2:29: url is no address of http or https; "},
		{"url: \"https://a.b/%zz\"", "v.yaml:2:29: url is no address of http or https; "},
		{"url: 'https://x:hunter2@a.b'", "v.yaml:2:29: url holds a credential; put the token into a file and name it with tokenFile"},
		{"url: 'https://b.a/'", "v.yaml:2:29: the host b.a is not allowed; write allowHosts: [b.a] at the top"},
		{"url: 'https://x.a.b/'", "v.yaml:2:29: the host x.a.b is not allowed; write allowHosts: [x.a.b] at the top"},
		{"url: 'http://a.b/'", "v.yaml:2:29: the configuration would travel readable to a.b; write https, or insecure: true"},
		{"url: 'http://10.0.0.1/'", "v.yaml:2:29: the configuration would travel readable to 10.0.0.1; write https, or insecure: true"},
		{"url: 'https://a.b/', tokenFile: hunter2", `v.yaml:2:56: tokenFile is no absolute path; write its absolute path, as tokenFile: /etc/trunkline/quota.token`},
		{"url: 'https://a.b/', insecure: 1", `v.yaml:2:55: insecure is 1; write insecure: true, or remove the line`},
		{"url: 'https://a.b/', environment: {}", `v.yaml:2:45: there is no setting "environment"; did you mean environments?`},
	} {
		mistaken(t, hosts+test.entry+"}]", test.want)
	}
}

// TestAllMistakesAtOnce has them in the order of the file.
func TestAllMistakesAtOnce(t *testing.T) {
	mistaken(t, `
validators:
  - name: b
    url: https://a.b/
    timeout: 1h
  - command: [x]
allowHost: a
`, `v.yaml:4:10: the host a.b is not allowed; write allowHosts: [a.b] at the top
v.yaml:5:14: timeout is "1h"; write 100ms to 30s, as timeout: 5s
v.yaml:6:5: a validator has no name`+nameHint+`
v.yaml:6:5: command does not begin with an absolute path; begin it with the path of a program, as command: [/usr/local/bin/check, --strict]
v.yaml:7:12: there is no setting "allowHost"; did you mean allowHosts?`)
}

// mistaken expects an error that begins so, and never shows what may be secret.
func mistaken(t *testing.T, file, want string) {
	t.Helper()
	validators, err := validator.Parse("v.yaml", []byte(file))
	if err == nil || validators != nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%.80s\ngot  %v\nwant %s", file, err, want)
	}
}

// FuzzParse holds that no file ends the process.
func FuzzParse(f *testing.F) {
	f.Add("allowHosts: [a.b]\nvalidators: [{name: a, url: 'https://a.b/', environments: [prod], timeout: 1s}]")
	f.Add("validators: [{name: a, command: [/bin/true], environment: {A: b}, reveal: true}]")
	f.Fuzz(func(t *testing.T, file string) {
		if validators, err := validator.Parse("v.yaml", []byte(file)); err == nil {
			validator.Describe(validators)
		}
	})
}
