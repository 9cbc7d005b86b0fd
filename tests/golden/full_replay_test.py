#!/usr/bin/env python3
"""Replays the whole example with the net on, once, and holds what came out against what must hold:
every line accounted for, features equal to a plain recomputation, forecasts better than the seasonal naive by 30 % and than
exponential smoothing with weekday factors, which is our own expert alone with its calibrated bands, by 3 %. That one's loss is
a known number here, and measured by --yardstick.

    full_replay_test.py --binary TIDECAST --source PROJECT_DIR [--yardstick]
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

LINES = 541909
SMOOTHING = "smoothing_5"  # of the two smoothing experts the better one
# Losses over the same forecasts; where the seasonal naive's differs, they are others, and both must be measured anew.
WQL_SMOOTHING, WQL_SEASONAL_NAIVE = 0.7941041099759363, 1.338341844578776


def fail(text):
    print("FAILED: " + text)
    sys.exit(1)


def replay(flags, out, extra):
    example = os.path.join(flags.source, "examples", "online-retail")
    run = subprocess.run(
        [flags.binary, "replay", "--orders", os.path.join(example, "orders.csv.gz"), "--config", os.path.join(example, "tidecast.yaml"),
         "--speed", "max", "--out", out, "--no-forecasts", "--threads", "2", *extra],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=1500)
    if run.returncode != 0:
        fail(f"replay {' '.join(extra)} ended with {run.returncode}: {run.stderr[-2000:]}")
    with open(os.path.join(out, "summary.json")) as file:
        summary = json.load(file)
    print(json.dumps(summary))
    return summary


def check_known(name, measured, known):
    if abs(measured - known) > 1e-6 * known:
        fail(f"{name} is {measured}, known was {known}: measure with --yardstick and set both numbers above")


def yardstick(flags):
    with tempfile.TemporaryDirectory(prefix="tidecast-full-") as out:
        summary = replay(flags, out, ["--model", "experts", "--experts", SMOOTHING])
    check_known("wql_seasonal_naive", summary["wql_seasonal_naive"], WQL_SEASONAL_NAIVE)
    check_known("wql of " + SMOOTHING, summary["wql"], WQL_SMOOTHING)
    print("1 passed, 0 failed")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--yardstick", action="store_true", help="measure the exponential smoothing alone")
    flags = parser.parse_args()
    if flags.yardstick:
        return yardstick(flags)
    orders = os.path.join(flags.source, "examples", "online-retail", "orders.csv.gz")
    with tempfile.TemporaryDirectory(prefix="tidecast-full-") as out:
        summary = replay(flags, out, [])
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
    check_known("wql_seasonal_naive", summary["wql_seasonal_naive"], WQL_SEASONAL_NAIVE)
    ratio = summary["wql"] / WQL_SMOOTHING
    print(f"WQL {ratio:.4f} x exponential smoothing with weekday factors, {summary['wql'] / summary['wql_seasonal_naive']:.4f} x seasonal naive")
    if not ratio < .97:
        fail(f"WQL {summary['wql']} is not below .97 of exponential smoothing's {WQL_SMOOTHING}")
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
