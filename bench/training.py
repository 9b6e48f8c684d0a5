# SPDX-License-Identifier: Apache-2.0
"""Training for tools/bench: the app outside a room, and scikit-learn (Debian: python3-sklearn) as its peer."""
import csv
import json
import os
import re
import subprocess
import sys
import time
import zipfile

SETS = [("breast_cancer", "diagnosis"), ("diabetes", "progression"), ("digits", "digit")]
SEEDS = 3


def outside(program, table, args, home):
    """(seconds of processor time, seconds, report) of the app without a room."""
    given, out = os.path.join(home, "in"), os.path.join(home, "out")
    for folder in (given, out):
        os.makedirs(folder, exist_ok=True)
    with zipfile.ZipFile(os.path.join(given, "data"), "w") as z:
        z.write(table, "file")
    env = {"IEXEC_IN": given, "IEXEC_OUT": out, "IEXEC_DATASET_FILENAME": "data"}
    began = time.monotonic()
    done = subprocess.run([program, *args], env=env, check=True, capture_output=True, text=True)
    took = time.monotonic() - began
    with open(os.path.join(out, "metrics.json"), encoding="utf-8") as f:
        return processor_seconds(done.stdout), took, json.load(f)


def processor_seconds(text):
    """As the app train prints them."""
    return float(re.search(r"([0-9.]+) s of processor time", text)[1])


def score(report):
    held = report["heldOut"]
    return held.get("accuracy", held.get("r2"))


def peer(folder):
    """One line of JSON: {set: [score, processor seconds]} by scikit-learn's histogram trees, like parameters, one thread."""
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
        from sklearn.model_selection import train_test_split
    except ImportError:
        return {}
    found = {}
    for name, _ in SETS:
        with open(os.path.join(folder, name + ".csv"), encoding="utf-8") as f:
            rows = list(csv.reader(f))[1:]
        x = [[float(v) for v in r[:-1]] for r in rows]
        regression = name == "diabetes"
        y = [float(r[-1]) if regression else r[-1] for r in rows]
        kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
        scores, spent = [], []
        for seed in range(1, SEEDS + 1):
            a, b, c, d = train_test_split(x, y, test_size=0.2, random_state=seed)
            began = time.process_time()
            model = kind(max_iter=300, learning_rate=0.05, max_depth=4, max_leaf_nodes=16, min_samples_leaf=10,
                         l2_regularization=1, early_stopping=True, n_iter_no_change=30, random_state=seed).fit(a, c)
            spent.append(time.process_time() - began)
            scores.append(model.score(b, d))
        found[name] = [sum(scores) / SEEDS, sum(spent) / SEEDS]
    return found


if __name__ == "__main__":
    print(json.dumps(peer(sys.argv[1])))
