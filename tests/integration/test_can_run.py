#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Everything that can be in the way of a run is named, all of it at once, before money moves; orders explained."""
import http.server
import json
import os
import threading
import unittest

import harness
from harness import Network, PATIENTS


class Fake(http.server.BaseHTTPRequestHandler):
    """A scheduler without workers, a store without files, a secret service without secrets (its key is the real one's)."""

    real = ""

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        if self.path == "/v1/vault":
            got = harness.http("GET", self.real + self.path)
            self.answer(got.status, got.body)
        else:
            self.answer(200, b'{"workers":[],"slots":0}')

    def do_HEAD(self):
        self.answer(404, b"")

    def log_message(self, *_):
        pass


class CanRun(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.n = n = Network()
        cls.addClassCleanup(n.__exit__, None)
        n.up()
        cls.app = n.app("patient-stats", "bob")
        cls.data = n.protect(PATIENTS)
        n.grant(cls.data, cls.app, "bob", "--count", "unlimited")
        cls.pw = n.file("pw", "correct horse\n")
        cls.poor = n.cli("wallet", "new", "--name", "poor", "--password-file", cls.pw)["address"]

    def ask(self, app, *more, who="bob", code=3):
        return self.n.cli("can-run", app, *more, who=who, code=code)

    def codes(self, app, *more, who="bob", poor=False, code=3):
        args = ["--password-file", self.pw] if poor else []
        answer = self.ask(app, *more, *args, who="poor" if poor else who, code=code)
        self.assertEqual(answer["canRun"], code == 0, answer)
        for b in answer["blockers"]:
            self.assertTrue(b["what"] and b["next"] and b["stage"] and b["party"], b)
        return [b["code"] for b in answer["blockers"]]

    def with_network(self, **services):
        """network.json with other addresses of services, in a file of its own."""
        net = json.loads(json.dumps(self.n.net))
        for name, url in services.items():
            if name == "rpcUrl":
                net["rpcUrl"] = url
            else:
                self.assertIn(name, net["services"])
                net["services"][name] = url
        return self.n.file(f"net-{os.urandom(4).hex()}.json", json.dumps(net))

    def test_nothing_is_in_the_way_and_then_it_runs(self):
        before = self.n.block()
        self.assertEqual(self.codes(self.app, "--data", self.data, code=0), [])
        self.assertEqual(self.n.block(), before)  # nothing was sent
        self.n.cli("run", self.app, "--data", self.data, "-o", self.n.folder("ok"), who="bob")

    def test_several_blockers_are_all_named(self):
        n = self.n
        unpublished = n.cli("app", "deploy", os.path.join(harness.IAPPS, "faults"), "--no-publish", who="bob")["address"]
        got = self.codes(unpublished, "--data", self.data, "--beneficiary", "0x" + "12" * 20, poor=True)
        self.assertEqual(set(got), {"APP_ORDER_MISSING", "DATA_NOT_GRANTED", "RESULT_KEY_MISSING", "GAS_TOO_LOW"})
        priced = n.protect(PATIENTS, name="priced.csv")
        n.grant(priced, self.app, "any", "--price", "5000")
        got = self.codes(self.app, "--data", priced, poor=True)
        self.assertEqual(set(got), {"DATA_PRICE_TOO_HIGH", "STAKE_TOO_LOW", "GAS_TOO_LOW"})
        text = n.cli("can-run", self.app, "--data", priced, "--password-file", self.pw, who="poor", code=3,
                     as_json=False).out
        for word in ("DATA_PRICE_TOO_HIGH", "--max-data-price 5000", "account deposit 5000", "GAS_TOO_LOW"):
            self.assertIn(word, text)
        # run says the same words, of the first
        fail = n.cli("run", self.app, "--data", priced, who="bob", code=3)
        self.assertEqual((fail["code"], fail["stage"], fail["party"], fail["retry"], fail["status"]),
                         ("DATA_PRICE_TOO_HIGH", "check", "requester", False, "SR_E_REFUSED"))

    def test_what_is_not_there_is_told_apart(self):
        nowhere = "0x" + "34" * 20
        self.assertEqual(self.codes(nowhere), ["APP_UNKNOWN", "APP_ORDER_MISSING"])
        self.assertEqual(self.codes(self.app, "--data", nowhere), ["DATA_UNKNOWN", "DATA_NOT_GRANTED"])
        self.assertEqual(self.codes(self.app, "--workerpool", nowhere), ["WORKERPOOL_UNKNOWN", "WORKERPOOL_ORDER_MISSING"])

    def test_prices_above_the_maximum(self):
        n = self.n
        dear = n.cli("app", "deploy", os.path.join(harness.IAPPS, "faults"), "--no-publish", who="alice")["address"]
        n.cli("app", "publish", dear, "--price", "700", "--count", "unlimited", who="alice")
        self.assertEqual(self.codes(dear), ["APP_PRICE_TOO_HIGH"])

    def test_orders_that_do_not_fit_together(self):
        n = self.n
        data = n.protect(PATIENTS, name="gpu.csv")
        n.cli("order", "sign", "data", data, "--app", self.app, "--user", "bob", "--tag", "0x" + "0" * 61 + "109", "--publish",
              who="alice")
        self.assertEqual(self.codes(self.app, "--data", data), ["ORDERS_DO_NOT_MATCH"])

    def test_a_revoked_grant_is_told_from_none(self):
        n = self.n
        data = n.protect(PATIENTS, name="revoked.csv")
        n.grant(data, self.app, "bob", "--count", "5")
        n.cli("run", self.app, "--data", data, "-o", n.folder("revoked"), who="bob")
        n.cli("data", "revoke", data, who="alice")
        self.assertEqual(self.codes(self.app, "--data", data), ["DATA_GRANT_REVOKED"])

    def test_services_that_are_down(self):
        dead = "http://127.0.0.1:1"
        for name, code in (("market", "MARKET_DOWN"), ("sms", "SECRET_SERVICE_DOWN"), ("scheduler", "SCHEDULER_DOWN")):
            self.assertIn(code, self.codes(self.app, "--data", self.data, "--network", self.with_network(**{name: dead})))
        got = self.codes(self.app, "--data", self.data, "--network", self.with_network(ipfsGateway=dead))
        self.assertEqual(got, ["STORE_DOWN", "STORE_DOWN"])  # the app's image, the data's file
        got = self.codes(self.app, "--data", self.data, "--network", self.with_network(rpcUrl=dead, market=dead))
        self.assertEqual(got, ["CHAIN_DOWN", "MARKET_DOWN"])

    def test_no_worker_no_file_no_key(self):
        Fake.real = self.n.service("sms")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Fake)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            for name, codes in (("scheduler", ["NO_WORKER"]), ("ipfsGateway", ["APP_IMAGE_MISSING", "DATA_FILE_MISSING"]),
                                ("sms", ["DATA_KEY_MISSING"])):
                net = self.with_network(**{name: url})
                self.assertEqual(self.codes(self.app, "--data", self.data, "--network", net), codes)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    # ---- explain

    def test_orders_are_explained_and_their_traps_named(self):
        n = self.n
        data = n.protect(PATIENTS, name="open.csv")
        g = n.cli("data", "grant", data, "--app", "any", "--user", "any", "--count", "unlimited", who="alice")
        x = n.cli("explain", g["orderHash"])
        self.assertEqual((x["kind"], x["state"], x["orderHash"]), ("dataset", "open", g["orderHash"]))
        self.assertEqual({w["code"] for w in x["warnings"]}, {"ANY_APP", "ANY_REQUESTER", "FREE", "UNLIMITED"})
        self.assertIn("any number of times", x["sentences"][0]["text"])
        item = n.cli("order", "show", g["orderHash"]).json
        by_file = n.cli("explain", n.file("order.json", json.dumps(item["order"])))
        self.assertEqual((by_file["orderHash"], by_file["state"]), (g["orderHash"], "open"))
        by_stdin = n.cli("explain", "-", stdin=json.dumps(item))
        self.assertEqual(by_stdin["orderHash"], g["orderHash"])
        item["order"]["sign"] = "0x"
        self.assertEqual(n.cli("explain", json.dumps(item["order"]))["state"], "unsigned")
        n.cli("order", "cancel", g["orderHash"], who="alice")
        x = n.cli("explain", g["orderHash"])
        self.assertEqual(x["state"], "cancelled")
        self.assertIn("CANCELLED", [w["code"] for w in x["warnings"]])
        offline = n.cli("explain", json.dumps(item["order"]), "--network", n.folder("none.json"))
        self.assertEqual(offline["state"], "not checked")

    def test_an_order_cancelled_twice_and_text_that_is_no_order(self):
        self.assertEqual(self.n.cli("explain", '{"a":1}', code=1)["status"], "SR_E_MALFORMED")
        self.assertEqual(self.n.cli("explain", "no-such-file", code=3)["status"], "SR_E_NOTFOUND")


if __name__ == "__main__":
    harness.main()
