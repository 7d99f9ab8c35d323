import assert from "node:assert/strict";
import { test } from "node:test";
import { join, patternOf, split, steps, tree, widened, withoutItems } from "../assets/paths.js";

const key = (k) => ({ key: k, index: false });
const item = (i) => ({ key: String(i), index: true });

test("paths are taken apart and put together again", () => {
  const known = {
    "": [],
    checkout: [key("checkout")],
    "database.primary.pool": [key("database"), key("primary"), key("pool")],
    "servers[0].host": [key("servers"), item(0), key("host")],
    'hosts["a.b"].x': [key("hosts"), key("a.b"), key("x")],
    '["a\\"]b"]': [key('a"]b')],
    'x["ä"]': [key("x"), key("ä")],
  };
  for (const [path, segments] of Object.entries(known)) {
    assert.deepEqual(split(path), segments, path);
    assert.equal(join(segments), path);
  }
});

test("what is no path is not taken apart", () => {
  for (const text of ["a..b", ".a", "a b", "a[", "a[x]", 'a["b', "**", "a.", 'a["\\x"]']) assert.equal(split(text), null, text);
});

test("each step leads to its own value", () => {
  assert.deepEqual(steps('a.b[1]["c d"]'), [
    { label: "a", path: "a" },
    { label: "b", path: "a.b" },
    { label: "[1]", path: "a.b[1]" },
    { label: "c d", path: 'a.b[1]["c d"]' },
  ]);
  assert.deepEqual(steps("not a path"), [{ label: "not a path", path: "not a path" }]);
});

test("what is searched for becomes a pattern", () => {
  assert.equal(patternOf(""), "**");
  assert.equal(patternOf("  checkout "), "checkout.**");
  assert.equal(patternOf("checkout."), "checkout.**");
  assert.equal(patternOf("*.timeout"), "*.timeout");
  assert.equal(widened("timeout"), "**.timeout.**");
  assert.equal(widened("**.timeout"), null);
  assert.equal(widened(""), null);
});

test("items of a list that is shown are not shown again", () => {
  const matches = [
    { path: "a", value: [1, [2]] },
    { path: "a[0]", value: 1 },
    { path: "a[1]", value: [2] },
    { path: "a[1][0]", value: 2 },
    { path: "ab", value: 3 },
    { path: "b[0]", value: 4 },
  ];
  assert.deepEqual(
    withoutItems(matches).map((m) => m.path),
    ["a", "ab", "b[0]"],
  );
});

test("a tree has each match at its place", () => {
  const root = tree([
    { path: "a.b", value: 1 },
    { path: "a.c.d", value: 2 },
    { path: "e", value: 3 },
  ]);
  assert.deepEqual([...root.members.keys()], ["a", "e"]);
  const a = root.members.get("a");
  assert.equal(a.match, undefined);
  assert.equal(a.members.get("c").members.get("d").match.value, 2);
  assert.equal(a.members.get("c").path, "a.c");
});
