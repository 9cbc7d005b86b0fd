#!/usr/bin/env python3
"""Replays the first weeks of examples/online-retail with views by country, all and customer beside the one by SKU, and checks
their rows against a plain recomputation from the files; the sums over SKUs, too; and the same bytes with one thread and two.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import unittest
import zoneinfo

import recompute_features as plain
import slices

TRADING_DAYS = 35
FEATURES = plain.FEATURES
HORIZON = 14
MEMORY, PRIOR = 0.93, 2  # of operators/mean_reconciler
OPTIONS = None


def further_views(config):
    """The SKU view's section under other names and keys."""
    begin = config.index("  sku:\n")
    end = config.index("\nmodel:")
    sku = config[begin:end]
    views = ""
    for name, extra in (("total", "group_by: all"), ("country", "group_by: country"), ("customer", "group_by: customer, forecast: false")):
        view = sku.replace("  sku:\n", f"  {name}:\n" + "".join(f"    {line}\n" for line in extra.split(", ")), 1)
        if name == "customer":
            view = view.replace("open: learned", "open: all") + "    emit_empty: false\n"
        views += view.rstrip("\n") + "\n"
    return config[:end] + "\n" + views + config[end:]


def keys_of(row, is_order):
    """The series of an event in each further view; clicks have neither country nor customer here."""
    keys = {"total": "all", "country": (row["Country"] if is_order else "") or "unknown"}
    customer = row["CustomerID"] if is_order else row["customer_id"]
    if customer:
        keys["customer"] = customer
    return keys


def recompute(orders, clicks):
    """(view, day, key) -> values, of buckets with an event; and the trading days."""
    zone = zoneinfo.ZoneInfo("Europe/London")
    cells, days = {}, set()
    with plain.open_text(orders) as text:
        for row in csv.DictReader(text):
            price = plain.number(row["UnitPrice"]) if row["UnitPrice"] else None
            if not row["StockCode"] or (price is not None and price < 0):
                continue
            day = plain.local_day(row["InvoiceDate"], zone)
            days.add(day)
            quantity = plain.number(row["Quantity"])
            for view, key in keys_of(row, True).items():
                cell = cells.setdefault((view, day, key), plain.Cell())
                if quantity > 0:
                    cell.units += quantity
                    cell.lines += 1
                    if price is not None:
                        cell.revenue += quantity * price
                        cell.prices += price
                        cell.priced += 1
                    if row["CustomerID"]:
                        cell.customers.add(row["CustomerID"])
                elif quantity < 0:
                    cell.returns -= quantity
    with plain.open_text(clicks) as text:
        for row in csv.DictReader(text):
            day = plain.local_day(row["ts"], zone)
            for view, key in keys_of(row, False).items():
                cell = cells.setdefault((view, day, key), plain.Cell())
                cell.views += row["action"] == "view"
                cell.carts += row["action"] == "cart"
    return cells, sorted(days)


class RollupTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.orders = os.path.join(cls.scratch.name, "orders.csv")
        cls.clicks = os.path.join(cls.scratch.name, "clicks.csv")
        for path, (header, rows) in zip((cls.orders, cls.clicks), slices.first_days(TRADING_DAYS)):
            slices.write(path, header, rows)
        with open(os.path.join(slices.EXAMPLE, "tidecast.yaml"), encoding="utf-8") as text:
            config = text.read()
        cls.config = os.path.join(cls.scratch.name, "tidecast.yaml")
        with open(cls.config, "w", encoding="utf-8") as out:
            out.write(further_views(config.replace("kind: lstm", "kind: experts")))
        cls.out = {threads: cls.replay(threads) for threads in (1, 2)}
        cls.cells, cls.days = recompute(cls.orders, cls.clicks)

    @classmethod
    def replay(cls, threads):
        out = os.path.join(cls.scratch.name, f"out{threads}")
        done = subprocess.run(
            [OPTIONS.tidecast, "replay", "--orders", cls.orders, "--clicks", cls.clicks, "--config", cls.config, "--threads", str(threads), "--out", out],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, cwd=cls.scratch.name)
        assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return out

    def rows(self, view):
        name = "features.csv" if view == "sku" else f"features.{view}.csv"
        with open(os.path.join(self.out[1], name), encoding="utf-8", newline="") as text:
            for row in csv.DictReader(text):
                yield row["unique_id"].split("/", 1)[-1], row["ds"], row

    def expect_same(self, cell, row, where):
        for name, value in zip(FEATURES, cell.row()):
            self.assertTrue(plain.same(name, value, row[name]), f"{where} {name}: engine {row[name]}, recomputed {value}")

    def test_country_and_all_equal_a_plain_recomputation(self):
        for view in ("total", "country"):
            born = {}
            for of_view, day, key in sorted(self.cells):
                if of_view == view:
                    born.setdefault(key, day)
            expected = {(key, day) for key, birth in born.items() for day in self.days if day >= birth}
            found = {}
            for key, day, row in self.rows(view):
                self.assertNotIn((key, day), found)
                found[key, day] = row
            self.assertEqual(expected, found.keys(), view)
            for (key, day), row in found.items():
                self.expect_same(self.cells.get((view, day, key), plain.Cell()), row, f"{view} {key} {day}")
        self.assertGreater(len(expected), 100)

    def test_customers_equal_a_plain_recomputation(self):
        # The engine knows customers by their pseudonyms: rows are compared as a multiset of each day.
        expected, found = {}, {}
        for (view, day, _), cell in self.cells.items():
            if view == "customer":
                expected.setdefault(day, []).append([None if v is None else round(float(v), 9) for v in cell.row()])
        for _, day, row in self.rows("customer"):
            found.setdefault(day, []).append([None if row[name] == "" else round(float(row[name]), 9) for name in FEATURES])
        order = lambda rows: sorted(rows, key=lambda row: [(v is None, v or 0) for v in row])
        self.assertEqual({day: order(rows) for day, rows in expected.items()}, {day: order(rows) for day, rows in found.items()})

    def test_skus_sum_up_to_all(self):
        sums = {}
        for _, day, row in self.rows("sku"):
            of_day = sums.setdefault(day, [0, 0, 0, 0])
            for i, name in enumerate(("units", "returns", "lines", "views")):
                of_day[i] += float(row[name])
        total = {day: [float(row[name]) for name in ("units", "returns", "lines", "views")] for _, day, row in self.rows("total")}
        self.assertEqual(sums, total)

    def test_one_thread_and_two_give_the_same_bytes(self):
        for name in sorted(os.listdir(self.out[1])):
            if name == "summary.json":
                continue
            with open(os.path.join(self.out[1], name), "rb") as one, open(os.path.join(self.out[2], name), "rb") as two:
                self.assertEqual(one.read(), two.read(), name)

    def forecasts(self):
        """view -> (key, cutoff) -> rows by step."""
        made = {}
        with open(os.path.join(self.out[1], "forecasts.csv"), encoding="utf-8", newline="") as text:
            for row in csv.DictReader(text):
                view, key = row["unique_id"].split("/", 1)
                made.setdefault(view, {}).setdefault((key, row["cutoff"]), []).append(row)
        return made

    def test_what_the_parts_expect_is_the_sum_of_their_means(self):
        made = self.forecasts()
        self.assertEqual({"sku", "total", "country"}, made.keys())
        skus, countries = {}, {}
        for (_, cutoff), steps in made["sku"].items():
            sums = skus.setdefault(cutoff, [0.0] * HORIZON)
            for h, row in enumerate(steps):
                self.assertEqual(("", ""), (row["mean_bottom_up"], row["mean_reconciled"]))
                sums[h] += float(row["mean"])
        for (_, cutoff), steps in made["country"].items():
            sums = countries.setdefault(cutoff, [0.0] * HORIZON)
            for h, row in enumerate(steps):
                sums[h] += float(row["mean_bottom_up"] or 0)
        self.assertEqual(TRADING_DAYS, len(made["total"]))
        for (_, cutoff), steps in made["total"].items():
            self.assertEqual(HORIZON, len(steps))
            for h, row in enumerate(steps):
                expected = skus[cutoff][h]
                self.assertAlmostEqual(1, float(row["mean_bottom_up"]) / expected, delta=1e-5, msg=f"{cutoff} step {h + 1}")
                # Each sku's forecast is all given to the countries that its task has sold to.
                self.assertAlmostEqual(1, countries[cutoff][h] / expected, delta=1e-5, msg=f"{cutoff} step {h + 1}")

    def test_reconciled_means_weigh_by_past_errors(self):
        """By the weight that had the least squared error in the forecasts whose buckets had closed by the cutoff, drawn to one half."""
        made = self.forecasts()
        for view, key in (("total", "all"), ("country", "United Kingdom")):
            actuals = {ds: float(row["units"]) for of, ds, row in self.rows(view) if of == key}
            apart = toward = count = 0.0
            made_before, weights = [], []
            for index, day in enumerate(sorted(actuals)):
                apart, toward, count = apart * MEMORY, toward * MEMORY, count * MEMORY
                for at, steps in made_before[-HORIZON:]:
                    own, parts = (float(steps[index - at - 1][name]) for name in ("mean", "mean_bottom_up"))
                    apart += (parts - own) ** 2
                    toward += (parts - own) * (actuals[day] - own)
                    count += 1
                prior = PRIOR * HORIZON * apart / count if count else 1.0
                weights.append(min(1.0, max(0.0, (toward + prior / 2) / (apart + prior))))
                made_before.append((index, made[view][key, day]))
                for row in made[view][key, day]:
                    expected = (1 - weights[-1]) * float(row["mean"]) + weights[-1] * float(row["mean_bottom_up"])
                    self.assertAlmostEqual(1, float(row["mean_reconciled"]) / expected, delta=1e-4, msg=f"{view} {day}")
            self.assertGreater(max(weights) - min(weights), 0.1, view)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tidecast", required=True)
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
