#!/usr/bin/env python3
"""Scores trends.csv of a replay against features.csv beside it: Brier score of p_rise, precision of the 50 likeliest rises of a
cutoff, and how often the outcome lies inside the 80 % interval of the next sum. The yardstick is the last horizon's growth
(p = how often a rise has followed a fall, a standstill, a rise so far; its 50 greatest growths).

usage: score_trends.py DIR [--horizon 14] [--target units] [--least 0] [--until DS]
Only standard library. --least: series whose last two horizons sum to less are left out."""
import argparse
import csv
import collections
import os
import sys


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir")
    parser.add_argument("--horizon", type=int, default=14)
    parser.add_argument("--target", default="units")
    parser.add_argument("--least", type=float, default=0)
    parser.add_argument("--until", default="~")
    flags = parser.parse_args()

    values = collections.defaultdict(dict)
    days = set()
    with open(os.path.join(flags.dir, "features.csv"), newline="") as file:
        for row in csv.DictReader(file):
            values[row["unique_id"]][row["ds"]] = float(row[flags.target] or 0)
            days.add(row["ds"])
    days = sorted(days)
    place = {day: i for i, day in enumerate(days)}

    rows = collections.defaultdict(list)
    with open(os.path.join(flags.dir, "trends.csv"), newline="") as file:
        for row in csv.DictReader(file):
            if row["cutoff"] > flags.until or row["before"] == "":
                continue
            at = place[row["cutoff"]]
            ahead = days[at + 1:at + 1 + flags.horizon]
            if len(ahead) < flags.horizon:
                continue
            of_series = values[row["unique_id"]]
            if any(day not in of_series for day in ahead):
                continue
            last, before = float(row["last"]), float(row["before"])
            if last + before < flags.least:
                continue
            actual = sum(of_series[day] for day in ahead)
            rows[row["cutoff"]].append((float(row["p_rise"]), last, before, actual, float(row["next_0.1"]), float(row["next_0.9"])))

    came, rose = collections.Counter(), collections.Counter()
    pending = collections.deque()
    brier = base_brier = count = inside = 0
    precision, base_precision = [], []
    for cutoff in sorted(rows):
        # What was said a horizon ago is known now.
        while pending and place[pending[0][0]] + flags.horizon <= place[cutoff]:
            for _, last, before, actual, _, _ in pending.popleft()[1]:
                growth = (last > before) - (last < before)
                came[growth] += 1
                rose[growth] += actual > last
        for p, last, before, actual, low, high in rows[cutoff]:
            growth = (last > before) - (last < before)
            outcome = actual > last
            brier += (p - outcome) ** 2
            base_brier += ((rose[growth] + 1) / (came[growth] + 2) - outcome) ** 2
            inside += low <= actual <= high
            count += 1
        if len(rows[cutoff]) >= 200:
            best = sorted(rows[cutoff], key=lambda row: -row[0])[:50]
            grown = sorted(rows[cutoff], key=lambda row: -(row[1] + 1) / (row[2] + 1))[:50]
            precision.append(sum(row[3] > row[1] for row in best) / 50)
            base_precision.append(sum(row[3] > row[1] for row in grown) / 50)
        pending.append((cutoff, rows[cutoff]))
    if count == 0:
        print("no trend has an outcome in these files", file=sys.stderr)
        return 65
    print(f"{count} trends: Brier {brier / count:.4f}, by the last horizon's growth {base_brier / count:.4f}; "
          f"80 % interval holds {inside / count:.3f}")
    if precision:
        print(f"precision of the 50 likeliest: {sum(precision) / len(precision):.3f}, "
              f"of the 50 grown most {sum(base_precision) / len(base_precision):.3f}, {len(precision)} cutoffs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
