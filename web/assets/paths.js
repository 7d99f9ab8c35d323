// Paths of values, written as database.primary.pool, servers[0] or hosts["a.b"].

const bare = /^[A-Za-z0-9_-]+$/;
const segment = /^(?:\.?([A-Za-z0-9_-]+)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\])/;

/** Takes a path apart: [{key, index}], where index tells that the segment is an item of a list. null: it is not a path. */
export function split(path) {
  const segments = [];
  for (let rest = path; rest !== "";) {
    const found = segment.exec(rest);
    if (!found || (found[1] !== undefined && (rest[0] === ".") === (segments.length === 0))) return null;
    try {
      segments.push({ key: found[1] ?? found[2] ?? JSON.parse(found[3]), index: found[2] !== undefined });
    } catch {
      return null;
    }
    rest = rest.slice(found[0].length);
  }
  return segments;
}

/** Writes a path. */
export function join(segments) {
  return segments
    .map(({ key, index }, i) => (index ? `[${key}]` : bare.test(key) ? (i ? "." : "") + key : `[${JSON.stringify(key)}]`))
    .join("");
}

/** The paths from the top to a path: [{label, path}], the last being the path itself. */
export function steps(path) {
  const segments = split(path);
  if (!segments) return [{ label: path, path }];
  return segments.map((s, i) => ({ label: s.index ? `[${s.key}]` : s.key, path: join(segments.slice(0, i + 1)) }));
}

/** The pattern for what somebody wrote into a search: a path without wildcards means that path with all below it. */
export function patternOf(text) {
  const wanted = text.trim().replace(/\.$/, "");
  if (wanted === "") return "**";
  return wanted.includes("*") ? wanted : wanted + ".**";
}

/** A second pattern to try where the first finds nothing: the same words anywhere. null where there is none. */
export function widened(text) {
  const wanted = text.trim().replace(/\.$/, "");
  return wanted === "" || wanted.includes("*") ? null : `**.${wanted}.**`;
}

/** Leaves out items of lists that are themselves among the matches: [{path, value}] in the order of paths. */
export function withoutItems(matches) {
  let list = null;
  return matches.filter(({ path, value }) => {
    if (list !== null && path.startsWith(list)) return false;
    list = Array.isArray(value) ? path + "[" : null;
    return true;
  });
}

/** Arranges matches as a tree: {members: Map(label → node)}, where a node has a path, and a match or members or both. */
export function tree(matches) {
  const root = { path: "", members: new Map() };
  for (const match of matches) {
    let node = root;
    for (const { label, path } of steps(match.path)) {
      if (!node.members.has(label)) node.members.set(label, { path, members: new Map() });
      node = node.members.get(label);
    }
    node.match = match;
  }
  return root;
}
