// Values: JSON, paths, patterns, patches, differences, durations, digests.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { diff } from "../../src/diff.js";
import { parseDuration } from "../../src/duration.js";
import { equal, freeze, isRedacted, measure, nameOf, parse, stringify } from "../../src/json.js";
import { applyPatch } from "../../src/patch.js";
import { format, lookup, parsePath, segments } from "../../src/path.js";
import { parsePattern, parsePatterns, select } from "../../src/pattern.js";
import { sha256 } from "../../src/sha256.js";
import { gives, random, throws } from "../helper/check.js";

test("integers that a number cannot hold are BigInt", () => {
  gives(
    (text) => parse(text),
    [
      ["9007199254740991", 9007199254740991],
      ["9007199254740992", 9007199254740992n],
      ["-9007199254740993", -9007199254740993n],
      ["9223372036854775807", 9223372036854775807n],
      ["-9223372036854775808", -9223372036854775808n],
      ['{"a":[1,9007199254740993,"9007199254740993"],"b":"\\"9007199254740993"}', { a: [1, 9007199254740993n, "9007199254740993"], b: '"9007199254740993' }],
      ["[9007199254740993.0,9e30,0.12345678901234567890,1234567890123456789]", [9007199254740992, 9e30, 0.12345678901234568, 1234567890123456789n]],
      ['{"9007199254740993":9007199254740993}', { "9007199254740993": 9007199254740993n }],
      ['"\\\\",9007199254740993'.replace(/^(.*)$/, "[$1]"), ["\\", 9007199254740993n]],
    ],
  );
  throws((text) => parse(text), [
    ["9223372036854775808", "beyond 64 bits"],
    ["-9223372036854775809", "beyond 64 bits"],
    ["9".repeat(100_000), "beyond 64 bits"],
    ['{"a":', "JSON"],
    ["[9007199254740993", "JSON"],
  ]);
});

test("a text is measured before it is read", () => {
  const size = (text) => [measure(text).nodes, measure(text).depth];
  gives(size, [
    ["1", [1, 0]],
    ["{}", [2, 1]],
    ['{"a":1,"b":[1,2,3]}', [6, 2]],
    ['{"a":"[{,\\",[{\\\\"}', [2, 1]],
    ["[[[]]]", [4, 3]],
    ['"open [', [1, 0]],
    ['"\\', [1, 0]],
  ]);
});

test("what is written is read as it was", () => {
  const text = '{"a":{"b":[1,-9223372036854775808,1.5,null,true],"":"\\u0000é","__proto__":{"x":1}},"c":"9007199254740993"}';
  assert.equal(stringify(parse(text)), text);
});

test("redacted values are told from maps that look like them", () => {
  gives(isRedacted, [
    [{ $redacted: true, fp: "ab" }, true],
    [{ $redacted: true }, false],
    [{ $redacted: true, fp: 1 }, false],
    [{ $redacted: 1, fp: "ab" }, false],
    [{ $redacted: true, fp: "ab", more: 1 }, false],
    [null, false],
    ["$redacted", false],
  ]);
  gives(nameOf, [
    [{ $redacted: true, fp: "ab" }, "a redacted value"],
    [{}, "a map"],
    [[], "a list"],
    [null, "null"],
    [1, "a number"],
    [true, "a boolean"],
  ]);
});

test("values are compared by what they hold", () => {
  const values = ["1", "2", "9007199254740993", '"1"', "null", "true", "[]", "[1]", "[[1]]", "{}", '{"a":1}', '{"a":[1]}', '{"b":1}', '{"a":1,"b":1}', '{"__proto__":1}'];
  for (const a of values) for (const b of values) assert.equal(equal(parse(a), parse(b)), a === b, `${a} and ${b}`);
});

test("paths are written as everywhere", () => {
  gives(parsePath, [
    ["", []],
    ["a", ["a"]],
    ["database.primary.pool", ["database", "primary", "pool"]],
    ["A-1_z.0", ["A-1_z", "0"]],
    ["servers[0][10].name", ["servers", "0", "10", "name"]],
    ["[0]", ["0"]],
    ['hosts["a.b"]', ["hosts", "a.b"]],
    ['["a.b"].c["d"]', ["a.b", "c", "d"]],
    ['[""]', [""]],
    ['["\\"]\\\\\\u00e9é"]', ['"]\\éé']],
    ["/", [""]],
    ["//", ["", ""]],
    ["/a~1b/c~0d/~01", ["a/b", "c~d", "~1"]],
    ["/*/**", ["*", "**"]],
    ["a".repeat(4096), ["a".repeat(4096)]],
  ]);
  throws(parsePath, [
    [".", "at character 1: a segment is empty"],
    ["a.", "at character 3: a segment is empty"],
    ["a..b", "at character 3: a segment is empty"],
    ["a.[0]", "at character 3: a segment is empty"],
    ["a b", "at character 2: a dot or a bracket"],
    ["a.é", "at character 3: a key with other characters"],
    ["a.*", "at character 3: a key with other characters"],
    ["a*", "at character 2"],
    ["a[0]b", "at character 5: a dot or a bracket"],
    ["a[", "at character 2: a bracket holds"],
    ["a[]", "at character 2: a bracket holds"],
    ["a[b]", "at character 2: a bracket holds"],
    ["a[-1]", "at character 2: a bracket holds"],
    ["a[01]", "at character 2: a bracket holds"],
    ['a["b', "at character 2"],
    ['a["b"', "at character 2"],
    ['a["\\q"]', "at character 2: a quoted key is not a JSON string"],
    ['a["\\ud800"]', "at character 2: a quoted key is not a JSON string"],
    ["/a/b~", "not a JSON Pointer"],
    ["/a~2", "not a JSON Pointer"],
    ["é".repeat(2049), "longer than 4096 bytes"],
    [7, "a path is a string"],
  ]);
});

test("any path that is written is read again", (t) => {
  const r = random(t);
  for (let i = 0; i < 2000; i++) {
    const keys = Array.from({ length: r.below(5) }, () => Array.from({ length: r.below(4) }, () => r.pick([..."a0_.~/*[]\"\\é\u2028 𝄞"])).join(""));
    assert.deepEqual(segments(format(keys), false).map((s) => s.key), keys);
  }
});

test("nothing is found that the server did not send", () => {
  const root = parse('{"a":{"b":[10,{"c":null}]},"0":"zero","__proto__":{"x":1},"secret":{"$redacted":true,"fp":"ab"}}');
  gives(
    (path) => lookup(root, parsePath(path)),
    [
      ["a.b[0]", 10],
      ["a.b.0", 10],
      ["a.b[1].c", null],
      ["[0]", "zero"],
      ["__proto__.x", 1],
      ["secret", { $redacted: true, fp: "ab" }],
      ["secret.fp", undefined],
      ["a.b[2]", undefined],
      ["a.b.length", undefined],
      ["a.b.00", undefined],
      ["toString", undefined],
      ["a.constructor", undefined],
      ["a.__proto__", undefined],
      ["a.b[0].x", undefined],
    ],
  );
});

test("patterns select", () => {
  const root = freeze(parse('{"a":{"b":{"c":1,"d":2},"list":[1,2],"empty":{}},"x":{"b":3},"secret":{"$redacted":true,"fp":"ab"},"__proto__":{"b":1}}'));
  gives(
    (patterns) => stringify(select(root, parsePatterns(patterns))),
    [
      [[], stringify(root)],
      ["**", stringify(root)],
      [["a.b.c"], '{"a":{"b":{"c":1}}}'],
      [["*.b"], '{"a":{"b":{"c":1,"d":2}},"x":{"b":3},"__proto__":{"b":1}}'],
      [["**.d", "x"], '{"a":{"b":{"d":2}},"x":{"b":3}}'],
      [["a.**"], '{"a":{"b":{"c":1,"d":2},"list":[1,2],"empty":{}}}'],
      [["a.list[0]"], "{}"],
      [["a.list"], '{"a":{"list":[1,2]}}'],
      [["secret.fp"], "{}"],
      [["secret.**"], '{"secret":{"$redacted":true,"fp":"ab"}}'],
      [['["*"]'], "{}"],
      [["a.**.c.**", "nothing"], '{"a":{"b":{"c":1}}}'],
      [["/a/b/c"], '{"a":{"b":{"c":1}}}'],
    ],
  );
  assert.equal(select(root, parsePatterns(["a.b"])).a.b, root.a.b, "what is selected as a whole is not copied");
  throws(parsePattern, [
    ["", "an empty pattern"],
    ["a*", "* stands for a whole segment"],
    ["a.*b", "* stands for a whole segment"],
    ["a.***", "* stands for a whole segment"],
    ["**.a.**.b.**", "** may occur at most 2 times"],
    ["a..b", "at character 3: a segment is empty"],
    ["a[*]", "at character 2: a bracket holds"],
    ['["\\u0007"]', "a control character"],
    ["a".repeat(4097), "longer than"],
  ]);
});

test("patches change maps and nothing else", () => {
  const root = freeze(parse('{"a":{"b":1,"~/":{"":2}},"list":[1],"secret":{"$redacted":true,"fp":"ab"}}'));
  const before = stringify(root);
  const apply = (patch) => stringify(applyPatch(root, parse(patch)));
  gives(apply, [
    ["[]", before],
    ['[{"op":"replace","path":"/a/b","value":3}]', '{"a":{"b":3,"~/":{"":2}},"list":[1],"secret":{"$redacted":true,"fp":"ab"}}'],
    ['[{"op":"remove","path":"/a"},{"op":"remove","path":"/secret"}]', '{"list":[1]}'],
    ['[{"op":"add","path":"/a/b","value":[9007199254740993]}]', '{"a":{"b":[9007199254740993],"~/":{"":2}},"list":[1],"secret":{"$redacted":true,"fp":"ab"}}'],
    ['[{"op":"replace","path":"/a/~0~1/","value":3}]', '{"a":{"b":1,"~/":{"":3}},"list":[1],"secret":{"$redacted":true,"fp":"ab"}}'],
    ['[{"op":"add","path":"/n","value":{}},{"op":"add","path":"/n/__proto__","value":{"x":1}},{"op":"add","path":"/n/__proto__/y","value":2}]', `${before.slice(0, -1)},"n":{"__proto__":{"x":1,"y":2}}}`],
    ['[{"op":"replace","path":"","value":{"all":"new"}}]', '{"all":"new"}'],
  ]);
  assert.equal(stringify(root), before);
  assert.equal({}.x, undefined);
  throws((patch) => applyPatch(root, parse(patch)), [
    ["{}", "no list"],
    ["[1]", "unknown operation"],
    ["[null]", "unknown operation"],
    ['[{"op":"move","from":"/a","path":"/b"}]', "unknown operation"],
    ['[{"op":"remove"}]', "unknown operation"],
    ['[{"op":"add","path":"/b"}]', "add without a value"],
    ['[{"op":"remove","path":""}]', "removes everything"],
    ['[{"op":"remove","path":"/b"}]', "not there"],
    ['[{"op":"replace","path":"/b","value":1}]', "not there"],
    ['[{"op":"add","path":"/b/c","value":1}]', "not there"],
    ['[{"op":"add","path":"/list/0","value":1}]', "not there"],
    ['[{"op":"add","path":"/secret/fp","value":1}]', "not there"],
    ['[{"op":"add","path":"/toString/x","value":1}]', "not there"],
    ['[{"op":"add","path":"a","value":1}]', "JSON Pointer"],
    [`[{"op":"add","path":"${"/a".repeat(65)}","value":1}]`, "deeper than"],
  ]);
});

test("what a patch does not touch is shared, and all of it immutable", () => {
  const root = freeze(parse('{"a":{"b":{"c":1}},"x":{"y":1}}'));
  const next = applyPatch(root, parse('[{"op":"add","path":"/a/n","value":{"m":[{}]}},{"op":"add","path":"/a/n/o","value":1}]'));
  assert.equal(next.x, root.x);
  assert.equal(next.a.b, root.a.b);
  for (const v of [next, next.a, next.a.n, next.a.n.m, next.a.n.m[0]]) assert.ok(Object.isFrozen(v));
});

test("many operations on a wide map take no longer than they must", { timeout: 20_000 }, () => {
  const operations = Array.from({ length: 50_000 }, (_, i) => ({ op: "add", path: `/wide/k${i}`, value: i }));
  assert.equal(Object.keys(applyPatch(freeze({ wide: {} }), operations).wide).length, 50_000);
});

test("differences are told in the order of paths, and once for what came or went as a whole", () => {
  const before = parse('{"a":{"b":1,"c":[1,2],"gone":{"x":1}},"same":{"$redacted":true,"fp":"1"},"secret":{"$redacted":true,"fp":"1"},"odd.key":1}');
  const after = parse('{"a":{"b":2,"c":[1,2],"came":{"y":1}},"same":{"$redacted":true,"fp":"1"},"secret":{"$redacted":true,"fp":"2"},"odd.key":null}');
  assert.deepEqual(
    diff(before, after).map(({ path, old, new: now }) => [path, old, now]),
    [
      ["a.b", 1, 2],
      ["a.came", undefined, { y: 1 }],
      ["a.gone", { x: 1 }, undefined],
      ['["odd.key"]', 1, null],
      ["secret", { $redacted: true, fp: "1" }, { $redacted: true, fp: "2" }],
    ],
  );
  assert.deepEqual(diff(before, before), []);
});

test("differences lead from one value to the other", (t) => {
  const r = random(t);
  const draw = (depth) => {
    if (depth === 0 || r.below(3) === 0) return r.pick([0, 1, "x", null, [1], [1, { a: 1 }], 2n ** 60n]);
    return Object.fromEntries(["a", "b.c", "__x", "~/"].filter(() => r.below(2)).map((key) => [key, draw(depth - 1)]));
  };
  const map = () => ({ [r.pick(["a", "b.c"])]: draw(3), z: draw(2) });
  for (let i = 0; i < 1000; i++) {
    const [before, after] = [freeze(map()), freeze(map())];
    const operations = diff(before, after).map(({ path, old, new: now }) => {
      const pointer = parsePath(path).map((key) => `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
      return now === undefined ? { op: "remove", path: pointer } : { op: old === undefined ? "add" : "replace", path: pointer, value: now };
    });
    assert.ok(equal(applyPatch(before, operations), after));
  }
});

test("durations are those of Go and whole days", () => {
  gives(parseDuration, [
    ["90s", 90_000],
    ["1h30m", 5_400_000],
    ["1.5h", 5_400_000],
    ["-1.5h", -5_400_000],
    ["+5s", 5_000],
    [".5s", 500],
    ["2.3s", 2300],
    ["1.s", 1000],
    ["250ms", 250],
    ["1us", 0.001],
    ["1µs", 0.001],
    ["1ns", 0.000001],
    ["0", 0],
    ["0d", 0],
    ["7d", 604_800_000],
    ["-1d", -86_400_000],
    ["106751d", 106751 * 86_400_000],
    ...["", "d", "7", "1.5d", "1d12h", "106752d", "-106752d", "99999999999999999999d", " 1d", "x", ".s", "1h ", "s", "1e3s", "2562048h", `${"1".repeat(300)}s`].map((text) => [text, undefined]),
  ]);
});

test("digests are those of SHA-256", () => {
  for (const n of [0, 1, 27, 28, 31, 32, 55, 56, 63, 64, 65, 1000, 100_000]) {
    const text = "é".repeat(n);
    assert.equal(sha256(text), createHash("sha256").update(text).digest("hex"), `${n}`);
  }
});
