// SPDX-License-Identifier: Apache-2.0
// Sharing by the last official client that has it (@iexec/dataprotector 2.0.0-beta.23), unmodified, on our contracts and index: the
// scientist's side in JavaScript, the lab's in both, and each side sees what the other did.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { IExecDataProtectorSharing, getWeb3Provider } from "dataprotector-sharing";
import { Network, iapps, nonceForgotten, until } from "./network.mjs";

const words = (e) => (e ? `${e.message ?? e}: ${words(e.cause)}` : "");
const failed = (part) => (e) => words(e).includes(part) || assert.fail(`${e.name}: ${words(e)}`);
const HOUR = 3600, WEEK = 7 * 86400;

describe("sharing", { timeout: 300000 }, () => {
  let n, alice, carol, dave, app, list, id, own;
  const data = {};
  const low = (name) => n.account(name).address.toLowerCase();
  const stake = (name) => BigInt(n.cli(name, ["account", "show"]).stake);
  const hash = /^0x[0-9a-f]{64}$/;
  // One transaction after the other, as its provider needs it.
  const sent = async (call) => {
    await nonceForgotten();
    const r = await call;
    assert.match(r.txHash, hash);
    return r;
  };
  const sharing = (who) => new IExecDataProtectorSharing(getWeb3Provider(n.account(who).privateKey, { host: n.json.rpcUrl, allowExperimentalNetworks: true }),
    { ...n.dataProtectorOptions(), sharingContractAddress: n.json.contracts.sharing });

  before(async () => {
    n = await Network.up();
    [alice, carol, dave] = ["alice", "carol", "dave"].map(sharing);
    app = n.cli("bob", ["app", "deploy", join(iapps, "content-delivery"), "--no-publish"]).address;
    for (const name of ["climate", "ice", "ocean"])
      data[name] = n.cli("alice", ["data", "protect", n.file(name, `content of ${name}\n`), "--name", name]).address;
  });
  after(async () => n?.down());

  test("a collection and a whitelist are made", async () => {
    await nonceForgotten();
    const c = await alice.createCollection();
    assert.match(c.txHash, hash);
    id = c.collectionId;
    await nonceForgotten();
    const w = await alice.createAddOnlyAppWhitelist();
    list = w.addOnlyAppWhitelist;
    assert.equal(n.cli("alice", ["share", "show", String(id)]).collection.owner, low("alice"));
  });
  test("an app that is not the sharing contract's does not come into the whitelist", async () => {
    await assert.rejects(alice.addAppToAddOnlyAppWhitelist({ addOnlyAppWhitelist: list, app }), failed("This app is not owned by the sharing contract."));
    n.cli("bob", ["share", "app", app]);
    await sent(alice.addAppToAddOnlyAppWhitelist({ addOnlyAppWhitelist: list, app }));
    await assert.rejects(alice.addAppToAddOnlyAppWhitelist({ addOnlyAppWhitelist: list, app }), failed("already have registered this app"));
    const mine = await until(async () => (await alice.getUserAddOnlyAppWhitelist()).addOnlyAppWhitelists?.find((x) => x.address === list.toLowerCase() && x.apps.length), 20);
    assert.deepEqual([mine.owner, mine.apps[0].address], [low("alice"), app.toLowerCase()]);
  });
  test("data comes into the collection, with the statuses told", async () => {
    const steps = [];
    for (const name of ["climate", "ice", "ocean"])
      await sent(alice.addToCollection({ collectionId: id, protectedData: data[name], addOnlyAppWhitelist: list, onStatusUpdate: ({ title, isDone }) => isDone && steps.push(title) }));
    assert.deepEqual(steps.slice(0, 2), ["APPROVE_COLLECTION_CONTRACT", "ADD_PROTECTED_DATA_TO_COLLECTION"]);
    assert.deepEqual(new Set(n.cli("alice", ["share", "show", String(id)]).data.map((d) => d.data)), new Set(Object.values(data).map((d) => d.toLowerCase())));
    await assert.rejects(alice.addToCollection({ collectionId: id, protectedData: data.ice, addOnlyAppWhitelist: list }), failed("The protected data is already in a collection"));
    await assert.rejects(carol.setSubscriptionParams({ collectionId: id, price: 1, duration: HOUR }), failed("This collection can't be managed by you."));
  });
  test("the index lists owners, collections and data as the client asks for them", async () => {
    const { collectionOwners } = await alice.getCollectionOwners({});
    assert.ok(collectionOwners.some((o) => o.id === low("alice")));
    const { collections } = await until(async () => {
      const r = await alice.getCollectionsByOwner({ owner: low("alice"), includeHiddenProtectedDatas: true });
      return r.collections[0]?.protectedDatas.length === 3 && r;
    }, 20);
    assert.equal(Number(collections[0].id), id);
    const { protectedDataInCollection } = await alice.getProtectedDataInCollections({ collectionId: id });
    assert.deepEqual(new Set(protectedDataInCollection.map((d) => d.id)), new Set(Object.values(data).map((d) => d.toLowerCase())));
  });

  test("data is rented at its price, and paid at once", async () => {
    await assert.rejects(carol.rentProtectedData({ protectedData: data.climate, price: 7, duration: HOUR }), failed("not available for renting"));
    await sent(alice.setProtectedDataToRenting({ protectedData: data.climate, price: 7, duration: HOUR }));
    await assert.rejects(carol.rentProtectedData({ protectedData: data.climate, price: 6, duration: HOUR }), failed("do not correspond to the current renting params"));
    const [a, c] = [stake("alice"), stake("carol")];
    await sent(carol.rentProtectedData({ protectedData: data.climate, price: 7, duration: HOUR }));
    assert.deepEqual([stake("alice"), stake("carol")], [a + 7n, c - 7n]);
    const { rentals } = await until(async () => {
      const r = await carol.getRentals({ renterAddress: low("carol"), includePastRentals: true });
      return r.rentals.length && r;
    }, 20);
    assert.equal(rentals[0].protectedData.id, data.climate.toLowerCase());
    const { protectedDataPricingParams: terms } = await alice.getProtectedDataPricingParams({ protectedData: data.climate });
    assert.deepEqual([terms.address, terms.isRentable, terms.isForSale], [data.climate.toLowerCase(), true, false]);
    await assert.rejects(alice.removeProtectedDataFromCollection({ protectedData: data.climate }), failed("This protected data has active rentals."));
  });
  test("who rented with the official client gets the content with ours", () => {
    const out = join(n.home, "climate-of-carol");
    n.cli("carol", ["share", "use", data.climate, "-o", out]);
    assert.equal(readFileSync(join(out, "content"), "utf8"), "content of climate\n");
    n.cli("dave", ["share", "use", data.climate, "-o", join(n.home, "none")], 3);
  });
  test("the client of that time asks for another enclave framework, and finds no workerpool order for it", async () => {
    await assert.rejects(carol.consumeProtectedData({ protectedData: data.climate, app, workerpool: n.json.workerpool.address }), failed("Could not find a workerpool order"));
    // (It takes anybody's rental for one's own; so this is of data that nobody has rented. The contract knows better.)
    await assert.rejects(dave.consumeProtectedData({ protectedData: data.ice, app, workerpool: n.json.workerpool.address }), failed("You are not allowed to consume this protected data"));
  });

  test("a subscription opens what is in it", async () => {
    await assert.rejects(dave.subscribeToCollection({ collectionId: id, price: 3, duration: WEEK }), failed("This collection has no valid subscription params."));
    await sent(alice.setSubscriptionParams({ collectionId: id, price: 3, duration: WEEK }));
    await sent(alice.setProtectedDataToSubscription({ protectedData: data.ice }));
    await assert.rejects(dave.subscribeToCollection({ collectionId: id, price: 4, duration: WEEK }), failed("do not correspond to the current subscription params"));
    const [a, d] = [stake("alice"), stake("dave")];
    await sent(dave.subscribeToCollection({ collectionId: id, price: 3, duration: WEEK }));
    assert.deepEqual([stake("alice"), stake("dave")], [a + 3n, d - 3n]);
    const found = await until(async () => (await dave.getCollectionSubscriptions({ subscriberAddress: low("dave") })).collectionSubscriptions[0], 20);
    assert.equal(Number(found.collection.id), id);
    const out = join(n.home, "ice-of-dave");
    n.cli("dave", ["share", "use", data.ice, "-o", out]);
    assert.equal(readFileSync(join(out, "content"), "utf8"), "content of ice\n");
    await assert.rejects(alice.removeProtectedDataFromSubscription({ protectedData: data.ice }), failed("active subscriptions"));
  });

  test("data is sold into the buyer's collection, and taken out of it", async () => {
    await assert.rejects(carol.buyProtectedData({ protectedData: data.ocean, price: 20 }), failed("currently not for sale"));
    await sent(alice.setProtectedDataForSale({ protectedData: data.ocean, price: 20 }));
    await assert.rejects(alice.setProtectedDataToRenting({ protectedData: data.ocean, price: 1, duration: HOUR }), failed("currently available for sale"));
    await nonceForgotten();
    own = (await carol.createCollection()).collectionId;
    const [a, c] = [stake("alice"), stake("carol")];
    await sent(carol.buyProtectedData({ protectedData: data.ocean, price: 20, addToCollectionId: own, addOnlyAppWhitelist: list }));
    assert.deepEqual([stake("alice"), stake("carol")], [a + 20n, c - 20n]);
    assert.equal(n.cli("carol", ["share", "data", data.ocean]).collection, own);
    await assert.rejects(carol.removeCollection({ collectionId: own }), failed("Collection still has protected data"));
    await sent(carol.removeProtectedDataFromCollection({ protectedData: data.ocean }));
    assert.equal(n.cli("carol", ["data", "show", data.ocean]).owner, low("carol"));
    await sent(carol.removeCollection({ collectionId: own }));
    n.cli("carol", ["share", "show", String(own)], 3);
  });

  test("earnings are told by our command line for what the official client sold", () => {
    const e = n.cli("alice", ["share", "earnings"]);
    assert.equal(e.total, "30");
    assert.deepEqual(e.payments.map((p) => [p.kind, p.price]), [["rent", "7"], ["subscription", "3"], ["sale", "20"]]);
  });
});
