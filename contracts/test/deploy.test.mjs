// SPDX-License-Identifier: Apache-2.0
// The development chain as `up` starts it: from the saved state, with everything in its place.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ethers } from "ethers";
import { artifact, artifactsWithout, testArtifacts, hubAbi, root, startAnvil } from "../lib.mjs";

let folder;
let anvil;
let provider;
let chain;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "strongroom-chain-"));
  for (const out of ["a", "b"]) {
    const run = spawnSync(process.execPath, [join(root, "contracts/deploy.mjs"), join(folder, out), testArtifacts()], { encoding: "utf8" });
    assert.equal(run.status, 0, run.stderr);
  }
  chain = JSON.parse(readFileSync(join(folder, "a/chain.json"), "utf8"));
  anvil = await startAnvil(["--chain-id", String(chain.chainId), "--hardfork", "prague", "--load-state", join(folder, "a/chain-state.json")]);
  provider = new ethers.JsonRpcProvider(anvil.url, chain.chainId, { staticNetwork: true, cacheTimeout: -1 });
});
after(async () => {
  provider?.destroy();
  await anvil?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("two deployments give the same bytes", () => {
  for (const file of ["chain-state.json", "chain.json", "deploy.json"]) {
    assert.ok(readFileSync(join(folder, "a", file)).equals(readFileSync(join(folder, "b", file))), file);
  }
});

test("artifacts that another command left without code are noticed", () => {
  const out = join(folder, "artifacts");
  assert.deepEqual(artifactsWithout(testArtifacts()), []);
  cpSync(testArtifacts(), out, { recursive: true });
  const { bytecode, ...rest } = artifact(out, "Entry", "App");
  assert.ok(bytecode.object.length > 2);
  writeFileSync(join(out, "Entry.sol/App.json"), JSON.stringify(rest));
  rmSync(join(out, "RLC.sol"), { recursive: true });
  writeFileSync(join(out, "Diamond.sol/Diamond.json"), '{"abi": [');
  assert.deepEqual(artifactsWithout(out).sort(), ["Diamond.sol/Diamond.json", "Entry.sol/App.json", "RLC.sol/RLC.json"]);
});

test("hub, registries, accounts and workerpool are as promised", async () => {
  const out = testArtifacts();
  const hub = new ethers.Contract(chain.contracts.hub, hubAbi(out), provider);
  const rlc = new ethers.Contract(chain.contracts.rlc, artifact(out, "RLC", "RLC").abi, provider);
  assert.equal(chain.chainId, 421614);
  assert.equal(await hub.token(), chain.contracts.rlc);
  assert.equal(await hub.appregistry(), chain.contracts.appRegistry);
  assert.equal(await hub.datasetregistry(), chain.contracts.datasetRegistry);
  assert.equal(await hub.workerpoolregistry(), chain.contracts.workerpoolRegistry);
  const domain = await hub.domain();
  assert.deepEqual([...domain], ["iExecODB", "5.0.0", 421614n, chain.contracts.hub]);
  assert.equal(
    await hub.eip712domain_separator(),
    ethers.TypedDataEncoder.hashDomain({ name: "iExecODB", version: "5.0.0", chainId: 421614, verifyingContract: chain.contracts.hub }),
  );
  assert.equal(await hub.callbackgas(), 200000n);
  assert.equal(await hub.teebroker(), ethers.ZeroAddress);
  const categories = [["XS", 300n], ["S", 1200n], ["M", 3600n], ["L", 10800n], ["XL", 36000n]];
  assert.equal(await hub.countCategory(), 5n);
  for (const [i, [name, time]] of categories.entries()) assert.deepEqual([...(await hub.viewCategory(i))], [name, '""', time]);

  assert.deepEqual(
    chain.accounts.map((a) => a.name),
    ["alice", "bob", "carol", "dave", "operator", "worker", "erin", "frank", "grace", "admin"],
  );
  const staked = 1000n * 10n ** 9n;
  for (const [i, { name, address, privateKey }] of chain.accounts.entries()) {
    assert.equal(ethers.computeAddress(privateKey), address);
    assert.ok((await provider.getBalance(address)) > 10n ** 21n, `${name} has gas`);
    assert.ok((await rlc.balanceOf(address)) > 10n ** 13n, `${name} has RLC`);
    assert.equal(await hub.balanceOf(address), i < 6 ? staked : 0n, `${name}'s stake`);
  }
  const operator = chain.accounts.find((a) => a.name === "operator").address;
  assert.equal(chain.workerpool.owner, operator);
  const pool = await hub.viewWorkerpool(chain.workerpool.address);
  assert.equal(pool.owner, operator);
  const sharing = new ethers.Contract(chain.contracts.sharing, ["function ADD_ONLY_APP_WHITELIST_REGISTRY() view returns (address)"], provider);
  assert.equal(await sharing.ADD_ONLY_APP_WHITELIST_REGISTRY(), chain.contracts.appWhitelistRegistry);
  const protector = new ethers.Contract(chain.contracts.dataProtector, ["function registry() view returns (address)"], provider);
  assert.equal(await protector.registry(), chain.contracts.datasetRegistry);
});

test("the history of the deployment can be read, and new blocks carry today's time", async () => {
  const logs = await provider.getLogs({ address: chain.contracts.workerpoolRegistry, fromBlock: 0 });
  assert.ok(logs.some((l) => l.topics[3] && BigInt(l.topics[3]) === BigInt(chain.workerpool.address)));
  const alice = new ethers.Wallet(chain.accounts[0].privateKey, provider);
  await (await alice.sendTransaction({ to: chain.accounts[1].address, value: 1 })).wait();
  const block = await provider.getBlock("latest");
  assert.ok(Math.abs(block.timestamp - Date.now() / 1000) < 60, "block time");
});
