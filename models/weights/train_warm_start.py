#!/usr/bin/env python3
"""Weights for a warm start out of open data alone: the Complete Journey sample (CC0), category by category.

    train_warm_start.py TIDECAST FOLDER OUT.tcnw

FOLDER: as of complete_journey.py. The same program and data give the same bytes. Takes about twenty seconds of CPU.
One pass: the second was no better on the held-out categories. README.md says what such weights are worth, which is why none are shipped.
"""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    tidecast, folder, out = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch:
        series = os.path.join(scratch, "complete-journey.csv")
        subprocess.run([sys.executable, os.path.join(HERE, "complete_journey.py"), folder, series], check=True)
        subprocess.run([tidecast, "pretrain", "--freq", "1d", "--series", series, "--generated", "0", "--passes", "1", "--out", out,
                        "--provenance", "Complete Journey sample (CC0), daily units a category"], check=True)


if __name__ == "__main__":
    main()
