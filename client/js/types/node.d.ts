import type { Cache } from "./index.js";

/** A cache in a file of mode 0600, which is replaced as a whole. */
export function fileCache(path: string): Cache;
