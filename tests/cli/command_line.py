"""What the command-line tests share: a small shop, its config, and a way to run the binary and to look at how it failed."""
import argparse
import csv
import datetime
import gzip
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

USAGE, DATA, NO_INPUT, UNAVAILABLE, IO, IN_USE, PERMISSION, CONFIG = 64, 65, 66, 69, 74, 75, 77, 78
NOBODY = 65534
DAYS, ORDERS_A_DAY, SKUS = 40, 150, 15
HEADER = ["order_id", "line", "sku", "ts", "quantity", "unit_price", "customer_id"]

CONFIG_TEXT = """\
namespace: shop
transport: {{kind: {transport}, partitions: 2}}
state: {{directory: {state}, memory_limit: 128MiB}}
{kafka}commit: {{interval: 50ms}}
inputs:
  orders:
    time: {{field: /ts, zone: UTC}}
views:
  sku:
    bucket: {{every: 1d, zone: UTC}}
    allowed_lateness: 1d
    features:
      units: {{input: orders, sum: quantity, where: positive}}
      lines: {{input: orders, count: true}}
    target: units
    horizon: 3
model: {model}
server: {{enabled: {server}, port: {port}}}
"""

flags = None


def orders():
    """Rows of the shop in order of time; the same each time."""
    chance = random.Random(5)
    rows = []
    for day in range(DAYS):
        for i in range(ORDERS_A_DAY):
            at = datetime.datetime(2024, 1, 1) + datetime.timedelta(days=day, seconds=500 * i)
            rows.append([f"O{len(rows)}", "1", f"SKU{chance.randrange(SKUS)}", at.isoformat(), str(chance.randint(1, 9)), "2.50",
                         f"C{chance.randrange(50)}"])
    return rows


class Outcome:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


class CommandLineTest(unittest.TestCase):
    maxDiff = 3000

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tidecast-cli-")
        os.chmod(self.folder, 0o755)  # also for nobody
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.orders = self.write_orders("orders.csv", orders())
        self.config = self.write_config()

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        mode = "wb" if isinstance(content, bytes) else "w"
        with open(self.path(name), mode) as file:
            file.write(content)
        return self.path(name)

    def write_orders(self, name, rows, header=HEADER):
        with open(self.path(name), "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)
        return self.path(name)

    def write_config(self, name="tidecast.yaml", state=None, transport="embedded", model="none", kafka="", server="false", port=0):
        return self.write(name, CONFIG_TEXT.format(state=state or self.path("state"), transport=transport, model=model, kafka=kafka,
                                                   server=server, port=port))

    # --- running

    def tidecast(self, *words, timeout=120, nobody=False, limit_file_bytes=None, stdout=subprocess.PIPE, cwd=None):
        def prepare():
            if limit_file_bytes is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a write beyond it fails with EFBIG
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit_file_bytes, limit_file_bytes))
            if nobody:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)

        program = flags.tidecast
        if nobody:  # may not look into everybody's folders
            program = self.path("tidecast")
            shutil.copy2(flags.tidecast, program)
        done = subprocess.run([program, *map(str, words)], stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, timeout=timeout,
                              preexec_fn=prepare, cwd=cwd or self.folder)
        return Outcome(done.returncode, (done.stdout or b"").decode(errors="replace"), done.stderr.decode(errors="replace"))

    def start(self, *words):
        """In the background; its words go to a file that `words_of` reads."""
        log = open(self.path(f"log-{len(os.listdir(self.folder))}"), "w+")
        process = subprocess.Popen([flags.tidecast, *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
                                   cwd=self.folder)
        process.log = log

        def end():
            if process.poll() is None:
                process.kill()
            process.communicate()
            log.close()

        self.addCleanup(end)
        return process

    @staticmethod
    def words_of(process):
        process.log.flush()
        with open(process.log.name) as file:
            return file.read()

    def wait_for(self, process, pattern, seconds=30):
        """The match of `pattern` in its words."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = re.search(pattern, self.words_of(process))
            if found:
                return found
            if process.poll() is not None:
                break
            time.sleep(.02)
        self.fail(f"never said {pattern}: {self.words_of(process)[-2000:]}")

    # --- judging

    def assert_fails(self, outcome, code, *says, remedy=True):
        """It ended with `code`, and its words have what happened, where, and what to try; nothing that looks like a crash."""
        self.assertEqual(outcome.code, code, outcome.err[-2000:])
        self.assertIn("error[", outcome.err)
        for text in says:
            self.assertIn(text, outcome.err)
        if remedy:
            self.assertIn("= try: ", outcome.err)
        for crash in ("internal", "terminate", "what()", "std::", "check failed"):
            self.assertNotIn(crash, outcome.err)
        self.assertIsNone(re.search(r"[^\x20-\x7e\n\t\u00a0-\uffff]", outcome.err), "bytes that a terminal obeys")

    def replay(self, path, name, *words, config=None):
        """A replay that must go well; the folder of its results."""
        out = self.path(name)
        done = self.tidecast("replay", "--orders", path, "--config", config or self.config, "--out", out, *words)
        self.assertEqual(done.code, 0, done.err[-2000:])
        return out

    def features_of(self, out):
        with open(os.path.join(out, "features.csv")) as file:
            return {(row["unique_id"], row["ds"]): (float(row["units"]), float(row["lines"])) for row in csv.DictReader(file)}

    def features_of_topic(self, config=None):
        """Newest revision of each bucket on the topic; that none is there twice is checked."""
        done = self.tidecast("tap", "features", "--config", config or self.config)
        self.assertEqual(done.code, 0, done.err)
        found, revisions = {}, set()
        for line in done.out.splitlines():
            row = json.loads(line)
            key = (row["unique_id"], row["ds"])
            self.assertNotIn((*key, row["revision"]), revisions, "a bucket twice")
            revisions.add((*key, row["revision"]))
            if row["revision"] == max(r for (*k, r) in revisions if tuple(k) == key):
                found[key] = (row["units"], row["lines"])
        return found

    @staticmethod
    def expected(rows):
        """Buckets of these rows by a plain count: every day from a SKU's first one to the last day of all."""
        units, lines, first = {}, {}, {}
        for row in rows:
            key = (row[2], row[3][:10])
            units[key] = units.get(key, 0) + int(row[4])
            lines[key] = lines.get(key, 0) + 1
            first[row[2]] = min(first.get(row[2], row[3][:10]), row[3][:10])
        last = max(row[3][:10] for row in rows)
        found = {}
        for sku, day in first.items():
            at = datetime.date.fromisoformat(day)
            while at.isoformat() <= last:
                key = (sku, at.isoformat())
                found[key] = (float(units.get(key, 0)), float(lines.get(key, 0)))
                at += datetime.timedelta(days=1)
        return found

    # --- places that do not take what is written

    def mount(self, name, options):
        """A tmpfs of its own at a folder; None where this user may not mount."""
        folder = self.path(name)
        os.makedirs(folder, exist_ok=True)
        if os.geteuid() != 0:
            return None
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], stderr=subprocess.DEVNULL)
        if done.returncode != 0:
            return None
        self.addCleanup(subprocess.run, ["umount", "-l", folder], stderr=subprocess.DEVNULL)
        return folder

    def remount(self, folder, options):
        subprocess.run(["mount", "-o", "remount," + options, folder], check=True)

    def unwritable(self, name):
        """A folder that may not be written, and the words that run a program so that it may not."""
        folder = self.mount(name, "size=1m")
        if folder:
            self.remount(folder, "ro")
            return folder
        folder = self.path(name)
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o555)
        if os.access(folder, os.W_OK):
            print(f"SKIPPED {self.id()}: root without mounts cannot have an unwritable folder", file=sys.stderr)
            self.skipTest("no mounts and no permissions for root")
        self.addCleanup(os.chmod, folder, 0o755)
        return folder


def main():
    global flags
    parser = argparse.ArgumentParser()
    parser.add_argument("--tidecast", required=True)
    parser.add_argument("--source", required=True)
    flags, rest = parser.parse_known_args()
    flags.tidecast = os.path.abspath(flags.tidecast)
    unittest.main(module="__main__", argv=[sys.argv[0], *rest], verbosity=2)
