// SPDX-License-Identifier: Apache-2.0
// The unmodified npm command line `iexec`, every command with --raw: what it prints is compared, member by member.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { getAddress } from "ethers";
import { Network, iapps, sum, until } from "./network.mjs";

const tee = "0x" + "0".repeat(63) + "9";
const hash = /^0x[0-9a-f]{64}$/;
const nobody = "0x00000000000000000000000000000000DeaDBeef";

describe("the npm command line", { timeout: 500000, concurrency: true }, () => {
  let n;
  const address = (name) => getAddress(n.account(name).address);
  before(async () => { n = await Network.up(); });
  after(async () => n?.down());
  const folder = (who) => { const f = n.npmFolder(who); return { f, run: (line, ok) => n.npm(f, Array.isArray(line) ? line : line.split(" "), ok) }; };
  const lib = () => n.iexec("worker");
  const failure = (json, message) => assert.ok(message.test ? message.test(json.error.message) : json.error.message === message, json.error.message);

  describe("wallet, account and hub (dave)", { concurrency: 1 }, () => {
    let run;
    before(() => { ({ run } = folder("dave")); });
    test("info", async () => {
      const i = await run("info");
      assert.deepEqual([i.hubAddress.toLowerCase(), i.rlcAddress.toLowerCase(), i.appRegistryAddress.toLowerCase()], [n.json.contracts.hub.toLowerCase(), n.json.contracts.rlc.toLowerCase(), n.json.contracts.appRegistry.toLowerCase()]);
    });
    test("wallet show", async () => {
      const w = await run(`wallet show ${nobody}`);
      assert.deepEqual([w.balance.nRLC, w.balance.wei], ["0", "0"]);
    });
    test("wallet send-ether", async () => {
      const r = await run(`wallet send-ether 0.5 --to ${nobody} --force`);
      assert.deepEqual([r.amount, r.from, r.to], ["500000000000000000", address("dave"), nobody]);
    });
    test("wallet send-RLC", async () => {
      const r = await run(`wallet send-RLC 2 --to ${nobody} --force`);
      assert.equal(r.amount, "2000000000");
      assert.equal((await lib().wallet.checkBalances(nobody)).nRLC.toString(), "2000000000");
    });
    test("account deposit", async () => {
      const { stake } = await lib().account.checkBalance(address("dave"));
      assert.equal((await run("account deposit 700")).amount, "700");
      assert.equal((await run("account show")).balance.stake, stake.addn(700).toString());
    });
    test("account withdraw", async () => assert.equal((await run("account withdraw 100")).amount, "100"));
    test("account withdraw, too much", async () => failure(await run("account withdraw 900000000 RLC", false), /^Withdraw amount exceed account balance$/));
    test("account approve, allowance, revoke", async () => {
      assert.match((await run(`account approve 255 ${nobody}`)).txHash, hash);
      assert.match((await run(`account allowance ${nobody}`)).amount, /^(0x)?0*ff$|^255$/);
      assert.match((await run(`account revoke ${nobody}`)).txHash, hash);
      assert.equal((await lib().account.checkAllowance(address("dave"), nobody)).toString(), "0");
    });
    test("category show and count", async () => {
      assert.equal((await run("category show 0")).category.name, "XS");
      assert.equal((await run("category count")).count, "5");
    });
    test("requester push-secret and check-secret", async () => {
      assert.deepEqual(await run("requester check-secret mine"), { ok: true, name: "mine", isSet: false });
      assert.equal((await run("requester push-secret mine --secret-value v")).isPushed, true);
      failure(await run("requester push-secret mine --secret-value w", false), `Secret "mine" already exists for ${address("dave")}`);
    });
    test("storage init and check", async () => {
      assert.equal((await run("storage init dropbox --token t")).isInitialized, true);
      assert.equal((await run("storage check dropbox")).isInitialized, true);
    });
    test("result keys", async () => {
      const k = await run("result generate-encryption-keypair --force");
      assert.match(k.privateKeyFile, new RegExp(`${address("dave")}_key$`));
      assert.equal((await run("result push-encryption-key")).isPushed, true);
      assert.equal((await run("result check-encryption-key")).isEncryptionKeySet, true);
    });
  });

  describe("app, data set, workerpool and orders (carol)", { concurrency: 1 }, () => {
    let f, run, app, data, pool;
    const template = (o) => {
      const path = join(f, "iexec.json");
      let had = {};
      try { had = JSON.parse(readFileSync(path)); } catch { /* none yet */ }
      writeFileSync(path, JSON.stringify({ ...had, ...o }));
    };
    before(() => {
      ({ f, run } = folder("carol"));
      template({ description: "", license: "", author: "", social: { website: "", github: "" }, logo: "", buyConf: { params: {}, tag: tee, trust: "0", callback: "0x" + "0".repeat(40) } });
    });
    test("app deploy, show, count", async () => {
      template({ app: { owner: address("carol"), name: "cli app", type: "DOCKER", multiaddr: "docker.io/me/cli:1", checksum: sum("ce") } });
      const d = await run("app deploy");
      assert.match(d.txHash, hash);
      app = d.address;
      const s = await run(`app show ${app}`);
      assert.deepEqual([s.app.appName, s.app.owner, s.app.appChecksum], ["cli app", address("carol"), sum("ce")]);
      assert.equal((await run("app count")).count, "1");
    });
    test("app deploy, twice", async () => failure(await run("app deploy", false), `App already deployed at address ${app}`));
    test("app push-secret and check-secret", async () => {
      await run("app push-secret --secret-value hidden");
      assert.equal((await run("app check-secret")).isSecretSet, true);
      failure(await run("app push-secret --secret-value more", false), /already exists/);
    });
    test("app publish, orderbook app, unpublish", async () => {
      const { orderHash } = await run("app publish --price 3 --volume 20 --force --tag tee,tdx");
      assert.match(orderHash, hash);
      const b = await run(`orderbook app ${app}`);
      assert.deepEqual([b.count, b.appOrders[0].orderHash, String(b.appOrders[0].price), String(b.appOrders[0].remaining)], [1, orderHash, "3", "20"]);
      const shown = await run(["order", "show", "--app", orderHash]);
      assert.deepEqual([shown.apporder.orderHash, shown.apporder.status], [orderHash, "open"]);
      assert.deepEqual([(await run("app unpublish --all --force")).unpublished].flat(), [orderHash]);
      assert.equal((await lib().orderbook.fetchAppOrderbook({ app })).count, 0);
    });
    test("dataset deploy, secret, publish, unpublish", async () => {
      template({ dataset: { owner: address("carol"), name: "cli data", multiaddr: "/ipfs/Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD", checksum: sum("df") } });
      data = (await run("dataset deploy")).address;
      assert.equal((await run(`dataset show ${data}`)).dataset.datasetName, "cli data");
      writeFileSync(join(f, "key"), Buffer.alloc(32, 7).toString("base64"));
      await run(["dataset", "push-secret", data, "--secret-path", join(f, "key")]);
      assert.equal((await run("dataset check-secret")).isSecretSet, true);
      const { orderHash } = await run(`dataset publish --volume 4 --app-restrict ${app} --force --tag tee,tdx`);
      const b = await run(`orderbook dataset ${data} --app ${app}`);
      assert.deepEqual([b.count, b.datasetOrders[0].orderHash, b.datasetOrders[0].apprestrict], [1, orderHash, app]);
      assert.deepEqual([(await run("dataset unpublish --force")).unpublished].flat(), [orderHash]);
    });
    test("workerpool deploy, show, publish, unpublish", async () => {
      template({ workerpool: { owner: address("carol"), description: "cli pool" } });
      pool = (await run("workerpool deploy")).address;
      const s = await run(`workerpool show ${pool}`);
      assert.deepEqual([s.workerpool.workerpoolDescription, s.workerpool.owner, s.apiUrl], ["cli pool", address("carol"), undefined]);
      const { orderHash } = await run("workerpool publish --category 2 --force --tag tee,tdx");
      assert.equal((await run(`orderbook workerpool ${pool} --category 2`)).workerpoolOrders[0].orderHash, orderHash);
      assert.deepEqual([(await run("workerpool unpublish --force")).unpublished].flat(), [orderHash]);
    });
    test("order init, sign, publish, unpublish, cancel", async () => {
      assert.equal((await run("order init --app")).apporder.app, app);
      const signed = (await run("order sign --app --force")).apporder;
      assert.match(signed.sign, /^0x[0-9a-f]{130}$/);
      const { orderHash } = (await run("order publish --app --force")).apporder;
      assert.equal((await lib().orderbook.fetchApporder(orderHash)).status, "open");
      assert.equal((await run("order unpublish --app --force")).apporder.orderHash, orderHash);
      assert.match((await run("order cancel --app --force")).apporder.txHash, hash);
      const again = await run("order publish --app --force", false);
      assert.match(again.fail[0], /^apporder: .*order already consumed/);
    });
    test("app and dataset transfer", async () => {
      assert.equal((await run(`app transfer ${app} --to ${nobody} --force`)).to, nobody);
      assert.equal((await lib().app.showApp(app)).app.owner, nobody);
      failure(await run(`app transfer ${app} --to ${address("carol")} --force`, false), "Only app owner can transfer app ownership");
    });
    test("what is not there", async () => {
      failure(await run(`app show ${nobody}`, false), /^No app found for id 0x/);
      failure(await run(`deal show ${sum("01")}`, false), `No deal found for id ${sum("01")} on chain ${n.json.chainId}`);
      failure(await run(`task show ${sum("01")}`, false), `No task found for id ${sum("01")} on chain ${n.json.chainId}`);
    });
  });

  describe("app run to its result (bob)", { concurrency: 1 }, () => {
    let f, run, app, deal, task;
    before(() => {
      app = getAddress(n.cli("bob", ["app", "deploy", join(iapps, "faults")]).address);
      ({ f, run } = folder("bob"));
      writeFileSync(join(f, "iexec.json"), "{}");
    });
    test("app run --watch", async () => {
      await run("account deposit 1 RLC");
      const workerpool = n.json.workerpool.address;
      await until(async () => (await n.iexec("bob").orderbook.fetchWorkerpoolOrderbook({ workerpool, app, category: 0 })).count);
      const r = await run(["app", "run", app, "--workerpool", workerpool, "--args", "ok hello", "--tag", "tee,tdx", "--watch", "--force"]);
      assert.deepEqual([r.deals.length, r.deals[0].volume, r.tasks.length, r.failedTasks], [1, "1", 1, undefined]);
      deal = r.deals[0].dealid;
      task = r.tasks[0].taskid;
    });
    test("deal show", async () => {
      const { deal: d } = await run(`deal show ${deal}`);
      assert.deepEqual([d.app.pointer, d.requester, d.tag, Object.values(d.tasks)], [app, address("bob"), tee, [task]]);
    });
    test("task show --download", async () => {
      const t = await run(["task", "show", task, "--download", "result"]);
      assert.deepEqual([t.task.statusName, t.task.results.storage], ["COMPLETED", "ipfs"]);
      assert.equal(readFileSync(t.resultPath).subarray(0, 2).toString(), "PK");
    });
    test("task debug --logs", async () => {
      const d = await run(`task debug ${task} --logs`);
      assert.equal(d.onchainData.statusName, "COMPLETED");
      assert.equal(d.offchainData.task.status, "COMPLETED");
      assert.match(d.appLogs[0].stdout, /all is well/);
    });
    test("deal claim, too early", async () => failure(await run(`deal claim ${deal}`, false), /^Cannot claim a deal before reaching the final time/));
  });
});
