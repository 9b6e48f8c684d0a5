// SPDX-License-Identifier: Apache-2.0
//
// The official contracts, from the bytecode in their npm package (6.1.0, the last one published), deployed on a world's
// chain. tools/bootstrap unpacks the package into .tools/: installing it would want packages from elsewhere.
// What the package leaves out (cut, loupe, ownership facets, the token) is ours: none of it is compared.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ethers } from "ethers";
import { artifact, CATEGORIES, hubAbi, root, selectors } from "../lib.mjs";

const VERSION = "6.1.0";

/* Its folder, or undefined where tools/bootstrap could not fetch it. */
export function officialPackage() {
  const folder = join(root, `.tools/poco-${VERSION}`);
  return existsSync(folder) ? folder : undefined;
}

const FACETS = [
  "IexecAccessorsABILegacyFacet", "IexecCategoryManagerFacet", "IexecConfigurationExtraFacet",
  "IexecConfigurationFacet", "IexecERC20Facet", "IexecEscrowTokenFacet", "IexecOrderManagementFacet",
  "IexecPoco1Facet", "IexecPoco2Facet", "IexecPocoAccessorsFacet", "IexecRelayFacet",
];

/* Deploys into `w` what World.deploy does of ours. */
export async function deployOfficial(w, packageFolder) {
  const signer = w.signers.admin;
  const load = (path) => JSON.parse(readFileSync(join(packageFolder, "artifacts/contracts", path), "utf8"));
  let library;
  const deployCode = async (abi, bytecode, ...args) => {
    const contract = await new ethers.ContractFactory(abi, bytecode, signer).deploy(...args);
    await contract.waitForDeployment();
    return contract;
  };
  const official = async (path, ...args) => {
    const { bytecode, linkReferences, ...rest } = load(path);
    const abi = path.startsWith("libs/") ? [] : rest.abi; // a library's has types that are no ABI types
    let code = bytecode;
    for (const file of Object.values(linkReferences)) {
      for (const places of Object.values(file)) {
        for (const { start, length } of places) {
          const at = 2 + 2 * start;
          code = code.slice(0, at) + library.slice(2) + code.slice(at + 2 * length);
        }
      }
    }
    return deployCode(abi, code, ...args);
  };
  const ours = (file, name, ...args) => {
    const { abi, bytecode } = artifact(w.folder, file, name);
    return deployCode(abi, bytecode.object, ...args);
  };

  library = (await official("libs/IexecLibOrders_v5.sol/IexecLibOrders_v5.json")).target;
  const cuts = [];
  for (const name of ["DiamondCutFacet", "DiamondLoupeFacet", "OwnershipFacet"]) {
    const facet = await ours("DiamondFacets", name);
    cuts.push([facet.target, 0, selectors(artifact(w.folder, "DiamondFacets", name).abi)]);
  }
  const taken = new Set(cuts.flatMap((c) => c[2]));
  for (const name of FACETS) {
    const path = `facets/${name}.sol/${name}.json`;
    const facet = await official(path);
    const list = selectors(load(path).abi).filter((s) => !taken.has(s));
    list.forEach((s) => taken.add(s));
    if (list.length) cuts.push([facet.target, 0, list]);
  }
  const init = await ours("DiamondFacets", "DiamondInit");
  const diamond = await official("Diamond.sol/Diamond.json", cuts, [
    signer.address, init.target, init.interface.encodeFunctionData("init"),
  ]);
  w.hub = new ethers.Contract(diamond.target, hubAbi(w.folder), signer);
  w.rlc = await ours("RLC", "RLC");
  const registry = async (kind) => {
    const r = await official(`registries/${kind.toLowerCase()}s/${kind}Registry.sol/${kind}Registry.json`);
    await (await r.initialize(ethers.ZeroAddress)).wait();
    await (await r.setBaseURI("base/")).wait();
    return r;
  };
  w.appRegistry = await registry("App");
  w.datasetRegistry = await registry("Dataset");
  w.workerpoolRegistry = await registry("Workerpool");
  await w.send(
    "admin", w.hub, "configure", w.rlc.target, "Staked RLC", "SRLC", 9, w.appRegistry.target, w.datasetRegistry.target,
    w.workerpoolRegistry.target, ethers.ZeroAddress,
  );
  for (const [name, time] of CATEGORIES) await w.send("admin", w.hub, "createCategory", name, '""', time);
  w.adopt();
}
