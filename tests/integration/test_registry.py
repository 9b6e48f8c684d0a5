#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The store as an OCI registry, by skopeo: an image pushed, inspected and pulled again is the same image.

Skipped where skopeo is not installed.
"""
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import tarfile
import tempfile
import unittest

import harness
from harness import PROGRAM, http


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


@unittest.skipUnless(shutil.which("skopeo"), "skopeo is not installed")
class Registry(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="sr-registry-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        out, into = os.pipe()
        self.store = subprocess.Popen(
            [PROGRAM, "role", "store", "--dir", f"{self.dir}/store", "--listen", "127.0.0.1:0", "--ready-fd", str(into)],
            pass_fds=[into], stderr=subprocess.DEVNULL)
        self.addCleanup(self.stop)
        os.close(into)
        with os.fdopen(out) as ready:
            self.port = json.loads(ready.readline())["port"]
        self.name = f"docker://127.0.0.1:{self.port}"

    def stop(self):
        if self.store.poll() is None:
            self.store.send_signal(signal.SIGTERM)
            self.store.wait(10)

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


if __name__ == "__main__":
    harness.main()
