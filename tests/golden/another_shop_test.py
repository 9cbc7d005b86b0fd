#!/usr/bin/env python3
"""The example's config reads the order lines of another shop with the same header: other stock codes, other dates, another
trading week. Windows against a plain recomputation; every SKU is forecast.

    another_shop_test.py --tidecast PROGRAM
"""
import argparse
import collections
import csv
import datetime
import json
import os
import random
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLE = os.path.join(HERE, "..", "..", "examples", "online-retail")
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country".split(",")
SKUS = ["tea green/100g", "tea-black", 'mug "xl"', "kettle, steel", "ÄÖ-7", "000123"]
DAYS = 70


def make_lines():
    """Four days a week in the autumn of 2019, over the end of summer time; some returns, some customers without id."""
    chance = random.Random(5)
    first = datetime.datetime(2019, 9, 2)
    lines = []
    for day in range(DAYS):
        date = first + datetime.timedelta(days=day)
        if date.weekday() in (0, 2, 6):
            continue
        for _ in range(chance.randrange(8, 30)):
            at = date + datetime.timedelta(minutes=chance.randrange(24 * 60))
            quantity = -chance.randrange(1, 4) if chance.random() < .06 else chance.randrange(1, 9)
            lines.append([f"B{len(lines):05}", SKUS[min(chance.randrange(6), chance.randrange(6))], "a thing, for tea", str(quantity),
                          at.strftime("%Y-%m-%d %H:%M:%S"), f"{chance.randrange(0, 900) / 100:.2f}",
                          str(chance.randrange(100, 140)) if chance.random() < .8 else "", "Norway"])
    return sorted(lines, key=lambda line: line[4])


def expected_rows(lines):
    """By (SKU, day): units, returns, lines, customers; for each day with lines and each SKU from its first one on."""
    cells = collections.defaultdict(lambda: [0, 0, 0, set()])
    born = {}
    for _, sku, _, quantity, at, _, customer, _ in lines:
        day = at[:10]
        born.setdefault(sku, day)
        cell = cells[sku, day]
        if int(quantity) > 0:
            cell[0] += int(quantity)
            cell[2] += 1
            if customer:
                cell[3].add(customer)
        else:
            cell[1] -= int(quantity)
    days = sorted({line[4][:10] for line in lines})
    return {(sku, day): (cells[sku, day][0], cells[sku, day][1], cells[sku, day][2], len(cells[sku, day][3]))
            for sku in born for day in days if day >= born[sku]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tidecast", required=True)
    flags = parser.parse_args()
    lines = make_lines()
    with tempfile.TemporaryDirectory() as scratch:
        orders = os.path.join(scratch, "orders.csv")
        with open(orders, "w", encoding="utf-8", newline="") as text:
            writer = csv.writer(text)
            writer.writerow(HEADER)
            writer.writerows(lines)
        out = os.path.join(scratch, "out")
        done = subprocess.run([flags.tidecast, "replay", "--orders", orders, "--config", os.path.join(EXAMPLE, "tidecast.yaml"), "--speed",
                               "max", "--out", out], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, cwd=scratch)
        assert done.returncode == 0, f"exit code {done.returncode}\n{done.stderr[-3000:]}"
        with open(os.path.join(out, "summary.json"), encoding="utf-8") as text:
            summary = json.load(text)
        with open(os.path.join(out, "features.csv"), encoding="utf-8", newline="") as text:
            found = {(row["unique_id"], row["ds"]): tuple(int(float(row[name])) for name in ("units", "returns", "lines", "customers"))
                     for row in csv.DictReader(text)}
        with open(os.path.join(out, "forecasts.csv"), encoding="utf-8", newline="") as text:
            forecast = {row["unique_id"] for row in csv.DictReader(text)}
    print(json.dumps(summary))
    assert summary["events_read"] == summary["events_accepted"] == len(lines), summary
    expected = expected_rows(lines)
    wrong = [(key, expected.get(key), found.get(key)) for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)]
    assert not wrong, f"{len(wrong)} rows differ: {sorted(wrong)[:3]}"
    assert forecast == set(SKUS), forecast ^ set(SKUS)
    print(f"{len(expected)} rows equal, {len(forecast)} SKUs forecast")


if __name__ == "__main__":
    main()
