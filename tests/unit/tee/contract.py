#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The test contract of attestation.md, section 12.3: `attest verify` over the whole corpus.

contract.py PROGRAM VECTORS: arguments, exit codes 0 and 1, one JSON object on standard output.
"""
import json
import os
import subprocess
import sys
import tempfile

program, vectors = sys.argv[1:3]
base = os.path.join(vectors, "attestation")
failed = []


def judge(v, files, time):
    kind = v["kind"]
    args = [program, "attest", "verify", "--kind", kind]
    if time:
        args += ["--time", time]
    for name in {
        "dcap": ("quote", "collateral", "root"),
        "snp": ("report", "ek", "ask", "ark"),
        "nitro": ("doc", "root"),
        "ccel": ("log",),
    }[kind]:
        args += ["--" + name, files[name]]
    p = subprocess.run(args, capture_output=True, check=False)
    if p.returncode not in (0, 1):
        return p.returncode, {"error": p.stderr.decode()}
    return p.returncode, json.loads(p.stdout)


def complain(v, text):
    failed.append(v["id"])
    print(v["id"], text)


def compare(v, code, got):
    want = v.get("verdict", "accept")
    if (code, got["verdict"]) != ((0, "accept") if want == "accept" else (1, "reject")):
        return complain(v, f"{code} {got}")
    if want == "reject":
        if v["error"] != got["error"] and v["kind"] != "dcap":
            complain(v, got["error"])
        return None
    for key in ("tcb_status", "module_status", "qe_status", "sgx_level_status", "debug"):
        if v.get(key) is not None and v[key] != got.get(key):
            complain(v, f"{key} {got.get(key)}")
    if not set(v.get("advisories") or []) <= set(got.get("advisories") or []):
        complain(v, "advisories")
    if "policy_strict_reject" in v and sorted(v["policy_strict_reject"]) != sorted(
        got["policy_strict_reject"]
    ):
        complain(v, "policy")
    for key, value in (v.get("measurements") or {}).items():
        if key in got["measurements"] and got["measurements"][key] != value:
            complain(v, key)
    for key in ("measurement", "host_data", "report_data", "chip_id", "reported_tcb"):
        if key in v and v[key] != got["measurements"][key]:
            complain(v, key)
    for key, value in (v.get("pcrs") or {}).items():
        if got["measurements"]["pcr" + key] != value:
            complain(v, "pcr" + key)
    if "rtmr" in v and v["rtmr"] != got["rtmr"]:
        complain(v, "rtmr")
    return None


def mutate(m, v, folder):
    """Files with the recipe applied, and the time; None for recipes over parts of the collateral."""
    names = [k for k in ("report", "ek", "ask", "ark", "doc", "root", "log", "quote", "collateral") if v.get(k)]
    data = {k: open(os.path.join(base, v[k]), "rb").read() for k in names}
    time = v.get("time")
    for op in m["ops"]:
        if op["op"] == "time":
            time = op["value"]
            continue
        if op["file"] not in data:
            return None, None
        d = bytearray(data[op["file"]])
        if op["op"] == "xor":
            d[op["offset"]] ^= op["value"]
        elif op["op"] == "set":
            raw = bytes.fromhex(op["hex"])
            d[op["offset"] : op["offset"] + len(raw)] = raw
        elif op["op"] == "truncate":
            d = d[: op["length"]]
        elif op["op"] == "append":
            d += bytes.fromhex(op["hex"])
        elif op["op"] == "copy":
            d = bytearray(data[op["from"]])
        data[op["file"]] = bytes(d)
    files = {}
    for k in names:
        files[k] = os.path.join(folder, k)
        with open(files[k], "wb") as f:
            f.write(data[k])
    return files, time


def main():
    by_id, n_vectors, n_mutations = {}, 0, 0
    mutations = []
    for name in ("dcap.json", "evidence.json"):
        with open(os.path.join(base, name), encoding="utf-8") as f:
            doc = json.load(f)
        mutations += doc["mutations"]
        for v in doc["vectors"]:
            by_id[v["id"]] = v
            if v["kind"] not in ("dcap", "snp", "nitro", "ccel"):
                continue
            files = {k: os.path.join(base, x) for k, x in v.items() if isinstance(x, str)}
            compare(v, *judge(v, files, v.get("time")))
            n_vectors += 1
    with tempfile.TemporaryDirectory() as folder:
        for m in mutations:
            v = by_id[m["base"]]
            files, time = mutate(m, v, folder)
            if not files or v["kind"] not in ("dcap", "snp", "nitro", "ccel"):
                continue
            code, got = judge(v, files, time)
            n_mutations += 1
            # A log alone is not compared with a quote: its registers are.
            rejected = code == 1 or (code == 0 and v["kind"] == "ccel" and got["rtmr"] != v["rtmr"])
            if code not in (0, 1) or (m["verdict"] == "reject" and not rejected):
                complain(m, f"{code} {got}")
    print(f"{n_vectors} vectors, {n_mutations} mutations, {len(failed)} wrong")
    return 1 if failed or n_vectors < 125 or n_mutations < 380 else 0


sys.exit(main())
