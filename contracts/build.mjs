// SPDX-License-Identifier: Apache-2.0
//
// Compiles the contracts (only what changed), then makes the development chain's state: what meson runs.
// usage: node contracts/build.mjs OUTPUT-FOLDER
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { artifactsWithout, root, tool } from "./lib.mjs";

const [given] = process.argv.slice(2);
if (!given) {
  process.stderr.write("usage: node contracts/build.mjs OUTPUT-FOLDER\n");
  process.exit(2);
}
const out = resolve(given);
const run = (program, args) => {
  const { status, error, stdout, stderr } = spawnSync(program, args, { cwd: root, encoding: "utf8", maxBuffer: 1 << 26 });
  if (status === 0) return;
  process.stderr.write(`${stdout ?? ""}${stderr ?? ""}${error ? `${error.message}\n` : ""}`);
  process.stderr.write(`contracts: ${program} failed${error?.code === "ENOENT" ? ": run npm ci first" : ""}\n`);
  process.exit(1);
};
const forge = () => run(tool("forge"), [
  "build", "--root", "contracts", "--skip", "test", "--out", join(out, "out"), "--cache-path", join(out, "cache"),
]);
forge();
/* Another forge command that wrote into the same folder (a lint, a geiger) leaves artifacts without code, which the
 * cache then takes for current. */
if (artifactsWithout(join(out, "out")).length > 0) {
  for (const folder of ["out", "cache"]) rmSync(join(out, folder), { recursive: true, force: true });
  forge();
  const left = artifactsWithout(join(out, "out"));
  if (left.length > 0) {
    process.stderr.write(`contracts: forge left artifacts without code: ${left.join(", ")}\n`);
    process.exit(1);
  }
}
run(process.execPath, [join(root, "contracts/deploy.mjs"), out, join(out, "out")]);
