#!/usr/bin/env python3
"""The whole engine on a real broker, over the orders and clicks of the example's first 60 trading days with the experts on:
`tidecast run --until-end` makes the windows that a replay of the same lines makes, no record and no content id twice for a
read_committed reader - also when it is killed at each step of a commit and at random, when the broker is
killed, and when two instances share the partitions and one of them is killed. A net begins where another instance's is.

    engine_kafka_test.py --tidecast PROGRAM --feed PROGRAM --ids PROGRAM --broker DIR --script FILE [SCENARIO ...]
"""
import argparse
import csv
import datetime
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
import slices  # noqa: E402

STEPS = ["cut", "outputs_produced", "changelog_produced", "offsets_sent", "committed", "state_written"]
FEATURES = ["units", "returns", "customers", "views", "carts"]
TRADING_DAYS = 60
CONFIG = """\
namespace: {ns}
instance: {instance}
transport: {{kind: {transport}, partitions: {partitions}}}
state: {{directory: {state}, memory_limit: 512MiB}}
kafka: {{bootstrap.servers: "{address}", session.timeout.ms: {session}}}
commit: {{interval: 100ms}}
inputs:
  orders:
    kind: orders
    time: {{field: /ts, zone: Europe/London}}
    columns: {{sku: StockCode, order_id: InvoiceNo, quantity: Quantity, ts: InvoiceDate, unit_price: UnitPrice,
              customer_id: CustomerID, country: Country}}
  clicks:
    time: {{field: /ts, zone: Europe/London}}
views:
  sku:
    bucket: {{every: 1d, zone: Europe/London, open: learned}}
    allowed_lateness: 1d
    features:
      units: {{input: orders, sum: quantity, where: positive}}
      returns: {{input: orders, sum: quantity, where: negative, absolute: true}}
      customers: {{input: orders, distinct: customer, where: positive}}
      views: {{input: clicks, count: true, action: view}}
      carts: {{input: clicks, count: true, action: cart}}
    target: units
    horizon: 2
model: {{kind: {model}}}
"""

flags = None
address = None
folder = None
reference = None
files = None


def write_config(ns, instance="i1", transport="kafka", model="experts", session=45000, partitions=4, at=None):
    path = os.path.join(folder, f"{ns}-{instance}.yaml")
    with open(path, "w") as file:
        file.write(CONFIG.format(ns=ns, instance=instance, transport=transport, partitions=partitions, session=session, model=model,
                                 state=os.path.join(folder, f"state-{ns}-{instance}"), address=at or address))
    return path


def run_verb(config, env=None, extra=(), timeout=300):
    return subprocess.run([flags.tidecast, "run", config, "--no-server", *extra], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=timeout, env={**os.environ, **(env or {})})


def start(config, extra=()):
    with open(config + ".log", "a") as log:
        return subprocess.Popen([flags.tidecast, "run", config, "--no-server", *extra], stdout=subprocess.DEVNULL, stderr=log)


def log_of(config):
    with open(config + ".log") as log:
        return log.read()[-3000:]


def feed(config, paths=None):
    done = subprocess.run([flags.feed, address, config, *(paths or files)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


def write_orders(name, days):
    """A CSV of eight SKUs that sell each day."""
    path = os.path.join(folder, name)
    chance = random.Random(3)
    with open(path, "w") as file:
        file.write("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n")
        for day in range(days):
            date = datetime.date(2011, 1, 3) + datetime.timedelta(days=day)
            for sku in range(8):
                file.write(f"{day},S{sku},thing,{1 + chance.randrange(9)},{date} 10:00:00,1.5,{sku},United Kingdom\n")
    return path


def tap(config, topic):
    with subprocess.Popen([flags.tidecast, "tap", topic, "--config", config], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            yield json.loads(line)
        assert process.wait(timeout=120) == 0


def content_ids(ns):
    """Of each output topic: its records, and how many of their content ids came more than once."""
    topics = [f"{ns}.{name}" for name in ("features", "forecasts", "alerts")]
    done = subprocess.run([flags.ids, address, *topics], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return {topic: (int(records), int(again)) for topic, records, again in map(str.split, done.stdout.splitlines())}


class EngineOnKafka(unittest.TestCase):
    maxDiff = 2000

    def finish(self, config, timeout=300):
        done = run_verb(config, extra=["--until-end"], timeout=timeout)
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        return json.loads(done.stdout)

    def check(self, ns, config, summary):
        """Windows equal to the replay's, every line accounted for, nothing twice."""
        self.assertEqual(summary["events_read"], LINES)
        self.assertEqual(summary["events_accepted"], LINES)
        last = {}
        for row in tap(config, "features"):
            key = (row["unique_id"], row["ds"])
            if row["revision"] >= last.get(key, (0, None))[0]:
                last[key] = (row["revision"], tuple(float(row[f]) for f in FEATURES))
        found = {key: values for key, (_, values) in last.items()}
        missing = reference.keys() - found.keys()
        extra = found.keys() - reference.keys()
        wrong = [key for key in reference.keys() & found.keys() if reference[key] != found[key]]
        self.assertFalse(missing or extra or wrong,
                         f"{len(missing)} missing {sorted(missing)[:3]}, {len(extra)} extra {sorted(extra)[:3]}, "
                         f"{len(wrong)} wrong {[(k, reference[k], found[k]) for k in wrong[:3]]}")
        counts = content_ids(ns)
        self.assertEqual({topic: again for topic, (_, again) in counts.items()}, dict.fromkeys(counts, 0), "a content id twice")
        self.assertGreaterEqual(counts[f"{ns}.features"][0], len(reference))
        # Compaction may have thinned the forecasts; at least the newest of each series is there.
        self.assertGreaterEqual(counts[f"{ns}.forecasts"][0], len({unique_id for unique_id, _ in reference}))

    def test_1_final_windows_equal_the_replay(self):
        config = write_config("plain")
        feed(config)
        self.check("plain", config, self.finish(config))
        again = self.finish(config)
        self.assertEqual(again["events_read"], LINES, "nothing is left to read")

    def test_2_killed_at_each_step_of_a_commit(self):
        config = write_config("steps")
        feed(config)
        report = os.path.join(folder, "steps.hit")
        for step in STEPS:
            died = run_verb(config, {"TIDECAST_FAULT": f"{step}:2", "TIDECAST_FAULT_REPORT": report}, ["--until-end"])
            self.assertEqual(died.returncode, -signal.SIGKILL, f"{step}: {died.stderr[-2000:]}")
        summary = self.finish(config)
        with open(report) as file:
            hit = file.read().split()
        print("steps hit:", ", ".join(hit))
        self.assertEqual(hit, STEPS)
        self.check("steps", config, summary)

    def test_3_killed_at_random(self):
        config = write_config("random")
        feed(config)
        chance = random.Random(7)
        kills = 0
        for _ in range(10):
            process = start(config, ["--until-end"])
            try:
                process.wait(timeout=.15 + chance.random() * .45)
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1
            process.wait(timeout=30)
        print(f"{kills} of 10 kills met a running engine")
        self.assertEqual(kills, 10)
        self.check("random", config, self.finish(config))

    def test_4_the_broker_is_killed(self):
        # Once in some 25 kills this broker forgets a commit's markers (engine/ARCHITECTURE.md, "A restore waits for a
        # transaction that hangs"): then the engine must say so, and the broker is killed again elsewhere.
        for attempt in range(3):
            ns = f"broker{attempt}"
            config = write_config(ns)
            if self.outlives_the_broker(config):
                return self.check(ns, config, self.finish(config))
            print(f"the broker left a committed transaction open, and the engine says so: {ns}", file=sys.stderr)
        self.fail("three times blocked:\n" + log_of(config))

    def outlives_the_broker(self, config):
        """Whether the run comes to its end; False: it says that it is blocked by a transaction that nobody ends."""
        feed(config)
        process = start(config, ["--until-end"])
        try:
            # A start gives up on brokers that are gone; a running engine does not.
            deadline = time.monotonic() + 120
            while "tidecast runs" not in log_of(config) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(.1)
            time.sleep(1.0)
            self.assertIsNone(process.poll(), "the run was over before the broker was killed")
            broker = os.path.join(flags.broker, "broker")
            subprocess.run([flags.script, "kill", "--dir", broker], check=True, timeout=60, stdout=subprocess.DEVNULL)
            subprocess.run([flags.script, "restart", "--dir", broker], check=True, timeout=120, stdout=subprocess.DEVNULL)
            deadline = time.monotonic() + 300
            while process.poll() is None:
                if "alarm, blocked" in log_of(config):
                    return False
                self.assertLess(time.monotonic(), deadline, "not over 300 s after the broker came back:\n" + log_of(config))
                time.sleep(.2)
            self.assertEqual(process.returncode, 0, log_of(config))
            return True
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def test_5_two_instances_and_one_is_killed(self):
        first = write_config("two", "i1", session=6000)
        second = write_config("two", "i2", session=6000)
        feed(first)
        processes = [start(first), start(second)]
        try:
            time.sleep(4)
            self.assertIsNone(processes[0].poll(), log_of(first))
            self.assertIsNone(processes[1].poll(), log_of(second))
            processes[0].kill()
            time.sleep(9)
            self.assertIsNone(processes[1].poll(), log_of(second))
            processes[1].send_signal(signal.SIGTERM)
            self.assertEqual(processes[1].wait(timeout=120), 0, log_of(second))
        finally:
            for process in processes:
                if process.poll() is None:
                    process.kill()
                process.wait()
        self.check("two", second, self.finish(second))

    def test_6_what_cannot_work_is_said(self):
        missing = run_verb(write_config("missing"))
        self.assertEqual(missing.returncode, 66, missing.stderr)
        self.assertIn("missing.orders", missing.stderr)
        begun = time.monotonic()
        away = run_verb(write_config("away", at="127.0.0.1:1"), timeout=40)
        self.assertEqual(away.returncode, 69, away.stderr)
        self.assertIn("127.0.0.1:1", away.stderr)
        self.assertLess(time.monotonic() - begun, 20)
        # A record that will be refused every time ends the run: it would be made and rolled back for ever.
        path = write_config("large")
        feed(path, [write_orders("large.csv", 3)])
        with open(path) as file:
            text = file.read().replace("kafka: {", 'kafka: {message.max.bytes: "1000", ', 1)
        with open(path, "w") as file:
            file.write(text)
        large = run_verb(path, extra=["--until-end"], timeout=120)
        self.assertNotEqual(large.returncode, 0)
        self.assertIn("a record is larger than may be produced", large.stderr)
        self.assertIn("large.changelog", large.stderr)
        self.assertIn("raise kafka.message.max.bytes", large.stderr)
        # Orders have 3 partitions, clicks 4.
        path = write_config("uneven", partitions=3)
        feed(path)
        with open(path) as file:
            text = file.read().replace("  clicks:\n", "  clicks:\n    topic: plain.clicks\n", 1)
        with open(path, "w") as file:
            file.write(text)
        uneven = run_verb(path)
        self.assertEqual(uneven.returncode, 78, uneven.stderr)
        self.assertIn("uneven.orders has 3", uneven.stderr)
        self.assertIn("has 4", uneven.stderr)

    def test_7_a_new_instance_starts_from_what_another_has_learnt(self):
        path = write_orders("shop.csv", 70)  # a version of the net is kept in the 64th round
        first = write_config("nets", "i1", model="lstm", session=6000)
        second = write_config("nets", "i2", model="lstm", session=6000)
        feed(first, [path])
        self.assertEqual(self.finish(first)["events_accepted"], 560)
        process = start(second)
        try:
            deadline = time.monotonic() + 60
            while "takes in the weights of instance i1" not in log_of(second) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(.1)
            self.assertIn("view sku: the net takes in the weights of instance i1", log_of(second))
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(timeout=120), 0, log_of(second))
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        listed = subprocess.run([flags.tidecast, "model", "list", "-c", second, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertIn("instance i1, view sku, after ", listed.stdout)


def prepare():
    """Orders and clicks of the first days, and what a replay on the embedded log makes of them."""
    global files, reference, LINES
    files = [os.path.join(folder, "orders.csv"), os.path.join(folder, "clicks.csv")]
    (header, orders), (click_header, clicks) = slices.first_days(TRADING_DAYS)
    slices.write(files[0], header, orders)
    slices.write(files[1], click_header, clicks)
    LINES = len(orders) + len(clicks)
    out = os.path.join(folder, "out")
    config = write_config("replayed", transport="embedded")
    subprocess.run([flags.tidecast, "replay", "--orders", files[0], "--clicks", files[1], "--config", config, "--model", "none", "--out", out],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
    with open(os.path.join(out, "features.csv")) as file:
        reference = {(row["unique_id"], row["ds"]): tuple(float(row[f]) for f in FEATURES) for row in csv.DictReader(file)}
    assert len(reference) > 100000, len(reference)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("tidecast", "feed", "ids", "broker", "script"):
        parser.add_argument("--" + name, required=True)
    flags, rest = parser.parse_known_args()
    if os.path.exists(os.path.join(flags.broker, "skipped")):
        print("SKIPPED: no Kafka broker could be started")
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    with open(os.path.join(flags.broker, "address")) as file:
        address = file.read().strip()
    with tempfile.TemporaryDirectory(prefix="tidecast-kafka-") as folder:
        prepare()
        unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
