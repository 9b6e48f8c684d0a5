#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`strongroom verify`: exit code 0 for a bundle that holds, 3 and the field's name for one that does not.

cli.py PROGRAM BUNDLE
"""
import json
import subprocess
import sys
import tempfile

program, bundle = sys.argv[1:3]


def verify(path, *more):
    return subprocess.run([program, "verify", path, *more], capture_output=True, text=True, check=False)


p = verify(bundle, "--json")
answer = json.loads(p.stdout)
assert p.returncode == 0 and answer["holds"] and answer["evidence"] == "SIMULATED", p
same = verify(bundle, "--hub", answer["hub"], "--sms-identity", answer["sms_identity"])
assert same.returncode == 0, same
other = verify(bundle, "--sms-identity", answer["hub"])
assert other.returncode == 3 and "--sms-identity" in other.stderr and not other.stdout, other
text = open(bundle, encoding="ascii").read()
with tempfile.NamedTemporaryFile("w") as f:
    f.write(text.replace('"index":0', '"index":1'))
    f.flush()
    p = verify(f.name)
    assert p.returncode == 3 and "task:" in p.stderr and not p.stdout, p
p = verify("/nonexistent")
assert p.returncode == 3 and p.stderr, p
