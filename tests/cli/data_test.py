#!/usr/bin/env python3
"""Files of series and orders: `backtest` tells its figures, `check --data` looks at the data, `holidays` prints what a config would take."""
import json
import os

import command_line
from command_line import DATA, NO_INPUT, USAGE, CommandLineTest


class DataTest(CommandLineTest):
    def series(self, days=80):
        rows = ["unique_id,ds,y,promo"]
        for name, base in (("a", 5), ("b", 20)):
            for day in range(days):
                promo = 1 if day % 10 == 3 else 0
                rows.append(f"{name},2024-{1 + day // 28:02}-{1 + day % 28:02},{base + day % 7 + 30 * promo},{promo}")
        return self.write("series.csv", "\n".join(rows) + "\n")

    def test_backtest_tells_figures_in_three_ways(self):
        words = ["backtest", "--series", self.series(), "--freq", "1d", "--horizon", "2", "--warmup", "40", "--known", "promo", "--model", "experts"]
        done = self.tidecast(*words, "--compare", "--out", self.path("o"))
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(len(done.out.splitlines()), 1, "stdout is data")
        self.assertNotIn("\033", done.err, "no colours where there is no terminal")
        for text in ("WQL", "RMSSE", "Tidecast", "best single expert", "seasonal naive (", "DM t", "step 2", "promo on"):
            self.assertIn(text, done.err)
        with open(self.path("o/metrics.json")) as file:
            metrics = json.load(file)
        self.assertEqual(metrics["wql"], json.loads(done.out)["wql"])
        self.assertIn("on", metrics["by_column"]["promo"])
        self.assertIn(metrics["roles"]["best_expert"], metrics["baselines"])
        with open(self.path("o/report.html")) as file:
            self.assertIn("<svg", file.read())
        done = self.tidecast(*words, "--format", "nixtla", "--levels", "0.1,0.5,0.9", "--out", self.path("p"))
        self.assertEqual(done.code, 0, done.err)
        with open(self.path("p/forecasts.csv")) as file:
            self.assertEqual(next(file), "unique_id,ds,cutoff,y,mean,median,lo-80,hi-80\n")

    def test_a_series_file_is_looked_at(self):
        done = self.tidecast("check", "--data", self.series())
        self.assertEqual(done.code, 0, done.err)
        for text in ("2 of 160 rows, 80 buckets of 1d, 2024-01-01 to 2024-03-24", "demand", "levels", "promo",
                     "look  more than the past is told by promo (|t| of 3 or more)\n      -> --known promo"):
            self.assertIn(text, done.out)
        words = [line.split()[0] for line in done.out.splitlines() if line.startswith(("FIX", "look", "note"))]
        self.assertEqual(words, sorted(words, key=["FIX", "look", "note"].index), "the weightiest first")
        audit = json.loads(self.tidecast("check", "--data", self.series(), "--format", "json").out)
        self.assertEqual(audit["series"], 2)
        self.assertEqual([one["unique_id"] for one in audit["by_series"]], ["a", "b"])
        self.assertEqual(audit["covariates"]["columns"][0]["name"], "promo")
        self.assertGreater(abs(audit["covariates"]["columns"][0]["t"]), 3)
        self.assertIn("--known promo", json.dumps(audit["advice"]))

    def test_what_backtest_refuses_must_be_mended(self):
        with open(self.series()) as file:
            text = file.read()
        twice = self.write("twice.csv", text + text.splitlines()[5] + "\n")
        done = self.tidecast("check", "--data", twice)
        self.assertEqual(done.code, DATA)
        self.assertIn("FIX   1 row stands a second time", done.out)
        self.assertIn("line 162", done.out)
        self.assert_fails(self.tidecast("backtest", "--series", twice, "--freq", "1d", "--out", self.path("o")), DATA, "twice.csv:162")

    def test_orders_are_summed_up_first(self):
        lines = len(command_line.orders())
        done = self.tidecast("check", "--data", self.orders, self.config)
        self.assertEqual(done.code, 0, done.err)
        self.assertIn(f"{lines} of {lines} lines read, 0 of them returns, 0 repeated", done.out)
        self.assertIn("15 of 600 rows, 40 buckets of 1d", done.out)
        self.assertEqual(self.tidecast("check", "--data", self.orders).out, done.out, "usual names need no config")
        rows = command_line.orders()[:2000]
        odd = self.write_orders("odd.csv", rows + [rows[7], [*rows[8][:4], "-2", *rows[8][5:]], [*rows[9][:4], "few", *rows[9][5:]]])
        done = self.tidecast("check", "--data", odd, self.config)
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("2002 of 2003 lines read, 1 of them returns, 1 repeated", done.out)
        for text in ("1 of 2003 lines cannot be read as orders", f"--orders {odd} tells why", "inputs.orders.dedupe", "where: negative"):
            self.assertIn(text, done.out)
        audit = json.loads(self.tidecast("check", "--data", odd, "--format", "json").out)
        self.assertEqual(audit["orders"], {"lines": 2003, "decoded": 2002, "returns": 1, "repeated": 1})
        units = sum(int(row[4]) for row in rows) + int(rows[7][4])
        self.assertAlmostEqual(sum(one["mean"] * one["buckets"] for one in audit["by_series"]), units, places=6)

    def test_check_wants_one_thing_to_look_at(self):
        self.assert_fails(self.tidecast("check"), USAGE, "--data")
        self.assert_fails(self.tidecast("check", "--data", self.path("none.csv")), NO_INPUT, "none.csv")
        self.assert_fails(self.tidecast("check", "--data", self.series(), "--freq", "often"), USAGE, "often")
        self.assert_fails(self.tidecast("check", "--data", self.orders, "--freq", "1h"), USAGE, "summed by day")
        self.assert_fails(self.tidecast("check", "--data", self.write("odd.csv", "unique_id,ds,y\na,2024-01-01,many\n")), DATA, "odd.csv:2: not a number: many")
        self.assert_fails(self.tidecast("check", "--data", self.write("words.csv", "one,two\n1,2\n")), DATA, "words.csv")

    def test_holidays_are_printed_as_a_calendar_file(self):
        done = self.tidecast("holidays", "GB-ENG", "2024-07-01", "--year", "2024")
        self.assertEqual(done.code, 0, done.err)
        lines = done.out.splitlines()
        self.assertEqual(lines[0], "date,name")
        self.assertIn("2024-03-29,Good Friday", lines)
        self.assertIn("2024-07-01,holiday", lines)
        self.assertEqual(len(lines), 1 + 9)
        again = self.tidecast("holidays", self.write("shop.csv", done.out))
        self.assertEqual(again.out, done.out, "what it prints it reads")
        self.assertIn("DE\n", self.tidecast("holidays", "--countries").out)
        self.assert_fails(self.tidecast("holidays", "XX"), USAGE, "XX")
        self.assertFalse(os.path.exists(self.path("state")))


if __name__ == "__main__":
    command_line.main()
