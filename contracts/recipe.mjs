// SPDX-License-Identifier: Apache-2.0
//
// deploy.json: the deployment as a recipe that needs no ABI, made from one that was just carried out, so that there is
// one description of it only (deployAll). `strongroom contracts deploy` follows it on any chain, `strongroom contracts
// verify` compares a chain with it (docs/deploy.md).
//
//   steps     what to send, in order: {name, data, puts, creates | to, text, gas}. `puts` are places of `data` that take
//             the 20 bytes of an address: {at, is}, `is` being the name of a contract of this recipe, or "deployer".
//             A step with `text` calls `data` (a selector) with one string, in which {chainId} is filled in.
//   codes     runtime code of each contract: {name, code, puts, masks}; `masks` are immutables that are no address.
//             Those with `by` were created by another one, as its creation number `nonce`.
//   checks    views that must answer as told: {name, to, data, dataPuts, answer, puts}
import { ethers } from "ethers";
import { artifact, FACETS } from "./lib.mjs";

const NAMES = { RLC: "rlc", Diamond: "hub" };
const PLACES = {
  RLC: "RLC",
  Diamond: "Diamond",
  DiamondInit: "DiamondFacets",
  DiamondCutFacet: "DiamondFacets",
  DiamondLoupeFacet: "DiamondFacets",
  OwnershipFacet: "DiamondFacets",
  AppRegistry: "Registries",
  DatasetRegistry: "Registries",
  WorkerpoolRegistry: "Registries",
  DataProtector: "DataProtector",
  AddOnlyAppWhitelistRegistry: "AddOnlyAppWhitelist",
  DataProtectorSharing: "DataProtectorSharing",
  ...Object.fromEntries(FACETS.map(([file, name]) => [name, file])),
};
/* Contracts that constructors create: the code that all entries share. */
const CHILDREN = [
  ["appMaster", "appRegistry", "Entry", "App"],
  ["datasetMaster", "datasetRegistry", "Entry", "Dataset"],
  ["workerpoolMaster", "workerpoolRegistry", "Entry", "Workerpool"],
  ["appWhitelistMaster", "appWhitelistRegistry", "AddOnlyAppWhitelist", "AddOnlyAppWhitelist"],
];
const VIEWS = [
  ["hub", "token() view returns (address)"],
  ["hub", "appregistry() view returns (address)"],
  ["hub", "datasetregistry() view returns (address)"],
  ["hub", "workerpoolregistry() view returns (address)"],
  ["hub", "facetAddresses() view returns (address[])"],
];

const lower = (name) => NAMES[name] ?? name[0].toLowerCase() + name.slice(1);
const keyOf = (name) => (name === "DataProtectorSharing" ? "sharing"
  : name === "AddOnlyAppWhitelistRegistry" ? "appWhitelistRegistry" : lower(name));

export async function makeRecipe({ folder, provider, deployer, chainId, done }) {
  const known = new Map([[deployer.toLowerCase().slice(2), "deployer"]]);
  const nameOf = (address) => known.get(address.toLowerCase().slice(2));
  for (const { label, receipt } of done) {
    if (label.startsWith("deploy ")) known.set(receipt.contractAddress.toLowerCase().slice(2), keyOf(label.slice(7)));
  }
  const addressOf = new Map([...known].map(([hex, name]) => [name, `0x${hex}`]));
  for (const [name, by] of CHILDREN) {
    const address = ethers.getCreateAddress({ from: addressOf.get(by), nonce: 1 }).toLowerCase();
    known.set(address.slice(2), name);
    addressOf.set(name, address);
  }
  /* Every address in it becomes a place to put one; zeros stand there meanwhile. */
  const template = (hex) => {
    let data = hex.slice(2).toLowerCase();
    const puts = [];
    for (const [address, is] of known) {
      for (let at = data.indexOf(address); at >= 0; at = data.indexOf(address, at + 1)) {
        if (at % 2 !== 0) continue;
        puts.push({ at: at / 2, is });
        data = data.slice(0, at) + "0".repeat(40) + data.slice(at + 40);
      }
    }
    return { data: `0x${data}`, puts: puts.sort((a, b) => a.at - b.at) };
  };

  const steps = done.map(({ label, receipt, tx }) => {
    const gas = Number(receipt.gasUsed);
    if (label.startsWith("deploy ")) {
      return { name: label, creates: keyOf(label.slice(7)), gas, ...template(tx.data) };
    }
    const to = nameOf(tx.to);
    const name = `${to}.${label}`;
    if (label !== "setBaseURI") return { name, to, gas, ...template(tx.data) };
    const [text] = ethers.AbiCoder.defaultAbiCoder().decode(["string"], `0x${tx.data.slice(10)}`);
    return { name, to, gas, data: tx.data.slice(0, 10), puts: [], text: text.replace(`/${chainId}/`, "/{chainId}/") };
  });
  /* Names tell steps apart. */
  const times = new Map();
  for (const s of steps) {
    const n = (times.get(s.name) ?? 0) + 1;
    times.set(s.name, n);
    if (n > 1) s.name += ` ${n}`;
  }

  const code = async (name, file, contract) => {
    const { deployedBytecode } = artifact(folder, file, contract);
    const live = (await provider.getCode(addressOf.get(name))).toLowerCase();
    let built = deployedBytecode.object.slice(2).toLowerCase();
    const puts = [];
    const masks = [];
    for (const { start, length } of Object.values(deployedBytecode.immutableReferences ?? {}).flat()) {
      const value = live.slice(2 + 2 * start, 2 + 2 * (start + length));
      const is = known.get(value.slice(24));
      if (length === 32 && is && /^0{24}/.test(value)) puts.push({ at: start + 12, is });
      else masks.push({ at: start, size: length });
      const from = 2 * start;
      const to = 2 * (start + length);
      if (live.slice(2 + from, 2 + to).length !== 2 * length) throw new Error(`${contract}: immutable outside the code`);
      if (!/^0*$/.test(built.slice(from, to))) throw new Error(`${contract}: immutable not zero in the artifact`);
      built = built.slice(0, from) + value + built.slice(to);
    }
    if (`0x${built}` !== live) throw new Error(`${contract}: deployed code is not the artifact's`);
    for (const { at, size } of [...puts.map(({ at }) => ({ at, size: 20 })), ...masks]) {
      built = built.slice(0, 2 * at) + "0".repeat(2 * size) + built.slice(2 * (at + size));
    }
    return { name, code: `0x${built}`, puts, masks };
  };
  const codes = [];
  for (const { label } of done) {
    if (!label.startsWith("deploy ")) continue;
    const contract = label.slice(7);
    codes.push(await code(keyOf(contract), PLACES[contract], contract));
  }
  for (const [name, by, file, contract] of CHILDREN) {
    codes.push({ ...(await code(name, file, contract)), by, nonce: 1 });
  }

  const checks = [];
  const check = async (name, to, data) => {
    const answer = template(await provider.call({ to: addressOf.get(to), data }));
    const asked = template(data);
    checks.push({ name, to, data: asked.data, dataPuts: asked.puts, answer: answer.data, puts: answer.puts });
  };
  const call = (text, args = []) => {
    const i = new ethers.Interface([`function ${text}`]);
    return i.encodeFunctionData(i.fragments[0], args);
  };
  for (const [to, text] of VIEWS) await check(`${to}.${text.split("(")[0]}`, to, call(text));
  const views = call("facetFunctionSelectors(address) view returns (bytes4[])", [ethers.ZeroAddress]).slice(0, 10);
  for (const { label } of done) {
    if (!/^deploy .*Facet$/.test(label)) continue;
    const name = keyOf(label.slice(7));
    await check(`hub's functions in ${name}`, "hub", `${views}${addressOf.get(name).slice(2).padStart(64, "0")}`);
  }
  return { version: 1, steps, codes, checks };
}
