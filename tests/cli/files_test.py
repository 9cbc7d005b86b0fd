#!/usr/bin/env python3
"""Files that are not there, not readable or not what they should be: said with the path; once put right, the result is whole."""
import gzip
import os
import random

import command_line
from command_line import USAGE, DATA, IO, NO_INPUT, PERMISSION, CommandLineTest, orders


class FilesTest(CommandLineTest):
    def setUp(self):
        super().setUp()
        self.rows = orders()

    def assert_refused(self, path, code, *says, **how):
        """No result is left that could be taken for one."""
        done = self.tidecast("replay", "--orders", path, "--config", self.config, "--out", self.path("out"), **how)
        self.assert_fails(done, code, path, *says)
        self.assertEqual(done.out, "")
        self.assertFalse(os.path.exists(self.path("out/summary.json")))

    def assert_whole(self, path):
        self.assertEqual(self.features_of(self.replay(path, "out")), self.expected(self.rows))

    def test_not_there(self):
        self.assert_refused(self.path("none.csv"), NO_INPUT, "no such file")
        self.assert_refused(self.folder, NO_INPUT, "directory")
        self.assert_whole(self.orders)

    def test_not_readable(self):
        os.chmod(self.orders, 0o600 if os.geteuid() == 0 else 0)
        os.chmod(self.folder, 0o777)
        self.assert_refused(self.orders, PERMISSION, "readable", nobody=os.geteuid() == 0)
        os.chmod(self.orders, 0o644)
        self.assert_whole(self.orders)

    def test_empty(self):
        self.assert_refused(self.write("empty.csv", ""), DATA, "empty", "column names")
        done = self.tidecast("replay", "--orders", self.write_orders("header.csv", []), "--config", self.config)
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("holds no events", done.err)
        done = self.tidecast("replay", "--orders", self.write("empty.jsonl", ""), "--config", self.config)
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("holds no events", done.err)

    def test_no_csv_at_all(self):
        path = self.write("picture.csv", b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(5000))
        self.assert_refused(path, DATA, "column")
        with open(path, "rb") as file:
            self.assertLess(len(self.tidecast("replay", "--orders", path, "--config", self.config).err), 1500, "a picture is not printed")

    def test_columns_that_are_missing(self):
        path = self.write_orders("few.csv", [row[:4] for row in self.rows], command_line.HEADER[:4])
        self.assert_refused(path, DATA, "no column for quantity", "order_id, line, sku, ts", "inputs.orders.columns")
        path = self.write_orders("named.csv", self.rows, ["order_id", "line", "sku", "ts", "quantiy", "unit_price", "customer_id"])
        self.assert_refused(path, DATA, "quantiy is near quantity")
        with open(self.config) as file:
            text = file.read()
        self.config = self.write("columns.yaml", text.replace("zone: UTC}\nviews", "zone: UTC}\n    columns: {quantity: quantiy}\nviews"))
        self.assert_whole(path)

    def test_gzip_that_ends_too_early_or_is_damaged(self):
        with open(self.orders, "rb") as file:
            packed = gzip.compress(file.read())
        self.assert_refused(self.write("cut.csv.gz", packed[:len(packed) // 2]), DATA, "ends too early", "gzip -t")
        damaged = bytearray(packed)
        for i in range(len(packed) // 2, len(packed) // 2 + 40):
            damaged[i] ^= 0xff
        self.assert_refused(self.write("damaged.csv.gz", bytes(damaged)), DATA, "damaged")
        self.assert_whole(self.write("whole.csv.gz", packed))


class OutTest(CommandLineTest):
    def assert_no_results(self, out, code, *says, **how):
        done = self.tidecast("replay", "--orders", self.orders, "--config", self.config, "--out", out, **how)
        self.assert_fails(done, code, *says)
        self.assertEqual(done.out, "")

    def test_out_may_not_be_written(self):
        folder = self.unwritable("locked")
        self.assert_no_results(os.path.join(folder, "out"), PERMISSION, "locked/out", "--out")
        self.assert_no_results(folder, PERMISSION, "locked")

    def test_a_file_is_in_the_way_of_out(self):
        self.assert_no_results(self.orders, USAGE, self.orders, "--out")
        os.makedirs(self.path("out/features.csv"))
        self.assert_no_results(self.path("out"), USAGE, "out/features.csv")

    def test_the_disk_of_out_is_full(self):
        out = self.path("out")
        small = self.mount("small", "size=12k")
        if small:
            self.assert_no_results(small, IO, "No space left on device", "make room")
            self.assertFalse(os.path.exists(os.path.join(small, "summary.json")))
            self.remount(small, "size=8m")
            self.assertEqual(self.features_of(self.replay(self.orders, "small")), self.expected(orders()))
        # Results of an earlier run must not vouch for those of a run that failed.
        self.replay(self.orders, "out")
        self.assertTrue(os.path.exists(os.path.join(out, "summary.json")))
        if not small:
            self.skipTest("only root can make a small disk")
        second = self.mount("second", "size=12k")
        with open(os.path.join(second, "summary.json"), "w") as file:
            file.write("{}")
        self.assert_no_results(second, IO, "No space left on device")
        self.assertFalse(os.path.exists(os.path.join(second, "summary.json")))

    def test_backtest_says_the_same(self):
        series = self.write("series.csv", "unique_id,ds,y\n" + "".join(f"a,2024-01-{d:02},{d}\n" for d in range(1, 29)))
        words = ["backtest", "--series", series, "--model", "experts", "--horizon", "2", "--warmup", "10"]
        self.assert_fails(self.tidecast(*words, "--out", os.path.join(self.unwritable("locked"), "out")), PERMISSION, "locked/out")
        self.assert_fails(self.tidecast(*words, "--out", series), USAGE, series)
        self.assert_fails(self.tidecast("backtest", "--series", self.path("none.csv"), "--out", self.path("o")), NO_INPUT, "none.csv")
        self.assert_fails(self.tidecast("backtest", "--series", self.orders, "--out", self.path("o")), DATA, "unique_id")
        self.assertEqual(self.tidecast(*words, "--out", self.path("o")).code, 0)


if __name__ == "__main__":
    command_line.main()
