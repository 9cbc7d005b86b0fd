#!/usr/bin/env python3
"""Events that cannot be used end as dead letters with reason, place and their own bytes, and never stop the others."""
import base64
import json
import os

import command_line
from command_line import CommandLineTest, orders


class EventsTest(CommandLineTest):
    def dead_letters(self, out):
        with open(os.path.join(out, "dlq.jsonl")) as file:
            return [json.loads(line) for line in file]

    def check_summary(self, out, good, dead):
        with open(os.path.join(out, "summary.json")) as file:
            summary = json.load(file)
        self.assertEqual(summary["dead_lettered"], dead)
        self.assertEqual(summary["events_accepted"], good)
        self.assertEqual(summary["events_read"], good + dead + summary["too_late"] + summary["duplicates"])

    def test_lines_of_a_csv_file(self):
        good = orders()
        bad = {
            100: (["B1", "1", "SKU1", "yesterday", "2", "2.50", "C1"], "bad_value", "/ts"),
            200: (["B2", "1", "SKU1", "2024-01-02T10:00:00", "two", "2.50", "C1"], "bad_value", "/quantity"),
            300: (["B3", "1", "", "2024-01-03T10:00:00", "2", "2.50", "C1"], "no_key", "/sku"),
            400: (["B4", "1", "SKU1", "2024-01-04T10:00:00", "", "2.50", "C1"], "missing_field", "/quantity"),
            500: (["B5", "1", "SKU1", "2024-01-05T10:00:00", "2", "-1", "C1"], "out_of_range", "/unit_price"),
            600: (["B6", "1", "SKU1", "2024-01-06T10:00:00", "99999999999999", "2.50", "C1"], "overflow", "/quantity"),
            700: (["B7", "SKU1", "2024-01-06T10:00:00"], "undecodable", ""),
        }
        rows = list(good)
        for place in sorted(bad):
            rows.insert(place, bad[place][0])
        out = self.replay(self.write_orders("bad.csv", rows), "out")
        self.check_summary(out, len(good), len(bad))
        self.assertEqual(self.features_of(out), self.expected(good))
        letters = self.dead_letters(out)
        self.assertEqual(len(letters), len(bad))
        for row, reason, where in bad.values():
            mine = [letter for letter in letters if row[0] in letter["value"]]
            self.assertEqual(len(mine), 1, row)
            letter = mine[0]
            self.assertEqual(letter["reason"], reason, letter)
            self.assertIn(where, letter["detail"])
            self.assertEqual(letter["topic"], "shop.orders")
            self.assertIn(letter["partition"], (0, 1))
            self.assertGreaterEqual(letter["offset"], 0)
            for cell in row[2:6]:
                self.assertIn(cell, letter["value"])
            self.assertNotIn('"C1"', letter["value"], "a customer in clear")

    def test_the_place_is_that_of_the_record(self):
        """What stands at topic, partition, offset in the log is what the dead letter holds."""
        rows = orders()[:50]
        rows.insert(20, ["B1", "1", "SKU1", "2024-01-01T02:00:00", "two", "2.50", "C1"])
        done = self.tidecast("replay", "--orders", self.write_orders("bad.csv", rows), "--config", self.config, "--state", self.path("state"))
        self.assertEqual(done.code, 0, done.err)
        tapped = self.tidecast("tap", "dlq", "--config", self.config)
        self.assertEqual(len(tapped.out.splitlines()), 1)
        self.assertIn('"two"', tapped.out)
        listed = self.tidecast("dlq", "--config", self.config)
        self.assertEqual(listed.code, 0, listed.err)
        for word in ("bad_value", "/quantity", "shop.orders", "two"):
            self.assertIn(word, listed.out)

    def test_json_lines_with_bytes_that_are_no_json(self):
        good = orders()
        lines = [json.dumps(dict(zip(command_line.HEADER, row))).encode() for row in good]
        lines[10:10] = [b"{\"sku\": \"SKU1\", ", b"\xff\xfe\x00binary", b"[1, 2]", b"\x00\x00\x00\x00\x05framed"]
        out = self.replay(self.write("orders.jsonl", b"\n".join(lines) + b"\n"), "out")
        self.check_summary(out, len(good), 4)
        self.assertEqual(self.features_of(out), self.expected(good))
        letters = self.dead_letters(out)
        values = [base64.b64decode(l["value_base64"]) if "value_base64" in l else l["value"].encode() for l in letters]
        self.assertEqual(sorted(values), sorted([b"{\"sku\": \"SKU1\", ", b"\xff\xfe\x00binary", b"[1, 2]", b"\x00\x00\x00\x00\x05framed"]))
        self.assertEqual({letter["reason"] for letter in letters}, {"undecodable"})
        self.assertTrue(any("schema registry" in letter["detail"] for letter in letters))

    def test_returns_are_no_demand_and_late_ones_are_told(self):
        rows = orders()
        rows.append(["R1", "1", "SKU1", "2024-02-09T10:00:00", "-3", "2.50", "C1"])
        rows.append(["L1", "1", "SKU1", "2024-01-02T10:00:00", "5", "2.50", "C1"])  # five weeks late
        done = self.tidecast("replay", "--as-is", "--orders", self.write_orders("late.csv", rows), "--config", self.config, "--out", self.path("out"))
        self.assertEqual(done.code, 0, done.err)
        summary = json.loads(done.out)
        self.assertEqual((summary["returns"], summary["too_late"]), (1, 1))
        with open(self.path("out/late.jsonl")) as file:
            late = [json.loads(line) for line in file]
        self.assertEqual(len(late), 1)
        self.assertIn("L1", late[0]["value"])
        self.assertIn("watermark", late[0])


if __name__ == "__main__":
    command_line.main()
