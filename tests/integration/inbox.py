#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A place where messages of a development network end: an SMTP server and a Bot API, and what they got as JSON.

  inbox.py FOLDER      certificates go to FOLDER; prints one line of JSON, serves until standard input ends

Printed: {"smtp": port, "bot": port, "inbox": "http://127.0.0.1:PORT", "ca": PEM}. The servers go by the names smtp.test and
api.test; GET INBOX/mail gives [{"to","from","fromName","subject","contentType","content"}], GET INBOX/telegram
[{"chat_id","text","parse_mode"}]. POST INBOX/refuse {"to": ADDRESS | CHAT, "reply": "550 5.1.1 unknown" | 403}: once, or for good.
"""
import email
import email.policy
import json
import sys

from mail_servers import Api, Certificates, Smtp, answer_json


def as_json(mail):
    m = email.message_from_bytes(mail["raw"], policy=email.policy.default)
    sender = m["From"].addresses[0]
    return {"to": mail["to"][0], "from": sender.addr_spec, "fromName": sender.display_name, "subject": m["Subject"],
            "contentType": m.get_content_type(), "content": m.get_content().replace("\r\n", "\n").rstrip("\n")}


def main(folder):
    certs = Certificates(folder)
    smtp, chats, messages = Smtp(certs.server()), {}, []

    def bot(_method, path, _headers, body):
        got = json.loads(body)
        status = chats.get(got["chat_id"], 200) if path.endswith("/sendMessage") else 404
        if status == 200:
            messages.append(got)
        return answer_json({"ok": status == 200}, status)

    def inbox(method, path, _headers, body):
        if method == "POST":
            wanted = json.loads(body)
            if isinstance(wanted["reply"], int):
                chats[wanted["to"]] = wanted["reply"]
            else:
                smtp.replies[wanted["to"]] = [wanted["reply"]]
        return answer_json([as_json(m) for m in smtp.mails] if path == "/mail" else messages)

    api, listing = Api(certs.server(), bot), Api(None, inbox)
    print(json.dumps({"smtp": smtp.port, "bot": api.port, "inbox": f"http://127.0.0.1:{listing.port}", "ca": certs.authority()}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
