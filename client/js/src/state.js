import { parseDuration } from "./duration.js";
import { messageOf } from "./errors.js";
import { isMap, nameOf } from "./json.js";
import { none } from "./message.js";
import { lookup, parsePath } from "./path.js";

/** @import * as api from "../types/index.js" */
/** @import {Json, JsonMap} from "../types/index.js" */

/**
 * A default that was given in the place of what stands at a path.
 * @typedef {{path: string, expected: string, found: string}} Unreadable
 */

/**
 * How a value is read: undefined where it is something else.
 * @typedef {{expected: string, read: (value: Json) => unknown}} Form
 */

/** @type {Form} */
const anything = { expected: "anything", read: (v) => v };
/** @type {Form} */
const integer = { expected: "an integer that a number can hold", read: (v) => (Number.isSafeInteger(v) ? v : undefined) };
/** @type {Form} */
const int64 = { expected: "an integer", read: (v) => (typeof v === "bigint" ? v : Number.isSafeInteger(v) ? BigInt(Number(v)) : undefined) };
/** @type {Form} */
const duration = { expected: "a duration, as 90s or 7d", read: (v) => (typeof v === "string" ? parseDuration(v) : undefined) };
/** @type {Form} */
const list = { expected: "a list", read: (v) => (Array.isArray(v) ? v : undefined) };
/** @type {Form} */
const map = { expected: "a map", read: (v) => (isMap(v) ? v : undefined) };

/** @param {string} type @returns {Form} */
const scalar = (type) => ({ expected: `a ${type}`, read: (v) => (typeof v === type ? v : undefined) });
/** @type {Record<string, Form>} */
const scalars = { string: scalar("string"), number: scalar("number"), boolean: scalar("boolean") };
/** @type {Form} */
const nothing = { expected: "what no value can be", read: () => undefined };

/** What fits a default. @param {unknown} otherwise @returns {Form} */
function formOf(otherwise) {
  if (otherwise === undefined || otherwise === null) return anything;
  if (typeof otherwise === "bigint") return int64;
  if (typeof otherwise === "object") return Array.isArray(otherwise) ? list : map;
  return scalars[typeof otherwise] ?? nothing;
}

/**
 * One version and its values; see types/index.d.ts, as for all that programs see.
 * @implements {api.State}
 */
export class State {
  #report;

  /**
   * @param {{values: JsonMap} & Partial<Omit<api.State, "values">>} version its values and assignments are immutable
   * @param {(unreadable: Unreadable) => void} report
   */
  constructor(version, report) {
    this.values = version.values;
    this.cursor = version.cursor ?? "";
    this.commit = version.commit ?? "";
    this.author = version.author ?? "";
    this.subject = version.subject ?? "";
    this.rollbackOf = version.rollbackOf ?? "";
    this.assignments = version.assignments ?? none;
    this.#report = report;
    Object.freeze(this);
  }

  /** The same, with something else in the place of what it has. @param {Partial<api.State>} change */
  with(change) {
    return new State({ ...this, ...change }, this.#report);
  }

  /** @param {string} path @param {any} [otherwise] @returns {any} */
  get(path, otherwise) {
    return this.#read(path, otherwise, formOf(otherwise));
  }

  /** @param {string} path @param {any} otherwise @returns {any} */
  int(path, otherwise) {
    return this.#read(path, otherwise, typeof otherwise === "bigint" ? int64 : integer);
  }

  /** @param {string} path @param {number} otherwise @returns {any} */
  duration(path, otherwise) {
    return this.#read(path, otherwise, duration);
  }

  /** @param {string} path @param {unknown} otherwise @param {Form} form */
  #read(path, otherwise, form) {
    const found = this.#find(path);
    if (found === undefined) return otherwise;
    const value = form.read(found);
    if (value !== undefined) return value;
    this.#report({ path, expected: form.expected, found: nameOf(found) });
    return otherwise;
  }

  /** @param {string} path */
  #find(path) {
    try {
      return lookup(this.values, parsePath(path));
    } catch (error) {
      this.#report({ path: String(path), expected: "a path", found: messageOf(error) });
      return undefined;
    }
  }
}
