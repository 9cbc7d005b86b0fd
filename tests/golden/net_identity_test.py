#!/usr/bin/env python3
"""Replays the example's first 60 trading days of its 100 busiest stock codes with the net on, three times: with one thread, with
two, and with two while other processes use the processors. Every file is the same to the byte, but for the seconds it took.

    net_identity_test.py --tidecast PROGRAM
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import unittest

import slices

RESULTS = ("features.csv", "forecasts.csv", "trends.csv", "alerts.jsonl", "late.jsonl", "dlq.jsonl")
BUSY = "while True: pass"
OPTIONS = None


def unruly(rows, price, delay_every=211, lines_late=900, bad_every=1511):
    """The rows with some of them much later than they should be, and some with a price that cannot be."""
    late, ruly = [], []
    for at, row in enumerate(rows):
        if at % bad_every == bad_every - 1:
            row = row[:price] + ["-1.00"] + row[price + 1:]
        (late if at % delay_every == 0 else ruly).append((at, row))
    # At the same place, what is late goes behind.
    keyed = [(at, 0, row) for at, row in ruly] + [(at + lines_late * (1 + at % 3), 1, row) for at, row in late]
    return [row for _, _, row in sorted(keyed, key=lambda item: item[:2])]


class NetIdentityTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.scratch.cleanup)
        (header, orders), (click_header, clicks) = slices.first_days(60)
        kept = slices.busiest(header, orders, 100)
        sku, click_sku = header.index("StockCode"), click_header.index("sku")
        orders = unruly([row for row in orders if row[sku] in kept], header.index("UnitPrice"))
        clicks = [row for row in clicks if row[click_sku] in kept]
        cls.lines = len(orders) + len(clicks)
        cls.orders, cls.clicks = cls.path("orders.csv"), cls.path("clicks.csv")
        slices.write(cls.orders, header, orders)
        slices.write(cls.clicks, click_header, clicks)
        # Small blocks, so that a round of a hundred series has several of them for the threads to share.
        slices.example_config(cls.path("tidecast.yaml"), [
            ("model: {kind: lstm, device: auto, seed: 7}", "model: {kind: lstm, device: cpu, seed: 7, block_series: 16}"),
            ("tail_probability: 0.0001", "tail_probability: 0.01")])
        cls.one = cls.replay("one", 1)
        cls.two = cls.replay("two", 2)
        busy = [subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.DEVNULL) for _ in range(3)]
        try:
            cls.loaded = cls.replay("loaded", 2)
            cls.still_busy = sum(process.poll() is None for process in busy)
        finally:
            for process in busy:
                process.kill()
                process.wait()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.scratch.name, name)

    @classmethod
    def replay(cls, name, threads):
        out = cls.path(name)
        done = subprocess.run(
            [OPTIONS.tidecast, "replay", "--orders", cls.orders, "--clicks", cls.clicks, "--config", cls.path("tidecast.yaml"), "--as-is",
             "--speed", "max", "--threads", str(threads), "--out", out],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, cwd=cls.scratch.name)
        assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        with open(os.path.join(out, "summary.json"), encoding="utf-8") as text:
            summary = json.load(text)
        print(name, json.dumps(summary), file=sys.stderr)
        return out

    def same_bytes(self, one, other):
        for name in RESULTS:
            with open(os.path.join(one, name), "rb") as a, open(os.path.join(other, name), "rb") as b:
                # Not assertEqual: a difference of megabytes takes minutes to print.
                self.assertTrue(a.read() == b.read(), f"{name} differs")
        summaries = []
        for out in (one, other):
            with open(os.path.join(out, "summary.json"), encoding="utf-8") as text:
                summaries.append(json.load(text))
                del summaries[-1]["seconds"]
        self.assertEqual(*summaries)

    def test_there_is_something_to_compare(self):
        """The net has corrected the experts, and every kind of result has come."""
        with open(os.path.join(self.one, "summary.json"), encoding="utf-8") as text:
            summary = json.load(text)
        self.assertEqual(summary["events_read"], self.lines)
        for count in ("forecasts", "alerts", "late_revised", "too_late", "dead_lettered", "returns"):
            self.assertGreater(summary[count], 0, count)
        slices.example_config(self.path("experts.yaml"), [
            ("model: {kind: lstm, device: auto, seed: 7}", "model: {kind: experts, seed: 7, block_series: 16}"),
            ("tail_probability: 0.0001", "tail_probability: 0.01")])
        os.replace(self.path("experts.yaml"), self.path("tidecast.yaml"))
        with open(os.path.join(self.replay("experts", 1), "forecasts.csv"), "rb") as a, open(os.path.join(self.one, "forecasts.csv"), "rb") as b:
            self.assertFalse(a.read() == b.read(), "the net changed nothing")

    def test_two_threads_give_the_bytes_of_one(self):
        self.same_bytes(self.one, self.two)

    def test_a_loaded_machine_gives_the_bytes_of_an_idle_one(self):
        self.assertEqual(self.still_busy, 3, "the load ended before the replay")
        self.same_bytes(self.one, self.loaded)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tidecast", required=True)
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
