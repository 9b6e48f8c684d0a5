// SPDX-License-Identifier: Apache-2.0
// A network for a test of the official npm clients: the real programs, a temporary folder, free ports.
import { execFile, spawn, spawnSync } from "node:child_process";
import dns from "node:dns";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { IExecDataProtectorCore, getWeb3Provider } from "@iexec/dataprotector";
import { IExec, utils } from "iexec";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const build = resolve(process.env.STRONGROOM_BUILD ?? join(root, "build"));
export const program = join(build, "strongroom");
export const iapps = join(build, "iapps");
export const sum = (byte) => "0x" + byte.repeat(32);

// The packages know addresses of their own (public gateways, a second copy of bulk files): in a test no name but this machine's resolves.
const lookup = dns.lookup;
dns.lookup = (host, options, done) => {
  if (typeof options === "function") [options, done] = [{}, options];
  if (host === "localhost" || /^127\./.test(host)) return lookup(host, options, done);
  return process.nextTick(done, Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: "ENOTFOUND", syscall: "getaddrinfo", hostname: host }));
};

// Asks until the answer is there: for what a service learns from the chain a moment later.
export async function until(probe, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  for (let last; ; ) {
    const x = await probe();
    if (x) return x;
    last = x ?? last;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${probe}: ${JSON.stringify(last)}`);
    await new Promise((go) => setTimeout(go, 50));
  }
}

export class Network {
  static async up(more = []) {
    const n = new Network();
    n.home = mkdtempSync(join(tmpdir(), "sr-"));
    n.dir = join(n.home, "net");
    n.env = { HOME: n.home, PATH: process.env.PATH, STRONGROOM_DIR: n.dir, STRONGROOM_KEYSTORE: join(n.home, "keys") };
    n.child = spawn(program, ["up", "--dir", n.dir, "--port", "0", "--json", ...more], { env: n.env, stdio: ["ignore", "pipe", "inherit"] });
    for await (const line of createInterface({ input: n.child.stdout })) {
      if (!JSON.parse(line).ready) throw new Error(line);
      break;
    }
    n.json = JSON.parse(readFileSync(join(n.dir, "network.json"), "utf8"));
    return n;
  }

  async down() {
    const ended = new Promise((done) => this.child.once("exit", done));
    this.child.kill("SIGINT");
    await ended;
    rmSync(this.home, { recursive: true, force: true });
  }

  account(name) {
    return this.json.accounts.find((a) => a.name === name);
  }

  file(name, content) {
    writeFileSync(join(this.home, name), content);
    return join(this.home, name);
  }

  read(...names) {
    return readFileSync(join(this.home, ...names));
  }

  // Our command line, answering in JSON; code: the exit code it must have.
  cli(who, args, code = 0) {
    const done = spawnSync(program, [...args, "--as", who, "--json"], { env: this.env, encoding: "utf8", timeout: 120000 });
    if (done.status !== code) throw new Error(`${args.join(" ")}: exit ${done.status}\n${done.stdout}\n${done.stderr}`);
    return JSON.parse(done.stdout);
  }

  signer(key) {
    return utils.getSignerFromPrivateKey(this.json.rpcUrl, key, { allowExperimentalNetworks: true });
  }

  // The npm library as an account of the network (or of a key), more: options that differ.
  iexec(who, more = {}) {
    const key = who.startsWith("0x") ? who : this.account(who).privateKey;
    return new IExec({ ethProvider: this.signer(key) }, { ...this.iexecOptions(), allowExperimentalNetworks: true, ...more });
  }

  core(who, more = {}) {
    const key = who.startsWith("0x") ? who : this.account(who).privateKey;
    return new IExecDataProtectorCore(getWeb3Provider(key, this.json.rpcUrl, { allowExperimentalNetworks: true }), { ...this.dataProtectorOptions(), ...more });
  }

  // A folder with a chain.json and a wallet for the npm command line.
  npmFolder(who) {
    const folder = join(this.home, `npm-${who}`);
    const s = this.json.services, id = String(this.json.chainId);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "chain.json"), JSON.stringify({ default: "dev", chains: { dev: {
      id, host: this.json.rpcUrl, hub: this.json.contracts.hub, sms: s.sms, ipfsGateway: s.ipfsGateway,
      iexecGateway: s.market, compass: s.compass, pocoSubgraph: s.pocoSubgraph } } }));
    const a = this.account(who);
    writeFileSync(join(folder, "wallet.json"), JSON.stringify({ privateKey: a.privateKey, address: a.address }));
    return folder;
  }

  // The npm command line with --raw: what it printed, of standard output when it went well, else of standard error.
  npm(folder, args, ok = true) {
    return new Promise((done, failed) => {
      execFile(process.execPath, [join(root, "node_modules/iexec/dist/esm/cli/cmd/iexec.js"), ...args, "--raw"],
        { cwd: folder, env: { HOME: this.home, PATH: process.env.PATH }, timeout: 120000 }, (e, out, err) => {
          const text = (out.trim() || err.trim()).split("\n").at(-1);
          let json;
          try { json = JSON.parse(text); } catch { failed(new Error(`${args.join(" ")}: ${out}${err}`)); return; }
          if (json.ok === ok) done(json); else failed(new Error(`${args.join(" ")}: ${text}`));
        });
    });
  }

  iexecOptions() {
    const s = this.json.services;
    return {
      hubAddress: this.json.contracts.hub,
      smsURL: s.sms,
      iexecGatewayURL: s.market,
      ipfsGatewayURL: s.ipfsGateway,
      ipfsNodeURL: s.ipfsNode,
      compassURL: s.compass,
      pocoSubgraphURL: s.pocoSubgraph ?? s.market,
    };
  }

  dataProtectorOptions() {
    const s = this.json.services;
    return {
      dataprotectorContractAddress: this.json.contracts.dataProtector,
      subgraphUrl: s.dataProtectorSubgraph ?? s.market,
      ipfsNode: s.ipfsNode,
      ipfsGateway: s.ipfsGateway,
      iexecOptions: this.iexecOptions(),
      allowExperimentalNetworks: true,
    };
  }
}

/* The client's provider remembers an answer for 250 ms, a nonce too: a second transaction within that time, after the first
 * is mined already, is refused by any chain as fast as ours. */
export const nonceForgotten = () => new Promise((go) => setTimeout(go, 260));
