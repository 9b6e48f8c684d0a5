#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The official client's ground, command by command, against a network; completion in the shells."""
import json
import os
import shutil
import subprocess
import unittest

import harness
from harness import Network, PATIENTS, PROGRAM

ZERO = "0x" + "0" * 40


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.n = n = Network()
        cls.addClassCleanup(n.__exit__, None)
        n.up()
        cls.app = n.app("patient-stats", "bob")
        cls.data = n.protect(PATIENTS)
        n.grant(cls.data, cls.app, "bob", "--count", "unlimited")
        cls.ran = n.cli("run", cls.app, "--data", cls.data, "-o", n.folder("first"), who="bob")
        cls.pool = n.cli("workerpool", "deploy", "mine", who="alice")["address"]
        n.cli("account", "deposit", "1000000", who="alice")

    # ---- orders

    def test_orders_from_signature_to_deal(self):
        n = self.n
        app = n.cli("app", "deploy", os.path.join(harness.IAPPS, "faults"), "--no-publish", who="alice")["address"]
        self.assertEqual(n.cli("order", "book", "app", app)["count"], 0)
        first = n.cli("app", "publish", app, "--price", "5", "--count", "2", who="alice")["orderHash"]
        n.cli("app", "publish", app, "--price", "3", "--user", "bob", who="alice")
        book = n.cli("order", "book", "app", app)
        self.assertEqual([(o["orderHash"], o["price"], o["remaining"], o["tag"]) for o in book["orders"]],
                         [(first, "5", 2, "tee,tdx")])  # the other one is for bob only
        self.assertEqual([o["price"] for o in n.cli("order", "book", "app", app, "--user", "bob")["orders"]], ["3", "5"])
        self.assertEqual(n.cli("order", "book", "app", app, "--user", "bob", "--strict")["count"], 1)
        self.assertEqual(n.cli("order", "book", "app", app, "--user", "any", "--max", "1")["count"], 2)
        self.assertEqual(n.cli("order", "book", "app", "--owner", "alice", "--user", "any")["count"], 2)
        signed = n.cli("order", "sign", "request", app, "--workerpool", self.pool, "--price", "5", "--max-pool-price", "900",
                       "--params", '{"iexec_args":"x"}', who="bob")
        self.assertFalse(signed["published"])
        request = n.file("request.json", json.dumps(signed["order"]))
        x = n.cli("explain", request)
        self.assertEqual((x["kind"], x["state"]), ("request", "open"))
        self.assertIn("PLAIN_RESULT", [w["code"] for w in x["warnings"]])
        pool = n.cli("workerpool", "publish", self.pool, "--price", "900", "--count", "5", who="alice")["orderHash"]
        deal = n.cli("order", "fill", "--app", first, "--workerpool", pool, "--request", request, who="bob")
        self.assertEqual((deal["volume"], deal["cost"]), (1, "905"))
        self.assertEqual(n.cli("order", "show", first)["remaining"], 1)
        again = n.cli("order", "fill", "--app", first, "--workerpool", pool, "--request", request, who="bob", code=3)
        self.assertEqual(again["code"], "ORDERS_DO_NOT_MATCH")
        shown = n.cli("deal", "show", deal["deal"])
        self.assertEqual((shown["requester"], shown["price"]), (n.address("bob"), "905"))
        # back from the market, but still valid; then closed for ever
        self.assertEqual(n.cli("app", "unpublish", app, "--all", who="alice")["unpublished"][-1], first)
        kept = n.cli("order", "sign", "app", app, who="alice")
        text = json.dumps(kept["order"])
        self.assertEqual(n.cli("order", "publish", "-", stdin=text, who="alice")["orderHash"], kept["orderHash"])
        self.assertEqual(n.cli("order", "publish", text, who="alice", code=3)["status"], "SR_E_REFUSED")
        self.assertEqual(n.cli("order", "unpublish", "app", kept["orderHash"], who="alice")["unpublished"],
                         [kept["orderHash"]])
        n.cli("order", "cancel", text, who="alice")
        self.assertEqual(n.cli("order", "cancel", text, who="alice", code=3)["status"], "SR_E_CONFLICT")
        self.assertEqual(n.cli("explain", text)["state"], "used up")  # the market never heard of it
        # nobody signs for what he does not own; a template changes only where told
        self.assertIn("belongs to", n.cli("order", "sign", "app", app, who="bob", code=3).error)
        changed = n.cli("order", "sign", "app", "--template", text, "--price", "77", who="alice")["order"]
        self.assertEqual((changed["appprice"], changed["app"]), ("77", kept["order"]["app"]))
        self.assertNotEqual(changed["salt"], kept["order"]["salt"])

    def test_a_pool_above_the_maximum(self):
        n = self.n
        n.cli("workerpool", "publish", self.pool, "--price", "900", "--count", "3", who="alice")
        got = n.cli("can-run", self.app, "--workerpool", self.pool, who="bob", code=3)
        self.assertEqual([b["code"] for b in got["blockers"]], ["WORKERPOOL_PRICE_TOO_HIGH"])

    # ---- registries, lists

    def test_entries_of_the_registries(self):
        n = self.n
        mine = [a["address"] for a in n.cli("app", "list", who="bob")["apps"]]
        self.assertIn(self.app, mine)
        self.assertEqual(n.cli("app", "count", who="bob")["count"], len(mine))
        self.assertEqual(n.cli("workerpool", "show", self.pool)["description"], "mine")
        self.assertEqual([w["address"] for w in n.cli("workerpool", "list", who="alice")["workerpools"]], [self.pool])
        self.assertEqual(n.cli("workerpool", "deploy", "mine", who="alice", code=3)["status"], "SR_E_CONFLICT")
        given = n.cli("workerpool", "deploy", "for bob", who="alice")["address"]
        self.assertEqual(n.cli("workerpool", "transfer", given, "--to", "bob", who="bob", code=3)["status"], "SR_E_REFUSED")
        n.cli("workerpool", "transfer", given, "--to", "bob", who="alice")
        self.assertEqual(n.cli("workerpool", "show", given)["owner"], n.address("bob"))
        self.assertGreaterEqual(n.cli("data", "count", "--owner", "alice")["count"], 1)
        self.assertEqual(n.cli("app", "show", ZERO, code=3)["status"], "SR_E_NOTFOUND")
        categories = n.cli("category", "list")
        self.assertEqual(categories["count"], len(categories["categories"]))
        self.assertEqual(n.cli("category", "show", "0")["workClockTimeRef"], categories["categories"][0]["workClockTimeRef"])
        self.assertEqual(n.cli("category", "show", "99", code=3)["status"], "SR_E_NOTFOUND")
        self.assertEqual(n.cli("category", "create", "mine", "60", who="alice", code=3)["status"], "SR_E_REFUSED")
        info = n.cli("info")
        self.assertEqual((info["hub"], info["chainId"]), (n.net["contracts"]["hub"].lower(), n.net["chainId"]))

    def test_deals_and_tasks_in_lists(self):
        n = self.n
        deals = n.cli("deal", "list", who="bob")
        self.assertIn(self.ran["deal"], [d["deal"] for d in deals["deals"]])
        self.assertEqual(n.cli("deal", "list", "--data-owner", "alice", "--max", "1")["deals"][0]["data"], self.data)
        self.assertEqual(n.cli("deal", "list", "--requester", self.pool)["deals"], [])
        done = n.cli("task", "list", "--status", "COMPLETED", "--data", self.data)["tasks"]
        self.assertIn(self.ran["task"], [t["task"] for t in done])
        self.assertEqual(n.cli("task", "list", "--status", "CLAIMABLE", "--data", self.data)["tasks"], [])
        refused = n.cli("task", "claim", self.ran["task"], who="bob", code=3)
        self.assertIn("nothing to claim", refused.error)
        self.assertEqual(n.cli("task", "claim", who="bob", code=2)["status"], "SR_E_USAGE")
        text = n.cli("task", "list", who="bob", as_json=False).out
        self.assertIn(self.ran["task"], text)
        nowhere = "0x" + "ab" * 32
        self.assertEqual(n.cli("task", "show", nowhere, code=3)["code"], "TASK_UNKNOWN")
        self.assertEqual(n.cli("deal", "show", nowhere, code=3)["code"], "DEAL_UNKNOWN")

    def test_what_a_failed_task_says(self):
        n = self.n
        app = n.app("faults", "bob")
        failed = n.cli("run", app, "--args", "exit 3", "-o", n.folder("no"), who="bob", code=4)
        self.assertEqual((failed["code"], failed["stage"], failed["party"], failed["retry"]),
                         ("APP_COMPUTE_FAILED", "run", "app owner", False))
        task = n.cli("task", "list", "--app", app, who="bob")["tasks"][0]["task"]
        shown = n.cli("task", "show", task)
        self.assertEqual((shown["code"], shown["party"]), ("APP_COMPUTE_FAILED", "app owner"))
        self.assertTrue(shown["next"])
        debug = n.cli("task", "debug", task, "--logs", who="bob")
        self.assertEqual(debug["pool"]["chainTaskId"], task)
        self.assertEqual(debug["stderr"], "ending on purpose\n")
        self.assertEqual(n.cli("task", "debug", task, "--logs", who="alice", code=3)["status"], "SR_E_AUTH")
        self.assertEqual(n.cli("result", task, "-o", n.folder("no2"), who="bob", code=4)["code"], "APP_COMPUTE_FAILED")
        slow = n.cli("run", app, "--args", "sleep 3", "--no-wait", who="bob")["task"]
        early = n.cli("result", slow, "-o", n.folder("early"), who="bob", code=3)
        self.assertEqual((early["code"], early["retry"]), ("RESULT_NOT_READY", True))

    def test_results_that_cannot_be_had(self):
        n = self.n
        foreign = n.cli("result", self.ran["task"], "-o", n.folder("foreign"), keystore=n.folder("empty"), code=3)
        self.assertEqual(foreign["code"], "RESULT_KEY_FOREIGN")
        net = json.loads(json.dumps(n.net))
        net["services"]["ipfsGateway"] = n.service("market")  # answers, but has no such file
        gone = n.cli("result", self.ran["task"], "-o", n.folder("gone"), "--network", n.file("gone.json", json.dumps(net)),
                     code=3)
        self.assertEqual(gone["code"], "RESULT_FILE_MISSING")

    # ---- money, secrets

    def test_money_between_wallets(self):
        n = self.n
        pw = n.file("pw", "correct horse\n")
        new = n.cli("wallet", "new", "--name", "w", "--password-file", pw)["address"]
        n.cli("wallet", "send-rlc", "1.5 RLC", "--to", new, who="alice")
        n.cli("wallet", "send-ether", "0.25", "--to", new, who="alice")
        a = n.cli("account", "show", new)
        self.assertEqual((a["wallet"], a["gas"]), ("1500000000", "250000000000000000"))
        self.assertEqual(n.cli("wallet", "send-rlc", "9", "--to", ZERO, who="alice", code=2)["status"], "SR_E_USAGE")
        self.assertIn("only", n.cli("wallet", "send-ether", "9000000", "--to", new, who="alice", code=3).error)
        sink = "0x" + "77" * 20
        swept = n.cli("wallet", "sweep", "--to", sink, "--password-file", pw, who="w")
        self.assertTrue(swept["rlcTx"] and swept["coinTx"])
        after = n.cli("account", "show", sink)
        self.assertEqual(after["wallet"], "1500000000")
        self.assertGreater(int(after["gas"]), 249 * 10**15)
        n.cli("account", "approve", "700", new, who="alice")
        self.assertEqual(n.cli("account", "allowance", new, who="alice")["amount"], "700")
        n.cli("account", "revoke", new, who="alice")
        self.assertEqual(n.cli("account", "allowance", new, "--owner", "alice")["amount"], "0")

    def test_an_app_gets_its_developer_s_secret_once(self):
        n = self.n
        app = n.app("faults", "bob")
        self.assertEqual(n.cli("app", "secret", "set", app, "--secret-file", "-", stdin="x", who="alice", code=3)["status"], "SR_E_AUTH")
        self.assertEqual(n.cli("app", "secret", "set", app, "--secret-file", n.file("none", "\n"), who="bob", code=2)["status"],
                         "SR_E_USAGE")
        n.cli("app", "secret", "set", app, "--secret-file", "-", stdin="swordfish\n", who="bob")
        self.assertTrue(n.cli("secret", "check", "app", app)["isSet"])
        again = n.cli("app", "secret", "set", app, "--secret-file", "-", stdin="another", who="bob", code=3)
        self.assertEqual(again["status"], "SR_E_CONFLICT")
        self.assertIn("written once", again["hint"])
        n.cli("run", app, "--args", "environment", "-o", n.folder("told"), who="bob")
        with open(os.path.join(n.folder("told"), "environment.txt"), encoding="utf-8") as f:
            self.assertIn("IEXEC_APP_DEVELOPER_SECRET=swordfish\n", f.read())

    def test_secrets_and_result_keys(self):
        n = self.n
        self.assertFalse(n.cli("secret", "check", "app", self.app)["isSet"])
        secret = n.file("secret", "swordfish")
        self.assertEqual(n.cli("secret", "push", "app", self.app, "--secret-file", secret, who="alice", code=3)["status"],
                         "SR_E_AUTH")
        n.cli("secret", "push", "app", self.app, "--secret-file", secret, who="bob")
        self.assertTrue(n.cli("secret", "check", "app", self.app)["isSet"])
        n.cli("secret", "push", "requester", "my-key", "--secret-file", "-", stdin="swordfish", who="bob")
        self.assertTrue(n.cli("secret", "check", "requester", "my-key", "--of", "bob")["isSet"])
        self.assertFalse(n.cli("secret", "check", "requester", "my-key", "--of", "alice")["isSet"])
        self.assertEqual(n.cli("secret", "push", "requester", "my-key", "--secret-file", secret, who="bob", code=3)["status"],
                         "SR_E_CONFLICT")
        self.assertTrue(n.cli("secret", "check", "data", self.data)["isSet"])
        self.assertFalse(n.cli("result", "check-key", "alice")["isSet"])
        n.cli("result", "push-key", who="alice")
        self.assertTrue(n.cli("result", "check-key", "alice")["isSet"])
        self.assertEqual(n.cli("result", "push-key", who="alice", code=3)["status"], "SR_E_CONFLICT")
        n.cli("result", "push-key", "--replace", who="alice")
        self.assertEqual(n.cli("secret", "push", "nonsense", "x", "--secret-file", secret, code=2)["status"], "SR_E_USAGE")

    # ---- the end of time: last, for the chain's clock is moved

    def test_z_what_did_not_complete_is_claimed_back(self):
        n = self.n
        n.cli("account", "deposit", "5000", who="bob")
        app = n.cli("order", "book", "app", self.app)["orders"][0]["orderHash"]
        pool = n.cli("workerpool", "publish", self.pool, "--price", "1000", "--count", "2", who="alice")["orderHash"]
        request = n.cli("order", "sign", "request", self.app, "--workerpool", self.pool, "--max-pool-price", "1000", "--count",
                        "2", who="bob")["order"]
        before = n.stake("bob")
        deal = n.cli("order", "fill", "--app", app, "--workerpool", pool, "--request", json.dumps(request), who="bob")
        self.assertEqual((deal["volume"], n.stake("bob")), (2, before - 2000))
        unit = n.cli("category", "show", "0")["workClockTimeRef"]
        n.rpc("evm_increaseTime", 10 * unit + 60)
        n.rpc("evm_mine")
        harness.until("the tasks can be claimed", lambda: len(n.cli(
            "task", "list", "--workerpool", self.pool, "--requester", "bob", "--status", "CLAIMABLE")["tasks"]) >= 2)
        claimed = n.cli("task", "claim", "--all", who="bob")["claimed"]
        self.assertIn(deal["task"], [t["task"] for t in claimed])
        self.assertGreaterEqual(n.stake("bob"), before)  # with the pool's stake on top
        self.assertEqual(n.cli("task", "claim", "--all", who="bob")["claimed"], [])
        self.assertEqual(n.cli("result", deal["task"], "-o", n.folder("late"), who="bob", code=3)["code"], "TASK_CLAIMED")
        self.assertEqual(n.cli("deal", "claim", deal["deal"], who="bob", code=3)["status"], "SR_E_REFUSED")


class Completion(unittest.TestCase):
    def script(self, shell):
        done = subprocess.run([PROGRAM, "help", "--completion", shell], capture_output=True, text=True, check=True)
        return done.stdout

    def complete(self, *words):
        """What bash offers after these words."""
        line = " ".join(f"'{w}'" for w in words)
        code = f"{self.script('bash')}\ncompopt() {{ :; }}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}\n" \
               "_strongroom; printf '%s\\n' \"${COMPREPLY[@]}\""
        done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True, timeout=20)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_bash_offers_commands_options_and_files(self):
        self.assertEqual(self.complete("strongroom", "expl"), ["explain"])
        self.assertTrue({"data", "order", "can-run", "up"} <= set(self.complete("strongroom", "")))
        self.assertEqual(self.complete("strongroom", "data", "prot"), ["protect"])
        self.assertEqual(self.complete("strongroom", "run", "0x12", "--max-p"), ["--max-pool-price", "--max-price"])
        self.assertEqual(self.complete("strongroom", "task", "claim", "--al"), ["--all"])
        self.assertEqual(self.complete("strongroom", "result", "push-key", "--rep"), ["--replace"])
        self.assertIn("--json", self.complete("strongroom", "data", "list", "--"))
        self.assertIn(PROGRAM, self.complete("strongroom", "run", "x", "--password-file", PROGRAM[:-2]))

    def test_scripts_for_other_shells_are_well_formed(self):
        for shell in ("zsh", "fish"):
            text = self.script(shell)
            self.assertIn("can-run", text)
            if shutil.which(shell):
                subprocess.run([shell, "-n", "/dev/stdin"], input=text, text=True, check=True, timeout=20)
        done = subprocess.run([PROGRAM, "help", "--completion", "csh"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""))


if __name__ == "__main__":
    harness.main()
