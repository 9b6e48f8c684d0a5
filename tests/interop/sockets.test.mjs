// SPDX-License-Identifier: Apache-2.0
// The market's socket, listened to by the unmodified socket.io-client: both transports, rooms, every event, what is no packet.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { io } from "socket.io-client";
import { Network, sum } from "./network.mjs";

const skip = { preflightCheck: false };
const tag = ["tee", "tdx"];
const forms = {
  "a websocket alone": { transports: ["websocket"] },
  "polling alone": { transports: ["polling"] },
  "polling that becomes a websocket": { transports: ["polling", "websocket"] },
};

describe("the market's socket", { timeout: 180000 }, () => {
  let n, alice, bob, operator, app, chainId, url;
  const open = [];

  // A client that keeps what it hears; next(event, test) waits for it.
  const listen = async (options = {}, rooms = ["orders", "deals"]) => {
    const socket = io(url, { path: "/ws", forceNew: true, reconnection: false, ...options });
    open.push(socket);
    const heard = [], waits = [];
    const look = () => {
      for (const w of [...waits]) {
        const at = heard.findIndex(([name, value]) => name === w.name && w.test(value));
        if (at < 0) continue;
        waits.splice(waits.indexOf(w), 1);
        w.done(heard.splice(at, 1)[0][1]);
      }
    };
    socket.onAny((name, value) => { heard.push([name, value]); look(); });
    await new Promise((done, failed) => { socket.once("connect", done); socket.once("connect_error", failed); });
    for (const topic of rooms) assert.equal(await socket.emitWithAck("join", { chainId, topic }), true);
    return { socket, heard, next: (name, test = () => true) => new Promise((done) => { waits.push({ name, test, done }); look(); }) };
  };
  const appOrder = async (fields) => alice.order.signApporder(await alice.order.createApporder({ app, appprice: 0, volume: 10, tag, ...fields }), skip);
  const get = (query, options) => fetch(`${url}/ws/?${query}`, options);

  before(async () => {
    n = await Network.up();
    [alice, bob, operator] = ["alice", "bob", "operator"].map((who) => n.iexec(who));
    chainId = n.json.chainId;
    url = n.json.services.market;
    app = (await alice.app.deployApp({ owner: n.account("alice").address, name: "told", type: "DOCKER", multiaddr: "docker.io/me/told:1", checksum: sum("cc") })).address;
  });
  after(async () => {
    for (const socket of open) socket.disconnect();
    await n?.down();
  });

  for (const [name, options] of Object.entries(forms)) {
    test(`over ${name}: published, withdrawn`, async () => {
      const l = await listen(options);
      if (options.transports.length === 2 && l.socket.io.engine.transport.name === "polling")
        await new Promise((done) => l.socket.io.engine.once("upgrade", done));
      assert.equal(l.socket.io.engine.transport.name, options.transports.at(-1));
      const order = await appOrder();
      const hash = await alice.order.publishApporder(order, skip);
      const item = await l.next("apporder_published", (i) => i.orderHash === hash);
      assert.deepEqual([item.status, item.remaining, item.signer, item.order.app, item.order.volume, item.order.sign],
        ["open", 10, n.account("alice").address, app, 10, order.sign]);
      assert.equal("chainId" in item, false);
      assert.match(item.publicationTimestamp, /^\d{4}-\d\d-\d\dT.*Z$/);
      await alice.order.unpublishApporder(hash);
      assert.equal(await l.next("apporder_unpublished", (h) => h === hash), hash);
      l.socket.disconnect();
    });
  }

  test("a match: the deal, and each order by what is left of it", async () => {
    const l = await listen();
    const orders = { apporder: await appOrder({ volume: 2 }),
      workerpoolorder: await operator.order.signWorkerpoolorder(await operator.order.createWorkerpoolorder({ workerpool: n.json.workerpool.address, category: 4, volume: 3, tag })) };
    const hash = { app: await alice.order.publishApporder(orders.apporder, skip), pool: await operator.order.publishWorkerpoolorder(orders.workerpoolorder) };
    orders.requestorder = await bob.order.signRequestorder(await bob.order.createRequestorder(
      { app, category: 4, volume: 1, tag, appmaxprice: 0, workerpoolmaxprice: 0, params: { iexec_args: "x" } }), skip);
    hash.request = await bob.order.publishRequestorder(orders.requestorder, skip);
    assert.equal((await l.next("requestorder_published")).orderHash, hash.request);
    const { dealid } = await bob.order.matchOrders(orders, skip);
    const deal = await l.next("deal_created", (d) => d.dealid === dealid);
    assert.deepEqual([deal.app.pointer, deal.requester, deal.botSize, deal.appHash, "chainId" in deal], [app, n.account("bob").address, 1, hash.app, false]);
    assert.equal((await l.next("apporder_updated", (i) => i.orderHash === hash.app)).remaining, 1);
    assert.equal((await l.next("workerpoolorder_updated", (i) => i.orderHash === hash.pool)).remaining, 2);
    assert.equal(await l.next("requestorder_unpublished"), hash.request);
    await alice.order.cancelApporder(orders.apporder);
    await l.next("apporder_unpublished", (h) => h === hash.app);
  });

  test("a data set's order says whether it is for bulk", async () => {
    const l = await listen({}, ["orders"]);
    const dataset = (await alice.dataset.deployDataset({ owner: n.account("alice").address, name: "told", multiaddr: "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ", checksum: sum("dd") })).address;
    const order = await alice.order.signDatasetorder(await alice.order.createDatasetorder({ dataset, volume: 2 ** 53 - 1, tag }), skip);
    await alice.order.publishDatasetorder(order, skip);
    assert.equal((await l.next("datasetorder_published")).bulk, true);
  });

  test("only those in the room are told; leave and leaveAll", async () => {
    const both = await listen(), none = await listen({}, []), deals = await listen({}, ["deals"]), left = await listen(), gone = await listen();
    assert.equal(await left.socket.emitWithAck("leave", { chainId: String(chainId), topic: "orders" }), true);
    assert.equal(await gone.socket.emitWithAck("leaveAll"), true);
    const hash = await alice.order.publishApporder(await appOrder(), skip);
    await both.next("apporder_published", (i) => i.orderHash === hash);
    // What was said before this answer has arrived before it.
    for (const l of [none, deals, left, gone]) assert.equal(await l.socket.emitWithAck("leaveAll"), true);
    assert.deepEqual([none.heard, deals.heard, left.heard, gone.heard], [[], [], [], []]);
  });

  test("another chain, another topic, an unknown event, an unknown namespace", async () => {
    const l = await listen({}, []);
    for (const room of [{ chainId: 1, topic: "orders" }, { chainId, topic: "all" }, {}, null, "orders"])
      assert.equal(await l.socket.emitWithAck("join", room), false);
    l.socket.emit("anything", [1, 2]);
    assert.equal(await l.socket.emitWithAck("join", { chainId, topic: "deals" }), true);
    const other = io(`${url}/admin`, { path: "/ws", forceNew: true, reconnection: false });
    open.push(other);
    const e = await new Promise((done) => other.once("connect_error", done));
    assert.equal(e.message, "Invalid namespace");
  });

  test("binary, and more than a message may have, ends the session", async () => {
    for (const what of [Buffer.from([1, 2]), "x".repeat(20000)]) {
      const l = await listen({ transports: ["websocket"] }, []);
      const ended = new Promise((done) => l.socket.once("disconnect", done));
      l.socket.emit("join", what);
      assert.match(await ended, /transport/);
    }
  });

  test("the handshake's refusals are Engine.IO's own", async () => {
    const hello = JSON.parse((await (await get("EIO=4&transport=polling")).text()).slice(1));
    assert.deepEqual([hello.upgrades, hello.pingInterval, hello.pingTimeout], [["websocket"], 25000, 20000]);
    const sid = hello.sid;
    const post = { method: "POST", body: "3" };
    for (const [query, options, code] of [
      ["EIO=4&transport=carrier", {}, 0], ["EIO=4", {}, 0], ["EIO=4&transport=polling&sid=nobody", {}, 1],
      [`EIO=4&transport=polling&sid=${"0".repeat(32)}`, {}, 1], ["EIO=4&transport=polling", post, 2],
      ["EIO=4&transport=websocket", {}, 3], ["EIO=3&transport=polling", {}, 5], ["transport=polling", {}, 5]]) {
      const a = await get(query, options);
      assert.deepEqual([a.status, (await a.json()).code], [400, code], query);
    }
    const a = await get(`EIO=4&transport=polling&sid=${sid}`, post);
    assert.deepEqual([a.status, await a.text()], [200, "ok"]);
  });

  test("what is no packet ends a polling session, and no other", async () => {
    const l = await listen();
    for (const body of ["", "x", "4", "49", "45{}", "42", "42{}", "42[", "42[1]", "40[]", '42["join"]', "0", "2", "\x1e", "b4AAE", "3\x1e".repeat(100), "4299999999999999999999[\"x\"]"]) {
      const { sid } = JSON.parse((await (await get("EIO=4&transport=polling")).text()).slice(1));
      const a = await get(`EIO=4&transport=polling&sid=${sid}`, { method: "POST", body });
      assert.equal(await a.text(), "ok");
      const b = await get(`EIO=4&transport=polling&sid=${sid}`, { method: "POST", body: "1" });
      assert.equal(b.status, body === "" ? 200 : 400, JSON.stringify(body));
    }
    const big = await get(`EIO=4&transport=polling&sid=${"0".repeat(32)}`, { method: "POST", body: "4".repeat(20000) });
    assert.equal(big.status, 413);
    assert.equal(await l.socket.emitWithAck("leaveAll"), true);
  });
});
