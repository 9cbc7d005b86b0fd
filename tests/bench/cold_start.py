#!/usr/bin/env python3
"""Scores the first forecasts of new series, `tidecast backtest` with defaults against the mean of their category.

    cold_start.sh [--model experts] [--no-category] [--part early|late|all] [SET ...]

A series begins with its first sale and counts as new when that is after the warm-up. Scored are the origins at which it is 1 to 14
buckets old, all horizons, WQL over the nine deciles. The category mean is what a planner has without the series's own data: quantiles
of what the category's other series sold, in the strongest of three ways, judged in hindsight over the part that is scored:
  age    at the target's age, whenever that was, of series that began after the first buckets
  now    in the newest buckets, of all series
  young  in the newest buckets, of series that are at most 28 buckets old
A category of fewer than 5 such series, or of fewer than 20 values, hands over to all series. No value after the origin is used.
--part early: the origins that develop the model, the first 60 % after the warm-up; late: the rest.
"""
import argparse
import json
import os
import resource
import subprocess
import sys

import numpy as np
import polars as pl

LEVELS = [.1, .2, .3, .4, .5, .6, .7, .8, .9]
AGES = 14
YOUNG = 28
MEMBERS, VALUES = 5, 20
GATE = .90


def head_noun(text):
    words = [word for word in "".join(c if c.isalpha() else " " for c in text.upper()).split() if len(word) > 2]
    noun = words[-1] if words else "NONE"
    return noun[:-1] if noun.endswith("S") and not noun.endswith("SS") else noun


def retail(shared, weekly):
    """Online Retail: units by stock code; the category is the head noun of the description that it was first sold under."""
    lines = pl.read_csv(f"{shared}/data/online-retail-2010-2011/orders.csv.gz", infer_schema_length=0).with_columns(
        pl.col("Quantity").cast(pl.Int64), pl.col("UnitPrice").cast(pl.Float64), pl.col("InvoiceDate").str.slice(0, 10).alias("ds"),
        pl.col("StockCode").str.strip_chars().str.to_uppercase().alias("unique_id"))
    lines = lines.filter(pl.col("unique_id").str.contains(r"^\d{5}"))
    days = sorted(lines["ds"].unique().to_list())
    lines = lines.filter((pl.col("Quantity") > 0) & (pl.col("UnitPrice") > 0))
    if weekly:
        monday = pl.col("ds").str.to_date().dt.truncate("1w").cast(pl.String)
        lines = lines.with_columns(monday.alias("ds"))
        days = sorted(lines["ds"].unique().to_list())[1:-1]
        lines = lines.filter(pl.col("ds").is_in(days))
    first = lines.sort("InvoiceDate").group_by("unique_id", maintain_order=True).agg(pl.col("Description").first())
    category = {code: head_noun(text or "") for code, text in first.iter_rows()}
    return lines.group_by("unique_id", "ds").agg(pl.col("Quantity").sum().alias("y")), days, category


def journey(shared):
    """Complete Journey, a 5 % sample of a grocer's baskets: units by product type, categories are its product categories."""
    folder = f"{shared}/data/complete-journey-sample"
    lines = pl.read_csv(f"{folder}/transactions_sample.csv.gz", infer_schema_length=0)
    products = pl.read_csv(f"{folder}/products.csv.gz", infer_schema_length=0).drop_nulls(["product_category", "product_type"])
    lines = lines.join(products, on="product_id").filter(pl.col("department") != "FUEL").with_columns(
        pl.col("quantity").cast(pl.Int64), pl.format("{} / {}", "product_category", "product_type").alias("unique_id"),
        pl.col("transaction_timestamp").str.slice(0, 10).str.to_date().dt.truncate("1w").cast(pl.String).alias("ds"))
    weeks = sorted(lines["ds"].unique().to_list())[1:-1]
    lines = lines.filter((pl.col("quantity") > 0) & pl.col("ds").is_in(weeks))
    category = dict(lines.select("unique_id", "department").unique("unique_id", keep="first", maintain_order=True).iter_rows())
    return lines.group_by("unique_id", "ds").agg(pl.col("quantity").sum().alias("y")), weeks, category


# set: reader, frequency, horizon, warm-up, newest buckets of `now` and `young`
SETS = {
    "retail-daily": (lambda shared: retail(shared, False), "1d", 6, 90, 12),
    "retail-weekly": (lambda shared: retail(shared, True), "1w", 4, 16, 4),
    "journey-weekly": (journey, "1w", 4, 16, 4),
}


class Series:
    """y [series, bucket], NaN before the first sale; birth, category by series."""

    def __init__(self, shared, name):
        read, self.frequency, self.horizon, self.warmup, self.newest = SETS[name]
        sold, self.days, category = read(shared)
        self.ids = sorted(sold["unique_id"].unique().to_list())
        place, row = {day: i for i, day in enumerate(self.days)}, {key: i for i, key in enumerate(self.ids)}
        self.y = np.zeros((len(self.ids), len(self.days)), np.float32)
        self.y[[row[key] for key in sold["unique_id"]], [place[day] for day in sold["ds"]]] = sold["y"].to_numpy()
        self.birth = (self.y > 0).argmax(1)
        self.y[np.arange(len(self.days)) < self.birth[:, None]] = np.nan
        names = sorted(set(category.values()))
        self.category = np.array([names.index(category[key]) for key in self.ids])
        self.category_names = names

    def write(self, path):
        series, bucket = np.nonzero(np.isfinite(self.y))
        pl.DataFrame({"unique_id": np.array(self.ids)[series], "ds": np.array(self.days)[bucket], "y": self.y[series, bucket].astype(int),
                      "category": np.array(self.category_names)[self.category[series]]}).write_csv(path)

    def cases(self, part):
        """series, origin, step of everything that is scored"""
        last = len(self.days) - self.horizon
        split = self.warmup - 1 + int(.6 * (last - self.warmup + 1))
        begin, end = {"early": (self.warmup - 1, split), "late": (split, last), "all": (self.warmup - 1, last)}[part]
        found = [(s, t, h) for s in range(len(self.ids)) if self.birth[s] >= self.warmup
                 for t in range(max(begin, self.birth[s]), min(end, self.birth[s] + AGES)) for h in range(1, self.horizon + 1)]
        return np.array(found).T


def category_quantiles(series, cases, way):
    out = np.empty((cases.shape[1], len(LEVELS)), np.float32)
    bucket = np.arange(len(series.days))
    age_at = bucket - series.birth[:, None]
    begun = series.birth >= series.newest
    made = {}

    def samples(t, step_age, category, but):
        who = (series.category == category) if category >= 0 else np.ones(len(series.ids), bool)
        who[but] = False
        if way == "age":
            at = series.birth + step_age
            who &= begun & (at <= t)
            return series.y[who, at[who]], who.sum()
        who &= series.birth <= t
        block = slice(max(0, t - series.newest + 1), t + 1)
        keep = np.isfinite(series.y[who, block])
        if way == "young":
            keep &= age_at[who, block] <= YOUNG
        return series.y[who, block][keep], keep.any(1).sum()

    for i, (s, t, h) in enumerate(cases.T):
        step_age = t + h - series.birth[s] if way == "age" else 0
        category = series.category[s]
        values, members = samples(t, step_age, category, s)
        if members < MEMBERS or len(values) < VALUES:
            key = (t, step_age)  # of all series: the one left out moves nothing
            if key not in made:
                made[key] = np.quantile(samples(t, step_age, -1, s)[0], LEVELS)
            out[i] = made[key]
        else:
            out[i] = np.quantile(values, LEVELS)
    return out


def wql(actual, quantiles):
    loss = 0
    for k, level in enumerate(LEVELS):
        diff = actual - quantiles[:, k]
        loss += 2 * np.maximum(level * diff, (level - 1) * diff).sum()
    return loss / len(LEVELS) / actual.sum()


def forecast(flags, series, name):
    path, out = os.path.join(flags.work, name + ".csv"), os.path.join(flags.work, name)
    series.write(path)
    command = [flags.binary, "backtest", "--series", path, "--calendar", "observed", "--freq", series.frequency, "--horizon", str(series.horizon),
               "--warmup", str(series.warmup), "--full-windows", "--model", flags.model, "--out", out]
    if not flags.no_category:
        command += ["--static", "category"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(command + flags.extra, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if run.returncode != 0:
        sys.exit(f"cold_start: {' '.join(command)} ended with {run.returncode}: {run.stderr[-1000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(os.path.join(out, "metrics.json")) as file:
        overall = json.load(file)["wql"]
    return os.path.join(out, "forecasts.csv"), overall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def model_quantiles(series, cases, path):
    columns = [f"q{level}" for level in LEVELS]
    numbers = dict.fromkeys(["mean"] + columns, pl.Float32)
    table = pl.read_csv(path, columns=["unique_id", "ds", "cutoff"] + list(numbers), schema_overrides={"unique_id": pl.String, **numbers})
    wanted = pl.DataFrame({"unique_id": np.array(series.ids)[cases[0]], "cutoff": np.array(series.days)[cases[1]],
                           "ds": np.array(series.days)[cases[1] + cases[2]]})
    found = wanted.join(table, on=["unique_id", "cutoff", "ds"], how="left", maintain_order="left")
    if found["mean"].null_count() > 0:
        sys.exit(f"cold_start: {path} lacks {found['mean'].null_count()} of {found.height} forecasts")
    return found.select(columns).to_numpy(), found["mean"].to_numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--shared", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--model", default="lstm", choices=("lstm", "experts"))
    parser.add_argument("--no-category", action="store_true", help="the forecaster is told none; the category mean stays as it is")
    parser.add_argument("--part", default="all", choices=("early", "late", "all"))
    parser.add_argument("--extra", nargs="*", default=[], help="further flags of backtest")
    parser.add_argument("sets", nargs="*", metavar="SET", help=" ".join(SETS))
    flags = parser.parse_args()
    os.makedirs(flags.work, exist_ok=True)
    good = True
    print(f"# tidecast backtest --model {flags.model}; origins: {flags.part}; WQL by age in buckets")
    for name in flags.sets or list(SETS):
        if name not in SETS:
            parser.error(f"no such set: {name}; there are {' '.join(SETS)}")
        series = Series(flags.shared, name)
        cases = series.cases(flags.part)
        actual = series.y[cases[0], cases[1] + cases[2]]
        age = cases[1] - series.birth[cases[0]] + 1
        store = os.path.join(flags.work, f"{name}-{flags.part}.npz")
        if os.path.exists(store):
            ways = dict(np.load(store))
        else:
            ways = {way: category_quantiles(series, cases, way) for way in ("age", "now", "young")}
            np.savez(store, **ways)
        scores = {way: wql(actual, quantiles) for way, quantiles in ways.items()}
        best = min(scores, key=scores.get)
        path, overall, cpu = forecast(flags, series, name)
        model, mean = model_quantiles(series, cases, path)
        own = wql(actual, model)
        ratio = own / scores[best]
        good = good and ratio <= GATE
        print(f"{name:14s} {len(set(cases[0]))} new series, {len(actual)} forecasts; all series WQL {overall:.4f}; category mean "
              + " ".join(f"{way} {score:.4f}" for way, score in scores.items())
              + f"; WQL {own:.4f}  bias {mean.sum() / actual.sum() - 1:+.3f}  ratio {ratio:.3f}  gate {GATE:.2f} {'reached' if ratio <= GATE else 'MISSED'}  cpu {cpu:.1f}")
        for low, high in ((1, 1), (2, 3), (4, 7), (8, 14)):
            rows = (age >= low) & (age <= high)
            print(f"    age {low:2d}-{high:2d}: {wql(actual[rows], model[rows]):.4f} of {wql(actual[rows], ways[best][rows]):.4f}, "
                  f"bias {mean[rows].sum() / actual[rows].sum() - 1:+.3f}, cover 80 {np.mean((actual[rows] >= np.round(model[rows, 0])) & (actual[rows] <= np.round(model[rows, -1]))):.3f}", flush=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
