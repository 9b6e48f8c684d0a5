#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an owner keeps in hand: grants given and got, revocation that holds at once, uses, transfer, search, groups."""
import os
import signal
import unittest

import harness
from harness import Network, PATIENTS

DATE_LONG_AGO, DATE_FAR = "2020-01-01", "2090-01-01"


class Control(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.n = n = Network()
        cls.addClassCleanup(n.__exit__, None)
        n.up()
        cls.app = n.app("faults", "bob")
        cls.stats = n.app("patient-stats", "bob")
        cls.one = n.protect(PATIENTS, name="one.csv")
        cls.two = n.protect(PATIENTS, name="two.csv")
        cls.json = n.cli("data", "protect", "--json", '{"email":"a@b.c","age":4.5}', "--name", "contact", who="carol")["address"]
        cls.runs = 0

    def run_on(self, data, app=None, who="bob", **more):
        Control.runs += 1
        return self.n.cli("run", app or self.app, "--data", data, "--args", "ok", "-o",
                          self.n.folder(f"run-{self.runs}"), who=who, **more)

    def grants(self, *words, who="alice"):
        return {(g["data"], g["app"], g["user"]) for g in self.n.cli("data", *words, who=who)["grants"]}

    def test_01_grants_given_and_got_are_listed_for_all_data(self):
        n = self.n
        bob, dave, anybody = n.address("bob"), n.address("dave"), "0x" + "0" * 40
        self.assertEqual(self.grants("grants"), set())
        n.grant(self.one, self.app, "bob")
        n.grant(self.two, self.app, "dave", "--count", "3")
        n.grant(self.two, self.stats, "any")
        all_three = {(self.one, self.app, bob), (self.two, self.app, dave), (self.two, self.stats, anybody)}
        self.assertEqual(self.grants("grants"), all_three)
        self.assertEqual(self.grants("grants", self.one), {(self.one, self.app, bob)})
        self.assertEqual(self.grants("grants", "--app", self.stats), {(self.two, self.stats, anybody)})
        self.assertEqual(self.grants("received", who="bob"), {(self.one, self.app, bob), (self.two, self.stats, anybody)})
        self.assertEqual(self.grants("received", "--only-me", who="bob"), {(self.one, self.app, bob)})
        self.assertEqual(self.grants("received", "dave", "--only-me", who="bob"), {(self.two, self.app, dave)})

    def test_02_grants_are_revoked_by_filter_and_all_at_once(self):
        n = self.n
        a = n.cli("data", "revoke", who="alice", code=2)
        self.assertIn("--all", a["hint"])
        r = n.cli("data", "revoke", "--all", "--user", "dave", who="alice")
        self.assertEqual([(g["user"], g["remaining"]) for g in r["revoked"]], [(n.address("dave"), 0)])
        self.assertEqual(len(n.cli("data", "revoke", "--all", who="alice")["revoked"]), 2)
        self.assertEqual(self.grants("grants"), set())
        n.cli("data", "revoke", "--all", who="alice", code=3)

    def test_10_data_is_found_by_owner_name_schema_and_date(self):
        n = self.n

        def found(*words):
            return {d["address"] for d in n.cli("data", "find", *words)["data"]}
        self.assertEqual(found(), {self.one, self.two, self.json})
        self.assertEqual(found("--owner", "alice"), {self.one, self.two})
        self.assertEqual(found("--name", "one"), {self.one})
        self.assertEqual(found("--schema", "email:string"), {self.json})
        self.assertEqual(found("--schema", "email:string", "--schema", "age:f64"), {self.json})
        self.assertEqual(found("--schema", "email:f64"), set())
        self.assertEqual(found("--after", DATE_LONG_AGO, "--before", DATE_FAR), {self.one, self.two, self.json})
        self.assertEqual(found("--after", DATE_FAR), set())
        self.assertIn("not a date", n.cli("data", "find", "--after", "soon", code=2).error)
        d = n.cli("data", "find", "--name", "contact")["data"][0]
        self.assertEqual(d["schema"], {"email": "string", "age": "f64"})
        self.assertEqual(d["cid"], n.cli("data", "show", self.json)["cid"])

    def test_20_a_group_stands_for_its_members_of_now(self):
        n = self.n
        apps = n.cli("group", "create", self.app, who="alice")["group"]
        users = n.cli("group", "create", "bob", who="alice")["group"]
        n.grant(self.one, apps, users, "--count", "unlimited")
        self.run_on(self.one)
        self.assertIn("not granted", self.run_on(self.one, self.stats, code=3).error)
        self.assertIn("not granted", self.run_on(self.one, who="dave", code=3).error)
        n.cli("group", "add", users, "dave", "carol", who="alice")
        self.assertTrue(n.cli("group", "has", users, "dave")["member"])
        self.assertFalse(n.cli("group", "has", users, "worker", code=1)["member"])
        self.run_on(self.one, who="dave")
        n.cli("group", "remove", users, "bob", who="alice")
        self.assertIn("not granted", self.run_on(self.one, code=3).error)
        a = n.cli("group", "add", users, "bob", who="bob", code=3)
        self.assertIn("NotOwner", a.error + a["hint"])
        n.cli("data", "revoke", self.one, who="alice")

    def test_21_an_add_only_whitelist_serves_a_grant_too(self):
        n = self.n
        apps = n.cli("share", "whitelist", self.app, who="alice")["whitelist"]
        n.grant(self.one, apps, "bob", "--count", "2")
        self.run_on(self.one)
        n.cli("data", "revoke", self.one, who="alice")

    def test_30_the_owner_sees_each_use_and_its_outcome(self):
        n = self.n
        n.grant(self.two, self.app, "bob", "--price", "1000", "--count", "5")
        good = self.run_on(self.two, who="bob", code=3)
        self.assertIn("more than the maximum", good.error)
        done = n.cli("run", self.app, "--data", self.two, "--args", "ok", "--max-data-price", "1000", "-o", n.folder("good"),
                     who="bob")
        bad = n.start("run", self.app, "--data", self.two, "--args", "exit 7", "--max-data-price", "1000", "-o",
                      n.folder("bad"), who="bob")
        self.assertEqual(n.finish(bad).code, 4)
        uses = n.cli("data", "usage", self.two)["uses"]
        self.assertEqual(len(uses), 2)
        by_task = {u["task"]: u for u in uses}
        u = by_task.pop(done["task"])
        self.assertEqual((u["requester"], u["app"], u["price"], u["status"], u["keyReleased"], u["refusal"]),
                         (n.address("bob"), self.app, "1000", "COMPLETED", True, ""))
        (u,) = by_task.values()
        self.assertTrue(u["keyReleased"])
        self.assertNotEqual(u["status"], "COMPLETED")
        n.cli("data", "revoke", self.two, who="alice")

    def test_40_a_revocation_holds_for_a_deal_that_was_matched_before(self):
        n = self.n
        n.grant(self.two, self.app, "bob", "--price", "5000", "--count", "9")
        stake = n.stake("bob")
        n.kill("worker", signal.SIGSTOP)
        try:
            ids = n.cli("run", self.app, "--data", self.two, "--args", "ok", "--max-data-price", "5000", "--no-wait", who="bob")
            self.assertEqual(n.stake("bob"), stake - 5000)
            n.cli("data", "revoke", self.two, who="alice")
        finally:
            n.kill("worker", signal.SIGCONT)
        a = n.cli("task", "wait", ids["task"], who="bob", code=4)
        self.assertIn("DATASET_ORDER_REVOKED", a.error)
        (use,) = [u for u in n.cli("data", "usage", self.two)["uses"] if u["task"] == ids["task"]]
        self.assertEqual((use["keyReleased"], use["refusal"]), (False, "DATASET_ORDER_REVOKED"))
        log = harness.http("GET", f"{n.service('sms')}/v1/releases?task={ids['task']}").json
        self.assertEqual({r["code"] for r in log}, {"DATASET_ORDER_REVOKED"})
        Control.revoked, Control.revoked_stake = ids, stake

    def test_41_a_grant_used_up_by_the_deal_itself_is_no_revoked_one(self):
        n = self.n
        n.grant(self.two, self.app, "bob")
        self.run_on(self.two)

    def test_42_what_was_paid_for_it_comes_back(self):
        n = self.n
        n.rpc("evm_increaseTime", 40000)
        n.rpc("evm_mine")
        def back():
            return n.stake("bob") >= self.revoked_stake
        harness.until("the refund", back, 60, 0.5)
        self.assertEqual(n.cli("task", "show", self.revoked["task"])["status"], "FAILED")

    def test_50_data_given_away_is_the_others_with_its_key(self):
        n = self.n
        n.grant(self.one, self.app, "bob", "--count", "unlimited")
        a = n.cli("data", "transfer", self.one, "dave", who="bob", code=3)
        self.assertIn("belongs to", a.error)
        n.cli("data", "transfer", self.one, "dave", who="alice")
        self.assertEqual(n.cli("data", "show", self.one)["owner"], n.address("dave"))
        self.assertNotEqual(self.run_on(self.one, code=None).code, 0)  # the old owner's grant
        n.grant(self.one, self.app, "bob", who="dave")
        self.run_on(self.one)
        found = n.cli("data", "find", "--owner", "dave")["data"]
        self.assertEqual([d["address"] for d in found], [self.one])


if __name__ == "__main__":
    harness.main()
