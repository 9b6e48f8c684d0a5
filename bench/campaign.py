# SPDX-License-Identifier: Apache-2.0
"""A mail campaign from its request to every outcome: many owners' addresses, one message, a mail server on loopback.

Everything is as in tests/integration/test_messaging.py: the real network, real rooms, TLS to a server of Python's, which takes
its share of the same cores. Beside it: the same program over the same addresses, without a network and without rooms.
"""
import concurrent.futures
import json
import os
import tempfile
import time

import harness
from mail_servers import Api, Certificates, Smtp
from test_messaging import KEY, App, archive, encrypt, secret_of

TEXT = "A campaign's message.\n" * 40


def owners_of(net):
    names = [a["name"] for a in net.net["accounts"]]
    return [n for n in names if n != "carol"]


def protect_all(net, count):
    """count addresses of many owners, each granted to carol's campaigns."""
    owners = owners_of(net)

    def of_one(k):
        made = []
        for i in range(k, count, len(owners)):
            path = net.file(f"object-{i}.json", json.dumps({"email": f"person{i}@example.com"}))
            data = net.cli("data", "protect", "--object", path, "--name", "contact", who=owners[k])["address"]
            net.cli("data", "grant", data, "--app", "web3mail", "--user", "carol", "--bulk", who=owners[k])
            made.append((i, data))
        return made

    with concurrent.futures.ThreadPoolExecutor(len(owners)) as pool:
        made = [m for part in pool.map(of_one, range(len(owners))) for m in part]
    return [data for _, data in sorted(made)]


def measure(count):
    """{seconds, tasks, protect_s, alone_s}; raises when one recipient did not get exactly one mail."""
    with harness.Network() as net:
        certs = Certificates(net.folder("certs"))
        smtp = Smtp(certs.server())
        net.up("--egress-loopback", "smtp.test,gateway.test")
        secret = {"SMTP_URL": f"smtp://smtp.test:{smtp.port}", "SMTP_SENDER": "news@example.org", "CA_CERTIFICATES": certs.authority()}
        net.cli("mail", "install", "--secret-file", net.file("secret.json", json.dumps(secret)), who="operator")
        began = time.monotonic()
        data = protect_all(net, count)
        protected = time.monotonic() - began
        people = net.file("people.txt", "\n".join(data) + "\n")
        began = time.monotonic()
        campaign = net.cli("mail", "campaign", "--recipients", people, "--subject", "News", "--file", net.file("text", TEXT), who="carol",
                           timeout=1800)
        seconds = time.monotonic() - began
        got = sorted(m["to"][0] for m in smtp.mails)
        if got != sorted(f"person{i}@example.com" for i in range(count)):
            raise AssertionError(f"{len(got)} mails, {len(set(got))} recipients, {count} expected")
        tasks = campaign["tasks"]
        alone = program_alone(certs, smtp, count)
        smtp.close()
        return {"seconds": seconds, "tasks": len(tasks), "protect_s": protected, "alone_s": alone}


def program_alone(certs, smtp, count):
    sealed = encrypt(TEXT, KEY)
    gateway = Api(None, lambda *_: (200, {}, sealed))
    with tempfile.TemporaryDirectory() as folder:
        data = [(f"0x{i:040x}", archive({"email": f"person{i}@example.com"})) for i in range(count)]
        secret = {"SMTP_URL": f"smtp://localhost:{smtp.port}", "SMTP_SENDER": "news@example.org", "CA_CERTIFICATES": certs.authority()}
        began = time.monotonic()
        result = App("web3mail", folder).run(data, secret, secret_of(emailSubject="News"), f"http://localhost:{gateway.port}", count,
                                             timeout=900)[0]
        seconds = time.monotonic() - began
    gateway.close()
    if result["successCount"] != count:
        raise AssertionError(result)
    return seconds
