#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many data sets in one request: each has an outcome that requester, app and owner are told."""
import json
import os
import unittest

import harness
from harness import Network

RELEASED, REVOKED, EXPIRED = "released", "DATASET_ORDER_REVOKED", "DATASET_ORDER_EXPIRED"


class Bulk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.n = n = Network()
        cls.addClassCleanup(n.__exit__, None)
        n.up()
        cls.app = n.app("faults", "bob")
        cls.data = [n.protect(f"content number {i}\n", name=f"d{i}") for i in range(5)]
        for d in cls.data:
            n.grant(d, cls.app, "bob", "--bulk")

    def run_bulk(self, data, *more, code=0, args="bulk"):
        words = [w for d in data for w in ("--data", d)]
        return self.n.cli("run", self.app, "--bulk", *words, "--args", args, *more, who="bob", code=code)

    def outcomes(self, task):
        return [(d["n"], d["address"], d["outcome"]) for d in task["datasets"]]

    def read(self, task, name):
        with open(os.path.join(task["result"], name), encoding="utf-8", errors="replace") as f:
            return f.read()

    def test_01_all_are_there(self):
        r = self.run_bulk(self.data, "-o", self.n.folder("all"))
        (t,) = r["tasks"]
        self.assertEqual((t["index"], t["status"]), (0, "COMPLETED"))
        self.assertEqual(self.outcomes(t), [(i + 1, d, RELEASED) for i, d in enumerate(self.data)])
        self.assertEqual(self.read(t, "bulk.txt"), "".join(f"{i + 1} {d} there\n" for i, d in enumerate(self.data)))
        self.assertEqual(json.loads(self.read(t, "told.json")), t["datasets"])
        self.assertIn("bulk_cid", self.n.cli("deal", "show", t["deal"])["params"])

    def test_02_they_are_split_over_tasks(self):
        r = self.run_bulk(self.data, "--per-task", "2", "-o", self.n.folder("split"))
        self.assertEqual([(t["index"], [d["address"] for d in t["datasets"]]) for t in r["tasks"]],
                         [(0, self.data[:2]), (1, self.data[2:4]), (2, self.data[4:])])
        self.assertEqual({t["status"] for t in r["tasks"]}, {"COMPLETED"})

    def test_03_who_is_not_granted_is_named_before_money_moves(self):
        n = self.n
        other = n.protect("not for bulk", name="other")
        n.grant(other, self.app, "bob", "--count", "9")
        before = n.rpc("eth_getTransactionCount", n.address("bob"), "latest")
        a = self.run_bulk([*self.data, other], code=3)
        self.assertIn(other, a.error)
        self.assertNotIn(self.data[0], a.error)
        self.assertIn("--bulk", a["hint"])
        self.assertIn("given twice", self.run_bulk([self.data[0], self.data[0]], code=2).error)
        self.assertEqual(n.rpc("eth_getTransactionCount", n.address("bob"), "latest"), before)
        a = n.cli("data", "grant", other, "--app", self.app, "--user", "any", "--bulk", "--price", "5", who="alice", code=2)
        self.assertIn("free", a.error)

    def test_04_what_became_of_each_is_told_and_the_rest_goes_on(self):
        n = self.n
        revoked, sold, gone, fine, spoiled = self.data
        n.kill("worker", harness.signal.SIGSTOP)
        try:
            ids = self.run_bulk(self.data, "--no-wait")["tasks"][0]
            n.cli("data", "revoke", revoked, who="alice")
            n.cli("data", "transfer", sold, "carol", who="alice")
            for path in self.blobs(gone):
                os.unlink(path)
            for path in self.blobs(spoiled):
                with open(path, "r+b") as f:
                    f.seek(-1, os.SEEK_END)
                    last = f.read(1)
                    f.seek(-1, os.SEEK_END)
                    f.write(bytes([last[0] ^ 1]))
        finally:
            n.kill("worker", harness.signal.SIGCONT)
        self.assertEqual(n.cli("task", "wait", ids["task"], who="bob")["status"], "COMPLETED")
        out = n.folder("mixed")
        n.cli("result", ids["task"], "-o", out, who="bob")
        with open(os.path.join(out, "strongroom-datasets.json"), encoding="utf-8") as f:
            told = {d["address"]: d["outcome"] for d in json.load(f)}
        self.assertEqual((told[revoked], told[sold], told[gone], told[fine]), (REVOKED, EXPIRED, "DATASET_MISSING", RELEASED))
        self.assertIn(told[spoiled], ("DATASET_CHECKSUM", "DATASET_MISSING"))  # the store may see it first
        with open(os.path.join(out, "bulk.txt"), encoding="utf-8") as f:
            lines = f.read().splitlines()
        self.assertEqual([line.split()[2] for line in lines], ["absent", "absent", "absent", "there", "absent"])
        log = harness.http("GET", f"{n.service('sms')}/v1/releases?task={ids['task']}").json
        self.assertEqual({r["dataset"]: r["code"] for r in log if int(r["dataset"], 16)},
                         {revoked: REVOKED, sold: EXPIRED, gone: "", fine: "", spoiled: ""})
        (use,) = [u for u in n.cli("data", "usage", fine)["uses"] if u["task"] == ids["task"]]
        self.assertEqual((use["bulk"], use["keyReleased"], use["status"], use["requester"], use["price"]),
                         (True, True, "COMPLETED", n.address("bob"), "0"))
        (use,) = [u for u in n.cli("data", "usage", revoked)["uses"] if u["task"] == ids["task"]]
        self.assertEqual((use["keyReleased"], use["refusal"]), (False, REVOKED))

    def blobs(self, data):
        """Where the store keeps the cipher text of one data set: the files with its bytes."""
        n = self.n
        cid = n.cli("data", "show", data)["cid"]
        content = harness.http("GET", f"{n.service('ipfsGateway')}/ipfs/{cid}").body
        found = []
        for path in n.files():
            if os.sep + "store" + os.sep not in path:
                continue
            with open(path, "rb") as f:
                if content in f.read():
                    found.append(path)
        self.assertTrue(found, "the store keeps it somewhere")
        return found


if __name__ == "__main__":
    harness.main()
