// What needs Node.

import { randomUUID } from "node:crypto";
import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { BOUNDS, ENVELOPE } from "./limits.js";

const mostBytes = 4 * (BOUNDS.characters + ENVELOPE);

/** @param {string} path @returns {import("../types/index.js").Cache} */
export function fileCache(path) {
  return { read: () => read(path), write: (text) => write(path, text) };
}

/** Reads a file of bounded size. Nothing else than a file is opened: a pipe would never end. @param {string} path */
async function read(path) {
  const info = await stat(path).catch((error) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (info === null) return null;
  if (!info.isFile()) throw new Error("it is no file");
  if (info.size > mostBytes) throw new Error(`the file is larger than ${mostBytes} bytes`);
  return readFile(path, "utf8");
}

/** Replaces a file as a whole, so that there is always one that is complete. @param {string} path @param {string} text */
async function write(path, text) {
  const own = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(own, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(own, path);
  } catch (error) {
    await rm(own, { force: true });
    throw error;
  }
}
