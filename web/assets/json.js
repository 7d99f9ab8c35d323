// JSON without loss: integers of 64 bits and numbers written with a fraction keep their text, which JavaScript's numbers would not.

/** A number whose text JavaScript would write otherwise, as 9007199254740993 or 1.0. */
export class Exact {
  constructor(text) {
    this.text = text;
  }
  toString() {
    return this.text;
  }
}

const strings = '"(?:[^"\\\\]|\\\\.)*"';
const numbers = "-?(?:0|[1-9]\\d*)(?:\\.\\d+)?(?:[eE][+-]?\\d+)?";
const tokens = new RegExp(`${strings}|${numbers}`, "g");

/**
 * Reads JSON. Numbers are numbers where that changes nothing, and else of class Exact: until it is read their text stands in a string
 * that begins with a mark nobody can know.
 */
export function parse(text) {
  const mark = crypto.getRandomValues(new Uint32Array(4)).join("-") + ":";
  let marked = false;
  const safe = text.replace(tokens, (token) => {
    if (token[0] === '"' || String(Number(token)) === token) return token;
    marked = true;
    return `"${mark}${token}"`;
  });
  if (!marked) return JSON.parse(text);
  return JSON.parse(safe, (_key, v) => (typeof v === "string" && v.startsWith(mark) ? new Exact(v.slice(mark.length)) : v));
}

/** Whether a value stands for one that the reader may not see. */
export function redacted(value) {
  return value !== null && typeof value === "object" && value.$redacted === true;
}

function scalar(value) {
  return value instanceof Exact ? value.text : JSON.stringify(value);
}

function compound(value) {
  return value !== null && typeof value === "object" && !(value instanceof Exact);
}

/** A value on one line, as {"max": 10}. What is beyond limit characters is left out, and … says so. */
export function line(value, limit = 160) {
  const out = [];
  let left = limit;
  const put = (text) => {
    out.push(text.slice(0, Math.max(left, 0)));
    left -= text.length;
  };
  const walk = (v) => {
    if (left < 0) return;
    if (redacted(v)) return put("redacted");
    if (!compound(v)) return put(scalar(v));
    const list = Array.isArray(v);
    put(list ? "[" : "{");
    Object.entries(v).forEach(([key, member], i) => {
      if (left < 0) return;
      put((i ? ", " : "") + (list ? "" : JSON.stringify(key) + ": "));
      walk(member);
    });
    put(list ? "]" : "}");
  };
  walk(value);
  return left < 0 ? out.join("") + "…" : out.join("");
}

/** A value on several lines. */
export function pretty(value, indent = "") {
  if (redacted(value)) return `redacted (fingerprint ${value.fp})`;
  if (!compound(value)) return scalar(value);
  const list = Array.isArray(value);
  const members = Object.entries(value);
  if (members.length === 0) return list ? "[]" : "{}";
  const deeper = indent + "  ";
  const lines = members.map(([key, member]) => deeper + (list ? "" : JSON.stringify(key) + ": ") + pretty(member, deeper));
  return (list ? "[" : "{") + "\n" + lines.join(",\n") + "\n" + indent + (list ? "]" : "}");
}
