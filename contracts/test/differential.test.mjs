// SPDX-License-Identifier: Apache-2.0
//
// The official bytecode and ours, side by side: the same random calls at the same times by the same parties; the same
// events, refusals and views must come out, after what depends on addresses is given names.
//
// Where 6.1.0 (compared here) and 6.2 (built here, judged by the vectors) differ, the calls keep away:
//   - a dataset order's framework bits: only tags without them are used;
//   - receiveApproval with data (deposit and match) is not in 6.1.0.
// Where ours differs on purpose (contracts/README.md, "Fixes"), likewise.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ethers } from "ethers";
import { TYPES, World, enclaveMessage, resultHash, resultSeal, revertData, taskId } from "./world.mjs";
import { deployOfficial, officialPackage } from "./official.mjs";

const ZERO = ethers.ZeroAddress;
const folder = officialPackage();
const skip = folder ? false : "the official package is not at hand (tools/bootstrap test fetches it)";
const PEOPLE = ["requester", "sponsor", "appOwner", "datasetOwner", "scheduler", "anyone", "kitty", "poco", "worker1", "worker2", "worker3", "worker4"];

let ours;
let theirs;
before(async () => {
  if (skip) return;
  ours = await World.start();
  theirs = await World.start();
  await ours.deploy();
  await deployOfficial(theirs, folder);
  for (const w of [ours, theirs]) {
    w.names = new Map();
    await w.entries({ policy: [35, 5] });
    w.address.client = (await w.mock("OracleClientMock")).target;
    w.address.group = (await w.mock("GroupMock")).target;
    await w.stake(Object.fromEntries(PEOPLE.filter((p) => p !== "kitty" && p !== "poco").map((p) => [p, 10n ** 12n])));
    for (const role of ["requester", "anyone"]) {
      await w.send("admin", w.rlc, "transfer", w.address[role], 10n ** 12n);
      await w.send(role, w.rlc, "approve", w.hub.target, 10n ** 12n);
    }
    await w.setScore(w.address.worker2, 30);
    await w.setScore(w.address.worker3, 100);
    for (const [name, at] of Object.entries(w.address)) if (at) w.names.set(at.toLowerCase(), name);
    w.iface = new ethers.Interface([...w.hub.interface.fragments, "event GotResult(bytes32 indexed id, bytes data)"]);
  }
});
after(async () => {
  await ours?.stop();
  await theirs?.stop();
});

/* mulberry32: the same life each time, unless SEED says otherwise */
function random(seed) {
  return (n) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

function named(w, v) {
  if (Array.isArray(v)) return v.map((x) => named(w, x));
  if (typeof v === "bigint") return v.toString();
  if (typeof v === "string" && v.startsWith("0x")) {
    let text = v.toLowerCase();
    for (const [value, name] of w.names) if (text.includes(value.slice(2))) text = text === value ? name : text.replaceAll(value.slice(2), `<${name}>`);
    return text;
  }
  return v;
}

/* The same call on both: its outcome, named. */
async function both(as, make, what) {
  const time = Math.max(await now(ours), await now(theirs)) + 3;
  const results = await Promise.all([ours, theirs].map(async (w) => {
    const { to = w.hub.target, data } = make(w);
    const tx = { from: w.address[as], to, data };
    let result;
    try {
      await w.rpc("eth_call", { ...tx, gas: "0x2000000" }, "latest", {}, { time: ethers.toQuantity(time) });
      await w.rpc("evm_setNextBlockTimestamp", time);
      const receipt = await (await w.signers[as].sendTransaction({ to, data, gasLimit: 8_000_000 })).wait();
      result = receipt.logs.map((log) => {
        const parsed = w.iface.parseLog(log) ?? { signature: log.topics[0], args: [log.data] };
        return [named(w, log.address), parsed.signature, named(w, [...parsed.args])];
      });
    } catch (error) {
      result = revertData(error);
      await w.rpc("evm_setNextBlockTimestamp", time);
      await w.rpc("evm_mine");
    }
    return result;
  }));
  assert.deepEqual(results[0], results[1], what);
  return Array.isArray(results[0]);
}

const now = async (w) => (await w.provider.getBlock("latest")).timestamp;

async function sameView(method, args, what) {
  const values = await Promise.all([ours, theirs].map(async (w) => {
    let v;
    try {
      const fragment = w.hub.interface.getFunction(method);
      const data = w.hub.interface.encodeFunctionData(fragment, args(w));
      const raw = await w.provider.call({ to: w.hub.target, data });
      v = named(w, w.hub.interface.decodeFunctionResult(fragment, raw).toArray(true));
    } catch (error) {
      v = revertData(error);
    }
    return v;
  }));
  assert.deepEqual(values[0], values[1], `${method} ${what}`);
}

async function wait(seconds) {
  const time = Math.max(await now(ours), await now(theirs)) + seconds;
  for (const w of [ours, theirs]) {
    await w.rpc("evm_setNextBlockTimestamp", time);
    await w.rpc("evm_mine");
  }
}

async function sameMoney(what) {
  await Promise.all(PEOPLE.map((p) => sameView("viewAccount", (w) => [w.address[p]], `${p} ${what}`)));
  await sameView("totalSupply", () => [], what);
}

for (const seed of process.env.SEED ? [Number(process.env.SEED)] : [1, 2, 3]) {
  test(`random life ${seed} is the same on both`, { skip }, async () => {
    const snapshots = [await ours.rpc("evm_snapshot"), await theirs.rpc("evm_snapshot")];
    const pick = random(seed);
    const deals = [];
    const tasks = [];
    const stock = [];
    const done = {};
    const count = (name, ok) => {
      done[name] = (done[name] ?? 0) + (ok ? 1 : 0);
    };
    const call = (method, ...args) => (w) => ({ data: w.hub.interface.encodeFunctionData(method, args.map((a) => (typeof a === "function" ? a(w) : a))) });
    const digest = (i) => ethers.id(`result ${i}`);
    const price = () => BigInt(pick(3) === 0 ? 0 : pick(2 ** 30));

    /* plans of orders: the same in both worlds but for addresses */
    const plan = () => {
      const volume = 1 + pick(4);
      const trust = [0, 1, 1, 2, 5, 20][pick(6)];
      const tag = ethers.toBeHex([0, 0, 1, 9][pick(4)], 32);
      return {
        volume, trust, tag, appprice: price(), dataprice: price(), poolprice: price(), without: pick(3) === 0,
        category: pick(3), params: "x".repeat([0, 5, 200][pick(3)]), callback: pick(5) === 0,
        restrict: pick(6), more: pick(3),
      };
    };
    const build = (w, p, n) => {
      w.saltCount = 1000 * (n + 1) + seed * 1_000_000;
      const { volume, tag } = p;
      const o = w.orders({
        app: { volume: volume + p.more, tag, appprice: p.appprice, ...(p.restrict === 1 && { requesterrestrict: w.address.group }), ...(p.restrict === 2 && { workerpoolrestrict: w.address.workerpool }) },
        dataset: p.without ? null : { volume, tag: ethers.toBeHex(BigInt(tag) & 1n, 32), datasetprice: p.dataprice },
        workerpool: { volume: volume + p.more, tag: ethers.toBeHex(BigInt(tag) | 0x100n, 32), workerpoolprice: p.poolprice, trust: p.trust, category: p.category },
        request: { volume, tag, trust: p.trust, category: p.category, params: p.params, ...(p.callback && { callback: w.address.client }) },
      });
      w.signAll(o);
      for (const kind of Object.keys(TYPES)) w.names.set(w.hash(kind, o[kind]), `${kind}Order ${n}`);
      return o;
    };
    const orders = (w, n) => (w.stock ??= new Map()).get(`${seed} ${n}`) ?? (w.stock.set(`${seed} ${n}`, build(w, stock[n], n)), w.stock.get(`${seed} ${n}`));

    for (let step = 0; step < 160; step++) {
      const action = pick(24);
      const what = `step ${step}`;
      if (action < 4) {
        if (pick(4) || !stock.length) stock.push(plan());
        const n = pick(4) ? stock.length - 1 : pick(stock.length);
        const sponsored = pick(4) === 0;
        const firsts = [];
        for (const w of [ours, theirs]) {
          const o = orders(w, n);
          const hash = w.hash("request", o.request);
          const first = await w.hub.viewConsumed(hash);
          const deal = taskId(hash, first);
          firsts.push({ first, deal });
          w.names.set(deal, `deal ${n} ${first}`);
        }
        assert.equal(firsts[0].first, firsts[1].first);
        await sameView("computeDealVolume", (w) => Object.values(orders(w, n)), what);
        const method = sponsored ? "sponsorMatchOrders" : "matchOrders";
        const ok = await both(sponsored ? "sponsor" : "anyone", (w) => call(method, ...Object.values(orders(w, n)))(w), `${what} ${method}`);
        count(method, ok);
        if (ok) {
          const first = Number(firsts[0].first);
          deals.push({ n, first, ids: new Map([[ours, firsts[0].deal], [theirs, firsts[1].deal]]), volume: stock[n].volume, plan: stock[n] });
          const d = deals.at(-1);
          for (const view of ["viewDeal", "viewDealABILegacy_pt1", "viewDealABILegacy_pt2", "viewConfigABILegacy"]) {
            await sameView(view, (w) => [d.ids.get(w)], what);
          }
          for (const kind of Object.keys(TYPES)) await sameView("viewConsumed", (w) => [w.hash(kind, orders(w, n)[kind])], what);
        }
      } else if (action < 7 && deals.length) {
        const d = deals[deals.length - 1 - pick(Math.min(3, deals.length))];
        const index = d.first + pick(d.volume + 1);
        const ids = new Map([ours, theirs].map((w) => [w, taskId(d.ids.get(w), index)]));
        for (const w of [ours, theirs]) w.names.set(ids.get(w), `task ${d.n} ${index}`);
        const ok = await both("anyone", call("initialize", (w) => d.ids.get(w), index), `${what} initialize`);
        count("initialize", ok);
        if (ok) tasks.push({ d, ids });
      } else if (action < 20 && tasks.length) {
        const t = tasks[tasks.length - 1 - pick(Math.min(3, tasks.length))];
        const id = (w) => t.ids.get(w);
        /* mostly what the task is ready for, so that lives go on to their ends */
        const state = await ours.hub.viewTask(id(ours));
        const status = Number(state.status);
        const busy = [...state.contributors].map((a) => named(ours, a));
        const todo = pick(8) === 0
          ? ["contribute", "contributeAndFinalize", "reveal", "finalize", "reopen", "claim"][pick(6)]
          : status === 1
            ? ["contribute", "contribute", "contribute", "contributeAndFinalize", "claim"][pick(5)]
            : ["reveal", "reveal", "reveal", "finalize", "reopen", "claim"][pick(6)];
        if (pick(10) === 0) await wait([610, 2110, 3010, 37000][pick(4)]);
        const worker = todo === "reveal" && busy.length && pick(6) ? busy[pick(busy.length)] : `worker${1 + pick(4)}`;
        const which = pick(3) ? 0 : pick(2);
        const data = t.d.plan.callback ? "0x1234" : "0x";
        const hashed = t.d.plan.callback ? ethers.keccak256("0x1234") : digest(which);
        for (const w of [ours, theirs]) {
          w.names.set(resultHash(id(w), hashed), `hash ${which}`);
          for (const r of [1, 2, 3, 4]) w.names.set(resultSeal(w.address[`worker${r}`], id(w), hashed), `seal ${r} ${which}`);
        }
        const enclave = BigInt(t.d.plan.tag) & 1n || pick(3) === 0 ? "enclave" : undefined;
        const challenge = (w) => (enclave ? w.address.enclave : ZERO);
        const sign = (w) => {
          const hash = resultHash(id(w), hashed);
          return enclave ? w.personal("enclave", enclaveMessage(hash, resultSeal(w.address[worker], id(w), hashed))) : "0x";
        };
        const auth = (w) => w.authorize(pick.wrong ? "anyone" : "scheduler", w.address[worker], id(w), challenge(w));
        const results = ["0x", "0x1234", ethers.hexlify(ethers.toUtf8Bytes("a location of a result ".repeat(4)))][pick(3)];
        pick.wrong = pick(12) === 0;
        let name;
        let ok;
        name = todo;
        if (name === "contribute") {
          ok = await both(worker, call(name, id, (w) => resultHash(id(w), hashed), (w) => resultSeal(w.address[worker], id(w), hashed), challenge, sign, auth), `${what} ${name}`);
        } else if (name === "contributeAndFinalize") {
          ok = await both(worker, call(name, id, hashed, results, data, challenge, sign, auth), `${what} ${name}`);
        } else if (name === "reveal") {
          ok = await both(worker, call(name, id, hashed), `${what} ${name}`);
        } else if (name === "finalize") {
          ok = await both("scheduler", call(name, id, results, data), `${what} ${name}`);
        } else {
          ok = await both(name === "reopen" ? "scheduler" : "anyone", call(name, id), `${what} ${name}`);
        }
        count(name, ok);
        const at = (r) => (w) => w.address[`worker${r}`];
        await Promise.all([
          ...["viewTask", "viewTaskABILegacy", "resultFor"].map((view) => sameView(view, (w) => [id(w)], what)),
          ...[1, 2, 3, 4].flatMap((r) => [
            sameView("viewContribution", (w) => [id(w), at(r)(w)], what),
            sameView("viewContributionABILegacy", (w) => [id(w), at(r)(w)], what),
            sameView("viewScore", (w) => [at(r)(w)], what),
          ]),
        ]);
      } else if (action === 20) {
        const amount = pick(2 ** 30);
        const [method, args] = [
          ["deposit", [amount]], ["withdraw", [amount]], ["transfer", [(w) => w.address.sponsor, amount]],
          ["approve", [(w) => w.address.anyone, amount]], ["transferFrom", [(w) => w.address.requester, (w) => w.address.sponsor, amount >> 1]],
          ["increaseAllowance", [(w) => w.address.anyone, 5]], ["decreaseAllowance", [(w) => w.address.anyone, amount]],
          ["withdraw", [10n ** 15n]], ["depositFor", [amount, ZERO]], ["transfer", [ZERO, 1]], ["withdrawTo", [amount, (w) => w.address.anyone]],
        ][pick(11)];
        count(method, await both(pick(2) ? "requester" : "anyone", call(method, ...args), `${what} ${method}`));
      } else if (action === 21 && stock.length) {
        const n = pick(stock.length);
        const kind = Object.keys(TYPES)[pick(4)];
        const role = { app: "appOwner", dataset: "datasetOwner", workerpool: "scheduler", request: "requester" }[kind];
        const who = pick(3) ? role : "anyone";
        const op = pick(2);
        const method = `manage${kind[0].toUpperCase()}${kind.slice(1)}Order`;
        if (!(kind === "dataset" && stock[n].without)) {
          const ok = await both(who, (w) => {
            const order = orders(w, n)[kind];
            const signature = who === role ? "0x" : w.operationSign(kind, order, pick.other ? 1 - op : op);
            return call(method, { order, operation: op, sign: signature })(w);
          }, `${what} ${method}`);
          pick.other = pick(4) === 0;
          count(method, ok);
          await sameView("viewConsumed", (w) => [w.hash(kind, orders(w, n)[kind])], what);
          await sameView("viewPresigned", (w) => [w.hash(kind, orders(w, n)[kind])], what);
        }
      } else {
        await wait([50, 400, 700, 2000][pick(4)]);
      }
      if (step % 5 === 4) await sameMoney(what);
    }
    await sameMoney("at the end");
    if (process.env.VERBOSE) console.log(seed, JSON.stringify(done));
    assert.ok(done.contribute > 0 && done.matchOrders > 0 && done.initialize > 0, "something happened");
    await ours.rpc("evm_revert", snapshots[0]);
    await theirs.rpc("evm_revert", snapshots[1]);
  });
}
