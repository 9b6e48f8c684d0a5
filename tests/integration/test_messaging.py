#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""web3mail and web3telegram: to the recorded runs of the official applications, and in real rooms."""
import email
import email.policy
import io
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
import time
import unittest
import zipfile

import harness
from harness import Network
from mail_servers import Api, Certificates, Smtp, answer_json

VECTORS = os.path.join(harness.ROOT, "tests", "vectors", "dataprotector")


def archive(values):
    """Protected data of strings, as the SDK packs it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, value in values.items():
            data = value.encode()
            z.writestr(name, struct.pack("<I", len(data)) + data)
    return out.getvalue()


def encrypt(text, key, iv=bytes(range(16))):
    data = text if isinstance(text, bytes) else text.encode()
    done = subprocess.run(["openssl", "enc", "-aes-256-cbc", "-K", key.hex(), "-iv", iv.hex()], input=data, check=True,
                          capture_output=True)
    return iv + done.stdout


class App:
    """One of the programs as a plain process, with an environment as in a room."""

    def __init__(self, name, folder):
        self.name, self.folder = name, folder
        self.program = os.path.join(harness.IAPPS, name, name)

    def run(self, data, app_secret, requester_secret, gateway, bulk=0, timeout=60):
        out = tempfile.mkdtemp(dir=self.folder)
        env = {"IEXEC_IN": tempfile.mkdtemp(dir=self.folder), "IEXEC_OUT": out}
        for i, (name, content) in enumerate(data, 1):
            if content is not None:
                with open(os.path.join(env["IEXEC_IN"], name), "wb") as f:
                    f.write(content)
            env[f"IEXEC_DATASET_{i}_FILENAME" if bulk else "IEXEC_DATASET_FILENAME"] = name
        if bulk:
            env["IEXEC_BULK_SLICE_SIZE"] = str(bulk)
        if app_secret is not None:
            env["IEXEC_APP_DEVELOPER_SECRET"] = json.dumps(app_secret)
        if requester_secret is not None:
            env["IEXEC_REQUESTER_SECRET_1"] = json.dumps(requester_secret)
        if gateway:
            env[self.name.upper() + "_IPFS_GATEWAY"] = gateway
        done = subprocess.run([self.program], env=env, timeout=timeout, capture_output=True, check=False)
        self.code, self.log = done.returncode, done.stderr.decode()
        texts = []
        for name in ("result.json", "computed.json"):
            path = os.path.join(out, name)
            if not os.path.exists(path):
                return None, None
            with open(path, encoding="utf-8") as f:
                texts.append(f.read())
        self.texts = texts
        result, computed = (json.loads(t) for t in texts)
        assert texts[0] == json.dumps(result, indent=2, ensure_ascii=False), texts[0]
        computed["deterministic-output-path"] = computed["deterministic-output-path"].replace(out, "<IEXEC_OUT>")
        return result, computed


class World(unittest.TestCase):
    """Certificates and the APIs, for programs outside of rooms."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="sr-mail-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.certs = Certificates(os.path.join(cls.folder, "certs"))

    def api(self, answer, tls=True, who="ours"):
        api = Api(self.certs.server(who) if tls else None, answer)
        self.addCleanup(api.close)
        return api

    def smtp(self, who="ours", **how):
        server = Smtp(self.certs.server(who), **how)
        self.addCleanup(server.close)
        return server


with open(os.path.join(VECTORS, "messaging.json"), encoding="utf-8") as vectors_file:
    RECORDED = json.load(vectors_file)
SEALED = bytes.fromhex(RECORDED["encryptedContentHex"][2:])
# Much waiting: tests/unit/messaging has these with a clock of its own.
TOO_LONG = ("bot-429-forever", "bot-no-network")
# The reference's defects, and what is right instead.
WRONG_KEY = {"error": "Failed to decrypt content", "success": False}


class Recorded(World):
    """Every recorded run of the official applications, against servers that answer as theirs did."""

    def services(self, name):
        """What the recorded network answered."""
        tries = {"n": 0}

        def prior(value):
            tasks = [{"resultsCallback": "0x" + "00" * 31 + value}] if value else []
            return answer_json({"data": {"tasks": tasks}})

        def answer(_method, path, _headers, _body):
            if path == "/poco":
                if name == "poco-index-500":
                    return answer_json({}, 500)
                return prior({"prior-valid-3": "03", "prior-valid-1": "01", "prior-invalid-2": "02",
                              "prior-other-0": "00"}.get(name))
            if path.startswith("/v4/address"):
                return {"mailgun-500": answer_json({}, 500), "mailgun-no-network": None}.get(
                    name, answer_json({"result": {"mailgun-undeliverable": "undeliverable",
                                                  "mailgun-catch-all": "catch_all"}.get(name, "deliverable")}))
            if path.startswith("/v3.1"):
                return answer_json({}, 401 if name == "mailjet-401" else 200)
            if path.startswith("/ipfs"):
                return (404, {}, b"") if name == "content-404" else (200, {}, SEALED)
            if path.startswith("/bot"):
                tries["n"] += 1
                if name == "bot-403":
                    return answer_json({"ok": False}, 403)
                if name == "bot-429-then-ok" and tries["n"] < 3:
                    return answer_json({"ok": False}, 429, {"Retry-After": "1"})
                if name == "bot-429-no-header" and tries["n"] < 3:
                    return answer_json({"ok": False, "parameters": {"retry_after": 1}}, 429)
                return answer_json({"ok": True})
            return 404, {}, b""

        return answer

    def expected(self, case, gateway):
        """The recorded requests, as ours are: the index is asked for the data set; the content comes once."""
        want, seen = [], False
        for r in case["requests"]:
            url = r["url"].replace("https://api.mailgun.net", "").replace("https://api.mailjet.com", "").replace(
                "https://api.telegram.org", "")
            if url.startswith("/ipfs"):
                if seen:
                    continue
                seen = True
            body = r.get("body")
            if url == "/poco":
                body = json.loads(json.dumps(body))
                n = sum(w[1] == "/poco" for w in want)
                body["variables"]["dataset"] = case["protectedData"][n]["file"]
            want.append((r["method"], url, r.get("headers", {}).get("authorization"), body))
        name = case["name"]
        if name == "content-wrong-key":
            want = [w for w in want if "send" not in w[1]]
        if name.startswith("bot-429"):
            want = want[:4]
        if case["bulk"] and case["app"] == "web3telegram":
            want.sort(key=lambda w: w[0])
        return want

    def test_every_recorded_run(self):
        for case in RECORDED["cases"]:
            if case["name"] in TOO_LONG:
                continue
            with self.subTest(app=case["app"], name=case["name"]):
                self.one(case)

    def one(self, case):
        answer = self.services(case["name"])
        api, gateway = self.api(answer), self.api(answer, tls=False)
        where = f"https://localhost:{api.port}"
        app_secret = case.get("appSecret")
        if app_secret is not None:
            app_secret = json.loads(json.dumps(app_secret).replace("<GATEWAY>", f"http://localhost:{gateway.port}"))
            app_secret["CA_CERTIFICATES"] = self.certs.authority()
            if case["app"] == "web3mail":
                app_secret["MJ_API_URL"] = app_secret["MAILGUN_API_URL"] = where
            else:
                app_secret["TELEGRAM_API_URL"] = where
        data = []
        for d in case["protectedData"]:
            content = d["content"]
            if content and content.startswith("zips/"):
                with open(os.path.join(VECTORS, content), "rb") as f:
                    content = f.read()
            elif content:
                content = archive(json.loads(content))
            data.append((d["file"], content))
        app = App(case["app"], self.folder)
        url = f"http://localhost:{gateway.port}" if case["gatewayEnvSet"] else None
        result, computed = app.run(data, app_secret, case.get("requesterSecret"), url, case["bulk"])
        self.assertEqual(app.code, case["exitCode"], app.log)
        want = json.loads(json.dumps(case["result"]).replace("<GATEWAY>", f"http://localhost:{gateway.port}"))
        if case["name"] == "content-wrong-key":
            want.update(WRONG_KEY)
        for r in [result] + result.get("results", []):
            r.pop("reason", None)
        self.assertEqual(result, want)
        self.assertEqual(computed, case["computed"])
        got = []
        for r in sorted(api.requests + gateway.requests, key=lambda r: r["at"]):
            got.append((r["method"], r["path"], r["headers"].get("authorization"),
                        json.loads(r["body"]) if r["body"] else None))
        self.assertEqual(got, self.expected(case, gateway))
        self.assertNotIn("example.com", app.log + app.texts[0])
        self.assertNotIn("123456789", app.log + app.texts[0])


KEY = bytes(range(1, 33))


def secret_of(key=KEY, kind="email", **more):
    b64 = __import__("base64").b64encode(key).decode()
    return {f"{kind}ContentMultiAddr": "/ipfs/QmContent", f"{kind}ContentEncryptionKey": b64, **more}


class Mail(World):
    """The mail program and a mail server, outside of rooms: what mail servers do."""

    def setUp(self):
        self.content = "Hello é\n.dot\n" + "x" * 300 + " \nlast"
        self.gateway = self.api(lambda *_: (200, {}, encrypt(self.content, KEY)), tls=False)
        self.app = App("web3mail", self.folder)

    def send(self, server, *addresses, request=None, bulk=None, scheme="smtp", **more):
        secret = {"SMTP_URL": f"{scheme}://localhost:{server.port}", "SMTP_SENDER": "news@example.org",
                  "CA_CERTIFICATES": self.certs.authority(), **more}
        data = [(f"0x{i:040x}", archive({"email": a})) for i, a in enumerate(addresses, 1)]
        bulk = len(data) if bulk is None and len(data) > 1 else bulk or 0
        return self.app.run(data, secret, request or secret_of(emailSubject="Hi"), f"http://localhost:{self.gateway.port}",
                            bulk)[0]

    def parsed(self, server, i=0):
        raw = server.mails[i]["raw"]
        for line in raw.split(b"\r\n"):
            self.assertLessEqual(len(line), 998)
            self.assertNotIn(b"\n", line)
        return email.message_from_bytes(raw, policy=email.policy.default)

    def test_starttls_login_and_a_message_as_it_was_written(self):
        server = self.smtp(login=("news", "pass wörd"))
        result = self.send(server, "alice@example.com", SMTP_USERNAME="news", SMTP_PASSWORD="pass wörd",
                           request=secret_of(emailSubject="Grüße: «naïve» test", senderName='Al"ice ü'))
        self.assertEqual(result, {"protectedData": "0x" + "0" * 39 + "1", "success": True}, self.app.log)
        mail = server.mails[0]
        self.assertEqual((mail["from"], mail["to"], mail["tls"], mail["user"], mail["helo"]),
                         ("news@example.org", ["alice@example.com"], True, "news", "example.org"))
        m = self.parsed(server)
        self.assertEqual(m["Subject"], "Grüße: «naïve» test")
        self.assertEqual(m["From"].addresses[0].display_name, 'Al"ice ü via Web3mail')
        self.assertEqual(m["From"].addresses[0].addr_spec, "news@example.org")
        self.assertEqual(m["To"].addresses[0].addr_spec, "alice@example.com")
        self.assertEqual(m.get_content_type(), "text/plain")
        self.assertEqual(m.get_content().replace("\r\n", "\n").rstrip("\n"), self.content)
        self.assertRegex(m["Message-ID"], r"^<[0-9a-f]{32}@example\.org>$")
        self.assertTrue(m["Date"].datetime)

    def test_tls_from_the_start_and_html(self):
        server = self.smtp(implicit=True)
        self.content = "<p>Ünï</p>" * 2000
        result = self.send(server, "a@example.com", scheme="smtps", request=secret_of(emailSubject="x", contentType="text/html"))
        self.assertTrue(result["success"], self.app.log)
        m = self.parsed(server)
        self.assertEqual(m.get_content_type(), "text/html")
        self.assertEqual(m.get_content().strip(), self.content)

    def test_nothing_can_be_put_into_the_headers(self):
        server = self.smtp()
        result = self.send(server, "a@example.com", request=secret_of(
            emailSubject="Hi\r\nBcc: victim@example.com\r\n\r\nbody", senderName="x\r\nBcc: v@e.org"))
        self.assertTrue(result["success"], self.app.log)
        m = self.parsed(server)
        self.assertNotIn("Bcc", m)
        self.assertIn("Bcc: victim@example.com", m["Subject"])
        self.assertEqual(server.mails[0]["to"], ["a@example.com"])
        for address in ("a@example.com>\r\nRCPT TO:<v@e.org", "a@example.com, b@example.com", "a b@example.com", "a@b"):
            result = self.send(server, address)
            self.assertEqual(result["error"], 'ProtectedData error: "email" must be a valid email')
        self.assertEqual(len(server.mails), 1)

    def test_a_refusal_names_nobody_and_the_others_get_theirs(self):
        server = self.smtp()
        server.replies = {"b@example.com": ["550 5.1.1 b@example.com is unknown"], "c@example.com": ["554 spam"]}
        result = self.send(server, "a@example.com", "b@example.com", "c@example.com", "d@example.com")
        self.assertEqual([r["success"] for r in result["results"]], [True, False, False, True])
        self.assertEqual((result["error"], result["successCount"], result["errorCount"]), ("Partial failure", 2, 2))
        self.assertEqual(result["results"][1]["error"], "Failed to send email")
        self.assertEqual(result["results"][1]["reason"], "the mail server answered 550 5.1.1")
        self.assertIs(result["results"][1]["isEmailValid"], False)
        self.assertNotIn("isEmailValid", result["results"][2])
        self.assertNotIn("example.com", json.dumps(result) + self.app.log)

    def test_greylisting_is_waited_for_once_for_all(self):
        server = self.smtp()
        server.replies = {a: ["451 4.7.1 come back later"] for a in ("a@example.com", "b@example.com")}
        began = time.monotonic()
        result = self.send(server, "a@example.com", "b@example.com", "c@example.com")
        self.assertEqual(result["successCount"], 3, self.app.log)
        self.assertEqual([m["to"] for m in server.mails], [["c@example.com"], ["a@example.com"], ["b@example.com"]])
        self.assertLess(time.monotonic() - began, 8)

    def test_one_connection_for_all_and_a_new_one_when_it_ends(self):
        server = self.smtp()
        people = [f"p{i}@example.com" for i in range(25)]
        self.assertTrue(self.send(server, *people)["success"], self.app.log)
        self.assertEqual(server.connections, 1)
        server.per_connection = 10
        self.assertTrue(self.send(server, *people)["success"], self.app.log)
        self.assertEqual(server.connections, 4)
        self.assertEqual(len({m["raw"].split(b"Message-ID: ")[1][:34] for m in server.mails}), 50)

    def test_a_silent_server_ends_in_time(self):
        server = self.smtp(silent=True)
        began = time.monotonic()
        result = self.send(server, *(f"p{i}@example.com" for i in range(50)), SMTP_TIMEOUT=1)
        self.assertLess(time.monotonic() - began, 15)
        self.assertEqual(result["errorCount"], 50)
        self.assertEqual(result["results"][49]["error"], "Failed to send email")
        self.assertIn("in time", result["results"][49]["reason"])
        self.assertEqual(server.connections, 2)  # one more chance, not fifty

    def test_a_certificate_that_is_not_trusted(self):
        for how in ({}, {"implicit": True}):
            server = self.smtp(who="other", login=("u", "p"), **how)
            result = self.send(server, "a@example.com", "b@example.com", scheme="smtps" if how else "smtp",
                               SMTP_USERNAME="u", SMTP_PASSWORD="p")
            self.assertEqual([r["reason"] for r in result["results"]], ["the server's certificate is not trusted"] * 2)
            self.assertEqual(server.mails, [])
            self.assertEqual(server.connections, 1)
        # Nor is one for another name; and the image's store does not know this authority.
        server = self.smtp()
        result = self.send(server, "a@example.com", SMTP_URL=f"smtp://127.0.0.1:{server.port}")
        self.assertIn("not trusted", result["reason"])

    def test_no_tls_no_mail(self):
        server = self.smtp(starttls=False)
        result = self.send(server, "a@example.com")
        self.assertEqual(result["reason"], "the server offers no TLS")
        self.assertEqual((server.mails, server.attempts), ([], []))

    def test_a_login_that_is_refused_is_tried_once(self):
        server = self.smtp(login=("u", "right"))
        result = self.send(server, "a@example.com", "b@example.com", SMTP_USERNAME="u", SMTP_PASSWORD="wrong-pass")
        self.assertEqual([r["success"] for r in result["results"]], [False, False])
        self.assertIn("refuses the login", result["results"][0]["reason"])
        self.assertEqual(server.connections, 1)
        self.assertNotIn("wrong-pass", json.dumps(result) + self.app.log)

    def test_content_that_is_not_what_it_should_be(self):
        server = self.smtp()
        good = encrypt("Hello", KEY)
        cases = {"cut": good[:-1], "half": good[:16], "nothing": b"", "no text": encrypt(b"\xff\xfe\xfd", KEY),
                 "turned": good[:-1] + bytes([good[-1] ^ 1])}
        for name, content in cases.items():
            with self.subTest(name):
                self.gateway = self.api(lambda *_, c=content: (200, {}, c), tls=False)
                result = self.send(server, "a@example.com")
                self.assertEqual(result["error"], "Failed to decrypt content", result)
        self.gateway = self.api(lambda *_: (200, {}, bytes(3 << 20)), tls=False)
        self.assertIn("too long", self.send(server, "a@example.com")["reason"])
        # A CID: the gateway may not give other bytes, though they decrypt.
        self.gateway = self.api(lambda *_: (200, {}, good), tls=False)
        cid = "QmT5NvUtoM5nWFfrQdVrFtvGfKFmG7AHE8P34isapyhCxX"
        result = self.send(server, "a@example.com", request=secret_of(emailSubject="x", emailContentMultiAddr="/ipfs/" + cid))
        self.assertEqual(result["error"], "Failed to decrypt content")
        self.assertIn("other bytes", result["reason"])
        self.assertEqual(server.mails, [])

    def test_app_secrets_that_are_wrong(self):
        server = self.smtp()
        for more, words in (({"SMTP_URL": "http://x:1"}, '"SMTP_URL" must be smtp://'),
                            ({"SMTP_SENDER": "nobody"}, '"SMTP_SENDER" must be a valid email'),
                            ({"SMTP_USERNAME": "u"}, "go together"), ({"SMTP_TIMEOUT": 0}, "from 1 to 60"),
                            ({"CA_CERTIFICATES": "x"}, "PEM"), ({"MJ_SENDER": "a@b.cd"}, '"MJ_SENDER" is not allowed'),
                            ({"WEB3MAIL_WHITELISTED_APPS": '["0x1"]'}, "must be a JSON array of addresses"),
                            ({"SMTP_PASSWORD": "a\r\nb", "SMTP_USERNAME": "u"}, "must be one line")):
            with self.subTest(words):
                self.assertIn(words, self.send(server, "a@example.com", **more)["error"])
        self.assertEqual(server.connections, 0)


class Rooms(World):
    """From protected addresses to the inbox, through the network and real rooms."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.n = Network()
        cls.addClassCleanup(cls.n.__exit__, None)
        cls.n.up("--egress-loopback", "smtp.test,api.test,gateway.test")
        cls.gateway_port = cls.n.service("ipfsGateway").rsplit(":", 1)[1].strip("/")

    def deploy(self, name, secret, *egress):
        more = [x for host in (f"gateway.test:{self.gateway_port}", *egress) for x in ("--egress", host)]
        app = self.n.cli("app", "deploy", os.path.join(harness.IAPPS, name), *more, "--env",
                         f"{name.upper()}_IPFS_GATEWAY=http://gateway.test:{self.gateway_port}", who="bob")
        self.assertEqual(app["egress"], [f"gateway.test:{self.gateway_port}", *egress])
        text = json.dumps(secret).replace("<APP>", app["address"])
        self.n.cli("secret", "push", "app", app["address"], "--secret-file", self.n.file(f"secret-{app['address']}", text), who="bob")
        return app["address"]

    def store(self, text):
        """As the SDK stores content: the path and the key."""
        sealed, edge = encrypt(text, KEY), "edge-of-part"
        body = (f"--{edge}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"c\"\r\n"
                "Content-Type: application/octet-stream\r\n\r\n").encode() + sealed + f"\r\n--{edge}--\r\n".encode()
        added = harness.http("POST", self.n.service("ipfsNode") + "/api/v0/add", body,
                             {"Content-Type": f"multipart/form-data; boundary={edge}"})
        return "/ipfs/" + added.json["Hash"]

    def protect(self, values, who):
        path = self.n.file("object.json", json.dumps(values))
        return self.n.cli("data", "protect", "--object", path, "--name", "contact", who=who)["address"]

    def run_app(self, app, data, request, code=0):
        out = tempfile.mkdtemp(dir=self.n.home)
        more = [x for d in data for x in ("--data", d)] + (["--bulk"] if len(data) > 1 else [])
        secret = self.n.file("request.json", json.dumps(request))
        run = self.n.cli("run", app, *more, "--secret", f"1={secret}", "--args", "label", "--out", os.path.join(out, "r"), who="carol",
                         code=code)
        with open(os.path.join(out, "r", "0" if len(data) > 1 else "", "result.json"), encoding="utf-8") as f:
            return run, json.load(f)

    def test_mail_by_smtp(self):
        server = self.smtp(login=("news", "secret"))
        app = self.deploy("web3mail", {"SMTP_URL": f"smtp://smtp.test:{server.port}", "SMTP_SENDER": "news@example.org",
                                       "SMTP_USERNAME": "news", "SMTP_PASSWORD": "secret",
                                       "CA_CERTIFICATES": self.certs.authority()}, f"smtp.test:{server.port}")
        data = self.protect({"email": "alice@example.com"}, "alice")
        told = self.n.grant(data, app, "carol", "--count", "9")
        self.assertIn(f"smtp.test:{server.port}", told["egress"])
        where = self.store("Only for Alice: é")
        request = secret_of(emailSubject="Hello", senderName="Carol", emailContentMultiAddr=where)
        run, result = self.run_app(app, [data], request)
        self.assertEqual(result.pop("protectedData").lower(), data.lower())
        self.assertEqual(result, {"success": True})
        self.assertEqual(server.mails[0]["to"], ["alice@example.com"])
        m = email.message_from_bytes(server.mails[0]["raw"], policy=email.policy.default)
        self.assertEqual(m.get_content().strip(), "Only for Alice: é")
        self.assertEqual(str(m["From"]), "Carol via Web3mail <news@example.org>")
        # Nobody outside of the room has seen the address or the message.
        for path in self.n.files():
            with open(path, "rb") as f:
                seen = f.read()
            for word in (b"alice@example.com", b"Only for Alice"):
                self.assertNotIn(word, seen, path)
        told = harness.until("the record", lambda: self.n.cli("task", "show", run["task"]).json.get("egress"))
        self.assertEqual((told["connections"], told["refused"]), (2, 0))
        # A wrong key: an error, and nothing is sent.
        _, result = self.run_app(app, [data], secret_of(key=bytes(32), emailSubject="x", emailContentMultiAddr=where))
        self.assertEqual((result["success"], result["error"]), (False, "Failed to decrypt content"))
        self.assertEqual(len(server.mails), 1)

    def test_a_campaign(self):
        server = self.smtp(implicit=True)
        server.replies = {"b@example.com": ["550 5.1.1 no such user"]}
        app = self.deploy("web3mail", {"SMTP_URL": f"smtps://smtp.test:{server.port}", "SMTP_SENDER": "news@example.org",
                                       "CA_CERTIFICATES": self.certs.authority()}, f"smtp.test:{server.port}")
        data = []
        for person, address in (("alice", "a@example.com"), ("dave", "b@example.com"), ("operator", "c@example.com")):
            data.append(self.protect({"email": address}, person))
            self.n.grant(data[-1], app, "carol", "--bulk", who=person)
        where = self.store("<b>News</b>")
        _, result = self.run_app(app, data, secret_of(emailSubject="News", contentType="text/html", emailContentMultiAddr=where))
        by = {r["protectedData"].lower(): r["success"] for r in result["results"]}
        self.assertEqual([by[d.lower()] for d in data], [True, False, True])
        self.assertEqual(sorted(m["to"][0] for m in server.mails), ["a@example.com", "c@example.com"])
        self.assertNotIn("example.com", json.dumps(result))

    def test_mail_by_the_official_services(self):
        def answer(_method, path, _headers, _body):
            if path.startswith("/v4"):
                return answer_json({"result": "deliverable"})
            return answer_json({"Messages": [{"Status": "success"}]})
        api = self.api(answer)
        index = self.n.service("pocoSubgraph").rstrip("/").replace("http://127.0.0.1", "http://gateway.test")
        secret = {"MJ_APIKEY_PUBLIC": "pub", "MJ_APIKEY_PRIVATE": "priv", "MJ_SENDER": "noreply@example.org",
                  "MAILGUN_APIKEY": "mg", "WEB3MAIL_WHITELISTED_APPS": json.dumps(["0x" + "33" * 20, "<APP>"]), "POCO_SUBGRAPH_URL": index,
                  "MJ_API_URL": f"https://api.test:{api.port}", "MAILGUN_API_URL": f"https://api.test:{api.port}",
                  "CA_CERTIFICATES": self.certs.authority()}
        app = self.deploy("web3mail", secret, f"api.test:{api.port}", re.search(r"gateway\.test:\d+", index).group())
        data = self.protect({"email": "alice@example.com"}, "alice")
        self.n.grant(data, app, "carol", "--count", "9")
        request = secret_of(emailSubject="Hello", emailContentMultiAddr=self.store("text"), useCallback=True)
        # As the official client sends: what the check found goes to the chain, for the next time.
        self.n.cli("run", app, "--data", data, "--secret", "1=" + self.n.file("request.json", json.dumps(request)), "--callback",
                   "0x5f936db7ad6d29371808e42a87015595d90509ba", who="carol")
        self.assertEqual([r["path"].split("?")[0] for r in api.requests], ["/v4/address/validate", "/v3.1/send"])
        _, result = self.run_app(app, [data], request)
        self.assertEqual((result["success"], result["isEmailValid"]), (True, True))
        self.assertEqual([r["path"].split("?")[0] for r in api.requests[2:]], ["/v3.1/send"])

    def test_telegram(self):
        chats = {"1002": (403, {"ok": False}), "1003": (400, {"ok": False, "description": "chat not found"})}
        slow = ["1004"]

        def answer(_method, path, _headers, body):
            chat = json.loads(body)["chat_id"]
            if path != "/bot12:AB/sendMessage":
                return answer_json({"ok": False}, 404)
            if chat in slow:
                slow.remove(chat)
                return answer_json({"ok": False, "parameters": {"retry_after": 1}}, 429)
            status, value = chats.get(chat, (200, {"ok": True}))
            return answer_json(value, status)
        api = self.api(answer)
        app = self.deploy("web3telegram", {"TELEGRAM_BOT_TOKEN": "12:AB", "TELEGRAM_API_URL": f"https://api.test:{api.port}",
                                           "CA_CERTIFICATES": self.certs.authority()}, f"api.test:{api.port}")
        data = []
        for person, chat in (("alice", "1001"), ("dave", "1002"), ("operator", "1003"), ("worker", "1004")):
            data.append(self.protect({"telegram_chatId": chat}, person))
            self.n.grant(data[-1], app, "carol", "--bulk", who=person)
        text = "<b>Long</b>\n" + "\n".join(f"line {i} of a long message" for i in range(300))
        _, result = self.run_app(app, data, secret_of(kind="telegram", senderName="Carol", telegramContentMultiAddr=self.store(text)))
        by = {r["protectedData"].lower(): r for r in result["results"]}
        got = [by[d.lower()] for d in data]
        self.assertEqual([r["success"] for r in got], [True, False, False, True])
        self.assertIn("status: 403", got[1]["error"])
        self.assertIn("status: 400", got[2]["error"])
        parts = [json.loads(r["body"]) for r in api.requests if json.loads(r["body"])["chat_id"] == "1001"]
        self.assertEqual("".join(p["text"] for p in parts), "Message from: Carol\n" + text)
        self.assertEqual(len(parts), 2)
        self.assertEqual(parts[0]["parse_mode"], "HTML")


if __name__ == "__main__":
    harness.main()
