#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""strongroom mail and telegram: install, contacts, send, campaign, result, with the real apps and servers on loopback."""
import email
import email.policy
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import harness
from harness import Network
from mail_servers import Api, Certificates, Smtp, answer_json

PEOPLE = ("alice", "dave", "carol")


class Client(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="sr-mail-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.certs = Certificates(os.path.join(cls.folder, "certs"))
        cls.smtp = Smtp(cls.certs.server())
        cls.addClassCleanup(cls.smtp.close)
        cls.chats = {}
        cls.bot = Api(cls.certs.server(), lambda _m, _p, _h, body: answer_json(*cls.bot_says(json.loads(body)["chat_id"])))
        cls.addClassCleanup(cls.bot.close)
        cls.n = n = Network()
        cls.addClassCleanup(n.__exit__, None)
        n.up("--egress-loopback", "gateway.test,smtp.test,api.test")
        cls.nothing = n.cli("mail", "contacts", who="bob", code=3)
        cls.mail = cls.install("mail", cls.mail_secret("the first"))
        cls.telegram = cls.install("telegram", {"TELEGRAM_BOT_TOKEN": "12:AB", "CA_CERTIFICATES": cls.certs.authority(),
                                                "TELEGRAM_API_URL": f"https://api.test:{cls.bot.port}"})
        n.read_network()

    @classmethod
    def bot_says(cls, chat):
        status = cls.chats.get(chat, 200)
        return {"ok": status == 200}, status

    @classmethod
    def mail_secret(cls, sender):
        return {"SMTP_URL": f"smtp://smtp.test:{cls.smtp.port}", "SMTP_SENDER": f"{sender.replace(' ', '.')}@example.org",
                "CA_CERTIFICATES": cls.certs.authority()}

    @classmethod
    def install(cls, channel, secret, code=0, who="operator"):
        return cls.n.cli(channel, "install", "--secret-file", cls.n.file("secret.json", json.dumps(secret)), who=who, code=code)

    def setUp(self):
        self.smtp.mails.clear()
        self.smtp.replies.clear()
        self.bot.requests.clear()
        self.chats.clear()

    def contact(self, channel, address, *terms, owner="alice", user="bob", to=None):
        field = "email" if channel == "mail" else "telegram_chatId"
        d = self.n.cli("data", "protect", "--json", json.dumps({field: address}), "--name", f"of {owner}", who=owner)["address"]
        self.n.cli("data", "grant", d, "--app", to or f"web3{channel}", "--user", user, *terms, who=owner)
        return d

    def send(self, contact, *more, channel="mail", code=0, who="bob", **how):
        words = ["--subject", "News"] if channel == "mail" else []
        return self.n.cli(channel, "send", contact, *words, *more, who=who, code=code, **how)

    def last(self):
        return email.message_from_bytes(self.smtp.mails[-1]["raw"], policy=email.policy.default)

    def outcomes(self, answer):
        return {d["contact"]: d["outcome"] for t in answer["tasks"] for d in t["deliveries"]}

    # ---- install

    def test_01_the_network_has_the_apps_and_their_whitelists(self):
        n = self.n
        self.assertEqual(n.net["apps"], {"web3mail": self.mail["app"], "web3telegram": self.telegram["app"]})
        self.assertEqual(n.net["whitelists"], {"web3mail": self.mail["whitelist"], "web3telegram": self.telegram["whitelist"]})
        self.assertIn("strongroom mail install", self.nothing["hint"])
        gateway = re.search(r":\d+$", n.service("ipfsGateway")).group()
        self.assertEqual(sorted(self.mail["egress"]), sorted([f"gateway.test{gateway}", f"smtp.test:{self.smtp.port}"]))
        self.assertEqual(sorted(self.telegram["egress"]), sorted([f"gateway.test{gateway}", f"api.test:{self.bot.port}"]))
        for name, app in (("web3mail", self.mail), ("web3mail-tdx", self.mail), ("web3telegram", self.telegram)):
            answer = harness.http("GET", f"{n.service('compass')}/{n.net['chainId']}/iapps/{name}")
            self.assertEqual(answer.json["address"].lower(), app["app"])
            self.assertEqual(n.cli("group", "has", app["whitelist"], app["app"])["member"], True)
        self.assertEqual(n.cli("secret", "check", "app", self.mail["app"])["isSet"], True)

    def test_02_secrets_that_are_none_are_refused_without_being_told(self):
        n = self.n
        for text in ("not JSON: s3cret", "[1]", ""):
            a = n.cli("mail", "install", "--secret-file", n.file("bad.json", text), who="operator", code=None)
            self.assertNotEqual(a.code, 0)
            self.assertNotIn("s3cret", a.out + a.err)
        a = self.install("mail", {"SMTP_URL": "smtp://127.0.0.1:25", "SMTP_SENDER": "a@example.org"}, code=2)
        self.assertIn("by name", a.error)
        self.assertIn("--egress-loopback", a["hint"])
        self.assertIn("--secret-file", n.cli("telegram", "install", who="operator", code=2)["hint"])

    # ---- contacts

    def test_03_contacts_are_who_lets_one_write(self):
        n = self.n
        self.assertEqual(n.cli("mail", "contacts", who="worker")["contacts"], [])
        one = self.contact("mail", "a@example.com", "--count", "2", "--price", "0", user="worker")
        anybody = self.contact("mail", "b@example.com", "--bulk", user="any", owner="dave")
        to_app = self.contact("mail", "c@example.com", user="worker", to=self.mail["app"])
        chat = self.contact("telegram", "1001", user="worker")
        no_address = n.protect("no address")
        n.grant(no_address, "web3mail", "worker")
        n.grant(one, "any", "worker", "--count", "5")  # any app may: not what a contact is
        rows = {c["contact"]: c for c in n.cli("mail", "contacts", who="worker")["contacts"]}
        self.assertEqual(set(rows) & {one, anybody, to_app, chat, no_address}, {one, anybody, to_app})
        self.assertEqual((rows[one]["remaining"], rows[one]["onlyUser"], rows[one]["bulk"], rows[one]["owner"], rows[one]["app"]),
                         (2, True, False, n.address("alice"), self.mail["whitelist"]))
        self.assertEqual((rows[anybody]["onlyUser"], rows[anybody]["bulk"], rows[anybody]["owner"]), (False, True, n.address("dave")))
        self.assertEqual(rows[to_app]["app"], self.mail["app"])
        self.assertGreater(rows[one]["granted"], 1_600_000_000)
        mine = {c["contact"] for c in n.cli("mail", "contacts", "--only-me", who="worker")["contacts"]}
        self.assertEqual(mine, {one, to_app})
        bulk = {c["contact"] for c in n.cli("mail", "contacts", "worker", "--bulk", who="bob")["contacts"]}
        self.assertIn(anybody, bulk)
        self.assertFalse(bulk & {one, to_app})
        self.assertEqual([c["contact"] for c in n.cli("telegram", "contacts", who="worker")["contacts"]], [chat])
        n.cli("data", "revoke", one, "--app", "web3mail", who="alice")
        self.assertNotIn(one, {c["contact"] for c in n.cli("mail", "contacts", who="worker")["contacts"]})
        text = n.cli("mail", "contacts", who="worker", as_json=False).out
        self.assertNotIn("example.com", text)

    # ---- send

    def test_04_a_mail_arrives_and_nobody_sees_the_address(self):
        d = self.contact("mail", "alice@example.com", "--count", "3")
        a = self.send(d, "--file", "-", "--sender", " Bob B. ", "--label", "spring", stdin="Grüße\nzweite Zeile ✓\n")
        self.assertEqual([(r["contact"], r["outcome"]) for r in a["deliveries"]], [(d, "sent")])
        self.assertEqual((a["sent"], a["of"], a["status"]), (1, 1, "COMPLETED"))
        m = self.last()
        self.assertEqual((m["To"].addresses[0].addr_spec, m["Subject"], m["From"].addresses[0].display_name, m.get_content_type()),
                         ("alice@example.com", "News", "Bob B. via Web3mail", "text/plain"))
        self.assertEqual(m.get_content().replace("\r\n", "\n").rstrip("\n"), "Grüße\nzweite Zeile ✓")
        deal = self.n.cli("deal", "show", a["deal"])
        self.assertEqual(json.loads(deal["params"])["iexec_args"], "spring")
        self.assertNotIn("example.com", a.out + a.err)
        self.nowhere_in_clear("alice@example.com", "zweite Zeile", "Grüße")

    def nowhere_in_clear(self, *words):
        """In no file of the network, nor in what it logs."""
        for path in self.n.files():
            with open(path, "rb") as f:
                content = f.read()
            for word in words:
                self.assertNotIn(word.encode(), content, path)

    def test_05_html_and_the_outcome_on_the_chain(self):
        d = self.contact("mail", "alice@example.com", "--count", "3")
        a = self.send(d, "--content", "<p>Hi</p>", "--html", "--on-chain")
        self.assertEqual([(r["outcome"], r["address"]) for r in a["deliveries"]], [("untold", "unknown")])
        self.assertEqual(self.last().get_content_type(), "text/html")
        self.assertEqual(self.last()["From"].addresses[0].display_name, "Web3mail")

    def test_06_what_did_not_arrive_is_said_and_the_command_fails(self):
        d = self.contact("mail", "gone@example.com", "--count", "3")
        self.smtp.replies["gone@example.com"] = ["550 5.1.1 gone@example.com is unknown"]
        a = self.send(d, "--content", "x", code=4)
        (r,) = a["deliveries"]
        self.assertEqual((r["outcome"], r["address"], r["error"]), ("failed", "invalid", "Failed to send email: the mail server answered 550 5.1.1"))
        self.assertNotIn("example.com", a.out + a.err)
        a = self.send(d, "--content", "again", "--no-wait")
        self.assertNotIn("deliveries", a.json)
        self.n.cli("task", "wait", a["task"], who="bob")
        self.assertEqual(self.n.cli("mail", "result", a["task"], who="bob")["sent"], 1)
        self.assertIn("sent", self.n.cli("mail", "result", a["task"], who="bob", as_json=False).out)
        self.n.cli("mail", "result", a["task"], who="dave", code=3, keystore=self.n.folder("daves"))  # not his key

    def test_07_who_may_not_write_is_told_what_to_ask_for(self):
        d = self.contact("mail", "alice@example.com", user="carol")
        a = self.send(d, "--content", "x", code=3)
        self.assertEqual(a["code"], "DATA_NOT_GRANTED")
        self.assertEqual(a["hint"], f"ask the owner to run: strongroom data grant {d} --app web3mail --user {self.n.address('bob')}")
        no_address = self.n.protect("no address")
        self.n.grant(no_address, "web3mail", "bob")
        a = self.send(no_address, "--content", "x", code=3)
        self.assertIn('does not contain "email:string"', a.error)
        self.assertEqual(self.smtp.mails, [])

    def test_08_prices_have_their_bounds(self):
        d = self.contact("mail", "alice@example.com", "--price", "40", "--count", "2")
        a = self.send(d, "--content", "x", code=3)
        self.assertEqual(a["code"], "DATA_PRICE_TOO_HIGH")
        self.assertIn("--max-data-price 40", a["hint"])
        before = self.n.stake("alice")
        self.n.cli("account", "deposit", "1000", who="bob")
        a = self.send(d, "--content", "x", "--max-price", "40")
        self.assertEqual((a["cost"], a["sent"]), ("40", 1))
        self.assertEqual(self.n.stake("alice"), before + 40)

    def test_09_wrong_words_are_usage(self):
        d = self.contact("mail", "alice@example.com")
        n = self.n
        for more, said in ((["--content", "x", "--label", "ab"], "label"), (["--content", "x", "--sender", "n" * 21], "sender"),
                           ([], "content"), (["--content", ""], "content"), (["--content", "x", "--file", "-"], "once")):
            self.assertIn(said, self.send(d, *more, code=2).error)
        self.assertIn("subject", n.cli("mail", "send", d, "--content", "x", who="bob", code=2).error)
        self.assertIn("78", n.cli("mail", "send", d, "--content", "x", "--subject", "s" * 79, who="bob", code=2).error)
        self.assertIn("UTF-8", self.send(d, "--file", n.file("latin1", b"caf\xe9"), code=2).error)
        self.assertIn("not an address", self.send("0x12", "--content", "x", code=2).error)
        n.cli("telegram", "send", d, "--content", "x", "--subject", "no such option", who="bob", code=2)

    # ---- campaigns

    def campaign(self, *more, channel="mail", code=0, **how):
        words = ["--subject", "News"] if channel == "mail" else []
        return self.n.cli(channel, "campaign", *words, *more, who="bob", code=code, **how)

    def test_10_a_campaign_tells_each_ones_outcome(self):
        n = self.n
        contacts = [self.contact("mail", f"{p}@example.com", "--bulk", owner=p) for p in PEOPLE]
        gone, revoked = (self.contact("mail", a, "--bulk", owner="dave") for a in ("gone@example.com", "revoked@example.com"))
        self.smtp.replies["gone@example.com"] = ["550 5.1.1 unknown"]
        request = n.folder("request.json")
        names = n.file("recipients", "# our readers\n" + "".join(f"  {c}\r\n\n" for c in [*contacts, gone]) + revoked)
        a = self.campaign("--recipients", names, "--content", "all of you", "--per-task", "2", "--prepare", request)
        self.assertEqual(a["recipients"], 5)
        self.assertEqual(self.smtp.mails, [])
        self.assertIn("there already", self.campaign("--all", "--content", "x", "--prepare", request, code=3).error)
        n.cli("data", "revoke", revoked, who="dave")
        a = self.campaign("--request", request, code=4)
        self.assertEqual(self.outcomes(a), {**{c: "sent" for c in contacts}, gone: "failed", revoked: "withheld"})
        self.assertEqual((a["sent"], a["of"], len(a["tasks"])), (3, 5, 3))
        errors = {d["contact"]: d.get("error") for t in a["tasks"] for d in t["deliveries"]}
        self.assertEqual(errors[revoked], "DATASET_ORDER_REVOKED")
        self.assertEqual(sorted(m["to"][0] for m in self.smtp.mails), sorted(f"{p}@example.com" for p in PEOPLE))
        self.assertNotIn("example.com", a.out + a.err)
        again = self.campaign("--request", request, code=4)  # nothing is left: the same tasks
        self.assertEqual([t["task"] for t in again["tasks"]], [t["task"] for t in a["tasks"]])
        self.assertEqual(len(self.smtp.mails), 3)

    def test_11_to_all_and_to_nobody(self):
        n = self.n
        mine = self.contact("mail", "x@example.com", "--bulk", owner="alice")
        a = self.campaign("--all", "--content", "x", "--label", "all")
        self.assertEqual(self.outcomes(a)[mine], "sent")
        single = self.contact("mail", "y@example.com", "--count", "9")
        self.assertNotIn(single, self.outcomes(a))
        a = self.campaign(mine, single, "--content", "x", code=3)
        self.assertIn(single, a.error)
        self.assertIn("data grant ADDR --bulk --app web3mail", a["hint"])
        self.assertIn("given twice", self.campaign(mine, mine, "--content", "x", code=2).error)
        for words in ([], [mine, "--all"], ["--recipients", n.file("none", "# nobody\n")]):
            self.campaign(*words, "--content", "x", code=2)
        self.assertIn("no bulk request", self.campaign("--request", n.file("order", json.dumps(self.some_order())), code=2).error)
        self.campaign("--request", n.file("rubbish", "{"), code=1)

    def some_order(self):
        url = f"{self.n.service('market')}/workerpoolorders?chainId={self.n.net['chainId']}&workerpool={self.n.net['workerpool']['address']}"
        return harness.http("GET", url).json["orders"][0]["order"]

    def test_12_by_the_library(self):
        """examples/message.c, as a program of somebody else."""
        d = self.contact("mail", "lib@example.com", "--count", "2", user="worker")
        done = subprocess.run([os.path.join(harness.BUILD, "examples", "example-message"), self.n.dir, "worker", "From C", "Hello"],
                              env={**self.n.env, "STRONGROOM_KEYSTORE": self.n.keystore}, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{d} sent\n", done.stdout)
        self.assertIn("lib@example.com", [m["to"][0] for m in self.smtp.mails])
        self.assertEqual(self.last()["From"].addresses[0].display_name, "Example via Web3mail")

    # ---- telegram

    def test_13_telegram_likewise(self):
        d = self.contact("telegram", "1001", "--count", "2")
        a = self.send(d, "--content", "<b>Hello</b>", "--sender", "Bob", channel="telegram")
        self.assertEqual((a["sent"], a["of"]), (1, 1))
        self.assertNotIn("address", a["deliveries"][0])
        (r,) = self.bot.requests
        self.assertEqual(json.loads(r["body"]), {"chat_id": "1001", "text": "Message from: Bob\n<b>Hello</b>", "parse_mode": "HTML"})
        contacts = [self.contact("telegram", c, "--bulk", owner=o) for c, o in (("1002", "alice"), ("1003", "dave"))]
        self.chats["1003"] = 403
        a = self.campaign(*contacts, "--content", "x", channel="telegram", code=4)
        self.assertEqual(self.outcomes(a), dict(zip(contacts, ("sent", "failed"))))
        self.assertIn('does not contain "telegram_chatId:string"',
                      self.send(self.contact("mail", "a@example.com"), "--content", "x", channel="telegram", code=3).error)

    def bot_command(self, api, token="12:AB", code=0):
        trusted = {"SSL_CERT_FILE": self.certs.path("ours-ca.pem")}
        return self.n.cli("telegram", "bot", "--once", "--token-file", self.n.file("token", token + "\n"), "--api",
                          f"https://localhost:{api.port}", code=code, env=trusted)

    def test_14_the_bot_tells_who_writes_his_chat_id(self):
        waiting = [{"update_id": 7, "message": {"text": "/start", "chat": {"id": 123456789012, "type": "private"}}},
                   {"update_id": 8, "message": {"text": "hi all", "chat": {"id": -100123, "type": "supergroup"}}},
                   {"update_id": 9, "edited_message": {}},
                   {"update_id": 10, "message": {"text": "x", "chat": {"id": 55, "type": "private"}}},
                   {"update_id": 11, "message": {"text": "/start", "chat": {"id": 66, "type": "private"}}}]
        sent = []

        def bot(_method, path, _headers, body):
            got = json.loads(body)
            if not path.startswith("/bot12:AB/"):
                return answer_json({"ok": False}, 401)
            if path.endswith("/getUpdates"):
                return answer_json({"ok": True, "result": [u for u in waiting if u["update_id"] >= got["offset"]]})
            sent.append(got)
            return answer_json({"ok": True}, 403 if got["chat_id"] == "55" else 200)  # 55 has blocked it meanwhile
        api = Api(self.certs.server(), bot)
        self.addCleanup(api.close)
        a = self.bot_command(api)
        self.assertEqual(a["told"], 2)
        self.assertEqual([m["chat_id"] for m in sent], ["123456789012", "55", "66"])
        self.assertIn('{"telegram_chatId":"123456789012"}', sent[0]["text"])
        self.assertEqual(json.loads(api.requests[-1]["body"])["offset"], 12)  # acknowledged
        a = self.bot_command(api, "12:wrong", code=3)
        self.assertIn("token", a.error)
        self.assertNotIn("12:wrong", a.out + a.err)
        self.bot_command(api, "no token!", code=2)
        for status, code in ((409, 3), (500, 5), (429, 5)):
            busy = Api(self.certs.server(), lambda *_, s=status: answer_json({"ok": False}, s))
            self.addCleanup(busy.close)
            self.assertNotIn("12:AB", self.bot_command(busy, code=code).out)
        self.n.cli("telegram", "bot", "--once", "--token-file", self.n.file("token", "1:A"), "--api", "http://127.0.0.1:9", code=2)

    # ---- another secret, another start

    def test_15_a_new_secret_is_a_new_app_and_grants_stay_good(self):
        n = self.n
        d = self.contact("mail", "alice@example.com", "--count", "5")
        same = self.install("mail", self.mail_secret("the first"))
        self.assertEqual((same["app"], same["whitelist"]), (self.mail["app"], self.mail["whitelist"]))
        new = self.install("mail", self.mail_secret("the second"))
        self.assertNotEqual(new["app"], self.mail["app"])
        self.assertEqual(new["whitelist"], self.mail["whitelist"])
        self.assertEqual(self.send(d, "--content", "x")["sent"], 1)
        self.assertEqual(self.smtp.mails[-1]["from"], "the.second@example.org")
        refused = self.install("mail", self.mail_secret("a stranger"), who="carol", code=3)
        self.assertIn("installed it first", refused["hint"])
        n.down()
        n.up("--egress-loopback", "gateway.test,smtp.test,api.test", port="0")
        self.assertEqual((n.net["apps"]["web3mail"], n.net["whitelists"]["web3mail"]), (new["app"], new["whitelist"]))
        answer = harness.http("GET", f"{n.service('compass')}/{n.net['chainId']}/iapps/web3mail")
        self.assertEqual(answer.json["address"].lower(), new["app"])
        self.install("mail", self.mail_secret("the second"))  # the gateway has another port
        self.assertEqual(self.send(d, "--content", "x")["sent"], 1)


if __name__ == "__main__":
    harness.main()
