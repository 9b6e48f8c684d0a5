// SPDX-License-Identifier: Apache-2.0
// The two subgraphs, as the unmodified DataProtector library asks them.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { IExecDataProtectorCore, getWeb3Provider } from "@iexec/dataprotector";
import { Network } from "./network.mjs";

describe("the subgraphs, asked by the npm library", { timeout: 180000 }, () => {
  let n, alice, carol, mine, other;
  const core = (name) => new IExecDataProtectorCore(
    getWeb3Provider(n.account(name).privateKey, n.json.rpcUrl, { allowExperimentalNetworks: true }), n.dataProtectorOptions());
  const until = async (probe) => {
    for (;;) {
      const x = await probe();
      if (x) return x;
      await new Promise((go) => setTimeout(go, 50));
    }
  };

  before(async () => {
    n = await Network.up();
    [alice, carol] = ["alice", "carol"].map(core);
    mine = await alice.protectData({ name: "mail", data: { email: "a@b.c", nested: { age: 41, ok: true } } });
    other = await carol.protectData({ name: "file", data: { file: new TextEncoder().encode("hello") } });
  });
  after(async () => n?.down());

  test("getProtectedData finds by owner, address, schema and time", async () => {
    const owner = n.account("alice").address;
    const all = await until(async () => { const l = await alice.getProtectedData(); return l.length >= 2 && l; });
    assert.equal(all.length, 2);
    const [one] = await alice.getProtectedData({ owner });
    assert.equal(one.address.toLowerCase(), mine.address.toLowerCase());
    assert.equal(one.name, "mail");
    assert.equal(one.owner.toLowerCase(), owner.toLowerCase());
    assert.deepEqual(one.schema, { email: "string", nested: { age: "f64", ok: "bool" } });
    assert.equal(one.multiaddr, mine.multiaddr);
    assert.equal(typeof one.creationTimestamp, "number");
    assert.equal((await alice.getProtectedData({ protectedDataAddress: other.address })).length, 1);
    assert.equal((await alice.getProtectedData({ requiredSchema: { email: "string" } })).length, 1);
    assert.equal((await alice.getProtectedData({ requiredSchema: { nested: { age: "f64" } }, owner })).length, 1);
    assert.equal((await alice.getProtectedData({ requiredSchema: { nested: { age: "string" } } })).length, 0);
    assert.equal((await alice.getProtectedData({ requiredSchema: { file: ["application/octet-stream", "string"] } })).length, 1);
    assert.equal((await alice.getProtectedData({ createdAfterTimestamp: one.creationTimestamp + 100000 })).length, 0);
    assert.equal((await alice.getProtectedData({ page: 1, pageSize: 10 })).length, 0);
  });

  test("after a transfer it is the new owner's", async () => {
    const to = n.account("dave").address;
    await alice.transferOwnership({ protectedData: mine.address, newOwner: to });
    const list = await until(async () => { const l = await alice.getProtectedData({ owner: to }); return l.length && l; });
    assert.equal(list[0].address.toLowerCase(), mine.address.toLowerCase());
    assert.equal((await alice.getProtectedData({ owner: n.account("alice").address })).length, 0);
  });

  test("an explorer's document is answered, a wrong one says what is wrong", async () => {
    const ask = async (query, variables) => (await fetch(n.json.services.pocoSubgraph, {
      method: "POST", headers: { "content-type": "application/json", accept: "application/graphql-response+json" }, body: JSON.stringify({ query, variables }) })).json();
    const ok = await ask("query P($n: Int = 5) { protocol(id: \"iExec\") { datasetsCount appsCount } datasets(first: $n, orderBy: timestamp, orderDirection: desc) { address: id name owner { id } } categories { id workClockTimeRef } }");
    assert.deepEqual(ok.data.datasets.map((d) => d.name), ["file", "mail"]);
    assert.equal(ok.data.protocol.datasetsCount, "2");
    assert.equal(ok.data.categories.length, 5);
    const bad = await ask("{ datasets { nmae } }");
    assert.match(bad.errors[0].message, /nmae/);
  });
});
