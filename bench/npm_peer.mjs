// SPDX-License-Identifier: Apache-2.0
// What the official npm packages do with the same bytes, without any network:
//   protect FILE              zip, encrypt and hash as protectData does before it uploads
//   decrypt FILE KEY          open an encrypted result archive with the beneficiary's RSA key (PEM)
// One line of JSON: MB/s of the plain bytes.
import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { IExec, utils } from "iexec";

const [mode, path, key] = process.argv.slice(2);
let bytes;
if (mode === "protect") {
  const main = createRequire(import.meta.url).resolve("@iexec/dataprotector"); // dist/src/index.js
  const { createZipFromObject } = await import(pathToFileURL(join(dirname(main), "utils/data.js")).href);
  const iexec = new IExec({ ethProvider: "http://127.0.0.1:1", chainId: 421614 });
  const began = process.hrtime.bigint();
  const zip = await createZipFromObject({ file: new Uint8Array(readFileSync(path)) });
  const secret = iexec.dataset.generateEncryptionKey();
  const encrypted = await iexec.dataset.encrypt(zip, secret);
  await iexec.dataset.computeEncryptedFileChecksum(encrypted);
  bytes = statSync(path).size;
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  console.log(JSON.stringify({ mb_per_s: bytes / 1e6 / seconds, seconds }));
} else if (mode === "decrypt") {
  const began = process.hrtime.bigint();
  const plain = await utils.decryptResult(readFileSync(path), readFileSync(key, "utf8"));
  bytes = plain.byteLength ?? plain.length;
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  console.log(JSON.stringify({ mb_per_s: bytes / 1e6 / seconds, seconds }));
} else {
  console.error("protect FILE, or decrypt FILE KEY");
  process.exit(2);
}
process.exit(0);
