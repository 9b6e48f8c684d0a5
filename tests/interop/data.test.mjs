// SPDX-License-Identifier: Apache-2.0
// Protected data both ways: what the npm package protects we open, what we protect it opens; and its bulk requests.
import assert from "node:assert/strict";
import { createDecipheriv, createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { deserialize } from "borsh";
import JSZip from "jszip";
import { Network, iapps, sum, until } from "./network.mjs";

describe("protected data and bulk by the npm package", () => {
  let n, app, alice, bob;

  before(async () => {
    n = await Network.up();
    app = n.cli("bob", ["app", "deploy", join(iapps, "faults")]).address;
    alice = n.core("alice");
    bob = n.core("bob");
  });
  after(async () => n?.down());

  test("what the npm package protects, our command line opens with its key", async () => {
    const file = Buffer.from("%PDF-1.7 not really");
    const p = await alice.protectData({ name: "npm", data: { file, nested: { flag: true, n: 4.25, big: 12345678901234567890n, text: "käse" } } });
    const key = n.file("npm.key", p.encryptionKey);
    n.cli("alice", ["data", "open", p.address, "--key-file", key, "-o", join(n.home, "npm-out")]);
    assert.deepEqual(n.read("npm-out", "file"), file);
    assert.deepEqual([...n.read("npm-out", "nested", "flag")], [1]);
    assert.equal(n.read("npm-out", "nested", "n").readDoubleLE(), 4.25);
    assert.equal(n.read("npm-out", "nested", "big").readBigUInt64LE(), 12345678901234567890n);
    assert.equal(deserialize("string", n.read("npm-out", "nested", "text")), "käse");
  });

  // As the npm package does it: fetched by its address, checked, AES-256-CBC after a 16-byte IV, a zip.
  async function openHere(d, keyFile) {
    const got = Buffer.from(await (await fetch(`${n.json.services.ipfsGateway}/ipfs/${d.cid}`)).arrayBuffer());
    assert.equal("0x" + createHash("sha256").update(got).digest("hex"), d.checksum);
    const key = Buffer.from(readFileSync(keyFile, "utf8"), "base64");
    const aes = createDecipheriv("aes-256-cbc", key, got.subarray(0, 16));
    return JSZip.loadAsync(Buffer.concat([aes.update(got.subarray(16)), aes.final()]));
  }

  test("what our command line protects, JavaScript opens with its key", async () => {
    const key = join(n.home, "ours.key");
    const d = n.cli("alice", ["data", "protect", "--json", '{"email":"a@b.c","in":{"ok":true,"age":41.5}}', "--key-out", key]);
    const zip = await openHere(d, key);
    const leaf = (path) => zip.file(path).async("uint8array");
    assert.equal(deserialize("string", await leaf("email")), "a@b.c");
    assert.equal(deserialize("bool", await leaf("in/ok")), true);
    assert.equal(deserialize("f64", await leaf("in/age")), 41.5);
    const [found] = await until(async () => {
      const list = await alice.getProtectedData({ protectedDataAddress: d.address });
      return list.length && list;
    });
    assert.deepEqual(found.schema, { email: "string", in: { ok: "bool", age: "f64" } });
  });

  test("a folder of ours is a nested object to JavaScript", async () => {
    const { mkdirSync } = await import("node:fs");
    mkdirSync(join(n.home, "tree", "sub"), { recursive: true });
    n.file("tree/a.txt", "one");
    n.file("tree/sub/b.txt", "two");
    const key = join(n.home, "tree.key");
    const d = n.cli("alice", ["data", "protect", join(n.home, "tree"), "--key-out", key]);
    const zip = await openHere(d, key);
    assert.equal(await zip.file("a_txt").async("text"), "one");
    assert.equal(await zip.file("sub/b_txt").async("text"), "two");
    const [found] = await until(async () => {
      const list = await alice.getProtectedData({ protectedDataAddress: d.address, requiredSchema: { sub: { b_txt: "application/octet-stream" } } });
      return list.length && list;
    });
    assert.equal(found.address.toLowerCase(), d.address);
  });

  test("a key that was never handed over is handed over later", async () => {
    const library = n.iexec("alice");
    const { address } = await library.dataset.deployDataset({
      owner: n.account("alice").address, name: "late", multiaddr: "/ipfs/Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD", checksum: sum("12") });
    assert.equal(await library.dataset.checkDatasetSecretExists(address), false);
    n.cli("bob", ["data", "push-key", address, "--key-file", n.file("late.key", Buffer.alloc(32, 7).toString("base64"))], 3);
    n.cli("alice", ["data", "push-key", address, "--key-file", join(n.home, "late.key")]);
    assert.equal(await library.dataset.checkDatasetSecretExists(address), true);
  });

  test("prepareBulkRequest and processBulkRequest run on our network; a revoked one is left out and told", async () => {
    const data = [];
    for (let i = 0; i < 3; i++) {
      const p = await alice.protectData({ name: `bulk ${i}`, data: { file: Buffer.from(`content ${i}`) } });
      await alice.grantAccess({ protectedData: p.address, authorizedApp: app, authorizedUser: n.account("bob").address, allowBulk: true });
      data.push(p.address);
    }
    const bulkAccesses = [];
    for (const protectedData of data) {
      const { grantedAccess } = await bob.getGrantedAccess({ protectedData, authorizedUser: n.account("bob").address, bulkOnly: true });
      bulkAccesses.push(grantedAccess[0]);
    }
    const { bulkRequest, pemPrivateKey } = await bob.prepareBulkRequest({
      bulkAccesses, app, maxProtectedDataPerTask: 2, args: "bulk", encryptResult: true, workerpool: n.json.workerpool.address });
    await alice.revokeOneAccess(bulkAccesses[1]);
    const { tasks } = await bob.processBulkRequest({
      bulkRequest, pemPrivateKey, workerpool: n.json.workerpool.address, waitForResult: true, path: "strongroom-datasets.json" });
    assert.equal(tasks.length, 2);
    const told = tasks.flatMap((t) => JSON.parse(Buffer.from(t.result).toString()));
    assert.deepEqual(told.map((d) => d.outcome), ["released", "DATASET_ORDER_REVOKED", "released"]);
    assert.deepEqual(told.map((d) => d.address), data.map((a) => a.toLowerCase()));
    const seen = await bob.inspectBulkRequest({ bulkRequest });
    assert.equal(seen.bulkStatus, "FINISHED");
    assert.equal(seen.tasksCompletedCount, 2);
  });
});
