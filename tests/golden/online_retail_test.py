#!/usr/bin/env python3
"""Replays the first trading days of examples/online-retail with the experts alone and checks what comes out:
features against recompute_features.py, every line accounted for, and the same bytes with one thread and with two.
"""

import argparse
import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLE = os.path.join(HERE, "..", "..", "examples", "online-retail")
UNTIL = "2011-02-27"  # 60 trading days and more
OPTIONS = None


def slice_of(name, time_column, target):
    """Copies the rows up to UNTIL; returns their number."""
    rows = 0
    with gzip.open(os.path.join(EXAMPLE, name), "rt", encoding="utf-8", newline="") as text, open(target, "w", encoding="utf-8", newline="") as out:
        reader = csv.reader(text)
        writer = csv.writer(out, lineterminator="\n")
        header = next(reader)
        writer.writerow(header)
        column = header.index(time_column)
        for row in reader:
            if row[column][:10] > UNTIL:
                break
            writer.writerow(row)
            rows += 1
    return rows


class OnlineRetailTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.orders = os.path.join(cls.scratch.name, "orders.csv")
        cls.clicks = os.path.join(cls.scratch.name, "clicks.csv")
        cls.lines = slice_of("orders.csv.gz", "InvoiceDate", cls.orders) + slice_of("clicks.csv.gz", "ts", cls.clicks)
        with open(os.path.join(EXAMPLE, "tidecast.yaml"), encoding="utf-8") as text:
            config = text.read()
        assert "kind: lstm" in config, "the config of the example names its model in another way"
        cls.config = os.path.join(cls.scratch.name, "tidecast.yaml")
        with open(cls.config, "w", encoding="utf-8") as out:
            out.write(config.replace("kind: lstm", "kind: experts"))
        cls.out = {threads: cls.replay(threads) for threads in (1, 2)}

    @classmethod
    def replay(cls, threads):
        out = os.path.join(cls.scratch.name, f"out{threads}")
        done = subprocess.run(
            [OPTIONS.tidecast, "replay", "--orders", cls.orders, "--clicks", cls.clicks, "--config", cls.config, "--speed", "max",
             "--threads", str(threads), "--out", out],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, cwd=cls.scratch.name)
        assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return out

    def read(self, threads, name):
        with open(os.path.join(self.out[threads], name), "rb") as file:
            return file.read()

    def test_features_are_those_of_a_plain_recomputation(self):
        done = subprocess.run(
            [sys.executable, os.path.join(HERE, "recompute_features.py"), "--orders", self.orders, "--clicks", self.clicks,
             "--compare", os.path.join(self.out[1], "features.csv")],
            capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_line_is_accounted_for(self):
        summary = json.loads(self.read(1, "summary.json"))
        self.assertEqual(summary["events_read"], self.lines)
        self.assertEqual(summary["events_read"],
                         summary["events_accepted"] + summary["too_late"] + summary["dead_lettered"] + summary["duplicates"])
        with open(self.orders, encoding="utf-8", newline="") as text:
            self.assertEqual(summary["returns"], sum(int(row["Quantity"]) < 0 for row in csv.DictReader(text)))
        self.assertEqual(summary["too_late"], self.read(1, "late.jsonl").count(b"\n"))
        self.assertEqual(summary["dead_lettered"], self.read(1, "dlq.jsonl").count(b"\n"))
        self.assertEqual(summary["alerts"], self.read(1, "alerts.jsonl").count(b"\n"))
        self.assertGreater(summary["forecasts"], 0)

    def test_one_thread_and_two_give_the_same_bytes(self):
        for name in ("features.csv", "forecasts.csv", "trends.csv", "alerts.jsonl", "late.jsonl", "dlq.jsonl"):
            self.assertEqual(self.read(1, name), self.read(2, name), name)

    def test_forecasts_are_ordered_quantiles(self):
        with open(os.path.join(self.out[1], "forecasts.csv"), encoding="utf-8", newline="") as text:
            reader = csv.reader(text)
            header = next(reader)
            first = header.index("q0.025")
            rows = 0
            for row in reader:
                rows += 1
                quantiles = [float(value) for value in row[first:]]
                self.assertEqual(quantiles, sorted(quantiles), row)
                self.assertLess(row[2], row[1], "a forecast is about a day after its cutoff")
        self.assertGreater(rows, 10000)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tidecast", required=True)
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
