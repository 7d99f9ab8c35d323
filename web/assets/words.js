// What the API's names mean, in words, and how they are marked. A mark is {icon, tone, text}: never colour alone.
import { names, plural, short } from "./format.js";

const causes = {
  commit: "by a push",
  rollback: "as a rollback",
  rewrite: "when the branch was rewritten",
  pin: "by a pin",
  unpin: "when a pin was taken off",
  start: "when the server started",
};

/** Why a version went live; "" where that is not told. */
export function cause(name) {
  return causes[name] ?? name ?? "";
}

/** The marks of an environment of /v1/status, the whole of which is given too: what one should know of it first. */
export function stateOf(env, { look, refused } = {}) {
  const marks = [];
  if (!env.live) marks.push({ icon: "none", tone: "bad", text: "Nothing live" });
  if (env.blocked) marks.push({ icon: "cross", tone: "bad", text: "Blocked" });
  if (env.pending) marks.push({ icon: "clock", tone: "warn", text: "Waiting for a verdict" });
  if (env.pin) marks.push({ icon: "pin", tone: "warn", text: "Pinned" });
  if (env.stops?.length) marks.push({ icon: "hand", tone: "warn", text: `${env.stops.length} stopped` });
  if (marks.length) return marks;
  if (refused) return [{ icon: "alert", tone: "warn", text: "Branch not followed" }];
  if (look?.error) return [{ icon: "alert", tone: "warn", text: "Perhaps out of date" }];
  return [{ icon: "check", tone: "good", text: look ? "Up to date" : "Live" }];
}

const verdicts = {
  "valid live": { icon: "check", tone: "good", text: "live" },
  "valid applied": { icon: "check", tone: "plain", text: "was live" },
  "valid superseded": { icon: "check", tone: "plain", text: "superseded" },
  "valid withheld": { icon: "pin", tone: "warn", text: "withheld by a pin" },
  valid: { icon: "check", tone: "plain", text: "valid" },
  rejected: { icon: "cross", tone: "bad", text: "rejected" },
  pending: { icon: "clock", tone: "warn", text: "pending" },
};

/** The mark of a verdict. */
export function verdict(name, state) {
  return verdicts[`${name} ${state}`] ?? verdicts[name] ?? { icon: "none", tone: "plain", text: name };
}

/** What became of a version, environments with the same fate together: [{mark, environments}]. */
export function fates(environments) {
  const groups = new Map();
  for (const [env, fate] of Object.entries(environments).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const mark = verdict(fate.verdict, fate.state);
    if (!groups.has(mark.text)) groups.set(mark.text, { mark, environments: [] });
    groups.get(mark.text).environments.push(env);
  }
  return [...groups.values()];
}

/** A group of fates as text: rejected in staging. */
export function fateText({ mark, environments }) {
  return `${mark.text} in ${names(environments)}`;
}

/** What a version does to those in a rollout or an experiment, the same in several environments once: [{text, place, environments}]. */
export function effects(environments) {
  const all = new Map();
  for (const [env, fate] of Object.entries(environments).sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const e of fate.effects ?? []) {
      const text = `${e.kind} ${e.key}${e.rule ? ` (${e.rule})` : ""}: ${e.text}`;
      if (!all.has(text)) all.set(text, { text, place: e.place, environments: [] });
      all.get(text).environments.push(env);
    }
  }
  return [...all.values()];
}

/** What a version takes back, as parts of a sentence: texts and {commit}. null when it takes nothing back. */
export function lineage(found, rollbackOf) {
  const kind = found?.kind ?? (rollbackOf ? "rollback" : null);
  const undone =
    found?.first && found.first !== found.last
      ? [{ commit: found.first }, " to ", { commit: found.last }]
      : [{ commit: found?.last ?? found?.first }];
  switch (kind) {
    case "rollback":
      return ["Restores exactly ", { commit: found?.version ?? rollbackOf }];
    case "revert":
      return ["Takes back ", ...undone];
    case "partialRevert":
      return ["Takes back a part of ", ...undone, found.paths?.length ? ` (${plural(found.paths.length, "value")})` : ""];
    case "claimedRevert":
      return [`Says that it ${found.claim?.reapply ? "reapplies" : "reverts"} `, ...claimed(found.claim), ", but its content does not"];
    default:
      return null;
  }
}

function claimed(claim) {
  if (claim?.commits?.length) return [{ commit: claim.commits[0] }];
  return [claim?.subject ? `“${claim.subject}”` : "something"];
}

const operations = { add: "added", remove: "removed", replace: "changed" };

/** What an operation of a diff did. */
export function operation(op) {
  return operations[op] ?? op;
}

const layers = { set: "sets it", merge: "merges into it", delete: "deletes it", replace: "replaces it" };

/** What a layer did to a value. */
export function layerOperation(op) {
  return layers[op] ?? op;
}

const bases = { log: "by the audit log", branch: "by the branch", live: "live" };

/** By what a version was found; "" where that goes without saying. */
export function basis(name) {
  return bases[name] ?? "";
}

/** Who made a commit, with what is verified and what is only claimed. */
export function people({ signer, coAuthors, merged }) {
  const parts = [];
  if (coAuthors?.length) parts.push(`with ${names(coAuthors.map((p) => p.name))}`);
  if (merged?.length) parts.push(`merging work of ${names(merged.map((p) => p.name))}`);
  if (signer) parts.push(`signed by ${signer.principal}`);
  return parts;
}

/** Connected clients by environment and by the version that they use. */
export function sessions(environments) {
  return Object.keys(environments)
    .sort()
    .flatMap((env) => (environments[env].sessions?.byVersion ?? []).map((v) => ({ env, ...v })))
    .filter((v) => v.sessions || v.pending || v.rejected);
}

/** The command that holds an environment at a version. */
export function pinCommand(env, commit) {
  return `trunkline pin ${env} ${short(commit)} --reason 'why'`;
}
