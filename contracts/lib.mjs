// SPDX-License-Identifier: Apache-2.0
//
// What the deployment, the tests and the gas table share: a private anvil, artifacts, a deployment of everything.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ethers } from "ethers";

const here = dirname(fileURLToPath(import.meta.url));
export const root = resolve(here, "..");
export const MNEMONIC = "test test test test test test test test test test test junk";

/* The platform package's own executable: the npm wrapper would be one more process to start and to kill. */
export function tool(name) {
  const require = createRequire(import.meta.url);
  const cpu = { x64: "amd64", arm64: "arm64" }[process.arch];
  const file = require.resolve(`@foundry-rs/${name}-${process.platform}-${cpu}/package.json`);
  return join(dirname(file), "bin", name);
}

export function freePort() {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once("error", fail);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/* Starts anvil on a free loopback port; resolves when it listens. stop() ends it and waits. */
export async function startAnvil(args = []) {
  for (let attempt = 0; ; attempt++) {
    const port = await freePort();
    const child = spawn(tool("anvil"), ["--host", "127.0.0.1", "--port", String(port), "--mnemonic", MNEMONIC, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = new Promise((done) => child.once("exit", done));
    let output = "";
    const ready = await new Promise((done) => {
      const look = (chunk) => {
        output += chunk;
        if (output.includes("Listening on")) done(true);
      };
      child.stdout.on("data", look);
      child.stderr.on("data", look);
      child.once("error", (error) => {
        output += error.message;
        done(false);
      });
      child.once("exit", () => done(false));
    });
    process.once("exit", () => child.kill("SIGKILL"));
    if (ready) {
      return {
        url: `http://127.0.0.1:${port}`,
        child,
        stop: async () => {
          child.kill("SIGTERM");
          await ended;
        },
      };
    }
    /* The port may have been taken in between: once more. */
    if (attempt === 2) throw new Error(`anvil does not start: ${output.slice(-2000)}`);
  }
}

export function accountKeys(count) {
  const node = ethers.HDNodeWallet.fromPhrase(MNEMONIC, undefined, "m/44'/60'/0'/0");
  return Array.from({ length: count }, (_, i) => node.deriveChild(i).privateKey);
}

/* Where forge put its artifacts: the folder given, else that of the build. */
export function artifactFolder(given) {
  const folder = given ?? process.env.STRONGROOM_CONTRACTS_OUT ?? join(root, "build/contracts/out");
  if (!existsSync(folder)) throw new Error(`no contract artifacts in ${folder}: run make build first`);
  return folder;
}

/* Those of `forge test`, which have the tests' own contracts too. */
export function testArtifacts() {
  const folder = process.env.STRONGROOM_CONTRACTS_OUT ?? join(root, "build/contracts-test/out");
  if (!existsSync(folder)) throw new Error(`no contract artifacts in ${folder}: run forge test --root contracts first`);
  return folder;
}

export function artifact(folder, file, name) {
  return JSON.parse(readFileSync(join(folder, `${file}.sol`, `${name}.json`), "utf8"));
}

/* What the deployment needs and the folder has not whole, with its code: names of files. */
export function artifactsWithout(folder) {
  return [...OWN_FACETS, ...FACETS, ...OTHERS].filter(([file, name]) => {
    try {
      const { abi, bytecode, deployedBytecode } = artifact(folder, file, name);
      return !(Array.isArray(abi) && bytecode.object.length > 2 && deployedBytecode.object.length > 2);
    } catch {
      return true;
    }
  }).map(([file, name]) => `${file}.sol/${name}.json`);
}

export const FACETS = [
  ["Poco1Facet", "Poco1Facet"],
  ["Poco2Facet", "Poco2Facet"],
  ["EscrowTokenFacet", "EscrowTokenFacet"],
  ["OrderManagementFacet", "OrderManagementFacet"],
  ["RelayFacet", "RelayFacet"],
  ["ConfigurationFacet", "ConfigurationFacet"],
  ["AccessorsFacet", "AccessorsFacet"],
  ["LegacyAccessorsFacet", "LegacyAccessorsFacet"],
];
const OWN_FACETS = [
  ["DiamondFacets", "DiamondCutFacet"],
  ["DiamondFacets", "DiamondLoupeFacet"],
  ["DiamondFacets", "OwnershipFacet"],
];

const OTHERS = [
  ["RLC", "RLC"],
  ["Diamond", "Diamond"],
  ["DiamondFacets", "DiamondInit"],
  ["Registries", "AppRegistry"],
  ["Registries", "DatasetRegistry"],
  ["Registries", "WorkerpoolRegistry"],
  ["Entry", "App"],
  ["Entry", "Dataset"],
  ["Entry", "Workerpool"],
  ["DataProtector", "DataProtector"],
  ["DataProtectorSharing", "DataProtectorSharing"],
  ["AddOnlyAppWhitelist", "AddOnlyAppWhitelist"],
  ["AddOnlyAppWhitelist", "AddOnlyAppWhitelistRegistry"],
];

export const CATEGORIES = [
  ["XS", 300],
  ["S", 1200],
  ["M", 3600],
  ["L", 10800],
  ["XL", 36000],
];

export function selectors(abi) {
  const list = new ethers.Interface(abi).fragments.filter((f) => f.type === "function").map((f) => f.selector);
  /* receive and fallback are routed by the diamond as these two pseudo-selectors. */
  if (abi.some((f) => f.type === "receive")) list.push("0x00000000");
  if (abi.some((f) => f.type === "fallback")) list.push("0xffffffff");
  return list;
}

/* The hub's whole ABI: every facet's functions, events and errors, each once. */
export function hubAbi(folder) {
  const seen = new Map();
  for (const [file, name] of [...OWN_FACETS, ...FACETS]) {
    for (const item of artifact(folder, file, name).abi) {
      if (!["function", "event", "error"].includes(item.type)) continue;
      const fragment = ethers.Fragment.from(item);
      seen.set(item.type + fragment.format("sighash"), item);
    }
  }
  /* emitted by libraries */
  for (const text of [
    "event Transfer(address indexed from, address indexed to, uint256 value)",
    "event Lock(address owner, uint256 amount)",
    "event Unlock(address owner, uint256 amount)",
    "event Reward(address owner, uint256 amount, bytes32 ref)",
    "event Seize(address owner, uint256 amount, bytes32 ref)",
    "event OwnershipTransferred(address indexed previousOwner, address indexed newOwner)",
  ]) {
    const fragment = ethers.Fragment.from(text);
    const item = JSON.parse(fragment.format("json"));
    seen.set(item.type + fragment.format("sighash"), item);
  }
  return [...seen.values()];
}

/*
 * The receipt of a transaction on a chain that mines at once. Not response.wait(): that one waits for a further block
 * when it asks just before the transaction's own, and a chain without an interval makes none.
 */
export async function mined(response) {
  for (;;) {
    const receipt = await response.provider.getTransactionReceipt(response.hash);
    if (receipt?.status === 0) throw new Error(`transaction ${response.hash} failed`);
    if (receipt) return receipt;
    await new Promise((done) => setTimeout(done, 5));
  }
}

/*
 * Deploys and configures everything as `signer`, who owns it. `sent` is called with a label, a receipt and what was
 * sent for every transaction: recipe.mjs makes from it what `strongroom contracts deploy` does.
 */
export async function deployAll(folder, signer, { sent = () => {}, baseURI = "https://nfts-metadata.iex.ec" } = {}) {
  const chainId = (await signer.provider.getNetwork()).chainId;
  let nonce = await signer.getNonce();
  const send = async (label, tx) => {
    const response = await signer.sendTransaction({ ...tx, nonce: nonce++ });
    const receipt = await mined(response);
    sent(label, receipt, tx);
    return receipt;
  };
  const deploy = async (file, name, args = []) => {
    const { abi, bytecode } = artifact(folder, file, name);
    const factory = new ethers.ContractFactory(abi, bytecode.object);
    const receipt = await send(`deploy ${name}`, await factory.getDeployTransaction(...args));
    return new ethers.Contract(receipt.contractAddress, abi, signer);
  };
  const call = async (contract, method, ...args) =>
    send(method, await contract.getFunction(method).populateTransaction(...args));

  const rlc = await deploy("RLC", "RLC");
  const init = await deploy("DiamondFacets", "DiamondInit");
  const cuts = [];
  for (const [file, name] of [...OWN_FACETS, ...FACETS]) {
    const facet = await deploy(file, name);
    cuts.push([facet.target, 0, selectors(artifact(folder, file, name).abi)]);
  }
  const diamond = await deploy("Diamond", "Diamond", [
    cuts,
    [signer.address, init.target, init.interface.encodeFunctionData("init")],
  ]);
  const hub = new ethers.Contract(diamond.target, hubAbi(folder), signer);
  const appRegistry = await deploy("Registries", "AppRegistry");
  const datasetRegistry = await deploy("Registries", "DatasetRegistry");
  const workerpoolRegistry = await deploy("Registries", "WorkerpoolRegistry");
  for (const [registry, kind] of [
    [appRegistry, "app"],
    [datasetRegistry, "dataset"],
    [workerpoolRegistry, "workerpool"],
  ]) {
    await call(registry, "initialize", ethers.ZeroAddress);
    await call(registry, "setBaseURI", `${baseURI}/${kind}/${chainId}/`);
  }
  await call(
    hub,
    "configure",
    rlc.target,
    "Staked RLC",
    "SRLC",
    9,
    appRegistry.target,
    datasetRegistry.target,
    workerpoolRegistry.target,
    ethers.ZeroAddress,
  );
  for (const [name, time] of CATEGORIES) await call(hub, "createCategory", name, '""', time);
  const dataProtector = await deploy("DataProtector", "DataProtector", [datasetRegistry.target]);
  const appWhitelistRegistry = await deploy("AddOnlyAppWhitelist", "AddOnlyAppWhitelistRegistry");
  await call(appWhitelistRegistry, "initialize");
  const sharing = await deploy("DataProtectorSharing", "DataProtectorSharing", [
    hub.target,
    datasetRegistry.target,
    appWhitelistRegistry.target,
  ]);
  await call(sharing, "initialize", signer.address);
  return {
    hub, rlc, appRegistry, datasetRegistry, workerpoolRegistry, dataProtector, appWhitelistRegistry, sharing,
  };
}
