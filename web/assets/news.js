// What became different between two answers of /v1/status.
import { short } from "./format.js";

/** Sentences of what is new, an environment at a time. */
export function news(before, after) {
  if (!before || !after) return [];
  const told = after.refused && !before.refused ? ["The branch was rewritten, and is not followed"] : [];
  for (const [name, env] of Object.entries(after.environments)) {
    const was = before.environments[name];
    if (!was) {
      told.push(`${name} is a new environment`);
      continue;
    }
    told.push(...changes(name, was, env));
  }
  for (const name of Object.keys(before.environments)) {
    if (!after.environments[name]) told.push(`${name} is gone`);
  }
  return told;
}

function changes(name, was, env) {
  const told = [];
  if (env.live && env.live.commit !== was.live?.commit) told.push(`${name} is live with ${named(env.live)}`);
  if (env.blocked && env.blocked.commit !== was.blocked?.commit) told.push(`${name} rejects ${named(env.blocked)}`);
  if (!env.blocked && was.blocked && env.live?.commit === was.live?.commit) told.push(`${name} is no longer blocked`);
  if (env.pending && env.pending.commit !== was.pending?.commit) told.push(`${name} waits for a verdict on ${named(env.pending)}`);
  if (env.pin && env.pin.commit !== was.pin?.commit) told.push(`${name} is pinned at ${short(env.pin.commit)}`);
  if (!env.pin && was.pin) told.push(`${name} is no longer pinned`);
  const stopped = (stops) => new Set((stops ?? []).map((s) => `${s.kind} ${s.key}`));
  const [now, then] = [stopped(env.stops), stopped(was.stops)];
  for (const what of now) if (!then.has(what)) told.push(`The ${what} is stopped in ${name}`);
  for (const what of then) if (!now.has(what)) told.push(`The ${what} is no longer stopped in ${name}`);
  return told;
}

function named({ commit, subject }) {
  return short(commit) + (subject ? `: ${subject}` : "");
}

/** A text that is the same for two answers between which nothing worth showing anew has happened. */
export function fingerprint(status) {
  const { look, ...rest } = status;
  return JSON.stringify([rest, look?.error, look?.head, Math.min(look?.failures ?? 0, 2)]);
}
