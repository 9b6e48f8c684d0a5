// SPDX-License-Identifier: Apache-2.0
// A network for a test of the official npm clients: the real programs, a temporary folder, free ports.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const build = resolve(process.env.STRONGROOM_BUILD ?? join(root, "build"));
const program = join(build, "strongroom");
export const iapps = join(build, "iapps");

export class Network {
  static async up() {
    const n = new Network();
    n.home = mkdtempSync(join(tmpdir(), "sr-"));
    n.dir = join(n.home, "net");
    n.env = { HOME: n.home, PATH: process.env.PATH, STRONGROOM_DIR: n.dir, STRONGROOM_KEYSTORE: join(n.home, "keys") };
    n.child = spawn(program, ["up", "--dir", n.dir, "--port", "0", "--json"], { env: n.env, stdio: ["ignore", "pipe", "inherit"] });
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
