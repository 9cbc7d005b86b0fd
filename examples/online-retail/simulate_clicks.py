#!/usr/bin/env python3
"""Makes a clickstream from the order lines: SIMULATED, not data of the shop.

For each order line with a positive quantity:
  .20  a view on the evening of the trading day before (people look before they buy)
  .55  a view up to an hour before the order, in the session that ends with it
  .35  a cart between that and the order
and .15 as many views by visitors who buy nothing, of items drawn from the day's lines, between 7 and 21 h.

Each day's numbers come from a generator seeded with the date, so that any range of days can be made again by itself:
  simulate_clicks.py orders.csv.gz clicks.csv.gz                          the file that is shipped
  simulate_clicks.py orders.csv.gz --from 2011-03-01 --to 2011-03-05      these days to standard output
  simulate_clicks.py orders.csv.gz --from ... --to ... --compare FILE     fails unless FILE has the same lines for them
Times are those of the shop (Europe/London), without an offset, as in the orders. Standard library only.
"""

import argparse
import csv
import datetime
import gzip
import io
import itertools
import random
import sys

COLUMNS = ["ts", "session_id", "sku", "action", "customer_id", "channel"]
CHANNEL = "simulated"
SEED = 1


def order_days(path):
    """Yields (date, lines) for each trading day; a line is (invoice, sku, datetime, customer)."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
        for day, rows in itertools.groupby(csv.DictReader(text), key=lambda row: row["InvoiceDate"][:10]):
            yield day, [
                (row["InvoiceNo"], row["StockCode"], datetime.datetime.fromisoformat(row["InvoiceDate"]), row["CustomerID"])
                for row in rows
                if int(row["Quantity"]) > 0
            ]


def clicks_of(day, lines, next_day, next_lines):
    """Clicks that fall on `day`, in order."""
    chance = random.Random(f"tidecast clicks {SEED} {day}").random
    midnight = datetime.datetime.fromisoformat(day)
    sessions = {}

    def session(kind, invoice):
        number = sessions.setdefault((kind, invoice), len(sessions) + 1)
        return f"{day[2:4]}{day[5:7]}{day[8:10]}-{number}"

    out = []

    def click(at, visit, sku, action, customer):
        out.append((at.isoformat(sep=" "), visit, sku, action, customer, CHANNEL))

    for invoice, sku, at, customer in lines:
        earlier = min(int(chance() * 3600), int((at - midnight).total_seconds()))
        viewed, carted, part = chance() < 0.55, chance() < 0.35, chance()
        if viewed:
            click(at - datetime.timedelta(seconds=earlier), session("order", invoice), sku, "view", customer)
        if carted:
            click(at - datetime.timedelta(seconds=int(earlier * part)), session("order", invoice), sku, "cart", customer)
    for _ in range(int(len(lines) * 0.15)):
        sku = lines[int(chance() * len(lines))][1]
        visitor = int(chance() * (1 + len(lines) / 20))
        click(midnight + datetime.timedelta(seconds=7 * 3600 + int(chance() * 14 * 3600)), session("visitor", visitor), sku, "view", "")
    # The evening before: the next day's own generator, so that this part too is a function of the dates alone.
    chance = random.Random(f"tidecast clicks {SEED} {next_day} evening before").random
    for invoice, sku, _, customer in next_lines:
        looked, when = chance() < 0.20, chance()
        if looked:
            click(midnight + datetime.timedelta(seconds=18 * 3600 + int(when * 5 * 3600)), session("evening", invoice), sku, "view", customer)
    out.sort()
    return out


def clicks(path, first=None, last=None):
    days = order_days(path)
    day, lines = next(days, (None, []))
    while day is not None:
        next_day, next_lines = next(days, (None, []))
        if (first is None or day >= first) and (last is None or day <= last):
            yield from clicks_of(day, lines, next_day, next_lines)
        if last is not None and day > last:
            return
        day, lines = next_day, next_lines


def as_text(rows):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue()


def compare(rows, path, first, last):
    with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
        reader = csv.reader(text)
        header = next(reader)
        shipped = [tuple(row) for row in reader if (not first or row[0][:10] >= first) and (not last or row[0][:10] <= last)]
    rows = list(rows)
    if header != COLUMNS:
        print(f"columns {header} in place of {COLUMNS}")
        return 1
    if not rows:
        print("no clicks in this range: nothing was compared")
        return 1
    for number, (made, there) in enumerate(itertools.zip_longest(rows, shipped), 1):
        if made != there:
            print(f"click {number} of the range: made {made}, in {path} {there}")
            return 1
    print(f"{len(rows)} clicks are the same")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("orders")
    parser.add_argument("out", nargs="?", help=".csv.gz; standard output without")
    parser.add_argument("--from", dest="first", metavar="DATE")
    parser.add_argument("--to", dest="last", metavar="DATE")
    parser.add_argument("--compare", metavar="FILE")
    options = parser.parse_args()
    rows = clicks(options.orders, options.first, options.last)
    if options.compare:
        return compare(rows, options.compare, options.first, options.last)
    text = as_text(rows)
    if options.out is None:
        sys.stdout.write(text)
        return 0
    with open(options.out, "wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=9, mtime=0) as out:
        out.write(text.encode())
    print(f"{text.count(chr(10)) - 1} clicks in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
