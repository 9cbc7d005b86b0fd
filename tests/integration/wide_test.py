#!/usr/bin/env python3
"""300,000 series close their day at once under a memory limit of 512 MiB, with a kill -9 in the middle of the round: the process
never holds more, and windows and forecasts are exact, each once.

    wide_test.py --tidecast PROGRAM --feed PROGRAM --broker DIR --script FILE
"""
import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

SERIES = 300_000
LIMIT = 512 << 20
CONFIG = """\
namespace: wide
transport: {{kind: kafka}}
state: {{directory: {state}, memory_limit: 512MiB}}
kafka: {{bootstrap.servers: "{address}"}}
commit: {{interval: 1s}}
inputs:
  orders:
    time: {{field: /ts, zone: Europe/London}}
    columns: {{sku: StockCode, quantity: Quantity, ts: InvoiceDate, unit_price: UnitPrice, customer_id: CustomerID}}
views:
  sku:
    bucket: {{every: 1d, zone: Europe/London, open: learned}}
    allowed_lateness: 1d
    features:
      units: {{input: orders, sum: quantity, where: positive}}
      revenue: {{input: orders, sum: amount, where: positive}}
      customers: {{input: orders, distinct: customer, where: positive}}
      price: {{input: orders, mean: unit_price, where: positive}}
    target: units
    horizon: 14
    past_covariates: [price]
model: {{kind: experts}}
"""

flags = None
address = None
folder = None


def sku(i):
    return f"SKU{i:06d}"


def units(i):
    return i * 7919 % 23 + 1


def price(i):
    return i % 90 + 1.5


def write_orders(path):
    """One line a series on a Monday, in an order that is not that of the names; some lines on Tuesday close the day."""
    with open(path, "w") as out:
        out.write("StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n")
        for place in range(SERIES):
            i = place * 7919 % SERIES
            second = 8 * 3600 + place * 36000 // SERIES
            out.write(f"{sku(i)},{units(i)},2011-03-07 {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d},{price(i)},{i % 5000}\n")
        for i in range(500):
            out.write(f"{sku(i)},1,2011-03-08 09:{i // 60:02d}:{i % 60:02d},1.5,7\n")


class Engine:
    """A running engine: its peak of memory and its counters, looked at twice a second."""

    def __init__(self, config):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = open(config + ".log", "a+")
        self.process = subprocess.Popen([flags.tidecast, "run", config, "--port", str(self.port)], stdout=subprocess.DEVNULL, stderr=self.log)
        self.peak = 0

    def counter(self, name):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=20) as answer:
                found = re.search(rf"^{re.escape(name)} ([0-9.e+]+)$", answer.read().decode(), re.MULTILINE)
                return float(found.group(1)) if found else 0.0
        except OSError:
            return 0.0

    def look_at_memory(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            found = re.search(r"VmHWM:\s+(\d+) kB", status.read())
            self.peak = max(self.peak, int(found.group(1)) * 1024)

    def wait_for(self, name, least, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"the engine ended with {self.process.returncode}: {self.tail()}")
            self.look_at_memory()
            value = self.counter(name)
            if value >= least:
                return value
            time.sleep(.5)
        raise AssertionError(f"{name} reached only {self.counter(name)} of {least} in {seconds} s: {self.tail()}")

    def tail(self):
        self.log.seek(0)
        return self.log.read()[-3000:]

    def end(self, how):
        if self.process.poll() is None:
            self.look_at_memory()
        self.process.send_signal(how)
        code = self.process.wait(timeout=90)
        self.log.close()
        return code


def tap(config, topic):
    with subprocess.Popen([flags.tidecast, "tap", topic, "--config", config], stdout=subprocess.PIPE, text=True) as process:
        yield from process.stdout
        assert process.wait(timeout=60) == 0


class Wide(unittest.TestCase):
    def test_all_series_close_at_once_under_the_limit(self):
        orders = os.path.join(folder, "orders.csv")
        write_orders(orders)
        config = os.path.join(folder, "wide.yaml")
        with open(config, "w") as file:
            file.write(CONFIG.format(state=os.path.join(folder, "state"), address=address))
        # The lines are of 2011: the topic must not let them go for their age.
        subprocess.run([flags.script, "create", "--dir", os.path.join(flags.broker, "broker"), "wide.orders", "4", "retention.ms=-1"], check=True,
                       timeout=60, stdout=subprocess.DEVNULL)
        subprocess.run([flags.feed, address, config, orders], check=True, timeout=120, stdout=subprocess.DEVNULL)

        first = Engine(config)
        try:
            met = first.wait_for("tidecast_forecasts_total", SERIES / 4, 420)
        finally:
            self.assertEqual(first.end(signal.SIGKILL), -signal.SIGKILL)
        self.assertLess(met, SERIES, "the kill came after the round")
        second = Engine(config)
        begun = time.monotonic()
        try:
            second.wait_for("tidecast_forecasts_total", SERIES, 420)
            seconds = time.monotonic() - begun
            series = second.counter("tidecast_series")
            accepted = second.counter('tidecast_events_total{result="accepted"}')
        finally:
            code = second.end(signal.SIGTERM)
        self.assertEqual(code, 0)
        print(f"killed after {met:.0f} forecasts, the rest in {seconds:.0f} s; peaks {first.peak >> 20} and {second.peak >> 20} MiB", flush=True)
        self.assertEqual(series, SERIES)
        self.assertEqual(accepted, SERIES + 500)
        self.assertLess(first.peak, LIMIT)
        self.assertLess(second.peak, LIMIT)

        rows = {}
        text = re.compile(r'"unique_id":"([^"]+)".*?"ds":"([^"]+)".*?"units":([0-9.]+),"revenue":([0-9.]+),"customers":([0-9.]+),"price":([0-9.]+)')
        for line in tap(config, "features"):
            found = text.search(line)
            key = found.group(1), found.group(2)
            self.assertNotIn(key, rows, "a row twice")
            rows[key] = tuple(float(number) for number in found.groups()[2:])
        self.assertEqual(len(rows), SERIES)
        wrong = [i for i in range(SERIES)
                 if rows.get((sku(i), "2011-03-07")) != (units(i), units(i) * price(i), 1, price(i))]
        self.assertFalse(wrong, f"{len(wrong)} rows are wrong or missing, e.g. of {sku(wrong[0]) if wrong else ''}")
        forecasts = set()
        name = re.compile(r'"unique_id":"([^"]+)"')
        for line in tap(config, "forecasts"):
            series_name = name.search(line).group(1)
            self.assertNotIn(series_name, forecasts, "a forecast twice")
            forecasts.add(series_name)
        self.assertEqual(len(forecasts), SERIES)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("tidecast", "feed", "broker", "script"):
        parser.add_argument("--" + name, required=True)
    flags, rest = parser.parse_known_args()
    if os.path.exists(os.path.join(flags.broker, "skipped")):
        print("SKIPPED: no Kafka broker could be started")
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    with open(os.path.join(flags.broker, "address")) as file:
        address = file.read().strip()
    with tempfile.TemporaryDirectory(prefix="tidecast-wide-") as folder:
        unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
