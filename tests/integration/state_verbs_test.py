#!/usr/bin/env python3
"""`tidecast state` and `tidecast savepoint`: what is kept of a series is shown, a savepoint comes back as it was and, on Kafka, catches
up from the changelog without a record twice; what does not belong together is refused by name.

    state_verbs_test.py --tidecast PROGRAM --feed PROGRAM --broker DIR
"""
import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

CONFIG = """\
namespace: {ns}
instance: {instance}
transport: {{kind: {transport}, partitions: {partitions}}}
state: {{directory: {state}, memory_limit: 512MiB}}
kafka: {{bootstrap.servers: "{address}", session.timeout.ms: 6000}}
commit: {{interval: 50ms}}
inputs:
  orders: {{kind: orders, time: {{field: /ts}}, columns: {{sku: sku, order_id: id, quantity: quantity, ts: ts}}}}
views:
  sku:
    bucket: {{every: 1d}}
    allowed_lateness: 2d
    features:
      units: {{input: orders, sum: quantity}}
      orders: {{input: orders, count: true}}
    target: units
    horizon: 3
{total}model: experts
server: {{address: 127.0.0.1, port: {port}}}
"""

TOTAL = """\
  total:
    group_by: all
    bucket: {every: 1d}
    features:
      units: {input: orders, sum: quantity}
    target: units
    forecast: false
"""

flags = None
address = "127.0.0.1:1"
folder = None


def write_config(ns, instance="i1", transport="embedded", state=None, total="", port=0):
    path = os.path.join(folder, f"{ns}-{instance}.yaml")
    with open(path, "w") as file:
        file.write(CONFIG.format(ns=ns, instance=instance, transport=transport, address=address,
                                 partitions=1 if transport == "embedded" else 2, total=total, port=port,
                                 state=state or os.path.join(folder, "state-" + ns)))
    return path


def call(*words, timeout=120, env=None):
    return subprocess.run([flags.tidecast, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout,
                          env={**os.environ, **(env or {})})


def order(day, sku, quantity):
    return {"order_id": f"{day}-{sku}", "sku": sku, "quantity": quantity, "ts": f"2024-01-{day:02d}T10:00:00Z"}


class Engine:
    """A running `tidecast run` with its API; stopped in order at the end of the block."""

    def __init__(self, config):
        self.process = subprocess.Popen([flags.tidecast, "run", config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.url = None
        for line in self.process.stderr:
            words = json.loads(line)["message"] if line.startswith("{") else line
            if "page at " in words:
                self.url = words.split("page at ")[1].rstrip("/")
                break
        assert self.url, "the engine ended before it served"

    def post(self, events):
        request = urllib.request.Request(self.url + "/v1/events/orders", data=json.dumps(events).encode(), method="POST",
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200, answer.status

    def await_forecast(self, series, cutoff):
        """Until the model has learned from the bucket and said what comes next."""
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"{self.url}/v1/forecasts/{series}", timeout=30) as answer:
                    found = json.load(answer)["forecast"]
                    if found and found["cutoff"] == cutoff:
                        return
            except urllib.error.HTTPError:
                pass
            time.sleep(.1)
        raise AssertionError(f"no forecast of {series} at {cutoff}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, err
        self.summary = json.loads(out)


class StateVerbs(unittest.TestCase):
    maxDiff = 2000

    def good(self, *words, **more):
        done = call(*words, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def refused(self, code, parts, *words):
        done = call(*words)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        for part in (*parts, "try: "):
            self.assertIn(part, done.stderr)

    def series(self, config, name="A"):
        return json.loads(self.good("state", "get", name, "--config", config))

    def test_1_embedded(self):
        config = write_config("shop")
        self.refused(66, ["there is no state directory"], "state", "get", "A", "--config", config)
        with Engine(config) as engine:
            engine.post([order(day, sku, day) for day in range(1, 9) for sku in ("A", "B")])
            engine.post([order(8, "A", 5) | {"order_id": "late"}])
            engine.await_forecast("A", "2024-01-07")
        first = self.series(config)
        self.assertEqual(first["series"], "A")
        view = first["views"][0]
        self.assertEqual((view["view"], view["born"]), ("sku", "2024-01-01"))
        buckets = {bucket["ds"]: bucket for bucket in view["buckets"]}
        self.assertEqual(buckets["2024-01-08"]["features"], {"units": 13.0, "orders": 2.0})
        self.assertFalse(buckets["2024-01-08"]["closed"])
        self.assertTrue(buckets["2024-01-07"]["closed"])
        self.assertEqual(buckets["2024-01-07"]["revision"], 1)
        self.assertEqual(view["model"]["age_buckets"], 7)
        self.assertIn("0.5", view["model"]["forecast_in_force"]["quantiles"])
        self.refused(66, ["no such series: Z", "it has 2 others"], "state", "get", "Z", "--config", config)

        self.assertIn("first\t", self.good("savepoint", "create", "first", "--config", config))
        self.refused(64, ["of this name already"], "savepoint", "create", "first", "--config", config)
        self.refused(64, ["not a name"], "savepoint", "create", "../first", "--config", config)
        with Engine(config) as engine:
            engine.post([order(day, "A", 50) for day in range(9, 12)])
            engine.await_forecast("A", "2024-01-10")
            self.refused(75, ["another process holds the state directory"], "savepoint", "create", "--config", config)
            self.assertEqual(self.series(config)["series"], "A")  # beside the running engine
        later = self.series(config)
        self.assertGreater(later["seq"], first["seq"])
        self.assertNotEqual(later, first)
        self.good("savepoint", "create", "second", "--config", config)
        names = [line.split("\t")[0] for line in self.good("savepoint", "list", "--config", config).splitlines()]
        self.assertEqual(names, ["first", "second"])

        self.refused(64, ["there is state already", "--replace"], "savepoint", "restore", "first", "--config", config)
        self.good("savepoint", "restore", "first", "--replace", "--config", config)
        self.assertEqual(self.series(config), first)
        # Goes on from there, as it did before.
        with Engine(config) as engine:
            engine.post([order(day, "A", 50) for day in range(9, 12)])
            engine.await_forecast("A", "2024-01-10")
        again = self.series(config)
        again["seq"] = later["seq"]  # epochs are cut by time
        self.assertEqual(again, later)

    def test_2_what_does_not_belong_together(self):
        config = write_config("own")
        with Engine(config) as engine:
            engine.post([order(day, "A", day) for day in range(1, 4)])
            engine.await_forecast("A", "2024-01-02")
        self.good("savepoint", "create", "kept", "--config", config)
        state = os.path.join(folder, "state-own")
        for other in (write_config("own", "i2", state=state), write_config("other", state=state)):
            both = ["belongs to instance i1 of namespace own"]
            self.refused(78, both, "run", other, "--no-server")
            self.refused(78, both, "state", "get", "A", "--config", other)
            self.refused(78, both, "savepoint", "restore", "kept", "--replace", "--config", other)
        self.refused(66, ["there is no savepoint here"], "savepoint", "restore", "nothing", "--config", config)
        head = os.path.join(folder, "state-own.savepoints", "kept", "savepoint.json")
        with open(head) as file:
            good = json.load(file)
        for change, code, parts in (({"format": 9}, 65, ["format 9", "reads 1"]), ({"formats": {"store": 77}}, 65, ["store format 77"]),
                                    ({"tasks": 5}, 65, ["damaged"])):
            with open(head, "w") as file:
                json.dump(good | change, file)
            done = call("savepoint", "restore", "kept", "--replace", "--config", config)
            self.assertEqual(done.returncode, code, done.stderr)
            for part in parts:
                self.assertIn(part, done.stderr)
        self.assertEqual(self.series(config)["series"], "A", "a refusal changes nothing")

    def test_3_reset(self):
        config = write_config("fresh")
        with Engine(config) as engine:
            engine.post([order(day, "A", day) for day in range(1, 6)])
            engine.await_forecast("A", "2024-01-04")
        before = self.series(config)
        self.refused(64, ["all windows, models and positions of namespace fresh", "--yes"], "state", "reset", "--config", config)
        self.assertEqual(self.series(config), before)
        self.good("state", "reset", "--yes", "--config", config)
        self.refused(66, ["no such series: A"], "state", "get", "A", "--config", config)
        self.good("run", config, "--no-server", "--until-end")
        buckets = {bucket["ds"]: bucket["features"] for bucket in self.series(config)["views"][0]["buckets"]}
        for bucket in before["views"][0]["buckets"]:
            self.assertEqual(buckets[bucket["ds"]], bucket["features"])

    def test_4_on_kafka_the_changelog_brings_the_rest(self):
        if os.path.exists(os.path.join(flags.broker, "skipped")):
            self.skipTest("no Kafka broker could be started")
        config = write_config("saved", transport="kafka", total=TOTAL)
        orders = os.path.join(folder, "orders.csv")
        with open(orders, "w") as file:
            file.write("id,sku,quantity,ts\n")
            for i in range(3000):
                file.write(f"o{i},sku{i % 37},{i % 5 + 1},2024-01-{i * 20 // 3000 + 1:02d}T10:00:00Z\n")
        done = subprocess.run([flags.feed, address, config, orders], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout)
        died = call("run", config, "--no-server", "--until-end", env={"TIDECAST_FAULT": "state_written:1"})
        self.assertEqual(died.returncode, -signal.SIGKILL, died.stderr)
        self.good("savepoint", "create", "early", "--config", config)
        self.good("run", config, "--no-server", "--until-end")
        end = self.series(config, "sku1")
        features = sorted(self.good("tap", "features", "--config", config).splitlines())
        self.assertEqual(len(features), len(set(features)))

        def same_again():
            summary = json.loads(self.good("run", config, "--no-server", "--until-end"))
            self.assertEqual(summary["events_read"], 3000)
            # In how many epochs it came there is a matter of time.
            self.assertEqual(self.series(config, "sku1") | {"seq": end["seq"]}, end)
            self.assertEqual(sorted(self.good("tap", "features", "--config", config).splitlines()), features, "a record twice, or lost")

        self.good("savepoint", "restore", "early", "--replace", "--config", config)
        self.assertLess(self.series(config, "sku1")["seq"], end["seq"])
        same_again()
        self.good("state", "reset", "--local", "--yes", "--config", config)
        same_again()
        # Without its changelog the namespace starts anew, and the inputs teach it the same.
        deadline = time.monotonic() + 60
        while (reset := call("state", "reset", "--yes", "--config", config)).returncode == 75 and time.monotonic() < deadline:
            self.assertIn("its group has 1 members", reset.stderr)  # until the session of the last run is over
            time.sleep(.5)
        self.assertEqual(reset.returncode, 0, reset.stderr)
        anew = call("run", config, "--no-server", "--until-end")
        self.assertEqual(anew.returncode, 0, anew.stderr)
        self.assertNotIn("alarm", anew.stderr)
        again = self.series(config, "sku1")
        self.assertEqual(again["views"][0]["buckets"], end["views"][0]["buckets"])
        # The stage behind has begun anew, too: it has not taken the second pass for late news of the first.
        self.assertEqual(self.good("tap", "late", "--config", config), "")

    def test_5_a_running_engine_makes_its_savepoints_itself(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        config = write_config("live", port=port)
        with Engine(config) as engine:
            engine.post([order(day, "A", day) for day in range(1, 6)])
            engine.await_forecast("A", "2024-01-04")
            # Meanwhile it goes on: whatever it was doing, the copy is at one of its commits.
            for day in range(6, 12):
                engine.post([order(day, "A", day)])
                self.assertIn(f"at{day}\t", self.good("savepoint", "create", f"at{day}", "--config", config))
            engine.await_forecast("A", "2024-01-10")
            self.refused(64, ["of this name already"], "savepoint", "create", "at7", "--config", config)
            self.refused(75, ["holds the state directory"], "savepoint", "create", "--config", config, "--directory", folder)
        end = self.series(config)
        names = [line.split("\t")[0] for line in self.good("savepoint", "list", "--config", config).splitlines()]
        self.assertEqual(names, sorted(f"at{day}" for day in range(6, 12)))
        self.good("savepoint", "restore", "at7", "--replace", "--config", config)
        middle = self.series(config)
        self.assertLess(middle["seq"], end["seq"])
        with Engine(config) as engine:
            engine.post([order(day, "A", day) for day in range(8, 12)])
            engine.await_forecast("A", "2024-01-10")
        again = self.series(config)
        again["seq"] = end["seq"]
        self.assertEqual(again, end)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("tidecast", "feed", "broker"):
        parser.add_argument("--" + name, required=True)
    flags, rest = parser.parse_known_args()
    if os.path.exists(os.path.join(flags.broker, "address")):
        with open(os.path.join(flags.broker, "address")) as file:
            address = file.read().strip()
    elif os.environ.get("CI") == "true":
        sys.exit("no Kafka broker")
    with tempfile.TemporaryDirectory(prefix="tidecast-state-") as folder:
        unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
