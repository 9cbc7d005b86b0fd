"""Slices of examples/online-retail for tests: its first trading days, all of its stock codes or the busiest."""
import collections
import csv
import gzip
import os

EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "online-retail")


def rows_of(name):
    """The header and the rows of one of the example's files."""
    with gzip.open(os.path.join(EXAMPLE, name), "rt", encoding="utf-8", newline="") as text:
        reader = csv.reader(text)
        header = next(reader)
        return header, list(reader)


def first_days(trading_days):
    """Order lines and clicks of the first trading days: ((header, rows), (header, rows))."""
    header, rows = rows_of("orders.csv.gz")
    at = header.index("InvoiceDate")
    days = sorted({row[at][:10] for row in rows})[:trading_days]
    orders = [row for row in rows if row[at][:10] <= days[-1]]
    click_header, clicks = rows_of("clicks.csv.gz")
    at = click_header.index("ts")
    return (header, orders), (click_header, [row for row in clicks if row[at][:10] <= days[-1]])


def busiest(header, rows, count):
    """The stock codes with the most lines."""
    at = header.index("StockCode")
    lines = collections.Counter(row[at] for row in rows)
    return {code for code, _ in sorted(lines.items(), key=lambda item: (-item[1], item[0]))[:count]}


def write(path, header, rows):
    with open(path, "w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def example_config(path, changes):
    """The example's config with some of its text replaced; each of it must be there."""
    with open(os.path.join(EXAMPLE, "tidecast.yaml"), encoding="utf-8") as text:
        config = text.read()
    for old, new in changes:
        assert config.count(old) == 1, f"the example's config has {config.count(old)} times: {old}"
        config = config.replace(old, new)
    with open(path, "w", encoding="utf-8") as out:
        out.write(config)
