#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Apps from the command line: what they may reach, and what is told of it."""
import json
import os
import shutil
import socket
import subprocess
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


class Projects(unittest.TestCase):
    """From nothing to a result, with the generator; without a network until one is needed."""

    @classmethod
    def setUpClass(cls):
        cls.n = Network()
        cls.addClassCleanup(cls.n.__exit__, None)

    def here(self, *args, folder=".", code=0, as_json=True, stdin=None):
        """A command in a folder below the test's home."""
        line = [harness.PROGRAM, *args, "--dir", self.n.dir, "--keystore", self.n.keystore]
        if args[0] == "run" or args[:2] == ("app", "deploy"):
            line += ["--as", "bob"]
        if as_json:
            line += ["--json"]
        done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False, input=stdin or "",
                              cwd=os.path.join(self.n.home, folder), env=self.n.env)
        answer = harness.Answer(line, done.returncode, done.stdout, done.stderr, 0)
        self.assertEqual(answer.code, code, answer)
        return answer

    def text(self, *path):
        with open(os.path.join(self.n.home, *path), encoding="utf-8") as f:
            return f.read()

    def test_hello_world_from_nothing(self):
        if self.n.process is None:
            self.n.up()
        self.here("app", "init", "hello")
        self.here("app", "test", folder="hello")
        self.assertEqual(self.text("hello", "output", "result.txt"), "Hello, Alice protected data!\n")
        self.assertIn("deploy comes first", self.here("run", ".", folder="hello", code=3)["hint"])
        self.here("app", "deploy", folder="hello")
        run = self.here("run", ".", "--args", "Bob", folder="hello")
        self.assertEqual(self.text("hello", os.path.basename(run["result"]), "result.txt"), "Hello, Bob!\n")

    def test_every_language_with_every_feature(self):
        for lang in ("python", "javascript", "c"):
            with self.subTest(lang):
                name = f"all-{lang}"
                self.here("app", "init", name, "--language", lang, "--data", "bulk", "--input-files",
                          "--requester-secrets", "--app-secret")
                a = self.here("app", "test", folder=name)
                self.assertEqual(a["files"], 3, a)
                self.assertEqual(self.text(name, "output", "result.txt"), "Hello, Alice foo bar!\n")
                self.assertEqual(self.text(name, "output", "inputFile_1"), "hello\n")
                self.assertIn("Got requester secret 1 (***)!", a["stdout"])
                self.assertIn("Got an app secret (***)!", a["stdout"])
                # Everything again, given by hand.
                secret = self.n.file("secret.txt", "s3cret\n")
                a = self.here("app", "test", "--args", "x 'y z'", "--data", "data3", "--secret", f"7={secret}",
                              "--input-file", secret, folder=name)
                self.assertEqual(self.text(name, "output", "result.txt"), "Hello, x y z baz!\n")
                self.assertIn("Got requester secret 7 (***)!", a["stdout"])
                self.assertNotIn("app secret", a["stdout"])

    def test_a_bare_app_in_every_language(self):
        for lang in ("python", "javascript", "c"):
            with self.subTest(lang):
                name = f"bare-{lang}"
                self.here("app", "init", name, "--language", lang, "--data", "none", "--no-args")
                self.here("app", "test", folder=name)
                self.assertEqual(self.text(name, "output", "result.txt"), "Hello, World!\n")

    def test_questions(self):
        self.here("app", "init", "--ask", stdin="asked app\njs\nno\nnone\n\nyes\n\n")
        self.assertIn("node", self.text("asked app", "app.json"))
        source = self.text("asked app", "src", "app.js")
        self.assertIn("IEXEC_REQUESTER_SECRET_", source)
        self.assertNotIn("deserializer", source)
        self.assertNotIn("%", source)
        self.assertIn("already exists", self.here("app", "init", "asked app", code=3).error)
        self.assertIn("letters", self.here("app", "init", "../x", code=2)["hint"])

    def test_the_same_sources_have_the_same_measurement(self):
        self.here("app", "init", "same")
        first = self.here("app", "build", folder="same")
        self.assertEqual(self.here("app", "build", folder="same")["measurement"], first["measurement"])
        self.assertEqual(self.here("app", "test", folder="same")["measurement"], first["measurement"])
        with open(os.path.join(self.n.home, "same", "src", "app.py"), "a", encoding="utf-8") as f:
            f.write("# another\n")
        self.assertNotEqual(self.here("app", "build", folder="same")["measurement"], first["measurement"])

    def test_what_is_wrong_is_said(self):
        self.here("app", "init", "wrong", "--data", "none")
        path = os.path.join(self.n.home, "wrong", "src", "app.py")
        for source, words in (("import sys; print('oh no'); sys.exit(3)", "exit code 3"),
                              ("pass", "computed.json"),
                              ("open('/iexec_out/computed.json', 'w').write('{')", "computed.json"),
                              ("open('/iexec_out/computed.json', 'w').write("
                               "'{\"deterministic-output-path\":\"/etc/passwd\"}')", "not below"),
                              ("import socket; socket.create_connection(('192.0.2.1', 80))", "exit code 1")):
            with open(path, "w", encoding="utf-8") as f:
                f.write(source + "\n")
            a = self.here("app", "test", folder="wrong", code=4)
            self.assertIn(words, a.error, a)
            self.assertTrue(a["hint"], a)
        self.assertIn("Network is unreachable", a.err)


if __name__ == "__main__":
    harness.main()
