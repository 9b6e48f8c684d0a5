// SPDX-License-Identifier: Apache-2.0
//
// A deployment on a private anvil with the roles of the vectors, and what the tests do with it.
import { ethers } from "ethers";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { accountKeys, artifact, deployAll, hubAbi, root, startAnvil, testArtifacts } from "../lib.mjs";

export const ROLES = [
  "admin", "requester", "sponsor", "beneficiary", "appOwner", "datasetOwner", "scheduler", "enclave", "broker",
  "anyone", "worker1", "worker2", "worker3", "worker4", "worker5",
];
export const STORAGE = 0x5862653c6982c162832160cf30593645e8487b257e44d77cdd6b51eee2651b00n;
const ZERO = ethers.ZeroAddress;

export const vectors = (file) => JSON.parse(readFileSync(join(root, "tests/vectors/poco", file), "utf8"));

const A = ["datasetrestrict", "workerpoolrestrict", "requesterrestrict"];
const address = (name) => ({ name, type: "address" });
const uint = (name) => ({ name, type: "uint256" });
const word = (name) => ({ name, type: "bytes32" });
export const TYPES = {
  app: { AppOrder: [address("app"), uint("appprice"), uint("volume"), word("tag"), ...A.map(address), word("salt")] },
  dataset: {
    DatasetOrder: [
      address("dataset"), uint("datasetprice"), uint("volume"), word("tag"),
      address("apprestrict"), address("workerpoolrestrict"), address("requesterrestrict"), word("salt"),
    ],
  },
  workerpool: {
    WorkerpoolOrder: [
      address("workerpool"), uint("workerpoolprice"), uint("volume"), word("tag"), uint("category"), uint("trust"),
      address("apprestrict"), address("datasetrestrict"), address("requesterrestrict"), word("salt"),
    ],
  },
  request: {
    RequestOrder: [
      address("app"), uint("appmaxprice"), address("dataset"), uint("datasetmaxprice"), address("workerpool"),
      uint("workerpoolmaxprice"), address("requester"), uint("volume"), word("tag"), uint("category"), uint("trust"),
      address("beneficiary"), address("callback"), { name: "params", type: "string" }, word("salt"),
    ],
  },
};
export const SIGNER = { app: "appOwner", dataset: "datasetOwner", workerpool: "scheduler", request: "requester" };

const ABIS = {};
export class World {
  static async start({ chainId = 31337, timestamp = 1800000000, folder = testArtifacts() } = {}) {
    const w = new World();
    w.folder = folder;
    w.anvil = await startAnvil([
      "--chain-id", String(chainId), "--timestamp", String(timestamp), "--accounts", "15", "--hardfork", "prague",
      "--gas-limit", "100000000",
    ]);
    w.provider = new ethers.JsonRpcProvider(w.anvil.url, chainId, {
      staticNetwork: true, batchMaxCount: 1, cacheTimeout: -1, pollingInterval: 2,
    });
    w.chainId = chainId;
    const keys = accountKeys(ROLES.length);
    w.signers = Object.fromEntries(ROLES.map((r, i) => [r, new ethers.Wallet(keys[i], w.provider)]));
    w.address = Object.fromEntries(ROLES.map((r) => [r, w.signers[r].address]));
    w.saltCount = 0;
    return w;
  }

  async stop() {
    this.provider.destroy();
    await this.anvil.stop();
  }

  rpc(method, ...params) {
    return this.provider.send(method, params);
  }

  async deploy() {
    Object.assign(this, await deployAll(this.folder, this.signers.admin));
    this.adopt();
  }

  /* Addresses by the names of the vectors. */
  adopt() {
    Object.assign(this.address, {
      poco: this.hub.target,
      rlc: this.rlc.target,
      appRegistry: this.appRegistry.target,
      datasetRegistry: this.datasetRegistry.target,
      workerpoolRegistry: this.workerpoolRegistry.target,
      dataProtector: this.dataProtector?.target,
      kitty: "0x99c2268479b93fDe36232351229815DF80837e23",
    });
    this.domain = { name: "iExecODB", version: "5.0.0", chainId: this.chainId, verifyingContract: this.hub.target };
  }

  contract(file, name, at, as = "admin") {
    return new ethers.Contract(at, (ABIS[name] ??= artifact(this.folder, file, name).abi), this.signers[as]);
  }

  async mock(name, ...args) {
    const { abi, bytecode } = artifact(this.folder, "Mocks", name);
    const contract = await new ethers.ContractFactory(abi, bytecode.object, this.signers.admin).deploy(...args);
    await contract.waitForDeployment();
    return contract;
  }

  async send(as, contract, method, ...args) {
    const tx = await contract.connect(this.signers[as]).getFunction(method)(...args);
    return tx.wait();
  }

  async entries({ policy } = {}) {
    const make = async (registry, kind, ...args) => {
      const at = await registry[`predict${kind}`](...args);
      await this.send("anyone", registry, `create${kind}`, ...args);
      return at;
    };
    this.address.app = await make(this.appRegistry, "App", this.address.appOwner, "app", "DOCKER", "0x1234",
      ethers.id("app"), "0x");
    this.address.dataset = await make(this.datasetRegistry, "Dataset", this.address.datasetOwner, "dataset", "0x1234",
      ethers.id("dataset"));
    this.address.workerpool = await make(this.workerpoolRegistry, "Workerpool", this.address.scheduler, "pool");
    this.workerpool = this.contract("Entry", "Workerpool", this.address.workerpool);
    if (policy) await this.send("scheduler", this.workerpool, "changePolicy", ...policy);
  }

  /* Gives accounts these amounts of staked RLC. */
  async stake(amounts) {
    for (const [name, amount] of Object.entries(amounts)) {
      if (BigInt(amount) === 0n) continue;
      await this.send("admin", this.rlc, "approve", this.hub.target, amount);
      await this.send("admin", this.hub, "depositFor", amount, this.address[name] ?? name);
    }
  }

  salt() {
    return ethers.toBeHex(++this.saltCount, 32);
  }

  /* Four orders that match, prices 1000 / 1000000 / 1000000007 unless told otherwise. */
  orders({ app, dataset, workerpool, request } = {}) {
    const tag = ethers.ZeroHash;
    const a = {
      app: this.address.app, appprice: 1000, volume: 1, tag, datasetrestrict: ZERO, workerpoolrestrict: ZERO,
      requesterrestrict: ZERO, salt: this.salt(), sign: "0x", ...app,
    };
    const d = dataset === null
      ? {
          dataset: ZERO, datasetprice: 0, volume: 0, tag, apprestrict: ZERO, workerpoolrestrict: ZERO,
          requesterrestrict: ZERO, salt: ethers.ZeroHash, sign: "0x",
        }
      : {
          dataset: this.address.dataset, datasetprice: 1000000, volume: 1, tag, apprestrict: ZERO,
          workerpoolrestrict: ZERO, requesterrestrict: ZERO, salt: this.salt(), sign: "0x", ...dataset,
        };
    const w = {
      workerpool: this.address.workerpool, workerpoolprice: 1000000007, volume: 1, tag, category: 0, trust: 0,
      apprestrict: ZERO, datasetrestrict: ZERO, requesterrestrict: ZERO, salt: this.salt(), sign: "0x", ...workerpool,
    };
    const r = {
      app: a.app, appmaxprice: a.appprice, dataset: d.dataset, datasetmaxprice: d.datasetprice,
      workerpool: w.workerpool, workerpoolmaxprice: w.workerpoolprice, requester: this.address.requester, volume: 1,
      tag, category: w.category, trust: w.trust, beneficiary: this.address.beneficiary, callback: ZERO, params: "",
      salt: this.salt(), sign: "0x", ...request,
    };
    return { app: a, dataset: d, workerpool: w, request: r };
  }

  hash(kind, order) {
    const { sign, ...fields } = order;
    return ethers.TypedDataEncoder.hash(this.domain, TYPES[kind], fields);
  }

  sign(kind, order, role = SIGNER[kind], compact = false) {
    const signature = new ethers.SigningKey(this.signers[role].privateKey).sign(this.hash(kind, order));
    return compact ? signature.compactSerialized : signature.serialized;
  }

  signAll(orders, { signers = {}, compact = false, raw = {} } = {}) {
    for (const kind of Object.keys(TYPES)) {
      const o = orders[kind];
      if (raw[kind] !== undefined) o.sign = raw[kind];
      else if (kind !== "dataset" || o.dataset !== ZERO) o.sign = this.sign(kind, o, signers[kind] ?? SIGNER[kind], compact);
    }
    return [orders.app, orders.dataset, orders.workerpool, orders.request];
  }

  operationSign(kind, order, operation) {
    const name = Object.keys(TYPES[kind])[0];
    const types = { ...TYPES[kind], [`${name}Operation`]: [{ name: "order", type: name }, uint("operation")] };
    const { sign, ...fields } = order;
    const hash = ethers.TypedDataEncoder.hash(this.domain, types, { order: fields, operation });
    return new ethers.SigningKey(this.signers[SIGNER[kind]].privateKey).sign(hash).serialized;
  }

  async match(orders, as = "anyone", method = "matchOrders") {
    const receipt = await this.send(as, this.hub, method, ...this.signAll(orders));
    const log = receipt.logs.map((l) => this.hub.interface.parseLog(l)).find((l) => l?.name === "OrdersMatched");
    return { deal: log.args.dealid, volume: log.args.volume, receipt };
  }

  /* Signature of a worker's authoriser: role signs (worker, task, challenge). */
  authorize(role, worker, task, challenge = ZERO) {
    return this.personal(role, ethers.solidityPackedKeccak256(["address", "bytes32", "address"], [worker, task, challenge]));
  }

  personal(role, hash) {
    return new ethers.SigningKey(this.signers[role].privateKey).sign(ethers.hashMessage(ethers.getBytes(hash))).serialized;
  }

  setScore(worker, score) {
    const slot = ethers.keccak256(
      ethers.AbiCoder.defaultAbiCoder().encode(["address", "uint256"], [worker, STORAGE + 18n]),
    );
    return this.rpc("anvil_setStorageAt", this.hub.target, slot, ethers.toBeHex(score, 32));
  }
}

export const taskId = (deal, index) => ethers.solidityPackedKeccak256(["bytes32", "uint256"], [deal, index]);
export const resultHash = (task, digest) => ethers.solidityPackedKeccak256(["bytes32", "bytes32"], [task, digest]);
export const resultSeal = (worker, task, digest) =>
  ethers.solidityPackedKeccak256(["address", "bytes32", "bytes32"], [worker, task, digest]);
export const enclaveMessage = (hash, seal) => ethers.solidityPackedKeccak256(["bytes32", "bytes32"], [hash, seal]);

/* Return data of an error thrown by a call or by sending. */
export function revertData(error) {
  for (const at of [error, error?.info?.error, error?.error, error?.info, error?.cause]) {
    if (typeof at?.data === "string") return at.data;
    if (typeof at?.data?.data === "string") return at.data.data;
  }
  throw error;
}
