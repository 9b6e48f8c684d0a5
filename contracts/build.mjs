// SPDX-License-Identifier: Apache-2.0
//
// Compiles the contracts (only what changed), then makes the development chain's state: what meson runs.
// usage: node contracts/build.mjs OUTPUT-FOLDER
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { root, tool } from "./lib.mjs";

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
run(tool("forge"), [
  "build", "--root", "contracts", "--skip", "test", "--out", join(out, "out"), "--cache-path", join(out, "cache"),
]);
run(process.execPath, [join(root, "contracts/deploy.mjs"), out, join(out, "out")]);
