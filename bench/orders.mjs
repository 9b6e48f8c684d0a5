// SPDX-License-Identifier: Apache-2.0
// The peer of bench_orders.c: the same request order signed and verified by ethers, as the official client does it.
import { Wallet, verifyTypedData } from "ethers";

const ROUNDS = 300;
const wallet = Wallet.createRandom();
const domain = { name: "iExecODB", version: "5.0.0", chainId: 421614, verifyingContract: "0x3eca1b0000000000000000000000000000000000" };
const fields = [
  ["app", "address"], ["appmaxprice", "uint256"], ["dataset", "address"], ["datasetmaxprice", "uint256"],
  ["workerpool", "address"], ["workerpoolmaxprice", "uint256"], ["requester", "address"], ["volume", "uint256"],
  ["tag", "bytes32"], ["category", "uint256"], ["trust", "uint256"], ["beneficiary", "address"],
  ["callback", "address"], ["params", "string"], ["salt", "bytes32"],
];
const types = { RequestOrder: fields.map(([name, type]) => ({ name, type })) };
const zero = "0x" + "0".repeat(40);
const order = Object.fromEntries(fields.map(([name, type]) => [name, type === "address" ? zero : type === "uint256" ? 0 : type === "bytes32" ? "0x" + "0".repeat(64) : '{"iexec_result_storage_provider":"ipfs","iexec_result_encryption":true}']));
order.requester = wallet.address;
order.volume = 1;

const cpu = () => { const c = process.cpuUsage(); return c.user + c.system; };
const round = async (n) => {
  let signature;
  const start = cpu();
  for (let i = 0; i < n; i++) signature = await wallet.signTypedData(domain, types, { ...order, salt: "0x" + i.toString(16).padStart(64, "0") });
  const signed = cpu();
  order.salt = "0x" + (n - 1).toString(16).padStart(64, "0");
  for (let i = 0; i < n; i++) if (verifyTypedData(domain, types, order, signature) !== wallet.address) throw new Error("another signer was recovered");
  return { sign_us: (signed - start) / n, verify_us: (cpu() - signed) / n };
};
await round(50); // the compiler's warm-up does not count
console.log(JSON.stringify(await round(ROUNDS)));
