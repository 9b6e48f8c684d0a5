# SPDX-License-Identifier: Apache-2.0
"""The stories of docs/use-cases, run as a reader would run them: what stands in ```sh is typed, what stands in the
```text right below it must be what it printed.

One bash for a whole story, `set -eu`, in a folder with a link to build/; each story has a network of its own, which is
up already. In ```text, "..." stands for anything within a line, and alone on a line for any lines; blanks count as one.
Only standard output is compared: a story that wants a refusal says `2>&1`.

  test_use_cases.py [Stories.test_NAME]     with STRONGROOM_SHOW=1: prints what each block printed, for writing a story
"""
import os
import re
import subprocess
import unittest

import harness
from harness import ROOT, Network

FOLDER = os.path.join(ROOT, "docs", "use-cases")
SECONDS = 300  # of one story
MARK = "=== block "
UP = re.compile(r"^    strongroom up --detach(.*)$", re.M)  # a story that needs flags says so to its reader, too
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


class Block:
    def __init__(self, line, script):
        self.line, self.script, self.wanted = line, script, None


def blocks_of(text):
    """The shell blocks of a story, each with what it is said to print (None: nothing is said)."""
    found, before, end = [], None, 0
    for m in FENCE.finditer(text):
        if m[1] == "sh":
            before = Block(text.count("\n", 0, m.start()) + 2, m[2])
            found.append(before)
        elif m[1] == "text" and before and not text[end:m.start()].strip():
            before.wanted = m[2]
            before = None
        end = m.end()
    return found


def pattern(line):
    return re.compile(".*".join(re.escape(" ".join(p.split())) + "" for p in line.split("...")).replace(r"\ ", " *"))


def same(wanted, got):
    """None, or the first expected line that is not there."""
    wanted = [line for line in wanted.strip().splitlines()]
    got = [" ".join(line.split()) for line in got.strip().splitlines()]
    at, skip = 0, False
    for line in wanted:
        if line.strip() == "...":
            skip = True
            continue
        match = pattern(line.strip())
        while skip and at < len(got) and not match.fullmatch(got[at]):
            at += 1
        if at == len(got) or not match.fullmatch(got[at]):
            return line
        at, skip = at + 1, False
    return None if skip or at == len(got) else f"(no more lines, but there is: {got[at]})"


def script_of(blocks):
    """Both streams are marked at each block's begin."""
    parts = ["set -euo pipefail"]
    for i, b in enumerate(blocks):
        parts.append(f"printf '\\n{MARK}{i}\\n' | tee /dev/stderr\n{b.script}")
    return "\n".join(parts) + "\n"


def by_block(text, n):
    found = [""] * n
    for part in text.split("\n" + MARK)[1:]:
        number, _, rest = part.partition("\n")
        found[int(number)] = rest
    return found


def play(name):
    with open(os.path.join(FOLDER, name + ".md"), encoding="utf-8") as f:
        text = f.read()
    blocks, flags = blocks_of(text), UP.search(text)
    if not blocks:
        raise AssertionError(f"{name}.md has no ```sh block")
    with Network() as n:
        n.up(*(flags[1].split() if flags else []))
        perform(n, name, blocks)


def perform(n, name, blocks):
    here = n.folder("story")
    os.mkdir(here)
    os.symlink(harness.BUILD, os.path.join(here, "build"))
    os.symlink(os.path.join(ROOT, "tests"), os.path.join(here, "tests"))
    env = {**n.env, "PATH": harness.BUILD + os.pathsep + n.env["PATH"], "STRONGROOM_DIR": n.dir,
           "STRONGROOM_KEYSTORE": n.keystore, "PYTHONDONTWRITEBYTECODE": "1"}
    # Not by standard input: a command that reads it would read the rest of the story.
    done = subprocess.run(["bash", n.file("story.sh", script_of(blocks))], capture_output=True, text=True, timeout=SECONDS,
                          check=False, cwd=here, env=env, stdin=subprocess.DEVNULL)
    out, err = by_block(done.stdout, len(blocks)), by_block(done.stderr, len(blocks))
    show = os.environ.get("STRONGROOM_SHOW")
    for i, b in enumerate(blocks):
        place = f"{name}.md:{b.line}"
        if show:
            print(f"----- {place}\n{out[i]}{err[i]}")
        last = i + 1 == len(blocks) or MARK + str(i + 1) not in done.stdout
        if last and done.returncode != 0:
            raise AssertionError(f"{place}: ended with {done.returncode}\n{b.script}\n{out[i]}\n{err[i]}\n{n.tails()}")
        missing = same(b.wanted, out[i]) if b.wanted is not None else None
        if missing and not show:
            raise AssertionError(f"{place}: not as told: {missing}\n{b.script}\nprinted:\n{out[i]}\n{err[i]}")


class Reading(unittest.TestCase):
    """The reader of stories itself."""

    def test_blocks_and_their_answers_are_found(self):
        found = blocks_of("x\n```sh\na\nb\n```\n\n```text\nA\n```\nwords\n```sh\nc\n```\nwords\n```text\nno\n```\n")
        self.assertEqual([(b.line, b.script, b.wanted) for b in found], [(3, "a\nb\n", "A\n"), (12, "c\n", None)])

    def test_an_answer_is_compared_line_by_line(self):
        self.assertIsNone(same("a ...c\n...\nd", "a  b   c\nx\ny\nd\n"))
        self.assertIsNone(same("a\n...", "a\n"))
        self.assertIsNone(same("status  COMPLETED", "status           COMPLETED\n"))
        self.assertEqual(same("a\nb", "a\nc\n"), "b")
        self.assertEqual(same("a\nb", "a\n"), "b")
        self.assertIn("there is: b", same("a", "a\nb\n"))
        self.assertEqual(same("...\nb", "a\nbb\n"), "b")


class Stories(unittest.TestCase):
    """A test for each story in the folder."""


def add(name):
    setattr(Stories, "test_" + name.replace("-", "_"), lambda self: play(name))


for entry in sorted(os.listdir(FOLDER)):
    if entry.endswith(".md") and entry != "README.md":
        add(entry[:-3])


class Readme(unittest.TestCase):
    """README.md's first steps, pasted: the lines between "up" and "down"; what it says is refused must be."""

    def test_the_first_steps_can_be_pasted(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
            steps = f.read().split("## First steps")[1].split("\n## ")[0]
        lines = [line.strip() for line in steps.splitlines() if line.startswith("    ")]
        begin = next(i for i, line in enumerate(lines) if line.startswith("strongroom up --detach"))
        lines = lines[begin + 1:lines.index("strongroom down")]
        self.assertGreater(len(lines), 5)
        script = "\n".join(line.replace("# refused", "&& exit 9 #") for line in lines) + "\ntrue"
        self.assertEqual(script.count("&& exit 9"), 1)
        block = Block(0, script)
        block.wanted = "...\nnorth,30,...\nsouth,30,...\n..."
        with Network() as n:
            n.up()
            perform(n, "README", [block])


if __name__ == "__main__":
    harness.main()
