# SPDX-License-Identifier: Apache-2.0
"""An oracle: an iApp computes on protected data, and a contract reads the result on the chain."""
import json
import os
import unittest

import harness
from harness import BUILD

NUMBERS = [3.5, -1.25, 8, 2.125, 0.5, 7]
READING = "0xfffd52c6"  # reading()


def word(value):
    return (value % (1 << 256)).to_bytes(32, "big").hex()


def address_word(address):
    return address[2:].lower().rjust(64, "0")


def signed(text):
    v = int(text, 16)
    return v - (1 << 256) if v >> 255 else v


class Oracle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.n = harness.Network()
        cls.addClassCleanup(cls.n.__exit__, None)
        cls.n.up()
        n = cls.n
        cls.app = n.app("chain-average")
        cls.data = n.protect("\n".join(str(v) for v in NUMBERS) + "\nno number\n", name="numbers.txt")
        n.grant(cls.data, cls.app, n.address("carol"), "--count", "10")
        cls.consumer = cls.deploy(cls.app, cls.data)

    @classmethod
    def deploy(cls, app, data):
        """The example contract, as any tool would deploy it."""
        path = os.path.join(BUILD, "contracts", "out", "AverageConsumer.sol", "AverageConsumer.json")
        with open(path, encoding="utf-8") as f:
            code = json.load(f)["bytecode"]["object"]
        code += "".join(address_word(a) for a in (cls.n.net["contracts"]["hub"], app, data))
        cls.n.rpc("anvil_impersonateAccount", cls.n.address("dave"))
        tx = cls.n.rpc("eth_sendTransaction", {"from": cls.n.address("dave"), "data": code, "gas": hex(2_000_000)})
        receipt = harness.until("the contract is deployed", lambda: cls.n.rpc("eth_getTransactionReceipt", tx))
        assert receipt["status"] == "0x1", receipt
        return receipt["contractAddress"]

    def reading(self, consumer):
        """(average in millionths, count, time) as the contract keeps it."""
        got = self.n.rpc("eth_call", {"to": consumer, "data": READING}, "latest")[2:]
        return signed(got[:64]), int(got[64:128], 16), int(got[128:192], 16)

    def run_it(self, consumer, code=0):
        return self.n.cli("run", self.app, "--data", self.data, "--callback", consumer, who="carol", code=code)

    def test_the_contract_reads_what_the_app_computed_and_result_shows_the_same(self):
        want = round(sum(NUMBERS) / len(NUMBERS) * 1e6)
        self.assertEqual(self.reading(self.consumer), (0, 0, 0))
        ran = self.run_it(self.consumer)
        self.assertEqual(ran["status"], "COMPLETED")
        average, count, time = self.reading(self.consumer)
        self.assertEqual((average, count), (want, len(NUMBERS)))
        self.assertGreater(time, 0)
        told = "0x" + word(want) + word(len(NUMBERS))
        out = self.n.folder("told")
        shown = self.n.cli("result", ran["task"], "-o", out, who="carol")
        self.assertEqual(shown["callbackData"], told)
        self.assertFalse(shown["encrypted"])
        with open(os.path.join(out, "callback-data"), "rb") as f:
            self.assertEqual("0x" + f.read().hex(), told)
        again = self.n.cli("result", ran["task"], "-o", out, who="carol", code=None)
        self.assertNotEqual(again.code, 0)
        self.assertIn("callback-data", again.error)

    def test_another_data_s_contract_keeps_nothing_and_the_task_completes_all_the_same(self):
        other = self.deploy(self.app, self.app)
        ran = self.run_it(other)
        self.assertEqual(ran["status"], "COMPLETED")
        self.assertEqual(self.reading(other), (0, 0, 0))

    def test_nobody_but_the_hub_tells_the_contract(self):
        before = self.reading(self.consumer)
        data = "0x5dd80855" + "11" * 32 + word(64) + word(64) + word(1) + word(1)
        with self.assertRaisesRegex(AssertionError, "revert"):
            self.n.rpc("eth_call", {"from": self.n.address("carol"), "to": self.consumer, "data": data}, "latest")
        self.assertEqual(self.reading(self.consumer), before)


if __name__ == "__main__":
    harness.main()
