// Records of the audit log, in words.
import { plural } from "./format.js";

/** The kinds of records, in the order in which a filter offers them. */
export const kinds = [
  ["", "What operators did"],
  ["pin", "Pins put on"],
  ["unpin", "Pins taken off"],
  ["stop", "Rollouts and experiments stopped"],
  ["resume", "Stops ended"],
  ["acceptance", "Commits accepted"],
  ["credential", "Tokens made and revoked"],
  ["settings", "Settings"],
  ["rewrite", "Rewritten history"],
  ["reveal", "Reads of sensitive values"],
  ["refusal", "Refused requests"],
  ["commit", "Verdicts"],
  ["all", "Everything"],
];

const operators = ["pin", "unpin", "acceptance", "credential", "settings", "rewrite", "checkpoint", "stop", "resume"];

/** The kinds to ask for: several, one, or none for all. */
export function asked(kind) {
  return kind === "all" ? [] : kind ? [kind] : operators;
}

/** Who did a deed, where, to which commit, and what it was. Parts of what are texts, {commit} and {time}. */
export function deed(record) {
  const { event } = record;
  const common = { who: event?.by ?? "", environment: event?.environment ?? record.environment ?? "", reason: event?.reason ?? "" };
  switch (record.kind) {
    case "pin":
      return { ...common, what: ["Pinned at ", { commit: event.commit }, ...fled(event.details?.from), ...until(event.details?.expires)] };
    case "unpin":
      return { ...common, what: ["Took the pin off ", { commit: event.commit }] };
    case "stop":
      return { ...common, what: [`Stopped the ${event.details?.kind} ${event.details?.key}`] };
    case "resume":
      return { ...common, what: [`Ended the stop of the ${event.details?.kind} ${event.details?.key}`] };
    case "acceptance":
      return {
        ...common,
        who: record.acceptance.by,
        what: ["Accepted ", { commit: record.acceptance.commit }],
        reason: record.acceptance.reason,
      };
    case "credential":
      return { ...common, what: [`Token “${event.details?.name ?? "?"}” ${event.reason}`], reason: "" };
    case "settings":
      return { ...common, who: "the server", what: [`Started with ${plural(Object.keys(record.settings ?? {}).length, "setting")}`] };
    case "rewrite":
      return {
        ...common,
        who: "the branch",
        what: ["Rewritten from ", { commit: record.rewrite.old }, " to ", { commit: record.rewrite.new }],
        reason: lost(record.rewrite),
      };
    case "reveal":
      return { ...common, what: [`Read ${event.details?.path || "everything"}`, times(event.details?.count)] };
    case "refusal":
      return {
        ...common,
        who: event.by === "-" ? "unknown" : event.by,
        what: ["Refused", times(event.details?.count), event.details?.network ? `, from ${event.details.network}` : ""],
      };
    case "commit":
      return {
        ...common,
        who: record.author?.name ?? "",
        what: [verdictOf(record), { commit: record.commit }, record.subject ? `: ${record.subject}` : ""],
      };
    case "checkpoint":
      return { ...common, who: record.checkpoint?.by ?? "", what: ["Trimmed the log"], reason: record.checkpoint?.reason ?? "" };
    default:
      return { ...common, what: [record.kind, event?.commit ? " " : "", ...(event?.commit ? [{ commit: event.commit }] : [])] };
  }
}

function fled(from) {
  return from ? [" in place of ", { commit: from }] : [];
}

function until(expires) {
  return expires ? [", until ", { time: expires }] : [];
}

function verdictOf(record) {
  return { valid: "Valid ", rejected: "Rejected ", pending: "Pending " }[record.verdict] ?? "";
}

function times(text) {
  const n = Number(text);
  return n > 1 ? ` ${plural(n, "time")}` : "";
}

function lost(rewrite) {
  return rewrite.lostTotal ? `${plural(rewrite.lostTotal, "commit")} left the branch` : "";
}

/** An event's details but for those that its sentence tells. */
export function details(record) {
  const told =
    { pin: ["from", "expires"], stop: ["kind", "key", "content"], resume: ["kind", "key", "content"], credential: ["name"], reveal: ["path", "count"], refusal: ["network", "count"] }[record.kind] ?? [];
  return Object.entries(record.event?.details ?? {})
    .filter(([name]) => !told.includes(name))
    .map(([name, text]) => `${name}: ${text}`);
}
