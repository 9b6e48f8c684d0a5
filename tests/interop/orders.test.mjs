// SPDX-License-Identifier: Apache-2.0
// Orders by the unmodified npm library: made, signed, refused, estimated, matched, withdrawn; and the order book's own refusals.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Wallet, getAddress } from "ethers";
import { errors } from "iexec";
import { Network, sum, until } from "./network.mjs";

const skip = { preflightCheck: false };
const tee = "0x" + "0".repeat(63) + "9";
const zero = "0x" + "0".repeat(40);
const refused = (message, name = "Error") => (e) => e.name === name && (message.test ? message.test(e.message) : e.message === message) || assert.fail(`${e.name}: ${e.message}`);

describe("orders", { timeout: 240000 }, () => {
  let n, alice, bob, carol, operator, app, data, pool, poor;
  const address = (name) => getAddress(n.account(name).address);
  const appOrder = async (fields) => alice.order.signApporder(await alice.order.createApporder({ app, ...fields }), skip);
  const dataOrder = async (fields) => carol.order.signDatasetorder(await carol.order.createDatasetorder({ dataset: data, ...fields }), skip);
  const poolOrder = async (fields) => operator.order.signWorkerpoolorder(await operator.order.createWorkerpoolorder({ workerpool: pool, category: 4, ...fields }));
  const request = async (fields, by = bob) => by.order.signRequestorder(await by.order.createRequestorder({ app, category: 4, ...fields }), skip);

  before(async () => {
    n = await Network.up();
    [alice, bob, carol, operator] = ["alice", "bob", "carol", "operator"].map((name) => n.iexec(name));
    pool = getAddress(n.json.workerpool.address);
    app = (await alice.app.deployApp({ owner: address("alice"), name: "npm app", type: "DOCKER", multiaddr: "docker.io/me/app:1", checksum: sum("cc") })).address;
    data = (await carol.dataset.deployDataset({ owner: address("carol"), name: "npm data", multiaddr: "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ", checksum: sum("dd") })).address;
    poor = n.iexec(Wallet.createRandom().privateKey);
  });
  after(async () => n?.down());

  describe("made and signed", () => {
    test("an app order's defaults", async () => {
      const { salt, ...o } = await alice.order.signApporder(await alice.order.createApporder({ app }), skip);
      assert.match(salt, /^0x[0-9a-f]{64}$/);
      assert.match(o.sign, /^0x[0-9a-f]{130}$/);
      delete o.sign;
      assert.deepEqual(o, { app, appprice: "0", volume: "1", tag: tee, datasetrestrict: zero, workerpoolrestrict: zero, requesterrestrict: zero });
    });
    test("a request order's defaults", async () => {
      const o = await bob.order.createRequestorder({ app, category: 4 });
      assert.deepEqual([o.requester, o.beneficiary, o.dataset, o.workerpool, o.callback, o.volume, o.trust], [address("bob"), address("bob"), zero, zero, zero, "1", "0"]);
      assert.equal((await request({ params: "args" })).params, '{"iexec_result_storage_provider":"ipfs","iexec_args":"args"}');
    });
    test("only the owner signs for a resource", async () => assert.rejects(bob.order.signApporder(await bob.order.createApporder({ app }), skip), refused("Invalid order signer, must be the resource owner")));
    test("only the requester signs his request", async () => assert.rejects(alice.order.signRequestorder(await bob.order.createRequestorder({ app, category: 4 }), skip), refused("Invalid order signer, must be the requester")));
    test("nothing is signed for what is not deployed", async () => assert.rejects(alice.order.signApporder(await alice.order.createApporder({ app: address("dave") }), skip), refused(/could not decode result data/, "Web3ProviderCallError")));
    test("a framework of old is refused", async () => assert.rejects(alice.order.createApporder({ app, tag: ["tee", "scone"] }), refused("Unsupported legacy TEE framework tag ('scone')")));
    test("the data's key must be in the secret service", async () => assert.rejects(carol.order.signDatasetorder(await carol.order.createDatasetorder({ dataset: data })),
      refused(`Dataset encryption key is not set for dataset ${data} in the SMS. Dataset decryption will fail.`)));
    test("the beneficiary's key too", async () => assert.rejects(bob.order.signRequestorder(await bob.order.createRequestorder({ app, category: 4, params: { iexec_result_encryption: true } })),
      refused("Beneficiary result encryption key is not set in the SMS. Result encryption will fail.")));
    test("a storage token too", async () => assert.rejects(bob.order.signRequestorder(await bob.order.createRequestorder({ app, category: 4, params: { iexec_result_storage_provider: "dropbox" } })),
      refused('Requester storage token is not set for selected provider "dropbox". Result archive upload will fail.')));
    test("a requester's secret too", async () => assert.rejects(bob.order.signRequestorder(await bob.order.createRequestorder({ app, category: 4, params: { iexec_secrets: { 1: "mine" } } })),
      refused(`Requester secret "mine" is not set for requester ${address("bob")} in the SMS. Requester secret provisioning will fail.`)));
    test("once they are there, it is signed", async () => {
      await bob.secrets.pushRequesterSecret("mine", "value");
      const o = await bob.order.signRequestorder(await bob.order.createRequestorder({ app, category: 4, params: { iexec_secrets: { 1: "mine" } } }));
      assert.equal(o.params, '{"iexec_secrets":{"1":"mine"},"iexec_result_storage_provider":"ipfs"}');
    });
  });

  describe("published", () => {
    let order, hash;
    test("under the hash that the library computes", async () => {
      order = await appOrder({ volume: 5 });
      hash = await alice.order.publishApporder(order, skip);
      assert.equal(hash, await alice.order.hashApporder(order));
    });
    test("as it was signed, numbers as numbers", async () => {
      const o = await bob.orderbook.fetchApporder(hash);
      assert.deepEqual([o.orderHash, o.status, o.remaining, o.signer, o.chainId, o.order.appprice, o.order.volume, o.order.sign], [hash, "open", 5, address("alice"), String(n.json.chainId), 0, 5, order.sign]);
    });
    test("with another's signature: invalid sign", async () => assert.rejects(alice.order.publishApporder({ ...await appOrder({ volume: 7 }), volume: "8" }, skip), refused("API error: invalid sign")));
    test("a request without an app order", async () => {
      const lonely = (await alice.app.deployApp({ owner: address("alice"), name: "lonely", type: "DOCKER", multiaddr: "docker.io/me/app:2", checksum: sum("ce") })).address;
      await assert.rejects(bob.order.publishRequestorder(await request({ app: lonely }), skip), refused(`API error: No tee enabled apporder published for app ${lonely}`));
    });
    test("a request that pays less than the app asks", async () => {
      const dear = (await alice.app.deployApp({ owner: address("alice"), name: "dear", type: "DOCKER", multiaddr: "docker.io/me/app:3", checksum: sum("cf") })).address;
      await alice.order.publishApporder(await appOrder({ app: dear, appprice: 5 }), skip);
      await assert.rejects(bob.order.publishRequestorder(await request({ app: dear, appmaxprice: 2 }), skip), refused(`API error: appmaxprice for app ${dear} is too low, actual best price is 5 nRLC`));
    });
    test("a request beyond the requester's stake", async () => {
      const { stake } = await bob.account.checkBalance(address("bob"));
      const price = stake.addn(1).toString();
      await assert.rejects(bob.order.publishRequestorder(await request({ workerpoolmaxprice: price }), skip), refused(`API error: requester stake is too low to cover requestorder payment, minimum stake required is ${price} nRLC`));
    });
    test("a pool's order beyond its owner's stake", async () => {
      const { stake } = await bob.account.checkBalance(address("operator"));
      await assert.rejects(operator.order.publishWorkerpoolorder(await poolOrder({ workerpoolprice: stake.muln(4).addn(10).toString() })), refused("API error: workerpool owner's stake is too low to cover required workerpool lock"));
    });
    test("a stranger does not unpublish", async () => assert.rejects(bob.order.unpublishApporder(hash), refused(`API error: only order signer ${address("alice")} can unpublish an order`)));
    test("unpublished by hash, it is gone", async () => {
      assert.equal(await alice.order.unpublishApporder(hash), hash);
      await assert.rejects(bob.orderbook.fetchApporder(hash), refused("API error: apporder not found"));
    });
    test("all four kinds: last and all", async () => {
      const made = { Datasetorder: [carol, await dataOrder({ volume: 2 }), [data]], Workerpoolorder: [operator, await poolOrder({ category: 3 }), [pool]] };
      for (const [kind, [who, o, where]] of Object.entries(made)) {
        const h = await who.order[`publish${kind}`](o, skip);
        assert.equal((await bob.orderbook[`fetch${kind}`](h)).status, "open", kind);
        assert.equal(await who.order[`unpublish${kind}`](h), h, kind);
        await who.order[`publish${kind}`](o, skip);
        assert.ok((await who.order[`unpublishAll${kind}s`](...where)).includes(h), kind);
      }
      await alice.order.publishApporder(order, skip);
      const asked = await request({});
      const h = await bob.order.publishRequestorder(asked, skip);
      assert.equal(await bob.order.unpublishLastRequestorder(), h);
      await bob.order.publishRequestorder(asked, skip);
      assert.deepEqual(await bob.order.unpublishAllRequestorders(), [h]);
    });
    test("nothing there to ask: MarketCallError", async () => assert.rejects(n.iexec("bob", { iexecGatewayURL: "http://127.0.0.1:9" }).orderbook.fetchApporder(hash),
      (e) => e instanceof errors.MarketCallError && e.message === "Market API error: Connection to http://127.0.0.1:9 failed with a network error"));
  });

  describe("matched", () => {
    let made;
    const orders = async (o = {}) => ({
      apporder: o.apporder ?? await appOrder({ volume: 10, appprice: 5 }), datasetorder: o.datasetorder ?? await dataOrder({ volume: 10, datasetprice: 3 }),
      workerpoolorder: o.workerpoolorder ?? await poolOrder({ volume: 10, workerpoolprice: 7 }),
      requestorder: o.requestorder ?? await request({ dataset: data, volume: 2, appmaxprice: 5, datasetmaxprice: 3, workerpoolmaxprice: 7, ...o.request }) });
    const fails = async (o, message, name) => assert.rejects(bob.order.matchOrders(await orders(o), skip), refused(message, name));
    before(async () => bob.account.deposit(1000));

    test("the estimate is price times volume", async () => {
      made = await orders();
      const e = await bob.order.estimateMatchOrders(made);
      assert.deepEqual([e.volume.toString(), e.total.toString()], ["2", "30"]);
    });
    test("too low a price", async () => fails({ request: { appmaxprice: 4 } }, "appmaxprice too low (expected 5, got 4)"));
    test("another category", async () => fails({ request: { category: 3 } }, "category mismatch between requestorder (3) and workerpoolorder (4)"));
    test("too little trust", async () => fails({ request: { trust: 5 } }, "workerpoolorder trust is too low (expected 5, got 0)"));
    test("a tag that the pool lacks", async () => fails({ request: { tag: ["tee", "tdx", "gpu"] } }, "Missing tags [gpu] in workerpoolorder"));
    test("another app", async () => fails({ apporder: { ...made.apporder, app: data } }, /^No app deployed at address/));
    test("a changed order", async () => fails({ apporder: { ...made.apporder, appprice: "1" } }, "apporder invalid sign"));
    test("another data set", async () => fails({ request: { dataset: zero }, requestorder: { ...await request({ dataset: address("dave"), appmaxprice: 5, datasetmaxprice: 3, workerpoolmaxprice: 7 }) } },
      `dataset address mismatch between requestorder (${address("dave")}) and datasetorder (${data})`));
    test("more than the requester's stake", async () => assert.rejects(bob.order.matchOrders({ ...await orders(), requestorder: await request({ dataset: data, appmaxprice: 5, datasetmaxprice: 3, workerpoolmaxprice: 7 }, poor) }, skip), refused(/^Cost per task \(15\) is greater than requester account stake \(0\)\. Orders can't be matched\./)));
    test("a restriction: the chain's own words", async () => assert.rejects(bob.order.matchOrders({ ...made, apporder: await appOrder({ volume: 3, appprice: 5, requesterrestrict: address("dave") }) }, skip),
      (e) => e instanceof errors.Web3ProviderSendError && /iExecV5-matchOrders-0x1[0-9a-f]/.test(e.message) || assert.fail(`${e.name}: ${e.message}`)));
    test("a deal", async () => {
      const { dealid, volume } = await bob.order.matchOrders(made, skip);
      assert.equal(volume.toString(), "2");
      const d = await bob.deal.show(dealid);
      assert.deepEqual([d.app.pointer, d.app.price.toString(), d.dataset.pointer, d.workerpool.pointer, d.workerpool.price.toString(), d.requester, d.tag, d.botSize.toString(), d.category.toString()], [app, "5", data, pool, "7", address("bob"), tee, "2", "4"]);
      assert.equal(d.tasks[1], await bob.deal.computeTaskId(dealid, 1));
      await assert.rejects(bob.deal.claim(dealid), refused(/^Cannot claim a deal before reaching the final time: /));
      made.dealid = dealid;
    });
    test("its price is locked", async () => assert.equal((await bob.account.checkBalance(address("bob"))).locked.toNumber() >= 30, true));
    test("the request is used up", async () => assert.rejects(bob.order.matchOrders(made, skip), refused("requestorder is fully consumed")));
    test("used up, it is not published", async () => assert.rejects(bob.order.publishRequestorder(made.requestorder, skip), refused(/^API error: (order already consumed|No apporder published for app|requester stake)/)));
    test("cancelled, an order is never matched", async () => {
      const o = await appOrder({ volume: 4 });
      assert.deepEqual((await alice.order.cancelApporder(o)).order, o);
      await assert.rejects(alice.order.cancelApporder(o), refused("apporder already canceled"));
      await fails({ apporder: o }, "apporder is fully consumed");
      await assert.rejects(alice.order.publishApporder(o, skip), refused("API error: order already consumed"));
    });
    test("unknown deal and task: ObjectNotFoundError", async () => {
      await assert.rejects(bob.deal.show(sum("01")), (e) => e instanceof errors.ObjectNotFoundError && e.objName === "deal" && e.objectId === sum("01"));
      await assert.rejects(bob.task.show(sum("02")), (e) => e instanceof errors.ObjectNotFoundError && e.objName === "task");
      await assert.rejects(bob.deal.show("0x12"), refused("0x12 is not a bytes32 hexstring", "ValidationError"));
    });
    test("deals of a stranger: none", async () => assert.equal((await bob.deal.fetchRequesterDeals(address("dave"))).count, 0));
    test("deals by workerpool", async () => {
      const d = await until(async () => { const x = await bob.deal.fetchRequesterDeals(address("bob"), { workerpoolAddress: pool }); return x.count && x; });
      assert.deepEqual([d.count, d.deals[0].dealid, d.deals[0].app.price], [1, made.dealid, 5]);
    });
  });

  describe("the order book by plain HTTP", () => {
    const get = async (path, init) => {
      const r = await fetch(n.json.services.market + path, init);
      const text = await r.text();
      return { status: r.status, type: r.headers.get("content-type"), headers: r.headers, text, json: text.startsWith("{") ? JSON.parse(text) : undefined };
    };
    const error = async (path, status, message, init) => {
      const r = await get(path, init);
      assert.deepEqual([r.status, r.json.ok, r.json.error], [status, false, message]);
    };
    const chain = () => `chainId=${n.json.chainId}`;
    test("a chain that is not served", async () => error("/apporders?chainId=1&app=any", 400, "chainId 1 is not supported"));
    test("no chain", async () => error("/apporders?app=any", 400, "chainId is a required field"));
    test("no app", async () => error(`/apporders?${chain()}`, 400, "app or appOwner is required"));
    test("no address", async () => error(`/apporders?${chain()}&app=0x12`, 400, 'app is neither "any" nor a valid ethereum address'));
    test("no hash", async () => error(`/apporders/0x12?${chain()}`, 400, "orderHash must be a bytes32 hexstring"));
    test("too small a page", async () => error(`/apporders?${chain()}&app=any&pageSize=9`, 400, "pageSize must be greater than or equal to 10"));
    test("too large a page", async () => error(`/apporders?${chain()}&app=any&pageSize=1001`, 400, "pageSize must be less than or equal to 1000"));
    test("no number", async () => error(`/apporders?${chain()}&app=any&minVolume=abc`, 400, 'minVolume must be a `number` type, but the final value was: `NaN` (cast from the value `"abc"`).'));
    test("no boolean", async () => error(`/apporders?${chain()}&app=any&isDatasetStrict=x`, 400, 'isDatasetStrict must be a `boolean` type, but the final value was: `"x"`.'));
    test("an unknown order", async () => error(`/requestorders/${sum("05")}?${chain()}`, 404, "requestorder not found"));
    test("an unknown deal", async () => error(`/deals/${sum("05")}?${chain()}`, 404, "deal not found"));
    test("an unknown category", async () => error(`/categories/77?${chain()}`, 404, "category not found"));
    test("nobody's authorization", async () => error(`/apporders?${chain()}`, 403, "invalid authorization", { method: "POST", headers: { "content-type": "application/json", authorization: "x" }, body: "{}" }));
    test("a body that is no JSON", async () => error(`/apporders?${chain()}`, 500, "Internal error", { method: "POST", headers: { "content-type": "application/json" }, body: "{" }));
    test("an unknown route is text", async () => {
      const r = await get("/nowhere");
      assert.deepEqual([r.status, r.text], [404, "Not Found"]);
      assert.match(r.type, /^text\/plain/);
    });
    test("a known route, another method", async () => {
      const r = await get("/version", { method: "DELETE" });
      assert.equal(r.status, 405);
      assert.match(r.headers.get("allow"), /GET/);
    });
    test("categories by their time", async () => {
      const r = await get(`/categories?${chain()}&minWorkClockTimeRef=1`);
      assert.deepEqual([r.json.count, r.json.categories[0].name, r.json.categories[0].workClockTimeRef], [5, "XS", 300]);
    });
    test("counts of open orders", async () => {
      const r = await get(`/metrics?${chain()}`);
      assert.deepEqual([r.json.ok, typeof r.json.apporders, typeof r.json.lastBlock], [true, "number", "number"]);
    });
    test("the challenge is the same until it is used", async () => {
      const path = `/challenge?${chain()}&address=${address("dave")}`;
      const [a, b] = [await get(path), await get(path)];
      assert.equal(a.json.data.message.challenge, b.json.data.message.challenge);
      assert.deepEqual(a.json.data.domain, { name: "iExec Gateway", version: "1", chainId: String(n.json.chainId) });
    });
    test("an Origin is echoed", async () => {
      const r = await get(`/metrics?${chain()}`, { headers: { origin: "http://dapp.example" } });
      assert.equal(r.headers.get("access-control-allow-origin"), "http://dapp.example");
    });
  });
});
