// Words and files that more than one of the makers writes.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** A data file of an installed package. */
export function packaged(path) {
  return require(path);
}

/** The text of a data file that its package does not export by name. */
export function packagedText(path) {
  return readFileSync(new URL(`./node_modules/${path}`, import.meta.url), "utf8");
}

/** Writes a file of this data set, by its path from the directory above. */
export function write(path, text) {
  writeFileSync(new URL(`../${path}`, import.meta.url), text);
  console.log(`${path}: ${Buffer.byteLength(text)} bytes`);
}

/** Letters outside Latin that no decomposition turns into a-z. */
const LETTERS = {
  ß: "ss", æ: "ae", œ: "oe", ø: "o", đ: "d", ð: "d", þ: "th", ł: "l", ı: "i", ħ: "h", ə: "a",
};

/** Lower case a-z, 0-9 and single hyphens; empty where the name has none of them. */
export function slug(name) {
  return name
    .toLowerCase()
    .replace(/[ßæœøđðþłıħə]/g, (letter) => LETTERS[letter])
    .normalize("NFD")
    .replace(/[\u0300-\u036f'’‘ʻʼ`]/g, "")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
}

/** Rounded to so many decimals, never -0. */
export function rounded(value, decimals) {
  const scale = 10 ** decimals;
  return Math.round(value * scale) / scale + 0;
}
