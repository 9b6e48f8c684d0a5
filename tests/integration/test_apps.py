#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Apps from the command line: what they may reach, and what is told of it."""
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import threading
import unittest

import harness
from harness import Network

CREATE_APP = "0x3f7868ff"
NETAPP = os.path.join(harness.BUILD, "tests", "integration", "netapp")


def rename_program(image, copy, program):
    """The same OCI archive, but its entrypoint's first word is another."""
    with tarfile.open(image) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar.getmembers() if m.isfile()}

    def replace(digest, change):
        doc = json.loads(files.pop("blobs/sha256/" + digest.split(":")[1]))
        change(doc)
        data = json.dumps(doc).encode()
        new = hashlib.sha256(data).hexdigest()
        files["blobs/sha256/" + new] = data
        return {"digest": "sha256:" + new, "size": len(data)}

    index = json.loads(files["index.json"])

    def change_config(doc):
        doc["config"]["Entrypoint"][0] = program

    def change_manifest(doc):
        doc["config"].update(replace(doc["config"]["digest"], change_config))

    index["manifests"][0].update(replace(index["manifests"][0]["digest"], change_manifest))
    files["index.json"] = json.dumps(index).encode()
    with tarfile.open(copy, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


class Echo:
    """A server of this host that says back what it hears."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.heard = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with connection:
                data = b""
                while part := connection.recv(65536):
                    data += part
                self.heard.append(data)
                connection.sendall(data.upper())

    def close(self):
        self.server.close()


class Egress(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.echo = Echo()
        cls.addClassCleanup(cls.echo.close)
        cls.n = Network()
        cls.addClassCleanup(cls.n.__exit__, None)
        cls.n.up("--egress-loopback", "echo.test,other.test")

    def deploy(self, name, egress):
        folder = self.n.folder(name)
        os.mkdir(folder)
        shutil.copy(NETAPP, os.path.join(folder, "netapp"))
        with open(os.path.join(folder, "app.json"), "w", encoding="utf-8") as f:
            json.dump({"name": name, "entrypoint": "netapp", "egress": egress}, f)
        return self.n.cli("app", "deploy", folder, who="bob")

    def test_a_listed_host_is_reached_and_everybody_is_told(self):
        hosts = [f"echo.test:{self.echo.port}"]
        app = self.deploy("talker", hosts)
        self.assertEqual(app["egress"], hosts)
        self.assertEqual(self.n.cli("app", "show", app["address"])["egress"], hosts)
        data = self.n.protect("a secret")
        grant = self.n.grant(data, app["address"], "bob")
        self.assertEqual(grant["egress"], hosts)
        words = self.n.cli("data", "grant", data, "--app", app["address"], "--user", "carol", who="alice",
                           as_json=False)
        self.assertIn(f"can talk to [\"{hosts[0]}\"], and to nobody else", words.out)
        out = self.n.folder("talker-out")
        run = self.n.cli("run", app["address"], "--data", data, "--args", f"fetch echo.test {self.echo.port} hello",
                         "--out", out, who="bob")
        with open(os.path.join(out, "result.txt"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "HELLO")
        self.assertIn(b"hello", self.echo.heard)
        told = {"connections": 1, "failed": 0, "refused": 0, "sent": 5, "received": 5}
        harness.until("the record", lambda: self.n.cli("task", "show", run["task"]).json.get("egress") == told)
        words = self.n.cli("task", "show", run["task"], as_json=False)
        self.assertIn("1 connections (0 failed), 0 refused, 5 bytes sent, 5 received", words.out)

    def test_what_is_not_listed_is_refused_and_counted(self):
        app = self.deploy("quiet", [])
        words = self.n.cli("app", "show", app["address"], as_json=False)
        self.assertIn("cannot talk to anybody", words.out)
        run = self.n.cli("run", app["address"], "--args", f"ways {self.echo.port}", "--out", self.n.folder("quiet-out"),
                         who="bob")
        harness.until("the record", lambda: self.n.cli("task", "show", run["task"]).json.get("egress"))
        told = self.n.cli("task", "show", run["task"])["egress"]
        self.assertEqual(told["connections"], 0)
        self.assertGreaterEqual(told["refused"], 6)
        # A failed task's record has it, too.
        failed = self.n.cli("run", app["address"], "--args", f"fetch echo.test {self.echo.port} x", who="bob", code=None)
        self.assertNotEqual(failed.code, 0, failed)

    def test_a_raw_address_cannot_be_listed(self):
        folder = self.n.folder("raw")
        os.mkdir(folder)
        shutil.copy(NETAPP, os.path.join(folder, "netapp"))
        with open(os.path.join(folder, "app.json"), "w", encoding="utf-8") as f:
            json.dump({"name": "raw", "entrypoint": "netapp", "egress": ["192.0.2.1:443"]}, f)
        a = self.n.cli("app", "deploy", folder, who="bob", code=2)
        self.assertIn("egress", a.error)


class Archive:
    """A Debian archive of two packages in a folder that everybody may read (mmdebstrap reads it as another user)."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="sr-archive-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.entries = []

    def add(self, name, depends, files):
        root = os.path.join(self.dir, "root")
        control = f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: a test\n"
        control += f"Depends: {depends}\n" if depends else ""
        for path, content in {**files, "DEBIAN/control": control.encode()}.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "wb") as f:
                f.write(content)
            os.chmod(os.path.join(root, path), 0o755 if "/bin/" in path else 0o644)
        for folder, _, _ in os.walk(root):
            os.chmod(folder, 0o755)
        deb = os.path.join(self.dir, name + ".deb")
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", root, deb], check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(root)
        with open(deb, "rb") as f:
            data = f.read()
        self.entries.append(control + f"Filename: ./{name}.deb\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n")
        with open(os.path.join(self.dir, "Packages"), "w", encoding="ascii") as f:
            f.write("\n".join(self.entries))

    def line(self):
        return f"deb [trusted=yes] copy:{self.dir} ./"

    def close(self):
        shutil.rmtree(self.dir)


class Projects(unittest.TestCase):
    """From nothing to a result, with the generator; without a network until one is needed."""

    @classmethod
    def setUpClass(cls):
        cls.n = Network()
        cls.addClassCleanup(cls.n.__exit__, None)

    def here(self, *args, folder=".", code=0, as_json=True, stdin=None):
        """A command in a folder below the test's home."""
        line = [harness.PROGRAM, *args, "--dir", self.n.dir, "--keystore", self.n.keystore]
        if args[0] == "run" or args[:2] == ("app", "deploy"):
            line += ["--as", "bob"]
        if as_json:
            line += ["--json"]
        done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False, input=stdin or "",
                              cwd=os.path.join(self.n.home, folder), env=self.n.env)
        answer = harness.Answer(line, done.returncode, done.stdout, done.stderr, 0)
        self.assertEqual(answer.code, code, answer)
        return answer

    def text(self, *path):
        with open(os.path.join(self.n.home, *path), encoding="utf-8") as f:
            return f.read()

    def test_hello_world_from_nothing(self):
        self.need_network()
        self.here("app", "init", "hello")
        self.here("app", "test", folder="hello")
        self.assertEqual(self.text("hello", "output", "result.txt"), "Hello, Alice protected data!\n")
        self.assertIn("deploy comes first", self.here("run", ".", folder="hello", code=3)["hint"])
        self.here("app", "deploy", folder="hello")
        run = self.here("run", ".", "--args", "Bob", folder="hello")
        self.assertEqual(self.text("hello", os.path.basename(run["result"]), "result.txt"), "Hello, Bob!\n")

    def test_hello_world_as_the_documents_type_it(self):
        """No --as, no wallet: on a development network, alice acts."""
        self.need_network()
        line = ("strongroom app init hello --language {0} && cd hello && strongroom app test && strongroom app deploy "
                "&& strongroom run . && cat result-0x*/result.txt")
        env = {**self.n.env, "PATH": harness.BUILD + os.pathsep + self.n.env["PATH"], "STRONGROOM_DIR": self.n.dir,
               "STRONGROOM_KEYSTORE": self.n.folder("no-keys-yet")}
        for lang in ("c", "python", "javascript"):
            with self.subTest(lang):
                home = self.n.folder("typed-" + lang)
                os.mkdir(home)
                done = subprocess.run(["bash", "-euc", line.format(lang)], capture_output=True, text=True, timeout=120,
                                      check=False, cwd=home, env=env)
                self.assertEqual(done.returncode, 0, done)
                self.assertTrue(done.stdout.endswith("Hello, World!\n"), done)

    def test_every_language_with_every_feature(self):
        for lang in ("python", "javascript", "c"):
            with self.subTest(lang):
                name = f"all-{lang}"
                self.here("app", "init", name, "--language", lang, "--data", "bulk", "--input-files",
                          "--requester-secrets", "--app-secret")
                a = self.here("app", "test", folder=name)
                self.assertEqual(a["files"], 3, a)
                self.assertEqual(self.text(name, "output", "result.txt"), "Hello, Alice foo bar!\n")
                self.assertEqual(self.text(name, "output", "inputFile_1"), "hello\n")
                self.assertIn("Got requester secret 1 (***)!", a["stdout"])
                self.assertIn("Got an app secret (***)!", a["stdout"])
                # Everything again, given by hand.
                secret = self.n.file("secret.txt", "s3cret\n")
                a = self.here("app", "test", "--args", "x 'y z'", "--data", "data3", "--secret", f"7={secret}",
                              "--input-file", secret, folder=name)
                self.assertEqual(self.text(name, "output", "result.txt"), "Hello, x y z baz!\n")
                self.assertIn("Got requester secret 7 (***)!", a["stdout"])
                self.assertNotIn("app secret", a["stdout"])

    def test_a_bare_app_in_every_language(self):
        for lang in ("python", "javascript", "c"):
            with self.subTest(lang):
                name = f"bare-{lang}"
                self.here("app", "init", name, "--language", lang, "--data", "none", "--no-args")
                self.here("app", "test", folder=name)
                self.assertEqual(self.text(name, "output", "result.txt"), "Hello, World!\n")

    def test_a_mock_of_ones_own(self):
        self.here("app", "init", "mocked", "--no-args")
        a = self.here("app", "mock", "mine", "--object", "-", folder="mocked",
                      stdin='{"secretText":"of my own","more":{"n":1,"yes":true}}')
        self.assertEqual(a["schema"]["more"], {"n": "f64", "yes": "bool"})
        self.here("app", "test", "--data", "mine", folder="mocked")
        self.assertEqual(self.text("mocked", "output", "result.txt"), "Hello, of my own!\n")
        self.assertTrue(self.here("app", "mock", "../x", "--object", "-", folder="mocked", stdin="{}", code=2)["hint"])

    def test_questions(self):
        self.here("app", "init", "--ask", stdin="asked app\njs\nno\nnone\n\nyes\n\n")
        self.assertIn("node", self.text("asked app", "app.json"))
        source = self.text("asked app", "src", "app.js")
        self.assertIn("IEXEC_REQUESTER_SECRET_", source)
        self.assertNotIn("deserializer", source)
        self.assertNotIn("%", source)
        self.assertIn("already exists", self.here("app", "init", "asked app", code=3).error)
        self.assertIn("letters", self.here("app", "init", "../x", code=2)["hint"])

    def test_the_same_sources_have_the_same_measurement(self):
        self.here("app", "init", "same")
        first = self.here("app", "build", folder="same")
        self.assertEqual(self.here("app", "build", folder="same")["measurement"], first["measurement"])
        self.assertEqual(self.here("app", "test", folder="same")["measurement"], first["measurement"])
        with open(os.path.join(self.n.home, "same", "src", "app.py"), "a", encoding="utf-8") as f:
            f.write("# another\n")
        self.assertNotEqual(self.here("app", "build", folder="same")["measurement"], first["measurement"])

    def need_network(self):
        if self.n.process is None:
            self.n.up()

    def test_debug_tells_the_story_of_a_task(self):
        self.need_network()
        self.here("app", "init", "story", "--data", "none")
        self.here("app", "deploy", folder="story")
        run = self.here("run", ".", "--args", "x", folder="story")
        a = self.n.cli("app", "debug", run["task"], who="bob")
        told = [s["status"] for s in a["steps"]]
        self.assertIn("COMPLETED", told)
        self.assertTrue(any(s.get("worker") for s in a["steps"]), a)
        times = [s["time"] for s in a["steps"]]
        self.assertEqual(times, sorted(times))
        self.assertGreater(times[0], 1500000000000)
        with open(os.path.join(self.n.home, "story", "src", "app.py"), "w", encoding="utf-8") as f:
            f.write("import sys\nprint('so far so good')\nsys.exit(3)\n")
        app = self.here("app", "deploy", folder="story")["address"]
        failed = self.n.cli("run", app, "--json", who="bob", code=4)
        task = next(w for w in failed.err.replace('"', " ").split() + failed.out.replace('"', " ").split()
                    if w.startswith("0x") and len(w) == 66 and self.n.cli("task", "show", w, code=None).code == 0)
        a = self.n.cli("app", "debug", task, who="bob")
        self.assertIn("exit code 3", a["cause"])
        self.assertTrue(a["next"])
        words = self.n.cli("app", "debug", task, who="carol", as_json=False)
        self.assertIn("ms  task", words.out)

    def test_an_image_from_elsewhere(self):
        self.need_network()
        self.here("app", "init", "image", "--data", "none")
        built = self.here("app", "build", folder="image")
        app = self.n.cli("app", "deploy", "--from-image", f"oci-archive:{built['image']}", "--name", "copied",
                         who="bob")
        self.assertEqual(app["name"], "copied")
        # Of a registry: ours.
        registry = self.n.service("registry").replace("http://", "")
        subprocess.run(["skopeo", "copy", "-q", "--insecure-policy", "--dest-tls-verify=false",
                        f"oci-archive:{built['image']}", f"docker://{registry}/apps/hello:1"], check=True,
                       env=self.n.env)
        app = self.n.cli("app", "deploy", "--from-image", f"docker://{registry}/apps/hello:1", who="bob")
        self.assertEqual(app["name"], "hello")
        out = self.n.folder("image-out")
        self.n.cli("run", app["address"], "--args", "registry", "--out", out, who="bob")
        with open(os.path.join(out, "result.txt"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "Hello, registry!\n")
        # As other builders write it: a program without a folder, looked up along PATH.
        bare = self.n.folder("bare.tar")
        rename_program(built["image"], bare, "python3")
        app = self.n.cli("app", "deploy", "--from-image", f"oci-archive:{bare}", "--name", "bare", who="bob")
        out = self.n.folder("bare-out")
        self.n.cli("run", app["address"], "--args", "PATH", "--out", out, who="bob")
        with open(os.path.join(out, "result.txt"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "Hello, PATH!\n")
        a = self.n.cli("app", "deploy", "--from-image", "nonsense", who="bob", code=2)
        self.assertIn("docker://", a["hint"])

    def register(self, who, name, multiaddr, digest):
        """An entry of the app registry as official tools make it: the name of an image in a registry, its digest."""
        n = self.n

        def words(b):
            return len(b).to_bytes(32, "big") + b + bytes(-len(b) % 32)

        tails = [words(name.encode()), words(b"DOCKER"), words(multiaddr.encode()), words(b"")]
        at, heads = 6 * 32, []
        for t in tails:
            heads.append(at.to_bytes(32, "big"))
            at += len(t)
        data = bytes(12) + bytes.fromhex(n.address(who)[2:]) + b"".join(heads[:3]) + bytes.fromhex(digest[2:]) + heads[3] + b"".join(tails)
        n.rpc("anvil_impersonateAccount", n.address(who))
        # createApp(address,string,string,bytes,bytes32,bytes)
        tx = n.rpc("eth_sendTransaction", {"from": n.address(who), "to": n.net["contracts"]["appRegistry"], "gas": hex(2_000_000),
                                           "data": CREATE_APP + data.hex()})
        receipt = harness.until("the app is registered", lambda: n.rpc("eth_getTransactionReceipt", tx))
        self.assertEqual(receipt["status"], "0x1")
        app = "0x" + receipt["logs"][-1]["topics"][3][-40:]
        n.cli("app", "publish", app, "--price", "0", "--count", "unlimited", who=who)
        return app

    def test_a_worker_pulls_an_image_from_a_registry_by_its_digest(self):
        self.need_network()
        self.here("app", "init", "pulled", "--data", "none")
        path = os.path.join(self.n.home, "pulled", "app.json")
        with open(path, encoding="utf-8") as f:
            project = json.load(f)
        with open(path, "w", encoding="utf-8") as f:
            json.dump({**project, "egress": ["echo.test:443"]}, f)
        built = self.here("app", "build", folder="pulled")
        host = self.n.service("registry").replace("http://", "")
        subprocess.run(["skopeo", "copy", "-q", "--insecure-policy", "--dest-tls-verify=false", "--preserve-digests",
                        f"oci-archive:{built['image']}", f"docker://{host}/apps/pulled:1"], check=True, env=self.n.env)
        app = self.register("bob", "pulled", f"{host}/apps/pulled:1", built["measurement"])
        out = self.n.folder("pulled-out")
        self.n.cli("run", app, "--args", "by name", "--out", out, who="bob")
        with open(os.path.join(out, "result.txt"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "Hello, by name!\n")
        self.assertEqual(self.n.cli("app", "show", app)["egress"], ["echo.test:443"])
        # As docker push leaves it: Docker's own manifest, a gzip layer. (Another layer: a known one would not be packed again.)
        self.here("app", "init", "zipped", "--data", "none")
        built = self.here("app", "build", folder="zipped")
        subprocess.run(["skopeo", "copy", "-q", "--insecure-policy", "--dest-tls-verify=false", "--format", "v2s2",
                        f"oci-archive:{built['image']}", f"docker://{host}/apps/docker:1"], check=True, env=self.n.env)
        raw = subprocess.run(["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{host}/apps/docker:1"], check=True,
                             env=self.n.env, capture_output=True).stdout
        manifest = json.loads(raw)
        self.assertEqual(manifest["mediaType"], "application/vnd.docker.distribution.manifest.v2+json")
        self.assertEqual(manifest["layers"][0]["mediaType"], "application/vnd.docker.image.rootfs.diff.tar.gzip")
        app = self.register("bob", "docker", f"{host}/apps/docker:1", "0x" + hashlib.sha256(raw).hexdigest())
        out = self.n.folder("docker-out")
        self.n.cli("run", app, "--args", "Docker", "--out", out, who="bob")
        with open(os.path.join(out, "result.txt"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "Hello, Docker!\n")
        # Another digest than the registry has; a registry that this network does not ask.
        for name, multiaddr, digest in (("other", f"{host}/apps/pulled:1", "0x" + "12" * 32),
                                        ("far", "registry.invalid/apps/pulled:1", "0x" + "13" * 32)):
            app = self.register("bob", name, multiaddr, digest)
            failed = self.n.cli("run", app, who="bob", code=None)
            self.assertEqual((failed.code, failed["code"]), (4, "APP_IMAGE_DOWNLOAD_FAILED"), failed)
            self.assertIsNone(self.n.cli("app", "show", app)["egress"])

    def test_an_image_out_of_a_debian_archive(self):
        archive = Archive()
        self.addCleanup(archive.close)
        with open(os.path.join(harness.IAPPS, "faults", "faults"), "rb") as f:
            program = f.read()
        archive.add("sr-main", "sr-data", {"usr/bin/faults": program, "usr/share/doc/sr-main/copyright": b"words\n"})
        archive.add("sr-data", "", {"lib/sr/data.txt": b"data\n", "etc/sr.conf": b"x\n",
                                    "usr/share/ca-certificates/mozilla/B.crt": b"-B-\n", "usr/share/ca-certificates/mozilla/A.crt": b"-A-\n"})
        app = {"name": "from-archive", "packages": ["sr-main"], "suite": "local", "mirror": archive.line(),
               "entrypoint": ["/usr/bin/faults", "ok"], "files": []}
        self.n.file("from-archive/app.json", json.dumps(app))
        self.here("app", "test", folder="from-archive")
        built = self.here("app", "build", folder="from-archive")
        with tarfile.open(built["image"]) as image:
            layer = max((m for m in image.getmembers() if m.name.startswith("blobs/")), key=lambda m: m.size)
            with tarfile.open(fileobj=image.extractfile(layer)) as files:
                names = {m.name for m in files.getmembers() if not m.isdir()}
                bundle = files.extractfile("etc/ssl/certs/ca-certificates.crt").read()
        self.assertEqual(bundle, b"-A-\n-B-\n")
        self.assertTrue({"usr/bin/faults", "usr/lib/sr/data.txt", "etc/sr.conf", "lib", "bin"} <= names, names)
        self.assertFalse({n for n in names if "/doc/" in n or n in ("etc/hostname", "etc/resolv.conf") or n.startswith("dev")})
        # Elsewhere, unpacked anew: the same measurement. Here, without the archive: what was unpacked serves.
        self.n.file("again/app.json", json.dumps(app))
        self.assertEqual(self.here("app", "build", folder="again")["measurement"], built["measurement"])
        os.unlink(os.path.join(archive.dir, "Packages"))
        self.assertEqual(self.here("app", "build", folder="again")["measurement"], built["measurement"])
        # What cannot be had, and what is no package.
        self.n.file("lost/app.json", json.dumps({**app, "packages": ["sr-data"]}))
        lost = self.here("app", "build", folder="lost", code=5)
        self.assertIn("getting packages", lost.error)
        self.assertIn("debian-", lost["hint"])
        for wrong in ({"packages": []}, {"packages": "sr-main"}, {"packages": ["--x"]}, {"packages": ["a b"]}, {"packages": ["a,b"]},
                      {"suite": "-x"}, {"mirror": "/etc"}, {"mirror": "file:/x\n"}, {"base": "python"}):
            self.n.file("bad-list/app.json", json.dumps({**app, **wrong}))
            self.assertIn("app.json", self.here("app", "build", folder="bad-list", code=2).error)

    def official(self, name, language):
        """A project as the official generator makes it."""
        folder = self.n.folder(name)
        os.makedirs(os.path.join(folder, "src"))
        os.makedirs(os.path.join(folder, "mock", "protectedData"))
        self.here("app", "init", name + "-mocks")
        shutil.copy(os.path.join(self.n.home, name + "-mocks", "mock", "protectedData", "default"),
                    os.path.join(folder, "mock", "protectedData", "default"))
        self.n.file(f"{name}/iapp.config.json", json.dumps({"defaultChain": "arbitrum-sepolia-testnet",
                                                            "projectName": name, "template": language}))
        self.n.file(f"{name}/Dockerfile", "FROM scratch\n")
        return folder

    def test_a_project_of_the_official_generator_with_the_npm_deserializer(self):
        name = "official-js"
        folder = self.official(name, "JavaScript")
        todo, modules = ["@iexec/dataprotector-deserializer"], os.path.join(harness.ROOT, "node_modules")
        while todo:
            package = todo.pop()
            there = os.path.join(folder, "node_modules", package)
            if os.path.isdir(there):
                continue
            shutil.copytree(os.path.join(modules, package), there, ignore=shutil.ignore_patterns(".bin"))
            with open(os.path.join(there, "package.json"), encoding="utf-8") as f:
                todo += list(json.load(f).get("dependencies", {}))
        self.n.file(f"{name}/package.json", json.dumps({"name": name, "type": "module"}))
        self.n.file(f"{name}/src/app.js", """
import fs from 'node:fs/promises';
import { IExecDataProtectorDeserializer } from '@iexec/dataprotector-deserializer';

const main = async () => {
  const { IEXEC_OUT } = process.env;
  const deserializer = new IExecDataProtectorDeserializer();
  const secret = await deserializer.getValue('secretText', 'string');
  await fs.writeFile(`${IEXEC_OUT}/result.txt`, [...process.argv.slice(2), secret].join(' '));
  await fs.writeFile(`${IEXEC_OUT}/computed.json`,
    JSON.stringify({ 'deterministic-output-path': `${IEXEC_OUT}/result.txt` }));
};
main();
""")
        self.here("app", "test", "--data", "default", "--args", "hello", folder=name)
        self.assertEqual(self.text(name, "output", "result.txt"), "hello protected data")

    def test_a_python_project_of_the_official_generator(self):
        name = "official-py"
        self.official(name, "Python")
        shutil.copy(os.path.join(self.n.home, name + "-mocks", "src", "protected_data.py"),
                    os.path.join(self.n.home, name, "src", "protected_data.py"))
        self.n.file(f"{name}/src/app.py", """
import json, os, protected_data, helper
out = os.getenv('IEXEC_OUT')
with open(out + '/result.txt', 'w') as f:
    f.write(helper.greeting + protected_data.getValue('secretText', 'string'))
with open(out + '/computed.json', 'w') as f:
    json.dump({'deterministic-output-path': out + '/result.txt'}, f)
""")
        self.n.file(f"{name}/site-packages/helper.py", "greeting = 'from a package: '\n")
        self.here("app", "test", "--data", "default", folder=name)
        self.assertEqual(self.text(name, "output", "result.txt"), "from a package: protected data")

    def test_what_is_wrong_is_said(self):
        self.here("app", "init", "wrong", "--data", "none")
        path = os.path.join(self.n.home, "wrong", "src", "app.py")
        for source, words in (("import sys; print('oh no'); sys.exit(3)", "exit code 3"),
                              ("pass", "computed.json"),
                              ("open('/iexec_out/computed.json', 'w').write('{')", "computed.json"),
                              ("open('/iexec_out/computed.json', 'w').write("
                               "'{\"deterministic-output-path\":\"/etc/passwd\"}')", "not below"),
                              ("import socket; socket.create_connection(('192.0.2.1', 80))", "exit code 1")):
            with open(path, "w", encoding="utf-8") as f:
                f.write(source + "\n")
            a = self.here("app", "test", folder="wrong", code=4)
            self.assertIn(words, a.error, a)
            self.assertTrue(a["hint"], a)
        self.assertIn("Network is unreachable", a.err)


if __name__ == "__main__":
    harness.main()
