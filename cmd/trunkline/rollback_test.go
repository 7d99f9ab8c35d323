package main

import (
	"slices"
	"testing"
)

func TestWithoutCredentials(t *testing.T) {
	for text, want := range map[string]string{
		"fatal: unable to access 'https://ada:hunter2@example.com/r.git/': no": "fatal: unable to access 'https://example.com/r.git/': no",
		"To ssh://git@example.com:22/r":                                        "To ssh://example.com:22/r",
		"https://ghp_token@x/ http://a:b@y/":                                   "https://x/ http://y/",
		"git@example.com:r is no URL with a password":                          "git@example.com:r is no URL with a password",
	} {
		if got := withoutCredentials(text); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// What a remote says cannot move the cursor of who reads it.
func TestRemoteWords(t *testing.T) {
	said := "remote: \nremote: \x1b[31mCreate a pull request\x1b[0m by visiting:        \nTo example.com\nremote:   https://example.com/pull/new\u0085\n"
	want := []string{"[31mCreate a pull request[0m by visiting:", "https://example.com/pull/new"}
	if got := remoteWords(said); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// Files go before others come, so that a folder can come where a file was.
func TestIndexInfo(t *testing.T) {
	diff := ":000000 100644 0000000000000000000000000000000000000000 1111111111111111111111111111111111111111 A\x00a/b\x00" +
		":100755 000000 2222222222222222222222222222222222222222 0000000000000000000000000000000000000000 D\x00a\x00"
	files, err := entries(diff, "deploy")
	want := "0 0000000000000000000000000000000000000000\tdeploy/a\x00100644 1111111111111111111111111111111111111111\tdeploy/a/b\x00"
	if got := indexInfo(files); err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := entries("what is this\x00x\x00", ""); err == nil {
		t.Error("taken")
	}
}
