#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`attest collateral` against a mirror on this machine that serves real, signed collateral of the corpus.

collateral.py PROGRAM VECTORS
"""
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.parse

program, vectors = sys.argv[1:3]
base = os.path.join(vectors, "attestation")
QUOTE = os.path.join(base, "dcap/quotes/tdx4-b0c06f000000-b9e238b2.bin")


def read(name):
    with open(os.path.join(base, "dcap/collateral", name), encoding="utf-8") as f:
        return json.load(f)


class Mirror(http.server.BaseHTTPRequestHandler):
    collateral = {}
    asked = []

    def do_GET(self):
        c = self.collateral
        self.asked.append(self.path)
        answers = {
            "/tdx/certification/v4/tcb?fmspc=b0c06f000000": (
                f'{{"tcbInfo":{c["tcb_info"]},"signature":"{c["tcb_info_signature"]}"}}'.encode(),
                ("TCB-Info-Issuer-Chain", c["tcb_info_issuer_chain"]),
            ),
            "/tdx/certification/v4/qe/identity": (
                f'{{"enclaveIdentity":{c["qe_identity"]},"signature":"{c["qe_identity_signature"]}"}}'.encode(),
                ("SGX-Enclave-Identity-Issuer-Chain", c["qe_identity_issuer_chain"]),
            ),
            "/sgx/certification/v4/pckcrl?ca=platform&encoding=der": (
                bytes.fromhex(c["pck_crl"]),
                ("SGX-PCK-CRL-Issuer-Chain", c["pck_crl_issuer_chain"]),
            ),
            "/sgx/certification/v4/rootcacrl": (c["root_ca_crl"].encode(), None),
        }
        if self.path not in answers:
            self.send_error(404)
            return
        body, chain = answers[self.path]
        self.send_response(200)
        if chain:
            self.send_header(chain[0], urllib.parse.quote(chain[1]))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    new = read("tdx-b0c06f000000-e20-20260813.json")
    old = read("tdx-b0c06f000000-e18-20251117.json")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "collateral.json")

        def fetch(service=url):
            return subprocess.run(
                [program, "attest", "collateral", "--quote", QUOTE, "--out", out, "--service", service, "--json"],
                capture_output=True, text=True, check=False,
            )

        Mirror.collateral = old
        p = fetch()
        assert p.returncode == 0, p
        answer = json.loads(p.stdout)
        assert answer["evaluation"] == 18 and answer["kind"] == "tdx" and "EXPIRED" in answer["warning"], answer
        with open(out, encoding="utf-8") as f:
            kept = json.load(f)
        assert kept["tcb_info"] == old["tcb_info"] and kept["pck_crl"] == old["pck_crl"]
        verify = [program, "attest", "verify", "--kind", "dcap", "--quote", QUOTE, "--collateral", out]
        p = subprocess.run(verify + ["--time", "2025-12-02T05:09:04Z"], capture_output=True, check=False)
        assert p.returncode == 0 and json.loads(p.stdout)["root_is_pinned"], p

        Mirror.collateral = new
        assert fetch().returncode == 0
        Mirror.collateral = old
        p = fetch()
        assert p.returncode == 3 and "rollback" in p.stdout, p

        forged = dict(new)
        forged["tcb_info"] = new["tcb_info"].replace("UpToDate", "Upto0ate", 1)
        Mirror.collateral = forged
        before = os.stat(out).st_mtime_ns
        p = fetch()
        assert p.returncode == 3 and "COLLATERAL_SIGNATURE" in p.stdout, p
        assert os.stat(out).st_mtime_ns == before
        assert fetch(url + "/nothing").returncode == 3
    server.shutdown()
    assert Mirror.asked
    return 0


sys.exit(main())
