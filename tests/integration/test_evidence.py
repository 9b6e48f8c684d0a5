#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a task leaves for an auditor: gathered from the services, checked without them."""
import json
import os
import random
import unittest

import harness
from harness import Network, PATIENTS


class Evidence(unittest.TestCase):
    """One task's bundle."""

    @classmethod
    def setUpClass(cls):
        cls.n = Network()
        cls.addClassCleanup(cls.n.__exit__, None)
        cls.n.up()
        n = cls.n
        cls.app = n.app("patient-stats", "bob")
        cls.data = n.cli("data", "protect", n.file("patients.csv", PATIENTS), "--name", "patients", who="alice")["address"]
        n.grant(cls.data, cls.app, "bob", "--count", "unlimited")
        cls.run_bob = n.cli("run", cls.app, "--data", cls.data, "--args", "ward dose", "-o", n.folder("bob"), who="bob")
        cls.file = os.path.join(n.folder("audit"), "task.json")
        os.makedirs(os.path.dirname(cls.file), exist_ok=True)
        cls.made = n.cli("task", "evidence", cls.run_bob["task"], "-o", cls.file, who="carol")
        with open(cls.file, "rb") as f:
            cls.bundle = f.read()

    def verify(self, content, *more, code=0):
        path = os.path.join(self.n.folder("audit"), "copy.json")
        with open(path, "wb") as f:
            f.write(content)
        return self.n.cli("verify", path, *more, code=code)

    def test_anybody_gathers_it_and_it_holds(self):
        self.assertEqual(self.made["task"], self.run_bob["task"])
        self.assertEqual(self.made["evidence"], "SIMULATED")
        v = self.verify(self.bundle)
        self.assertTrue(v["holds"])
        self.assertTrue(v["simulated"])
        self.assertEqual(v["task"], self.run_bob["task"])
        self.assertEqual(v["deal"], self.run_bob["deal"])
        self.assertEqual(v["transaction"], self.made["transaction"])
        self.assertEqual(len(v["checked"]), 15)

    def test_it_is_about_this_network(self):
        chain = self.n.net
        self.verify(self.bundle, "--hub", chain["contracts"]["hub"], "--sms-identity", chain["smsIdentity"])
        other = self.verify(self.bundle, "--hub", "0x" + "11" * 20, code=3)
        self.assertIn("--hub", other.error)
        receipt = self.n.rpc("eth_getTransactionReceipt", self.made["transaction"])
        self.assertEqual(receipt["status"], "0x1")

    def test_a_changed_field_is_named(self):
        doc = json.loads(self.bundle.rsplit(b"sha256 ", 1)[0])
        for field, text, wrong in [("task", '"index":0', '"index":1'),
                                   ("deal", '"botFirst":0', '"botFirst":7'),
                                   ("release", f'"n":{doc["release"]["n"]}', '"n":9999')]:
            a = self.verify(self.bundle.replace(text.encode(), wrong.encode(), 1), code=3)
            self.assertIn(field, a.error)

    def test_no_flipped_byte_passes(self):
        choice = random.Random(421614)
        for at in choice.sample(range(len(self.bundle)), 60):
            bad = bytearray(self.bundle)
            bad[at] ^= 1 << choice.randrange(8)
            self.verify(bytes(bad), code=3)

    def test_a_file_is_never_overwritten(self):
        a = self.n.cli("task", "evidence", self.run_bob["task"], "-o", self.file, code=3)
        self.assertIn("exists", a.error)
        with open(self.file, "rb") as f:
            self.assertEqual(f.read(), self.bundle)

    def test_a_task_that_is_not_completed_has_none(self):
        a = self.n.cli("task", "evidence", "0x" + "12" * 32, code=3)
        self.assertIn("not completed", a.error)

    def test_a_policy_that_refuses_makes_no_bundle(self):
        policy = self.n.file("strict.json", '{"providers":["tdx"]}')
        out = os.path.join(self.n.folder("audit"), "strict-bundle.json")
        a = self.n.cli("task", "evidence", self.run_bob["task"], "--policy", policy, "-o", out, code=None)
        self.assertNotEqual(a.code, 0)
        self.assertIn("does not verify", a.error)
        self.assertFalse(os.path.exists(out))

    def test_no_secret_is_in_it(self):
        self.assertNotIn(b"envelope", self.bundle)
        got = harness.http("GET", f"{self.n.service('sms')}/v1/tasks/{self.run_bob['task']}/record")
        self.assertEqual(got.status, 200)
        self.assertEqual(sorted(json.loads(got.body)), ["release", "request", "token"])
        none = harness.http("GET", f"{self.n.service('sms')}/v1/tasks/0x{'13' * 32}/record")
        self.assertEqual(none.status, 404)


if __name__ == "__main__":
    harness.main()
