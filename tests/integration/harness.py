# SPDX-License-Identifier: Apache-2.0
"""A network of one's own for a test: the real programs, in a temporary folder, on free ports.

Only Python's standard library. STRONGROOM_BUILD names the build folder (default: build/ of this tree).
A test file ends with harness.main(), which prints "N passed, N failed".
"""
import ctypes
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("STRONGROOM_BUILD", os.path.join(ROOT, "build")))
PROGRAM = os.path.join(BUILD, "strongroom")
IAPPS = os.path.join(BUILD, "iapps")
UP_S = 40  # a network must be ready by then, also on a busy machine
RUN_S = 120  # a command must have ended by then

# Orphans of what we started become our children, so that none can hide.
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Answer:
    """What a command did."""

    def __init__(self, args, code, out, err, seconds):
        self.args, self.code, self.out, self.err, self.seconds = args, code, out, err, seconds
        try:
            self.json = json.loads(out)
        except ValueError:
            self.json = None

    def __str__(self):
        return f"{' '.join(self.args)}\n  exit {self.code}\n  out {self.out.strip()}\n  err {self.err.strip()}"

    def __getitem__(self, key):
        return self.json[key]

    @property
    def error(self):
        """The failure's text, whatever the form of the answer."""
        return (self.json or {}).get("error", "") if isinstance(self.json, dict) else self.err


def children():
    """Pids of all children of this process, zombies left out."""
    found = []
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/children", encoding="ascii") as f:
                found += [int(p) for p in f.read().split()]
        except OSError:
            continue
    return [p for p in found if state_of(p) not in ("Z", "")]


def state_of(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except (OSError, IndexError):
        return ""


def descendants(pid):
    """Pids below a process."""
    found, todo = [], [pid]
    while todo:
        p = todo.pop()
        try:
            for task in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{task}/children", encoding="ascii") as f:
                    todo += [int(c) for c in f.read().split()]
        except OSError:
            continue
        found.append(p)
    return found[1:]


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def until(what, check, seconds=20.0, every=0.05):
    """Waits for something that cannot tell us itself (a process list, a file): check() gives a true value."""
    end = time.monotonic() + seconds
    while True:
        got = check()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(every)


class Network:
    """strongroom up in a folder; context manager: stopped, and searched for leftovers, at its end."""

    def __init__(self, env=None):
        self.home = tempfile.mkdtemp(prefix="sr-")
        self.dir = os.path.join(self.home, "net")
        self.keystore = os.path.join(self.home, "keys")
        self.env = {"HOME": self.home, "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8",
                    "TMPDIR": self.home}
        self.env.update(env or {})
        self.process = None
        self.net = None
        self.ready_ms = None

    # ---- life

    def up(self, *more, port="0"):
        self.log = open(os.path.join(self.home, "up.err"), "ab")
        self.process = subprocess.Popen([PROGRAM, "up", "--dir", self.dir, "--port", port, "--json", *more],
                                        stdout=subprocess.PIPE, stderr=self.log, env=self.env, stdin=subprocess.DEVNULL)
        timer = threading.Timer(UP_S, self.process.kill)
        timer.start()
        try:
            line = self.process.stdout.readline().decode()
        finally:
            timer.cancel()
        told = json.loads(line) if line.strip() else {}
        if not told.get("ready"):
            self.process.wait()
            raise AssertionError(f"up failed: {line} {self.stderr()} {self.tails()}")
        self.ready_ms = told["ms"]
        self.read_network()
        return self

    def read_network(self):
        with open(os.path.join(self.dir, "network.json"), encoding="utf-8") as f:
            self.net = json.load(f)

    def stderr(self):
        with open(os.path.join(self.home, "up.err"), encoding="utf-8", errors="replace") as f:
            return f.read()[-2000:]

    def tails(self, n=12):
        """The last lines of every role's log, for a failing test."""
        text = []
        folder = os.path.join(self.dir, "logs")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as f:
                text.append(f"--- {name}\n" + "".join(f.readlines()[-n:]))
        return "\n".join(text)

    def down(self, how=signal.SIGINT):
        """Stops it as Ctrl-C does; nothing may be left after it."""
        if self.process is None:
            return 0.0
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(timeout=15)
        seconds = time.monotonic() - began
        self.process.stdout.close()
        self.log.close()
        self.process = None
        self.no_orphans()
        self.no_broken_role()
        if how in (signal.SIGINT, signal.SIGTERM) and code != 0:
            raise AssertionError(f"up ended with {code}: {self.stderr()}")
        return seconds

    def no_broken_role(self):
        """A sanitizer's or an assertion's words in a log fail the test, whatever the commands said."""
        folder = os.path.join(self.dir, "logs")
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as f:
                text = f.read()
            for word in ("Sanitizer", "runtime error:", "assertion failed", "SR_ASSERT"):
                if word in text:
                    at = text.index(word)
                    raise AssertionError(f"{name}: {text[max(0, at - 300):at + 3000]}")

    def no_orphans(self, seconds=3.0):
        def none_left():
            reap()
            return not children()
        try:
            until("orphans end", none_left, seconds)
        except AssertionError:
            left = [(p, cmdline(p)) for p in children()]
            for p, _ in left:
                os.kill(p, signal.SIGKILL)
            raise AssertionError(f"processes left behind: {left}") from None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            self.down()
        finally:
            if kind and os.environ.get("STRONGROOM_KEEP"):
                print(f"kept: {self.home}", file=sys.stderr)
            else:
                shutil.rmtree(self.home, ignore_errors=True)

    # ---- roles

    def roles(self):
        """name -> {name, state, pid, restarts}"""
        with open(os.path.join(self.dir, "run", "status.json"), encoding="utf-8") as f:
            return {r["name"]: r for r in json.load(f)["roles"]}

    def pid(self, role):
        return self.roles()[role].get("pid")

    def kill(self, role, how=signal.SIGKILL):
        pid = self.pid(role)
        if pid:
            os.kill(pid, how)
        return pid

    def wait_ready(self, role, other_than=None, seconds=20):
        def check():
            r = self.roles()[role]
            return r["state"] == "ready" and r.get("pid") != other_than
        until(f"{role} is ready again", check, seconds)

    def built(self):
        return all(r["state"] != "not built" for r in self.roles().values())

    # ---- commands

    def command(self, args, who=None, keystore=None, as_json=True):
        line = [PROGRAM, *args, "--dir", self.dir, "--keystore", keystore or self.keystore]
        if who:
            line += ["--as", who]
        if as_json:
            line += ["--json"]
        return line

    def cli(self, *args, who=None, code=0, as_json=True, keystore=None, timeout=RUN_S, stdin=None, env=None):
        """Runs a command; code None: any."""
        line = self.command(args, who, keystore, as_json)
        began = time.monotonic()
        given = {"input": stdin} if stdin else {"stdin": subprocess.DEVNULL}
        try:
            done = subprocess.run(line, capture_output=True, text=True, timeout=timeout, check=False,
                                  env={**self.env, **(env or {})}, **given)
        except subprocess.TimeoutExpired as e:
            raise AssertionError(f"still running after {timeout} s: {' '.join(line)}\n{e.stdout} {e.stderr}\n"
                                 f"{self.tails(20)}") from None
        a = Answer(line, done.returncode, done.stdout, done.stderr, time.monotonic() - began)
        if code is not None and a.code != code:
            raise AssertionError(f"{a}\n{self.tails()}")
        if a.code < 0:
            raise AssertionError(f"a command died of signal {-a.code}: {a}")
        return a

    def start(self, *args, who=None):
        """The same in the background."""
        return subprocess.Popen(self.command(args, who), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=self.env, stdin=subprocess.DEVNULL)

    def finish(self, process, timeout=150):
        """Waits for a command in the background: an Answer; one that hangs is ended and told with the logs."""
        began = time.monotonic()
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"still running after {timeout} s: {out} {err}\n{self.tails(20)}") from None
        return Answer(process.args, process.returncode, out, err, time.monotonic() - began)

    def account(self, name):
        return next(a for a in self.net["accounts"] if a["name"] == name)

    def address(self, name):
        return self.account(name)["address"].lower()

    def file(self, name, content):
        path = os.path.join(self.home, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        return path

    def files(self):
        """Every regular file of the network's folder."""
        for folder, _, names in os.walk(self.dir):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path) and not os.path.islink(path):
                    yield path

    def folder(self, name):
        return os.path.join(self.home, name)

    # ---- the wire

    def rpc(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).encode()
        answer = http("POST", self.net["rpcUrl"], body, {"Content-Type": "application/json"})
        doc = json.loads(answer.body)
        if "error" in doc:
            raise AssertionError(f"{method}: {doc['error']}")
        return doc["result"]

    def block(self):
        return int(self.rpc("eth_blockNumber"), 16)

    def service(self, name):
        return self.net["services"][name]

    def stake(self, name):
        return int(self.cli("account", "show", name)["stake"])

    # ---- the usual beginning of a story

    def app(self, name, who="bob", *more):
        return self.cli("app", "deploy", os.path.join(IAPPS, name), *more, who=who)["address"]

    def protect(self, content, who="alice", name="records.csv"):
        return self.cli("data", "protect", self.file(name, content), "--name", name, who=who)["address"]

    def grant(self, data, app, user, *more, who="alice"):
        return self.cli("data", "grant", data, "--app", app, "--user", user, *more, who=who)


def cmdline(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


class HttpAnswer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


def http(method, url, body=None, headers=None, timeout=20):
    """Any status is an answer; None: no connection."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as r:
            return HttpAnswer(r.status, r.headers, r.read())
    except urllib.error.HTTPError as e:
        with e:
            return HttpAnswer(e.code, e.headers, e.read())
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


PATIENTS = "name,ward,age,dose\n" + "".join(
    f"patient {i},{('north', 'south', 'east')[i % 3]},{20 + i % 60},{(i % 17) * 0.5 + 1}\n" for i in range(120))


def expected_statistics(text=PATIENTS, group="ward", value="dose"):
    """What patient-stats must write for it: result.csv, computed here by other means."""
    rows = [line.split(",") for line in text.strip().split("\n")]
    head, groups = rows[0], {}
    for r in rows[1:]:
        groups.setdefault(r[head.index(group)], []).append(float(r[head.index(value)]))
    lines = ["group,count,mean,min,max,stddev"]
    for name in sorted(groups):
        v = groups[name]
        mean = sum(v) / len(v)
        spread = (sum((x - mean) ** 2 for x in v) / (len(v) - 1)) ** 0.5
        lines.append(f"{name},{len(v)},{mean:.3f},{min(v):.3f},{max(v):.3f},{spread:.3f}")
    return "\n".join(lines) + "\n"


SEED = int(os.environ.get("STRONGROOM_SEED", str(random.SystemRandom().randrange(1 << 30))))


def main():
    """Runs the tests of the calling file; the last line is what tools/run-tests counts."""
    print(f"seed {SEED} (STRONGROOM_SEED={SEED} repeats it)")
    random.seed(SEED)
    program = unittest.main(module="__main__", exit=False, verbosity=2, argv=sys.argv)
    r = program.result
    bad = len(r.failures) + len(r.errors) + len(r.unexpectedSuccesses)
    good = r.testsRun - len(r.failures) - len(r.errors) - len(r.skipped) - len(r.unexpectedSuccesses)
    print(f"{max(good, 0)} passed, {bad} failed")
    sys.stdout.flush()
    sys.exit(1 if bad else 77 if r.testsRun == len(r.skipped) and r.testsRun else 0)
