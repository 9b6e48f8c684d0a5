// SPDX-License-Identifier: Apache-2.0
//
// Gas of every call against the official contracts (tests/vectors/poco/gas-official.json): the same 67 transactions
// under the same conditions. Prints one line per function: rows measured, gas of ours and of theirs (smallest to
// largest row), the worst row's ratio, and last the ratio ours/official (geometric mean of its rows).
// usage: node contracts/gas.mjs [--rows] [--check]
//   --rows   each transaction on a line of its own first
//   --check  exit code 1 when a goal is missed or any row costs more than the official one
import { ethers } from "ethers";
import { artifactFolder } from "./lib.mjs";
import { World, enclaveMessage, resultHash, resultSeal, taskId, vectors } from "./test/world.mjs";

const GOALS = {
  matchOrders: 0.5, initialize: 0.3, contribute: 0.5, reveal: 0.8, finalize: 0.6, contributeAndFinalize: 0.5,
  claim: 0.5, createApp: 0.4, createDataset: 0.4, createWorkerpool: 0.4,
};
const v = vectors("gas-official.json");
const official = v.cases.filter((c) => !/Boost/.test(c.case));
const ZERO = ethers.ZeroAddress;
const TDX = ethers.toBeHex(9, 32);
const RESULTS = ethers.hexlify(ethers.toUtf8Bytes(v.results84));
const rows = [];
const taken = new Map();

function row(name, receipt) {
  const nth = taken.get(name) ?? 0;
  taken.set(name, nth + 1);
  const found = official.filter((c) => c.case === name)[nth];
  if (!found) throw new Error(`no such official case: ${name} (${nth + 1})`);
  const size = found.calldataBytes;
  rows.push({ name, ours: Number(receipt.gasUsed), official: found.official, size, tx: receipt.hash });
}

const w = await World.start({ folder: artifactFolder() });
try {
  await w.deploy();
  const { address, hub, rlc } = w;
  const send = (as, contract, method, ...args) => w.send(as, contract, method, ...args);
  await w.entries({ policy: [35, 5] });
  const many = 10n ** 13n;
  for (const role of ["requester", "sponsor", "scheduler", "appOwner", "datasetOwner", "worker1", "worker2", "worker3", "worker4", "worker5"]) {
    await send("admin", rlc, "transfer", address[role], many);
  }
  await w.stake(Object.fromEntries(["requester", "sponsor", "scheduler", "appOwner", "datasetOwner", "worker1", "worker2", "worker3", "worker4", "worker5"].map((r) => [r, 10n ** 12n])));
  const bot = (volume) => ({ app: { volume }, dataset: { volume }, workerpool: { volume }, request: { volume } });
  const merge = (...list) => {
    const o = {};
    for (const set of list) for (const [k, x] of Object.entries(set)) o[k] = x === null ? null : { ...o[k], ...x };
    return o;
  };
  const tdx = { app: { tag: TDX }, dataset: { tag: TDX }, workerpool: { tag: TDX }, request: { tag: TDX, params: v.params233 } };
  const noData = { dataset: null };
  const free = { app: { appprice: 0 }, workerpool: { workerpoolprice: 0 } };
  const priced = {};
  const match = (...sets) => w.match(w.orders(merge(...sets)));
  await match(priced); // one earlier deal

  /* registries */
  const app = [address.appOwner, "my-app", "DOCKER", ethers.hexlify(ethers.toUtf8Bytes(v.appMultiaddrUtf8)), ethers.id("x"), "0x"];
  row("createApp (owner's 2nd entry)", await send("appOwner", w.appRegistry, "createApp", ...app));
  const app3 = [...app.slice(0, 4), ethers.id("y"), ethers.hexlify(ethers.toUtf8Bytes(v.mrenclave141))];
  row("createApp with 141-byte mrenclave JSON", await send("appOwner", w.appRegistry, "createApp", ...app3));
  const nft = (registry) => registry.connect(w.signers.anyone);
  const token = async (registry, kind, args) => nft(registry)[`predict${kind}`](...args);
  const transfer = async (role, registry, id) => send(role, registry, "safeTransferFrom(address,address,uint256)", address[role], address.anyone, BigInt(id));
  row("App NFT safeTransferFrom", await transfer("appOwner", w.appRegistry, await token(w.appRegistry, "App", app)));
  const data = [address.datasetOwner, "my-dataset", v.datasetMultiaddr, ethers.id("x")];
  row("createDataset (owner's 2nd entry)", await send("datasetOwner", w.datasetRegistry, "createDataset", ...data));
  row("Dataset NFT safeTransferFrom", await transfer("datasetOwner", w.datasetRegistry, await token(w.datasetRegistry, "Dataset", data)));
  const pool = [address.scheduler, "my-workerpool"];
  row("createWorkerpool (owner's 2nd entry)", await send("scheduler", w.workerpoolRegistry, "createWorkerpool", ...pool));
  row("Workerpool NFT safeTransferFrom", await transfer("scheduler", w.workerpoolRegistry, await token(w.workerpoolRegistry, "Workerpool", pool)));

  /* escrow */
  const fresh = async (role) => send("admin", rlc, "transfer", address[role], many);
  await fresh("enclave");
  row("RLC approveAndCall deposit, first ever of the account", await send("enclave", rlc, "approveAndCall", hub.target, 1000, "0x"));
  row("RLC approveAndCall deposit, later", await send("enclave", rlc, "approveAndCall", hub.target, 1000, "0x"));
  await send("enclave", rlc, "approve", hub.target, 10n ** 12n);
  row("deposit (later)", await send("enclave", hub, "deposit", 1000));
  row("depositFor new account", await send("enclave", hub, "depositFor", 1000, "0x00000000000000000000000000000000000000a1"));
  row("withdraw part", await send("enclave", hub, "withdraw", 500));
  row("withdraw all", await send("enclave", hub, "withdraw", await hub.balanceOf(address.enclave)));
  row("sRLC transfer to new account", await send("requester", hub, "transfer", "0x00000000000000000000000000000000000000a2", 1000));
  row("sRLC approve", await send("requester", hub, "approve", address.anyone, 1000));
  row("sRLC transferFrom", await send("anyone", hub, "transferFrom", address.requester, "0x00000000000000000000000000000000000000a2", 10));

  /* deals */
  const matched = async (name, ...sets) => {
    const m = await match(...sets);
    row(name, m.receipt);
    return m.deal;
  };
  await matched("matchOrders: no dataset, all prices 0, empty params", noData, free);
  await matched("matchOrders: no dataset, prices, empty params", noData);
  await matched("matchOrders: dataset, prices, empty params", priced);
  await matched("matchOrders: dataset, prices, TDX tag, 233-byte params", tdx);
  await matched("matchOrders: dataset, prices, volume 10, category 4", bot(10), { workerpool: { category: 4 }, request: { category: 4 } });
  {
    const { receipt } = await w.match(w.orders(tdx), "sponsor", "sponsorMatchOrders");
    row("sponsorMatchOrders: dataset, prices, TDX tag, 233-byte params", receipt);
  }
  {
    const o = w.orders({ app: { volume: 9 }, dataset: { volume: 9 }, request: { volume: 9 } });
    await w.match(o);
    o.workerpool = w.orders().workerpool;
    row("matchOrders: second match of app/dataset/request orders (consumed slots already set)", (await w.match(o)).receipt);
  }
  {
    const o = w.orders();
    const manage = (role, kind, order, op) => send(role, hub, `manage${kind}Order`, [order, op, "0x"]);
    const list = [["appOwner", "App", "app"], ["datasetOwner", "Dataset", "dataset"], ["scheduler", "Workerpool", "workerpool"], ["requester", "Request", "request"]];
    for (const [role, kind, key] of list) row(`manage${kind}Order SIGN by owner`, await manage(role, kind, o[key], 0));
    row("matchOrders: four presigned orders, empty signatures", await send("anyone", hub, "matchOrders", o.app, o.dataset, o.workerpool, o.request));
    const p = w.orders();
    w.signAll(p);
    for (const [role, kind, key] of list) row(`manage${kind}Order CLOSE by owner`, await manage(role, kind, p[key], 1));
  }
  await matched("matchOrders: dataset, prices, all ten restrictions set to exact addresses", {
    app: { datasetrestrict: address.dataset, workerpoolrestrict: address.workerpool, requesterrestrict: address.requester },
    dataset: { apprestrict: address.app, workerpoolrestrict: address.workerpool, requesterrestrict: address.requester },
    workerpool: { apprestrict: address.app, datasetrestrict: address.dataset, requesterrestrict: address.requester },
  });
  {
    const cost = 1000n + 1000000n + 1000000007n;
    const call = hub.interface.encodeFunctionData("matchOrders", w.signAll(w.orders()));
    row("RLC approveAndCall deposit-and-match: dataset, prices, empty params", await send("requester", rlc, "approveAndCall", hub.target, cost, call));
  }

  /* tasks */
  const digest = ethers.id("result");
  const enclave = address.enclave;
  const contribution = (worker, task, challenge = ZERO) => {
    const hash = resultHash(task, digest);
    const seal = resultSeal(address[worker], task, digest);
    const sign = challenge === ZERO ? "0x" : w.personal("enclave", enclaveMessage(hash, seal));
    return [task, hash, seal, challenge, sign, w.authorize("scheduler", address[worker], task, challenge)];
  };
  const contribute = (worker, task, challenge) => send(worker, hub, "contribute", ...contribution(worker, task, challenge));
  const atOnce = (worker, task, challenge = ZERO) => {
    const [, , , , sign, authorization] = contribution(worker, task, challenge);
    return send(worker, hub, "contributeAndFinalize", task, digest, RESULTS, "0x", challenge, sign, authorization);
  };
  const init = (deal, i) => send("scheduler", hub, "initialize", deal, i);
  {
    const { deal } = await match(bot(4), tdx);
    const P = "(deal with 233-byte params)";
    for (const i of [0, 1, 2]) row(`initialize index ${i} ${P}`, await init(deal, i));
    row(`contributeAndFinalize TDX, dataset, 84-byte results, no callback ${P}`, await atOnce("worker1", taskId(deal, 0), enclave));
    row(`contribute TDX reaching consensus, stake 35 % ${P}`, await contribute("worker1", taskId(deal, 1), enclave));
    row("reveal", await send("worker1", hub, "reveal", taskId(deal, 1), digest));
    row(`finalize one worker, dataset, 84-byte results ${P}`, await send("scheduler", hub, "finalize", taskId(deal, 1), RESULTS, "0x"));
    const snapshot = await w.rpc("evm_snapshot");
    await w.rpc("evm_increaseTime", 4000);
    row(`claim ACTIVE task without contributor ${P}`, await send("anyone", hub, "claim", taskId(deal, 2)));
    await w.rpc("evm_revert", snapshot);
  }
  {
    const { deal } = await match(bot(4), noData);
    row("initialize index 0 (empty params)", await init(deal, 0));
    row("initialize index 1 (empty params)", await init(deal, 1));
    row("contributeAndFinalize standard, no dataset, 84-byte results, no callback (empty params)", await atOnce("worker1", taskId(deal, 0)));
    row("contribute standard reaching consensus (empty params)", await contribute("worker1", taskId(deal, 1)));
    row("reveal", await send("worker1", hub, "reveal", taskId(deal, 1), digest));
    row("finalize one worker, no dataset, 84-byte results (empty params)", await send("scheduler", hub, "finalize", taskId(deal, 1), RESULTS, "0x"));
  }
  const trusted = (trust) => ({ workerpool: { trust }, request: { trust } });
  {
    const { deal } = await match(trusted(100));
    await init(deal, 0);
    for (let i = 1; i <= 5; i++) row(`contribute ${i} of 5 (trust 100, scores 0)`, await contribute(`worker${i}`, taskId(deal, 0)));
  }
  {
    const { deal } = await match(trusted(15));
    await init(deal, 0);
    const task = taskId(deal, 0);
    for (let i = 1; i <= 4; i++) row(`contribute to a 4-worker consensus (trust 15, scores 0), worker${i}`, await contribute(`worker${i}`, task));
    for (let i = 1; i <= 4; i++) row(`reveal in a 4-worker consensus, worker${i}`, await send(`worker${i}`, hub, "reveal", task, digest));
    row("finalize 4 workers, dataset", await send("scheduler", hub, "finalize", task, "0x1234", "0x"));
  }
  {
    const { deal } = await match(bot(10));
    const deals = Array(5).fill(deal);
    row("initializeArray of 5", await send("scheduler", hub, "initializeArray", deals, [0, 1, 2, 3, 4]));
    await w.rpc("evm_increaseTime", 4000);
    row("claimArray of 5", await send("anyone", hub, "claimArray", [0, 1, 2, 3, 4].map((i) => taskId(deal, i))));
    row("initializeAndClaimArray of 5", await send("anyone", hub, "initializeAndClaimArray", deals, [5, 6, 7, 8, 9]));
  }
  {
    const { deal } = await match(priced);
    await init(deal, 0);
    await contribute("worker1", taskId(deal, 0));
    await w.rpc("evm_increaseTime", 700);
    row("reopen (1 contributor)", await send("scheduler", hub, "reopen", taskId(deal, 0)));
  }
  row("createCategory", await send("admin", hub, "createCategory", "XS", '""', 300));

  if (process.argv.includes("--calldata")) {
    for (const r of rows) {
      const tx = await w.provider.getTransaction(r.tx);
      if (tx && ethers.dataLength(tx.data) !== r.size) console.error(`calldata differs: ${r.name}: ${ethers.dataLength(tx.data)} for ${r.size}`);
    }
  }
} finally {
  await w.stop();
}

const missing = official.filter((c) => !rows.some((r) => r.name === c.case));
for (const c of missing) process.stderr.write(`not measured: ${c.case}\n`);

const of = (name) => {
  const m = /^(RLC approveAndCall|sRLC \w+|depositFor|deposit|withdraw|\w+ NFT safeTransferFrom|\w+)/.exec(name)[1];
  return m.replace("RLC approveAndCall", "receiveApproval").replace(/^s?receive/, "receive").replace(/ NFT /, ".").replace(/^sRLC /, "");
};
const groups = new Map();
for (const r of rows) {
  const key = of(r.name);
  if (!groups.has(key)) groups.set(key, []);
  groups.get(key).push({ ...r, ratio: r.ours / r.official });
}
if (process.argv.includes("--rows")) {
  for (const r of rows) console.log(`${(r.ours / r.official).toFixed(3)}  ${String(r.ours).padStart(7)} / ${String(r.official).padStart(7)}  ${r.name}`);
  console.log();
}
const range = (list) => {
  const [a, b] = [Math.min(...list), Math.max(...list)];
  return a === b ? String(a) : `${a}-${b}`;
};
console.log(`${"function".padEnd(28)} rows ${"ours".padStart(15)} ${"official".padStart(15)}  worst   goal  ratio`);
let bad = missing.length;
for (const [name, list] of groups) {
  const ratio = Math.exp(list.reduce((sum, r) => sum + Math.log(r.ratio), 0) / list.length);
  const worst = Math.max(...list.map((r) => r.ratio));
  const goal = GOALS[name];
  if (worst > 1 || (goal !== undefined && ratio > goal)) bad++;
  console.log(
    `${name.padEnd(28)} ${String(list.length).padStart(4)} ${range(list.map((r) => r.ours)).padStart(15)} ` +
      `${range(list.map((r) => r.official)).padStart(15)}  ${worst.toFixed(3)}  ${(goal === undefined ? "-" : goal.toFixed(2)).padStart(5)}  ${ratio.toFixed(3)}`,
  );
}
if (process.argv.includes("--check") && bad) process.exit(1);
