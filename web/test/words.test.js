import assert from "node:assert/strict";
import { test } from "node:test";
import { asked, deed, details } from "../assets/deeds.js";
import { fingerprint, news } from "../assets/news.js";
import { cause, effects, fates, fateText, lineage, people, sessions, stateOf } from "../assets/words.js";

const told = (parts) => parts.map((p) => (typeof p === "string" ? p : `<${p.commit ?? p.time}>`)).join("");

test("an environment's marks are what one should know first", () => {
  const live = { commit: "a" };
  const text = (status) => stateOf({ live }, status).map((m) => m.text);
  assert.deepEqual(text({ look: {} }), ["Up to date"]);
  assert.deepEqual(text({ look: { error: "x" } }), ["Perhaps out of date"]);
  assert.deepEqual(text({ look: {}, refused: {} }), ["Branch not followed"]);
  assert.deepEqual(text({}), ["Live"]); // who has not the right history is not told how following goes
  assert.deepEqual(
    stateOf({ live: null }).map((m) => m.text),
    ["Nothing live"],
  );
  assert.deepEqual(
    stateOf({ live, blocked: {}, pin: {}, pending: {} }).map((m) => m.text),
    ["Blocked", "Waiting for a verdict", "Pinned"],
  );
});

test("what is stopped is marked, and told when it begins and ends", () => {
  const stops = [{ kind: "rollout", key: "quick" }];
  assert.deepEqual(stateOf({ live: { commit: "a" }, stops }, { look: {} })[0].text, "1 stopped");
  const status = (env) => ({ environments: { prod: env } });
  assert.deepEqual(news(status({}), status({ stops })), ["The rollout quick is stopped in prod"]);
  assert.deepEqual(news(status({ stops }), status({})), ["The rollout quick is no longer stopped in prod"]);
  assert.deepEqual(news(status({ stops }), status({ stops })), []);
  assert.equal(cause(undefined), "");
  const event = { by: "token:ada", environment: "prod", reason: "slow", details: { kind: "rollout", key: "quick", content: "c" } };
  assert.deepEqual(deed({ kind: "stop", event }).what, ["Stopped the rollout quick"]);
  assert.deepEqual(deed({ kind: "resume", event }).what, ["Ended the stop of the rollout quick"]);
  assert.deepEqual(details({ kind: "stop", event }), []);
});

test("effects that are the same in several environments are told once", () => {
  const grown = { kind: "rollout", key: "quick", rule: "eu", text: "adds 2,000 slots", place: { file: "rollouts/quick.yaml", line: 3 } };
  assert.deepEqual(effects({ staging: { effects: [grown] }, prod: { effects: [grown] }, eu: {} }), [
    { text: "rollout quick (eu): adds 2,000 slots", place: grown.place, environments: ["prod", "staging"] },
  ]);
});

test("environments with the same fate are told together", () => {
  const groups = fates({
    staging: { verdict: "rejected" },
    prod: { verdict: "valid", state: "live" },
    eu: { verdict: "valid", state: "live" },
  });
  assert.deepEqual(groups.map(fateText), ["live in eu, prod", "rejected in staging"]);
});

test("lineage is a sentence", () => {
  assert.equal(told(lineage({ kind: "rollback", version: "a" })), "Restores exactly <a>");
  assert.equal(told(lineage(undefined, "a")), "Restores exactly <a>");
  assert.equal(told(lineage({ kind: "revert", first: "a", last: "a" })), "Takes back <a>");
  assert.equal(told(lineage({ kind: "revert", first: "a", last: "c" })), "Takes back <a> to <c>");
  assert.equal(told(lineage({ kind: "partialRevert", first: "a", last: "a", paths: ["x", "y"] })), "Takes back a part of <a> (2 values)");
  assert.equal(
    told(lineage({ kind: "claimedRevert", claim: { commits: ["abc1234"] } })),
    "Says that it reverts <abc1234>, but its content does not",
  );
  assert.equal(
    told(lineage({ kind: "claimedRevert", claim: { reapply: true, subject: "X" } })),
    "Says that it reapplies “X”, but its content does not",
  );
  assert.equal(lineage(undefined, undefined), null);
  assert.equal(lineage({ kind: "of a later server" }), null);
});

test("who is verified is told apart from who is claimed", () => {
  assert.deepEqual(people({ signer: { principal: "ada@example.com" }, coAuthors: [{ name: "Bo" }], merged: [{ name: "Cy" }] }), [
    "with Bo",
    "merging work of Cy",
    "signed by ada@example.com",
  ]);
  assert.deepEqual(people({}), []);
});

test("connected clients are told as a number and by version", () => {
  assert.deepEqual(sessions({ prod: {} }), []);
  const a = { commit: "a", sessions: 2, pending: 0, rejected: 1 };
  assert.deepEqual(sessions({ staging: {}, prod: { sessions: { total: 3, byVersion: [a] } } }), [{ env: "prod", ...a }]);
});

const status = (environments, look = {}) => ({ server: {}, look, environments });
const live = { commit: "4be2f1c0aa", subject: "Begin" };

test("news are what is different between two answers", () => {
  const before = status({ prod: { live }, old: { live } });
  const after = status({
    prod: {
      live: { commit: "77ad012345", subject: "Wait longer" },
      blocked: { commit: "beef000000", subject: "Bad" },
      pin: { commit: "77ad012345" },
    },
    fresh: { live },
  });
  assert.deepEqual(news(before, after), [
    "prod is live with 77ad012: Wait longer",
    "prod rejects beef000: Bad",
    "prod is pinned at 77ad012",
    "fresh is a new environment",
    "old is gone",
  ]);
  assert.deepEqual(news(after, status({ prod: { live: after.environments.prod.live }, fresh: { live } })), [
    "prod is no longer blocked",
    "prod is no longer pinned",
  ]);
  assert.deepEqual(news(before, { ...before, refused: {} }), ["The branch was rewritten, and is not followed"]);
  assert.deepEqual(news(null, after), []);
  assert.deepEqual(news(after, after), []);
});

test("a look that found nothing new changes nothing", () => {
  const before = status({ prod: { live } }, { last: "1", lastGood: "1", failures: 0 });
  assert.equal(fingerprint(before), fingerprint(status({ prod: { live } }, { last: "2", lastGood: "2", failures: 0 })));
  assert.notEqual(fingerprint(before), fingerprint(status({ prod: { live } }, { last: "2", failures: 1, error: "x" })));
});

test("every kind of record is a sentence", () => {
  const event = {
    by: "token ci",
    environment: "prod",
    commit: "a",
    reason: "r",
    details: { name: "web", path: "db.dsn", count: "2", network: "192.0.2.0/24", from: "b", expires: "later" },
  };
  const known = {
    pin: "Pinned at <a> in place of <b>, until <later>",
    unpin: "Took the pin off <a>",
    credential: "Token “web” r",
    reveal: "Read db.dsn 2 times",
    refusal: "Refused 2 times, from 192.0.2.0/24",
    later: "later <a>",
  };
  for (const [kind, text] of Object.entries(known)) assert.equal(told(deed({ kind, event }).what), text);
  assert.equal(told(deed({ kind: "acceptance", acceptance: { commit: "a", by: "x", reason: "y" } }).what), "Accepted <a>");
  assert.equal(told(deed({ kind: "settings", settings: { a: "1" } }).what), "Started with 1 setting");
  assert.equal(told(deed({ kind: "rewrite", rewrite: { old: "a", new: "b", lostTotal: 2 } }).what), "Rewritten from <a> to <b>");
  assert.equal(
    told(deed({ kind: "commit", verdict: "rejected", commit: "a", subject: "s", author: { name: "Ada" } }).what),
    "Rejected <a>: s",
  );
  assert.equal(told(deed({ kind: "checkpoint" }).what), "Trimmed the log");
  assert.deepEqual(details({ kind: "pin", event: { details: { expires: "later", other: "x" } } }), ["other: x"]);
  assert.deepEqual(details({ kind: "refusal", event }), ["name: web", "path: db.dsn", "from: b", "expires: later"]);
});

test("a filter asks for the kinds it stands for", () => {
  assert.deepEqual(asked("all"), []);
  assert.deepEqual(asked("commit"), ["commit"]);
  assert.ok(asked("").includes("pin"));
});
