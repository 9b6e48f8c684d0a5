# SPDX-License-Identifier: Apache-2.0
"""Servers on loopback that messages are delivered to: SMTP with TLS, and HTTPS APIs. Python's standard library only."""
import base64
import http.server
import json
import os
import socket
import ssl
import subprocess
import threading
import time

NAMES = ("smtp.test", "api.test", "gateway.test", "localhost")


def run(*args):
    subprocess.run(args, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Certificates:
    """An authority, a server's certificate of it, and one of another authority."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        for who in ("ours", "other"):
            ca = self.path(who + "-ca")
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", f"/CN={who}", "-keyout", ca + ".key", "-out", ca + ".pem")
            names = ",".join("DNS:" + n for n in NAMES)
            with open(self.path("san"), "w", encoding="ascii") as f:
                f.write(f"subjectAltName={names}\n")
            run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=server",
                "-keyout", self.path(who + ".key"), "-out", self.path(who + ".csr"))
            run("openssl", "x509", "-req", "-in", self.path(who + ".csr"), "-CA", ca + ".pem", "-CAkey", ca + ".key",
                "-CAcreateserial", "-days", "2", "-extfile", self.path("san"), "-out", self.path(who + ".pem"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def authority(self, who="ours"):
        with open(self.path(who + "-ca.pem"), encoding="ascii") as f:
            return f.read()

    def server(self, who="ours"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path(who + ".pem"), self.path(who + ".key"))
        return context


class Smtp:
    """Records mails. replies: address -> the answers to RCPT TO, one a try; later ones are accepted."""

    def __init__(self, tls, implicit=False, starttls=True, login=None, silent=False):
        self.tls, self.implicit, self.starttls, self.login, self.silent = tls, implicit, starttls, login, silent
        self.replies, self.data_replies, self.mails, self.connections, self.attempts = {}, [], [], 0, []
        self.per_connection = None  # 421 after so many messages
        self.lock = threading.Lock()
        self.server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.server.getsockname()[1]
        self.open = set()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                self.open.add(connection)
            threading.Thread(target=self.talk, args=(connection, self.connections), daemon=True).start()

    def close(self):
        self.server.close()
        for c in list(self.open):
            c.close()

    def talk(self, connection, number):
        try:
            if self.silent:
                while connection.recv(4096):
                    pass
                return
            if self.implicit:
                connection = self.tls.wrap_socket(connection, server_side=True)
            talk = Talk(self, connection, number, self.implicit)
            try:
                talk.run()
            finally:
                talk.c.close()
        except (OSError, ValueError):
            pass
        finally:
            connection.close()


class Talk:
    def __init__(self, server, connection, number, secure):
        self.s, self.c, self.number, self.secure = server, connection, number, secure
        self.f = connection.makefile("rb")
        self.user, self.sender, self.to, self.helo, self.count = None, None, [], None, 0

    def say(self, *lines):
        self.c.sendall("".join(line + "\r\n" for line in lines).encode())

    def line(self):
        text = self.f.readline(10000)
        if not text.endswith(b"\r\n"):
            raise OSError("gone")
        return text[:-2].decode()

    def run(self):
        self.say("220 smtp.test ready")
        while True:
            line = self.line()
            verb = line.split(" ")[0].upper()
            if verb == "QUIT":
                self.say("221 bye")
                return
            if not self.one(verb, line):
                return

    def one(self, verb, line):
        s = self.s
        if verb in ("EHLO", "HELO"):
            self.helo = line.split(" ", 1)[1]
            more = ["250-smtp.test"]
            if s.starttls and not self.secure:
                more.append("250-STARTTLS")
            if s.login and self.secure:
                more.append("250-AUTH PLAIN LOGIN")
            self.say(*more, "250 SIZE 20000000")
        elif verb == "STARTTLS":
            self.say("220 go")
            self.c = s.tls.wrap_socket(self.c, server_side=True)
            self.f = self.c.makefile("rb")
            self.secure = True
        elif verb == "AUTH":
            self.auth(line)
        elif verb == "MAIL":
            if s.login and not self.user:
                self.say("530 5.7.0 login first")
            elif s.per_connection and self.count >= s.per_connection:
                self.say("421 4.7.0 enough of this connection")
                return False
            else:
                self.sender, self.to = line.split("<")[1].split(">")[0], []
                self.say("250 OK")
        elif verb == "RCPT":
            address = line.split("<")[1].split(">")[0]
            with s.lock:
                s.attempts.append(address)
                reply = s.replies[address].pop(0) if s.replies.get(address) else "250 OK"
            if reply.startswith("250"):
                self.to.append(address)
            self.say(reply)
            return not reply.startswith("421")
        elif verb == "DATA":
            self.data()
        elif verb in ("RSET", "NOOP"):
            self.say("250 OK")
        else:
            self.say("502 what?")
        return True

    def auth(self, line):
        words = line.split(" ")
        if words[1].upper() == "PLAIN":
            if len(words) < 3:
                self.say("334 ")
                words.append(self.line())
            given = tuple(base64.b64decode(words[2]).decode().split("\0")[1:])
        else:
            self.say("334 VXNlcm5hbWU6")
            user = base64.b64decode(self.line()).decode()
            self.say("334 UGFzc3dvcmQ6")
            given = (user, base64.b64decode(self.line()).decode())
        if given == self.s.login:
            self.user = given[0]
            self.say("235 welcome")
        else:
            self.say("535 5.7.8 no")

    def data(self):
        self.say("354 go on")
        lines = []
        while (line := self.f.readline(2000)) != b".\r\n":
            if not line.endswith(b"\r\n"):
                raise OSError("gone, or a line that is too long")
            lines.append(line[1:] if line.startswith(b".") else line)
        with self.s.lock:
            reply = self.s.data_replies.pop(0) if self.s.data_replies else "250 2.0.0 queued"
            if reply.startswith("250"):
                self.s.mails.append({"from": self.sender, "to": self.to, "raw": b"".join(lines), "tls": self.secure,
                                     "user": self.user, "helo": self.helo, "connection": self.number})
        self.count += 1
        self.say(reply)


class Api:
    """An HTTPS (tls None: HTTP) server. answer(method, path, headers, body) -> (status, headers, bytes) or None: hang up."""

    def __init__(self, tls, answer):
        self.requests = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                owner.requests.append({"at": time.monotonic(), "method": self.command, "path": self.path,
                                       "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body})
                got = answer(self.command, self.path, self.headers, body)
                if got is None:
                    self.close_connection = True
                    return
                status, headers, content = got
                self.send_response(status)
                for k, v in headers.items():
                    self.send_header(k, v)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = handle_any

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

            def finish_request(self, request, address):
                if tls:
                    request = tls.wrap_socket(request, server_side=True)
                try:
                    super().finish_request(request, address)
                finally:
                    request.close()

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def answer_json(value, status=200, headers=None):
    return status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(value).encode()
