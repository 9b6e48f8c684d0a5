# SPDX-License-Identifier: Apache-2.0
"""The ready iApps of iapps/, each in a real room by `app test`, with good and with bad inputs. No network is needed."""
import io
import json
import math
import os
import shutil
import struct
import subprocess
import unittest
import zipfile
import zlib

import harness
from harness import IAPPS, PATIENTS, Network, expected_statistics


def zipped(text):
    """As data protect makes it of one file: a leaf "file"."""
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w") as z:
        z.writestr("file", text)
    return b.getvalue()


class Trial(unittest.TestCase):
    """An app's folder, copied, for `app test`."""
    app = None

    @classmethod
    def setUpClass(cls):
        cls.n = Network()
        cls.addClassCleanup(cls.n.__exit__, None)
        cls.dir = cls.n.folder("app")
        shutil.copytree(os.path.join(IAPPS, cls.app), cls.dir)

    def command(self, *args, code=0, stdin=None):
        line = [harness.PROGRAM, *args, "--json"]
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False, cwd=self.dir, env=self.n.env,
                              input=stdin or "")
        a = harness.Answer(line, done.returncode, done.stdout, done.stderr, 0)
        self.assertEqual(a.code, code, a)
        return a

    def try_it(self, *args, code=0):
        return self.command("app", "test", *args, code=code)

    def output(self, name):
        with open(os.path.join(self.dir, "output", name), "rb") as f:
            return f.read()


class CreditScore(Trial):
    app = "credit-score"
    CARD = {"base": 500, "accept": 640, "decline": 580, "figures": [
        {"name": "income", "points": [[0, 0], [20000, 25.5], [40000, 60]]},
        {"name": "missed", "points": [[0, 50], [1, 0], [3, -60]]}]}

    def score(self, applicant, card=None, code=0):
        self.command("app", "mock", "applicant", "--object", "-", stdin=json.dumps(applicant))
        text = json.dumps(self.CARD) if card is None else card
        a = self.try_it("--data", "applicant", "--app-secret", self.n.file("card", text), code=code)
        return json.loads(self.output("decision.json")) if code == 0 else a

    def test_the_steps_that_are_reached_count(self):
        self.assertEqual(self.score({"income": 41000.5, "missed": 0.5}),
                         {"score": 610, "decision": "refer", "reasons": [], "missing": []})
        self.assertEqual(self.score({"income": 39999.99, "missed": 3}),
                         {"score": 466, "decision": "decline", "reasons": ["missed", "income"], "missing": []})
        self.assertEqual(self.score({"income": 1e9, "missed": 0}, json.dumps({**self.CARD, "accept": 610}))["decision"], "accept")
        # Below the first step nothing is earned.
        self.assertEqual(self.score({"income": -5.5, "missed": 0})["score"], 550)

    def test_what_is_missing_earns_its_worst_and_is_named(self):
        self.assertEqual(self.score({"income": 41000.5, "other": 7}),
                         {"score": 500, "decision": "decline", "reasons": ["missed"], "missing": ["missed"]})

    def test_a_bad_scorecard_is_said_without_its_text(self):
        for card in ("{\"base\": 12345", "[]", "{}", json.dumps({**self.CARD, "figures": []}),
                     json.dumps({**self.CARD, "base": "12345"}), json.dumps({**self.CARD, "base": 1e300}),
                     json.dumps({**self.CARD, "accept": 1}),
                     json.dumps({**self.CARD, "figures": [{"name": "income", "points": [[2, 1], [1, 12345]]}]}),
                     json.dumps({**self.CARD, "figures": [{"name": "x" * 64, "points": [[0, 1]]}]}),
                     json.dumps({**self.CARD, "figures": [{"name": "income", "points": [[12345]]}]})):
            a = self.score({"income": 1.5, "missed": 0}, card, code=4)
            self.assertIn("scorecard", a.err)
            self.assertNotIn("12345", a.err + a.out, a)

    def test_figures_that_are_no_numbers_and_no_scorecard_at_all(self):
        self.assertIn("Failed to deserialize", self.score({"income": "m", "missed": 0}, code=4).err)
        self.assertIn("no scorecard", self.try_it("--data", "applicant", code=4).err)


def picture(png):
    """Rows of (r, g, b) of a PNG as asset-preview writes it, its sums checked."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(png):
        n, name = struct.unpack(">I4s", png[at:at + 8])
        body = png[at + 8:at + 8 + n]
        assert zlib.crc32(name + body) == struct.unpack(">I", png[at + 8 + n:at + 12 + n])[0]
        chunks[name] = body
        at += 12 + n
    wide, high, depth, kind = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (depth, kind, list(chunks)[-1]) == (8, 2, b"IEND")
    raw = zlib.decompress(chunks[b"IDAT"])
    step = 1 + 3 * wide
    return [[tuple(raw[y * step + 1 + 3 * x:y * step + 4 + 3 * x]) for x in range(wide)] for y in range(high)]


CUBE = "".join(f"v {x} {y} {z}\n" for x in (0, 2) for y in (0, 2) for z in (0, 2))
SIDES = ["1 2 4 3", "5 7 8 6", "1 5 6 2", "3 4 8 7", "1 3 7 5", "2 6 8 4"]


class AssetPreview(Trial):
    app = "asset-preview"

    def look(self, obj, *args, code=0):
        a = self.try_it("--data", self.n.file("mesh.obj", zipped(obj)), *args, code=code)
        return json.loads(self.output("report.json")) if code == 0 else a

    def test_a_cube(self):
        r = self.look(CUBE + "vt 0 0\nusemtl steel\n" + "".join(f"f {s}\n" for s in SIDES), "--args", "0 0")
        self.assertEqual((r["vertices"], r["edges"], r["triangles"], r["closed"]), (8, 18, 12, True))
        self.assertEqual((r["size"], r["area"], r["volume"], r["degenerate"]), ([2, 2, 2], 24, 8, 0))
        self.assertEqual((r["textured"], r["normals"], r["materials"]), (True, False, 1))
        rows = picture(self.output("preview.png"))
        self.assertEqual((len(rows), len(rows[0])), (320, 320))
        # Seen from the front it is a square between the margins; the stripes go across everything.
        dark = lambda x, y: rows[y][x] == (24, 24, 24)
        self.assertTrue(dark(5, 10) and dark(310, 300))
        self.assertFalse(dark(30, 30) or dark(160, 161) or dark(290, 290))
        self.assertNotEqual(rows[0][0], (24, 24, 24))
        for name in ("preview.png", "report.json"):
            self.assertNotIn(b"v 0 0 0", self.output(name))

    def test_it_turns(self):
        cube = CUBE + "".join(f"f {s}\n" for s in SIDES)
        self.look(cube, "--args", "0 0")
        front = self.output("preview.png")
        self.look(cube, "--args", "45 0")
        self.assertNotEqual(self.output("preview.png"), front)
        self.look(cube, "--args", "0 0")
        self.assertEqual(self.output("preview.png"), front)

    def test_holes_and_wrong_turns_are_counted(self):
        r = self.look(CUBE + "".join(f"f {s}\n" for s in SIDES[1:]))
        self.assertEqual((r["closed"], r["openEdges"], r["wrongEdges"]), (False, 4, 0))
        self.assertNotIn("volume", r)
        turned = [" ".join(reversed(SIDES[0].split()))] + SIDES[1:]
        r = self.look(CUBE + "".join(f"f {s}\n" for s in turned))
        self.assertEqual((r["closed"], r["openEdges"], r["wrongEdges"]), (False, 0, 4))
        r = self.look("v 0 0 0\nv 1 0 0\nv 2 0 0\nf -3 -2/1 -1//2\n")
        self.assertEqual((r["degenerate"], r["triangles"], r["area"]), (1, 1, 0))

    def test_a_large_mesh(self):
        n = 250
        points = "".join(f"v {i} {math.sin(i * j / 999):.4f} {j}\n" for i in range(n) for j in range(n))
        faces = "".join(f"f {i * n + j + 1} {i * n + j + 2} {i * n + n + j + 2} {i * n + n + j + 1}\n"
                        for i in range(n - 1) for j in range(n - 1))
        r = self.look(points + faces)
        self.assertEqual((r["triangles"], r["openEdges"]), (2 * (n - 1) ** 2, 4 * (n - 1)))

    def test_what_is_no_mesh(self):
        for obj, says in (("", "no face"), ("v 1 2\n3\n", "line 1"), ("v 1 2 3\nf 1 1 2\n", "line 2"), ("v 0 0 0\nf 1 1\n", "three corners"),
                          ("v 0 0 1e99\n", "three numbers"), ("v nan 0 0\n", "three numbers"), ("v 0 0 0\nf 0 1 1\n", "not there"),
                          ("v 0 0 0\nf 1 1 99999999999999999999\n", "not there"), ("v 0 0 0\nf" + " 1" * 65 + "\n", "too many corners"),
                          ("\0\xff" * 100, "no face")):
            a = self.look(obj, code=4)
            self.assertIn(says, a.err, obj[:40])
        self.assertIn("YAW PITCH", self.look(CUBE + "f 1 2 3\n", "--args", "left", code=4).err)


class PatientStats(Trial):
    app = "patient-stats"

    def test_files_with_columns_in_another_order_are_put_together(self):
        lines = PATIENTS.strip().split("\n")
        first, second = lines[:61], [lines[0]] + lines[61:]
        swapped = "".join(",".join(reversed(line.split(","))) + "\n" for line in second)
        names = [self.n.file(f"{i}.zip", zipped(text)) for i, text in enumerate(("\n".join(first) + "\n", swapped))]
        self.try_it("--data", names[0], "--data", names[1], "--args", "ward dose")
        self.assertEqual(self.output("result.csv").decode(), expected_statistics())
        a = self.try_it("--data", names[0], "--data", self.n.file("2.zip", zipped("a,b\nx,1\n")), "--args", "ward dose", code=4)
        self.assertIn("no such column: ward", a.err)


del Trial  # it is no test

if __name__ == "__main__":
    harness.main()
