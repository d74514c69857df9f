// What main.rs does, with validator.js: validator.mjs FOLDER FILE SECONDS, where FOLDER has the package.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [folder, file, seconds] = process.argv.slice(2);
const isEmail = createRequire(`${folder}/`)("validator/lib/isEmail").default;
const rows = readFileSync(file, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
const started = performance.now();
const spent = () => (performance.now() - started) / 1000;
let judged = 0;
while (spent() < Number(seconds)) {
  for (const row of rows) isEmail(row.address);
  judged += rows.length;
}
const rate = judged / spent();
const wrongly = (valid) => rows.filter((row) => row.valid_for_signup === valid && isEmail(row.address) !== valid).length;
console.log("validator.js", rate.toFixed(0), wrongly(false), wrongly(true));
