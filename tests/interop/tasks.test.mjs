// SPDX-License-Identifier: Apache-2.0
// Tasks from deal to decrypted result, the scheduler's public routes, and storage, by the unmodified npm packages.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { TypedDataEncoder, getAddress } from "ethers";
import { errors, utils } from "iexec";
import JSZip from "jszip";
import { create } from "kubo-rpc-client";
import { Network, iapps, sum, until } from "./network.mjs";

const skip = { preflightCheck: false };
const refused = (message, name = "Error") => (e) => e.name === name && (message.test ? message.test(e.message) : e.message === message) || assert.fail(`${e.name}: ${e.message}`);

describe("tasks and storage", { timeout: 140000 }, () => {
  let n, bob, carol, app, deal, task;
  const address = (name) => getAddress(n.account(name).address);
  const keys = generateKeyPairSync("rsa", { modulusLength: 2048, publicKeyEncoding: { type: "spki", format: "pem" }, privateKeyEncoding: { type: "pkcs8", format: "pem" } });
  // Buys one execution the way a dApp does: orders from the book, a request of one's own.
  const run = async (params, more = {}) => {
    const w = await until(async () => (await bob.orderbook.fetchWorkerpoolOrderbook({ workerpool: n.json.workerpool.address, app, minTag: ["tee", "tdx"], category: 0 })).orders[0]);
    const apporder = (await bob.orderbook.fetchAppOrderbook({ app, requester: address("bob") })).orders[0].order;
    const requestorder = await bob.order.signRequestorder(await bob.order.createRequestorder({ app, category: 0, workerpoolmaxprice: w.order.workerpoolprice, params, ...more }));
    return (await bob.order.matchOrders({ apporder, workerpoolorder: w.order, requestorder })).dealid;
  };
  const watched = (observe) => new Promise(async (done, failed) => {
    const seen = [];
    (await observe).subscribe({ next: (x) => seen.push(x.message), error: failed, complete: () => done(seen) });
  });

  before(async () => {
    n = await Network.up();
    [bob, carol] = [n.iexec("bob"), n.iexec("carol")];
    app = getAddress(n.cli("bob", ["app", "deploy", join(iapps, "faults")]).address);
    await bob.account.deposit("1 RLC");
    await bob.result.pushResultEncryptionKey(keys.publicKey);
  });
  after(async () => n?.down());

  describe("a task with an encrypted result", () => {
    test("the app's order is in the book", async () => {
      const b = await bob.orderbook.fetchAppOrderbook({ app, minTag: ["tee", "tdx"], requester: address("bob") });
      assert.equal(b.count, 1);
      assert.equal(b.orders[0].order.app, app);
    });
    test("a deal is made, and watched to its end", async () => {
      deal = await run({ iexec_args: "ok hello", iexec_result_encryption: true });
      const seen = await watched(bob.deal.obsDeal(deal));
      assert.equal(seen.at(-1), "DEAL_COMPLETED");
      const d = await bob.deal.show(deal);
      task = d.tasks[0];
      assert.deepEqual([d.params.includes('"iexec_result_encryption":true'), d.requester, d.app.pointer], [true, address("bob"), app]);
    });
    test("the task is COMPLETED, its result on IPFS", async () => {
      const t = await bob.task.show(task);
      assert.deepEqual([t.statusName, t.status, t.results.storage, t.dealid], ["COMPLETED", 3, "ipfs", deal]);
      assert.match(t.results.location, /^\/ipfs\/Qm[1-9A-HJ-NP-Za-km-z]{44}$/);
    });
    test("watching an ended task tells its end", async () => assert.equal((await watched(bob.task.obsTask(task, { dealid: deal }))).at(-1), "TASK_COMPLETED"));
    test("the result decrypts with the beneficiary's key", async () => {
      const archive = await (await bob.task.fetchResults(task)).arrayBuffer();
      const outer = await JSZip.loadAsync(archive);
      assert.deepEqual(Object.keys(outer.files).sort(), ["aes-key.rsa", "iexec_out.zip.aes"]);
      const zip = await JSZip.loadAsync(await utils.decryptResult(Buffer.from(archive), keys.privateKey));
      assert.equal(await zip.file("result.txt").async("string"), "hello\n");
      assert.match(await zip.file("computed.json").async("string"), /deterministic-output-path/);
    });
    test("another key does not open it", async () => {
      const other = generateKeyPairSync("rsa", { modulusLength: 2048, privateKeyEncoding: { type: "pkcs8", format: "pem" }, publicKeyEncoding: { type: "spki", format: "pem" } });
      const archive = Buffer.from(await (await bob.task.fetchResults(task)).arrayBuffer());
      await assert.rejects(utils.decryptResult(archive, other.privateKey), refused(/^Failed to decrypt results/));
    });
    test("a finished task is not claimed", async () => assert.rejects(bob.task.claim(task), refused(/^(Cannot claim|Task is not in a claimable state|Task cannot be claimed|.*status.*)/)));
    test("the gateway that is not there: IpfsGatewayCallError", async () => assert.rejects(n.iexec("bob", { ipfsGatewayURL: "http://127.0.0.1:9" }).task.fetchResults(task),
      (e) => e instanceof errors.IpfsGatewayCallError && e.message === "IPFS gateway error: Connection to http://127.0.0.1:9 failed with a network error"));
  });

  describe("a task with a callback", () => {
    test("its data is on the chain, no result to fetch", async () => {
      const id = await run({ iexec_args: "callback 0x1234" }, { callback: address("dave") });
      const { 0: taskid } = (await bob.deal.show(id)).tasks;
      await until(async () => ["COMPLETED", "FAILED"].includes((await bob.task.fetchOffchainInfo(taskid).catch(() => null))?.task.status));
      const t = await bob.task.show(taskid);
      assert.deepEqual([t.statusName, t.results.storage], ["COMPLETED", "ethereum"]);
      assert.notEqual(t.resultsCallback, "0x");
      await assert.rejects(bob.task.fetchResults(taskid), refused("Task result stored on ethereum, download not supported"));
    });
  });

  describe("an app that fails", () => {
    let failed;
    test("the pool says why, and the logs are there", async () => {
      const id = await run({ iexec_args: "exit 7" });
      failed = (await bob.deal.show(id)).tasks[0];
      const info = await until(async () => { const r = await fetch(`${n.json.services.scheduler}/tasks/${failed}`); const t = r.ok && await r.json(); return t?.currentStatus === "FAILED" && t; });
      assert.deepEqual([info.replicates.length, info.replicates[0].appExitCode], [1, 7]);
      assert.equal(info.dateStatusList.at(-1).status, "FAILED");
    });
    test("nothing of it is on the chain", async () => assert.rejects(bob.task.fetchResults(failed), (e) => e instanceof errors.ObjectNotFoundError && e.objName === "task"));
  });

  describe("the scheduler's public routes", () => {
    const get = async (path, headers) => {
      const r = await fetch(n.json.services.scheduler + path, { headers });
      const text = await r.text();
      return { status: r.status, type: r.headers.get("content-type"), text, json: /^[[{]/.test(text) ? JSON.parse(text) : undefined };
    };
    const challenge = async (who) => (await get(`/tasks/logs/challenge?address=${address(who)}&chainId=${n.json.chainId}`)).json;
    const authorize = async (who, as = who) => {
      const c = await challenge(as);
      const { EIP712Domain, ...types } = c.types;
      const signature = await n.signer(n.account(who).privateKey).signTypedData(c.domain, types, c.message);
      return { authorization: `${TypedDataEncoder.hash(c.domain, types, c.message)}_${signature}_${address(as)}` };
    };
    test("what happened to a task", async () => {
      const { json, status } = await get(`/tasks/${task}`);
      assert.deepEqual([status, json.chainTaskId, json.currentStatus, json.dappName ?? "", json.replicates.length], [200, task, "COMPLETED", json.dappName ?? "", 1]);
      assert.equal(json.dateStatusList[0].status, "RECEIVED");
      assert.match(json.dateStatusList[0].date, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$/);
    });
    test("one replicate of it", async () => {
      const wallet = (await get(`/tasks/${task}`)).json.replicates[0].walletAddress;
      const r = await get(`/tasks/${task}/replicates/${wallet}`);
      assert.deepEqual([r.status, getAddress(r.json.walletAddress)], [200, getAddress(wallet)]);
      assert.equal((await get(`/tasks/${task}/replicates/${address("dave")}`)).status, 404);
    });
    test("the library's view of it", async () => {
      const i = await bob.task.fetchOffchainInfo(task);
      assert.deepEqual([i.task.status, i.replicates[0].exitCode], ["COMPLETED", 0]);
    });
    test("an unknown task is 404, in JSON", async () => {
      const r = await get(`/tasks/${sum("07")}`);
      assert.deepEqual([r.status, typeof r.json.error], [404, "string"]);
    });
    test("the challenge is at the top, and signed by another domain than the market's", async () => {
      const c = await challenge("bob");
      assert.deepEqual(c.domain, { name: "iExec Core", version: "1", chainId: n.json.chainId });
      assert.equal(c.primaryType, "Challenge");
      assert.equal(Buffer.from(c.message.challenge, "base64").length, 32);
    });
    test("logs by the library", async () => {
      const l = await bob.task.fetchLogs(task);
      assert.equal(l.length, 1);
      assert.match(l[0].stdout, /all is well/);
    });
    test("logs by hand, for the requester", async () => {
      const r = await get(`/tasks/${task}/logs`, await authorize("bob"));
      assert.deepEqual([r.status, r.json.chainTaskId, r.json.computeLogsList.length], [200, task, 1]);
    });
    test("an authorization is good for more than one request", async () => {
      const a = await authorize("bob");
      assert.deepEqual([(await get(`/tasks/${task}/logs`, a)).status, (await get(`/tasks/${task}/logs`, a)).status], [200, 200]);
    });
    test("no authorization is 401", async () => assert.equal((await get(`/tasks/${task}/logs`)).status, 401));
    test("one that is malformed is 401", async () => assert.equal((await get(`/tasks/${task}/logs`, { authorization: "x_y_z" })).status, 401));
    test("signed by somebody else is 401", async () => assert.equal((await get(`/tasks/${task}/logs`, await authorize("carol", "bob"))).status, 401));
    test("of somebody else's task is 403", async () => assert.equal((await get(`/tasks/${task}/logs`, await authorize("carol"))).status, 403));
    test("of no task is 404", async () => assert.equal((await get(`/tasks/${sum("07")}/logs`, await authorize("bob"))).status, 404));
    test("the library asks for nobody else's", async () => assert.rejects(carol.task.fetchLogs(task), refused(`Only task requester ${address("bob")} can access replicates logs`)));
    test("one worker, none busy", async () => {
      const m = (await get("/metrics")).json;
      assert.deepEqual([m.aliveWorkers, typeof m.currentTaskStatusesCount.COMPLETED, m.dealsCount >= 3], [1, "number", true]);
    });
    test("a version, as text", async () => assert.match((await get("/version")).text, /^\S+$/));
    test("no compass to ask: CompassCallError", async () => assert.rejects(n.iexec("bob", { compassURL: "http://127.0.0.1:9" }).task.fetchOffchainInfo(task), (e) => e instanceof errors.CompassCallError));
  });

  describe("storage", () => {
    let ipfs;
    const text = (cid) => fetch(`${n.json.services.ipfsGateway}/ipfs/${cid}`).then((r) => r.text());
    before(() => { ipfs = create({ url: n.json.services.ipfsNode }); });
    test("added, it is served at once under Kubo's CID", async () => {
      const r = await ipfs.add("hello world");
      assert.deepEqual([r.cid.toString(), r.path, r.size], ["Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD", "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD", 19]);
      assert.equal(await text(r.cid), "hello world");
    });
    test("nothing at all has the known CID", async () => assert.equal((await ipfs.add(new Uint8Array())).cid.toString(), "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"));
    test("cat gives it back, a part too", async () => {
      const { cid } = await ipfs.add("0123456789");
      const all = [], part = [];
      for await (const piece of ipfs.cat(cid)) all.push(piece);
      for await (const piece of ipfs.cat(cid, { offset: 3, length: 4 })) part.push(piece);
      assert.deepEqual([Buffer.concat(all).toString(), Buffer.concat(part).toString()], ["0123456789", "3456"]);
    });
    test("only its name, when asked so", async () => {
      const { cid } = await ipfs.add("never kept", { onlyHash: true });
      assert.equal((await fetch(`${n.json.services.ipfsGateway}/ipfs/${cid}`)).status, 404);
    });
    test("folders, wrapped", async () => {
      const seen = [];
      for await (const f of ipfs.addAll([{ path: "d/b/c.txt", content: "sea" }, { path: "d/a.txt", content: "hello" }], { wrapWithDirectory: true })) seen.push(f);
      assert.equal(seen.at(-1).cid.toString(), "Qmde4tR5gpvJDgHAtE995o2ZfCGm6JJjn22QuexPtBfKPY");
      assert.equal(await text(`${seen.at(-1).cid}/d/b/c.txt`), "sea");
    });
    test("content is pinned by being here", async () => {
      const { cid } = await ipfs.add("pinned");
      const pins = [];
      for await (const p of ipfs.pin.ls({ paths: [cid] })) pins.push([p.cid.toString(), p.type]);
      assert.deepEqual(pins, [[cid.toString(), "recursive"]]);
      assert.equal((await ipfs.pin.add(cid)).toString(), cid.toString());
    });
    test("a node's version", async () => assert.equal(typeof (await ipfs.version()).version, "string"));
    test("a client that asks for another form is told which", async () => assert.rejects(ipfs.add("x", { cidVersion: 1 }), /only Kubo's default form/));
    test("version 1 of the same block is served", async () => {
      const { cid } = await ipfs.add("hello world");
      assert.equal(await text(cid.toV1().toString()), "hello world");
    });
    test("HEAD tells the size, ranges give a part, strangers' scripts are not run", async () => {
      const { cid } = await ipfs.add("0123456789");
      const url = `${n.json.services.ipfsGateway}/ipfs/${cid}`;
      const head = await fetch(url, { method: "HEAD" });
      assert.deepEqual([head.status, head.headers.get("content-length"), head.headers.get("x-content-type-options"), head.headers.get("access-control-allow-origin")], [200, "10", "nosniff", "*"]);
      const part = await fetch(url, { headers: { range: "bytes=2-4" } });
      assert.deepEqual([part.status, await part.text()], [206, "234"]);
    });
    test("what is not here is 404, what is no CID 400", async () => {
      assert.equal((await fetch(`${n.json.services.ipfsGateway}/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG`)).status, 404);
      assert.equal((await fetch(`${n.json.services.ipfsGateway}/ipfs/nonsense`)).status, 400);
    });
    test("a bulk of data sets is uploaded by the library", async () => {
      const dataset = (await carol.dataset.deployDataset({ owner: address("carol"), name: "bulk data", multiaddr: "/ipfs/Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD", checksum: sum("dd") })).address;
      const order = await carol.order.signDatasetorder(await carol.order.createDatasetorder({ dataset, volume: utils.DATASET_INFINITE_VOLUME }), skip);
      const { cid, volume } = await carol.order.prepareDatasetBulk([order, order, order], { maxDatasetPerTask: 2 });
      assert.equal(volume, 2);
      const slices = JSON.parse(await text(cid));
      assert.equal(slices.length, 2);
      const first = JSON.parse(await text(slices[0]));
      assert.deepEqual([first.length, first[0].dataset, first[0].volume, first[0].sign], [2, dataset, "9007199254740991", order.sign]);
    });
  });
});
