import assert from "node:assert/strict";
import { test } from "node:test";
import { href, params, parse } from "../assets/route.js";

test("an address is read as it was written", () => {
  for (const [parts, query] of [
    [[], {}],
    [["versions"], { env: "prod", author: "Ada & Bo", path: "a.**" }],
    [["versions", "4be2"], {}],
    [["value"], { path: 'hosts["a.b"]?#', at: "v1.0+x" }],
    [["a/b", "ä"], { kind: ["pin", "unpin"] }],
  ]) {
    assert.deepEqual(parse(href(parts, query)), { parts, query });
  }
});

test("what is empty is left out", () => {
  assert.equal(href(["values"], { env: "", at: undefined, text: null, who: false }), "#/values");
  assert.equal(params({ limit: 0, after: "" }), "limit=0");
  assert.deepEqual(parse("#/values?env=&text=x"), { parts: ["values"], query: { text: "x" } });
});

test("any text can be read", () => {
  assert.deepEqual(parse(""), { parts: [], query: {} });
  assert.deepEqual(parse("#main"), { parts: ["main"], query: {} });
  assert.deepEqual(parse("#/%E0%A4%A?x"), { parts: ["%E0%A4%A"], query: {} });
  assert.deepEqual(parse("#/a?__proto__=x").parts, ["a"]);
  assert.equal({}.x, undefined);
});
