#!/usr/bin/env python3
"""Recomputes features.csv of examples/online-retail from the order lines (and clicks), sharing no code with the engine.

  recompute_features.py --orders F [--clicks F] [--until DATE] --compare out/features.csv
  recompute_features.py --orders F [--clicks F] [--until DATE] --out F

The rules: buckets are trading days (days in the zone on which some order line was accepted); a SKU has a row for each
trading day from that of its first accepted event on. units, revenue, lines, customers and price are over lines with a
positive quantity, returns over those with a negative one; an empty customer is no customer; the mean of nothing is
empty, a sum or count of nothing is 0. A line that cannot be read, without a SKU or with a negative price is not
accepted. Money is added up as decimals; only the result becomes a float. --until is the last day that is looked at.
Exit code: 0 equal, 1 different, 2 nothing to compare.
"""

import argparse
import bisect
import csv
import datetime
import decimal
import gzip
import sys
import zoneinfo

FEATURES = ["units", "returns", "revenue", "lines", "customers", "price", "views", "carts"]
D = decimal.Decimal
decimal.getcontext().prec = 60


def open_text(path):
    return gzip.open(path, "rt", encoding="utf-8", newline="") if path.endswith(".gz") else open(path, encoding="utf-8", newline="")


def local_day(text, zone):
    """Day in the zone; times without an offset are the zone's own."""
    if len(text) == 19 and text[10] in " T":
        datetime.datetime.fromisoformat(text)  # fails on what is no time
        return text[:10]
    at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if at.tzinfo is not None:
        at = at.astimezone(zone)
    return at.date().isoformat()


def number(text):
    value = D(text)
    if not value.is_finite():
        raise decimal.InvalidOperation(text)
    return value


class Cell:
    """What one SKU saw on one day."""

    __slots__ = ("units", "returns", "revenue", "lines", "customers", "prices", "priced", "views", "carts")

    def __init__(self):
        self.units = self.returns = self.revenue = self.prices = D(0)
        self.lines = self.priced = self.views = self.carts = 0
        self.customers = set()

    def row(self):
        price = self.prices / self.priced if self.priced else None
        return [self.units, self.returns, self.revenue, D(self.lines), D(len(self.customers)), price, D(self.views), D(self.carts)]


def read_orders(path, zone, until, cells, refused):
    days = set()
    with open_text(path) as text:
        for row in csv.DictReader(text):
            sku = row["StockCode"]
            try:
                day = local_day(row["InvoiceDate"], zone)
                quantity = number(row["Quantity"])
                price = number(row["UnitPrice"]) if row["UnitPrice"] != "" else None
            except (ValueError, decimal.InvalidOperation):
                refused.append(row)
                continue
            if sku == "" or (price is not None and price < 0):
                refused.append(row)
                continue
            if until and day > until:
                continue
            days.add(day)
            cell = cells.setdefault(sku, {}).setdefault(day, Cell())
            if quantity > 0:
                cell.units += quantity
                cell.lines += 1
                if price is not None:
                    cell.revenue += quantity * price
                    cell.prices += price
                    cell.priced += 1
                if row["CustomerID"] != "":
                    cell.customers.add(row["CustomerID"])
            elif quantity < 0:
                cell.returns -= quantity
    return sorted(days)


def read_clicks(path, zone, until, cells, refused):
    with open_text(path) as text:
        for row in csv.DictReader(text):
            try:
                day = local_day(row["ts"], zone)
            except ValueError:
                refused.append(row)
                continue
            if row["sku"] == "" or (until and day > until):
                continue
            cell = cells.setdefault(row["sku"], {}).setdefault(day, Cell())
            if row["action"] == "view":
                cell.views += 1
            elif row["action"] == "cart":
                cell.carts += 1


def recompute(options):
    zone = zoneinfo.ZoneInfo(options.zone)
    cells, refused = {}, []
    days = read_orders(options.orders, zone, options.until, cells, refused)
    if options.clicks:
        read_clicks(options.clicks, zone, options.until, cells, refused)
    nothing = Cell().row()
    rows = {}
    for sku, seen in cells.items():
        for day in days[bisect.bisect_left(days, min(seen)):]:
            rows[day, sku] = seen[day].row() if day in seen else nothing
    return days, rows, refused


def same(feature, expected, text):
    if expected is None or text == "":
        return expected is None and text == ""
    value = float(text)
    # A mean is divided in binary by the engine, in decimals here: the last bit may differ.
    return value == float(expected) or (feature == "price" and abs(value - float(expected)) <= 1e-12 * abs(float(expected)))


def compare(rows, path, until):
    counts = {"missing": 0, "extra": 0, "different": 0, "twice": 0}
    examples = []

    def report(kind, text):
        counts[kind] += 1
        if counts[kind] <= 10:
            examples.append(f"{kind}: {text}")

    seen = set()
    previous = None
    with open_text(path) as text:
        reader = csv.reader(text)
        header = next(reader, None)
        if header is None or header[:2] != ["unique_id", "ds"]:
            print(f"{path}: the header is {header}, it should begin with unique_id,ds")
            return 1
        lacking = [name for name in FEATURES if name not in header]
        if lacking:
            print(f"{path}: no columns {', '.join(lacking)}")
            return 1
        place = [header.index(name) for name in FEATURES]
        for line in reader:
            sku, day = line[0], line[1]
            if until and day > until:
                continue
            key = (day, sku)
            if previous is not None and (day, sku.encode()) < previous:
                report("different", f"{sku} {day} stands out of order")
            previous = (day, sku.encode())
            if key in seen:
                report("twice", f"{sku} {day}")
            seen.add(key)
            expected = rows.get(key)
            if expected is None:
                report("extra", f"{sku} {day}: {line[2:]}")
                continue
            for name, column, value in zip(FEATURES, place, expected):
                if not same(name, value, line[column]):
                    report("different", f"{sku} {day} {name}: engine {line[column] or 'empty'}, recomputed {'empty' if value is None else value}")
    for key in sorted(rows.keys() - seen):
        report("missing", f"{key[1]} {key[0]}: {[None if v is None else str(v) for v in rows[key]]}")
    for line in examples:
        print(line)
    print(f"{len(rows)} rows recomputed, {len(seen)} in {path}: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return 1 if any(counts.values()) else 0


def text_of(value):
    if value is None:
        return ""
    return str(int(value)) if value == int(value) else repr(float(value))


def write(rows, path):
    with open(path, "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["unique_id", "ds"] + FEATURES)
        for day, sku in sorted(rows, key=lambda key: (key[0], key[1].encode())):
            writer.writerow([sku, day] + [text_of(value) for value in rows[day, sku]])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", required=True)
    parser.add_argument("--clicks")
    parser.add_argument("--until", metavar="DATE")
    parser.add_argument("--zone", default="Europe/London")
    parser.add_argument("--compare", metavar="FEATURES_CSV")
    parser.add_argument("--out", metavar="FILE")
    options = parser.parse_args()
    days, rows, refused = recompute(options)
    print(f"{len(days)} trading days, {len({sku for _, sku in rows})} SKUs, {len(refused)} lines refused")
    if not rows:
        print("no rows: nothing to compare")
        return 2
    if options.out:
        write(rows, options.out)
    return compare(rows, options.compare, options.until) if options.compare else 0


if __name__ == "__main__":
    sys.exit(main())
