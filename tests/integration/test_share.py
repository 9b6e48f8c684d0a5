#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A scientist shares climate data: rents it out, sells subscriptions, sells a data set, withdraws; every nRLC counted."""
import http.server
import json
import os
import threading
import unittest

import harness
from harness import Network, http as fetch

CLIMATE = "station,year,temperature\n" + "".join(f"S{i % 7},{1990 + i % 30},{10 + (i * 37 % 100) / 10}\n" for i in range(300))
ICE = "core,depth,age\n" + "".join(f"{i},{i * 3},{i * 1000}\n" for i in range(50))
OCEAN = "buoy,salinity\n" + "".join(f"{i},{30 + i % 9}\n" for i in range(80))
RENT, SUBSCRIPTION, SALE = 7_000_000_001, 3_000_000_013, 20_000_000_777


class FalseMarket:
    """A market whose only answer is about sharing; change(answer) makes it false."""

    def __init__(self, truth, change):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                told = fetch("GET", truth + self.path)
                body = told.body
                if self.path.startswith("/v1/sharing"):
                    changed = told.json
                    change(changed)
                    body = json.dumps(changed).encode()
                self.send_response(told.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Sharing(unittest.TestCase):
    """One network; alice is the scientist, carol's lab rents, dave subscribes, worker buys."""

    @classmethod
    def setUpClass(cls):
        cls.n = n = Network()
        cls.addClassCleanup(n.__exit__, None)
        n.up()
        cls.people = ["alice", "bob", "carol", "dave", "operator", "worker"]
        cls.expected = {p: n.stake(p) for p in cls.people}
        cls.id = n.cli("share", "create", who="alice")["collection"]
        cls.climate = n.protect(CLIMATE, name="climate.csv")
        a = n.cli("share", "add", str(cls.id), cls.climate, who="alice", code=2)
        assert "share install" in a["hint"], a
        installed = n.cli("share", "install", who="alice")
        cls.app, cls.list = installed["app"], installed["whitelist"]
        cls.ice = n.protect(ICE, name="ice.csv")
        cls.ocean = n.protect(OCEAN, name="ocean.csv")
        n.cli("share", "add", str(cls.id), cls.climate, "--whitelist", cls.list, who="alice")
        for data in (cls.ice, cls.ocean):
            n.cli("share", "add", str(cls.id), data, who="alice")
        cls.old = fetch("GET", n.net["services"]["market"] + "/v1/sharing").json

    def paid(self, sender, receiver, amount):
        self.expected[sender] -= amount
        self.expected[receiver] += amount
        self.balances()

    def balances(self):
        self.assertEqual({p: self.n.stake(p) for p in self.people}, self.expected)

    def network_with(self, market):
        """A network.json with another market, or with none."""
        net = json.loads(json.dumps(self.n.net))
        if market:
            net["services"]["market"] = market
        else:
            del net["services"]["market"]
        return self.n.file(f"network-{len(os.listdir(self.n.home))}.json", json.dumps(net))

    def told(self, market, change=None):
        """All that is told of sharing, with the true market, with one that changes its answer, or with none."""
        if change:
            false = FalseMarket(self.n.net["services"]["market"], change)
            self.addCleanup(false.close)
            market = false.url
        more = ("--network", self.network_with(market)) if market != "true" else ()
        show = self.n.cli("share", "show", str(self.id), *more, code=None)
        return [self.n.cli("share", "list", *more).json, self.n.cli("share", "earnings", "alice", *more).json, show.json,
                [self.n.cli("share", "data", d, *more).json for d in (self.climate, self.ice, self.ocean)]]

    def index(self):
        return fetch("GET", self.n.net["services"]["market"] + "/v1/sharing").json

    def assert_index_and_chain_agree(self):
        self.assertEqual(self.told("true"), self.told(None))

    def use(self, data, who, **more):
        return self.n.cli("share", "use", data, "-o", self.n.folder(f"{who}-{data}-{len(os.listdir(self.n.home))}"),
                          who=who, **more)

    def content(self, answer):
        with open(os.path.join(answer["result"], "content"), encoding="utf-8") as f:
            return f.read()

    def pass_time(self, seconds):
        self.n.rpc("evm_increaseTime", seconds)
        self.n.rpc("evm_mine")

    def test_01_what_is_shared_can_be_seen_by_all(self):
        shown = self.n.cli("share", "show", str(self.id))
        self.assertEqual(shown["collection"]["owner"], self.n.address("alice"))
        self.assertEqual({d["data"] for d in shown["data"]}, {self.climate, self.ice, self.ocean})
        d = self.n.cli("share", "data", self.climate)
        self.assertEqual((d["name"], d["whitelist"], d["apps"]), ("climate.csv", self.list, [self.app]))
        self.assertIsNone(d["rent"])
        self.balances()

    def test_01_the_delivery_app_is_installed_once_and_taken_up_where_it_stopped(self):
        n = self.n
        again = n.cli("share", "install", who="alice")
        self.assertEqual((again["app"], again["whitelist"]), (self.app, self.list))
        half = n.app("content-delivery", "bob", "--no-publish")  # as after an interruption
        mine = n.cli("share", "install", who="bob")
        self.assertEqual(mine["app"], half)
        self.assertEqual(n.cli("app", "show", half)["owner"], n.net["contracts"]["sharing"].lower())
        n.cli("share", "whitelist", who="bob")
        a = n.cli("share", "add", str(self.id), self.climate, who="bob", code=2)
        self.assertIn("several whitelists", a.error)

    def test_02_nothing_is_used_without_renting(self):
        before = self.n.rpc("eth_getTransactionCount", self.n.address("carol"), "latest")
        a = self.use(self.climate, "carol", code=3)
        self.assertIn("You need to rent it first", a.error)
        a = self.n.cli("share", "rent", self.climate, who="carol", code=3)
        self.assertIn("not available for renting", a.error)
        self.assertEqual(self.n.rpc("eth_getTransactionCount", self.n.address("carol"), "latest"), before)
        self.balances()

    def test_03_only_the_owner_sets_terms(self):
        a = self.n.cli("share", "rent-out", self.climate, "--price", "1", "--duration", "1h", who="carol", code=3)
        self.assertIn("another's", a.error)
        a = self.n.cli("share", "remove", self.climate, who="carol", code=3)
        self.assertIn("another's", a.error)
        a = self.n.cli("share", "add", str(self.id), self.climate, "--whitelist", self.list, who="carol", code=3)
        self.assertIn("already in a collection", a.error)
        a = self.n.cli("share", "allow", self.list, self.list, who="carol", code=3)
        self.assertIn("another's", a.error)

    def test_10_a_lab_rents_for_an_hour(self):
        self.n.cli("share", "rent-out", self.climate, "--price", str(RENT), "--duration", "1h", who="alice")
        a = self.n.cli("share", "rent", self.climate, who="carol", code=3)
        self.assertIn(str(RENT), a.error)
        self.assertIn("--max-price", a["hint"])
        self.balances()
        r = self.n.cli("share", "rent", self.climate, "--max-price", str(RENT), who="carol")
        self.assertEqual((r["kind"], r["price"], r["to"]), ("rent", str(RENT), self.n.address("alice")))
        now = int(self.n.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        self.assertLess(abs(r["end"] - now - 3600), 60)
        self.paid("carol", "alice", RENT)
        self.assert_index_and_chain_agree()

    def test_11_the_lab_gets_the_content_and_nobody_else_does(self):
        got = self.use(self.climate, "carol")
        self.assertEqual(self.content(got), CLIMATE)
        self.assertTrue(got["encrypted"])
        deal = self.n.cli("deal", "show", got["deal"])
        self.assertEqual(deal["beneficiary"], self.n.address("carol"))
        for other in ("dave", "bob"):
            self.assertIn("need to rent", self.use(self.climate, other, code=3).error)
            a = self.n.cli("result", got["task"], "-o", self.n.folder(f"thief-{other}"), who=other,
                           keystore=self.n.folder(f"keys-{other}"), code=3)
            self.assertFalse(os.path.exists(self.n.folder(f"thief-{other}/content")), a)
        self.assertEqual(self.n.cli("share", "data", self.climate)["uses"], 1)
        self.balances()

    def test_12_rented_data_stays_where_it_is(self):
        a = self.n.cli("share", "remove", self.climate, who="alice", code=3)
        self.assertIn("rented now", a.error)
        self.n.cli("share", "stop-rent", self.climate, who="alice")
        a = self.n.cli("share", "sell", self.climate, "--price", "5", who="alice", code=3)
        self.assertIn("rented now", a.error)
        self.assertEqual(self.content(self.use(self.climate, "carol")), CLIMATE)  # a running rental stays valid
        a = self.n.cli("share", "rent", self.climate, "--max-price", str(RENT), who="dave", code=3)
        self.assertIn("not available", a.error)

    def test_13_access_ends_when_the_rent_does(self):
        self.pass_time(3700)
        a = self.use(self.climate, "carol", code=3)
        self.assertIn("is over", a.error)
        # Also for who asks the contract itself, past our checks.
        data = "0x" + "d835c337" + self.climate[2:].rjust(64, "0") + "60".rjust(64, "0") + self.app[2:].rjust(64, "0")
        data += "0" * 64 * 10 + "160".rjust(64, "0") + "0" * 64
        with self.assertRaises(AssertionError) as e:
            self.n.rpc("eth_call", {"from": self.n.address("carol"), "to": self.n.net["contracts"]["sharing"], "data": data},
                       "latest")
        self.assertIn("0e39d6b3", str(e.exception))  # NoValidRentalOrSubscription
        self.balances()

    def test_20_a_subscription_opens_the_bundle(self):
        n = self.n
        n.cli("share", "bundle", self.ice, who="alice")
        a = n.cli("share", "subscribe", str(self.id), "--max-price", str(SUBSCRIPTION), who="dave", code=3)
        self.assertIn("no valid subscription", a.error)
        n.cli("share", "offer", str(self.id), "--price", str(SUBSCRIPTION), "--duration", "7d", who="alice")
        s = n.cli("share", "subscribe", str(self.id), "--max-price", str(SUBSCRIPTION), who="dave")
        self.assertEqual(s["kind"], "subscription")
        self.paid("dave", "alice", SUBSCRIPTION)
        self.assertEqual(self.content(self.use(self.ice, "dave")), ICE)
        self.assertIn("need to rent", self.use(self.climate, "dave", code=3).error)  # not in the bundle
        n.cli("share", "bundle", self.climate, who="alice")
        self.assertEqual(self.content(self.use(self.climate, "dave")), CLIMATE)  # what comes later is in it, too
        a = n.cli("share", "close", str(self.id), who="alice", code=3)
        self.assertIn("still has data", a.error)
        a = n.cli("share", "unbundle", self.ice, who="alice", code=3)
        self.assertIn("running subscriptions", a.error)
        self.balances()
        self.assert_index_and_chain_agree()

    def test_30_a_data_set_is_sold_outright(self):
        n = self.n
        n.cli("share", "sell", self.ocean, "--price", str(SALE), who="alice")
        b = n.cli("share", "buy", self.ocean, "--max-price", str(SALE), who="worker")
        self.assertEqual(b["kind"], "sale")
        self.paid("worker", "alice", SALE)
        self.assertEqual(n.cli("data", "show", self.ocean)["owner"], n.address("worker"))
        self.assertEqual(n.cli("share", "data", self.ocean)["collection"], 0)
        a = n.cli("data", "grant", self.ocean, "--app", self.app, "--user", "alice", who="alice", code=3)
        self.assertIn("belongs to", a.error)

    def test_31_the_buyer_uses_it_with_the_key_that_the_first_owner_stored(self):
        n = self.n
        app = n.app("faults", "bob")
        n.grant(self.ocean, app, "dave", who="worker")
        out = n.folder("ocean")
        n.cli("run", app, "--data", self.ocean, "--args", "copy", "-o", out, who="dave")
        found = ""
        for folder, _, names in os.walk(out):
            for name in names:
                with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as f:
                    found += f.read()
        self.assertIn("buoy,salinity", found)
        self.balances()

    def test_40_earnings_are_told_by_data_set_and_withdrawn(self):
        n = self.n
        e = n.cli("share", "earnings", "alice")
        self.assertEqual(e["total"], str(RENT + SUBSCRIPTION + SALE))
        self.assertEqual({d["data"]: d["earned"] for d in e["byData"]}, {self.climate: str(RENT), self.ocean: str(SALE)})
        self.assertEqual([p["kind"] for p in e["payments"]], ["rent", "subscription", "sale"])
        self.assertEqual(n.cli("share", "earnings", "bob")["total"], "0")
        before = int(n.cli("account", "show", "alice")["wallet"])
        n.cli("account", "withdraw", str(RENT + SUBSCRIPTION + SALE), who="alice")
        self.expected["alice"] -= RENT + SUBSCRIPTION + SALE
        self.balances()
        self.assertEqual(int(n.cli("account", "show", "alice")["wallet"]), before + RENT + SUBSCRIPTION + SALE)

    def test_41_the_markets_index_is_used_and_what_has_happened_since_is_added(self):
        truth = self.told(None)
        self.assertEqual(self.told("true"), truth)

        def old(answer):
            answer.clear()
            answer.update(self.old)
        self.assertLess(self.old["block"], self.index()["block"])
        self.assertEqual(self.told("false", old), truth)

        def dearer(answer):
            answer["payments"][0]["price"] = str(RENT + 1)
        self.assertEqual(self.told("false", dearer)[1]["payments"][0]["price"], str(RENT + 1))  # it was asked

    def test_42_an_index_of_another_chain_or_contract_is_not_believed(self):
        truth = self.told(None)

        def forked(answer):
            answer["hash"] = "0x" + "11" * 32
            answer["payments"] = []

        def ahead(answer):
            answer["block"] += 1000
            answer["payments"] = []

        def other(answer):
            answer["contract"] = self.n.net["contracts"]["hub"]
            answer["payments"] = []

        def short(answer):
            del answer["payments"]

        def odd(answer):
            answer["payments"][0]["price"] = "-1"
        for change in (forked, ahead, other, short, odd):
            with self.subTest(change.__name__):
                self.assertEqual(self.told("false", change), truth)

    def test_43_a_whitelist_is_ones_own_only_when_the_chain_says_so(self):
        theirs = self.n.cli("share", "whitelist", self.app, who="dave")["whitelist"]
        truth = self.told(None)

        def given(answer):
            for row in answer["whitelists"]:
                if row["whitelist"] == theirs:
                    row["owner"] = self.n.address("alice")
                elif row["owner"] == self.n.address("alice"):
                    row["owner"] = self.n.address("dave")
        self.assertEqual(self.told("false", given), truth)

    def test_50_when_the_subscription_is_over_the_owner_takes_her_data_back(self):
        n = self.n
        a = n.cli("share", "remove", self.ice, who="alice", code=3)
        self.assertIn("running subscriptions", a.error)
        self.pass_time(7 * 86400 + 60)
        self.assertIn("is over", self.use(self.ice, "dave", code=3).error)
        n.cli("share", "remove", self.ice, who="alice")
        self.assertEqual(n.cli("data", "show", self.ice)["owner"], n.address("alice"))
        app = n.app("faults", "bob")
        n.grant(self.ice, app, "bob")
        n.cli("run", app, "--data", self.ice, "--args", "copy", "-o", n.folder("ice"), who="bob")
        n.cli("share", "remove", self.climate, who="alice")
        n.cli("share", "close", str(self.id), who="alice")
        a = n.cli("share", "show", str(self.id), code=3)
        self.assertIn("burned", a.error)
        self.assert_index_and_chain_agree()
        self.balances()


if __name__ == "__main__":
    harness.main()
