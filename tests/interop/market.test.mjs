// SPDX-License-Identifier: Apache-2.0
// The order book as the unmodified npm library uses it: publish, lists, deals, unpublish, refusals.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { IExec, utils } from "iexec";
import { Network } from "./network.mjs";

const skip = { preflightCheck: false };
const tag = ["tee", "tdx"];
const sum = (byte) => "0x" + byte.repeat(32);

async function until(probe) {
  for (;;) {
    const x = await probe();
    if (x) return x;
    await new Promise((go) => setTimeout(go, 50));
  }
}

describe("the market, asked by the npm library", { timeout: 180000 }, () => {
  let n, alice, bob, carol, operator, app, data, pool;
  const order = {}, hash = {};
  const iexec = (name) => new IExec(
    { ethProvider: utils.getSignerFromPrivateKey(n.json.rpcUrl, n.account(name).privateKey, { allowExperimentalNetworks: true }) },
    { ...n.iexecOptions(), allowExperimentalNetworks: true });
  const appOrder = async (fields) => alice.order.signApporder(await alice.order.createApporder({ app, appprice: 0, volume: 10, tag, ...fields }), skip);

  before(async () => {
    n = await Network.up();
    [alice, bob, carol, operator] = ["alice", "bob", "carol", "operator"].map(iexec);
    pool = n.json.workerpool.address;
    app = (await alice.app.deployApp({ owner: n.account("alice").address, name: "npm app", type: "DOCKER", multiaddr: "docker.io/me/app:1", checksum: sum("cc") })).address;
    data = (await carol.dataset.deployDataset({ owner: n.account("carol").address, name: "npm data", multiaddr: "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ", checksum: sum("dd") })).address;
  });
  after(async () => n?.down());

  test("all four kinds are published", async () => {
    order.app = await appOrder();
    hash.app = await alice.order.publishApporder(order.app, skip);
    order.data = await carol.order.signDatasetorder(await carol.order.createDatasetorder({ dataset: data, volume: 5, tag, apprestrict: app }), skip);
    hash.data = await carol.order.publishDatasetorder(order.data, skip);
    order.pool = await operator.order.signWorkerpoolorder(await operator.order.createWorkerpoolorder({ workerpool: pool, category: 4, volume: 3, tag }));
    hash.pool = await operator.order.publishWorkerpoolorder(order.pool);
    order.request = await bob.order.signRequestorder(await bob.order.createRequestorder(
      { app, dataset: data, category: 4, volume: 2, tag, appmaxprice: 0, datasetmaxprice: 0, workerpoolmaxprice: 0, params: { iexec_args: "x" } }), skip);
    hash.request = await bob.order.publishRequestorder(order.request, skip);
    for (const [kind, h] of Object.entries(hash)) assert.match(h, /^0x[0-9a-f]{64}$/, kind);
    assert.equal(hash.app, await alice.order.hashApporder(order.app));
  });

  test("a second time, by a stranger, or without counterpart, it is refused in the known words", async () => {
    await assert.rejects(alice.order.publishApporder(order.app, skip), /order already published/);
    await assert.rejects(bob.order.publishApporder(await appOrder({ volume: 2 }), skip), /only order signer 0x[0-9a-fA-F]{40} can publish an order/);
    const lonely = await bob.order.signRequestorder(await bob.order.createRequestorder(
      { app, dataset: n.account("dave").address, category: 0, volume: 1, tag, appmaxprice: 0, datasetmaxprice: 0, workerpoolmaxprice: 0 }), skip);
    await assert.rejects(bob.order.publishRequestorder(lonely, skip), /No datasetorder published for dataset/);
  });

  test("lists: an absent restriction means public orders, any means all", async () => {
    let b = await bob.orderbook.fetchAppOrderbook({ app });
    assert.equal(b.count, 1);
    assert.equal(b.orders[0].orderHash, hash.app);
    assert.equal(b.orders[0].remaining, 10);
    for (const [filter, want] of [[{}, 0], [{ app }, 1], [{ app: "any" }, 1], [{ app, isAppStrict: true }, 1],
      [{ app: "any", minVolume: 6 }, 0], [{ app: "any", minTag: tag }, 1], [{ app: "any", maxTag: [] }, 0], [{ app: "any", bulkOnly: true }, 0]]) {
      b = await bob.orderbook.fetchDatasetOrderbook({ dataset: data, ...filter });
      assert.equal(b.count, want, JSON.stringify(filter));
    }
    b = await bob.orderbook.fetchDatasetOrderbook({ dataset: "any", datasetOwner: n.account("carol").address, app: "any" });
    assert.equal(b.count, 1);
    assert.equal(b.orders[0].bulk, false);
    assert.equal((await bob.orderbook.fetchWorkerpoolOrderbook({ category: 4, workerpool: pool, minTag: tag })).count, 1);
    assert.equal((await bob.orderbook.fetchWorkerpoolOrderbook({ category: 3, workerpool: pool })).count, 0);
    assert.equal((await bob.orderbook.fetchRequestOrderbook({ requester: n.account("bob").address })).count, 1);
    const one = await bob.orderbook.fetchApporder(hash.app);
    assert.deepEqual([one.status, one.remaining, one.order.app], ["open", 10, app]);
    await assert.rejects(bob.orderbook.fetchApporder(sum("00")), /apporder not found/);
  });

  test("a match made from listed orders shows up in deals and in the orders", async () => {
    const m = await bob.order.matchOrders({
      apporder: (await bob.orderbook.fetchApporder(hash.app)).order, datasetorder: (await bob.orderbook.fetchDatasetorder(hash.data)).order,
      workerpoolorder: (await bob.orderbook.fetchWorkerpoolorder(hash.pool)).order, requestorder: (await bob.orderbook.fetchRequestorder(hash.request)).order }, skip);
    assert.equal(m.volume.toNumber(), 2);
    const deals = await until(async () => {
      const d = await bob.deal.fetchRequesterDeals(n.account("bob").address, { appAddress: app });
      return d.count && d;
    });
    assert.equal(deals.deals[0].dealid, m.dealid);
    for (const [by, h] of [["App", hash.app], ["Dataset", hash.data], ["Workerpool", hash.pool], ["Request", hash.request]]) {
      const d = await bob.deal[`fetchDealsBy${by}order`](h);
      assert.deepEqual([d.count, d.deals[0].dealid], [1, m.dealid], by);
    }
    const request = await bob.orderbook.fetchRequestorder(hash.request), appLeft = await bob.orderbook.fetchApporder(hash.app);
    assert.deepEqual([request.status, request.remaining], ["filled", 0]);
    assert.deepEqual([appLeft.status, appLeft.remaining], ["open", 8]);
    const shown = await bob.deal.show(m.dealid);
    assert.equal(Object.keys(shown.tasks).length, 2);
  });

  test("an order cancelled on the chain is canceled in the book", async () => {
    await carol.order.cancelDatasetorder(order.data);
    const o = await until(async () => {
      const x = await bob.orderbook.fetchDatasetorder(hash.data);
      return x.status !== "open" && x;
    });
    assert.deepEqual([o.status, o.remaining], ["canceled", 0]);
    await assert.rejects(carol.order.publishDatasetorder(order.data, skip), /order already published/);
  });

  test("unpublished: the last, all, none left, and again", async () => {
    assert.equal(await alice.order.unpublishLastApporder(app), hash.app);
    await assert.rejects(bob.orderbook.fetchApporder(hash.app), /apporder not found/);
    assert.equal(await alice.order.publishApporder(order.app, skip), hash.app);
    assert.deepEqual(await alice.order.unpublishAllApporders(app), [hash.app]);
    await assert.rejects(alice.order.unpublishLastApporder(app), /no open apporder published by signer/);
    await assert.rejects(alice.order.unpublishApporder(hash.app), /is not published/);
  });

  test("pages come by price, and more() goes on", async () => {
    for (let i = 0; i < 12; i++) await alice.order.publishApporder(await appOrder({ appprice: 12 - i, volume: 1 }), skip);
    const b = await bob.orderbook.fetchAppOrderbook({ app, pageSize: 10 });
    assert.deepEqual([b.count, b.orders.length], [12, 10]);
    assert.deepEqual(b.orders.map((o) => o.order.appprice), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const rest = await b.more();
    assert.deepEqual([rest.orders.length, rest.more], [2, undefined]);
  });

  test("compass knows the workerpool's API", async () => {
    assert.equal(await bob.workerpool.getWorkerpoolApiUrl(pool), n.json.services.scheduler);
  });
});
