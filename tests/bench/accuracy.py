#!/usr/bin/env python3
"""Runs `tidecast backtest` on the yardstick sets, with the horizon and warm-up of each set's descriptor and defaults else, scores
what it wrote with score_forecasts.py, and prints one line a set with its gate beside it. Exit status 1 when a gate is missed.

    accuracy.sh [--model experts] [--baselines] [SET ...]

--baselines reproduces published figures of persistence and seasonal naive instead (their points, without calibration).
"""
import argparse
import csv
import json
import os
import resource
import subprocess
import sys

FREQUENCIES = {"trading-day": "1d", "week-monday": "1w", "week": "1w", "month": "1mo", "hour": "1h", "day": "1d"}
HORIZONS = ("1", "24", "48")
# WQL, or mean squared errors at HORIZONS (FORECASTING.md 4).
GATES = {
    "uci-daily": .676, "uci-weekly": .570, "bakery-daily": .355, "carparts": .869, "hospital": .051, "juice-weekly": None,
    "etth2-A": (.335, 1.63, 2.76), "etth2-B": (.0609, .160, .205), "etth1-B": (.1107, .2942, .3431),
    "exchange-A": (.0089 * 1.01, .0861 * 1.01, .1648 * 1.01),
}
COVARIATES_GATE = .75  # juice-weekly: WQL with known prices and promotions against the same without
# set: expert, {figure: published value}; published to so many digits as stand here.
BASELINES = {
    "carparts": ("seasonal_naive_12", {"MASE": "1.201", "WAPE": "1.600"}),
    "hospital": ("seasonal_naive_12", {"MASE": ".921", "WAPE": ".073"}),
    "etth2-A": ("persistence", {"1": ".4043", "24": "1.8178", "48": "2.8522"}),
    "etth2-B": ("persistence", {"1": ".0873", "24": ".2786", "48": ".3381"}),
    "exchange-A": ("persistence", {"1": ".0089", "24": ".0861", "48": ".1648"}),
}


def backtest(flags, name, extra, out):
    with open(os.path.join(flags.work, "series", name + ".json")) as file:
        descriptor = json.load(file)
    every = 1
    if descriptor["n_cutoffs"] > 1:
        place = {bucket: i for i, bucket in enumerate(descriptor["calendar"])}
        every = place[descriptor["cutoffs"][1]] - place[descriptor["cutoffs"][0]]
    command = [flags.binary, "backtest", "--series", os.path.join(flags.work, "series", name + ".csv"), "--calendar", "observed",
               "--freq", FREQUENCIES[descriptor["freq"]], "--horizon", str(descriptor["horizon"]), "--warmup",
               str(descriptor["warmup"]), "--every", str(every), "--model", flags.model, "--out", out]
    command += ["--levels", "none", "--until", descriptor["last_target"]] if descriptor["metric"] == "zscored" else ["--full-windows"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(command + extra, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if run.returncode != 0:
        sys.exit(f"accuracy: {' '.join(command)} ended with {run.returncode}: {run.stderr[-1000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return json.loads(run.stdout.splitlines()[-1]), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def points_alone(path):
    """Every quantile becomes the mean: the forecast of a point."""
    with open(path, newline="") as source, open(path + ".points.csv", "w", newline="") as target:
        rows = csv.reader(source)
        write = csv.writer(target, lineterminator="\n").writerow
        header = next(rows)
        write(header)
        mean = header.index("mean")
        for row in rows:
            write(row[:mean + 1] + [row[mean]] * (len(header) - mean - 1))
    return path + ".points.csv"


def score(flags, name, forecasts):
    run = subprocess.run([sys.executable, os.path.join(flags.shared, "tools", "score_forecasts.py"), forecasts,
                          os.path.join(flags.work, "series", name + ".json"), "--brief"], stdout=subprocess.PIPE, text=True)
    if run.returncode != 0:
        sys.exit(f"accuracy: the scorer rejects {forecasts}: {run.stdout[:1000]}")
    return json.loads(run.stdout)


def verdict(figures, gates):
    return "reached" if all(figure <= gate for figure, gate in zip(figures, gates)) else "MISSED"


def accuracy(flags, name):
    out = os.path.join(flags.work, name)
    summary, cpu = backtest(flags, name, [], out)
    figures = score(flags, name, os.path.join(out, "forecasts.csv"))
    cost = f"{cpu:7.1f} {summary['series_buckets_per_second']:9,.0f}"
    if "H" in figures:
        errors = [figures["H"][h]["MSE"] for h in HORIZONS]
        result = verdict(errors, GATES[name])
        print(f"{name:13s} MSE {' '.join(f'{e:.4f}' for e in errors)}  gate {' '.join(f'{g:.4f}' for g in GATES[name])}  {result:8s} {cost}", flush=True)
        return result != "MISSED"
    cover = figures.get("cover_rounded") or {k: figures["cover" + k] for k in ("50", "80", "90", "95")}
    shown = (f"WQL {figures['WQL']:.4f}  WAPE {figures['WAPE']:.3f}  RMSSE {figures['RMSSE']:.3f}  bias {figures['bias']:+.3f}  cover "
             + " ".join(f"{cover[k]:.3f}" for k in ("50", "80", "90", "95")))
    if name == "juice-weekly":
        known, cpu_known = backtest(flags, name, ["--known", "price,rival_price,deal,feat"], out + "-known")
        with_known = score(flags, name, os.path.join(out + "-known", "forecasts.csv"))["WQL"]
        ratio = with_known / figures["WQL"]
        result = verdict([ratio], [COVARIATES_GATE])
        print(f"{name:13s} {shown}  with known prices {with_known:.4f}, ratio {ratio:.3f}  gate {COVARIATES_GATE:.3f}  {result:8s} "
              f"{cpu + cpu_known:7.1f} {known['series_buckets_per_second']:9,.0f}", flush=True)
        return result != "MISSED"
    result = verdict([figures["WQL"]], [GATES[name]])
    print(f"{name:13s} {shown}  gate {GATES[name]:.3f}  {result:8s} {cost}", flush=True)
    return result != "MISSED"


def baseline(flags, name):
    expert, published = BASELINES[name]
    out = os.path.join(flags.work, name + "-baseline")
    flags.model = "experts"
    backtest(flags, name, ["--experts", expert, "--no-calibration"], out)
    forecasts = os.path.join(out, "forecasts.csv")
    zscored = "1" in published
    figures = score(flags, name, forecasts if zscored else points_alone(forecasts))
    good = True
    shown = []
    for figure, value in published.items():
        measured = figures["H"][figure]["MSE"] if zscored else figures[figure]
        digits = len(value.split(".")[1])
        good = good and abs(measured - float(value)) <= .6 * 10 ** -digits
        shown.append(f"{figure} {measured:.{digits}f} ({value})")
    print(f"{name:13s} {expert:18s} {'  '.join(shown)}  {'reproduced' if good else 'DIFFERS'}", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--shared", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--model", default="lstm", choices=("lstm", "gru", "tcn", "attention", "mlp", "experts"))
    parser.add_argument("--baselines", action="store_true")
    parser.add_argument("sets", nargs="*", metavar="SET", help=" ".join(GATES))
    flags = parser.parse_args()
    known = BASELINES if flags.baselines else GATES
    for name in flags.sets:
        if name not in known:
            parser.error(f"no such set: {name}; there are {' '.join(known)}")
    sets = flags.sets or list(known)
    series = os.path.join(flags.work, "series")
    missing = [name for name in sets if not os.path.exists(os.path.join(series, name + ".json"))]
    if missing:
        subprocess.run([sys.executable, os.path.join(flags.shared, "tools", "prepare_forecasts.py"), "--data",
                        os.path.join(flags.shared, "data"), "--out", series, *missing], check=True, stdout=sys.stderr)
    if flags.baselines:
        print("set           expert             measured (published)")
        results = [baseline(flags, name) for name in sets]
    else:
        print(f"# tidecast backtest --model {flags.model}; last columns: CPU seconds, series-buckets a second and core of the model")
        results = [accuracy(flags, name) for name in sets]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
