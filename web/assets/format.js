// Numbers, times and names as people read them.

/** The beginning of a commit's name. */
export function short(commit) {
  return (commit ?? "").slice(0, 7);
}

/** 1,234 */
export function count(n) {
  return Number(n).toLocaleString("en-US");
}

/** 1 value, 2 values */
export function plural(n, one, many = one + "s") {
  return `${count(n)} ${n === 1 ? one : many}`;
}

const units = [
  [60, 1, "s"],
  [3600, 60, "min"],
  [2 * 86400, 3600, "h"],
  [60 * 86400, 86400, "d"],
  [730 * 86400, 30.44 * 86400, "months"],
  [Infinity, 365.25 * 86400, "years"],
];

/** How long ago a time is, or how long it takes until then: just now, 12 s ago, in 3 h. */
export function ago(time, now = Date.now()) {
  const seconds = (now - Date.parse(time)) / 1000;
  if (Number.isNaN(seconds)) return "at an unknown time";
  if (Math.abs(seconds) < 2) return "just now";
  return seconds < 0 ? `in ${span(-seconds, Math.round)}` : `${span(seconds)} ago`;
}

/** How long something has lasted: 12 s. */
export function since(time, now = Date.now()) {
  const seconds = (now - Date.parse(time)) / 1000;
  return seconds >= 2 ? span(seconds) : "a moment";
}

function span(seconds, whole = Math.floor) {
  const [, size, name] = units.find(([below]) => seconds < below);
  return `${whole(seconds / size)} ${name}`;
}

/** A time to the second in the reader's zone: 2026-11-22 02:24:05 +01:00. */
export function exact(time) {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return String(time);
  const two = (n) => String(n).padStart(2, "0");
  const offset = -at.getTimezoneOffset();
  const zone = offset === 0 ? "UTC" : (offset < 0 ? "-" : "+") + two(Math.floor(Math.abs(offset) / 60)) + ":" + two(Math.abs(offset) % 60);
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
  return `${day} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":")} ${zone}`;
}

/** What a datetime-local field holds, as the API takes times; "" for nothing. */
export function instant(local) {
  const at = new Date(local);
  return local && !Number.isNaN(at.getTime()) ? at.toISOString() : "";
}

/** The other way round. */
export function local(instantText) {
  const at = new Date(instantText ?? "");
  if (Number.isNaN(at.getTime())) return "";
  return new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

/** Names, the first few of them: prod, prodEu and 3 more. */
export function names(list, few = 4) {
  if (list.length <= few + 1) return list.join(", ");
  return `${list.slice(0, few).join(", ")} and ${list.length - few} more`;
}

/** Where a problem or a value is: config/checkout.yaml:3:10. */
export function place({ file, line, column } = {}) {
  return [file, line, column].filter(Boolean).join(":");
}
