#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The room that policies name by its measurement is anybody's to build."""
import hashlib
import os
import re
import subprocess
import unittest

import harness


class Reproducible(unittest.TestCase):
    """Two builds in other surroundings, and the one that is used."""

    def test_three_builds_of_the_room_are_one_file(self):
        done = subprocess.run([os.path.join(harness.ROOT, "tools", "reproducible")], capture_output=True, text=True,
                              check=False, timeout=900)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        digest = re.fullmatch(r"reproducible: room ([0-9a-f]{64})\n", done.stdout)
        self.assertTrue(digest, done.stdout)
        with open(os.path.join(harness.BUILD, "room"), "rb") as f:
            self.assertEqual(hashlib.sha256(f.read()).hexdigest(), digest[1])


if __name__ == "__main__":
    harness.main()
