#!/usr/bin/env python3
"""Replays the whole example with the net on, once, and holds what came out against what must hold:
every line accounted for, features equal to a plain recomputation, forecasts better than the seasonal naive by 30 %.

    full_replay_test.py --binary TIDECAST --source PROJECT_DIR
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

LINES = 541909


def fail(text):
    print("FAILED: " + text)
    sys.exit(1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--source", required=True)
    flags = parser.parse_args()
    example = os.path.join(flags.source, "examples", "online-retail")
    orders = os.path.join(example, "orders.csv.gz")
    with tempfile.TemporaryDirectory(prefix="tidecast-full-") as out:
        replay = subprocess.run(
            [flags.binary, "replay", "--orders", orders, "--config", os.path.join(example, "tidecast.yaml"), "--speed", "max",
             "--out", out, "--threads", "2"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=520)
        if replay.returncode != 0:
            fail(f"replay ended with {replay.returncode}: {replay.stderr[-2000:]}")
        with open(os.path.join(out, "summary.json")) as file:
            summary = json.load(file)
        print(json.dumps(summary))
        if summary["events_read"] != LINES:
            fail(f"{summary['events_read']} events read of {LINES}")
        parts = sum(summary[name] for name in ("events_accepted", "too_late", "dead_lettered", "duplicates"))
        if parts != LINES:
            fail(f"{LINES - parts} lines are unaccounted for")
        with open(os.path.join(out, "dlq.jsonl")) as file:
            dead = sum(1 for _ in file)
        if dead != summary["dead_lettered"]:
            fail(f"{dead} dead letters written, {summary['dead_lettered']} counted")
        if not summary["wql"] < .70 * summary["wql_seasonal_naive"]:
            fail(f"WQL {summary['wql']} is not below .70 of the seasonal naive's {summary['wql_seasonal_naive']}")
        compare = subprocess.run(
            [sys.executable, os.path.join(flags.source, "tests", "golden", "recompute_features.py"), "--orders", orders,
             "--compare", os.path.join(out, "features.csv")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
        print(compare.stdout[-2000:])
        if compare.returncode != 0:
            fail("features.csv differs from the plain recomputation")
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
