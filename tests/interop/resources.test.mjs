// SPDX-License-Identifier: Apache-2.0
// Wallet, account, hub, apps, data sets and workerpools by the unmodified npm library.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Wallet, getAddress } from "ethers";
import { IExec, errors, utils } from "iexec";
import { Network, sum, nonceForgotten } from "./network.mjs";

const nobody = "0x00000000000000000000000000000000DeaDBeef";
const named = (name, text) => (e) => e.name === name && (text.test ? text.test(e.message) : e.message === text) || assert.fail(`${e.name}: ${e.message}`);

describe("resources", { timeout: 240000, concurrency: true }, () => {
  let n;
  const lib = {};
  before(async () => {
    n = await Network.up();
    for (const a of n.json.accounts) lib[a.name] = n.iexec(a.name);
  });
  after(async () => n?.down());
  const address = (name) => getAddress(n.account(name).address);

  describe("wallet", { concurrency: 1 }, () => {
    const fresh = Wallet.createRandom(), target = Wallet.createRandom().address;
    test("getAddress is the signer's, with its checksum", async () => assert.equal(await lib.alice.wallet.getAddress(), address("alice")));
    test("an unused wallet has nothing", async () => {
      const b = await lib.alice.wallet.checkBalances(fresh.address);
      assert.deepEqual([b.wei.toString(), b.nRLC.toString()], ["0", "0"]);
    });
    test("sendETH arrives to the wei", async () => {
      await lib.alice.wallet.sendETH("1 ether", fresh.address);
      assert.equal((await lib.alice.wallet.checkBalances(fresh.address)).wei.toString(), "1000000000000000000");
    });
    test("sendRLC arrives to the nRLC", async () => {
      await lib.alice.wallet.sendRLC("1.5 RLC", fresh.address);
      assert.equal((await lib.alice.wallet.checkBalances(fresh.address)).nRLC.toString(), "1500000000");
    });
    test("more than there is: refused before a transaction", async () => {
      await assert.rejects(n.iexec(fresh.privateKey).wallet.sendRLC("2 RLC", target), named("Error", "Amount to send exceed wallet balance"));
      await assert.rejects(n.iexec(fresh.privateKey).wallet.sendETH("2 ether", target), named("Error", "Amount to send exceed wallet balance"));
    });
    test("no amount, no address: ValidationError", async () => {
      await assert.rejects(lib.alice.wallet.sendRLC("many", fresh.address), named("ValidationError", "many is not a valid amount"));
      await assert.rejects(lib.alice.wallet.checkBalances("0x12"), named("ValidationError", "0x12 is not a valid ethereum address"));
    });
    test("sweep empties the wallet", async () => {
      const r = await n.iexec(fresh.privateKey).wallet.sweep(target);
      assert.match(r.sendERC20TxHash, /^0x[0-9a-f]{64}$/);
      assert.match(r.sendNativeTxHash, /^0x[0-9a-f]{64}$/);
      assert.equal((await lib.alice.wallet.checkBalances(target)).nRLC.toString(), "1500000000");
      assert.equal((await lib.alice.wallet.checkBalances(fresh.address)).nRLC.toString(), "0");
    });
    test("an RPC that is not there is said to be so", async () => {
      const far = new IExec({ ethProvider: utils.getSignerFromPrivateKey("http://127.0.0.1:9", fresh.privateKey, { allowExperimentalNetworks: true }) }, n.iexecOptions());
      await assert.rejects(far.wallet.checkBalances(target), named("Error", /^Failed to detect network/));
    });
  });

  describe("account", { concurrency: 1 }, () => {
    const stake = async (of) => (await lib.bob.account.checkBalance(of)).stake;
    let before;
    test("an unused account has no stake", async () => {
      const b = await lib.bob.account.checkBalance(nobody);
      assert.deepEqual([b.stake.toString(), b.locked.toString()], ["0", "0"]);
    });
    test("deposit raises the stake by its amount", async () => {
      before = await stake(address("bob"));
      assert.equal((await lib.bob.account.deposit(500)).amount, "500");
      assert.equal((await stake(address("bob"))).sub(before).toString(), "500");
    });
    test("deposit of nothing, and of more than there is", async () => {
      await assert.rejects(lib.bob.account.deposit(0), named("Error", "Deposit amount must be greater than 0"));
      await assert.rejects(lib.bob.account.deposit("900000000 RLC"), named("Error", "Deposit amount exceed wallet balance"));
    });
    test("withdraw lowers the stake by its amount", async () => {
      await nonceForgotten();
      assert.equal((await lib.bob.account.withdraw("200 nRLC")).amount, "200");
      assert.equal((await stake(address("bob"))).sub(before).toString(), "300");
    });
    test("withdraw of more than the stake", async () =>
      assert.rejects(lib.bob.account.withdraw("900000000 RLC"), named("Error", "Withdraw amount exceed account balance")));
    test("an allowance is set, read and taken back", async () => {
      assert.equal((await lib.bob.account.checkAllowance(address("bob"), nobody)).toString(), "0");
      await nonceForgotten();
      await lib.bob.account.approve("3 RLC", nobody);
      assert.equal((await lib.bob.account.checkAllowance(address("bob"), nobody)).toString(), "3000000000");
      await nonceForgotten();
      await lib.bob.account.revokeApproval(nobody);
      assert.equal((await lib.bob.account.checkAllowance(address("bob"), nobody)).toString(), "0");
    });
  });

  describe("hub and network", { concurrency: 1 }, () => {
    test("the chain's number is a string", async () => assert.equal((await lib.dave.network.getNetwork()).chainId, String(n.json.chainId)));
    test("five categories", async () => assert.equal((await lib.dave.hub.countCategory()).toString(), "5"));
    test("a category as it was created", async () => {
      const c = await lib.dave.hub.showCategory(0);
      assert.deepEqual([c.name, c.workClockTimeRef.toString()], ["XS", "300"]);
    });
    test("a category that is not there: the node's own words", async () => {
      await assert.rejects(lib.dave.hub.showCategory(99), (e) => e instanceof errors.Web3ProviderCallError && /revert/.test(e.message) || assert.fail(`${e.name}: ${e.message}`));
    });
    test("the timeout ratio is PoCo's", async () => assert.equal((await lib.dave.hub.getTimeoutRatio()).toString(), "10"));
    test("only the hub's owner creates categories", async () =>
      assert.rejects(lib.dave.hub.createCategory({ name: "mine", description: "d", workClockTimeRef: 10 }), named("Error", /^only category owner 0x[0-9a-fA-F]{40} can create new categories$/)));
    test("subgraph's URL is the configured one", async () => assert.equal(await lib.dave.config.resolvePocoSubgraphURL(), n.json.services.pocoSubgraph));
    test("an option that is missing is named when it is needed", async () => {
      const bare = new IExec({ ethProvider: n.signer(n.account("dave").privateKey) }, { hubAddress: n.json.contracts.hub, allowExperimentalNetworks: true });
      assert.equal(typeof await bare.config.resolveSmsURL().catch((e) => e.name), "string");
      assert.throws(() => new IExec({ ethProvider: n.json.rpcUrl }, { smsURL: "foo" }), named("ConfigurationError", /^Invalid smsURL: this "foo" is not a valid URL/));
    });
  });

  const kinds = {
    app: { who: "carol", other: "dave", make: (owner) => ({ owner, name: "npm app", type: "DOCKER", multiaddr: "docker.io/me/app:1", checksum: sum("cc") }),
      shown: (o) => assert.deepEqual([o.appName, o.appType, o.appMultiaddr, o.appChecksum, o.appMREnclave, o.registry], ["npm app", "DOCKER", "docker.io/me/app:1", sum("cc"), "", getAddress(n.json.contracts.appRegistry)]) },
    dataset: { who: "worker", other: "dave", make: (owner) => ({ owner, name: "npm data", multiaddr: "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ", checksum: sum("dd") }),
      shown: (o) => assert.deepEqual([o.datasetName, o.datasetMultiaddr, o.datasetChecksum, o.registry], ["npm data", "/p2p/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ", sum("dd"), getAddress(n.json.contracts.datasetRegistry)]) },
    workerpool: { who: "fresh", other: "dave", make: (owner) => ({ owner, description: "npm pool" }),
      shown: (o) => assert.deepEqual([o.workerpoolDescription, o.workerStakeRatioPolicy.toString(), o.schedulerRewardRatioPolicy.toString()], ["npm pool", "30", "1"]) },
  };
  for (const [kind, k] of Object.entries(kinds))
    describe(kind, { concurrency: 1 }, () => {
      const K = kind[0].toUpperCase() + kind.slice(1);
      let me, m, own, obj, at, had = 0;
      before(async () => {
        if (k.who === "fresh") { // an account that nobody else of this file sends with
          const w = Wallet.createRandom();
          await lib.operator.wallet.sendETH("1 ether", w.address);
          me = n.iexec(w.privateKey);
          own = w.address;
        } else {
          me = lib[k.who];
          own = address(k.who);
        }
        m = me[kind];
        obj = k.make(own);
        had = (await m[`countUser${K}s`](own)).toNumber();
      });
      test("its address is known before", async () => {
        at = await m[`predict${K}Address`](obj);
        assert.equal(at, getAddress(at));
        assert.equal(await m[`checkDeployed${K}`](at), false);
      });
      test("deployed, it is there", async () => {
        const d = await m[`deploy${K}`](obj);
        assert.equal(d.address, at);
        assert.equal(await m[`checkDeployed${K}`](at), true);
      });
      test("it is shown as it was given", async () => {
        const s = await m[`show${K}`](at);
        assert.equal(s.objAddress, at);
        assert.equal(s[kind].owner, own);
        k.shown(s[kind]);
      });
      test("it counts, and is found by its number", async () => {
        assert.equal((await m[`countUser${K}s`](own)).toNumber(), had + 1);
        assert.equal((await m[`showUser${K}`](had, own)).objAddress, at);
        await assert.rejects(m[`showUser${K}`](had + 1, own), named("Error", `${kind} not deployed`));
      });
      test("twice is refused", async () => assert.rejects(m[`deploy${K}`](obj), named("Error", `${K} already deployed at address ${at}`)));
      test("what is not there: ObjectNotFoundError", async () => assert.rejects(m[`show${K}`](nobody), (e) => {
        assert.ok(e instanceof errors.ObjectNotFoundError);
        assert.deepEqual([e.objName, e.objectId], [kind, nobody]);
        return true;
      }));
      test("a stranger does not transfer it", async () => assert.rejects(lib[k.other][kind][`transfer${K}`](at, nobody), named("Error", `Only ${kind} owner can transfer ${kind} ownership`)));
      test("its owner does", async () => {
        assert.equal((await m[`transfer${K}`](at, address("dave"))).to, address("dave"));
        assert.equal((await m[`show${K}`](at))[kind].owner, address("dave"));
      });
    });

  describe("compass", { concurrency: 1 }, () => {
    test("the pool's address leads to its scheduler", async () => assert.equal(await lib.alice.workerpool.getWorkerpoolApiUrl(n.json.workerpool.address), n.json.services.scheduler));
    test("another address has none", async () => assert.equal(await lib.alice.workerpool.getWorkerpoolApiUrl(nobody), undefined));
    test("another chain has none", async () => assert.equal((await fetch(`${n.json.services.compass}/1/workerpools/${n.json.workerpool.address}`)).status, 404));
    test("no compass: CompassCallError", async () => assert.rejects(n.iexec("alice", { compassURL: "http://127.0.0.1:9" }).workerpool.getWorkerpoolApiUrl(nobody),
      (e) => e instanceof errors.CompassCallError && e.message === "Compass API error: Connection to http://127.0.0.1:9 failed with a network error"));
  });
});
