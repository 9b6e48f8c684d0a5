# SPDX-License-Identifier: Apache-2.0
"""A chain and markets of a benchmark's own, for tools/bench: load comes from bench_market."""
import glob
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

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

    def begin(self, market, mode, **options):
        words = [w for k, v in options.items() for w in (f"--{k}", str(v))]
        return subprocess.Popen(
            [os.path.join(self.build, "bench", "bench_market"), mode, "--market", market.url, "--rpc", self.rpc(),
             "--chain", os.path.join(self.build, "contracts", "chain.json"), *words],
            stdout=subprocess.PIPE, text=True)

    def end(self, process):
        text = process.communicate()[0]
        if not text:
            raise SystemExit("bench: bench_market failed")
        return json.loads(text)

    def load(self, market, mode, **options):
        """What bench_market printed, and cpu_us: processor time of the market for each request."""
        before = cpu_seconds(market.pid)
        said = self.end(self.begin(market, mode, **options))
        said["cpu_us"] = (cpu_seconds(market.pid) - before) * 1e6 / max(1, said["done"])
        return said

    def load_all(self, mode, connections, **options):
        """All markets at once, each by accounts of its own: what each printed."""
        started = [self.begin(m, mode, connections=connections, first=i * connections, **options)
                   for i, m in enumerate(self.markets)]
        return [self.end(p) for p in started]

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


class Postgres:
    """A PostgreSQL server of its own on a Unix socket, as a user without rights where we are root; .url None: none here."""

    def __init__(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
        self.url = None
        if not found:
            return
        self.bin, self.dir = os.path.dirname(found[-1]), tempfile.mkdtemp(prefix="sr-pg-", dir="/tmp")
        self.user = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        if self.user:
            os.chown(self.dir, 65534, 65534)
        data = os.path.join(self.dir, "data")
        self.run("initdb", "-D", data, "-U", "strongroom", "-A", "trust", "-E", "UTF8", "--locale=C")
        self.server = subprocess.Popen([os.path.join(self.bin, "postgres"), "-D", data, "-k", self.dir, "-c", "listen_addresses="],
                                       cwd=self.dir, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self.user)
        while self.run("pg_isready", "-q", "-h", self.dir, check=False).returncode != 0:
            time.sleep(0.05)
        self.url = f"postgresql:///postgres?host={self.dir}&user=strongroom"

    def run(self, name, *words, check=True):
        return subprocess.run([os.path.join(self.bin, name), *words], cwd=self.dir, check=check, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, **self.user)

    def close(self):
        if self.url:
            self.server.send_signal(signal.SIGINT)
            self.server.wait()
            shutil.rmtree(self.dir)
