// SPDX-License-Identifier: Apache-2.0
// Protected data by the unmodified DataProtector library: protect, grant, revoke, transfer, process, bulk, and its refusals.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { getAddress } from "ethers";
import { Network, iapps, until } from "./network.mjs";

const tee = "0x" + "0".repeat(63) + "9";
const zero = "0x" + "0".repeat(40);
const invalid = (message) => (e) => e.name === "ValidationError" && e.message === message || assert.fail(`${e.name}: ${e.message}`);
// A WorkflowError with its message, and what its cause says.
const failed = (message, cause) => (e) => e.message === message && (!cause || (cause.test ? cause.test(String(e.cause?.message ?? e.cause)) : String(e.cause?.message ?? e.cause) === cause)) || assert.fail(`${e.name}: ${e.message}: ${e.cause?.message ?? e.cause}`);

describe("protected data", { timeout: 200000 }, () => {
  let n, alice, bob, app, other, mail, pool;
  const address = (name) => getAddress(n.account(name).address);
  const low = (name) => address(name).toLowerCase();
  before(async () => {
    n = await Network.up();
    [alice, bob] = [n.core("alice"), n.core("bob")];
    pool = n.json.workerpool.address;
    app = getAddress(n.cli("bob", ["app", "deploy", join(iapps, "faults")]).address);
    other = getAddress(n.cli("bob", ["app", "deploy", join(iapps, "patient-stats")]).address);
  });
  after(async () => n?.down());

  describe("protect", () => {
    test("the steps are told in order", async () => {
      const steps = [];
      mail = await alice.protectData({ data: { email: "a@b.c", big: 2n ** 70n, nested: { ok: true, n: 1.5 }, bytes: new Uint8Array([1, 2, 3]) }, name: "mail", onStatusUpdate: ({ title, isDone }) => isDone && steps.push(title) });
      assert.deepEqual(steps, ["EXTRACT_DATA_SCHEMA", "CREATE_ZIP_FILE", "CREATE_ENCRYPTION_KEY", "ENCRYPT_FILE", "UPLOAD_ENCRYPTED_FILE", "DEPLOY_PROTECTED_DATA", "PUSH_SECRET_TO_SMS"]);
    });
    test("the result says what was made", () => {
      assert.deepEqual([mail.name, mail.owner, mail.schema], ["mail", address("alice"), { email: "string", big: "i128", nested: { ok: "bool", n: "f64" }, bytes: "application/octet-stream" }]);
      assert.match(mail.multiaddr, /^\/p2p\/Qm/);
      assert.match(mail.encryptionKey, /^[A-Za-z0-9+/]{43}=$/);
    });
    test("what is stored is what was encrypted", async () => {
      const r = await fetch(`${n.json.services.ipfsGateway}/ipfs/${mail.multiaddr.slice(5)}`);
      assert.equal((await r.arrayBuffer()).byteLength, 16 + 16 * (Math.floor(mail.zipFile.length / 16) + 1));
    });
    test("its key is in the secret service", async () => assert.equal(await n.iexec("carol").dataset.checkDatasetSecretExists(mail.address), true));
    test("data that cannot be kept is refused", async () => assert.rejects(alice.protectData({ data: { a: undefined } }), invalid("data is not valid: Unsupported undefined data")));
    test("a node that is not there", async () => assert.rejects(n.core("alice", { ipfsNode: "http://127.0.0.1:9" }).protectData({ data: { a: "x" } }), failed("Failed to upload encrypted data")));
  });

  describe("grant", () => {
    let granted;
    const grant = (fields) => alice.grantAccess({ protectedData: mail.address, authorizedApp: app, authorizedUser: address("bob"), ...fields });
    test("nothing granted at first", async () => assert.deepEqual(await bob.getGrantedAccess({ protectedData: mail.address }), { count: 0, grantedAccess: [] }));
    test("a grant is an order in the book", async () => {
      granted = await grant({ numberOfAccess: 3 });
      assert.deepEqual([granted.dataset, granted.datasetprice, granted.volume, granted.tag, granted.apprestrict, granted.requesterrestrict, granted.workerpoolrestrict, granted.remainingAccess],
        [mail.address.toLowerCase(), "0", "3", tee, app.toLowerCase(), low("bob"), zero, 3]);
    });
    test("everybody sees it", async () => {
      const { count, grantedAccess } = await bob.getGrantedAccess({ protectedData: mail.address, authorizedApp: app, authorizedUser: address("bob") });
      assert.deepEqual([count, grantedAccess[0].sign, grantedAccess[0].remainingAccess], [1, granted.sign, 3]);
    });
    test("not another user, not another app", async () => {
      assert.equal((await bob.getGrantedAccess({ protectedData: mail.address, authorizedUser: address("carol") })).count, 0);
      assert.equal((await bob.getGrantedAccess({ protectedData: mail.address, authorizedApp: other })).count, 0);
    });
    test("the same again is refused", async () => assert.rejects(grant(), failed("Failed to grant access", `An access has been already granted to the user: ${low("bob")} with the app: ${app.toLowerCase()}`)));
    test("to no app is refused", async () => assert.rejects(grant({ authorizedApp: zero }), (e) => /^Forbidden to use 0x0{40} as authorizedApp/.test(e.message) || assert.fail(e.message)));
    test("to what is no app is refused", async () => assert.rejects(grant({ authorizedApp: address("dave") }), failed("Failed to grant access", `Invalid authorized app address ${low("dave")}. No app or whitelist smart contract deployed at address.`)));
    test("by a stranger is refused", async () => assert.rejects(bob.grantAccess({ protectedData: mail.address, authorizedApp: other, authorizedUser: address("bob") }), failed("Failed to sign data access", "Invalid order signer, must be the resource owner")));
    test("a count of nothing is refused", async () => assert.rejects(grant({ authorizedApp: other, numberOfAccess: 0 }), invalid("numberOfAccess should be a strictly positive integer")));
    test("a bulk grant has no price", async () => assert.rejects(grant({ authorizedApp: other, allowBulk: true, pricePerAccess: 1 }), (e) => /allowBulk requires pricePerAccess to be 0 or undefined/.test(e.message) || assert.fail(e.message)));
    test("a bulk grant is found as one", async () => {
      await grant({ authorizedUser: address("carol"), allowBulk: true });
      const { count, grantedAccess } = await bob.getGrantedAccess({ protectedData: mail.address, bulkOnly: true });
      assert.deepEqual([count, grantedAccess[0].requesterrestrict, grantedAccess[0].volume], [1, low("carol"), "9007199254740991"]);
    });
    test("no order book: a service in the protocol is unavailable", async () => {
      const o = n.dataProtectorOptions();
      const away = n.core("alice", { iexecOptions: { ...o.iexecOptions, iexecGatewayURL: "http://127.0.0.1:9" } });
      await assert.rejects(away.getGrantedAccess({ protectedData: mail.address }), (e) => e.isProtocolError === true && /^A service in the iExec protocol appears to be unavailable/.test(e.message) || assert.fail(e.message));
    });
  });

  describe("process", () => {
    test("the granted user gets the result of his app", async () => {
      const r = await bob.processProtectedData({ protectedData: mail.address, app, args: "ok hello", workerpool: pool, path: "result.txt" });
      assert.equal(Buffer.from(r.result).toString(), "hello\n");
      assert.match(r.dealId, /^0x[0-9a-f]{64}$/);
    });
    test("one access less is left", async () => {
      const left = await until(async () => { const { grantedAccess } = await bob.getGrantedAccess({ protectedData: mail.address, authorizedUser: address("bob"), isUserStrict: true }); return grantedAccess[0]?.remainingAccess === 2 && 2; });
      assert.equal(left, 2);
    });
    test("without waiting, and waited for later", async () => {
      const { taskId, dealId, result } = await bob.processProtectedData({ protectedData: mail.address, app, args: "ok later", workerpool: pool, waitForResult: false });
      assert.equal(result, undefined);
      assert.deepEqual(await bob.waitForTaskCompletion({ taskId, dealId }), { status: "COMPLETED", success: true });
      assert.equal(Buffer.from((await bob.getResultFromCompletedTask({ taskId, path: "result.txt" })).result).toString(), "later\n");
    });
    test("a stranger has no order", async () => assert.rejects(n.core("dave").processProtectedData({ protectedData: mail.address, app, workerpool: pool }), failed("Failed to process protected data", "No Dataset order found for the desired price")));
    test("a key without encryption is refused", async () => assert.rejects(bob.processProtectedData({ protectedData: mail.address, app, workerpool: pool, pemPrivateKey: "x" }), (e) => /pemPrivateKey can only be provided when encryptResult is true/.test(e.message) || assert.fail(e.message)));
    test("an id that is none is refused", async () => assert.rejects(bob.getResultFromCompletedTask({ taskId: "0x12" }), invalid("taskId must be a valid iExec task ID")));
  });

  describe("revoke", () => {
    test("one", async () => {
      const { grantedAccess: [one] } = await bob.getGrantedAccess({ protectedData: mail.address, authorizedUser: address("bob"), isUserStrict: true });
      const r = await alice.revokeOneAccess(one);
      assert.deepEqual([r.access.sign, /^0x[0-9a-f]{64}$/.test(r.txHash)], [one.sign, true]);
      await until(async () => (await bob.getGrantedAccess({ protectedData: mail.address, authorizedUser: address("bob"), isUserStrict: true })).count === 0);
    });
    test("then nobody processes by it", async () => assert.rejects(bob.processProtectedData({ protectedData: mail.address, app, workerpool: pool }), failed("Failed to process protected data", "No Dataset order found for the desired price")));
    test("all", async () => {
      const titles = [];
      const all = await alice.revokeAllAccess({ protectedData: mail.address, onStatusUpdate: ({ title, isDone }) => isDone && titles.push(title) });
      assert.deepEqual([all.length, titles], [1, ["RETRIEVE_ALL_GRANTED_ACCESS", "REVOKE_ONE_ACCESS"]]);
      await until(async () => (await bob.getGrantedAccess({ protectedData: mail.address })).count === 0);
    });
    test("nothing left to revoke", async () => assert.deepEqual(await alice.revokeAllAccess({ protectedData: mail.address }), []));
    test("no grant to revoke", async () => assert.rejects(alice.revokeOneAccess({}), (e) => e.name === "ValidationError" || assert.fail(`${e.name}: ${e.message}`)));
  });

  describe("transfer", () => {
    test("a stranger does not", async () => assert.rejects(bob.transferOwnership({ protectedData: mail.address, newOwner: address("bob") }), failed("Failed to transfer protectedData ownership")));
    test("its owner does", async () => {
      const r = await alice.transferOwnership({ protectedData: mail.address, newOwner: address("dave") });
      assert.deepEqual([r.address.toLowerCase(), r.to.toLowerCase()], [mail.address.toLowerCase(), low("dave")]);
    });
    test("the index knows its new owner", async () => {
      const [d] = await until(async () => { const l = await bob.getProtectedData({ owner: address("dave") }); return l.length && l; });
      assert.deepEqual([d.name, d.owner, d.address], ["mail", low("dave"), mail.address.toLowerCase()]);
    });
    test("the old owner grants no more", async () => assert.rejects(alice.grantAccess({ protectedData: mail.address, authorizedApp: other, authorizedUser: address("bob") }), failed("Failed to sign data access", "Invalid order signer, must be the resource owner")));
  });

  describe("bulk", () => {
    let accesses, prepared;
    test("accesses of several data sets are gathered", async () => {
      accesses = [];
      for (const text of ["one", "two", "three"]) {
        const { address: protectedData } = await alice.protectData({ data: { text }, name: text });
        accesses.push(await alice.grantAccess({ protectedData, authorizedApp: app, authorizedUser: address("bob"), allowBulk: true }));
      }
      assert.equal((await bob.getGrantedAccess({ authorizedApp: app, authorizedUser: address("bob"), bulkOnly: true })).count, 3);
    });
    test("prepared in slices", async () => {
      prepared = await bob.prepareBulkRequest({ bulkAccesses: accesses, app, maxProtectedDataPerTask: 2, args: "ok bulk", workerpool: pool });
      assert.deepEqual([prepared.bulkRequest.volume, prepared.bulkRequest.dataset, prepared.bulkRequest.requester], ["2", zero, address("bob")]);
      const root = await (await fetch(`${n.json.services.ipfsGateway}/ipfs/${JSON.parse(prepared.bulkRequest.params).bulk_cid}`)).json();
      assert.equal(root.length, 2);
    });
    test("no access, no bulk", async () => assert.rejects(bob.prepareBulkRequest({ bulkAccesses: [], app }), (e) => /bulkAccesses is required and must not be empty/.test(e.message) || assert.fail(e.message)));
    test("inspected before it starts", async () => {
      const i = await bob.inspectBulkRequest({ bulkRequest: prepared.bulkRequest });
      assert.deepEqual([i.bulkStatus, i.tasksTotalCount, i.tasksToCreateCount, i.tasksCompletedCount], ["INITIALIZING", 2, 2, 0]);
    });
  });
});
