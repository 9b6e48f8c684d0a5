#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Training on two owners' tables, the model protected and granted, predictions; questions about a table."""
import csv
import io
import json
import os
import unittest

import harness
from harness import Network, ROOT

PRICE = 500_000_000  # nRLC a use of the model
DATASETS = os.path.join(ROOT, "tests", "vectors", "datasets")


def table(name):
    with open(os.path.join(DATASETS, name), encoding="utf-8") as f:
        return f.read().splitlines()


def text_of(head, rows):
    return "\n".join([head, *rows]) + "\n"


class Ai(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.n = n = Network()
        cls.addClassCleanup(n.__exit__, None)
        n.up()
        head, *rows = table("breast_cancer.csv")
        cls.head, cls.train_rows, cls.new_rows = head, rows[:469], rows[469:]
        cls.owners = {"alice": text_of(head, rows[:235]), "dave": text_of(head, rows[235:469])}
        cls.data = [n.protect(text, who=who, name=f"{who}.csv") for who, text in cls.owners.items()]
        cls.train, cls.predict, cls.ask = (n.app(a) for a in ("train", "predict", "table-questions"))

    def read(self, folder, name):
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            return f.read()

    def run_app(self, app, data, *more, who="carol", bulk=False, out="out", code=0):
        words = [w for d in data for w in ("--data", d)]
        folder = self.n.folder(out)
        a = self.n.cli("run", app, *words, *(["--bulk"] if bulk else []), *more, "-o", folder, who=who, code=code)
        return a, os.path.join(folder, "0") if bulk else folder

    def logs_of(self, answer, who):
        """What a failed run's app said: to its requester only."""
        task = answer.json["task"]

        def said():
            text = self.n.cli("app", "debug", task, who=who, as_json=False).out
            return "stderr" in text and text

        return harness.until("what the app said is kept", said)

    def test_1_two_owners_train_one_model(self):
        n = self.n
        for d, who in zip(self.data, self.owners):
            n.grant(d, self.train, n.address("carol"), "--bulk", who=who)
        args = ("--args", "target=diagnosis seed=7")
        _, out = self.run_app(self.train, self.data, *args, bulk=True, out="model")
        report = json.loads(self.read(out, "metrics.json"))
        self.assertEqual((report["tables"], report["tablesWithheld"], report["rows"]), (2, 0, 469))
        self.assertGreaterEqual(report["heldOut"]["accuracy"], 0.93)
        self.assertGreaterEqual(report["heldOut"]["auc"], 0.98)
        _, again = self.run_app(self.train, self.data, *args, bulk=True, out="again")
        with open(os.path.join(out, "model.srm"), "rb") as a, open(os.path.join(again, "model.srm"), "rb") as b:
            self.assertEqual(a.read(), b.read())
        type(self).model_file = os.path.join(out, "model.srm")

    def test_2_the_model_is_protected_granted_and_asked(self):
        n = self.n
        model = n.cli("data", "protect", self.model_file, "--name", "a model", who="carol")["address"]
        type(self).model = model
        n.grant(model, self.predict, n.address("dave"), "--count", "9", "--price", str(PRICE), who="carol")
        n.cli("account", "deposit", str(PRICE), who="dave")
        earned = n.stake("carol")
        # Rows that nobody else sees: dave's secret.
        rows = text_of(self.head, self.new_rows[:15])
        self.assertLess(len(rows), 4096)
        secret = n.file("rows.csv", rows)
        _, out = self.run_app(self.predict, [model], "--secret", f"1={secret}", "--max-data-price", str(PRICE), who="dave",
                              out="predictions")
        self.assertEqual(n.stake("carol") - earned, PRICE)
        got = list(csv.DictReader(io.StringIO(self.read(out, "predictions.csv"))))
        truth = [r.rsplit(",", 1)[1] for r in self.new_rows[:15]]
        right = sum(g["prediction"] == t for g, t in zip(got, truth))
        self.assertEqual((len(got), list(got[0])), (15, ["row", "prediction", "probability", "p_benign", "p_malignant"]))
        self.assertGreaterEqual(right, 13)
        self.assertAlmostEqual(json.loads(self.read(out, "metrics.json"))["accuracy"], right / 15, places=5)
        # Who was not granted it cannot ask it.
        a, _ = self.run_app(self.predict, [model], "--args", "mean_radius=1", who="alice", out="not", code=None)
        self.assertNotEqual(a.code, 0)

    def test_3_a_protected_model_and_protected_rows_in_one_task(self):
        n = self.n
        rows = n.protect(text_of(self.head, self.new_rows), who="dave", name="new.csv")
        model = n.cli("data", "protect", self.model_file, "--name", "for bulk", who="carol")["address"]
        n.grant(model, self.predict, n.address("dave"), "--bulk", who="carol")
        n.grant(rows, self.predict, n.address("dave"), "--bulk", who="dave")
        _, out = self.run_app(self.predict, [model, rows], bulk=True, who="dave", out="both")
        metrics = json.loads(self.read(out, "metrics.json"))
        self.assertEqual(metrics["rows"], 100)
        self.assertGreaterEqual(metrics["accuracy"], 0.93)
        self.assertEqual(len(self.read(out, "predictions.csv").splitlines()), 101)

    def test_4_a_wrong_column_and_a_wrong_model_have_a_clear_cause(self):
        n = self.n
        n.grant(self.data[0], self.train, n.address("bob"), "--count", "9", who="alice")
        a, _ = self.run_app(self.train, [self.data[0]], "--args", "target=outcome", who="bob", out="w1", code=None)
        self.assertNotEqual(a.code, 0)
        said = self.logs_of(a, "bob")
        self.assertIn("train: the data set: there is no column 'outcome'", said)
        self.assertIn("its columns are: mean_radius, mean_texture", said)
        n.grant(self.data[0], self.predict, n.address("bob"), "--count", "9", who="alice")
        a, _ = self.run_app(self.predict, [self.data[0]], who="bob", out="w2", code=None)
        self.assertIn("there is no model among what this task was given", self.logs_of(a, "bob"))

    def test_5_questions_are_answered_for_groups_only(self):
        n = self.n
        head, *rows = table("diabetes.csv")
        data = n.protect(text_of(head, rows), who="alice", name="diabetes.csv")
        n.grant(data, self.ask, n.address("carol"), "--count", "9", who="alice")
        question = {"where": [["bmi", ">=", 25]], "group": ["sex", {"column": "age", "step": 10}],
                    "answer": [{"mean": "progression"}]}
        _, out = self.run_app(self.ask, [data], "--args", f"'{json.dumps(question)}'", out="q1")
        names, want = head.split(","), {}
        for r in (dict(zip(names, r.split(","))) for r in rows):
            if float(r["bmi"]) >= 25:
                want.setdefault((r["sex"], str(int(r["age"]) // 10 * 10)), []).append(float(r["progression"]))
        got = {(r["sex"], r["age"]): r for r in csv.DictReader(io.StringIO(self.read(out, "answer.csv")))}
        told = json.loads(self.read(out, "answer.json"))
        self.assertTrue(any(len(v) < 5 for v in want.values()), "the question has small groups")
        self.assertTrue(all(len(want[k]) >= 5 for k in got))
        for k, r in got.items():
            self.assertEqual(int(r["rows"]), len(want[k]))
            self.assertAlmostEqual(float(r["mean progression"]), sum(want[k]) / len(want[k]), places=4)
        self.assertEqual(told["groupsWithheld"], len(want) - len(got))
        self.assertEqual(told["rowsWithheld"], sum(len(v) for k, v in want.items() if k not in got))
        self.assertGreaterEqual(told["rowsWithheld"], 5)
        # A question that nobody else can read; and one that speaks of one person.
        secret = n.file("question.json", json.dumps({"answer": [{"median": "bmi"}]}))
        _, out = self.run_app(self.ask, [data], "--secret", f"1={secret}", out="q2")
        bmi = sorted(float(r.split(",")[2]) for r in rows)
        self.assertEqual(self.read(out, "answer.csv"),
                         f"rows,median bmi\n442,{(bmi[220] + bmi[221]) / 2:.8g}\n")
        one = json.dumps({"where": [["age", "=", 59], ["bmi", "=", 32.1]]})
        a, _ = self.run_app(self.ask, [data], "--args", f"'{one}'", out="q3", code=None)
        self.assertNotEqual(a.code, 0)
        self.assertIn("keeps or leaves out fewer than 5 people", self.logs_of(a, "carol"))

    def test_6_the_owner_s_rules_hold(self):
        n = self.n
        folder = n.folder("ruled")
        os.mkdir(folder)
        rows = [f"p{i // 4},{i},{'ab'[i // 20]}" for i in range(40)]  # ten people
        n.file("ruled/table.csv", text_of("id,x,group", rows))
        n.file("ruled/rules.json", json.dumps({"person": "id", "columns": ["x", "group"]}))
        data = n.cli("data", "protect", folder, "--name", "ruled", who="alice")["address"]
        n.grant(data, self.ask, n.address("carol"), "--count", "9", who="alice")
        _, out = self.run_app(self.ask, [data], "--args", "'{\"group\":[\"group\"]}'", out="r1")
        self.assertEqual(self.read(out, "answer.csv"), "group,rows,people\na,20,5\nb,20,5\n")
        a, _ = self.run_app(self.ask, [data], "--args", "'{\"group\":[\"id\"]}'", out="r2", code=None)
        self.assertIn("does not allow questions about the column 'id'", self.logs_of(a, "carol"))


if __name__ == "__main__":
    harness.main()
