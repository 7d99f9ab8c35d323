// The package as users get it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The files of the package, packed and unpacked again as one that a program has installed. */
function installed(t) {
  const dir = mkdtempSync(join(tmpdir(), "trunkline-js-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const [{ filename }] = JSON.parse(execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--loglevel=silent", "--pack-destination", dir], { cwd: root, encoding: "utf8" }));
  const home = join(dir, "node_modules", "@trunkline", "client");
  mkdirSync(home, { recursive: true });
  execFileSync("tar", ["-xzf", join(dir, filename), "-C", home, "--strip-components=1"]);
  writeFileSync(join(dir, "package.json"), '{"type":"module"}');
  return { dir, home };
}

test("what is packed is complete, and nothing else", (t) => {
  const { dir, home } = installed(t);
  assert.deepEqual(readdirSync(home).sort(), ["LICENSE", "README.md", "package.json", "src", "types"]);
  const made = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  assert.equal(made.dependencies, undefined);
  for (const { types, default: code } of Object.values(made.exports)) assert.ok(existsSync(join(home, types)) && existsSync(join(home, code)));
  const program = `
    import * as client from "@trunkline/client";
    import { fileCache } from "@trunkline/client/node";
    import { fake } from "@trunkline/client/testing";
    console.log(JSON.stringify([Object.keys(client), typeof fileCache, fake({ n: 7 }).get("n", 0)]));`;
  const said = execFileSync(process.execPath, ["--input-type=module", "--eval", program], { cwd: dir, encoding: "utf8" });
  assert.deepEqual(JSON.parse(said), [["TrunklineError", "connect", "isRedacted", "localStorageCache", "open"], "function", 7]);
});

test("what browsers load needs nothing of Node", () => {
  const seen = new Set();
  const visit = (file) => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, from] of readFileSync(join(root, "src", file), "utf8").matchAll(/^(?:import|export) .*? from "(.*?)";$/gm)) {
      assert.match(from, /^\.\/\w+\.js$/, `${file} imports ${from}`);
      visit(from.slice(2));
    }
  };
  visit("index.js");
  visit("testing.js");
  assert.deepEqual([...seen, "node.js"].sort(), readdirSync(join(root, "src")).sort(), "every module is used");
});
