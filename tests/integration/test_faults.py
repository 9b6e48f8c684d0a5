#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bad input and faults: each gives a clear error, what to do, the documented exit code; never a crash, never a hang."""
import os
import shutil
import stat
import subprocess
import tempfile
import unittest

import harness
from harness import Network, PATIENTS

NOBODY = "0x00000000000000000000000000000000000000ff"
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def digest_of(cid):
    """The hex digest inside a CIDv0."""
    n = 0
    for ch in cid:
        n = n * 58 + BASE58.index(ch)
    return n.to_bytes(34, "big")[2:].hex()


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.n = Network()
        cls.addClassCleanup(cls.n.__exit__, None)
        cls.n.up()
        n = cls.n
        cls.stats = n.app("patient-stats", "bob")
        cls.faults = n.app("faults", "bob")
        cls.data = n.protect(PATIENTS)
        n.grant(cls.data, cls.stats, "bob", "--count", "unlimited")


    def refused(self, *args, who=None, code=3, says="", **more):
        """The command fails as it should: code, words, and a hint; nothing is spent."""
        a = self.n.cli(*args, who=who, code=code, **more)
        self.assertIn(says, a.error, a)
        self.assertTrue(a["hint"], a)
        self.assertEqual(a["exit"], code)
        return a

    def blob(self, location):
        cid = location.rsplit("/", 1)[-1]
        name = digest_of(cid)
        return os.path.join(self.n.dir, "store", "blobs", name[:2], name)

    # ---- bad input

    def test_wrong_password(self):
        pw, wrong = self.n.file("right.pw", "right\n"), self.n.file("wrong.pw", "wrong\n")
        self.n.cli("wallet", "new", "--name", "w", "--password-file", pw)
        self.refused("wallet", "export", "w", "--password-file", wrong, says="password")
        self.refused("account", "deposit", "1", "--password-file", wrong, who="w", says="password")
        self.refused("account", "deposit", "1", who="w", code=2, says="no terminal")

    def test_unknown_addresses(self):
        self.refused("data", "show", NOBODY)
        self.refused("data", "grant", NOBODY, "--app", self.stats, "--user", "bob", who="alice", says="no protected data")
        self.refused("data", "grant", self.data, "--app", NOBODY, "--user", "bob", who="alice",
                     says="No app or whitelist")
        self.refused("run", NOBODY, who="bob")
        self.refused("run", self.stats, "--data", NOBODY, who="bob", says="no protected data")
        self.refused("deal", "show", "0x" + "11" * 32)
        self.refused("task", "show", "0x" + "11" * 32)
        self.refused("result", "0x" + "11" * 32)
        self.refused("account", "show", "nobody-of-that-name")

    def test_malformed_arguments_are_usage_errors(self):
        for words in (["data", "show", "0x12"], ["data", "show", "hello"], ["deal", "show", "0x12"],
                      ["account", "deposit", "x"], ["account", "deposit", "1 BTC"], ["account", "deposit", "-1"],
                      ["data", "grant", self.data, "--app", self.stats, "--user", "bob", "--price", "-1"],
                      ["data", "grant", self.data, "--app", self.stats, "--user", "bob", "--count", "0"],
                      ["run", self.stats, "--secret", "nonsense"], ["run", self.stats, "--input-file", "ftp://x"],
                      ["data", "protect", "--json", "{}", "file"], ["data", "protect"], ["data", "protect", "--json", '{"a":']):
            a = self.n.cli(*words, who="alice", code=2)
            self.assertTrue(a.error, a)
        wrong_case = self.stats[:-1] + ("A" if self.stats[-1] != "a" else "B")
        self.assertEqual(self.n.cli("app", "show", "0x" + wrong_case[2:].upper(), code=None).code in (2, 3), True)

    def test_files_that_cannot_be_read(self):
        self.refused("data", "protect", "/nowhere/file.csv", who="alice", says="/nowhere/file.csv")
        self.refused("data", "protect", self.n.home, who="alice", code=2, says="neither a file nor a folder")  # it holds sockets
        self.refused("data", "protect", "/dev/null", who="alice", code=2, says="not a regular file")
        fifo = os.path.join(self.n.home, "fifo")
        os.mkfifo(fifo)
        self.refused("data", "protect", fifo, who="alice", code=2, says="not a regular file")

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs another user")
    def test_a_file_without_permission(self):
        # Another user must be able to reach it all: not below a tree that may be in root's own home.
        home = tempfile.mkdtemp(prefix="sr-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, home, True)
        os.chmod(home, 0o755)
        path = os.path.join(home, "closed")
        with open(path, "w", encoding="ascii") as f:
            f.write("x")
        os.chmod(path, 0)
        shutil.copy(os.path.join(self.n.dir, "network.json"), os.path.join(home, "network.json"))
        os.chmod(os.path.join(home, "network.json"), 0o644)
        program = os.path.join(home, "strongroom")
        shutil.copy(harness.PROGRAM, program)
        line = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "data", "protect", path, "--as",
                "alice", "--dir", home, "--keystore", os.path.join(home, "k")]
        done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=False, env=self.n.env)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("Permission denied", done.stderr)
        self.assertIn("what to do", done.stderr)

    def test_a_file_that_changes_while_it_is_read(self):
        path = self.n.file("growing.bin", os.urandom(1 << 20) * 160)
        p = self.n.start("data", "protect", path, who="alice")
        for line in p.stderr:
            if "upload" in line:
                break
        with open(path, "r+b") as f:
            f.seek(-10, 2)
            f.write(b"changed!!!")
        out, _ = p.communicate(timeout=60)
        os.unlink(path)
        self.assertEqual(p.returncode, 3, out)
        self.assertIn("changed while it was read", out)

    def test_empty_files_and_empty_objects_are_data_too(self):
        p = self.n.cli("data", "protect", self.n.file("empty", ""), who="alice")
        self.assertTrue(p["keyStored"])
        q = self.n.cli("data", "protect", "--json", "{}", who="alice")
        self.assertEqual(q["schema"], {})

    def test_a_broken_network_file(self):
        for text in ("", "{", "[]", '{"version":2}', '{"version":1,"chainId":1}', "\0" * 100):
            path = self.n.file("broken.json", text)
            a = self.n.cli("account", "show", "alice", "--network", path, code=None)
            self.assertNotEqual(a.code, 0)
            self.assertIn("broken.json", a.error)

    def test_a_network_file_of_another_chain(self):
        import json
        path = self.n.file("other.json", json.dumps({**self.n.net, "chainId": 1}))
        self.refused("account", "show", "alice", "--network", path, says="chain")

    # ---- money and orders

    def test_price_above_the_maximum(self):
        data = self.n.protect("x")
        self.n.grant(data, self.faults, "bob", "--price", "10")
        before = self.n.stake("bob")
        a = self.refused("run", self.faults, "--data", data, who="bob", says="costs 10 nRLC")
        self.assertIn("--max-data-price", a["hint"])
        self.assertEqual(self.n.stake("bob"), before)
        r = self.n.cli("run", self.faults, "--data", data, "--max-data-price", "10", "-o", self.n.folder("paid"), who="bob")
        self.assertEqual(r["cost"], "10")
        self.assertEqual(self.n.stake("bob"), before - 10)

    def test_insufficient_stake(self):
        pw = self.n.file("pw2", "pw\n")
        w = self.n.cli("wallet", "new", "--name", "poor", "--password-file", pw)["address"]
        self.n.cli("faucet", w)
        data = self.n.protect("x")
        self.n.grant(data, self.faults, w, "--price", "1000")
        a = self.refused("run", self.faults, "--data", data, "--max-data-price", "1000", "--password-file", pw, who="poor",
                         says="greater than requester account stake")
        self.assertIn("account deposit 1000", a["hint"])
        self.refused("account", "withdraw", "1", "--password-file", pw, who="poor", says="free in the hub")
        self.refused("account", "deposit", "1000000 RLC", "--password-file", pw, who="poor", says="in the wallet")

    def test_no_matching_order(self):
        path = os.path.join(self.n.home, "unpublished")
        shutil.copytree(os.path.join(harness.IAPPS, "faults"), path)
        self.n.file("unpublished/app.json", '{"name":"unpublished","entrypoint":["faults"],"files":["faults"]}')
        app = self.n.cli("app", "deploy", path, "--no-publish", who="bob")
        self.assertEqual(app["orderHash"], "")
        self.refused("run", app["address"], who="bob", says="no open order for app")
        self.refused("run", self.faults, "--workerpool", NOBODY, who="bob", says="there is no workerpool")
        self.refused("run", self.faults, "--category", "1", who="bob", says="no matching order")

    def test_an_app_without_its_image(self):
        path = os.path.join(self.n.home, "gone")
        shutil.copytree(os.path.join(harness.IAPPS, "faults"), path)
        self.n.file("gone/only-here", "so that the image is another")
        self.n.file("gone/app.json", '{"name":"gone","entrypoint":["faults"],"files":["faults","only-here"]}')
        app = self.n.cli("app", "deploy", path, who="bob")
        os.unlink(self.blob(app["multiaddr"]))
        self.refused("run", app["address"], who="bob", says="is not in the store")

    def test_a_folder_that_is_no_app(self):
        for text in (None, "{", "[]", "{}", '{"name":"x"}', '{"name":"x","entrypoint":["nothing-there"]}'):
            path = self.n.folder("noapp")
            shutil.rmtree(path, ignore_errors=True)
            os.makedirs(path)
            if text is not None:
                self.n.file("noapp/app.json", text)
            a = self.n.cli("app", "deploy", path, who="bob", code=None)
            self.assertIn(a.code, (1, 2, 3), a)
            self.assertTrue(a.error, a)

    # ---- tasks that fail: no payment, the cause at once

    def fails(self, *args, cause, who="bob"):
        before = self.n.stake(who)
        a = self.n.cli(*args, who=who, code=4)
        self.assertIn(cause, a.error, a)
        self.assertLess(a.seconds, 60)
        self.assertEqual(self.n.stake(who), before)
        return a

    def test_data_tampered_in_the_store(self):
        p = self.n.cli("data", "protect", self.n.file("t.csv", PATIENTS), who="alice")
        self.n.grant(p["address"], self.stats, "bob", "--count", "5")
        path = self.blob(p["cid"])
        with open(path, "rb") as f:
            content = bytearray(f.read())
        content[len(content) // 2] ^= 1
        os.chmod(path, stat.S_IRUSR | stat.S_IWUSR)
        with open(path, "wb") as f:
            f.write(content)
        a = self.fails("run", self.stats, "--data", p["address"], cause="")
        self.assertRegex(a.error, "(?i)checksum|content|DATASET|PRE_COMPUTE")

    def test_data_that_is_gone_from_the_store(self):
        p = self.n.cli("data", "protect", self.n.file("g.csv", PATIENTS + "x"), who="alice")
        self.n.grant(p["address"], self.stats, "bob", "--count", "5")
        os.unlink(self.blob(p["cid"]))
        a = self.n.cli("run", self.stats, "--data", p["address"], who="bob", code=None)
        self.assertIn(a.code, (3, 4), a)
        self.assertTrue(a.error)

    def test_an_app_that_exits_non_zero(self):
        a = self.fails("run", self.faults, "--args", "exit 7", cause="APP_COMPUTE_FAILED")
        self.assertEqual((a["exitCode"], a["taskStage"], a["stderr"]), (7, "failed", "ending on purpose\n"), a)
        self.assertIn("APP_COMPUTE_FAILED", a["cause"])
        task = a["task"]
        self.assertEqual(self.n.cli("deal", "show", a["deal"])["requester"].lower(), self.n.address("bob"))
        t = self.n.cli("task", "show", task)
        self.assertIn("APP_COMPUTE_FAILED", t["cause"])
        self.assertEqual(t["exitCode"], 7)
        self.assertNotIn("stderr", t.json)
        self.n.cli("result", task, "-o", self.n.folder("nothing"), code=4)
        # what the app printed is the requester's, and nobody else's
        self.assertEqual(self.n.cli("app", "debug", task, "--logs", who="bob")["stderr"], "ending on purpose\n")
        shown = self.n.cli("app", "debug", task, "--logs", who="bob", as_json=False).out
        self.assertIn("stderr\n    ending on purpose\n", shown)
        told = self.n.cli("app", "debug", task, who="alice", as_json=False).out
        self.assertIn("for its requester alone", told)
        self.assertNotIn("on purpose", told)
        for who in ("alice", "carol", "operator"):
            self.refused("app", "debug", task, "--logs", who=who, says="requester")

    def test_an_app_that_crashes(self):
        self.fails("run", self.faults, "--args", "crash", cause="APP_COMPUTE_FAILED")

    def test_an_app_that_writes_no_computed_json(self):
        self.fails("run", self.faults, "--args", "no-computed", cause="COMPUTED_FILE_NOT_FOUND")

    def test_an_app_that_writes_a_broken_computed_json(self):
        self.fails("run", self.faults, "--args", "bad-computed", cause="COMPUTED")

    def test_an_app_that_takes_all_memory(self):
        self.fails("run", self.faults, "--args", "memory", cause="APP_")

    def test_an_app_that_writes_ten_gigabytes(self):
        self.fails("run", self.faults, "--args", "disk", cause="")

    def test_an_app_that_forks_without_end_does_not_harm_the_next(self):
        self.n.cli("run", self.faults, "--args", "fork", "-o", self.n.folder("fork"), who="bob", code=None)
        self.n.cli("run", self.faults, "--args", "ok after", "-o", self.n.folder("after"), who="bob")

    def test_an_app_leaves_no_process_behind(self):
        before = len(harness.descendants(self.n.process.pid))
        self.n.cli("run", self.faults, "--args", "orphan", "-o", self.n.folder("orphan"), who="bob", code=None)
        harness.until("the room is gone", lambda: len(harness.descendants(self.n.process.pid)) <= before, 10)

    def test_a_file_name_that_is_too_long(self):
        self.fails("run", self.faults, "--args", "long-name", cause="TOO_LONG_RESULT_FILE_NAME")

    def test_an_app_sees_nothing_of_the_host(self):
        self.n.cli("run", self.faults, "--args", "host", "-o", self.n.folder("host"), who="bob")
        with open(os.path.join(self.n.folder("host"), "host.txt"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "0 of the host\n")

    def test_the_wrong_key(self):
        r = self.n.cli("run", self.faults, "-o", self.n.folder("right"), who="dave")
        other = self.n.folder("other-keys")
        self.n.cli("run", self.faults, "-o", self.n.folder("x"), who="carol", keystore=other)
        wrong = os.path.join(other, [f for f in os.listdir(other) if f.endswith("_key")][0])
        right = [f for f in os.listdir(self.n.keystore) if f.endswith("_key") and
                 f.lower().startswith(self.n.address("dave"))][0]
        shutil.copy(wrong, os.path.join(other, right))
        self.refused("result", r["task"], "-o", self.n.folder("wrong"), keystore=other, says="Failed to decrypt")

    def test_a_result_tampered_in_the_store(self):
        r = self.n.cli("run", self.faults, "-o", self.n.folder("sound"), who="carol")
        path = self.blob(self.n.cli("task", "show", r["task"])["result"].split("/")[-1])
        with open(path, "rb") as f:
            sound = f.read()
        os.chmod(path, stat.S_IRUSR | stat.S_IWUSR)
        try:
            for at in (45, len(sound) // 2, len(sound) - 3):  # the key, the body, the directory
                with open(path, "wb") as f:
                    f.write(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1:])
                out = self.n.folder(f"tampered{at}")
                self.refused("result", r["task"], "-o", out, says="CID", who="carol")
                self.assertEqual([f for _, _, files in os.walk(out) for f in files], [])
        finally:
            with open(path, "wb") as f:
                f.write(sound)
        self.n.cli("result", r["task"], "-o", self.n.folder("sound again"), who="carol")

    def test_the_result_key_is_private(self):
        self.n.cli("run", self.faults, "-o", self.n.folder("key"), who="carol")
        for name in os.listdir(self.n.keystore):
            if name.endswith("_key"):
                self.assertEqual(os.stat(os.path.join(self.n.keystore, name)).st_mode & 0o777, 0o600)


class ServicesDown(unittest.TestCase):
    """A role that is stopped for good: the command says which one, exit code 5, within seconds."""

    def test_each_service_down_is_said(self):
        with Network() as n:
            n.up()
            app = n.app("faults", "bob")
            data = n.protect("x")
            cases = [("store", ["data", "protect", n.file("s", "x")], "alice"),
                     ("market", ["data", "grant", data, "--app", app, "--user", "bob"], "alice"),
                     ("sms", ["data", "show", data], None),
                     ("chain", ["account", "show", "alice"], None)]
            import signal as sig
            for role, words, who in cases:
                pid = n.pid(role)
                os.kill(pid, sig.SIGSTOP)
                try:
                    a = n.cli(*words, who=who, code=None, timeout=90)
                    self.assertEqual(a.code, 5, a)
                    self.assertTrue(a.error and a["hint"], a)
                finally:
                    os.kill(pid, sig.SIGCONT)
            n.grant(data, app, "bob")
            n.cli("run", app, "--data", data, "-o", n.folder("after"), who="bob")


class Time(unittest.TestCase):
    """An app that does not end, in a category whose work time is 3 s instead of 300."""

    SECONDS = 3

    def shorten_category(self, n):
        """Writes the hub's storage: the place that viewCategory(0) reads 300 + 1 from."""
        hub = n.net["contracts"]["hub"]
        call = {"to": hub, "data": "0x4f5f44ec" + "0" * 64}
        keys = [k for entry in n.rpc("eth_createAccessList", call, "latest")["accessList"] for k in entry["storageKeys"]]
        places = [k for k in keys if int(n.rpc("eth_getStorageAt", hub, k, "latest"), 16) == 301]
        self.assertEqual(len(places), 1, keys)
        n.rpc("anvil_setStorageAt", hub, places[0], "0x" + format(self.SECONDS + 1, "064x"))

    def test_an_app_out_of_time_is_told_at_once_not_paid_and_claimed_back(self):
        with Network() as n:
            n.up()
            self.shorten_category(n)
            app = n.app("faults", "bob")
            before, processes = n.stake("bob"), len(harness.descendants(n.process.pid))
            a = n.cli("run", app, "--args", "loop", who="bob", code=4)
            self.assertIn("APP_COMPUTE_TIMEOUT", a["cause"], a)
            self.assertLess(a.seconds, 20)
            harness.until("the room is gone", lambda: len(harness.descendants(n.process.pid)) <= processes, 10)
            t = n.cli("task", "show", a["task"])
            self.assertIn(t["status"], ("UNSET", "ACTIVE", "TIMEOUT"))
            harness.until("claimed by the scheduler", lambda: n.cli("task", "show", a["task"])["status"] == "FAILED", 90, 1)
            account = n.cli("account", "show", "bob")
            self.assertEqual((int(account["stake"]), int(account["locked"])), (before, 0))
            self.assertIn("APP_COMPUTE_TIMEOUT", n.cli("task", "show", a["task"])["cause"])


if __name__ == "__main__":
    harness.main()
