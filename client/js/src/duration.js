import { MAX_DURATION } from "./limits.js";

/** @type {Record<string, number>} */
const units = { ns: 1, us: 1e3, µs: 1e3, μs: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 };
const term = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gu;
const whole = /^[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/u;
const days = /^[+-]?\d{1,10}d$/;
const most = 2 ** 63; // nanoseconds

/**
 * Reads a duration as Go writes it, 90s or 1h30m, or in whole days, 7d. It is told in milliseconds; undefined where it is none.
 * @param {string} text
 */
export function parseDuration(text) {
  if (text.length > MAX_DURATION) return undefined;
  const ns = nanoseconds(text);
  return ns === undefined || Math.abs(ns) >= most ? undefined : ns / 1e6;
}

/** @param {string} text */
function nanoseconds(text) {
  if (/^[+-]?0$/.test(text)) return 0;
  if (days.test(text)) return parseInt(text, 10) * 24 * units.h;
  if (!whole.test(text)) return undefined;
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(term)) sum += Math.round(Number(amount) * units[unit]);
  return text[0] === "-" ? -sum : sum;
}
