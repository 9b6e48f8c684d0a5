#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the tables of this folder from Debian's python3-sklearn: make.py FOLDER-OF-THE-PACKAGE'S-DATA"""
import csv
import gzip
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CELL = ["radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave_points", "symmetry",
        "fractal_dimension"]


def rows(path, sep=","):
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as f:
        return list(csv.reader(f, delimiter=sep))


def write(name, head, table):
    with open(os.path.join(HERE, name), "w", encoding="utf-8", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows([head, *table])


def main(data):
    got = rows(os.path.join(data, "breast_cancer.csv"))
    head = [f"{kind}_{name}" for kind in ("mean", "error", "worst") for name in CELL]
    write("breast_cancer.csv", [*head, "diagnosis"], [[*r[:-1], got[0][2 + int(r[-1])]] for r in got[1:]])
    targets = rows(os.path.join(data, "diabetes_target.csv.gz"))
    head = ["age", "sex", "bmi", "blood_pressure", "s1", "s2", "s3", "s4", "s5", "s6", "progression"]
    write("diabetes.csv", head, [[*r, str(int(float(t[0])))] for r, t in
                                 zip(rows(os.path.join(data, "diabetes_data_raw.csv.gz"), " "), targets)])
    head = [f"pixel_{i // 8}_{i % 8}" for i in range(64)] + ["digit"]
    write("digits.csv", head, rows(os.path.join(data, "digits.csv.gz")))


if __name__ == "__main__":
    main(sys.argv[1])
