# SPDX-License-Identifier: Apache-2.0
"""strongroom contracts: deployed on an empty chain by the program that users get, interrupted, compared, tampered with."""
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

import harness
from harness import BUILD, PROGRAM, ROOT, http

ANVIL = os.environ.get("STRONGROOM_ANVIL") or os.path.join(
    ROOT, "node_modules/@foundry-rs",
    f"anvil-linux-{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(os.uname().machine, 'amd64') }", "bin/anvil")
CHAIN = 90210
# The first development account of every anvil: no secret.
KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
OWNER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
STEPS = 34


class Chain:
    """An empty chain that makes a block every 50 ms: there is a middle to be interrupted in."""

    def __init__(self, *more):
        self.more = more

    def __enter__(self):
        self.process = subprocess.Popen(
            [ANVIL, "--host", "127.0.0.1", "--port", "0", "--chain-id", str(CHAIN), "--block-time", "0.05",
             *self.more],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:
            found = re.search(r"Listening on (127\.0\.0\.1:\d+)", line)
            if found:
                self.url = f"http://{found.group(1)}"
                break
        else:
            raise AssertionError("anvil does not start: is node_modules there?")
        # its talk must be read, or it stops when the pipe is full
        self.reader = threading.Thread(target=self.process.stdout.read, daemon=True)
        self.reader.start()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()

    def rpc(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).encode()
        doc = http("POST", self.url, body, {"Content-Type": "application/json"}).json
        if "error" in doc:
            raise AssertionError(f"{method}: {doc['error']}")
        return doc["result"]

    def nonce(self):
        return int(self.rpc("eth_getTransactionCount", OWNER, "latest"), 16)


class Contracts(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="sr-")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.key = os.path.join(self.home, "key")
        with open(self.key, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(KEY + "\n")
        self.out = os.path.join(self.home, "contracts.json")
        self.env = {"HOME": self.home, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TMPDIR": self.home}

    def start(self, *args):
        return subprocess.Popen([PROGRAM, "contracts", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                stdin=subprocess.DEVNULL, text=True, env=self.env, start_new_session=True,
                                cwd=self.home)

    def cli(self, *args, code=0):
        p = self.start(*args)
        out, err = p.communicate(timeout=harness.RUN_S)
        a = harness.Answer(p.args, p.returncode, out, err, 0)
        self.assertEqual(a.code, code, str(a))
        self.assertNotIn(KEY[2:], out + err)
        return a

    def deploy(self, chain, *more):
        return ("deploy", "--rpc", chain.url, "--key", self.key, "--out", self.out, "--json", *more)

    def killed_after(self, chain, lines):
        """Ends it as a power cut would, once it has told so many steps mined."""
        p = self.start(*self.deploy(chain, "--yes"))
        seen = 0
        for line in p.stderr:
            seen += bool(re.match(r" *\d+ of \d+ ", line))
            if seen == lines:
                break
        p.send_signal(signal.SIGKILL)
        p.communicate()
        self.assertEqual(seen, lines)
        self.assertFalse(os.path.exists(self.out))

    def test_a_deployment_is_interrupted_goes_on_and_is_verified(self):
        with Chain() as chain:
            # without a terminal nobody has confirmed the chain
            a = self.cli(*self.deploy(chain), code=1)
            self.assertIn("--yes", a["hint"])
            self.assertEqual(chain.nonce(), 0)
            self.assertEqual(os.listdir(self.home), ["key"])

            self.killed_after(chain, 3)
            self.killed_after(chain, 20)
            self.assertGreater(chain.nonce(), 15)
            a = self.cli(*self.deploy(chain, "--yes"))
            self.assertIn("sent before", a.err)
            self.assertEqual(chain.nonce(), STEPS)  # nothing was paid twice
            self.assertTrue(a["verified"])
            self.assertEqual(a["differs"], [])
            self.assertEqual(sorted(os.listdir(self.home)), ["contracts.json", "key"])
            with open(self.out, encoding="utf-8") as f:
                book = json.load(f)
            self.assertEqual(book["contracts"], a["contracts"])
            self.assertEqual(book["chainId"], CHAIN)

            # again: it is there
            self.assertIn("there already", self.cli(*self.deploy(chain, "--yes"), code=3).error)

            verify = ("verify", "--rpc", chain.url, "--file", self.out)
            self.assertTrue(self.cli(*verify, "--json")["verified"])
            self.assertIn("verified         yes", self.cli(*verify).out)

            # the book is a network for all that needs the chain only
            p = subprocess.run([PROGRAM, "account", "show", OWNER, "--network", self.out, "--json"], env=self.env,
                               capture_output=True, text=True, timeout=harness.RUN_S, check=False)
            self.assertEqual(json.loads(p.stdout)["stake"], "0", p.stdout + p.stderr)

            # one changed byte of a facet
            facet = book["contracts"]["poco2Facet"]
            code = chain.rpc("eth_getCode", facet, "latest")
            flipped = code[:5002] + ("0" if code[5002] != "0" else "1") + code[5003:]
            chain.rpc("anvil_setCode", facet, flipped)
            a = self.cli(*verify, "--json", code=1)
            self.assertEqual(a["differs"], [{"name": "poco2Facet", "what": "its code differs from byte 2500 on"}])
            self.assertIn("DIFFERS          poco2Facet: ", self.cli(*verify, code=1).out)
            chain.rpc("anvil_setCode", facet, code)

            # the owner sends a function of the hub to another facet: diamondCut((address,uint8,bytes4[])[],address,bytes)
            cut = ("0x1f931c1c" + f"{0x60:064x}" + f"{0:064x}" + f"{0x140:064x}" + f"{1:064x}" + f"{0x20:064x}"
                   + book["contracts"]["relayFacet"][2:].lower().rjust(64, "0") + f"{1:064x}" + f"{0x60:064x}"
                   + f"{1:064x}" + "fc0c546a".ljust(64, "0") + f"{0:064x}")
            tx = chain.rpc("eth_sendTransaction", {"from": OWNER, "to": book["contracts"]["hub"], "data": cut})
            receipt = harness.until("mined", lambda: chain.rpc("eth_getTransactionReceipt", tx))
            self.assertEqual(receipt["status"], "0x1")
            names = [d["name"] for d in self.cli(*verify, "--json", code=1)["differs"]]
            self.assertIn("hub.token", names)
            self.assertIn("hub's functions in relayFacet", names)

    def asked(self, chain, answer):
        """The command at a terminal, answered: its exit code and what it said."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(PROGRAM, [PROGRAM, "contracts", *self.deploy(chain)], self.env)
        said = b""
        try:
            while True:
                got = os.read(terminal, 65536)
                said += got
                if b"Type the chain's number" in said and answer:
                    os.write(terminal, answer.encode() + b"\n")
                    answer = ""
        except OSError:  # the other end is closed
            pass
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode()

    def test_a_person_confirms_the_chain(self):
        with Chain() as chain:
            code, said = self.asked(chain, "1")
            self.assertEqual(code, 1, said)
            self.assertIn("nothing was sent", said)
            self.assertEqual(chain.nonce(), 0)
            code, said = self.asked(chain, str(CHAIN))
            self.assertEqual(code, 0, said)
            self.assertIn('"verified":true', said)
            self.assertEqual(chain.nonce(), STEPS)

    def test_gas_above_the_limit_is_not_bought(self):
        with Chain("--base-fee", str(300 * 10**9)) as chain:
            a = self.cli(*self.deploy(chain, "--yes"), code=3)
            self.assertIn("gwei now, the limit is 100", a.error)
            self.assertIn("--max-fee", a["hint"])
            self.assertEqual(chain.nonce(), 0)
            self.assertEqual(os.listdir(self.home), ["key"])

    def test_bad_arguments_are_told_and_send_nothing(self):
        with Chain() as chain:
            self.assertIn("--rpc", self.cli("deploy", "--key", self.key, "--json", code=2).error)
            self.assertIn("--key", self.cli("deploy", "--rpc", chain.url, "--json", code=2).error)
            self.assertIn("--file", self.cli("verify", "--rpc", chain.url, "--json", code=2).error)
            a = self.cli(*self.deploy(chain, "--yes", "--max-fee", "0"), code=2)
            self.assertIn("gwei", a.error)
            a = self.cli(*self.deploy(chain, "--yes", "--rlc", "0x12"), code=2)
            self.assertIn("--rlc", a.error)
            with open(self.key, "w", encoding="ascii") as f:
                f.write("not a key")
            self.assertIn("not a private key", self.cli(*self.deploy(chain, "--yes"), code=1).error)
            self.assertEqual(chain.nonce(), 0)
            bad = os.path.join(self.home, "bad.json")
            with open(bad, "w", encoding="ascii") as f:
                f.write('{"version":1}')
            self.cli(*self.deploy(chain, "--yes", "--recipe", bad), code=1)
            self.cli("verify", "--rpc", chain.url, "--file", bad, "--json", code=1)


if __name__ == "__main__":
    unittest.TestCase.maxDiff = None
    harness.main()
