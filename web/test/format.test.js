import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, count, exact, instant, local, names, place, plural, short, since } from "../assets/format.js";

const now = Date.parse("2026-11-22T12:00:00Z");
const before = (seconds) => new Date(now - seconds * 1000).toISOString();

test("times are told as people do", () => {
  const known = [
    [0, "just now"],
    [1.9, "just now"],
    [12, "12 s ago"],
    [59, "59 s ago"],
    [60, "1 min ago"],
    [3599, "59 min ago"],
    [3600, "1 h ago"],
    [47 * 3600, "47 h ago"],
    [48 * 3600, "2 d ago"],
    [59 * 86400, "59 d ago"],
    [70 * 86400, "2 months ago"],
    [800 * 86400, "2 years ago"],
    [-30, "in 30 s"],
    [-7200, "in 2 h"],
    [-14399, "in 4 h"],
  ];
  for (const [seconds, text] of known) assert.equal(ago(before(seconds), now), text);
  assert.equal(ago("not a time", now), "at an unknown time");
});

test("what lasts is told by how long", () => {
  assert.equal(since(before(0.5), now), "a moment");
  assert.equal(since(before(150), now), "2 min");
  assert.equal(since("not a time", now), "a moment");
});

test("exact times name their zone", () => {
  assert.match(exact("2026-11-22T12:00:05Z"), /^2026-11-2[123] \d\d:\d\d:05 (UTC|[+-]\d\d:\d\d)$/);
  assert.equal(exact("soon"), "soon");
});

test("times of forms come back as they were", () => {
  assert.equal(local(instant("2026-11-22T14:30")), "2026-11-22T14:30");
  assert.equal(instant(""), "");
  assert.equal(instant("nonsense"), "");
  assert.equal(local(undefined), "");
});

test("numbers and names", () => {
  assert.equal(count(1234567), "1,234,567");
  assert.equal(plural(1, "value"), "1 value");
  assert.equal(plural(0, "value"), "0 values");
  assert.equal(names(["a", "b"]), "a, b");
  assert.equal(names(["a", "b", "c", "d", "e"]), "a, b, c, d, e");
  assert.equal(names(["a", "b", "c", "d", "e", "f"]), "a, b, c, d and 2 more");
  assert.equal(short("4be2f1c0aa"), "4be2f1c");
  assert.equal(short(undefined), "");
  assert.equal(place({ file: "a.yaml", line: 3, column: 1 }), "a.yaml:3:1");
  assert.equal(place({ file: "a.yaml", line: 0 }), "a.yaml");
  assert.equal(place(undefined), "");
});
