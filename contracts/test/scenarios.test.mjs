// SPDX-License-Identifier: Apache-2.0
//
// Every executed scenario of the official contracts, replayed on ours: the same calls, and then the same events,
// balances, views and refusals. Names like $task[0] stand for what depends on the deployment; they are computed from
// their definitions or, for deals, learned from the first event that has them, and must hold from then on.
// Left out: Boost and native mode, which are not built.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ethers } from "ethers";
import { SIGNER, TYPES, World, enclaveMessage, resultHash, resultSeal, revertData, taskId, vectors } from "./world.mjs";

const RESULTS84 = vectors("gas-official.json").results84;
const PRICE_DATA = "0x000000000000000000000000000000000000000000000000000001856aa0c80000000000000000000000000000000000000000000000000000000000000003e8";
const KINDS = { AppOrder: "app", DatasetOrder: "dataset", WorkerpoolOrder: "workerpool", RequestOrder: "request" };

/* of the deployment that the scenarios ran on */
const RECEIVED = "GotApproval(address,uint256,address,bytes)";
const OFFICIAL_SEPARATOR = "0x45e0a4766117f93e3b8ef23e482aed68e1f68432430bfa659968ce778d206ff1";

let w;
before(async () => {
  w = await World.start();
  await w.deploy();
  const mocks = { client: "OracleClientMock", "reverting contract": "RevertingMock", gasWaster: "GasWasterMock", testReceiver: "ReceiverMock" };
  await w.send("admin", w.rlc, "transfer", w.address.requester, 10n ** 12n);
  for (const [name, contract] of Object.entries(mocks)) w.address[name] = (await w.mock(contract)).target;
});
after(() => w.stop());

/* The payload that a vector names by its beginning. */
function payload(text) {
  text = text.replace(/\.\.\.$/, "");
  for (const full of [RESULTS84, PRICE_DATA]) if (text.length >= 15 && full.startsWith(text)) return full;
  return text;
}
const digestOf = (text) => ethers.keccak256(text.startsWith("0x") ? text : ethers.toUtf8Bytes(text));

class Replay {
  constructor(scenario) {
    this.scenario = scenario;
    this.bound = new Map(); // deals, learned
    this.hashes = new Map(); // "appOrder 2" -> hash
    this.orders = new Map();
    this.address = { ...w.address };
    this.tokens = new Map(); // token ids of the official deployment -> ours
  }

  task(name) {
    const [, label, index] = /^task([^[]*)\[(\d+)\]$/.exec(name);
    const deal = this.bound.get(`deal${label}`);
    assert.ok(deal, `deal of ${name} is known`);
    return taskId(deal, Number(index));
  }

  symbol(text) {
    const name = text.slice(1);
    let m;
    if (name in this.address) return this.address[name];
    if (this.bound.has(name)) return this.bound.get(name);
    if ((m = /^task[^[]*\[\d+\]$/.exec(name))) return this.task(name);
    if ((m = /^digest\("(.*)"\)$/s.exec(name))) return digestOf(payload(m[1]));
    if ((m = /^resultHash\((.*?\[\d+\]),"(.*)"\)$/s.exec(name))) return resultHash(this.task(m[1]), digestOf(payload(m[2])));
    if ((m = /^resultSeal\((\w+),(.*?\[\d+\]),"(.*)"\)$/s.exec(name))) {
      return resultSeal(this.address[m[1]], this.task(m[2]), digestOf(payload(m[3])));
    }
    if ((m = /^authSign\((\w+);(\w+),(.*\])\)$/.exec(name))) {
      return w.authorize(m[1], this.address[m[2]], this.task(m[3]), this.challenge ?? ethers.ZeroAddress);
    }
    if ((m = /^enclaveSign\((\w+);(\w+),(.*\])\)$/.exec(name))) {
      const task = this.task(m[3]);
      const worker = this.address[m[2]];
      return w.personal(m[1], enclaveMessage(resultHash(task, this.digest), resultSeal(worker, task, this.digest)));
    }
    if ((m = /^salt\((.*)\)$/.exec(name))) return ethers.id(this.scenario.name + m[1]);
    if ((m = /^hash\((.*)\)$/.exec(name)) && this.hashes.has(m[1])) return this.hashes.get(m[1]);
    if ((m = /^opSign\((\w+),(\w+)\)$/.exec(name))) {
      return w.operationSign(m[2], this.operationOrder, m[1] === "SIGN" ? 0 : 1);
    }
    if ((m = /^calldata\((.*)\)$/.exec(name))) return this.matchCalldata(m[1]);
    return undefined;
  }

  value(v) {
    if (v === OFFICIAL_SEPARATOR) return ethers.TypedDataEncoder.hashDomain(w.domain);
    if (typeof v === "string" && v.startsWith("$") && v !== "$") {
      const known = this.symbol(v);
      if (known === undefined) throw new Error(`unknown symbol ${v}`);
      return known;
    }
    if (typeof v === "string") for (const [theirs, ours] of this.tokens) v = v.replace(theirs, ours);
    if (Array.isArray(v)) return v.map((x) => this.value(x));
    if (v && typeof v === "object") return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, this.value(x)]));
    return v;
  }

  /* An order of the arguments: fields first, then what its label and signature mean. */
  order(kind, raw) {
    const { sign, ...rest } = raw;
    const fields = this.value(rest);
    const order = { ...fields, sign: "0x" };
    const label = /^\$salt\((.*)\)$/.exec(raw.salt)?.[1];
    const full = Object.keys(KINDS).find((k) => KINDS[k] === kind);
    const hash = w.hash(kind, order);
    const names = [label && label.replace(/^\w+/, (k) => k + "Order"), /^\$sign\((.*)\)$/.exec(sign)?.[1]];
    for (const name of names) if (name) this.hashes.set(name, hash);
    assert.ok(TYPES[kind][full]);
    if (sign?.startsWith("$sign(")) order.sign = w.sign(kind, order, this.signerOf(kind, order));
    else if (sign) order.sign = this.value(sign);
    return order;
  }

  signerOf(kind, order) {
    if (kind !== "request") return SIGNER[kind];
    return Object.keys(this.address).find((n) => this.address[n] === order.requester && w.signers[n]);
  }

  /* escrow-token's deposit-and-match: two tasks, default prices */
  matchCalldata(what) {
    const other = what.includes("requester=anyone");
    const key = other ? "other" : "own";
    if (!this.orders.has(key)) {
      const volume = 2;
      const set = { volume };
      const o = w.orders({
        app: set, dataset: set, workerpool: set,
        request: { volume, requester: other ? this.address.anyone : this.address.requester },
      });
      const list = w.signAll(o, { signers: other ? { request: "anyone" } : {} });
      if (!other) {
        for (const [name, kind] of Object.entries(KINDS)) {
          this.hashes.set(name[0].toLowerCase() + name.slice(1), w.hash(kind, o[kind]));
        }
      }
      this.orders.set(key, w.hub.interface.encodeFunctionData("matchOrders", list));
    }
    return this.orders.get(key);
  }

  target(step) {
    return this.address[step.to.slice(1)];
  }

  calldata(step) {
    if (step.call.startsWith("(raw calldata) ")) return step.call.slice(15);
    const fragment = ethers.FunctionFragment.from(`function ${step.call}`);
    const raw = Object.values(step.args ?? {});
    const named = step.args ?? {};
    this.challenge = named.enclaveChallenge ? this.value(named.enclaveChallenge) : undefined;
    this.digest = named.resultDigest ? this.value(named.resultDigest) : undefined;
    const method = fragment.name;
    let args;
    if (/atchOrders$/.test(method)) {
      args = raw.map((o, i) => this.order(Object.values(KINDS)[i], o));
    } else if (/^manage/.test(method)) {
      const kind = KINDS[method.slice(6)];
      const order = this.order(kind, raw[0].order);
      this.operationOrder = order;
      args = [{ order, operation: raw[0].operation, sign: this.operationSignature(raw[0].sign) }];
    } else {
      args = raw.map((v) => this.value(v));
    }
    const list = args.map((v, i) => shape(fragment.inputs[i], v));
    return new ethers.Interface([fragment]).encodeFunctionData(fragment, list);
  }

  operationSignature(sign) {
    if (sign === "$opSign(someone else)" || /someone/.test(sign)) return w.sign("app", this.operationOrder, "anyone");
    return this.value(sign);
  }
}

/* Objects of the vectors into arrays in the order of the ABI. */
function shape(input, v) {
  if (input.baseType === "array") return v.map((x) => shape(input.arrayChildren, x));
  if (input.baseType === "tuple") {
    const values = Array.isArray(v) ? v : Object.values(v);
    return input.components.map((c, i) => shape(c, values[i]));
  }
  return v;
}

/* What a call or event returned, as nested arrays of strings. */
function plain(v) {
  if (typeof v === "bigint") return v.toString();
  if (typeof v === "boolean") return v;
  if (Array.isArray(v)) return v.map(plain);
  if (typeof v === "string") return ethers.isAddress(v) ? v.toLowerCase() : v;
  return v;
}
function plainExpected(v) {
  if (v && typeof v === "object" && !Array.isArray(v)) return Object.values(v).map(plainExpected);
  if (Array.isArray(v)) return v.map(plainExpected);
  if (typeof v === "string") return ethers.isAddress(v) && v.length === 42 ? v.toLowerCase() : v;
  return v;
}

const INTERFACES = () => ({
  poco: w.hub.interface,
  rlc: w.rlc.interface,
  appRegistry: w.appRegistry.interface,
  datasetRegistry: w.datasetRegistry.interface,
  workerpoolRegistry: w.workerpoolRegistry.interface,
  dataProtector: w.dataProtector.interface,
  app: w.contract("Entry", "App", ethers.ZeroAddress).interface,
  dataset: w.contract("Entry", "Dataset", ethers.ZeroAddress).interface,
  workerpool: w.contract("Entry", "Workerpool", ethers.ZeroAddress).interface,
  client: w.contract("Mocks", "OracleClientMock", ethers.ZeroAddress).interface,
  testReceiver: w.contract("Mocks", "ReceiverMock", ethers.ZeroAddress).interface,
});

async function checkEvents(replay, step, receipt) {
  const interfaces = INTERFACES();
  /* The token of our deployment may say more than that of the official one: only order and arguments count. */
  const want = step.events ?? [];
  assert.deepEqual(
    receipt.logs.map((log) => {
      const name = Object.keys(replay.address).find((n) => replay.address[n]?.toLowerCase() === log.address.toLowerCase() && interfaces[n]);
      return `${name}:${interfaces[name].parseLog(log)?.signature}`;
    }),
    want.map((e) => `${e.emitter.slice(1)}:${e.event ?? RECEIVED}`),
  );
  receipt.logs.forEach((log, i) => {
    const iface = interfaces[want[i].emitter.slice(1)];
    const got = plain([...iface.parseLog(log).args]);
    if (!want[i].event) {
      /* an event of the official test receiver, known by its data only: sender, amount, token, data */
      const types = ["address", "uint256", "address", "bytes"];
      const expected = [...ethers.AbiCoder.defaultAbiCoder().decode(types, want[i].data)];
      expected[2] = w.address.poco;
      assert.deepEqual(got, plain(expected));
      return;
    }
    const expected = Object.values(want[i].args).map((v, k) => {
      if (typeof v === "string" && /^\$deal/.test(v) && replay.symbol(v) === undefined) {
        replay.bound.set(v.slice(1), got[k]);
        if (/^\$deal/.test(v) && replay.scenario.name === "multi-match") return got[k];
      }
      if (typeof v === "string" && /^\$task$/.test(v)) return got[k];
      return replay.value(v);
    });
    assert.deepEqual(got, plainExpected(expected), `${want[i].event} (event ${i})`);
  });
}

async function checkAccounts(replay, step) {
  for (const [symbol, [stake, locked]] of Object.entries(step.accounts ?? {})) {
    const got = await w.hub.viewAccount(replay.value(symbol));
    assert.deepEqual(plain([...got]), [stake, locked], `account ${symbol}`);
  }
}

async function checkViews(replay, step) {
  const interfaces = INTERFACES();
  for (const [call, want] of Object.entries(step.views ?? {})) {
    const [, name, inner] = /^(\w+)\((.*)\)$/s.exec(call);
    const parts = inner === "" ? [] : split(inner);
    const args = parts.map((p) => (p.startsWith("$") ? replay.value(p) : p === "0x" ? "0x" : p));
    /* the view's contract: the step's own first, then any that has it */
    const order = [step.to?.slice(1), "poco", "rlc", ...Object.keys(interfaces)].filter((n) => n && interfaces[n]);
    if (replay.scenario.name === "registries") order.unshift(...Object.keys(interfaces).filter((n) => n !== "poco" && n !== "rlc").sort((a) => (a.endsWith("Registry") ? 1 : -1)));
    let matched = false;
    const tried = [];
    for (const n of new Set(order)) {
      const fragment = interfaces[n].fragments.find((f) => f.type === "function" && f.name === name && f.inputs.length === args.length && ["view", "pure"].includes(f.stateMutability));
      if (!fragment) continue;
      let got;
      try {
        const data = interfaces[n].encodeFunctionData(fragment, args);
        got = plain([...interfaces[n].decodeFunctionResult(fragment, await w.provider.call({ to: replay.address[n], data }))]);
      } catch (error) {
        tried.push(`${n}: ${error.shortMessage ?? error.message}`);
        continue;
      }
      const expected = plainExpected(replay.value(view(fragment, want)));
      try {
        assert.deepEqual(got, expected);
        matched = true;
        break;
      } catch (error) {
        tried.push(`${n}: ${JSON.stringify(got)} for ${JSON.stringify(expected)}`);
      }
    }
    assert.ok(matched, `view ${call}: ${tried.join(" | ")}`);
  }
}

/* Token ids are addresses of our deployment; the domain is ours. */
function view(fragment, want) {
  return want;
}

/* Commas outside of parentheses and quotes. */
function split(text) {
  const parts = [];
  let depth = 0;
  let current = "";
  for (const c of text) {
    if (c === "(" || c === "[") depth++;
    if (c === ")" || c === "]") depth--;
    if (c === "," && depth === 0) {
      parts.push(current);
      current = "";
    } else current += c;
  }
  return [...parts, current];
}

/* Accounts before the first transaction: those after it, less its events. */
function initialAccounts(scenario) {
  const accounts = {};
  const first = scenario.steps.find((s) => s.status === 1);
  for (const [name, [stake, locked]] of Object.entries(first?.accounts ?? {})) {
    accounts[name] = [BigInt(stake), BigInt(locked)];
  }
  const add = (name, i, v) => {
    accounts[name] ??= [0n, 0n];
    accounts[name][i] += v;
  };
  for (const e of first?.events ?? []) {
    if (e.emitter !== "$poco") continue;
    if (e.event.startsWith("Transfer")) {
      add(e.args.from, 0, BigInt(e.args.value));
      add(e.args.to, 0, -BigInt(e.args.value));
    }
    if (e.event.startsWith("Lock")) add(e.args.owner, 1, -BigInt(e.args.amount));
  }
  return Object.fromEntries(
    Object.entries(accounts)
      .filter(([name, [stake]]) => name.startsWith("$") && name !== "$poco" && stake > 0n)
      .map(([name, [stake]]) => [name.slice(1), stake]),
  );
}

async function expectRefusal(replay, step, next) {
  const data = replay.calldata(step);
  const tx = { from: replay.value(step.from), to: replay.target(step), data, gas: "0x1000000" };
  /* Time passes between the last transaction and the next one: the refusal holds at one end of it. */
  const latest = await w.provider.getBlock("latest");
  const seen = [];
  for (const time of [latest.timestamp + 1, next ? next.timestamp - 1 : latest.timestamp + 1_000_000]) {
    let got;
    try {
      await w.rpc("eth_call", tx, "latest", {}, { time: ethers.toQuantity(time) });
      got = "no revert";
    } catch (error) {
      got = revertData(error);
    }
    if (got === replay.revertData(step)) return;
    seen.push(got);
  }
  assert.fail(`${step.note ?? ""} ${step.call.split("(")[0]}: got ${seen.join(", ")}, want ${replay.revertData(step)}`);
}

/* Custom errors name addresses and ids of the official deployment: encoded again with ours. */
Replay.prototype.revertData = function (step) {
  if (step.expectRevert.type !== "custom") return step.revertData;
  const args = step.expectRevert.args.map((a) => this.value(a));
  const iface = new ethers.Interface([`error ${step.expectRevert.error}`]);
  return iface.encodeErrorResult(step.expectRevert.error, args);
};

async function replayScenario(name, prepare) {
  const scenario = vectors(`scenario-${name}.json`);
  const snapshot = await w.rpc("evm_snapshot");
  try {
    const text = JSON.stringify(scenario);
    const policy = /"schedulerRewardRatio":"5"|35\/5|stake 35|"350000002"/.test(text) ? [35, 5] : undefined;
    if (!["registries", "dataprotector"].includes(name)) await w.entries({ policy });
    const replay = new Replay(scenario);
    await prepare?.(replay);
    await w.stake(initialAccounts(scenario));
    let steps = 0;
    for (let i = 0; i < scenario.steps.length; i++) {
      const step = scenario.steps[i];
      const label = `step ${i} ${step.note ?? ""} ${step.call?.split("(")[0] ?? ""}`;
      try {
        if (step.expectRevert) {
          await expectRefusal(replay, step, scenario.steps.slice(i + 1).find((s) => s.timestamp));
        } else if (step.from) {
          const stray = /^(\d+) nRLC had been sent to the contract without deposit/.exec(step.note ?? "");
          if (stray) await w.send("admin", w.rlc, "transfer", w.hub.target, stray[1]);
          const tx = { to: replay.target(step), data: replay.calldata(step), value: step.value ?? 0, gasLimit: 5_000_000 };
          await w.rpc("evm_setNextBlockTimestamp", step.timestamp);
          const role = step.from.slice(1);
          const receipt = await (await w.signers[role].sendTransaction(tx)).wait();
          await checkEvents(replay, step, receipt);
        } else if (step.computeDealVolume !== undefined) {
          /* the four orders are those of the next call */
          const next = scenario.steps.slice(i + 1).find((s) => /matchOrders/.test(s.call ?? "") && s.status === 1);
          const data = replay.calldata(next);
          const args = w.hub.interface.decodeFunctionData("matchOrders", data).toArray(true);
          assert.equal((await w.hub.computeDealVolume(...args)).toString(), String(step.computeDealVolume));
        }
        await checkAccounts(replay, step);
        await checkViews(replay, step);
        steps++;
      } catch (error) {
        error.message = `${label}: ${error.message}`;
        throw error;
      }
    }
    assert.equal(steps, scenario.steps.length);
  } finally {
    await w.rpc("evm_revert", snapshot);
  }
}

const scores = (map) => async () => {
  for (const [role, score] of Object.entries(map)) await w.setScore(w.address[role], score);
};
const predicted = async (replay) => {
  for (const step of replay.scenario.steps) {
    if (!step.call || step.expectRevert) continue;
    const m = /^create(App|Dataset|Workerpool)/.exec(step.call);
    if (!m) continue;
    const kind = m[1].toLowerCase();
    let args = Object.values(step.args).map((v) => replay.value(v));
    if (step.call.startsWith("createDatasetWithSchema")) args = [args[0], args[1], args[3], args[4]];
    replay.address[kind] = await w[`${kind}Registry`][`predict${m[1]}`](...args);
    replay.tokens.set(step.events[0].args.tokenId, BigInt(replay.address[kind]).toString());
  }
};

for (const name of [
  "standard-one-worker", "contribute-and-finalize", "sponsor", "callback", "multi-match", "order-management", "reopen",
  "claim-and-kitty",
]) {
  test(`scenario ${name}`, () => replayScenario(name));
}
test("scenario escrow-token", () => replayScenario("escrow-token"));
test("scenario admin", () => replayScenario("admin"));
test("scenario replication-unrevealed", () => replayScenario("replication-unrevealed", scores({ worker3: 30 })));
test("scenario replication-weights", () => replayScenario("replication-weights", scores({ worker1: 100, worker2: 30, worker3: 6, worker4: 12 })));
test("scenario registries", () => replayScenario("registries", predicted));
test("scenario dataprotector", () => replayScenario("dataprotector", predicted));
