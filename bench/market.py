# SPDX-License-Identifier: Apache-2.0
"""A chain and markets of a benchmark's own, for tools/bench: load comes from bench_market."""
import json
import os
import select
import signal
import subprocess

CONTRACTS = ["hub", "dataProtector", "sharing", "appWhitelistRegistry"]


class Bed:
    """One private chain, one or more markets on it."""

    def __init__(self, build, anvil, home):
        self.build, self.home, self.markets = build, home, []
        with open(os.path.join(build, "contracts", "chain.json"), encoding="utf-8") as f:
            self.chain = json.load(f)
        self.anvil = subprocess.Popen(
            [anvil, "--port", "0", "--chain-id", str(self.chain["chainId"]), "--hardfork", "prague",
             "--load-state", os.path.join(build, "contracts", "chain-state.json")],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.anvil.stdout:
            if line.startswith("Listening on "):
                self.port = int(line.rsplit(":", 1)[1])
                break
        # Its talk must be read, or it stops when the pipe is full.
        self.drain = subprocess.Popen(["cat"], stdin=self.anvil.stdout, stdout=subprocess.DEVNULL)

    def market(self, name, *more, env=None):
        c = self.chain["contracts"]
        ready, told = os.pipe()
        process = subprocess.Popen(
            [os.path.join(self.build, "strongroom"), "role", "market", "--dir", os.path.join(self.home, name),
             "--listen", "127.0.0.1:0", "--ready-fd", str(told), "--log", "warn", "--rpc", self.rpc(),
             "--ws", f"ws://127.0.0.1:{self.port}", "--chain-id", str(self.chain["chainId"]), "--hub", c["hub"],
             "--data-protector", c["dataProtector"], "--sharing", c["sharing"],
             "--whitelist-registry", c["appWhitelistRegistry"], "--open-orders", "1000000", *more],
            pass_fds=[told], env=env, stdout=subprocess.DEVNULL)
        os.close(told)
        if not select.select([ready], [], [], 60)[0]:
            raise SystemExit("bench: the market is not ready")
        with os.fdopen(ready) as f:
            line = json.loads(f.readline() or "{}")
        if not line.get("ready"):
            raise SystemExit(f"bench: the market says {line}")
        process.url = f"http://127.0.0.1:{line['port']}"
        self.markets.append(process)
        return process

    def rpc(self):
        return f"http://127.0.0.1:{self.port}"

    def load(self, market, mode, **options):
        """What bench_market printed, and cpu_us: processor time of the market for each request."""
        before = cpu_seconds(market.pid)
        words = [w for k, v in options.items() for w in (f"--{k}", str(v))]
        done = subprocess.run(
            [os.path.join(self.build, "bench", "bench_market"), mode, "--market", market.url, "--rpc", self.rpc(),
             "--chain", os.path.join(self.build, "contracts", "chain.json"), *words],
            stdout=subprocess.PIPE, text=True, check=False)
        if not done.stdout:
            raise SystemExit(f"bench: bench_market {mode} failed")
        said = json.loads(done.stdout)
        said["cpu_us"] = (cpu_seconds(market.pid) - before) * 1e6 / max(1, said["done"])
        return said

    def close(self):
        for p in self.markets + [self.anvil]:
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
                p.wait()
        self.drain.wait()


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        words = f.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(next(line for line in f if line.startswith("VmRSS:")).split()[1]) / 1024
