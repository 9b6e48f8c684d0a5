#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same programs on the official contracts: hub and registries from the bytecode of their published package.

Skipped where the package is not at hand and cannot be fetched.
"""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import harness
from harness import BUILD, Network, PATIENTS, ROOT, expected_statistics

NO_PACKAGE = 77
PACKAGE = os.path.join(ROOT, ".tools/poco-6.1.0")


def programs_beside(chain):
    """A folder with the programs of the build, but another chain beside them."""
    for name in ("strongroom", "room", "strongroom-vault"):
        shutil.copy2(os.path.join(BUILD, name), os.path.join(os.path.dirname(chain), name))
    os.symlink(os.path.join(BUILD, "iapps"), os.path.join(os.path.dirname(chain), "iapps"))


class Official(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bin = tempfile.mkdtemp(prefix="sr-official-")
        cls.addClassCleanup(shutil.rmtree, cls.bin, ignore_errors=True)
        chain = os.path.join(cls.bin, "contracts")
        node = os.path.join(ROOT, ".tools/bin/node")
        made = subprocess.run(
            [node if os.path.exists(node) else "node", os.path.join(ROOT, "contracts/deploy.mjs"), chain,
             os.path.join(BUILD, "contracts/out"), "--official"],
            capture_output=True, text=True, timeout=180, check=False)
        if made.returncode == NO_PACKAGE:
            raise unittest.SkipTest("the official package is not at hand")
        if made.returncode != 0:
            raise AssertionError(made.stderr)
        programs_beside(chain)
        cls.old, harness.PROGRAM = harness.PROGRAM, os.path.join(cls.bin, "strongroom")
        cls.addClassCleanup(setattr, harness, "PROGRAM", cls.old)
        cls.n = Network()
        cls.addClassCleanup(cls.n.__exit__, None)
        cls.n.up()

    def test_1_the_hub_is_theirs(self):
        places = {"hub": "Diamond.sol/Diamond", "appRegistry": "registries/apps/AppRegistry.sol/AppRegistry",
                  "datasetRegistry": "registries/datasets/DatasetRegistry.sol/DatasetRegistry",
                  "workerpoolRegistry": "registries/workerpools/WorkerpoolRegistry.sol/WorkerpoolRegistry"}
        for name, place in places.items():
            with open(os.path.join(PACKAGE, "artifacts/contracts", place + ".json"), encoding="utf-8") as f:
                built = json.load(f)["deployedBytecode"]
            code = self.n.rpc("eth_getCode", self.n.net["contracts"][name], "latest")
            self.assertEqual(len(code), len(built), name)  # registries have immutables
            if name == "hub":
                self.assertEqual(code, built)

    def test_2_the_main_job_is_done_on_it(self):
        n = self.n
        app = n.app("patient-stats", "bob")
        data = n.protect(PATIENTS, name="patients.csv")
        n.grant(data, app, "bob", "--count", "unlimited")
        run = n.cli("run", app, "--data", data, "--args", "ward dose", "-o", n.folder("bob"), who="bob")
        self.assertEqual(run["status"], "COMPLETED")
        with open(os.path.join(n.folder("bob"), "result.csv"), encoding="utf-8") as f:
            self.assertEqual(f.read(), expected_statistics())
        deal = n.cli("deal", "show", run["deal"])
        self.assertEqual((deal["app"], deal["data"]), (app, data))
        self.assertEqual(n.cli("task", "show", run["task"])["status"], "COMPLETED")

    def test_3_who_has_no_grant_is_refused(self):
        n = self.n
        app = n.app("patient-stats", "bob")
        data = n.protect(PATIENTS, name="others.csv")
        n.grant(data, app, "bob")
        a = n.cli("run", app, "--data", data, "--args", "ward dose", who="carol", code=3)
        self.assertIn("grant", (a.error + a["hint"]).lower())
        n.cli("run", app, "--data", data, "--args", "ward dose", "-o", n.folder("once"), who="bob")
        # one access was granted: it is used up, on the chain
        a = n.cli("run", app, "--data", data, "--args", "ward dose", "-o", n.folder("twice"), who="bob", code=3)
        self.assertIn("grant", (a.error + a["hint"]).lower())

    def test_4_a_revoked_grant_is_closed_on_their_hub(self):
        n = self.n
        app = n.app("patient-stats", "bob")
        data = n.protect(PATIENTS, name="revoked.csv")
        n.grant(data, app, "bob", "--count", "5")
        n.cli("data", "revoke", data, who="alice")
        a = n.cli("run", app, "--data", data, "--args", "ward dose", who="bob", code=3)
        self.assertIn("grant", (a.error + a["hint"]).lower())

    def test_5_money_goes_in_and_out(self):
        n = self.n
        before = n.stake("dave")
        n.cli("account", "deposit", "1000", who="dave")
        self.assertEqual(n.stake("dave"), before + 1000)
        n.cli("account", "withdraw", "400", who="dave")
        self.assertEqual(n.stake("dave"), before + 600)


if __name__ == "__main__":
    harness.main()
