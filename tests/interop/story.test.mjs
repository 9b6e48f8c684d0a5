// SPDX-License-Identifier: Apache-2.0
// The unmodified npm clients against our services: each half of the story done by them, the other by our command line.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { IExecDataProtectorCore, getWeb3Provider } from "@iexec/dataprotector";
import { IExec, utils } from "iexec";
import { Network, iapps } from "./network.mjs";

const patients = "name,ward,age,dose\n" + Array.from({ length: 60 }, (_, i) => `patient ${i},${["north", "south"][i % 2]},${20 + i},${i}\n`).join("");
const statistics = (n, folder) => n.read(folder, "result.csv").toString();

describe("the official clients", () => {
  let n, app, faults, alice, bob;
  const core = (name) => new IExecDataProtectorCore(
    getWeb3Provider(n.account(name).privateKey, n.json.rpcUrl, { allowExperimentalNetworks: true }), n.dataProtectorOptions());
  const iexec = (name) => new IExec(
    { ethProvider: utils.getSignerFromPrivateKey(n.json.rpcUrl, n.account(name).privateKey, { allowExperimentalNetworks: true }) },
    { ...n.iexecOptions(), allowExperimentalNetworks: true });

  before(async () => {
    n = await Network.up();
    app = n.cli("bob", ["app", "deploy", join(iapps, "patient-stats")]).address;
    faults = n.cli("bob", ["app", "deploy", join(iapps, "faults")]).address;
    alice = core("alice");
    bob = core("bob");
  });
  after(async () => n?.down());

  test("protectData and grantAccess of the SDK; run by our command line", async () => {
    const p = await alice.protectData({ data: { file: new TextEncoder().encode(patients) }, name: "by the SDK" });
    assert.match(p.multiaddr, /^\/p2p\/Qm/);
    const shown = n.cli("alice", ["data", "show", p.address]);
    assert.equal(shown.owner, n.account("alice").address.toLowerCase());
    assert.deepEqual(shown.schema, { file: "application/octet-stream" });
    assert.ok(shown.keyStored);
    const g = await alice.grantAccess({ protectedData: p.address, authorizedApp: app, authorizedUser: n.account("bob").address });
    assert.equal(g.tag, "0x0000000000000000000000000000000000000000000000000000000000000009");
    n.cli("bob", ["run", app, "--data", p.address, "--args", "ward dose", "-o", join(n.home, "a")]);
    assert.match(statistics(n, "a"), /^group,count,mean,min,max,stddev\nnorth,30,/);
  });

  test("what our command line protected is granted by the SDK", async () => {
    const d = n.cli("alice", ["data", "protect", n.file("p.csv", patients), "--name", "by the command line"]);
    await alice.grantAccess({ protectedData: d.address, authorizedApp: app, authorizedUser: n.account("bob").address, numberOfAccess: 3 });
    n.cli("bob", ["run", app, "--data", d.address, "--args", "ward dose", "-o", join(n.home, "b")]);
    assert.match(statistics(n, "b"), /south,30,/);
    const { count, grantedAccess } = await alice.getGrantedAccess({ protectedData: d.address });
    assert.equal(count, 1);
    assert.equal(grantedAccess[0].remainingAccess, 2);
    const { txHash } = await alice.revokeOneAccess(grantedAccess[0]);
    assert.match(txHash, /^0x/);
    const refused = n.cli("bob", ["run", app, "--data", d.address], 3);
    assert.match(refused.error, /revoked/);
  });

  test("processProtectedData of the SDK, encrypted result and all", async () => {
    const d = n.cli("alice", ["data", "protect", "--json", '{"email":"alice@example.com","age":41}', "--name", "typed"]);
    n.cli("alice", ["data", "grant", d.address, "--app", faults, "--user", "bob", "--count", "5"]);
    const steps = [];
    const r = await bob.processProtectedData({
      protectedData: d.address, app: faults, args: "copy", workerpool: n.json.workerpool.address, encryptResult: true, path: "copy",
      secrets: { 1: "a secret" }, onStatusUpdate: ({ title, isDone }) => isDone && steps.push(title),
    });
    assert.match(r.taskId, /^0x[0-9a-f]{64}$/);
    assert.ok(r.pemPrivateKey.startsWith("-----BEGIN PRIVATE KEY-----"));
    const zip = Buffer.from(r.result);
    assert.equal(zip.subarray(0, 2).toString(), "PK");
    assert.ok(zip.includes("alice@example.com"));
    assert.ok(steps.includes("TASK_RESULT_DECRYPT"));
    const t = n.cli("bob", ["task", "show", r.taskId]);
    assert.equal(t.status, "COMPLETED");
  });

  test("deals, tasks and orders read by the iexec library", async () => {
    const lib = iexec("bob");
    const orders = await lib.orderbook.fetchWorkerpoolOrderbook({ workerpool: n.json.workerpool.address, minTag: ["tee", "tdx"], category: 0 });
    assert.ok(orders.count > 0);
    const made = n.cli("bob", ["run", faults, "--args", "ok hello", "-o", join(n.home, "c")]);
    const deal = await lib.deal.show(made.deal);
    assert.equal(deal.app.pointer.toLowerCase(), faults);
    const task = await lib.task.show(made.task);
    assert.equal(task.statusName, "COMPLETED");
    const off = await lib.task.fetchOffchainInfo(made.task);
    assert.equal(off.task.status, "COMPLETED");
    const logs = await lib.task.fetchLogs(made.task);
    assert.match(logs[0].stdout, /all is well/);
    const res = await lib.task.fetchResults(made.task);
    assert.ok((await res.arrayBuffer()).byteLength > 100);
  });

  test("a stranger is refused by the SDK's own checks", async () => {
    const d = n.cli("alice", ["data", "protect", n.file("q.csv", patients)]);
    await assert.rejects(core("carol").processProtectedData({ protectedData: d.address, app, workerpool: n.json.workerpool.address }),
      (e) => /No Dataset order found/.test(String(e.cause?.message ?? e.cause ?? e.message)));
  });

  test("the app secret and the requester secrets of the library", async () => {
    const lib = iexec("dave");
    const name = `s${Date.now()}`;
    assert.equal(await lib.secrets.checkRequesterSecretExists(n.account("dave").address, name), false);
    await lib.secrets.pushRequesterSecret(name, "value");
    assert.equal(await lib.secrets.checkRequesterSecretExists(n.account("dave").address, name), true);
    await iexec("bob").app.pushAppSecret(faults, "the app's secret");
    await assert.rejects(iexec("bob").app.pushAppSecret(faults, "again"), /already exists/);
  });
});
