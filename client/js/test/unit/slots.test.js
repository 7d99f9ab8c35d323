// The function that docs/experiments.md gives to whoever computes slots in JavaScript.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path) => readFileSync(new URL(`../../../../${path}`, import.meta.url), "utf8");

/** The code below a line of the document that names its language, up to the next such line or the end of the block. */
function documented(language) {
  const lines = read("docs/experiments.md").split("\n");
  const from = lines.indexOf(`    // ${language}`) + 1;
  assert.ok(from > 0, `docs/experiments.md has no code of ${language}`);
  const length = lines.slice(from).findIndex((line) => !line.startsWith("    "));
  return lines.slice(from, from + length).join("\n");
}

test("the documented function gives every unit the slot that the server gives it", async () => {
  const slot = new Function(`${documented("JavaScript")}\nreturn slot;`)();
  const vectors = JSON.parse(read("testdata/vectors/slots.json"));
  assert.equal(vectors.length, 10_000);
  const got = await Promise.all(vectors.map(([salt, unit]) => slot(salt, unit)));
  assert.deepEqual(vectors.filter(([, , want], i) => got[i] !== want), []);
});
