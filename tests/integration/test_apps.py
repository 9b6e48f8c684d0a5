#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Apps from the command line: what they may reach, and what is told of it."""
import json
import os
import shutil
import socket
import threading
import unittest

import harness
from harness import Network

NETAPP = os.path.join(harness.BUILD, "tests", "integration", "netapp")


class Echo:
    """A server of this host that says back what it hears."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.heard = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with connection:
                data = b""
                while part := connection.recv(65536):
                    data += part
                self.heard.append(data)
                connection.sendall(data.upper())

    def close(self):
        self.server.close()


class Egress(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.echo = Echo()
        cls.addClassCleanup(cls.echo.close)
        cls.n = Network()
        cls.addClassCleanup(cls.n.__exit__, None)
        cls.n.up("--egress-loopback", "echo.test,other.test")

    def deploy(self, name, egress):
        folder = self.n.folder(name)
        os.mkdir(folder)
        shutil.copy(NETAPP, os.path.join(folder, "netapp"))
        with open(os.path.join(folder, "app.json"), "w", encoding="utf-8") as f:
            json.dump({"name": name, "entrypoint": "netapp", "egress": egress}, f)
        return self.n.cli("app", "deploy", folder, who="bob")

    def test_a_listed_host_is_reached_and_everybody_is_told(self):
        hosts = [f"echo.test:{self.echo.port}"]
        app = self.deploy("talker", hosts)
        self.assertEqual(app["egress"], hosts)
        self.assertEqual(self.n.cli("app", "show", app["address"])["egress"], hosts)
        data = self.n.protect("a secret")
        grant = self.n.grant(data, app["address"], "bob")
        self.assertEqual(grant["egress"], hosts)
        words = self.n.cli("data", "grant", data, "--app", app["address"], "--user", "carol", who="alice",
                           as_json=False)
        self.assertIn(f"can talk to [\"{hosts[0]}\"], and to nobody else", words.out)
        out = self.n.folder("talker-out")
        run = self.n.cli("run", app["address"], "--data", data, "--args", f"fetch echo.test {self.echo.port} hello",
                         "--out", out, who="bob")
        with open(os.path.join(out, "result.txt"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "HELLO")
        self.assertIn(b"hello", self.echo.heard)
        told = {"connections": 1, "failed": 0, "refused": 0, "sent": 5, "received": 5}
        harness.until("the record", lambda: self.n.cli("task", "show", run["task"]).json.get("egress") == told)
        words = self.n.cli("task", "show", run["task"], as_json=False)
        self.assertIn("1 connections (0 failed), 0 refused, 5 bytes sent, 5 received", words.out)

    def test_what_is_not_listed_is_refused_and_counted(self):
        app = self.deploy("quiet", [])
        words = self.n.cli("app", "show", app["address"], as_json=False)
        self.assertIn("cannot talk to anybody", words.out)
        run = self.n.cli("run", app["address"], "--args", f"ways {self.echo.port}", "--out", self.n.folder("quiet-out"),
                         who="bob")
        harness.until("the record", lambda: self.n.cli("task", "show", run["task"]).json.get("egress"))
        told = self.n.cli("task", "show", run["task"])["egress"]
        self.assertEqual(told["connections"], 0)
        self.assertGreaterEqual(told["refused"], 6)
        # A failed task's record has it, too.
        failed = self.n.cli("run", app["address"], "--args", f"fetch echo.test {self.echo.port} x", who="bob", code=None)
        self.assertNotEqual(failed.code, 0, failed)

    def test_a_raw_address_cannot_be_listed(self):
        folder = self.n.folder("raw")
        os.mkdir(folder)
        shutil.copy(NETAPP, os.path.join(folder, "netapp"))
        with open(os.path.join(folder, "app.json"), "w", encoding="utf-8") as f:
            json.dump({"name": "raw", "entrypoint": "netapp", "egress": ["192.0.2.1:443"]}, f)
        a = self.n.cli("app", "deploy", folder, who="bob", code=2)
        self.assertIn("egress", a.error)


if __name__ == "__main__":
    harness.main()
