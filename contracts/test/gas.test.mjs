// SPDX-License-Identifier: Apache-2.0
// The gas goals hold, and no call costs more than the official contracts' (contracts/gas.mjs).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { root, testArtifacts } from "../lib.mjs";

test("every call is within its gas goal and below the official contracts", () => {
  const env = { ...process.env, STRONGROOM_CONTRACTS_OUT: testArtifacts() };
  const run = spawnSync(process.execPath, [join(root, "contracts/gas.mjs"), "--check"], { encoding: "utf8", env });
  assert.equal(run.status, 0, `${run.stdout}${run.stderr}`);
});
