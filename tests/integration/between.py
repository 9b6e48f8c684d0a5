# SPDX-License-Identifier: Apache-2.0
"""Servers that a test puts between a command and the network: a line that breaks, a node of another make."""
import http.server
import json
import select
import socket
import threading


class Line:
    """Passes bytes on to a service; breaks once after so many, then passes on again when told to."""

    def __init__(self, origin, breaks_after):
        host, port = origin.rsplit("/", 1)[1].split(":")
        self.to = (host, int(port))
        self.left = breaks_after
        self.sent = 0  # bytes that reached the service
        self.broken = threading.Event()
        self.mended = threading.Event()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        self.ends = False
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            if self.ends:
                client.close()
                return
            if self.broken.is_set() and not self.mended.is_set():
                client.close()
                continue
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        with client, socket.create_connection(self.to) as service:
            while True:
                ready, _, _ = select.select([client, service], [], [], 30)
                for one in ready:
                    data = one.recv(1 << 16)
                    if not data:
                        return
                    if one is service:
                        client.sendall(data)
                        continue
                    service.sendall(data)
                    self.sent += len(data)
                    if not self.broken.is_set() and self.sent >= self.left:
                        self.broken.set()
                        return
                if not ready:
                    return

    def close(self):
        self.ends = True
        socket.create_connection(self.server.getsockname()).close()
        self.server.close()


class Kubo:
    """SIMULATED: a node that answers /api/v0/add as Kubo documents it. What it gets it hands on to the network's own store, as a
    node would by Bitswap, so that the network's gateway finds it."""

    def __init__(self, store, authorization=None, answers=None):
        node = self
        self.calls = []  # (path, Authorization)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def body(self):
                if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                    return self.rfile.read(int(self.headers["Content-Length"]))
                whole = b""
                while size := int(self.rfile.readline(), 16):
                    whole += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return whole

            def do_POST(self):
                body = self.body()
                node.calls.append((self.path, self.headers.get("Authorization")))
                if authorization and self.headers.get("Authorization") != authorization:
                    self.answer(403, b"403 - Forbidden", "text/plain")
                elif answers:
                    self.answer(200, answers, "application/json")
                elif self.path.startswith("/api/v0/add"):
                    done = _post(f"{store}/api/v0/add", body, self.headers["Content-Type"])
                    self.answer(200, json.dumps({"Name": done["Hash"], "Hash": done["Hash"], "Size": done["Size"]}).encode() + b"\n",
                                "application/json")
                else:
                    self.answer(404, b"404 page not found", "text/plain")

            def answer(self, status, text, kind):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def _post(url, body, kind):
    import urllib.request
    request = urllib.request.Request(url, data=body, method="POST", headers={"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=20) as r:
        return json.loads(r.read().splitlines()[-1])
