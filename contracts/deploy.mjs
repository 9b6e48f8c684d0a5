// SPDX-License-Identifier: Apache-2.0
//
// Makes the development chain: starts a private anvil, deploys and configures everything, funds the development
// accounts, and writes
//   chain-state.json  anvil's state, for anvil --load-state or --state
//   chain.json        where everything is, and the development keys
//   deploy.json       how to do the same on another chain (recipe.mjs)
// usage: node contracts/deploy.mjs OUTPUT-FOLDER [ARTIFACT-FOLDER] [--official]
// --official: hub and registries from the official package's bytecode (test/official.mjs), for tests; no recipe then.
// Exit code 77 where that package cannot be had.
//
// Nothing in it depends on the clock: two runs give the same files.
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { ethers } from "ethers";
import { accountKeys, artifact, artifactFolder, deployAll, mined, startAnvil } from "./lib.mjs";
import { makeRecipe } from "./recipe.mjs";

const CHAIN_ID = 421614; // the official clients refuse to sign for chains they do not know
const GENESIS_TIME = 1735689600; // 2025-01-01
const NAMES = ["alice", "bob", "carol", "dave", "operator", "worker", "erin", "frank", "grace", "admin"];
const STAKED = ["alice", "bob", "carol", "dave", "operator", "worker"];
const RLC_UNIT = 10n ** 9n;
const PURSE = 100_000n * RLC_UNIT; // RLC of each account
const STAKE = 1_000n * RLC_UNIT; // of which staked in the hub

const [outFolder, artifacts] = process.argv.slice(2).filter((a) => !a.startsWith("--"));
const official = process.argv.includes("--official");
if (!outFolder) {
  process.stderr.write("usage: node contracts/deploy.mjs OUTPUT-FOLDER [ARTIFACT-FOLDER]\n");
  process.exit(2);
}
const folder = artifactFolder(artifacts);

/* The official hub and registries; what stands on them (DataProtector, sharing) is ours. */
async function deployTheirs(admin) {
  const { deployOfficial, officialPackage } = await import("./test/official.mjs");
  const theirs = officialPackage();
  if (!theirs) process.exit(77);
  const send = async (_, contract, method, ...args) => mined(await contract.connect(admin).getFunction(method)(...args));
  const w = { folder, signers: { admin }, send, adopt() {} };
  await deployOfficial(w, theirs);
  const deploy = async (file, name, ...args) => {
    const { abi, bytecode } = artifact(folder, file, name);
    const contract = await new ethers.ContractFactory(abi, bytecode.object, admin).deploy(...args);
    await mined(contract.deploymentTransaction());
    return contract;
  };
  w.dataProtector = await deploy("DataProtector", "DataProtector", w.datasetRegistry.target);
  w.appWhitelistRegistry = await deploy("AddOnlyAppWhitelist", "AddOnlyAppWhitelistRegistry");
  await send("admin", w.appWhitelistRegistry, "initialize");
  w.sharing = await deploy("DataProtectorSharing", "DataProtectorSharing", w.hub.target, w.datasetRegistry.target,
    w.appWhitelistRegistry.target);
  await send("admin", w.sharing, "initialize", admin.address);
  return w;
}

const anvil = await startAnvil([
  "--chain-id", String(CHAIN_ID),
  "--timestamp", String(GENESIS_TIME),
  "--accounts", String(NAMES.length),
  "--hardfork", "prague",
]);
try {
  const provider = new ethers.JsonRpcProvider(anvil.url, CHAIN_ID, {
    staticNetwork: true,
    batchMaxCount: 1,
    cacheTimeout: -1,
    pollingInterval: 5,
  });
  await provider.send("anvil_setBlockTimestampInterval", [1]);
  /* Gas at a constant price, so that balances, too, are the same each time. */
  const keys = accountKeys(NAMES.length);
  const accounts = NAMES.map((name, i) => ({ name, signer: new ethers.Wallet(keys[i], provider) }));
  const byName = Object.fromEntries(accounts.map((a) => [a.name, a.signer]));

  const done = [];
  const sent = (label, receipt, tx) => done.push({ label, receipt, tx });
  const all = official ? await deployTheirs(byName.admin) : await deployAll(folder, byName.admin, { sent });
  const recipe = official ? undefined
    : await makeRecipe({ folder, provider, deployer: byName.admin.address, chainId: CHAIN_ID, done });
  for (const { name, signer } of accounts) {
    if (name !== "admin") await mined(await all.rlc.connect(byName.admin).transfer(signer.address, PURSE));
    if (STAKED.includes(name)) {
      await mined(await all.rlc.connect(signer).approveAndCall(all.hub.target, STAKE, "0x"));
    }
  }
  const pool = all.workerpoolRegistry.connect(byName.operator);
  const poolArgs = [byName.operator.address, "Strongroom development workerpool"];
  const poolAddress = await pool.predictWorkerpool(...poolArgs);
  await mined(await pool.createWorkerpool(...poolArgs));

  const state = JSON.parse(gunzipSync(Buffer.from((await provider.send("anvil_dumpState", [])).slice(2), "hex")));
  /* anvil keeps these in hash maps: put in order, the file is the same each time. */
  const number = (n) => BigInt(n);
  const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  state.blocks.sort((a, b) => order(number(a.header.number), number(b.header.number)));
  state.transactions.sort((a, b) =>
    order(number(a.block_number), number(b.block_number)) ||
    order(a.info.transaction_index, b.info.transaction_index));
  const chain = {
    chainId: CHAIN_ID,
    contracts: {
      hub: all.hub.target,
      rlc: all.rlc.target,
      appRegistry: all.appRegistry.target,
      datasetRegistry: all.datasetRegistry.target,
      workerpoolRegistry: all.workerpoolRegistry.target,
      dataProtector: all.dataProtector.target,
      sharing: all.sharing.target,
      appWhitelistRegistry: all.appWhitelistRegistry.target,
    },
    workerpool: { address: poolAddress, owner: byName.operator.address },
    accounts: accounts.map(({ name, signer }) => ({
      name,
      address: signer.address,
      privateKey: signer.privateKey,
    })),
  };
  mkdirSync(outFolder, { recursive: true });
  /* Whole or not at all: somebody may be reading. */
  const write = (file, text) => {
    writeFileSync(join(outFolder, `${file}.new`), text);
    renameSync(join(outFolder, `${file}.new`), join(outFolder, file));
  };
  write("chain-state.json", JSON.stringify(state));
  if (recipe) write("deploy.json", `${JSON.stringify(recipe)}\n`);
  write("chain.json", `${JSON.stringify(chain, null, 2)}\n`);
  provider.destroy();
} finally {
  await anvil.stop();
}
