import assert from "node:assert/strict";
import { test } from "node:test";
import { Exact, line, parse, pretty, redacted } from "../assets/json.js";

test("numbers keep the text they were written with", () => {
  for (const text of ["9007199254740993", "-9223372036854775808", "1.0", "1e400", "-0"]) {
    const v = parse(text);
    assert.ok(v instanceof Exact, text);
    assert.equal(line(v), text);
    assert.equal(pretty([v]), `[\n  ${text}\n]`);
  }
});

test("what looks like a number in a text is that text", () => {
  for (const v of ["1.0", 'a"1.0"', "\\1.0", '\\\\"1.0', "\u2028 1.0"]) {
    assert.deepEqual(parse(JSON.stringify({ [v]: v, n: 1 })), { [v]: v, n: 1 });
    assert.equal(parse(`[${JSON.stringify(v)}, 1.0]`)[0], v);
  }
});

test("what is not JSON is refused", () => {
  for (const text of ["", "01.0", "[1.0", "1.0.0", "-"]) assert.throws(() => parse(text), SyntaxError, text);
});

test("other values are as JSON has them", () => {
  assert.deepEqual(parse('{"a": [1, 2.5, null, true, "x"]}'), { a: [1, 2.5, null, true, "x"] });
});

test("a line is JSON as people write it", () => {
  assert.equal(line({ max: 10, names: ["a", 'b"c'] }), '{"max": 10, "names": ["a", "b\\"c"]}');
  assert.equal(line([]), "[]");
  assert.equal(line("multi\nline"), '"multi\\nline"');
});

test("a line ends at its limit, whatever the value's size", () => {
  const long = line(
    Array.from({ length: 100000 }, (_, i) => i),
    50,
  );
  assert.equal(long.length, 51);
  assert.ok(long.endsWith("…"));
  assert.equal(line("x".repeat(1000), 10), '"xxxxxxxxx…');
});

test("what is redacted says so and nothing more", () => {
  const v = { $redacted: true, fp: "6fbc1a52d3c0e811" };
  assert.ok(redacted(v));
  assert.equal(line({ dsn: v }), '{"dsn": redacted}');
  assert.equal(pretty(v), "redacted (fingerprint 6fbc1a52d3c0e811)");
  for (const other of [null, {}, "redacted", { $redacted: "true" }]) assert.ok(!redacted(other));
});

test("pretty is what JSON.stringify writes", () => {
  for (const v of [{}, [], { a: { b: [1, { c: null }] }, d: "e" }, "text", 3, null]) {
    assert.equal(pretty(v), JSON.stringify(v, null, 2));
  }
});
