#!/usr/bin/env python3
"""Online against frozen after injected drift.

    inject_drift.py --binary TIDECAST --series FILE.csv --horizon 7 [--freq 1d] [--warmup 120] [--span 60] [--kinds level,rotation,promotion]
                    [--dates 3] [--seed 7] [--experts NAMES]

At each of some dates the series change: `level` doubles 30 % of them, `rotation` moves every weekday's demand by one day, `promotion`
triples 30 % of them on a random fifth of the days. Both nets learn up to the date; from there on one is frozen. Scored: forecasts made in
the `span` buckets after the date whose targets lie in them too (WQL over the deciles). Prints one JSON object a date and kind, and the mean.
The experts, mixer and calibrator learn on in both; beside one weak expert (--experts seasonal_naive_7) the net is judged nearly alone.
Without a net at all is scored too: what a frozen net that is wrong can cost at most, since the mixture stops hearing it.
"""
import argparse
import collections
import csv
import gzip
import hashlib
import json
import os
import subprocess
import tempfile

DECILES = [f"q0.{k}" for k in range(1, 10)]


def uniform(*key):
    return int.from_bytes(hashlib.blake2b(repr(key).encode(), digest_size=6).digest(), "big") / 2**48


def read(path):
    opener = gzip.open if path.endswith(".gz") else open
    series = collections.defaultdict(dict)
    with opener(path, "rt", newline="") as file:
        for row in csv.DictReader(file):
            series[row["unique_id"]][row["ds"]] = None if row["y"] == "" else float(row["y"])
    calendar = sorted({day for values in series.values() for day in values})
    return series, calendar


def drifted(series, calendar, kind, start, seed):
    """A copy whose buckets from index `start` on are changed."""
    out = {}
    for name, values in series.items():
        own = dict(values)
        touched = uniform(seed, "series", name) < 0.3
        for at in range(start, len(calendar)):
            day = calendar[at]
            if day not in values:
                continue
            y = values[day]
            if kind == "rotation":
                own[day] = values.get(calendar[at - 1])
            elif y is not None and touched and (kind == "level" or uniform(seed, "day", name, day) < 0.2):
                own[day] = y * (2 if kind == "level" else 3)
        out[name] = own
    return out


def write(path, series):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["unique_id", "ds", "y"])
        for name in sorted(series):
            for day in sorted(series[name]):
                y = series[name][day]
                writer.writerow([name, day, "" if y is None else f"{y:g}"])


def wql(forecasts, series, last):
    pinball, size = 0.0, 0.0
    with open(forecasts, newline="") as file:
        for row in csv.DictReader(file):
            y = series[row["unique_id"]].get(row["ds"])
            if y is None or row["ds"] > last:
                continue
            size += abs(y)
            for k, name in enumerate(DECILES, 1):
                above = y - float(row[name])
                pinball += max(k / 10 * above, (k / 10 - 1) * above)
    return 2 * pinball / 9 / size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--series", required=True)
    parser.add_argument("--freq", default="1d")
    parser.add_argument("--horizon", type=int, required=True)
    parser.add_argument("--warmup", type=int, default=120)
    parser.add_argument("--span", type=int, default=60)
    parser.add_argument("--dates", type=int, default=3)
    parser.add_argument("--kinds", default="level,rotation,promotion")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--experts", help="only these experts beside the net")
    arguments = parser.parse_args()
    series, calendar = read(arguments.series)
    room = len(calendar) - arguments.span - arguments.warmup
    if room < arguments.dates:
        parser.error("the file is too short for these dates")
    changes = []
    for nth in range(arguments.dates):
        start = arguments.warmup + room * (nth + 1) // arguments.dates - 1
        last = calendar[start + arguments.span - 1]
        for kind in arguments.kinds.split(","):
            with tempfile.TemporaryDirectory() as folder:
                changed = drifted(series, calendar, kind, start, arguments.seed)
                path = os.path.join(folder, "drifted.csv")
                write(path, changed)
                scores = {}
                for mode, net in (("online", ["--net", "online"]), ("frozen", ["--net", "frozen", "--freeze-after", str(start)]),
                                  ("without", ["--model", "experts"])):
                    subprocess.run(
                        [arguments.binary, "backtest", "--series", path, "--freq", arguments.freq, "--horizon", str(arguments.horizon),
                         "--calendar", "observed", "--warmup", str(start), "--until", last, "--seed", str(arguments.seed),
                         "--out", folder, *net, *(["--experts", arguments.experts] if arguments.experts else [])],
                        check=True, stdout=subprocess.DEVNULL)
                    scores[mode] = wql(os.path.join(folder, "forecasts.csv"), changed, last)
            change = scores["online"] / scores["frozen"] - 1
            changes.append(change)
            print(json.dumps({"date": calendar[start], "kind": kind, **scores, "change": change}), flush=True)
    print(json.dumps({"mean_change": sum(changes) / len(changes)}))


if __name__ == "__main__":
    main()
