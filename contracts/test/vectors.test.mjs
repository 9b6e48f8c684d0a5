// SPDX-License-Identifier: Apache-2.0
//
// Executed cases of the official contracts on ours: matchOrders with one thing changed, tags, dataset compatibility,
// signatures, consensus, identifiers and entry addresses.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ethers } from "ethers";
import { SIGNER, STORAGE, World, resultHash, resultSeal, revertData, taskId, vectors } from "./world.mjs";

const ZERO = ethers.ZeroAddress;
const low = (n) => ethers.toBeHex(n, 32);

let w;
before(async () => {
  w = await World.start();
  await w.deploy();
  await w.entries();
});
after(() => w.stop());

async function scratch(body) {
  const snapshot = await w.rpc("evm_snapshot");
  try {
    return await body();
  } finally {
    await w.rpc("evm_revert", snapshot);
  }
}

/* "ok" or the revert data of a call. */
async function outcome(method, args, from = w.address.anyone) {
  try {
    await w.provider.call({ from, to: w.hub.target, data: w.hub.interface.encodeFunctionData(method, args) });
    return "ok";
  } catch (error) {
    return revertData(error);
  }
}

test("matchOrders refuses and accepts as the official contracts do", async (t) => {
  const { cases } = vectors("match-cases.json");
  assert.equal(cases.length, 81);
  await scratch(async () => {
    const group = await w.mock("GroupMock");
    for (const member of ["app", "dataset", "workerpool", "requester"]) {
      await (await group.set(ethers.zeroPadValue(w.address[member], 32), 4, true)).wait();
    }
    const symbols = {
      $erc734Group: group.target,
      $erc734EmptyGroup: (await w.mock("GroupMock")).target,
      $unregisteredOwnableByAdmin: (await w.mock("OwnableMock", w.address.admin)).target,
      /* stands for the CreateX factory: a contract whose fallback reverts */
      "0xba5Ed099633D3B313e4D5F7bdc1305d3c28ba5Ed": (await w.mock("RevertingMock")).target,
    };
    await w.stake({ requester: 10n ** 11n, scheduler: 10n ** 11n, sponsor: 10n ** 11n });
    for (const c of cases) {
      await t.test(c.label, async () => {
        await scratch(async () => {
          const tag = low(9);
          const base = { volume: 5, tag };
          const o = w.orders({
            app: base, dataset: base,
            workerpool: { ...base, workerpoolprice: 1000000000, trust: 2, category: 1 },
            request: { ...base, workerpoolmaxprice: 1000000000, trust: 2, category: 1 },
          });
          for (const [path, v] of Object.entries(c.set)) {
            const [kind, field] = path.split(".");
            o[kind][field] = symbols[v] ?? (v.startsWith("$") ? w.address[v.slice(1)] : v);
          }
          const args = w.signAll(o, {
            signers: c.signers, raw: c.rawSign, compact: c.label.includes("EIP-2098"),
          });
          if (c.label === "scheduler balance too low") {
            await w.send("scheduler", w.hub, "withdraw", await w.hub.balanceOf(w.address.scheduler));
          }
          if (c.label === "same orders after full consumption") await w.send("anyone", w.hub, "matchOrders", ...args);
          const sponsor = c.label.includes("unfunded") ? "anyone" : "sponsor";
          const got = await outcome(
            c.function ?? "matchOrders", args, w.address[c.function === "sponsorMatchOrders" ? sponsor : "anyone"],
          );
          assert.equal(got, c.expect === "ok" ? "ok" : (c.expect.data ?? "0x"));
        });
      });
    }
  });
});

test("all 672 tag combinations match or fail as they should", async () => {
  const { tags } = vectors("match-cases.json");
  assert.equal(tags.rows.length, 672);
  await scratch(async () => {
    await w.stake({ requester: 10n ** 11n, scheduler: 10n ** 11n });
    for (const [app, dataset, request, pool, want] of tags.rows) {
      const o = w.orders({
        app: { tag: low(app) },
        dataset: dataset === null ? null : { tag: low(dataset) },
        workerpool: { tag: low(pool), workerpoolprice: 0 },
        request: { tag: low(request) },
      });
      const args = w.signAll(o);
      const row = JSON.stringify([app, dataset, request, pool]);
      const got = await outcome("matchOrders", args);
      /* codes are written 0x06 and 0x07, tags are not */
      if (/^0x0[67]$/.test(want)) {
        const reason = `iExecV5-matchOrders-${want}`;
        const iface = new ethers.Interface(["error Error(string)"]);
        assert.equal(got, iface.encodeErrorResult("Error", [reason]), row);
      } else {
        assert.equal(got, "ok", row);
        const merged = (BigInt(app) | (BigInt(dataset ?? 0) & ~0x0en) | BigInt(request)).toString(16);
        assert.equal(`0x${merged}`, want, row);
      }
    }
  });
});

test("the deal keeps the merged tag and not the workerpool's", async () => {
  await scratch(async () => {
    await w.stake({ requester: 10n ** 11n, scheduler: 10n ** 11n });
    const { deal } = await w.match(
      w.orders({ app: { tag: low(1) }, dataset: { tag: low(0x101) }, workerpool: { tag: low(0x11f) }, request: { tag: low(9) } }),
    );
    assert.equal((await w.hub.viewDeal(deal)).tag, low(0x109));
  });
});

test("assertDatasetDealCompatibility answers as the official contract", async (t) => {
  const { tagRows, other } = vectors("match-cases.json").assertDatasetDealCompatibility;
  const iface = new ethers.Interface(["error IncompatibleDatasetOrder(string)"]);
  await scratch(async () => {
    await w.stake({ requester: 10n ** 11n, scheduler: 10n ** 11n });
    const pool = { volume: 100, tag: low(0x1ff) };
    const dealWith = (tag, dataset = null) =>
      w.match(w.orders({ app: { tag: low(tag) }, dataset, workerpool: pool })).then((m) => m.deal);
    const order = (set) => w.orders({ dataset: { volume: 5, ...set } }).dataset;
    const signed = (o, role) => ({ ...o, sign: w.sign("dataset", o, role) });
    const ask = async (o, deal) => outcome("assertDatasetDealCompatibility", [o, deal]);

    const deals = new Map();
    for (const [dealTag, orderTag, want] of tagRows) {
      if (!deals.has(dealTag)) deals.set(dealTag, await dealWith(dealTag));
      const got = await ask(signed(order({ tag: low(orderTag) })), deals.get(dealTag));
      assert.equal(got, want === "ok" ? "ok" : iface.encodeErrorResult("IncompatibleDatasetOrder", [want]), `${dealTag} ${orderTag}`);
    }

    const deal = await dealWith(9);
    const group = await w.mock("GroupMock");
    for (const m of ["app", "workerpool", "requester"]) {
      await (await group.set(ethers.zeroPadValue(w.address[m], 32), 4, true)).wait();
    }
    const symbols = {
      $erc734Group: group.target, $app: w.address.app, $workerpool: w.address.workerpool, $requester: w.address.requester,
      $erc734EmptyGroup: (await w.mock("GroupMock")).target,
    };
    for (const c of other) {
      await t.test(c.label, async () => {
        const set = Object.fromEntries(Object.entries(c.set).map(([k, v]) => [k, symbols[v] ?? (v.startsWith?.("$") ? w.address[v.slice(1)] : v)]));
        const { sign, ...fields } = set;
        let o = order({ tag: low(9), ...fields });
        let target = deal;
        o = c.label.startsWith("bad signature") ? signed(o, "anyone") : sign === undefined ? signed(o) : { ...o, sign };
        if (c.label === "closed by owner") await w.send("datasetOwner", w.hub, "manageDatasetOrder", [o, 1, "0x"]);
        if (c.label.startsWith("presigned")) await w.send("datasetOwner", w.hub, "manageDatasetOrder", [o, 0, "0x"]);
        if (c.label.startsWith("unknown deal")) target = ethers.id("none");
        if (/already has a dataset|deal with( a)? dataset/i.test(c.label)) target = await dealWith(9, { tag: low(0) });
        assert.equal(await ask(o, target), c.expect === "ok" ? "ok" : (c.expect.data ?? "0x"));
      });
    }
  });
});

test("signatures verify as the official contracts do, but for delegated accounts", async (t) => {
  const { cases } = vectors("signatures.json");
  await scratch(async () => {
    const wallet = await w.mock("WalletMock");
    const group = await w.mock("GroupMock");
    for (const c of cases) {
      await t.test(c.label, async () => {
        let { account, result } = c;
        if (c.label.startsWith("ERC-1271")) account = wallet.target;
        if (c.label.startsWith("contract without")) account = group.target;
        if (c.label.startsWith("EIP-7702")) {
          /* ours: the key of a delegated account still signs for it */
          await w.rpc("anvil_setCode", account, ethers.concat(["0xef0100", group.target]));
          result = true;
        }
        let got;
        try {
          got = await w.hub.getFunction(c.function)(account, c.hash, c.signature);
        } catch (error) {
          got = revertData(error);
        }
        assert.equal(got, result.data ?? result);
      });
    }
  });
});

test("consensus comes exactly when it did: weights, totals, winners", async (t) => {
  const { rows } = vectors("consensus.json");
  for (const [i, row] of rows.entries()) {
    await t.test(`sequence ${i}, trust ${row.requestedTrust}`, () =>
      scratch(async () => {
        await w.stake({ requester: 10n ** 11n, scheduler: 10n ** 11n });
        const { deal } = await w.match(
          w.orders({ dataset: null, workerpool: { workerpoolprice: 0, trust: row.requestedTrust }, request: { trust: row.requestedTrust } }),
        );
        assert.equal((await w.hub.viewDeal(deal)).trust, BigInt(row.dealTrust));
        await w.send("anyone", w.hub, "initialize", deal, 0);
        const task = taskId(deal, 0);
        let total = 1n;
        const groups = {};
        for (const [k, step] of row.steps.entries()) {
          const worker = new ethers.Wallet(ethers.id(`worker ${k}`), w.provider);
          await w.rpc("anvil_setBalance", worker.address, "0x56bc75e2d63100000");
          await w.setScore(worker.address, step.score);
          const hash = resultHash(task, ethers.id(step.group));
          const call = w.hub.connect(worker).getFunction("contribute");
          const args = [
            task, hash, resultSeal(worker.address, task, ethers.id(step.group)), ZERO, "0x",
            w.authorize("scheduler", worker.address, task),
          ];
          if (step.reverted) {
            await assert.rejects(call.staticCall(...args));
            continue;
          }
          await (await call(...args)).wait();
          const view = await w.hub.viewTask(task);
          const contribution = await w.hub.viewContribution(task, worker.address);
          assert.equal(contribution.weight, BigInt(step.contributionWeight));
          assert.equal(view.status === 2n, step.consensus);
          assert.equal(view.winnerCounter, BigInt(step.winnerCounter));
          /* the accumulators, as far as the packed word shows them */
          const work = BigInt(await w.provider.getStorage(w.hub.target, taskSlot(task) + 1n));
          total = (work >> 192n) & 0xffffffffn;
          assert.equal(total, BigInt(step.total));
          groups[step.group] = step.groupWeight;
          if (step.group === row.steps[0].group) assert.equal(work >> 224n, BigInt(step.groupWeight));
        }
      }),
    );
  }
});

const taskSlot = (task) =>
  BigInt(ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(["bytes32", "uint256"], [task, STORAGE + 21n])));

test("an entry's address follows from its calls' arguments, its owner and proxyCodeHash", async () => {
  const { sets } = vectors("create2.json");
  const list = sets[0].registries;
  for (const [kind, registry] of [["App", w.appRegistry], ["Dataset", w.datasetRegistry], ["Workerpool", w.workerpoolRegistry]]) {
    const codeHash = await registry.proxyCodeHash();
    assert.equal(ethers.keccak256(await registry.proxyCode()), codeHash);
    for (const e of list[kind].entries) {
      assert.equal(e.salt, ethers.solidityPackedKeccak256(["bytes", "address"], [e.initializerCalldata, e.owner]));
      const want = ethers.getCreate2Address(registry.target, e.salt, codeHash);
      assert.equal(await registry[`predict${kind}`](e.owner, ...e.args), want);
      await scratch(async () => {
        await w.send("anyone", registry, `create${kind}`, e.owner, ...e.args);
        assert.equal(await registry.ownerOf(BigInt(want)), e.owner);
        const entry = w.contract("Entry", kind, want);
        const shown = await w.hub[`view${kind}`](want);
        assert.deepEqual([...shown].slice(1, 1 + e.args.length), e.args);
        assert.equal(await entry.registry(), registry.target);
        assert.equal(await entry.owner(), e.owner);
      });
    }
  }
});

test("type hashes and deal and task ids are those of the vectors", async () => {
  const { types } = vectors("eip712.json");
  assert.ok(types);
  await scratch(async () => {
    await w.stake({ requester: 10n ** 11n, scheduler: 10n ** 11n });
    const o = w.orders({ request: { params: "é ünïcode {}" } });
    const { deal } = await w.match(o);
    assert.equal(deal, taskId(w.hash("request", o.request), 0));
    assert.equal((await w.hub.viewDeal(deal)).params, "é ünïcode {}");
    assert.equal(await w.hub.viewConsumed(w.hash("request", o.request)), 1n);
    assert.equal(SIGNER.request, "requester");
  });
});

test("every function, event and error of the token mode interface is there", async () => {
  const { contracts } = vectors("abi.json");
  const absent = new Set(["renounceOwnership()"]); // in the published ABI, not in the official diamond either
  for (const f of contracts.IexecInterfaceToken.functions) {
    if (absent.has(f.signature) || /Boost/.test(f.signature)) continue;
    const facet = await w.hub.facetAddress(f.selector);
    assert.notEqual(facet, ZERO, f.signature);
    const ours = w.hub.interface.getFunction(f.selector);
    assert.deepEqual(ours.outputs.map((o) => o.format("sighash")), f.outputs.map((o) => o.type.replaceAll("tuple", "")), f.signature);
  }
  for (const e of contracts.IexecInterfaceToken.events) {
    if (/Boost/.test(e.signature)) continue;
    const ours = w.hub.interface.getEvent(e.topic0);
    assert.ok(ours, e.signature);
    assert.deepEqual(ours.inputs.map((i) => Boolean(i.indexed)), e.inputs.map((i) => Boolean(i.indexed)), e.signature);
  }
  const check = (list, iface, name) => {
    for (const f of list.functions) assert.ok(iface.getFunction(f.selector ?? f.signature), `${name} ${f.signature}`);
    for (const e of list.events ?? []) assert.ok(iface.getEvent(e.topic0), `${name} ${e.signature}`);
  };
  check(contracts.AppRegistry, w.appRegistry.interface, "AppRegistry");
  check(contracts.DatasetRegistry, w.datasetRegistry.interface, "DatasetRegistry");
  check(contracts.WorkerpoolRegistry, w.workerpoolRegistry.interface, "WorkerpoolRegistry");
  for (const kind of ["App", "Dataset", "Workerpool"]) {
    const iface = w.contract("Entry", kind, ZERO).interface;
    check(contracts[kind], iface, kind);
    /* the official SDK calls every view of an entry, so there must be no other */
    const views = iface.fragments.filter((f) => f.type === "function" && f.stateMutability === "view").map((f) => f.format("sighash"));
    const theirs = contracts[kind].functions.map((f) => f.signature);
    for (const v of views) assert.ok(theirs.includes(v), `${kind}: ${v} is not in the official ABI`);
  }
});

test("the sharing contracts have the interface that clients know", () => {
  const list = vectors("../dataprotector/abi.json");
  const iface = (file, name) => w.contract(file, name, ZERO).interface;
  const ours = {
    DataProtector: iface("DataProtector", "DataProtector"),
    DataProtectorSharing: iface("DataProtectorSharing", "DataProtectorSharing"),
    AddOnlyAppWhitelistRegistry: iface("AddOnlyAppWhitelist", "AddOnlyAppWhitelistRegistry"),
    AddOnlyAppWhitelist: iface("AddOnlyAppWhitelist", "AddOnlyAppWhitelist"),
    ERC734: iface("Whitelist", "Whitelist"),
  };
  for (const [name, { functions, events = [] }] of Object.entries(list)) {
    for (const f of functions) {
      const mine = ours[name].getFunction(f.selector);
      assert.ok(mine, `${name} ${f.signature}`);
      const outputs = f.outputs.map((o) => o.replace(/ \w+$/, ""));
      assert.deepEqual(mine.outputs.map((o) => o.format("sighash")), outputs, `${name} ${f.signature}`);
    }
    for (const e of events) assert.ok(ours[name].getEvent(e.topic0), `${name} ${e.signature}`);
  }
});
