// SPDX-License-Identifier: Apache-2.0
//
// Breaks the contracts in one place at a time (mutants.mjs) and looks whether a test notices. Works on a copy of the
// tree, built the quick way: no optimizer. Ends with "N of N noticed"; exit code 1 when one was not.
// usage: node contracts/mutate.mjs [--every N] [--from K] [--all] [--only CONTRACT] [WORD...]
//   WORD   only mutants whose name has it (of several: any)
//   --all  runs every test for each, and tells all that fail
//   --only runs the tests of one contract: --only InvariantTest shows what the random lives see by themselves
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, tool } from "./lib.mjs";
import { MUTANTS } from "./mutants.mjs";

const args = process.argv.slice(2);
const option = (name, otherwise) => {
  const at = args.indexOf(name);
  return at < 0 ? otherwise : Number(args.splice(at, 2)[1]);
};
const all = args.includes("--all") && args.splice(args.indexOf("--all"), 1).length > 0;
const at = args.indexOf("--only");
const only = at < 0 ? null : args.splice(at, 2)[1];
const every = option("--every", 1);
const from = option("--from", 0);

const base = join(root, "build/mutants");
const tree = join(base, "contracts");
rmSync(tree, { recursive: true, force: true });
mkdirSync(tree, { recursive: true });
for (const part of ["src", "test", "foundry.toml"]) cpSync(join(root, "contracts", part), join(tree, part), { recursive: true });
for (const part of ["node_modules", "tools"]) symlinkSync(join(root, part), join(tree, part));
for (const part of ["tests", "tools"]) {
  rmSync(join(base, part), { force: true });
  symlinkSync(join(root, part), join(base, part));
}

/* Forge's answer to the mutated tree: the names of failing tests, or what does not compile. The slow ones come last. */
function judge() {
  if (only) return forge(["--match-contract", only], {});
  if (all) return forge([], {});
  const quick = forge([], { FOUNDRY_INVARIANT_RUNS: "1", FOUNDRY_INVARIANT_DEPTH: "1" });
  return quick.fine ? forge(["--match-contract", "InvariantTest"], { FOUNDRY_INVARIANT_RUNS: "8" }) : quick;
}

function forge(which, settings) {
  const { status, stdout, stderr } = spawnSync(
    tool("forge"),
    ["test", "--root", tree, "--color", "never", ...which, ...(all ? [] : ["--fail-fast"]), "--fuzz-seed", "7"],
    {
      cwd: base, encoding: "utf8", maxBuffer: 1 << 28,
      env: {
        ...process.env, FOUNDRY_VIA_IR: "false", FOUNDRY_OPTIMIZER: "false", FOUNDRY_FUZZ_RUNS: "64",
        FOUNDRY_INVARIANT_SHRINK_RUN_LIMIT: "0", FOUNDRY_CODE_SIZE_LIMIT: "1000000",
        FOUNDRY_OUT: join(base, "out"), FOUNDRY_CACHE_PATH: join(base, "cache"), ...settings,
      },
    },
  );
  if (status === 0) return { fine: true };
  const failing = [...(stdout.split("Failing tests:")[1] ?? "").matchAll(/\b((?:test|invariant)\w*)\(/g)].map((m) => m[1]);
  if (failing.length === 0) throw new Error(`${stdout.slice(-2000)}${stderr.slice(-2000)}`);
  return { fine: false, failing };
}
const chosen = MUTANTS.filter((m, i) => i >= from && (i - from) % every === 0 && (args.length === 0 || args.some((word) => m.name.includes(word))));
const whole = judge();
if (!whole.fine) throw new Error(`the tests fail without a mutant: ${whole.failing.join(" ")}`);
let killed = 0;
const survivors = [];
for (const { name, file, find, put } of chosen) {
  const path = join(tree, "src", file);
  const source = readFileSync(path, "utf8");
  const parts = source.split(find);
  if (parts.length !== 2) throw new Error(`${name}: ${file} has ${parts.length - 1} places like: ${find}`);
  writeFileSync(path, parts.join(put));
  const answer = judge();
  writeFileSync(path, source);
  if (answer.fine) survivors.push(name);
  else killed++;
  process.stdout.write(`${answer.fine ? "SURVIVED" : "noticed "} ${name}${answer.fine ? "" : ` (${all ? [...new Set(answer.failing)].join(" ") : answer.failing[0]})`}\n`);
}
for (const name of survivors) process.stdout.write(`not noticed by any test: ${name}\n`);
process.stdout.write(`${killed} of ${chosen.length} noticed\n`);
process.exit(killed === chosen.length ? 0 : 1);
