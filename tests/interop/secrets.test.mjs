// SPDX-License-Identifier: Apache-2.0
// The secret service: what the unmodified npm library asks of it, and every status by plain HTTP.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { Wallet, concat, getAddress, getBytes, keccak256, toUtf8Bytes } from "ethers";
import { errors } from "iexec";
import { Network, sum } from "./network.mjs";

const refused = (name, message) => (e) => e.name === name && e.message === message || assert.fail(`${e.name}: ${e.message}`);
const k = (...parts) => keccak256(concat(parts));
const hashText = (text) => keccak256(toUtf8Bytes(text));
const D = hashText("IEXEC_SMS_DOMAIN");

describe("secrets", { timeout: 240000 }, () => {
  let n, alice, bob, app, data;
  const address = (name) => getAddress(n.account(name).address);
  before(async () => {
    n = await Network.up();
    [alice, bob] = ["alice", "bob"].map((name) => n.iexec(name));
    app = (await alice.app.deployApp({ owner: address("alice"), name: "secret app", type: "DOCKER", multiaddr: "docker.io/me/app:1", checksum: sum("cc") })).address;
    data = (await bob.dataset.deployDataset({ owner: address("bob"), name: "secret data", multiaddr: "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ", checksum: sum("dd") })).address;
  });
  after(async () => n?.down());

  describe("of an app", () => {
    test("there is none at first", async () => assert.equal(await alice.app.checkAppSecretExists(app), false));
    test("a stranger sets none", async () => assert.rejects(bob.app.pushAppSecret(app, "x"), refused("Error", `Wallet ${address("bob")} is not allowed to set secret for ${app}`)));
    test("its owner does", async () => assert.equal(await alice.app.pushAppSecret(app, "the secret"), true));
    test("then it is there", async () => assert.equal(await n.iexec("carol").app.checkAppSecretExists(app), true));
    test("it is never replaced", async () => assert.rejects(alice.app.pushAppSecret(app, "another"), refused("Error", `Secret already exists for ${app} and can't be updated`)));
    test("one of no app is nobody's", async () => assert.rejects(alice.app.pushAppSecret(address("dave"), "x"), refused("Error", `Wallet ${address("alice")} is not allowed to set secret for ${address("dave")}`)));
  });

  describe("of a data set", () => {
    test("there is none at first", async () => assert.equal(await bob.dataset.checkDatasetSecretExists(data), false));
    test("a stranger sets none", async () => assert.rejects(alice.dataset.pushDatasetSecret(data, "x"), refused("Error", `Wallet ${address("alice")} is not allowed to set secret for ${data}`)));
    test("its owner does", async () => assert.equal(await bob.dataset.pushDatasetSecret(data, bob.dataset.generateEncryptionKey()), true));
    test("then it is there", async () => assert.equal(await n.iexec("carol").dataset.checkDatasetSecretExists(data), true));
    test("it is never replaced", async () => assert.rejects(bob.dataset.pushDatasetSecret(data, "another"), refused("Error", `Secret already exists for ${data} and can't be updated`)));
  });

  describe("of a requester", () => {
    test("there is none at first", async () => assert.equal(await bob.secrets.checkRequesterSecretExists(address("bob"), "name"), false));
    test("he sets it", async () => assert.deepEqual(await bob.secrets.pushRequesterSecret("name", "value"), { isPushed: true }));
    test("then it is there", async () => assert.equal(await alice.secrets.checkRequesterSecretExists(address("bob"), "name"), true));
    test("names differ by case", async () => assert.equal(await bob.secrets.checkRequesterSecretExists(address("bob"), "Name"), false));
    test("it is his alone", async () => assert.equal(await bob.secrets.checkRequesterSecretExists(address("alice"), "name"), false));
    test("it is never replaced", async () => assert.rejects(n.iexec("bob").secrets.pushRequesterSecret("name", "another"), refused("Error", `Secret "name" already exists for ${address("bob")}`)));
    test("too long a secret", async () => assert.rejects(bob.secrets.pushRequesterSecret("long", "x".repeat(4097)), refused("Error", "SMS answered with unexpected status: 400 Bad Request")));
    test("4096 bytes are stored", async () => assert.deepEqual(await bob.secrets.pushRequesterSecret("long", "x".repeat(4096)), { isPushed: true }));
  });

  describe("of a beneficiary and of storage", () => {
    const pem = () => generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ type: "spki", format: "pem" });
    test("no result key at first", async () => assert.equal(await bob.result.checkResultEncryptionKeyExists(address("bob")), false));
    test("it is set", async () => assert.deepEqual(await bob.result.pushResultEncryptionKey(pem()), { isPushed: true, isUpdated: false }));
    test("then it is there", async () => assert.equal(await n.iexec("bob").result.checkResultEncryptionKeyExists(address("bob")), true));
    test("it is not replaced by accident", async () => assert.rejects(n.iexec("bob").result.pushResultEncryptionKey(pem()), refused("Error", `Secret "iexec-result-encryption-public-key" already exists for ${address("bob")}`)));
    test("it is replaced on purpose", async () => assert.deepEqual(await n.iexec("bob").result.pushResultEncryptionKey(pem(), { forceUpdate: true }), { isPushed: true, isUpdated: true }));
    test("no Dropbox token at first", async () => assert.equal(await bob.storage.checkStorageTokenExists(address("bob"), "dropbox"), false));
    test("it is set", async () => assert.deepEqual(await bob.storage.pushStorageToken("token", "dropbox"), { isPushed: true, isUpdated: false }));
    test("and updated", async () => assert.deepEqual(await bob.storage.pushStorageToken("token 2", "dropbox", { forceUpdate: true }), { isPushed: true, isUpdated: true }));
    test("IPFS needs none", async () => assert.rejects(bob.storage.pushStorageToken("t", "ipfs"), (e) => /Storage provider "ipfs" does not support authentication tokens|is not supported/.test(e.message) || assert.fail(e.message)));
  });

  describe("the service that is not there", () => {
    test("SmsCallError names it", async () => assert.rejects(n.iexec("bob", { smsURL: "http://127.0.0.1:9" }).app.checkAppSecretExists(app),
      (e) => e instanceof errors.SmsCallError && e instanceof errors.ApiCallError && e.message === "SMS error: Connection to http://127.0.0.1:9 failed with a network error"));
  });

  describe("by plain HTTP", () => {
    const w = Wallet.createRandom();
    const ask = async (method, path, { body, challenge, by = w, headers = {} } = {}) => {
      if (challenge) headers = { ...headers, authorization: await by.signMessage(getBytes(challenge)) };
      const r = await fetch(n.json.services.sms + path, { method, body, headers: body === undefined ? headers : { "content-type": "text/plain", ...headers } });
      return { status: r.status, text: await r.text(), headers: r.headers };
    };
    const web2 = (name, value, own = w.address) => k(D, own, hashText(name), hashText(value));
    const path2 = (name, own = w.address) => `/secrets/web2?ownerAddress=${own}&secretName=${name}`;
    const pathR = (name, own = w.address) => `/requesters/${own}/secrets/${name}`;

    test("web2: 404, then 204, with no body", async () => {
      assert.deepEqual([(await ask("HEAD", path2("a"))).status, (await ask("POST", path2("a"), { body: "v", challenge: web2("a", "v") })).status, (await ask("HEAD", path2("a"))).status], [404, 204, 204]);
    });
    test("web2: names are one in any case, the address too", async () => assert.equal((await ask("HEAD", path2("A", w.address.toLowerCase()))).status, 204));
    test("web2: a second POST is 409 without a body", async () => {
      const r = await ask("POST", path2("a"), { body: "v2", challenge: web2("a", "v2") });
      assert.deepEqual([r.status, r.text], [409, ""]);
    });
    test("web2: PUT changes it", async () => assert.equal((await ask("PUT", path2("a"), { body: "v2", challenge: web2("a", "v2") })).status, 204));
    test("web2: PUT of nothing is 404", async () => assert.equal((await ask("PUT", path2("none"), { body: "v", challenge: web2("none", "v") })).status, 404));
    test("web2: a signature over another value is 401 without a body", async () => {
      const r = await ask("POST", path2("b"), { body: "v", challenge: web2("b", "other") });
      assert.deepEqual([r.status, r.text], [401, ""]);
    });
    test("web2: somebody else's signature is 401", async () => assert.equal((await ask("POST", path2("b"), { body: "v", challenge: web2("b", "v"), by: Wallet.createRandom() })).status, 401));
    test("web2: no signature is 400, in JSON", async () => {
      const r = await ask("POST", path2("b"), { body: "v" });
      assert.equal(r.status, 400);
      assert.equal(typeof JSON.parse(r.text).error, "string");
    });
    test("web2: a body of 4097 bytes is 413", async () => assert.equal((await ask("POST", path2("b"), { body: "x".repeat(4097), challenge: web2("b", "x".repeat(4097)) })).status, 413));
    test("web2: no name is 400", async () => assert.equal((await ask("HEAD", `/secrets/web2?ownerAddress=${w.address}`)).status, 400));
    test("requester: the errors are lists in JSON", async () => {
      const none = await ask("HEAD", pathR("x"));
      const bad = await ask("POST", pathR("x"), { body: "v", challenge: web2("x", "other") });
      assert.deepEqual([none.status, bad.status, JSON.parse(bad.text)], [404, 401, { error: ["Invalid authorization"] }]);
    });
    test("requester: a name of other letters is 400", async () => {
      const r = await ask("POST", pathR("a.b"), { body: "v", challenge: web2("a.b", "v") });
      assert.deepEqual([r.status, JSON.parse(r.text)], [400, { error: ["Secret key should contain at most 64 characters from [0-9A-Za-z-_]"] }]);
      assert.equal((await ask("HEAD", pathR("a.b"))).status, 400);
    });
    test("requester: a second POST is 409 with its text", async () => {
      assert.equal((await ask("POST", pathR("x"), { body: "v", challenge: web2("x", "v") })).status, 204);
      const r = await ask("POST", pathR("x"), { body: "w", challenge: web2("x", "w") });
      assert.deepEqual([r.status, JSON.parse(r.text)], [409, { error: ["Secret already exists"] }]);
    });
    test("requester: the signature is looked at before the name", async () => assert.equal((await ask("POST", pathR("a.b"), { body: "v", challenge: web2("a.b", "w") })).status, 401));
    test("web3: of no data set is 401", async () => assert.equal((await ask("POST", `/secrets/web3?secretAddress=${w.address}`, { body: "v", challenge: k(D, w.address, hashText("v")) })).status, 401));
    test("web3: a malformed address is 400", async () => assert.equal((await ask("HEAD", "/secrets/web3?secretAddress=0x12")).status, 400));
    test("app: an index other than 1 is not signed for", async () => assert.equal((await ask("POST", `/apps/${app}/secrets`, { body: "v", challenge: k(D, app, hashText("2"), hashText("v")) })).status, 401));
    test("the preflight of a browser allows what the library sends", async () => {
      const r = await ask("OPTIONS", path2("a"), { headers: { origin: "http://dapp.example", "access-control-request-method": "PUT", "access-control-request-headers": "authorization,content-type" } });
      assert.equal(r.status, 204);
      assert.equal(r.headers.get("access-control-allow-origin"), "*");
      assert.match(r.headers.get("access-control-allow-headers"), /authorization/);
      assert.match(r.headers.get("access-control-allow-methods"), /HEAD/);
      assert.match(r.headers.get("access-control-allow-methods"), /PUT/);
    });
    test("the framework is TDX, in JSON", async () => assert.deepEqual(JSON.parse((await ask("GET", "/tee/framework")).text), "TDX"));
    test("properties: another framework is 409, an unknown version 404", async () => assert.deepEqual([(await ask("GET", "/tee/properties/SCONE")).status, (await ask("GET", "/tee/properties/TDX/v9")).status], [409, 404]));
    test("a challenge key is not made here: 404 that says where", async () => {
      const r = await ask("POST", `/tee/challenges/${sum("11")}`, { headers: { authorization: "0x" } });
      assert.equal(r.status, 404);
      assert.equal(JSON.parse(r.text).code, "CHALLENGE_BORN_IN_ENCLAVE");
    });
    test("a session is not made here: the official error's name", async () => {
      const r = await ask("POST", "/tee/sessions", { body: "{}", headers: { "content-type": "application/json", authorization: "0x" } });
      assert.equal(r.status, 501);
      assert.equal(JSON.parse(r.text).error, "SECURE_SESSION_NO_TEE_FRAMEWORK");
    });
  });
});
