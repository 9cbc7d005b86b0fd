#!/usr/bin/env python3
"""Ports that are taken and brokers that are away."""
import datetime
import json
import os
import random
import re
import socket
import time
import urllib.request

import command_line
from command_line import CONFIG, UNAVAILABLE, CommandLineTest


class PortTest(CommandLineTest):
    def setUp(self):
        super().setUp()
        self.taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.taken.close)
        self.port = self.taken.getsockname()[1]

    def example(self):
        os.makedirs(self.path("example"), exist_ok=True)
        with open(self.orders, "rb") as file:
            self.write("example/orders.csv.gz", command_line.gzip.compress(file.read()))
        self.write_config("example/tidecast.yaml", server="true", port=self.port)
        return self.path("example")

    def test_run_says_which_port_and_leaves_nothing_locked(self):
        config = self.write_config("taken.yaml", server="true", port=self.port)
        for words in ([], ["--port", self.port]):
            self.assert_fails(self.tidecast("run", config, *words), UNAVAILABLE, f"127.0.0.1:{self.port}", "taken", "--port")
        self.assertEqual(self.tidecast("run", config, "--until-end", "--port", "0").code, 0)

    def test_demo_takes_another_port_and_says_so(self):
        process = self.start("demo", "--model", "none", "--example", self.example())
        url = self.wait_for(process, r"page +(http://[0-9.:]+/)").group(1)
        self.assertNotIn(f":{self.port}/", url)
        self.assertIn(f"127.0.0.1:{self.port}", self.words_of(process))
        with urllib.request.urlopen(url + "livez", timeout=5) as reply:
            self.assertEqual(reply.status, 200)

    def test_demo_with_a_port_of_ones_own_choice_means_that_one(self):
        self.assert_fails(self.tidecast("demo", "--model", "none", "--example", self.example(), "--port", self.port), UNAVAILABLE, str(self.port))

    def test_demo_without_its_example(self):
        self.assert_fails(self.tidecast("demo", "--example", self.path("none")), command_line.NO_INPUT, "none/tidecast.yaml")


class AccuracyTest(CommandLineTest):
    """`run` tells while it runs how good its forecasts were: what `replay` says of the same events, but for the buckets still open."""

    def shop(self):
        chance = random.Random(3)
        begin = datetime.datetime(2024, 1, 1)
        rows = []
        for hour in range(24 * 14):
            for sku in range(4):
                level = 6 + 4 * sku + (5 if 8 <= hour % 24 <= 18 else 0)
                rows.append([f"O{hour}-{sku}", "1", f"SKU{sku}", (begin + datetime.timedelta(hours=hour, minutes=5 + sku)).isoformat(),
                             str(chance.randint(1, level)), "2.50", "C1"])
        return rows

    def test_figures_on_the_page_and_in_the_metrics(self):
        rows = self.shop()
        config = self.write_config("hours.yaml", server="true", model="experts")
        with open(config) as file:
            text = file.read()
        config = self.write("hours.yaml", text.replace("every: 1d", "every: 1h").replace("allowed_lateness: 1d", "allowed_lateness: 0s"))
        done = self.tidecast("replay", "--orders", self.write_orders("hours.csv", rows), "--config", config)
        self.assertEqual(done.code, 0, done.err)
        replayed = json.loads(done.out)
        process = self.start("run", config)
        url = self.wait_for(process, r"http://[0-9.:]+/").group(0)
        for at in range(0, len(rows), 400):
            body = "\n".join(json.dumps(dict(zip(command_line.HEADER, row))) for row in rows[at:at + 400]).encode()
            request = urllib.request.Request(url + "v1/events/orders?durable=true", data=body, headers={"Content-Type": "application/x-ndjson"})
            with urllib.request.urlopen(request, timeout=20) as reply:
                self.assertEqual(json.load(reply)["kept_by"], "disk")
        end = time.monotonic() + 40
        figures = {}
        while time.monotonic() < end:
            with urllib.request.urlopen(url + "v1/status", timeout=5) as reply:
                status = json.load(reply)
            figures = status["figures"]
            if status["events_read"] == len(rows) and figures.get("rounds", 0) >= 24 * 14 - 2:
                break
            time.sleep(.1)
        self.assertGreater(figures["forecasts_scored"], 1000, figures)
        self.assertAlmostEqual(figures["wql"], replayed["wql"], delta=.01)
        self.assertAlmostEqual(figures["wql_seasonal_naive"], replayed["wql_seasonal_naive"], delta=.01)
        self.assertGreater(figures["coverage_80"], .6)
        self.assertLess(figures["coverage_80"], .97)
        with urllib.request.urlopen(url + "metrics", timeout=5) as reply:
            metrics = reply.read().decode()
        found = re.search(r'tidecast_forecast_wql_ratio\{model="tidecast",view="sku"\} ([0-9.e-]+)', metrics)
        self.assertTrue(found, metrics)
        self.assertAlmostEqual(float(found.group(1)), figures["wql"], delta=.001)
        for name in ('tidecast_forecast_wql_ratio{model="seasonal_naive",view="sku"}', 'tidecast_forecast_coverage_ratio{interval="80",view="sku"}',
                     'tidecast_forecast_sample_ratio{view="sku"} 1', 'tidecast_forecasts_scored_total{view="sku"}'):
            self.assertIn(name, metrics)


class BrokerTest(CommandLineTest):
    def test_each_verb_names_the_brokers_that_are_away(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        config = self.write_config("kafka.yaml", transport="kafka", kafka=f'kafka: {{bootstrap.servers: "127.0.0.1:{port}"}}\n')
        begun = time.monotonic()
        self.assert_fails(self.tidecast("run", config), UNAVAILABLE, f"127.0.0.1:{port}", "kafka.bootstrap.servers")
        self.assertLess(time.monotonic() - begun, 25)
        self.assert_fails(self.tidecast("tap", "alerts", "--config", config), UNAVAILABLE, f"127.0.0.1:{port}")
        checked = self.tidecast("check", config)
        self.assertEqual(checked.code, UNAVAILABLE, checked.out)
        for word in (f"127.0.0.1:{port}", "try: "):
            self.assertIn(word, checked.out)

    def test_properties_that_librdkafka_does_not_know(self):
        config = self.write_config("kafka.yaml", transport="kafka", kafka='kafka: {bootstrap.servers: "127.0.0.1:1", batch.sise: 3}\n')
        done = self.tidecast("run", config)
        self.assertEqual(done.code, CONFIG, done.err)
        self.assertIn("batch.sise", done.err)


if __name__ == "__main__":
    command_line.main()
