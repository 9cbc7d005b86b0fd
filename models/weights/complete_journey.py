#!/usr/bin/env python3
"""Daily units per product category out of the Complete Journey sample (CC0), as a series file for `tidecast pretrain`.

    complete_journey.py FOLDER OUT.csv

FOLDER has transactions_sample.csv.gz and products.csv.gz of the R package completejourney (CC0). Categories with sales on
at least one day in ten; days without a sale are zeros.
"""
import collections
import csv
import datetime
import gzip
import sys

SHARE_OF_DAYS_MIN = 0.1


def rows(path):
    with gzip.open(path, "rt", newline="") as file:
        yield from csv.DictReader(file)


def main():
    folder, out = sys.argv[1:]
    category = {row["product_id"]: row["product_category"] for row in rows(f"{folder}/products.csv.gz")}
    units = collections.defaultdict(collections.Counter)
    for row in rows(f"{folder}/transactions_sample.csv.gz"):
        name = category.get(row["product_id"])
        if name:
            units[name][row["transaction_timestamp"][:10]] += int(row["quantity"])
    days = sorted({day for of_category in units.values() for day in of_category})
    first, last = datetime.date.fromisoformat(days[0]), datetime.date.fromisoformat(days[-1])
    calendar = [(first + datetime.timedelta(days=i)).isoformat() for i in range((last - first).days + 1)]
    with open(out, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["unique_id", "ds", "y"])
        for name in sorted(units):
            if len(units[name]) < SHARE_OF_DAYS_MIN * len(calendar):
                continue
            for day in calendar:
                writer.writerow([name, day, units[name][day]])


if __name__ == "__main__":
    main()
