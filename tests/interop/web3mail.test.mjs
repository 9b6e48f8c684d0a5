// SPDX-License-Identifier: Apache-2.0
// The unmodified Web3Mail client: contacts, one mail, campaigns, its refusals; each half by it, the other by our command line.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { IExecWeb3mail, getWeb3Provider } from "@iexec/web3mail";
import { Messaging, failed, invalid } from "./messaging.mjs";
import { nonceForgotten } from "./network.mjs";

const zero = "0x" + "0".repeat(40);

describe("Web3Mail", { timeout: 240000 }, () => {
  let m, n, bob, pool, alice, anybody;
  const client = (who, more = {}) => new IExecWeb3mail(getWeb3Provider(m.key(who), { host: n.json.rpcUrl, allowExperimentalNetworks: true }), m.options("mail", more));
  const mail = (fields = {}) => ({ protectedData: alice, emailSubject: "Hello", emailContent: "Some text", workerpoolAddressOrEns: pool, ...fields });

  before(async () => {
    m = await Messaging.up();
    n = m.n;
    pool = n.json.workerpool.address;
    bob = client("bob");
    alice = await m.contact("alice", { email: "alice@example.com" }, m.mail.whitelist, { authorizedUser: m.address("bob"), numberOfAccess: 10 });
    anybody = await m.contact("dave", { email: "dave@example.com", other: true }, m.mail.whitelist, { allowBulk: true });
  });
  after(async () => m?.down());

  describe("contacts", { concurrency: 1 }, () => {
    test("the app comes from compass", async () => {
      await bob.init();
      assert.equal(bob.dappAddressOrENS.toLowerCase(), m.mail.app);
    });
    test("mine", async () => {
      const list = await bob.fetchMyContacts();
      assert.deepEqual(list.map((c) => c.address).sort(), [alice, anybody].sort());
      const c = list.find((x) => x.address === alice);
      assert.deepEqual([c.owner, c.isUserStrict, c.name, c.remainingAccess, c.accessPrice], [m.address("alice"), true, "of alice", 10, 0]);
      assert.ok(Date.now() - Date.parse(c.accessGrantTimestamp) < 600000);
      assert.equal(c.grantedAccess.apprestrict.toLowerCase(), m.mail.whitelist);
    });
    test("ours are the same", async () => {
      const ours = n.cli("bob", ["mail", "contacts"]).contacts, theirs = await bob.fetchMyContacts();
      assert.deepEqual(ours.map((c) => [c.contact, c.owner, c.name, c.remaining, c.onlyUser, Number(c.price)]).sort(),
        theirs.map((c) => [c.address, c.owner, c.name, c.remainingAccess, c.isUserStrict, c.accessPrice]).sort());
    });
    test("only mine", async () => assert.deepEqual((await bob.fetchMyContacts({ isUserStrict: true })).map((c) => c.address), [alice]));
    test("for campaigns", async () => assert.deepEqual((await bob.fetchMyContacts({ bulkOnly: true })).map((c) => c.address), [anybody]));
    test("somebody else's", async () => assert.deepEqual((await bob.fetchUserContacts({ userAddress: m.address("carol") })).map((c) => c.address), [anybody]));
    test("what has no address is none", async () => {
      const other = await m.contact("alice", { telegram_chatId: "1001" }, m.mail.whitelist, { authorizedUser: m.address("carol") });
      assert.ok(!(await client("carol").fetchMyContacts()).some((c) => c.address === other));
    });
    test("no user: refused", async () => assert.rejects(bob.fetchUserContacts({ userAddress: "nobody" }), (e) => /should be an ethereum address/.test(e.message + e.cause?.message)));
    test("without a signer: told to log in", async () => assert.rejects(new IExecWeb3mail(n.json.rpcUrl, m.options("mail", { iexecOptions: n.iexecOptions() })).fetchMyContacts(),
      (e) => /Unauthorized method|Unsupported ethProvider/.test(e.message) || assert.fail(e.message)));
    test("no index: a failure that says so", async () => assert.rejects(client("bob", { dataProtectorSubgraph: "http://127.0.0.1:9" }).fetchMyContacts(), failed("Failed to fetch user contacts", /Failed to fetch subgraph/)));
    test("no order book: a service of the protocol is unavailable", async () => assert.rejects(client("bob", { iexecOptions: { ...n.iexecOptions(), iexecGatewayURL: "http://127.0.0.1:9" } }).fetchMyContacts(),
      (e) => e.isProtocolError === true || assert.fail(`${e.name} ${e.message}`)));
  });

  describe("one mail", { concurrency: 1 }, () => {
    test("is delivered, and its callback is on the chain", async () => {
      const { taskId, dealId } = await bob.sendEmail(mail({ emailContent: "<b>Grüße</b>", contentType: "text/html", senderName: "Bob", label: "spring" }));
      const r = m.outcome("bob", "mail", taskId);
      assert.deepEqual(r.deliveries.map((d) => [d.contact, d.outcome]), [[alice, "untold"]]);
      assert.deepEqual((await m.inbox("mail")).at(-1), { to: "alice@example.com", from: "news@example.org", fromName: "Bob via Web3mail", subject: "Hello", contentType: "text/html", content: "<b>Grüße</b>" });
      const deal = n.cli("bob", ["deal", "show", dealId]);
      assert.equal(JSON.parse(deal.params).iexec_args, "spring");
      assert.equal((await n.iexec("bob").deal.show(dealId)).callback.toLowerCase(), "0x5f936db7ad6d29371808e42a87015595d90509ba");
    });
    test("the same app reads what our command line encrypted", async () => {
      const before = (await m.inbox("mail")).length;
      const sent = n.cli("bob", ["mail", "send", alice, "--subject", "Ours", "--content", "from the command line", "--sender", "Bob"]);
      assert.equal(sent.sent, 1);
      const got = (await m.inbox("mail")).slice(before);
      assert.deepEqual(got.map((x) => [x.subject, x.content, x.fromName]), [["Ours", "from the command line", "Bob via Web3mail"]]);
    });
    test("no such address in the data", async () => {
      const other = await m.contact("alice", { telegram_chatId: "1001" }, m.mail.whitelist);
      await assert.rejects(bob.sendEmail(mail({ protectedData: other })), (e) => e.message === 'This protected data does not contain "email:string" in its schema.' || assert.fail(e.message));
    });
    test("who has no grant", async () => assert.rejects(client("carol").sendEmail(mail()), failed("Failed to sendEmail", /No Dataset order found for the desired price/)));
    test("a contact that is too dear, and one that is paid", async () => {
      const dear = await m.contact("worker", { email: "worker@example.com" }, m.mail.whitelist, { pricePerAccess: 7 });
      await assert.rejects(bob.sendEmail(mail({ protectedData: dear })), failed("Failed to sendEmail", /No Dataset order found for the desired price/));
      n.cli("bob", ["account", "deposit", "100"]);
      await nonceForgotten();
      const { taskId } = await bob.sendEmail(mail({ protectedData: dear, dataMaxPrice: 7 }));
      m.outcome("bob", "mail", taskId);
      assert.equal((await m.inbox("mail")).at(-1).to, "worker@example.com");
    });
    test("no workerpool within the price", async () => assert.rejects(bob.sendEmail(mail({ workerpoolAddressOrEns: m.address("carol") })), failed("Failed to sendEmail", /No Workerpool order found for the desired price|No App order found/)));
    test("no node to upload to", async () => assert.rejects(client("bob", { ipfsNode: "http://127.0.0.1:9" }).sendEmail(mail()), failed("Failed to sendEmail", /Failed to upload encrypted email content/)));
    for (const [what, fields, message] of [
      ["a subject of 79", { emailSubject: "s".repeat(79) }, /emailSubject must be at most 78 characters/],
      ["no subject", { emailSubject: undefined }, /emailSubject is a required field/],
      ["no content", { emailContent: undefined }, /emailContent is a required field/],
      ["another type", { contentType: "text/rtf" }, /Invalid contentType/],
      ["a short sender", { senderName: "ab" }, /senderName must be at least 3 characters/],
      ["a long label", { label: "l".repeat(11) }, /label must be at most 10 characters/],
      ["a negative price", { dataMaxPrice: -1 }, /dataMaxPrice must be greater than or equal to 0/],
      ["no address", { protectedData: "alice" }, /protectedData should be an ethereum address/],
    ]) test(`${what} is refused`, async () => assert.rejects(bob.sendEmail(mail(fields)), invalid(message)));
  });

  describe("campaigns", { concurrency: 1 }, () => {
    let contacts, more;
    before(async () => {
      more = await m.contact("carol", { email: "carol@example.com" }, m.mail.whitelist, { allowBulk: true, authorizedUser: m.address("bob") });
      contacts = await bob.fetchMyContacts({ bulkOnly: true });
      assert.deepEqual(contacts.map((c) => c.address).sort(), [anybody, more].sort());
    });
    const campaign = (fields = {}) => bob.prepareEmailCampaign({ grantedAccesses: contacts.map((c) => c.grantedAccess), emailSubject: "All", emailContent: "to all of you", senderName: "Bob", workerpoolAddressOrEns: pool, ...fields });
    const newMails = async (act) => {
      const before = (await m.inbox("mail")).length;
      const r = await act();
      return [r, (await m.inbox("mail")).slice(before).map((x) => x.to).sort()];
    };

    test("prepared and sent by the client", async () => {
      const { campaignRequest } = await campaign({ maxProtectedDataPerTask: 1, label: "all" });
      assert.deepEqual([campaignRequest.volume, campaignRequest.dataset], ["2", zero]);
      await nonceForgotten();
      const [outcomes, to] = await newMails(async () => {
        const { tasks } = await bob.sendEmailCampaign({ campaignRequest, workerpoolAddressOrEns: pool });
        assert.deepEqual(tasks.map((t) => t.bulkIndex), [0, 1]);
        return tasks.flatMap((t) => m.outcome("bob", "mail", t.taskId).deliveries);
      });
      assert.deepEqual(outcomes.map((d) => [d.contact, d.outcome]).sort(), [[anybody, "sent"], [more, "sent"]].sort());
      assert.deepEqual(to, ["carol@example.com", "dave@example.com"]);
    });
    test("prepared by the client, sent by our command line", async () => {
      const { campaignRequest } = await campaign();
      const [r, to] = await newMails(async () => n.cli("bob", ["mail", "campaign", "--request", n.file("theirs.json", JSON.stringify(campaignRequest))]));
      assert.deepEqual([r.sent, r.of, r.tasks.length], [2, 2, 1]);
      assert.deepEqual(to, ["carol@example.com", "dave@example.com"]);
    });
    test("prepared by our command line, sent by the client", async () => {
      n.cli("bob", ["mail", "campaign", "--all", "--subject", "Ours", "--content", "to all", "--per-task", "1", "--prepare", `${n.home}/ours.json`]);
      const campaignRequest = JSON.parse(n.read("ours.json").toString());
      await nonceForgotten();
      const [last, to] = await newMails(async () => {
        const { tasks } = await bob.sendEmailCampaign({ campaignRequest, workerpoolAddressOrEns: pool });
        return tasks.map((t) => m.outcome("bob", "mail", t.taskId).sent);
      });
      assert.deepEqual(last, [1, 1]);
      assert.deepEqual(to, ["carol@example.com", "dave@example.com"]);
    });
    test("one that is gone does not stop the other", async () => {
      await m.refuse("dave@example.com", "550 5.1.1 unknown");
      const { campaignRequest } = await campaign();
      await nonceForgotten();
      const { tasks } = await bob.sendEmailCampaign({ campaignRequest, workerpoolAddressOrEns: pool });
      const r = m.outcome("bob", "mail", tasks[0].taskId, 4);
      assert.deepEqual(r.deliveries.map((d) => [d.contact, d.outcome]).sort(), [[anybody, "failed"], [more, "sent"]].sort());
    });
    test("another pool than it was prepared for", async () => {
      const { campaignRequest } = await campaign();
      await assert.rejects(bob.sendEmailCampaign({ campaignRequest, workerpoolAddressOrEns: m.address("carol") }),
        (e) => /doesn't match campaignRequest workerpool/.test(e.message + e.cause?.message) || assert.fail(`${e.name} ${e.message} ${e.cause}`));
      const said = n.cli("bob", ["mail", "campaign", "--request", n.file("p.json", JSON.stringify(campaignRequest)), "--workerpool", m.address("carol")], 2);
      assert.match(said.error, /doesn't match/);
    });
    test("a grant that is none for campaigns", async () => {
      const single = (await bob.fetchMyContacts({ isUserStrict: true })).find((c) => c.address === alice);
      await assert.rejects(campaign({ grantedAccesses: [single.grantedAccess] }), failed("Failed to prepareEmailCampaign"));
    });
    test("nobody", async () => assert.rejects(campaign({ grantedAccesses: [] }), (e) => /prepareEmailCampaign|grantedAccesses|bulkAccesses/.test(e.message) || assert.fail(e.message)));
    test("what is no campaign", async () => assert.rejects(bob.sendEmailCampaign({ campaignRequest: { app: m.mail.app }, workerpoolAddressOrEns: pool }), (e) => /campaignRequest|required/.test(e.message + e.cause?.message) || assert.fail(`${e.name} ${e.message}`)));
  });
});
