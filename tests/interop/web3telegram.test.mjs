// SPDX-License-Identifier: Apache-2.0
// The unmodified Web3Telegram client: contacts, campaigns, its refusals. Its newest release served by the registry sends single messages
// to SCONE apps alone, so these are refused here as on any network without them; single messages are our command line's.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { IExecWeb3telegram, getWeb3Provider } from "@iexec/web3telegram";
import { Messaging, failed } from "./messaging.mjs";
import { nonceForgotten } from "./network.mjs";

describe("Web3Telegram", { timeout: 240000 }, () => {
  let m, n, bob, pool, alice, anybody, more, contacts;
  const client = (who, options = {}) => new IExecWeb3telegram(getWeb3Provider(m.key(who), { host: n.json.rpcUrl, allowExperimentalNetworks: true }), m.options("telegram", options));
  const campaign = (fields = {}) => bob.prepareTelegramCampaign({ grantedAccesses: contacts.map((c) => c.grantedAccess), telegramContent: "to <b>all</b>", senderName: "Bob", ...fields });
  const newMessages = async (act) => {
    const before = (await m.inbox("telegram")).length;
    const r = await act();
    return [r, (await m.inbox("telegram")).slice(before)];
  };

  before(async () => {
    m = await Messaging.up();
    n = m.n;
    pool = n.json.workerpool.address;
    bob = client("bob");
    const to = m.telegram.whitelist;
    alice = await m.contact("alice", { telegram_chatId: "1001" }, to, { authorizedUser: m.address("bob"), numberOfAccess: 10 });
    anybody = await m.contact("dave", { telegram_chatId: "1002" }, to, { allowBulk: true });
    more = await m.contact("carol", { telegram_chatId: "1003" }, to, { allowBulk: true, authorizedUser: m.address("bob") });
    await m.contact("carol", { email: "carol@example.com" }, to, { authorizedUser: m.address("bob") });
  });
  after(async () => m?.down());

  describe("contacts", { concurrency: 1 }, () => {
    test("the app comes from compass", async () => {
      await bob.init();
      assert.equal(bob.dappAddressOrENS.toLowerCase(), m.telegram.app);
    });
    test("mine, without those of mail", async () => assert.deepEqual((await bob.fetchMyContacts()).map((c) => c.address).sort(), [alice, anybody, more].sort()));
    test("ours are the same", async () => {
      const ours = n.cli("bob", ["telegram", "contacts"]).contacts, theirs = await bob.fetchMyContacts();
      assert.deepEqual(ours.map((c) => [c.contact, c.owner, c.name, c.remaining, c.onlyUser]).sort(), theirs.map((c) => [c.address, c.owner, c.name, c.remainingAccess, c.isUserStrict]).sort());
    });
    test("only mine", async () => assert.deepEqual((await bob.fetchMyContacts({ isUserStrict: true })).map((c) => c.address).sort(), [alice, more].sort()));
    test("somebody else's", async () => assert.deepEqual((await bob.fetchUserContacts({ userAddress: m.address("worker") })).map((c) => c.address), [anybody]));
    test("no index", async () => assert.rejects(client("bob", { dataProtectorSubgraph: "http://127.0.0.1:9" }).fetchMyContacts(), failed("Failed to fetch user contacts")));
  });

  describe("one message", { concurrency: 1 }, () => {
    const send = (fields = {}) => bob.sendTelegram({ protectedData: alice, telegramContent: "Hello", senderName: "Bob", workerpoolAddressOrEns: pool, ...fields });
    test("by our command line", async () => {
      const [r, got] = await newMessages(async () => n.cli("bob", ["telegram", "send", alice, "--content", "Hello", "--sender", "Bob"]));
      assert.deepEqual([r.sent, r.deliveries[0].outcome], [1, "sent"]);
      assert.deepEqual(got, [{ chat_id: "1001", text: "Message from: Bob\nHello", parse_mode: "HTML" }]);
    });
    test("by this release of the client: no SCONE app", async () => assert.rejects(send(), failed("Failed to sendTelegram", /No App order found for the desired price/)));
    for (const [what, fields, message] of [
      ["no content", { telegramContent: undefined }, /telegramContent is a required field/],
      ["a short sender", { senderName: "ab" }, /senderName must be at least 3 characters/],
      ["a long label", { label: "l".repeat(11) }, /label must be at most 10 characters/],
      ["no address", { protectedData: "alice" }, /protectedData should be an ethereum address/],
    ]) test(`${what} is refused`, async () => assert.rejects(send(fields), failed("Failed to sendTelegram", message)));
    test("data without a chat", async () => {
      const other = await m.contact("alice", { email: "a@example.com" }, m.telegram.whitelist);
      await assert.rejects(send({ protectedData: other }), failed("Failed to sendTelegram", /does not contain "telegram_chatId:string" in its schema/));
    });
  });

  describe("campaigns", { concurrency: 1 }, () => {
    before(async () => {
      contacts = await bob.fetchMyContacts({ bulkOnly: true });
      assert.deepEqual(contacts.map((c) => c.address).sort(), [anybody, more].sort());
    });
    test("prepared and sent by the client", async () => {
      const { campaignRequest } = await campaign({ maxProtectedDataPerTask: 1, workerpoolAddressOrEns: pool });
      await nonceForgotten();
      const [outcomes, got] = await newMessages(async () => {
        const { tasks } = await bob.sendTelegramCampaign({ campaignRequest, workerpoolAddressOrEns: pool });
        assert.deepEqual(tasks.map((t) => t.bulkIndex), [0, 1]);
        return tasks.flatMap((t) => m.outcome("bob", "telegram", t.taskId).deliveries);
      });
      assert.deepEqual(outcomes.map((d) => [d.contact, d.outcome]).sort(), [[anybody, "sent"], [more, "sent"]].sort());
      assert.deepEqual(got.map((x) => x.chat_id).sort(), ["1002", "1003"]);
      assert.ok(got.every((x) => x.text === "Message from: Bob\nto <b>all</b>" && x.parse_mode === "HTML"));
    });
    test("prepared by the client, open to any pool, sent by our command line", async () => {
      const { campaignRequest } = await campaign();
      const [r, got] = await newMessages(async () => n.cli("bob", ["telegram", "campaign", "--request", n.file("theirs.json", JSON.stringify(campaignRequest))]));
      assert.deepEqual([r.sent, r.of, got.length], [2, 2, 2]);
    });
    test("prepared by our command line, sent by the client", async () => {
      n.cli("bob", ["telegram", "campaign", "--all", "--content", "ours", "--prepare", `${n.home}/ours.json`]);
      const campaignRequest = JSON.parse(n.read("ours.json").toString());
      await nonceForgotten();
      const [r, got] = await newMessages(async () => {
        const { tasks } = await bob.sendTelegramCampaign({ campaignRequest, workerpoolAddressOrEns: pool });
        return tasks.map((t) => m.outcome("bob", "telegram", t.taskId).sent);
      });
      assert.deepEqual([r, got.map((x) => x.text)], [[2], Array(2).fill("Message from: Web3Telegram Dapp\nours")]);
    });
    test("who blocked the bot does not stop the other", async () => {
      await m.refuse("1002", 403);
      const { campaignRequest } = await campaign({ workerpoolAddressOrEns: pool });
      await nonceForgotten();
      const { tasks } = await bob.sendTelegramCampaign({ campaignRequest, workerpoolAddressOrEns: pool });
      const r = m.outcome("bob", "telegram", tasks[0].taskId, 4);
      assert.deepEqual(r.deliveries.map((d) => [d.contact, d.outcome]).sort(), [[anybody, "failed"], [more, "sent"]].sort());
      assert.match(r.deliveries.find((d) => d.contact === anybody).error, /status: 403/);
    });
    test("another pool than it was prepared for", async () => {
      const { campaignRequest } = await campaign({ workerpoolAddressOrEns: pool });
      await assert.rejects(bob.sendTelegramCampaign({ campaignRequest, workerpoolAddressOrEns: m.address("carol") }),
        (e) => /doesn't match campaignRequest workerpool/.test(e.message + e.cause?.message) || assert.fail(`${e.name} ${e.message} ${e.cause}`));
    });
    test("a grant that is none for campaigns", async () => {
      const single = (await bob.fetchMyContacts({ isUserStrict: true })).find((c) => c.address === alice);
      await assert.rejects(campaign({ grantedAccesses: [single.grantedAccess] }), failed("Failed to prepareTelegramCampaign"));
    });
  });
});
