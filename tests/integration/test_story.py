#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The story of make demo, checked step by step."""
import os
import subprocess
import tempfile
import unittest

import harness
from harness import Network, PATIENTS, expected_statistics


class Story(unittest.TestCase):
    """One network, the steps in their order."""

    @classmethod
    def setUpClass(cls):
        cls.n = Network()
        cls.addClassCleanup(cls.n.__exit__, None)
        cls.n.up()
        n = cls.n
        cls.app = n.app("patient-stats", "bob")
        cls.protected = n.cli("data", "protect", n.file("patients.csv", PATIENTS), "--name", "patients", who="alice")
        cls.data = cls.protected["address"]
        n.grant(cls.data, cls.app, "bob", "--count", "unlimited")
        cls.run_bob = n.cli("run", cls.app, "--data", cls.data, "--args", "ward dose", "-o", n.folder("bob"), who="bob")


    def test_01_protecting_gives_address_place_and_checksum(self):
        p = self.protected
        self.assertRegex(p["address"], "^0x[0-9a-f]{40}$")
        self.assertRegex(p["cid"], "^Qm")
        self.assertRegex(p["checksum"], "^0x[0-9a-f]{64}$")
        self.assertEqual(p["schema"], {"file": "application/octet-stream"})
        self.assertTrue(p["keyStored"])

    def test_02_what_is_stored_is_not_the_data(self):
        got = harness.http("GET", f"{self.n.service('ipfsGateway')}/ipfs/{self.protected['cid']}")
        self.assertEqual(got.status, 200)
        self.assertEqual(len(got.body), self.protected["bytes"])
        self.assertNotIn(b"patient", got.body)
        self.assertNotIn(b"PK", got.body[:2])

    def test_03_bob_sees_the_statistics(self):
        with open(os.path.join(self.n.folder("bob"), "result.csv"), encoding="utf-8") as f:
            self.assertEqual(f.read(), expected_statistics())
        self.assertEqual(self.run_bob["status"], "COMPLETED")
        self.assertTrue(self.run_bob["encrypted"])

    def test_04_the_result_in_the_store_is_encrypted(self):
        task = self.n.cli("task", "show", self.run_bob["task"])
        got = harness.http("GET", self.n.service("ipfsGateway") + task["result"])
        self.assertEqual(got.status, 200)
        self.assertNotIn(b"north", got.body)
        self.assertIn(b"aes-key.rsa", got.body)

    def test_05_the_deal_says_what_was_agreed(self):
        d = self.n.cli("deal", "show", self.run_bob["deal"])
        self.assertEqual(d["app"], self.app)
        self.assertEqual(d["data"], self.data)
        self.assertEqual(d["requester"], self.n.address("bob"))
        self.assertEqual(d["beneficiary"], self.n.address("bob"))
        self.assertEqual(d["size"], 1)
        self.assertIn("iexec_result_encryption", d["params"])

    def test_06_the_result_is_fetched_again(self):
        out = self.n.folder("again")
        r = self.n.cli("result", self.run_bob["task"], "-o", out, who="bob")
        self.assertEqual(r["files"], 2)
        with open(os.path.join(out, "result.csv"), encoding="utf-8") as f:
            self.assertEqual(f.read(), expected_statistics())
        again = self.n.cli("result", self.run_bob["task"], "-o", out, who="bob", code=3)
        self.assertIn("exists already", again.error)

    def test_07_nobody_else_decrypts_it(self):
        a = self.n.cli("result", self.run_bob["task"], "-o", self.n.folder("carol"), who="carol",
                       keystore=self.n.folder("keys-carol"), code=3)
        self.assertIn("hint", a.json)
        self.assertFalse(os.path.exists(os.path.join(self.n.folder("carol"), "result.csv")))

    def test_08_a_stranger_is_refused_before_money_moves(self):
        before, block = self.n.stake("carol"), self.n.rpc("eth_getTransactionCount", self.n.address("carol"), "latest")
        a = self.n.cli("run", self.app, "--data", self.data, who="carol", code=3)
        self.assertIn("not granted", a.error)
        self.assertIn("data grant", a["hint"])
        self.assertEqual(self.n.stake("carol"), before)
        self.assertEqual(self.n.rpc("eth_getTransactionCount", self.n.address("carol"), "latest"), block)

    def test_09_another_app_is_refused(self):
        other = self.n.app("faults", "bob")
        a = self.n.cli("run", other, "--data", self.data, who="bob", code=3)
        self.assertIn("not granted", a.error)

    def test_10_a_second_run_works_the_same(self):
        out = self.n.folder("second")
        self.n.cli("run", self.app, "--data", self.data, "--args", "ward dose", "-o", out, who="bob")
        with open(os.path.join(out, "result.csv"), encoding="utf-8") as f:
            self.assertEqual(f.read(), expected_statistics())

    def test_11_the_owner_sees_data_and_grant(self):
        listed = self.n.cli("data", "list", who="alice")["data"]
        self.assertIn(self.data, [d["address"] for d in listed])
        shown = self.n.cli("data", "show", self.data)
        self.assertEqual(shown["checksum"], self.protected["checksum"])
        self.assertEqual(shown["cid"], self.protected["cid"])
        self.assertEqual(len(shown["grants"]), 1)
        self.assertEqual(shown["grants"][0]["user"], self.n.address("bob"))

    def test_12_granting_twice_is_refused(self):
        a = self.n.cli("data", "grant", self.data, "--app", self.app, "--user", "bob", who="alice", code=3)
        self.assertIn("already granted", a.error)

    def test_13_only_the_owner_grants_and_revokes(self):
        for words in (["data", "grant", self.data, "--app", self.app, "--user", "carol"], ["data", "revoke", self.data]):
            a = self.n.cli(*words, who="bob", code=3)
            self.assertIn("belongs to", a.error)

    def test_20_after_revoking_the_next_run_is_refused_before_money_moves(self):
        revoked = self.n.cli("data", "revoke", self.data, who="alice")
        self.assertEqual(len(revoked["revoked"]), 1)
        before = self.n.stake("bob")
        count = self.n.rpc("eth_getTransactionCount", self.n.address("bob"), "latest")
        a = self.n.cli("run", self.app, "--data", self.data, who="bob", code=3)
        self.assertIn("revoked", a.error)
        self.assertEqual(self.n.stake("bob"), before)
        self.assertEqual(self.n.rpc("eth_getTransactionCount", self.n.address("bob"), "latest"), count)
        again = self.n.cli("data", "revoke", self.data, who="alice", code=3)
        self.assertIn("no open grant", again.error)

    def test_21_a_new_grant_opens_it_again(self):
        self.n.grant(self.data, self.app, "bob")
        out = self.n.folder("third")
        self.n.cli("run", self.app, "--data", self.data, "-o", out, who="bob")
        used = self.n.cli("run", self.app, "--data", self.data, who="bob", code=3)
        self.assertIn("not granted", used.error)  # one access was granted, one was used


class Demo(unittest.TestCase):
    def test_the_demo_runs_and_fits_on_a_screen(self):
        with tempfile.TemporaryDirectory(prefix="sr-") as folder:
            done = subprocess.run([os.path.join(harness.ROOT, "tools", "demo")], capture_output=True, text=True, timeout=180,
                                  check=False, env={"PATH": os.environ["PATH"], "HOME": folder, "TMPDIR": folder,
                                                    "STRONGROOM_BUILD": harness.BUILD})
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertLess(done.stdout.count("\n"), 45)
            self.assertLess(max(len(line) for line in done.stdout.split("\n")), 140)
            self.assertEqual(done.stdout.count("no record found"), 5)
            self.assertIn("the owner has revoked access", done.stdout)
            self.assertEqual(os.listdir(folder), [])


class Variants(unittest.TestCase):
    """Other ways to say the same."""

    @classmethod
    def setUpClass(cls):
        cls.n = Network()
        cls.addClassCleanup(cls.n.__exit__, None)
        cls.n.up()
        cls.app = cls.n.app("faults", "bob")


    def read(self, folder, name):
        with open(os.path.join(self.n.folder(folder), name), encoding="utf-8") as f:
            return f.read()

    def test_an_app_without_data_runs(self):
        self.n.cli("run", self.app, "--args", "ok hello", "-o", self.n.folder("plain"), who="carol")
        self.assertEqual(self.read("plain", "result.txt"), "hello\n")

    def test_a_json_object_is_protected_typed(self):
        p = self.n.cli("data", "protect", "--json", '{"email":"a@b.c","n":1.5,"ok":true,"in":{"x":"y"}}', "--name", "me",
                       who="alice")
        self.assertEqual(p["schema"], {"email": "string", "n": "f64", "ok": "bool", "in": {"x": "string"}})
        q = self.n.cli("data", "protect", "--json", "-", who="alice", stdin='{"a":"b"}')
        self.assertEqual(q["schema"], {"a": "string"})

    def test_several_files_have_their_names_as_keys(self):
        a, b = self.n.file("one.txt", "1"), self.n.file("two words.csv", "2")
        p = self.n.cli("data", "protect", a, b, who="alice")
        self.assertEqual(set(p["schema"]), {"one_txt", "two_words_csv"})
        c = self.n.file("other/one.txt", "3")
        twice = self.n.cli("data", "protect", a, c, who="alice", code=2)
        self.assertIn("one_txt", twice.error)

    def test_a_plain_result_is_readable_by_anybody(self):
        r = self.n.cli("run", self.app, "--args", "ok open", "--plain-result", "-o", self.n.folder("open"), who="bob")
        self.assertFalse(r["encrypted"])
        self.assertEqual(self.read("open", "result.txt"), "open\n")

    def test_requester_secrets_reach_the_app_only(self):
        value = "a-requester-secret-7731"
        path = self.n.file("secret.txt", value + "\n")
        self.n.cli("run", self.app, "--args", "environment", "--secret", f"1={path}", "-o", self.n.folder("env"), who="bob")
        self.assertIn(f"IEXEC_REQUESTER_SECRET_1={value}\n", self.read("env", "environment.txt"))
        for path in self.n.files():
            with open(path, "rb") as f:
                self.assertNotIn(value.encode(), f.read(), path)

    def test_the_app_reads_the_protected_file_itself(self):
        data = self.n.protect("the content", name="f.bin")
        self.n.grant(data, self.app, "bob")
        self.n.cli("run", self.app, "--data", data, "--args", "copy", "-o", self.n.folder("copy"), who="bob")
        with open(os.path.join(self.n.folder("copy"), "copy"), "rb") as f:
            content = f.read()
        self.assertTrue(content.startswith(b"PK"))
        self.assertIn(b"the content", content)

    def test_a_keystore_wallet_does_the_whole_story(self):
        pw = self.n.file("pw", "correct horse\n")
        w = self.n.cli("wallet", "new", "--name", "eve", "--password-file", pw)
        self.n.cli("faucet", w["address"])
        self.n.cli("account", "deposit", "1 RLC", "--password-file", pw, who="eve")
        self.assertEqual(self.n.stake("eve"), 10**9)
        p = self.n.cli("data", "protect", self.n.file("e.txt", "x"), "--password-file", pw, who="eve")
        self.n.cli("data", "grant", p["address"], "--app", self.app, "--user", "any", "--password-file", pw, who="eve")
        self.n.cli("run", self.app, "--data", p["address"], "--args", "copy", "-o", self.n.folder("eve"), who="dave")

    def test_no_wait_then_task_and_result(self):
        r = self.n.cli("run", self.app, "--args", "ok later", "--no-wait", who="bob")
        self.n.cli("task", "wait", r["task"])
        t = self.n.cli("task", "show", r["task"])
        self.assertEqual(t["status"], "COMPLETED")
        self.n.cli("result", r["task"], "-o", self.n.folder("later"), who="bob")
        self.assertEqual(self.read("later", "result.txt"), "later\n")

    def test_ten_runs_of_one_wallet_at_once(self):
        started = [self.n.start("run", self.app, "--args", f"ok number {i}", "-o", self.n.folder(f"at-once-{i}"), who="grace")
                   for i in range(10)]  # her first: one key is made, by one of them
        for i, p in enumerate(started):
            a = self.n.finish(p)
            self.assertEqual(a.code, 0, a)
            self.assertEqual(self.read(f"at-once-{i}", "result.txt"), "number\n")

    def test_the_stages_are_told(self):
        a = self.n.cli("run", self.app, "-o", self.n.folder("stages"), who="bob", as_json=False)
        for stage in ("matched", "completed"):
            self.assertIn(f"wait: {stage}", a.err)


if __name__ == "__main__":
    harness.main()
