#!/usr/bin/env python3
"""Checks recompute_features.py on a handful of lines worked out by hand, and that it finds each kind of difference."""

import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))

ORDERS = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,A,"a, with a comma",2,2011-03-25 09:00:00,1.10,7.0,UK
1,A,a,1,2011-03-25 09:00:00,0,7.0,UK
2,A,a,3,2011-03-25 10:00:00,2.20,,UK
C3,A,a,-4,2011-03-25 11:00:00,1.10,8.0,UK
4,B,b,1,2011-03-28 00:30:00,0.1,9.0,UK
4,B,b,1,2011-03-28 00:30:00,0.2,9.0,UK
5,B,b,1,2011-03-30 09:00:00,-5,9.0,UK
6,B,b,many,2011-03-30 09:00:00,5,9.0,UK
7,B,b,-2,2011-03-31 09:00:00,1,9.0,UK
"""
CLICKS = """ts,session_id,sku,action,customer_id
2011-03-25 08:00:00,s,B,view,
2011-03-26 08:00:00,s,A,view,
2011-03-28T08:00:00Z,s,A,cart,
2011-03-27T23:30:00Z,s,A,view,
2011-03-28 08:00:00,s,A,favourite,
"""
# The 27th is the day on which the clock moves: half past eleven UTC is half past midnight of the 28th.
# The 30th has no accepted line: it is no trading day.
FEATURES = """unique_id,ds,units,returns,revenue,lines,customers,price,views,carts
A,2011-03-25,6,4,8.8,3,1,1.1,0,0
B,2011-03-25,0,0,0,0,0,,1,0
A,2011-03-28,0,0,0,0,0,,1,1
B,2011-03-28,2,0,0.3,2,1,0.15,0,0
A,2011-03-31,0,0,0,0,0,,0,0
B,2011-03-31,0,2,0,0,0,,0,0
"""


class RecomputeFeaturesTest(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        for name, text in (("orders.csv", ORDERS), ("clicks.csv", CLICKS)):
            self.write(name, text)

    def path(self, name):
        return os.path.join(self.scratch.name, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8", newline="") as out:
            out.write(text)

    def run_it(self, *arguments):
        return subprocess.run(
            [sys.executable, os.path.join(HERE, "recompute_features.py"), "--orders", self.path("orders.csv"), "--clicks", self.path("clicks.csv"), *arguments],
            capture_output=True, text=True, check=False)

    def compare(self, text, *arguments):
        self.write("features.csv", text)
        return self.run_it("--compare", self.path("features.csv"), *arguments)

    def test_agrees_with_what_was_worked_out_by_hand(self):
        done = self.compare(FEATURES)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("2 lines refused", done.stdout)

    def test_writes_the_same_file(self):
        self.assertEqual(self.run_it("--out", self.path("made.csv")).returncode, 0)
        with open(self.path("made.csv"), encoding="utf-8") as made:
            self.assertEqual(made.read(), FEATURES)

    def test_finds_each_kind_of_difference(self):
        lines = FEATURES.splitlines(keepends=True)
        self.assertIn("B 2011-03-28 units: engine 3, recomputed 2", self.compare(FEATURES.replace("28,2,0,0.3", "28,3,0,0.3")).stdout)
        self.assertIn("revenue", self.compare(FEATURES.replace("0.3,", "0.30000000000000004,")).stdout)
        self.assertIn("price: engine 0, recomputed empty", self.compare(FEATURES.replace("A,2011-03-31,0,0,0,0,0,,", "A,2011-03-31,0,0,0,0,0,0,")).stdout)
        self.assertIn("missing: A 2011-03-31", self.compare("".join(lines[:5] + lines[6:])).stdout)
        self.assertIn("extra: C 2011-03-31", self.compare(FEATURES + "C,2011-03-31,0,0,0,0,0,,0,0\n").stdout)
        self.assertIn("twice", self.compare(FEATURES + lines[-1]).stdout)
        self.assertIn("out of order", self.compare("".join([lines[0], lines[2], lines[1]] + lines[3:])).stdout)
        self.assertIn("no columns carts", self.compare(FEATURES.replace(",carts", ",basket")).stdout)
        for broken in ("".join(lines[:-1]), FEATURES.replace("8.8", "8.80000001"), "".join(lines[:1])):
            self.assertEqual(self.compare(broken).returncode, 1)

    def test_until_leaves_later_days_alone(self):
        done = self.compare("".join(FEATURES.splitlines(keepends=True)[:5]) + "Z,2011-04-01,1,1,1,1,1,1,1,1\n", "--until", "2011-03-28")
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()
