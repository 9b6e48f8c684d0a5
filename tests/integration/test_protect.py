#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What can be protected: folders, standard input, several at once; keys kept, given, handed over later."""
import os
import unittest

import harness
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


if __name__ == "__main__":
    harness.main()
