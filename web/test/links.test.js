import assert from "node:assert/strict";
import { test } from "node:test";
import { commitLink, fileLink, forge, shown } from "../assets/links.js";

const commit = "4be2f1c0".repeat(5);

test("known forges are found in every form of an address", () => {
  const known = {
    "https://github.com/acme/config": "https://github.com/acme/config",
    "https://github.com/acme/config.git": "https://github.com/acme/config",
    "https://x-access-token:ghp_secret@github.com/acme/config.git": "https://github.com/acme/config",
    "git@github.com:acme/config.git": "https://github.com/acme/config",
    "ssh://git@github.com:22/acme/config.git": "https://github.com/acme/config",
    "https://github.acme.example:8443/team/config/": "https://github.acme.example:8443/team/config",
    "https://gitlab.com/acme/group/config.git": "https://gitlab.com/acme/group/config",
    "git@gitlab.acme.example:a/b/c.git": "https://gitlab.acme.example/a/b/c",
    "https://codeberg.org/acme/config": "https://codeberg.org/acme/config",
    "https://gitea.acme.example/acme/config": "https://gitea.acme.example/acme/config",
    "https://forgejo.acme.example/acme/config": "https://forgejo.acme.example/acme/config",
    "https://bitbucket.org/acme/config.git": "https://bitbucket.org/acme/config",
  };
  for (const [repo, base] of Object.entries(known)) assert.equal(forge(repo)?.base, base, repo);
});

test("nothing else is linked", () => {
  for (const repo of [
    undefined,
    "",
    "/srv/git/github.com/config.git",
    "file:///srv/github.com/a/b",
    "http://github.com/acme/config",
    "git://github.com/acme/config",
    "javascript:alert(1)//github.com/a/b",
    "https://evil.example/github.com/config",
    "https://notgithub.com/a/b",
    "https://github.com/only",
    "https://github.com/acme/con fig",
    "https://github.com/a/%2e%2e",
    "https://github.com/a/..",
    "C:\\repos\\config",
    "data:text/html,x",
  ]) {
    assert.equal(forge(repo), null, repo);
    assert.equal(commitLink(forge(repo), commit), null, repo);
  }
});

test("commits and files are where each forge has them", () => {
  const file = (repo) => fileLink(forge(repo), commit, "deploy", "config/a b.yaml", 3);
  assert.equal(commitLink(forge("https://github.com/a/b"), commit), `https://github.com/a/b/commit/${commit}`);
  assert.equal(commitLink(forge("https://gitlab.com/a/b"), commit), `https://gitlab.com/a/b/-/commit/${commit}`);
  assert.equal(commitLink(forge("https://bitbucket.org/a/b"), commit), `https://bitbucket.org/a/b/commits/${commit}`);
  assert.equal(file("https://github.com/a/b"), `https://github.com/a/b/blob/${commit}/deploy/config/a%20b.yaml#L3`);
  assert.equal(file("https://gitlab.com/a/b"), `https://gitlab.com/a/b/-/blob/${commit}/deploy/config/a%20b.yaml#L3`);
  assert.equal(file("https://codeberg.org/a/b"), `https://codeberg.org/a/b/src/commit/${commit}/deploy/config/a%20b.yaml#L3`);
  assert.equal(file("https://bitbucket.org/a/b"), `https://bitbucket.org/a/b/src/${commit}/deploy/config/a%20b.yaml#lines-3`);
  assert.equal(fileLink(forge("https://github.com/a/b"), commit, "", "x.yaml"), `https://github.com/a/b/blob/${commit}/x.yaml`);
});

test("what is no commit is not linked", () => {
  for (const name of ["", undefined, "main", commit + "?", "../..", "4be2f1c"])
    assert.equal(commitLink(forge("https://github.com/a/b"), name), null);
});

test("an address is shown without who may use it", () => {
  assert.equal(shown("https://user:secret@github.com/a/b?token=x#y"), "https://github.com/a/b");
  assert.equal(shown("ssh://git@github.com/a/b"), "ssh://github.com/a/b");
  assert.equal(shown("git@github.com:a/b"), "git@github.com:a/b");
  assert.equal(shown("/srv/git/config.git"), "/srv/git/config.git");
});
