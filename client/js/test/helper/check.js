import assert from "node:assert/strict";

/** Checks a function against what it gives for each argument. */
export function gives(call, cases) {
  for (const [argument, want] of cases) assert.deepEqual(call(argument), want, JSON.stringify(argument)?.slice(0, 200));
}

/** Checks that a function throws, in words that hold what is told for each argument. */
export function throws(call, cases) {
  for (const [argument, says] of cases) {
    assert.throws(
      () => call(argument),
      (error) => error.message.includes(says) || assert.fail(`${JSON.stringify(argument).slice(0, 60)}: ${error.message}`),
    );
  }
}

/** Random numbers, the same for the same seed: TRUNKLINE_SEED repeats a run, which tells its seed. */
export function random(t) {
  let state = Number(process.env.TRUNKLINE_SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`TRUNKLINE_SEED=${state} repeats this`);
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n) => Math.floor(next() * n);
  return { below, pick: (list) => list[below(list.length)] };
}
