#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""up, down, status: starting, stopping, going on, and what goes wrong."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import harness
from harness import Network, PROGRAM


def up(args, env, timeout=harness.UP_S):
    return subprocess.run([PROGRAM, "up", *args], capture_output=True, text=True, timeout=timeout, check=False, env=env,
                          stdin=subprocess.DEVNULL)


class Up(unittest.TestCase):
    def test_a_network_is_ready_at_once_and_says_what_it_is(self):
        with Network() as n:
            n.up()
            self.assertLess(n.ready_ms, 10000)
            self.assertEqual(n.net["version"], 1)
            self.assertEqual(n.net["chainId"], 421614)
            self.assertTrue(n.net["simulated"])
            names = [a["name"] for a in n.net["accounts"]]
            self.assertEqual(names[:6], ["alice", "bob", "carol", "dave", "operator", "worker"])
            self.assertEqual(len(names), 10)
            for service in n.net["services"].values():
                self.assertRegex(service, r"^http://127\.0\.0\.1:\d+(/subgraphs/\w+)?$")
            a = n.cli("account", "show", "alice")
            self.assertGreater(int(a["gas"]), 0)
            self.assertGreater(int(a["wallet"]), 0)

    def test_every_part_is_built(self):
        with Network() as n:
            n.up()
            self.assertEqual([r["name"] for r in n.roles().values() if r["state"] != "ready"], [])

    def test_several_workers_share_a_deal_of_many_tasks(self):
        with Network() as n:
            n.up("--workers", "3")
            pool = harness.http("GET", n.service("scheduler") + "/v1/pool").json
            self.assertEqual(sorted(w["name"] for w in pool["workers"]), ["worker", "worker-2", "worker-3"])
            app = n.app("faults")
            n.cli("result", "push-key", who="bob")
            params = json.dumps({"iexec_args": "ok", "iexec_result_encryption": True})
            request = n.cli("order", "sign", "request", app, "--count", "12", "--params", params, "--publish", who="bob")
            offer = {k: n.cli("order", "book", k, a, who="bob")["orders"][0]["orderHash"]
                     for k, a in (("app", app), ("workerpool", n.net["workerpool"]["address"]))}
            deal = n.cli("order", "fill", "--app", offer["app"], "--workerpool", offer["workerpool"],
                         "--request", request["orderHash"], who="bob")
            harness.until("all are computed", lambda: all(
                t["status"] == "COMPLETED" for t in n.cli("task", "list", "--app", app, who="bob")["tasks"]), 60)
            tasks = n.cli("task", "list", "--app", app, who="bob")["tasks"]
            self.assertEqual((len(tasks), {t["deal"] for t in tasks}), (12, {deal["deal"]}))
            workers = {n.cli("task", "show", t["task"])["worker"] for t in tasks}
            self.assertGreater(len(workers), 1)
            self.assertTrue(workers <= {w["worker"] for w in pool["workers"]})

    def test_network_json_is_for_its_owner_only(self):
        with Network() as n:
            n.up()
            for path in ("network.json", "keys/sms.key", "keys/master.key", "keys/worker.key"):
                self.assertEqual(os.stat(os.path.join(n.dir, path)).st_mode & 0o077, 0, path)

    def test_ctrl_c_stops_all_within_seconds(self):
        with Network() as n:
            n.up()
            self.assertLess(n.down(signal.SIGINT), 5)

    def test_down_stops_all(self):
        with Network() as n:
            n.up()
            done = subprocess.run([PROGRAM, "down", "--dir", n.dir], capture_output=True, text=True, env=n.env, timeout=20,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(n.process.wait(timeout=5), 0)
            n.down()

    def test_a_killed_supervisor_leaves_nothing_behind(self):
        with Network() as n:
            n.up()
            pids = harness.descendants(n.process.pid)
            self.assertGreater(len(pids), 1)
            n.down(signal.SIGKILL)
            for p in pids:
                self.assertIn(harness.state_of(p), ("", "Z"))
            n.up()

    def test_a_second_up_goes_on_with_nothing_lost(self):
        with Network() as n:
            n.up()
            n.cli("account", "deposit", "12345", who="carol")
            stake, block = n.stake("carol"), n.block()
            n.down()
            n.up()
            self.assertEqual(n.stake("carol"), stake)
            self.assertGreaterEqual(n.block(), block)

    def test_a_second_instance_in_the_same_folder_is_refused(self):
        with Network() as n:
            n.up()
            second = up(["--dir", n.dir, "--port", "0", "--json"], n.env)
            self.assertEqual(second.returncode, 3)
            said = json.loads(second.stdout)
            self.assertIn("already running", said["error"])
            self.assertIn("down", said["hint"])

    def test_a_busy_port_is_named(self):
        with socket.socket() as s, Network() as n:
            s.bind(("127.0.0.1", 0))
            s.listen()
            port = s.getsockname()[1]
            done = up(["--dir", n.dir, "--port", str(port)], n.env)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(str(port), done.stderr)
            self.assertIn("what to do", done.stderr)
            n.no_orphans()

    def test_a_missing_chain_program_is_named(self):
        with Network() as n:
            done = up(["--dir", n.dir, "--port", "0"], {**n.env, "STRONGROOM_ANVIL": "/nowhere/anvil"})
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("anvil", done.stderr)
            self.assertIn("what to do", done.stderr)

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("unshare"), "needs a mount namespace")
    def test_a_full_disk_is_said(self):
        with Network() as n:
            script = (f"mkdir -p {n.dir} && mount -t tmpfs -o size=900k none {n.dir} && "
                      f"exec {PROGRAM} up --dir {n.dir} --port 0")
            done = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", script], capture_output=True,
                                  text=True, timeout=60, check=False, env=n.env, stdin=subprocess.DEVNULL)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("No space left", done.stderr)
            n.no_orphans()

    def test_wrong_flags_are_usage_errors(self):
        with Network() as n:
            for flags in (["--nonsense"], ["--port", "x"], ["--port", "99999"], ["--dir"]):
                done = up(flags, n.env)
                self.assertEqual(done.returncode, 2, flags)
                self.assertIn("what to do", done.stderr)

    def test_detached_it_lives_on_and_down_ends_it(self):
        with Network() as n:
            done = up(["--dir", n.dir, "--port", "0", "--detach", "--json"], n.env)
            self.assertEqual(done.returncode, 0, done.stderr)
            n.read_network()
            self.assertGreater(n.block(), -1)
            status = subprocess.run([PROGRAM, "status", "--dir", n.dir, "--json"], capture_output=True, text=True, env=n.env,
                                    timeout=10, check=False)
            self.assertEqual(status.returncode, 0)
            self.assertTrue(json.loads(status.stdout)["ready"])
            subprocess.run([PROGRAM, "down", "--dir", n.dir], env=n.env, timeout=20, check=True, capture_output=True)
            n.no_orphans()

    def test_a_dead_role_is_started_again(self):
        with Network() as n:
            n.up()
            for role in ("store", "market", "sms", "scheduler", "worker"):
                if n.roles().get(role, {}).get("state") != "ready":
                    continue
                old = n.kill(role)
                n.wait_ready(role, other_than=old)

    def test_a_command_without_a_network_says_what_to_do(self):
        folder = tempfile.mkdtemp(prefix="sr-")
        try:
            done = subprocess.run([PROGRAM, "data", "list", "--as", "alice", "--dir", folder], capture_output=True, text=True,
                                  timeout=20, check=False, env={"HOME": folder})
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("strongroom up", done.stderr)
        finally:
            shutil.rmtree(folder)

    def test_a_stopped_network_is_a_service_down(self):
        with Network() as n:
            n.up()
            n.down()
            began = time.monotonic()
            a = n.cli("account", "show", "alice", code=5)
            self.assertIn("what to do" if not a.json else "hint", str(a.json or a.err))
            self.assertLess(time.monotonic() - began, 6)  # 2 s, on a machine that does other things


if __name__ == "__main__":
    harness.main()
