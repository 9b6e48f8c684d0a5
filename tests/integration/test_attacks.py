#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The running system attacked from outside, and searched for secrets that should not be there."""
import base64
import http.server
import json
import os
import re
import socket
import threading
import unittest
from urllib.parse import urlsplit

import harness
from harness import Network, PATIENTS
from harness import http as fetch

ZERO_SIG = "0x" + "00" * 65
SECRET_TEXT = "the-secret-of-the-requester-91f3"


def raw(url, data, seconds=5.0):
    """Bytes to a service, its answer's beginning; b"" when it just closed."""
    u = urlsplit(url)
    with socket.create_connection((u.hostname, u.port), timeout=seconds) as s:
        try:
            s.sendall(data)
            return s.recv(65536)
        except (ConnectionError, TimeoutError, socket.timeout):
            return b""


class Attacks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.n = Network()
        cls.addClassCleanup(cls.n.__exit__, None)
        cls.n.up()
        n = cls.n
        cls.app = n.app("patient-stats", "bob")
        cls.faults = n.app("faults", "bob")
        cls.data = n.protect(PATIENTS)
        n.grant(cls.data, cls.app, "bob", "--count", "unlimited")
        cls.secret_file = n.file("secret", SECRET_TEXT)
        cls.ran = n.cli("run", cls.app, "--data", cls.data, "-o", n.folder("first"), who="bob")
        cls.pw = n.file("pw", "the-password-of-eve-5512\n")
        cls.eve = n.cli("wallet", "new", "--name", "eve", "--password-file", cls.pw)["address"]
        cls.eve_key = n.cli("wallet", "export", "eve", "--password-file", cls.pw)["privateKey"]


    def still_works(self):
        out = self.n.folder(f"ok-{os.urandom(4).hex()}")
        self.n.cli("run", self.app, "--data", self.data, "-o", out, who="bob")

    # ---- signatures and tokens

    def test_a_data_key_is_not_stored_or_replaced_by_a_stranger(self):
        url = f"{self.n.service('sms')}/secrets/web3?secretAddress={self.data}"
        key = base64.b64encode(os.urandom(32))
        for auth in (ZERO_SIG, "0x", "", "0x12", "x" * 132, "0x" + "ff" * 65):
            a = fetch("POST", url, key, {"Content-Type": "text/plain", "Authorization": auth})
            self.assertIn(a.status, (400, 401, 409), (auth, a.body))
        self.assertIn(fetch("POST", url, key, {"Content-Type": "text/plain"}).status, (400, 401, 409))
        self.still_works()

    def test_secrets_are_never_given_out(self):
        sms = self.n.service("sms")
        for path in (f"/secrets/web3?secretAddress={self.data}",
                     f"/secrets/web2?ownerAddress={self.n.address('bob')}&secretName=iexec-result-encryption-public-key",
                     f"/requesters/{self.n.address('bob')}/secrets/x", f"/apps/{self.app}/secrets", "/secrets", "/admin"):
            a = fetch("GET", sms + path)
            self.assertGreaterEqual(a.status, 400, path)
            self.assertLess(len(a.body), 1000)

    def test_orders_need_their_owner(self):
        market = self.n.service("market")
        listed = fetch("GET", f"{market}/datasetorders?chainId=421614&dataset={self.data}&app=any&requester=any").json
        order = dict(listed["orders"][0]["order"])
        headers = {"Content-Type": "application/json", "authorization": f"0x{'00' * 32}_{ZERO_SIG}_{self.n.address('alice')}"}
        for body in ({"order": order}, {"order": {**order, "requesterrestrict": self.n.address("carol")}},
                     {"order": {**order, "sign": ZERO_SIG}}):
            for h in (headers, {"Content-Type": "application/json"}):
                a = fetch("POST", f"{market}/datasetorders?chainId=421614", json.dumps(body).encode(), h)
                self.assertIn(a.status, (400, 403), a.body)
        a = fetch("PUT", f"{market}/datasetorders?chainId=421614",
                 json.dumps({"target": "unpublish_all", "dataset": self.data}).encode(), headers)
        self.assertEqual(a.status, 403)
        self.still_works()

    def test_a_release_needs_assignment_and_evidence(self):
        sms, task = self.n.service("sms"), self.ran["task"]
        good = {"assignment": {"task": task, "worker": self.n.address("worker"), "nonce": "0x" + "11" * 32,
                               "expires": 4102444800, "signature": ZERO_SIG},
                "matchTx": self.ran["tx"], "challenge": "0x" + "22" * 20, "challengePublic": "0x" + "33" * 64,
                "sealingKey": "0x" + "44" * 32, "evidence": base64.b64encode(b"x" * 200).decode(), "signature": ZERO_SIG}
        for change in ({}, {"evidence": ""}, {"evidence": "!!"}, {"matchTx": "0x" + "00" * 32}, {"assignment": None},
                       {"signature": "0x"}, {"sealingKey": "0x"}):
            a = fetch("POST", f"{sms}/v1/tasks/{task}/release", json.dumps({**good, **change}).encode(),
                     {"Content-Type": "application/json"})
            self.assertIn(a.status, (400, 401, 403, 404, 409), a.body)
            self.assertNotIn(b"envelope", a.body)
        for body in (b"", b"{", b"[]", b"null", b'{"assignment":[]}', b"\xff" * 100, b'{"a":' * 5000):
            a = fetch("POST", f"{sms}/v1/tasks/{task}/release", body, {"Content-Type": "application/json"})
            self.assertIn(a.status, (400, 401, 403, 404, 409), body[:20])

    def test_the_log_of_releases_shows_each_of_them(self):
        a = fetch("GET", f"{self.n.service('sms')}/v1/releases?task={self.ran['task']}")
        self.assertEqual(a.status, 200, a.body)
        rows = a.json if isinstance(a.json, list) else a.json["releases"]
        granted = [r for r in rows if r["outcome"] in ("released", "release", "granted", "ok")]
        self.assertEqual(len(granted), 1, rows)
        self.assertEqual(granted[0]["label"], "SIMULATED")

    def test_a_worker_without_its_key_is_not_let_in(self):
        u = urlsplit(self.n.service("scheduler"))
        with socket.create_connection((u.hostname, u.port), timeout=10) as s:
            s.sendall((f"GET /v1/workers HTTP/1.1\r\nHost: {u.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
            got = s.recv(4096)
            self.assertIn(b"101", got)
            login = json.dumps({"type": "login", "version": 1, "worker": self.n.address("worker"), "signature": ZERO_SIG,
                                "name": "thief", "slots": 9, "tags": ["tee", "tdx"], "simulated": True, "running": []}).encode()
            mask = b"\1\2\3\4"
            frame = bytes([0x81, 0x80 | 126]) + len(login).to_bytes(2, "big") + mask + bytes(
                b ^ mask[i % 4] for i, b in enumerate(login))
            s.sendall(frame)
            rest = got
            while True:
                try:
                    more = s.recv(4096)
                except (TimeoutError, socket.timeout):
                    break
                if not more:
                    break
                rest += more
            self.assertNotIn(b"welcome", rest)
            self.assertNotIn(b'"assign"', rest)
        self.still_works()

    # ---- bytes that are no requests

    def test_garbage_oversized_and_slow_requests_do_not_harm(self):
        shots = [b"\0" * 1000, b"GET / HTTP/1.1\r\n" + b"A: " + b"x" * 200000 + b"\r\n\r\n", b"\xff\xfe\xfd" * 100,
                 b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
                 b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                 b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
                 b"GET /" + b"a/" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /%00%ff%zz HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"GET /../../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
        before = {r["name"]: r.get("pid") for r in self.n.roles().values()}
        for url in set(self.n.net["services"].values()):
            for shot in shots:
                got = raw(url, shot)
                self.assertNotIn(b"root:", got)
                self.assertNotIn(b"HTTP/1.1 2", got[:12], (url, shot[:60]))
        self.assertEqual({r["name"]: r.get("pid") for r in self.n.roles().values()}, before)
        self.still_works()

    def test_bodies_over_the_limit_are_refused(self):
        big = b'{"order":"' + b"x" * (8 << 20) + b'"}'
        for url in (f"{self.n.service('market')}/datasetorders?chainId=421614",
                    f"{self.n.service('sms')}/secrets/web3?secretAddress={self.data}",
                    f"{self.n.service('sms')}/v1/tasks/{self.ran['task']}/release",
                    f"{self.n.service('sms')}/v1/nonces"):
            a = fetch("POST", url, big, {"Content-Type": "application/json", "Authorization": ZERO_SIG,
                                        "authorization": ZERO_SIG})
            if a is not None:  # None: the connection was closed on us, which is a refusal too
                self.assertGreaterEqual(a.status, 400, url)

    def test_many_idle_connections_do_not_stop_the_service(self):
        u = urlsplit(self.n.service("market"))
        idle = []
        try:
            for _ in range(300):
                idle.append(socket.create_connection((u.hostname, u.port), timeout=5))
            self.assertEqual(fetch("GET", f"{self.n.service('market')}/version").status, 200)
        finally:
            for s in idle:
                s.close()

    def test_ids_that_are_no_ids(self):
        market, scheduler = self.n.service("market"), self.n.service("scheduler")
        for text in ("0x", "0", "x", "'", "%27%20OR%201=1", "..%2f..%2f", "0x" + "zz" * 32, "9" * 500):
            for url in (f"{market}/deals/{text}?chainId=421614", f"{market}/v1/tasks/{text}",
                        f"{market}/v1/datasets/{text}", f"{scheduler}/v1/tasks/{text}",
                        f"{market}/datasetorders?chainId={text}&dataset=any",
                        f"{market}/datasetorders?chainId=421614&dataset={text}",
                        f"{self.n.service('ipfsGateway')}/ipfs/{text}"):
                a = fetch("GET", url)
                self.assertIn(a.status, (400, 404), (url, a.body[:200]))

    def test_a_call_back_to_files_of_the_host_is_not_fetched(self):
        a = self.n.cli("run", self.faults, "--input-file", "file:///etc/passwd", who="bob", code=2)
        self.assertIn("url", a.error)

    # ---- secrets that should not be there

    def places(self):
        """(name, bytes) of everything that may hold a secret by mistake."""
        for path in self.n.files():
            if "/keys/" in path or path.endswith("network.json") or "/chain/" in path:
                continue  # what up made there holds the development keys, on purpose, mode 0600
            try:
                with open(path, "rb") as f:
                    yield path, f.read()
            except OSError:
                continue
        for pid in harness.descendants(self.n.process.pid) + [self.n.process.pid]:
            for part in ("cmdline", "environ"):
                try:
                    with open(f"/proc/{pid}/{part}", "rb") as f:
                        yield f"{harness.cmdline(pid)[:80]} {part}", f.read()
                except OSError:
                    continue

    def test_no_secret_is_on_disk_in_clear_in_logs_arguments_or_environments(self):
        keys = [a["privateKey"][2:].encode() for a in self.n.net["accounts"]] + [self.eve_key[2:].encode()]
        with open(os.path.join(self.n.dir, "keys", "sms.key"), "rb") as f:
            sms = f.read()
        with open(os.path.join(self.n.dir, "keys", "master.key"), "rb") as f:
            master = f.read()
        raw_keys = [bytes.fromhex(k.decode()) for k in keys] + [sms, master]
        words = keys + raw_keys + [sms.hex().encode(), master.hex().encode(), b"the-password-of-eve-5512", b"patient 7,",
                                   SECRET_TEXT.encode(), b"BEGIN PRIVATE KEY", b"BEGIN RSA PRIVATE KEY"]
        self.n.cli("run", self.faults, "--args", "ok x", "--secret", f"1={self.secret_file}", "-o",
                   self.n.folder(f"s-{os.urandom(3).hex()}"), who="bob")
        looked_at = list(self.places())
        self.assertGreater(len(looked_at), 40)
        self.assertTrue(any(self.n.dir.encode() in content for name, content in looked_at if name.endswith("cmdline")))
        for name, content in looked_at:
            for word in words:
                if word in content:
                    self.fail(f"{name} holds {word[:16]!r}...")

    def test_no_command_has_a_secret_among_its_arguments(self):
        seen, stop = set(), threading.Event()

        def watch():
            while not stop.is_set():
                for p in os.listdir("/proc"):
                    if p.isdigit():
                        seen.add(harness.cmdline(int(p)))
        t = threading.Thread(target=watch)
        t.start()
        try:
            self.n.cli("account", "show", "eve", "--password-file", self.pw)
            self.n.cli("wallet", "export", "eve", "--password-file", self.pw)
            self.n.cli("run", self.app, "--data", self.data, "-o", self.n.folder("watched"), who="bob")
        finally:
            stop.set()
            t.join()
        everything = "\n".join(seen)
        for word in (self.eve_key[2:], "the-password-of-eve-5512", SECRET_TEXT):
            self.assertNotIn(word, everything)

    def test_services_listen_on_the_loopback_only(self):
        ports = {urlsplit(u).port for u in self.n.net["services"].values()} | {urlsplit(self.n.net["rpcUrl"]).port}
        with open("/proc/net/tcp", encoding="ascii") as f:
            for line in f.readlines()[1:]:
                local, state = line.split()[1], line.split()[3]
                address, port = local.split(":")
                if state == "0A" and int(port, 16) in ports:
                    self.assertEqual(address, "0100007F", line)

    def test_error_texts_do_not_repeat_secrets(self):
        a = self.n.cli("wallet", "import", "--key-file", "-", "--password-file", self.pw, code=None, stdin=self.eve_key + "zz")
        self.assertNotEqual(a.code, 0)
        self.assertNotIn(self.eve_key[2:20], a.out + a.err)

    def test_the_logs_name_no_plain_text_of_users(self):
        folder = os.path.join(self.n.dir, "logs")
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as f:
                self.assertIsNone(re.search(r"patient \d|privateKey|BEGIN ", f.read()), name)


class Impostor:
    """A service under an attacker's hand: answers by the function given, keeps what it was sent."""

    def __init__(self, answer):
        impostor = self
        self.got = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                n = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(n)
                impostor.got.append((self.command, self.path, body))
                status, kind, content = answer(self.command, self.path, body)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_POST = do_HEAD = do_PUT = handle_any

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Impostors(unittest.TestCase):
    """Services that lie to a client."""

    @classmethod
    def setUpClass(cls):
        cls.n = Network()
        cls.addClassCleanup(cls.n.__exit__, None)
        cls.n.up()
        cls.faults = cls.n.app("faults", "bob")


    def network(self, **services):
        doc = {**self.n.net, "services": {**self.n.net["services"], **services}}
        return self.n.file(f"net-{os.urandom(3).hex()}.json", json.dumps(doc))

    def test_a_secret_service_with_another_key_is_sent_nothing(self):
        real = fetch("GET", f"{self.n.service('sms')}/v1/vault").json
        lies = [{**real, "sealingKey": "0x" + "11" * 32}, {**real, "identity": self.n.address("carol")},
                {**real, "proof": ZERO_SIG}, {}, {"identity": 1}]
        for lie in lies:
            def answer(method, path, _body, lie=lie):
                if path == "/v1/vault":
                    return 200, "application/json", json.dumps(lie).encode()
                return (404, "text/plain", b"") if method == "HEAD" else (204, "text/plain", b"")
            with Impostor(answer) as sms:
                a = self.n.cli("data", "protect", self.n.file("x", "x"), "--network", self.network(sms=sms.url), who="alice",
                               code=None)
                self.assertIn(a.code, (1, 3), a)
                self.assertEqual([g for g in sms.got if g[0] in ("POST", "PUT")], [])

    def test_a_secret_service_without_a_vault_is_not_sent_plain_text(self):
        def answer(method, _path, _body):
            return (404, "text/plain", b"") if method in ("GET", "HEAD") else (204, "text/plain", b"")
        with Impostor(answer) as sms:
            a = self.n.cli("data", "protect", self.n.file("x", "x"), "--network", self.network(sms=sms.url), who="alice", code=5)
            self.assertIn("vault", a.error)
            self.assertEqual([g for g in sms.got if g[0] in ("POST", "PUT")], [])

    def test_a_key_goes_out_sealed(self):
        def answer(method, path, body):
            real = fetch(method, self.n.service("sms") + path, body or None)
            return real.status, "application/json", real.body
        with Impostor(answer) as sms:
            self.n.cli("data", "protect", self.n.file("x", "x"), "--network", self.network(sms=sms.url), who="alice", code=None)
            posts = [g for g in sms.got if g[0] == "POST"]
            self.assertEqual(len(posts), 1)
            self.assertGreater(len(base64.b64decode(posts[0][2])), 44 + 32)

    def test_a_store_that_names_other_content_is_noticed(self):
        wrong = "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"

        def answer(_method, path, _body):
            if path.startswith("/api/v0/add"):
                return 200, "application/json", json.dumps({"Name": wrong, "Hash": wrong, "Size": "10"}).encode() + b"\n"
            return 200, "application/octet-stream", b"x"
        with Impostor(answer) as store:
            a = self.n.cli("data", "protect", self.n.file("x", "x" * 1000), "--network",
                           self.network(ipfsNode=store.url, ipfsGateway=store.url), who="alice", code=3)
            self.assertTrue(a.error)

    def test_a_gateway_that_gives_another_result_is_noticed(self):
        r = self.n.cli("run", self.faults, "-o", self.n.folder("good"), who="bob")
        place = self.n.cli("task", "show", r["task"])["result"]
        content = fetch("GET", self.n.service("ipfsGateway") + place).body
        for lie in (content[:-1], content + b"x", content[:100] + bytes([content[100] ^ 1]) + content[101:], b"", b"PK"):
            with Impostor(lambda *_, lie=lie: (200, "application/octet-stream", lie)) as gateway:
                out = self.n.folder(f"bad-{os.urandom(3).hex()}")
                a = self.n.cli("result", r["task"], "-o", out, "--network", self.network(ipfsGateway=gateway.url), who="bob",
                               code=None)
                self.assertNotEqual(a.code, 0, a)
                self.assertEqual(os.listdir(out), [])

    def test_a_market_that_lies_about_orders_moves_no_money(self):
        market = self.n.service("market")
        data = self.n.protect("x")
        self.n.grant(data, self.faults, "bob", "--price", "5")
        stake = self.n.stake("bob")

        def lie(change):
            def answer(method, path, body):
                real = fetch(method, market + path, body or None)
                content = real.body
                if "/datasetorders" in path and real.status == 200:
                    doc = real.json
                    for o in doc.get("orders", []):
                        change(o)
                    content = json.dumps(doc).encode()
                return real.status, "application/json", content
            return answer
        lies = [lambda o: o["order"].update(datasetprice=0), lambda o: o["order"].update(requesterrestrict="0x" + "00" * 20),
                lambda o: o["order"].update(sign=ZERO_SIG), lambda o: o["order"].pop("sign"), lambda o: o.update(order={}),
                lambda o: o["order"].update(volume="x")]
        for change in lies:
            with Impostor(lie(change)) as m:
                a = self.n.cli("run", self.faults, "--data", data, "--network", self.network(market=m.url), who="bob", code=None)
                self.assertIn(a.code, (1, 3), a)
                self.assertEqual(self.n.stake("bob"), stake)

    def test_a_scheduler_that_lies_about_the_end_does_not_make_a_result(self):
        def answer(_method, path, _body):
            said = {"task": path.split("/")[3], "status": "COMPLETED", "stage": "completed"}
            return 200, "text/event-stream", f"data: {json.dumps(said)}\n\n".encode()
        with Impostor(answer) as s:
            r = self.n.cli("run", self.faults, "--args", "ok true", "-o", self.n.folder("true"), "--network",
                           self.network(scheduler=s.url), who="bob")
            self.assertEqual(r["status"], "COMPLETED")  # by the chain: told too early, it waited
            with open(os.path.join(self.n.folder("true"), "result.txt"), encoding="utf-8") as f:
                self.assertEqual(f.read(), "true\n")


if __name__ == "__main__":
    harness.main()
