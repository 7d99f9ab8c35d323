// The part of the address after #: #/versions?env=prod. The page never asks the server for another document, so that it works under
// any path a proxy serves it at.

/** Reads it: the path's parts, and the query as an object of texts; names that occur twice hold lists. */
export function parse(hash) {
  const [path, query = ""] = split(hash.replace(/^#/, ""));
  const parts = path.split("/").filter(Boolean).map(decode);
  const values = {};
  for (const [name, value] of new URLSearchParams(query)) {
    if (value === "") continue;
    values[name] = name in values ? [values[name], value].flat() : value;
  }
  return { parts, query: values };
}

function split(text) {
  const at = text.indexOf("?");
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Writes it. What is empty is left out. */
export function href(parts, query = {}) {
  const search = params(query);
  return "#/" + parts.map(encodeURIComponent).join("/") + (search ? "?" + search : "");
}

/** Writes a query, of the page or of the HTTP API. What is empty is left out; a list stands for its items. */
export function params(query) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) if (one !== undefined && one !== null && one !== "" && one !== false) search.append(name, one);
  }
  return search.toString();
}
