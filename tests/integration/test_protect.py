#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What can be protected: folders, standard input, several at once; keys kept, given, handed over later; where it is stored."""
import base64
import hashlib
import json
import os
import unittest

import harness
from between import Kubo, Line
from harness import Network


class Protect(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.n = n = Network()
        cls.addClassCleanup(n.__exit__, None)
        n.up()
        n.file("d/one.txt", "1")
        n.file("d/sub/two.bin", b"\x89PNG\r\n\x1a\nxx")
        n.file("d/sub/deep/a b.txt", "3" * 100000)
        cls.key = n.folder("key")
        cls.folder = n.cli("data", "protect", n.folder("d"), "--key-out", cls.key, who="alice")

    def opened(self, data, key, name):
        self.n.cli("data", "open", data, "--key-file", key, "-o", self.n.folder(name))
        found = {}
        for folder, _, names in os.walk(self.n.folder(name)):
            for one in names:
                with open(os.path.join(folder, one), "rb") as f:
                    found[os.path.relpath(os.path.join(folder, one), self.n.folder(name))] = f.read()
        return found

    def test_01_a_folder_keeps_its_shape(self):
        self.assertEqual(self.folder["schema"], {"one_txt": "application/octet-stream",
                                                 "sub": {"deep": {"a_b_txt": "application/octet-stream"}, "two_bin": "image/png"}})
        self.assertEqual(self.opened(self.folder["address"], self.key, "out"),
                         {"one_txt": b"1", "sub/two_bin": b"\x89PNG\r\n\x1a\nxx", "sub/deep/a_b_txt": b"3" * 100000})

    def test_02_a_link_in_a_folder_is_refused(self):
        self.n.file("l/a", "1")
        os.symlink("a", self.n.folder("l/b"))
        a = self.n.cli("data", "protect", self.n.folder("l"), who="alice", code=2)
        self.assertIn("neither a file nor a folder", a.error)
        os.mkdir(self.n.folder("empty"))
        self.assertIn("has no file", self.n.cli("data", "protect", self.n.folder("empty"), who="alice", code=2).error)

    def test_03_names_that_would_be_one_key_are_refused(self):
        self.n.file("k/a.b", "1")
        self.n.file("k/a_b/c", "1")
        self.assertIn("would both be the key", self.n.cli("data", "protect", self.n.folder("k"), who="alice", code=2).error)

    def test_04_standard_input_is_protected_and_lies_on_no_disk(self):
        key = self.n.folder("key4")
        p = self.n.cli("data", "protect", "-", "--name", "piped", "--key-out", key, who="alice", stdin="words-from-a-pipe-771")
        self.assertEqual(p["schema"], {"file": "application/octet-stream"})
        for path in self.n.files():
            with open(path, "rb") as f:
                self.assertNotIn(b"words-from-a-pipe-771", f.read(), path)
        self.assertEqual(self.opened(p["address"], key, "out4"), {"file": b"words-from-a-pipe-771"})
        self.assertIn("alone", self.n.cli("data", "protect", "-", self.key, who="alice", code=2).error)

    def test_05_a_key_file_is_private_and_never_overwritten(self):
        self.assertEqual(os.stat(self.key).st_mode & 0o777, 0o600)
        before = self.n.rpc("eth_getTransactionCount", self.n.address("alice"), "latest")
        a = self.n.cli("data", "protect", self.n.folder("d/one.txt"), "--key-out", self.key, who="alice", code=None)
        self.assertNotEqual(a.code, 0)
        self.assertEqual(self.n.rpc("eth_getTransactionCount", self.n.address("alice"), "latest"), before)

    def test_06_another_key_does_not_open_it(self):
        other = self.n.file("other.key", "B0i9vD/v3FkCL/Fg+HDb8mhNZmyBif812tgfZ1IRGRk=\n")
        a = self.n.cli("data", "open", self.folder["address"], "--key-file", other, "-o", self.n.folder("no"), code=3)
        self.assertIn("does not open", a.error)
        self.assertEqual([f for _, _, names in os.walk(self.n.folder("no")) for f in names], [])
        bad = self.n.file("bad.key", "not base64")
        self.assertIn("32 bytes in base64", self.n.cli("data", "open", self.folder["address"], "--key-file", bad, code=None).error)

    def test_07_one_uses_a_key_of_ones_own(self):
        own = self.n.file("own.key", "B0i9vD/v3FkCL/Fg+HDb8mhNZmyBif812tgfZ1IRGRk=\n")
        p = self.n.cli("data", "protect", self.n.file("x", "mine"), "--key-file", own, who="alice")
        self.assertEqual(self.opened(p["address"], own, "out7"), {"file": b"mine"})

    def test_08_several_are_made_at_once_and_one_that_fails_stops_no_other(self):
        a = self.n.cli("data", "protect", "--each", self.n.folder("d/one.txt"), self.n.folder("missing"),
                       self.n.folder("d/sub"), who="alice", code=1)
        one, missing, sub = a["data"]
        self.assertEqual((one["name"], sub["name"]), ("one.txt", "sub"))
        self.assertTrue(one["keyStored"] and sub["keyStored"])
        self.assertIn("can't open", missing["error"])
        self.assertEqual(sub["schema"], {"deep": {"a_b_txt": "application/octet-stream"}, "two_bin": "image/png"})

    def test_09_a_key_that_is_there_is_not_replaced(self):
        a = self.n.cli("data", "push-key", self.folder["address"], "--key-file", self.key, who="alice", code=3)
        self.assertIn("exists already", a.error)

    # ---- an upload that is interrupted

    SIZE = 24 << 20

    def behind(self, line):
        """A network file in which the store is reached by this line."""
        net = json.loads(json.dumps(self.n.net))
        net["services"]["ipfsNode"] = line.url
        return ["--network", self.n.file("behind.json", json.dumps(net))]

    def big(self, name):
        content = os.urandom(1 << 20) * (self.SIZE >> 20)
        return content, self.n.file(name, content)

    def records(self):
        return [f for f in os.listdir(self.n.keystore) if f.startswith(".upload-")] if os.path.isdir(self.n.keystore) else []

    def stored(self, p):
        body = harness.http("GET", f"{self.n.service('ipfsGateway')}/ipfs/{p['cid']}").body
        self.assertEqual("0x" + hashlib.sha256(body).hexdigest(), p["checksum"])
        return body

    def test_10_a_broken_line_is_gone_on_with_by_the_same_command(self):
        _, path = self.big("once.bin")
        line = Line(self.n.service("ipfsNode"), 10 << 20)
        self.addCleanup(line.close)
        line.mended.set()  # it breaks once only
        p = self.n.cli("data", "protect", path, *self.behind(line), who="alice")
        self.assertTrue(line.broken.is_set())
        self.assertLess(line.sent, self.SIZE + (6 << 20), "what was there is not sent again")
        self.stored(p)
        self.assertEqual(self.records(), [])

    def test_11_the_same_command_goes_on_where_another_one_stopped(self):
        content, path = self.big("twice.bin")
        key = self.n.folder("key11")
        line = Line(self.n.service("ipfsNode"), 10 << 20)
        self.addCleanup(line.close)
        words = ["data", "protect", path, "--key-out", key, *self.behind(line)]
        a = self.n.cli(*words, who="alice", code=5)
        self.assertIn("goes on where this one stopped", a["hint"])
        self.assertEqual(len(self.records()), 1)
        with open(key, encoding="ascii") as f:
            raw = base64.b64decode(f.read())
        for name in os.listdir(self.n.keystore):  # nothing of the key lies there
            with open(os.path.join(self.n.keystore, name), "rb") as f:
                kept = f.read()
            self.assertNotIn(base64.b64encode(raw), kept)
            self.assertNotIn(raw.hex().encode(), kept)
        before = line.sent
        line.mended.set()
        p = self.n.cli(*words, who="alice")
        self.assertLess(line.sent - before, self.SIZE - (8 << 20), "the store had ten of it")
        self.assertTrue(p["keyStored"])
        self.stored(p)
        self.assertEqual(self.opened(p["address"], key, "out11"), {"file": content})
        self.assertEqual(self.records(), [])

    def test_12_a_file_that_has_changed_is_another_upload(self):
        _, path = self.big("changed.bin")
        line = Line(self.n.service("ipfsNode"), 10 << 20)
        self.addCleanup(line.close)
        words = ["data", "protect", path, *self.behind(line)]
        self.n.cli(*words, who="alice", code=5)
        with open(path, "r+b") as f:
            f.write(b"another beginning")
        before = line.sent
        line.mended.set()
        p = self.n.cli(*words, who="alice")
        self.assertGreater(line.sent - before, self.SIZE)
        self.stored(p)
        for name in self.records():
            os.unlink(os.path.join(self.n.keystore, name))

    # ---- another node than the network's store

    def test_20_it_is_stored_with_a_node_or_pinning_service_of_ones_own(self):
        kubo = Kubo(self.n.service("ipfsNode"), "Bearer tok3n")
        self.addCleanup(kubo.close)
        path, token = self.n.file("own-node", "kept elsewhere"), self.n.file("token", "Bearer tok3n\n")
        p = self.n.cli("data", "protect", path, "--upload-url", kubo.url, "--upload-auth", token, who="alice")
        ((called, authorization),) = kubo.calls
        self.assertTrue(called.startswith("/api/v0/add?"), called)
        self.assertEqual(authorization, "Bearer tok3n")
        self.stored(p)
        wrong = self.n.file("wrong-token", "Bearer no\n")
        a = self.n.cli("data", "protect", path, "--upload-url", kubo.url, "--upload-auth", wrong, who="alice", code=3)
        self.assertIn("403", a.error)
        self.assertNotIn("Bearer", a.out + a.err)

    def test_21_a_node_that_makes_another_cid_is_refused(self):
        raw = b'{"Name":"x","Hash":"bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e","Size":"14"}\n'
        kubo = Kubo(None, answers=raw)
        self.addCleanup(kubo.close)
        before = self.n.rpc("eth_getTransactionCount", self.n.address("alice"), "latest")
        a = self.n.cli("data", "protect", self.n.file("own", "other options"), "--upload-url", kubo.url, who="alice", code=None)
        self.assertNotEqual(a.code, 0)
        self.assertIn("Kubo's default options", a["hint"])
        self.assertEqual(self.n.rpc("eth_getTransactionCount", self.n.address("alice"), "latest"), before)

    def test_22_a_secret_header_goes_to_no_stranger_in_clear(self):
        token, path = self.n.file("token2", "Bearer x"), self.n.file("own2", "x")
        a = self.n.cli("data", "protect", path, "--upload-url", "http://node.example", "--upload-auth", token, who="alice", code=2)
        self.assertIn("https://", a.error)
        self.assertIn("http", self.n.cli("data", "protect", path, "--upload-url", "ftp://x", who="alice", code=2).error)
        self.n.cli("data", "protect", path, "--upload-auth", token, who="alice", code=2)


if __name__ == "__main__":
    harness.main()
