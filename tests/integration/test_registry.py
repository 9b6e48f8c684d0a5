#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The store as an OCI registry, by skopeo and by podman: what is pushed is what is pulled again.

Each half is skipped where its program is not installed. Podman runs without a service, a user's settings or a
container: in a mount namespace of its own, with its storage in the test's folder.
"""
import contextlib
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import threading
import unittest

import harness
from harness import PROGRAM, http, until


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def make_image(folder, seed, layers=(3_000_000, 100)):
    """An image layout with random layers; returns the manifest's digest."""
    os.makedirs(f"{folder}/blobs/sha256")
    noise, kept, contents = random.Random(seed), [], []

    def put(data):
        with open(f"{folder}/blobs/sha256/{digest(data)[7:]}", "wb") as f:
            f.write(data)
        return {"digest": digest(data), "size": len(data)}

    for i, size in enumerate(layers):
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as t:
            entry = tarfile.TarInfo(f"file{i}")
            entry.size = size
            t.addfile(entry, io.BytesIO(noise.randbytes(size)))
        contents.append(digest(tar.getvalue()))
        kept.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}
                    | put(gzip.compress(tar.getvalue(), 1)))
    config = put(json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                             "rootfs": {"type": "layers", "diff_ids": contents}}).encode())
    manifest = put(json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json"} | config, "layers": kept}).encode())
    index = {"schemaVersion": 2, "manifests": [
        {"mediaType": "application/vnd.oci.image.manifest.v1+json",
         "annotations": {"org.opencontainers.image.ref.name": "v1"}} | manifest]}
    with open(f"{folder}/index.json", "w", encoding="utf8") as f:
        json.dump(index, f)
    with open(f"{folder}/oci-layout", "w", encoding="utf8") as f:
        f.write('{"imageLayoutVersion":"1.0.0"}')
    return manifest["digest"]


class WithStore(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="sr-registry-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        out, into = os.pipe()
        self.log = f"{self.dir}/store.log"
        with open(self.log, "wb") as log:
            self.store = subprocess.Popen(
                [PROGRAM, "role", "store", "--dir", f"{self.dir}/store", "--listen", "127.0.0.1:0", "--access-log", "on",
                 "--ready-fd", str(into)], pass_fds=[into], stderr=log)
        self.addCleanup(self.stop)
        os.close(into)
        with os.fdopen(out) as ready:
            self.port = json.loads(ready.readline())["port"]
        self.name = f"docker://127.0.0.1:{self.port}"

    def stop(self):
        if self.store.poll() is None:
            self.store.send_signal(signal.SIGTERM)
            self.store.wait(10)

    def asked(self, method, status):
        """How often the store has given this answer so far."""
        with open(self.log, encoding="utf8") as log:
            return sum(f'method="{method}" ' in line and f" status={status} " in line for line in log)


@unittest.skipUnless(shutil.which("skopeo"), "skopeo is not installed")
class Registry(WithStore):
    def skopeo(self, *args, code=0):
        done = subprocess.run(["skopeo", "--tmpdir", self.dir, *args], capture_output=True, text=True, timeout=120,
                              check=False, env={"PATH": os.environ["PATH"], "HOME": self.dir})
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_an_image_comes_back_as_it_was(self):
        made = make_image(f"{self.dir}/image", 1)
        self.skopeo("copy", "--dest-tls-verify=false", f"oci:{self.dir}/image:v1", f"{self.name}/team/app:v1")
        told = json.loads(self.skopeo("inspect", "--tls-verify=false", f"{self.name}/team/app:v1").stdout)
        self.assertEqual(told["Digest"], made)
        self.assertEqual(told["RepoTags"], ["v1"])
        by_digest = f"{self.name}/team/app@{made}"
        self.skopeo("copy", "--src-tls-verify=false", by_digest, f"oci:{self.dir}/back:v1")
        self.assertEqual(sorted(os.listdir(f"{self.dir}/back/blobs/sha256")),
                         sorted(os.listdir(f"{self.dir}/image/blobs/sha256")))
        # from repository to repository
        self.skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false", by_digest, f"{self.name}/b:2")
        # every blob is content of the store too
        answer = http("HEAD", f"http://127.0.0.1:{self.port}/v2/b/manifests/2")
        path = answer.headers["X-Ipfs-Path"]
        self.assertEqual(digest(http("GET", f"http://127.0.0.1:{self.port}{path}").body), made)

    def test_a_tag_that_is_not_there_is_told_so(self):
        said = self.skopeo("inspect", "--tls-verify=false", f"{self.name}/none:v1", code=1).stderr
        self.assertIn("manifest unknown", said)


class Relay:
    """Passes connections on to the store. One that has sent more than `most` bytes stands still until let_go()."""

    def __init__(self, port, most):
        self.port, self.most = port, most
        self.held, self.cut = threading.Event(), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.name = f"docker://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        with client, socket.create_connection(("127.0.0.1", self.port)) as store:
            back = threading.Thread(target=self.pump, args=(store, client, None), daemon=True)
            back.start()
            self.pump(client, store, self.most)
            back.join()

    def pump(self, source, sink, most):
        sent = 0
        try:
            while data := source.recv(65536):
                sink.sendall(data)
                sent += len(data)
                if most and sent > most and not self.cut.is_set():
                    self.held.set()
                    self.cut.wait(60)
                    break
        except OSError:
            pass
        for s in (source, sink):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def let_go(self):
        """The connection that stood still breaks; from now on all passes."""
        self.cut.set()

    def close(self):
        self.cut.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


# As a user who is not root: root of a namespace of his own.
OWN_MOUNTS = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]


@unittest.skipUnless(shutil.which("podman"), "podman is not installed")
@unittest.skipIf(subprocess.run([*OWN_MOUNTS, "true"], stderr=subprocess.DEVNULL, check=False).returncode,
                 "no mount namespace of one's own can be made here, as podman does for each layer")
class Podman(WithStore):
    LAYERS = (5_000_000, 100, 70_000)
    IMAGE = "localhost/app:1"

    def setUp(self):
        super().setUp()
        self.home = f"{self.dir}/podman"
        os.makedirs(self.home)
        self.runroot = tempfile.mkdtemp(prefix="sr-pod-", dir="/tmp")  # podman takes no path of more than 50 characters there
        self.addCleanup(shutil.rmtree, self.runroot, ignore_errors=True)
        with open(f"{self.home}/containers.conf", "w", encoding="utf8") as f:
            f.write('[engine]\nlock_type = "file"\nevents_logger = "none"\ncgroup_manager = "cgroupfs"\n')
        make_image(f"{self.dir}/image", 2, self.LAYERS)
        with open(f"{self.dir}/image/index.json", encoding="utf8") as f:
            self.image = self.read_blob(json.load(f)["manifests"][0]["digest"])
        self.run_podman("pull", "oci:image:v1")  # it makes a name of the path
        self.run_podman("tag", self.image["config"]["digest"][7:], self.IMAGE)

    def read_blob(self, name):
        with open(f"{self.dir}/image/blobs/sha256/{name[7:]}", encoding="utf8") as f:
            return json.load(f)

    def podman(self, *args):
        """The command line and the environment."""
        line = [*OWN_MOUNTS, "podman", "--storage-driver", "vfs", "--root", f"{self.home}/root",
                "--runroot", self.runroot, "--tmpdir", f"{self.home}/tmp", *args]
        env = {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "HOME": self.home, "TMPDIR": self.dir,
               "XDG_DATA_HOME": self.home, "XDG_CONFIG_HOME": self.home, "XDG_RUNTIME_DIR": self.runroot,
               "CONTAINERS_CONF": f"{self.home}/containers.conf",
               # the namespace is there already, and nothing is kept in the machine's own folders
               "_CONTAINERS_USERNS_CONFIGURED": "done", "_CONTAINERS_ROOTLESS_UID": "1000"}
        return {"args": line, "env": env, "cwd": self.dir, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

    def run_podman(self, *args):
        done = subprocess.run(**self.podman(*args), timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def push_args(self, name):
        return "push", "--tls-verify=false", "--digestfile", f"{self.dir}/pushed", self.IMAGE, name

    def push(self, name):
        """Returns the digest under which the registry has it."""
        self.run_podman(*self.push_args(name))
        with open(f"{self.dir}/pushed", encoding="utf8") as f:
            return f.read().strip()

    def uploads(self):
        return self.asked("PATCH", 202)

    def assert_pulls_back(self, name):
        """Podman forgets all it has and gets the image from the registry."""
        self.run_podman("rmi", "--all", "--force")
        self.assertEqual(self.run_podman("pull", "--tls-verify=false", name), self.image["config"]["digest"][7:])
        told = json.loads(self.run_podman("inspect", name.removeprefix("docker://")))[0]
        self.assertEqual(told["RootFS"]["Layers"],
                         self.read_blob(self.image["config"]["digest"])["rootfs"]["diff_ids"])
        return told["Digest"]

    def test_an_image_is_pushed_once_and_pulled_by_digest(self):
        made = self.push(f"{self.name}/team/app:v1")
        self.assertEqual(self.uploads(), len(self.LAYERS) + 1)  # and its configuration
        # again, and under another tag: only the manifest is sent
        self.assertEqual(self.push(f"{self.name}/team/app:v1"), made)
        self.assertEqual(self.push(f"{self.name}/team/app:v2"), made)
        self.assertEqual(self.uploads(), len(self.LAYERS) + 1)
        tags = http("GET", f"http://127.0.0.1:{self.port}/v2/team/app/tags/list").json
        self.assertEqual(tags, {"name": "team/app", "tags": ["v1", "v2"]})
        # to another repository: the blobs are here already
        self.assertEqual(self.push(f"{self.name}/other:v1"), made)
        self.assertEqual(self.uploads(), len(self.LAYERS) + 1)
        self.assertEqual(self.assert_pulls_back(f"{self.name}/team/app@{made}"), made)
        self.assertEqual(self.assert_pulls_back(f"{self.name}/other:v1"), made)

    def test_an_interrupted_push_goes_on(self):
        relay = Relay(self.port, 1_000_000)
        self.addCleanup(relay.close)
        pushing = subprocess.Popen(**self.podman(*self.push_args(f"{relay.name}/app:v1")))
        self.addCleanup(pushing.kill)
        self.assertTrue(relay.held.wait(60), "the large layer is on its way")
        until("the small layers are there", lambda: self.asked("PUT", 201) == 2)
        self.assertEqual(self.uploads(), 2)
        relay.let_go()
        pushing.communicate(timeout=60)
        self.push(f"{relay.name}/app:v1")
        self.assertEqual(self.uploads(), 4)  # the small layers not again: the large one and the configuration
        self.assert_pulls_back(f"{self.name}/app:v1")


if __name__ == "__main__":
    harness.main()
