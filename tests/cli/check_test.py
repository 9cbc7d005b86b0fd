#!/usr/bin/env python3
"""`tidecast check` looks at the real events and ends with what to do."""
import os
import re

import command_line
from command_line import DATA, NO_INPUT, CommandLineTest, orders


class CheckTest(CommandLineTest):
    def check(self, *words, code=0):
        done = self.tidecast("check", self.config, *words)
        self.assertEqual(done.code, code, done.out + done.err)
        return done.out

    def test_a_file_that_is_fine(self):
        said = self.check("--orders", self.orders)
        for text in (f"{len(orders())} of {len(orders())}", "2024-01-01T00:00:00Z to 2024-02-09", "all in order", "ready: tidecast replay --orders"):
            self.assertIn(text, said)
        self.assertNotIn("to do", said)
        self.assertFalse(os.path.exists(self.path("state")), "looking makes nothing")

    def test_dead_letters_to_be_with_place_and_bytes(self):
        rows = orders()
        rows[100][4] = "two"
        rows[200][4] = "three"
        rows[300][3] = "yesterday"
        said = self.check("--orders", self.write_orders("bad.csv", rows))
        self.assertIn(f"{len(rows) - 3} of {len(rows)}", said)
        self.assertRegex(said, r"bad_value: 3 \(0\.05 %\), e\.g\. \S*bad\.csv:102: field /quantity: not a number")
        self.assertIn("two", said)
        self.assertIn("to do: ", said)
        self.assertIn("ready: ", said)

    def test_order_of_time_and_the_bound_that_it_needs(self):
        rows = orders()
        for i in range(40, len(rows), 50):  # within a day: 2 % swapped with one seven places earlier: 3,500 s and less behind
            rows[i - 7], rows[i] = rows[i], rows[i - 7]
        path = self.write_orders("mixed.csv", rows)
        said = self.check("--orders", path)
        self.assertRegex(said, r"lie behind one that came before, by 58 min 20 s at most")
        self.assertIn("set inputs.orders.out_of_orderness: 1h", said)
        with open(self.config) as file:
            text = file.read()
        self.config = self.write("bound.yaml", text.replace("zone: UTC}\nviews", "zone: UTC}\n    out_of_orderness: 1h\nviews"))
        self.assertNotIn("set inputs.orders.out_of_orderness", self.check("--orders", path))

    def test_nothing_decodes(self):
        rows = [[*row[:3], "yesterday", *row[4:]] for row in orders()]
        said = self.check("--orders", self.write_orders("bad.csv", rows), code=DATA)
        self.assertIn("FAIL", said)
        self.assertIn("to do: say where the fields stand", said)
        self.assertNotIn("ready", said)
        self.assertIn("no such file", self.check("--orders", self.path("none.csv"), code=NO_INPUT))
        self.assertIn("no column for", self.check("--orders", self.write("x.csv", "a,b\n1,2\n"), code=DATA))

    def test_topics_are_looked_at_too(self):
        rows = orders()
        rows[100][4] = "two"
        path = self.write_orders("bad.csv", rows)
        done = self.tidecast("replay", "--orders", path, "--config", self.config, "--state", self.path("state"))
        self.assertEqual(done.code, 0, done.err)
        said = self.check()
        self.assertIn(f"{len(rows) - 1} of {len(rows)} of the newest of shop.orders decode", said)
        self.assertTrue(re.search(r"bad_value: 1 .*e\.g\. shop\.orders\[[01]\]@\d+: field /quantity", said), said)
        self.assertIn("ready: tidecast run", said)


if __name__ == "__main__":
    command_line.main()
