// SPDX-License-Identifier: Apache-2.0
// What both messaging tests need: a network with the two apps, and an inbox that their messages end in.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Network } from "./network.mjs";

const here = dirname(fileURLToPath(import.meta.url));

export class Messaging {
  static async up() {
    const m = new Messaging();
    m.n = await Network.up(["--egress-loopback", "gateway.test,smtp.test,api.test"]);
    m.child = spawn("python3", [resolve(here, "../integration/inbox.py"), join(m.n.home, "certs")], { stdio: ["pipe", "pipe", "inherit"] });
    for await (const line of createInterface({ input: m.child.stdout })) {
      m.servers = JSON.parse(line);
      break;
    }
    const secret = {
      mail: { SMTP_URL: `smtp://smtp.test:${m.servers.smtp}`, SMTP_SENDER: "news@example.org", CA_CERTIFICATES: m.servers.ca },
      telegram: { TELEGRAM_BOT_TOKEN: "12:AB", TELEGRAM_API_URL: `https://api.test:${m.servers.bot}`, CA_CERTIFICATES: m.servers.ca },
    };
    for (const channel of ["mail", "telegram"])
      m[channel] = m.n.cli("operator", [channel, "install", "--secret-file", m.n.file("secret.json", JSON.stringify(secret[channel]))]);
    return m;
  }

  async down() {
    const ended = new Promise((done) => this.child?.once("exit", done));
    this.child?.stdin.end();
    if (this.child) await ended;
    await this.n?.down();
  }

  async inbox(channel) {
    return (await fetch(`${this.servers.inbox}/${channel}`)).json();
  }

  async refuse(to, reply) {
    await fetch(`${this.servers.inbox}/refuse`, { method: "POST", body: JSON.stringify({ to, reply }) });
  }

  // Options of a messaging client; the app is asked for at compass.
  options(channel, more = {}) {
    const o = this.n.dataProtectorOptions();
    return { dappWhitelistAddress: this[channel].whitelist, dataProtectorSubgraph: o.subgraphUrl, ipfsNode: o.ipfsNode,
      ipfsGateway: o.ipfsGateway, iexecOptions: o.iexecOptions, allowExperimentalNetworks: true, ...more };
  }

  key(who) {
    return this.n.account(who).privateKey;
  }

  address(who) {
    return this.n.account(who).address.toLowerCase();
  }

  // Protected by the owner with the npm client, granted to the whitelist.
  async contact(owner, data, to, terms = {}) {
    const core = this.n.core(owner);
    const { address } = await core.protectData({ data, name: `of ${owner}` });
    await core.grantAccess({ protectedData: address, authorizedApp: to, ...terms });
    return address.toLowerCase();
  }

  // The outcome of a task by our command line, after its end.
  outcome(who, channel, taskId, code = 0) {
    this.n.cli(who, ["task", "wait", taskId]);
    return this.n.cli(who, [channel, "result", taskId], code);
  }
}

export const failed = (message, cause) => (e) =>
  (e.message === message && (!cause || cause.test(String(e.cause?.message ?? e.cause)))) || assert.fail(`${e.name}: ${e.message}: ${e.cause?.message ?? e.cause}`);
export const invalid = (message) => (e) => (e.name === "ValidationError" && message.test(e.message)) || assert.fail(`${e.name}: ${e.message}`);
