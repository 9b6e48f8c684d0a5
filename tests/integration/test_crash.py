#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of every role, at random moments of the main job. Afterwards: the task completed, or failed with a cause;
nothing is lost, no process is left, and the next run works. The seed is printed."""
import os
import random
import signal
import time
import unittest

import harness
from harness import Network, PATIENTS, expected_statistics

ROUNDS = int(os.environ.get("STRONGROOM_CRASH_ROUNDS", "3"))
ROLES = ["store", "market", "sms", "vault-sms", "vault-scheduler", "vault-worker", "scheduler", "worker"]


class Crash(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.n = Network()
        cls.addClassCleanup(cls.n.__exit__, None)
        cls.n.up()
        n = cls.n
        cls.app = n.app("patient-stats", "bob")
        cls.data = n.protect(PATIENTS)
        n.grant(cls.data, cls.app, "bob", "--count", "unlimited")
        began = time.monotonic()
        n.cli("run", cls.app, "--data", cls.data, "--args", "ward dose", "-o", n.folder("warm"), who="bob")
        cls.typical = time.monotonic() - began
        cls.runs = 0


    def check_result(self, folder):
        with open(os.path.join(folder, "result.csv"), encoding="utf-8") as f:
            self.assertEqual(f.read(), expected_statistics())

    def run_and_kill(self, role, after):
        n, cls = self.n, type(self)
        cls.runs += 1
        out = n.folder(f"crash-{cls.runs}")
        stake = n.stake("bob")
        p = n.start("run", self.app, "--data", self.data, "--args", "ward dose", "-o", out, who="bob")
        time.sleep(after)
        old = n.kill(role)
        a = n.finish(p)
        said, err = a.out, a.err
        n.wait_ready(role, other_than=old)
        what = f"{role} killed after {after:.3f} s: exit {p.returncode}\n{said}\n{err}\n{n.tails(6)}"
        self.assertIn(p.returncode, (0, 3, 4, 5), what)
        if p.returncode == 0:
            self.check_result(out)
        else:
            self.assertIn('"hint"', said, what)
            self.assertNotIn('"error":""', said, what)
        self.assertEqual(n.stake("bob"), stake, what)
        return p.returncode

    def works_again(self):
        out = self.n.folder(f"after-{type(self).runs}-{random.randrange(1 << 30)}")
        self.n.cli("run", self.app, "--data", self.data, "--args", "ward dose", "-o", out, who="bob")
        self.check_result(out)


def kill_test(role):
    def test(self):
        for _ in range(ROUNDS):
            self.run_and_kill(role, random.uniform(0, self.typical * 1.2))
        self.works_again()
    test.__doc__ = f"{role} dies at random moments"
    return test


for _role in ROLES:
    setattr(Crash, f"test_{_role.replace('-', '_')}_killed_at_random_moments", kill_test(_role))


class Together(unittest.TestCase):
    def test_two_roles_at_once(self):
        with Network() as n:
            n.up()
            app = n.app("faults", "bob")
            for i in range(ROUNDS):
                p = n.start("run", app, "--args", "ok x", "-o", n.folder(f"two-{i}"), who="bob")
                time.sleep(random.uniform(0, 0.8))
                pair = random.sample(ROLES, 2)
                old = [(r, n.kill(r)) for r in pair]
                a = n.finish(p)
                self.assertIn(p.returncode, (0, 3, 4, 5), f"{pair} {a} {n.tails(6)}")
                for role, pid in old:
                    n.wait_ready(role, other_than=pid)
            n.cli("run", app, "--args", "ok y", "-o", n.folder("two-after"), who="bob")

    def test_the_chain_killed_loses_at_most_what_it_had_not_saved(self):
        with Network() as n:
            n.up()
            app = n.app("faults", "bob")
            data = n.protect("x")
            n.grant(data, app, "bob", "--count", "unlimited")
            n.cli("run", app, "--data", data, "--args", "copy", "-o", n.folder("before"), who="bob")
            time.sleep(4)  # anvil saves its state every 3 s: what is older must be there afterwards
            for i in range(ROUNDS):
                p = n.start("run", app, "--data", data, "--args", "copy", "-o", n.folder(f"chain-{i}"), who="bob")
                time.sleep(random.uniform(0, 1.0))
                old = n.kill("chain")
                a = n.finish(p)
                n.wait_ready("chain", other_than=old)
                self.assertIn(p.returncode, (0, 3, 4, 5), f"{a} {n.tails(6)}")
            self.assertEqual(n.cli("data", "show", data)["address"], data)

            def works():
                return n.cli("run", app, "--data", data, "--args", "copy", "-o", n.folder(f"c-{time.monotonic()}"), who="bob",
                             code=None).code == 0
            harness.until("runs work again", works, 60, every=0.5)

    def test_the_supervisor_killed_in_the_middle_of_a_run(self):
        with Network() as n:
            n.up()
            app = n.app("faults", "bob")
            p = n.start("run", app, "--args", "ok z1", "--no-wait", who="bob")
            a = n.finish(p)
            self.assertEqual(a.code, 0, a)
            task = a["task"]
            time.sleep(random.uniform(0.1, 1.0))
            n.down(signal.SIGKILL)
            n.up()
            a = n.cli("task", "wait", task, code=None, timeout=150)
            self.assertIn(a.code, (0, 3, 4), f"{a} {n.tails()}")  # 3: the chain had not saved the deal
            n.cli("run", app, "--args", "ok z", "-o", n.folder("z"), who="bob")


if __name__ == "__main__":
    harness.main()
