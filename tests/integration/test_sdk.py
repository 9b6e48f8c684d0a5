#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""libstrongroom from outside: pkg-config, the example programs, the reference pages, the command line's manners."""
import os
import shutil
import subprocess
import tempfile
import time
import unittest

import harness
from harness import Network, PATIENTS, PROGRAM, ROOT, BUILD, expected_statistics


class Sdk(unittest.TestCase):
    def compile(self, name, folder):
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "strongroom"], capture_output=True, text=True, check=True,
                               env={**os.environ, "PKG_CONFIG_PATH": os.path.join(BUILD, "meson-uninstalled")}).stdout.split()
        program = os.path.join(folder, name)
        subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-I", os.path.join(ROOT, "include"),
                        os.path.join(ROOT, "examples", name + ".c"), *flags, "-o", program], check=True)
        return program

    @unittest.skipUnless(shutil.which("pkg-config") and shutil.which("cc"), "needs pkg-config and cc")
    def test_the_examples_are_built_by_pkg_config_and_do_the_story(self):
        with Network() as n:
            n.up()
            protect, run = self.compile("protect", n.home), self.compile("run", n.home)
            app = n.app("patient-stats", "bob")
            csv = n.file("p.csv", PATIENTS)
            env = {**n.env, "STRONGROOM_KEYSTORE": n.keystore}
            done = subprocess.run([protect, n.dir, "alice", csv, app, "bob"], capture_output=True, text=True, env=env,
                                  timeout=60, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            data = done.stdout.split()[0]
            out = n.folder("out")
            done = subprocess.run([run, n.dir, "bob", app, data, out], capture_output=True, text=True, env=env, timeout=120,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("completed", done.stderr)
            with open(os.path.join(out, "result.csv"), encoding="utf-8") as f:
                self.assertEqual(f.read(), expected_statistics())

    def test_the_header_stands_alone_in_c_and_cplusplus(self):
        for compiler, kind in (("cc", "c"), ("c++", "c++")):
            if not shutil.which(compiler):
                continue
            for header in ("strongroom", "deserializer", "status"):
                done = subprocess.run([compiler, "-x", kind, "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-I",
                                       os.path.join(ROOT, "include"), "-"], input=f"#include <strongroom/{header}.h>\n", text=True,
                                      capture_output=True, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)


class CommandLine(unittest.TestCase):
    def run_it(self, *args, **more):
        return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=20, check=False,
                              stdin=subprocess.DEVNULL, **more)

    def test_the_reference_pages_are_those_of_the_table(self):
        for page, flag in (("cli.md", "--markdown"), ("strongroom.1", "--man")):
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

    def test_it_starts_in_less_than_ten_milliseconds(self):
        folder = tempfile.mkdtemp(prefix="sr-")
        try:
            best = 9.0
            for _ in range(30):
                began = time.perf_counter()
                self.run_it("wallet", "list", "--json", "--keystore", folder, "--dir", folder)
                best = min(best, time.perf_counter() - began)
            self.assertLess(best, 0.010)
        finally:
            shutil.rmtree(folder)

    def test_a_password_is_never_an_option(self):
        text = self.run_it("help", "--markdown").stdout
        self.assertNotIn("--password ", text.replace("--password-file", ""))
        self.assertNotIn("--private-key", text)


if __name__ == "__main__":
    harness.main()
