import { equal, isMap } from "./json.js";
import { format } from "./path.js";

/** @import {Change, Json, JsonMap} from "../types/index.js" */

/**
 * What leads from one value to another, in the order of paths. A map or a list that came or went as a whole is one change, and so is a
 * list that differs. What both share is not looked at.
 * @param {JsonMap} before
 * @param {JsonMap} after
 */
export function diff(before, after) {
  /** @type {Change[]} */
  const changes = [];
  walk(before, after, [], changes);
  return changes;
}

/** @param {Json | undefined} before @param {Json | undefined} after @param {string[]} path @param {Change[]} changes */
function walk(before, after, path, changes) {
  if (before === after) return;
  if (!isMap(before) || !isMap(after)) {
    if (!equal(before, after)) changes.push({ path: format(path), old: before, new: after });
    return;
  }
  for (const key of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()) {
    walk(member(before, key), member(after, key), [...path, key], changes);
  }
}

/** @param {JsonMap} map @param {string} key */
function member(map, key) {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}
