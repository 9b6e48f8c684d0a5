// SPDX-License-Identifier: Apache-2.0
// Contract wallets (ERC-1271) from end to end: one owns an app, its secret and protected data, and is the requester with a secret
// and a result key. Everything a room is given is stored and ordered by the wallet's word alone; the app in the room sees it.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Interface, TypedDataEncoder, Wallet, concat, getAddress, getBytes, hexlify, keccak256, randomBytes, toBeHex, toUtf8Bytes } from "ethers";
import { utils } from "iexec";
import JSZip from "jszip";
import { create } from "kubo-rpc-client";
import { Network, iapps, nonceForgotten, until } from "./network.mjs";

const k = (...parts) => keccak256(concat(parts));
const hashText = (text) => keccak256(toUtf8Bytes(text));
const D = hashText("IEXEC_SMS_DOMAIN");
const skip = { preflightCheck: false };

// isValidSignature(hash, 65 bytes): who signed is `owner`? Nothing else.
const runtime = (owner) => `6020600460003760a43560f81c60205260406064604037602060806080600060015afa5060805173${owner.slice(2).toLowerCase()}14631626ba7e60e01b0260005260206000f3`;
const initCode = (code) => { const size = (code.length / 2).toString(16).padStart(2, "0"); return `0x60${size}600c60003960${size}6000f3${code}`; };

describe("contract wallets", { timeout: 240000 }, () => {
  let n, bob, key, signer, wallet, origin, app, data, spoke;
  const file = "name,ward\nzoe,north\n", secret = { app: "the app's word 5519", requester: "the requester's word 6620" };
  const result = generateKeyPairSync("rsa", { modulusLength: 2048, publicKeyEncoding: { type: "spki", format: "pem" }, privateKeyEncoding: { type: "pkcs8", format: "pem" } });

  // A wallet of that key's, from bob's transaction: its address and how it came about.
  const deploy = async (owner) => {
    const nonce = await signer.provider.getTransactionCount(signer.address);
    const receipt = await (await signer.sendTransaction({ data: initCode(runtime(owner)), nonce })).wait();
    return { address: getAddress(receipt.contractAddress), origin: concat([signer.address, toBeHex(nonce, 8)]) };
  };
  const push = async (path, value, challenge, { by = key, from, method = "POST" } = {}) =>
    (await fetch(n.json.services.sms + path, { method, body: value, headers: {
      "content-type": "text/plain", authorization: await by.signMessage(getBytes(challenge)), ...(from && { "x-contract-origin": from }) } })).status;
  const own = (name, value) => k(D, wallet, hashText(name), hashText(value));

  // An order of the wallet's: the hub asks it about the key's signature.
  const restrictions = "address workerpoolrestrict,address requesterrestrict,bytes32 salt";
  const fields = {
    AppOrder: `address app,uint256 appprice,uint256 volume,bytes32 tag,address datasetrestrict,${restrictions}`,
    DatasetOrder: `address dataset,uint256 datasetprice,uint256 volume,bytes32 tag,address apprestrict,${restrictions}`,
    WorkerpoolOrder: `address workerpool,uint256 workerpoolprice,uint256 volume,bytes32 tag,uint256 category,uint256 trust,address apprestrict,address datasetrestrict,address requesterrestrict,bytes32 salt`,
    RequestOrder: "address app,uint256 appmaxprice,address dataset,uint256 datasetmaxprice,address workerpool,uint256 workerpoolmaxprice,address requester,uint256 volume,bytes32 tag,uint256 category,uint256 trust,address beneficiary,address callback,string params,bytes32 salt",
  };
  const sign = async (type, order, by = key) => {
    const typed = { [type]: fields[type].split(",").map((f) => { const [type, name] = f.split(" "); return { type, name }; }) };
    const domain = { name: "iExecODB", version: "5.0.0", chainId: n.json.chainId, verifyingContract: n.json.contracts.hub };
    const message = { ...order, salt: hexlify(randomBytes(32)) };
    return { ...message, sign: await by.signTypedData(domain, typed, message) };
  };
  const tee = "0x0000000000000000000000000000000000000000000000000000000000000009";
  const none = "0x0000000000000000000000000000000000000000";

  // Matches orders of the wallet's with one of the pool's; the deal's id. The transaction is bob's.
  const match = async (params, { dataset = none, by = key, through } = {}) => {
    const workerpoolorder = (await until(async () => (await bob.orderbook.fetchWorkerpoolOrderbook({ workerpool: n.json.workerpool.address, app, minTag: ["tee", "tdx"], category: 0 })).orders[0])).order;
    await nonceForgotten();
    const restrict = { workerpoolrestrict: none, requesterrestrict: none, volume: 1, tag: tee };
    const apporder = await sign("AppOrder", { app, appprice: 0, datasetrestrict: none, ...restrict });
    const datasetorder = dataset === none ? undefined : await sign("DatasetOrder", { dataset, datasetprice: 0, apprestrict: app, ...restrict });
    const requestorder = await sign("RequestOrder", { app, appmaxprice: 0, dataset, datasetmaxprice: 0, workerpool: none, workerpoolmaxprice: workerpoolorder.workerpoolprice, requester: wallet,
      volume: 1, tag: tee, category: 0, trust: 0, beneficiary: wallet, callback: none, params: JSON.stringify(params) }, by);
    if (through) return through([apporder, datasetorder ?? nothing, workerpoolorder, requestorder]);
    const { dealid } = await bob.order.matchOrders({ apporder, workerpoolorder, requestorder, ...(datasetorder && { datasetorder }) }, skip);
    return (await bob.deal.show(dealid)).tasks[0];
  };
  const nothing = { dataset: none, datasetprice: 0, volume: 0, tag: "0x" + "00".repeat(32), apprestrict: none, workerpoolrestrict: none, requesterrestrict: none, salt: "0x" + "00".repeat(32), sign: "0x" };
  const tuple = (list) => `tuple(${list},bytes sign)`;
  const hub = new Interface([
    `function matchOrders(${["AppOrder", "DatasetOrder", "WorkerpoolOrder", "RequestOrder"].map((t) => tuple(fields[t])).join(",")})`,
    "event OrdersMatched(bytes32 dealid,bytes32 appHash,bytes32 datasetHash,bytes32 workerpoolHash,bytes32 requestHash,uint256 volume)"]);
  const ended = (task) => until(async () => { const t = (await bob.task.fetchOffchainInfo(task).catch(() => null))?.task; return ["COMPLETED", "FAILED"].includes(t?.status) && t; });
  const unzip = async (task, decrypt) => {
    const archive = Buffer.from(await (await bob.task.fetchResults(task)).arrayBuffer());
    return JSZip.loadAsync(decrypt ? await utils.decryptResult(archive, result.privateKey) : archive);
  };

  before(async () => {
    n = await Network.up();
    bob = n.iexec("bob");
    key = Wallet.createRandom(); // an account that never sends anything
    signer = n.signer(n.account("bob").privateKey);
    ({ address: wallet, origin } = await deploy(key.address));
    await nonceForgotten();
    const mine = n.cli("bob", ["app", "deploy", join(iapps, "faults")]);
    const { app: seen } = await bob.app.showApp(getAddress(mine.address));
    app = (await bob.app.deployApp({ owner: wallet, name: "a wallet's app", type: "DOCKER", multiaddr: seen.appMultiaddr, checksum: seen.appChecksum })).address;
  });
  after(async () => n?.down());

  test("the wallet stores its app's secret, a secret of its own and a result key", async () => {
    assert.equal(await push(`/apps/${app}/secrets`, secret.app, k(D, app, hashText("1"), hashText(secret.app))), 204);
    assert.equal(await push(`/requesters/${wallet}/secrets/word`, secret.requester, own("word", secret.requester), { from: origin }), 204);
    const name = "iexec-result-encryption-public-key";
    assert.equal(await push(`/secrets/web2?ownerAddress=${wallet}&secretName=${name}`, result.publicKey, own(name, result.publicKey), { from: origin }), 204);
  });

  test("another key's word is not the wallet's", async () => {
    const by = Wallet.createRandom();
    assert.equal(await push(`/requesters/${wallet}/secrets/other`, "x", own("other", "x"), { from: origin, by }), 401);
    assert.equal(await push(`/requesters/${wallet}/secrets/other`, "x", own("other", "x")), 401); // no origin
  });

  test("a task of the wallet's: its app sees both secrets, its result is for its key", async () => {
    const task = await match({ iexec_args: "environment", iexec_secrets: { 1: "word" }, iexec_result_encryption: true, iexec_result_storage_provider: "ipfs" });
    assert.equal((await ended(task)).status, "COMPLETED");
    const text = await (await unzip(task, true)).file("environment.txt").async("string");
    assert.match(text, new RegExp(`^IEXEC_APP_DEVELOPER_SECRET=${secret.app}$`, "m"));
    assert.match(text, new RegExp(`^IEXEC_REQUESTER_SECRET_1=${secret.requester}$`, "m"));
    const t = await bob.task.show(task);
    assert.equal(t.statusName, "COMPLETED");
  });

  test("without its word there is no deal", async () => assert.rejects(match({ iexec_args: "ok" }, { by: Wallet.createRandom() }), /requestorder|[Ii]nvalid sign|reverted/));

  test("protected data of the wallet's reaches the room by its order", async () => {
    const k1 = bob.dataset.generateEncryptionKey();
    const sealed = await bob.dataset.encrypt(toUtf8Bytes(file), k1);
    const { cid } = await create({ url: n.json.services.ipfsNode }).add(sealed);
    data = (await bob.dataset.deployDataset({ owner: wallet, name: "a wallet's data", multiaddr: `/ipfs/${cid}`, checksum: await bob.dataset.computeEncryptedFileChecksum(sealed) })).address;
    assert.equal(await push(`/secrets/web3?secretAddress=${data}`, k1, k(D, data, hashText(k1))), 204);
    assert.equal(await push(`/secrets/web3?secretAddress=${data}`, k1, k(D, data, hashText(k1))), 409);
    const task = await match({ iexec_args: "copy", iexec_result_storage_provider: "ipfs" }, { dataset: data });
    assert.equal((await ended(task)).status, "COMPLETED");
    assert.equal(await (await unzip(task)).file("copy").async("string"), file);
    const [row] = (await (await fetch(`${n.json.services.sms}/v1/releases?dataset=${data}`)).json());
    assert.deepEqual([row.outcome, row.task], ["released", task]);
  });

  test("a deal that a contract makes, as smart accounts do: the orders are in its call", async () => {
    // execute(address,bytes) of a contract that calls another
    const account = (await (await signer.sendTransaction({ data: initCode("6044358060646000376000600082600060006004355af100") })).wait()).contractAddress;
    const execute = new Interface(["function execute(address,bytes)"]);
    const task = spoke = await match({ iexec_args: "ok by-an-account", iexec_result_storage_provider: "ipfs" }, { through: async (orders) => {
      const data = execute.encodeFunctionData("execute", [n.json.contracts.hub, hub.encodeFunctionData("matchOrders", orders)]);
      const receipt = await (await signer.sendTransaction({ to: account, data, gasLimit: 3000000 })).wait();
      const made = receipt.logs.map((l) => hub.parseLog(l)).find((l) => l?.name === "OrdersMatched");
      return (await bob.deal.show(made.args.dealid)).tasks[0];
    } });
    assert.equal((await ended(task)).status, "COMPLETED");
    assert.equal(await (await unzip(task)).file("result.txt").async("string"), "by-an-account\n");
  });

  test("the wallet reads its task's logs, a stranger does not", async () => {
    const get = async (path, headers) => { const r = await fetch(n.json.services.scheduler + path, { headers }); return { status: r.status, json: await r.json() }; };
    const authorize = async (by, as) => {
      const c = (await get(`/tasks/logs/challenge?address=${as}&chainId=${n.json.chainId}`)).json;
      const { EIP712Domain, ...types } = c.types;
      return { authorization: `${TypedDataEncoder.hash(c.domain, types, c.message)}_${await by.signTypedData(c.domain, types, c.message)}_${as}` };
    };
    const r = await get(`/tasks/${spoke}/logs`, await authorize(key, wallet));
    assert.deepEqual([r.status, r.json.chainTaskId], [200, spoke]);
    const stranger = Wallet.createRandom();
    assert.equal((await get(`/tasks/${spoke}/logs`, await authorize(stranger, wallet))).status, 401);
    assert.equal((await get(`/tasks/${spoke}/logs`, await authorize(stranger, stranger.address))).status, 403);
    const other = (await deploy(stranger.address)).address; // a wallet, but not the requester: nobody asks it
    await nonceForgotten();
    assert.equal((await get(`/tasks/${spoke}/logs`, await authorize(stranger, other))).status, 401);
  });

  test("a browser may send the origin", async () => {
    const r = await fetch(`${n.json.services.sms}/requesters/${wallet}/secrets/x`, { method: "OPTIONS", headers: {
      origin: "http://dapp.example", "access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type,x-contract-origin" } });
    assert.equal(r.status, 204);
    assert.match(r.headers.get("access-control-allow-headers"), /x-contract-origin/i);
  });
});
