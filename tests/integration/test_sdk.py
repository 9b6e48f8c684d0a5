#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""libstrongroom from outside: pkg-config, the example programs, the reference pages, the command line's manners."""
import os
import pty
import shutil
import signal
import subprocess
import tempfile
import termios
import unittest

import harness
from harness import Network, PATIENTS, PROGRAM, ROOT, BUILD


class Sdk(unittest.TestCase):
    def test_the_binary_interface_is_the_one_written_down(self):
        done = subprocess.run([os.path.join(ROOT, "tools", "abi")], capture_output=True, text=True, check=False,
                              env={**os.environ, "STRONGROOM_BUILD": BUILD})
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_the_static_library_has_no_other_global_name(self):
        """A program may have functions of the names that ours have inside."""
        archive = os.path.join(BUILD, "src", "sdk", "libstrongroom.a")
        lines = subprocess.run(["nm", "-g", "--defined-only", archive], capture_output=True, text=True, check=True).stdout
        names = {line.split()[2] for line in lines.splitlines() if len(line.split()) == 3}
        with open(os.path.join(ROOT, "src", "sdk", "strongroom.map"), encoding="utf-8") as f:
            written = {line.strip().rstrip(";") for line in f if line.strip().startswith("sr_")}
        self.assertEqual(names, written)
        with tempfile.TemporaryDirectory() as home:
            source = os.path.join(home, "own.c")
            with open(source, "w", encoding="ascii") as f:
                f.write("#include <strongroom/strongroom.h>\n#include <stdio.h>\n"
                        "int json_parse(void);\nint json_parse(void) { return 7; }\n"
                        "int main(void) { struct sr_err e = {0}; struct sr_client *c = NULL; struct sr_options o = {0};\n"
                        "  int st = sr_client_open(&o, &c, &e); sr_client_close(c);\n"
                        "  printf(\"%d\\n\", json_parse()); return st != 0; }\n")
            program = self.compile("own", home, False, source)
            done = subprocess.run([program], capture_output=True, text=True, timeout=20, check=False,
                                  env={**os.environ, "HOME": home})
            self.assertEqual((done.returncode, done.stdout), (0, "7\n"), done.stderr)

    def compile(self, name, folder, shared, source=None):
        how = ["--cflags", "--libs", *([] if shared else ["--static"])]
        flags = subprocess.run(["pkg-config", *how, "strongroom"], capture_output=True, text=True, check=True,
                               env={**os.environ, "PKG_CONFIG_PATH": os.path.join(BUILD, "meson-uninstalled")}).stdout.split()
        if not shared:
            flags = ["-l:libstrongroom.a" if f == "-lstrongroom" else f for f in flags]
        program = os.path.join(folder, name)
        subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-I", os.path.join(ROOT, "include"),
                        source or os.path.join(ROOT, "examples", name + ".c"), *flags, "-o", program], check=True)
        return program

    @unittest.skipUnless(shutil.which("pkg-config") and shutil.which("cc"), "needs pkg-config and cc")
    def test_the_examples_are_built_by_pkg_config_and_do_the_story(self):
        with Network() as n:
            n.up()
            protect, run = self.compile("protect", n.home, True), self.compile("run", n.home, False)
            app = n.app("patient-stats", "bob")
            csv = n.file("p.csv", PATIENTS)
            env = {**n.env, "STRONGROOM_KEYSTORE": n.keystore, "LD_LIBRARY_PATH": os.path.join(BUILD, "src", "sdk")}
            done = subprocess.run([protect, n.dir, "alice", csv, app, "bob"], capture_output=True, text=True, env=env,
                                  timeout=60, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            data = done.stdout.split()[0]
            out = n.folder("out")
            done = subprocess.run([run, n.dir, "bob", app, data, out], capture_output=True, text=True, env=env, timeout=120,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("completed", done.stderr)
            self.assertTrue(os.path.exists(os.path.join(out, "result.csv")))

    def test_the_header_stands_alone_in_c_and_cplusplus(self):
        for compiler, kind in (("cc", "c"), ("c++", "c++")):
            if not shutil.which(compiler):
                continue
            for header in ("strongroom", "deserializer", "status", "failure"):
                done = subprocess.run([compiler, "-x", kind, "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-I",
                                       os.path.join(ROOT, "include"), "-"], input=f"#include <strongroom/{header}.h>\n", text=True,
                                      capture_output=True, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)


class CommandLine(unittest.TestCase):
    def run_it(self, *args, **more):
        return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=20, check=False,
                              stdin=subprocess.DEVNULL, **more)

    def test_the_reference_pages_are_those_of_the_table(self):
        for page, flag in (("cli.md", "--markdown"), ("strongroom.1", "--man"), ("failures.md", "--failures")):
            with open(os.path.join(ROOT, "docs", page), encoding="utf-8") as f:
                self.assertEqual(f.read(), self.run_it("help", flag).stdout, f"strongroom help {flag} > docs/{page}")

    def test_help_goes_to_stdout_and_complaints_to_stderr(self):
        for args in (["help"], ["--help"], ["-h"], ["version"], ["run", "--help"], ["help", "data", "grant"], ["data", "--help"]):
            done = self.run_it(*args)
            self.assertEqual((done.returncode, done.stderr), (0, ""), args)
            self.assertTrue(done.stdout)
        for args in ([], ["nonsense"], ["data"], ["data", "nonsense"], ["run"], ["data", "list", "--nonsense"], ["help", "no"]):
            done = self.run_it(*args)
            self.assertEqual((done.returncode, done.stdout), (2, ""), args)
            self.assertTrue(done.stderr)

    def test_a_password_is_never_an_option(self):
        text = self.run_it("help", "--markdown").stdout
        self.assertNotIn("--password ", text.replace("--password-file", ""))
        self.assertNotIn("--private-key", text)


    def test_a_reader_that_went_away_is_no_failure_to_tell_of(self):
        for args in (["help"], ["wallet", "list"], ["wallet", "list", "--json"], ["data", "list", "--help"]):
            with tempfile.TemporaryDirectory() as home:
                reader, writer = os.pipe()
                os.close(reader)
                try:
                    done = subprocess.run([PROGRAM, *args], stdout=writer, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                          timeout=20, check=False, env={**os.environ, "HOME": home})
                finally:
                    os.close(writer)
                self.assertEqual((done.returncode, done.stderr), (-signal.SIGPIPE, b""), args)

    def test_an_answer_that_cannot_be_written_is_a_failure(self):
        for args in (["help"], ["wallet", "list"]):
            with tempfile.TemporaryDirectory() as home, open("/dev/full", "wb") as full:
                done = subprocess.run([PROGRAM, *args], stdout=full, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=20,
                                      check=False, env={**os.environ, "HOME": home})
                self.assertEqual(done.returncode, 1, args)
                self.assertIn(b"could not be written", done.stderr)


class Terminal(unittest.TestCase):
    """What a person at a terminal meets."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sr-")

    def tearDown(self):
        shutil.rmtree(self.folder)

    def talk(self, args, answers):
        """Runs a command on a terminal of its own, answers each question; returns (exit code, all that was shown)."""
        pid, fd = pty.fork()
        if pid == 0:
            os.environ["HOME"] = self.folder
            os.execv(PROGRAM, [PROGRAM, *args, "--keystore", self.folder, "--dir", self.folder])
        shown, asked = b"", 0
        while True:
            try:
                got = os.read(fd, 4096)
            except OSError:
                break
            if not got:
                break
            shown += got
            if shown.count(b": ") > asked and shown.endswith(b": ") and answers:
                asked = shown.count(b": ")
                os.write(fd, answers.pop(0).encode() + b"\n")
        os.close(fd)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()

    def test_passwords_are_asked_for_twice_and_not_shown(self):
        code, shown = self.talk(["wallet", "new", "--name", "w"], ["open sesame", "open sesame"])
        self.assertEqual(code, 0, shown)
        self.assertNotIn("sesame", shown)
        self.assertIn("New password", shown)
        code, shown = self.talk(["wallet", "export", "w"], ["open sesame"])
        self.assertEqual(code, 0, shown)
        self.assertRegex(shown, "0x[0-9a-f]{64}")
        code, shown = self.talk(["wallet", "export", "w"], ["wrong"])
        self.assertEqual(code, 3, shown)
        mine = os.path.join(self.folder, "mine")
        with open(mine, "w", encoding="utf-8") as f:
            f.write("something of mine")
        code, shown = self.talk(["wallet", "export", "w", "-o", mine], ["open sesame"])
        self.assertEqual(code, 3, shown)
        self.assertIn("exists", shown)
        with open(mine, encoding="utf-8") as f:
            self.assertEqual(f.read(), "something of mine")
        code, shown = self.talk(["wallet", "export", "w", "-o", mine, "--force"], ["open sesame"])
        self.assertEqual(code, 0, shown)
        with open(mine, encoding="utf-8") as f:
            self.assertRegex(f.read(), "^0x[0-9a-f]{64}\n$")

    def test_two_different_passwords_are_refused(self):
        code, shown = self.talk(["wallet", "new"], ["one", "two"])
        self.assertEqual(code, 2, shown)
        self.assertIn("differ", shown)
        self.assertEqual([f for f in os.listdir(self.folder) if f.startswith("UTC")], [])

    def test_a_private_key_is_asked_for_without_echo(self):
        key = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
        code, shown = self.talk(["wallet", "import"], [key, "pw", "pw"])
        self.assertEqual(code, 0, shown)
        self.assertNotIn(key[2:], shown)
        self.assertIn("0x2c7536e3605d9c16a7a3d7b1898e529396a65c23", shown)

    def test_the_terminal_echoes_again_after_an_interrupt(self):
        pid, fd = pty.fork()
        if pid == 0:
            os.execv(PROGRAM, [PROGRAM, "wallet", "new", "--keystore", self.folder, "--dir", self.folder])
        shown = b""
        while not shown.endswith(b": "):
            shown += os.read(fd, 100)
        self.assertFalse(termios.tcgetattr(fd)[3] & termios.ECHO)
        os.write(fd, b"\x03")
        os.waitpid(pid, 0)
        self.assertTrue(termios.tcgetattr(fd)[3] & termios.ECHO)
        os.close(fd)


if __name__ == "__main__":
    harness.main()
