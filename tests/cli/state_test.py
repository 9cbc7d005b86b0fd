#!/usr/bin/env python3
"""State directories that are read-only, full or in use: said with the path; afterwards the work goes on, nothing lost and nothing twice."""
import json
import os
import re
import signal
import time
import urllib.error
import urllib.request

import command_line
from command_line import DATA, IN_USE, IO, NO_INPUT, PERMISSION, CommandLineTest, orders


class ReadOnlyTest(CommandLineTest):
    def test_each_verb_says_so_and_goes_on_elsewhere(self):
        folder = self.unwritable("locked")
        config = self.write_config("locked.yaml", state=os.path.join(folder, "state"))
        self.assert_fails(self.tidecast("run", config, "--until-end"), PERMISSION, "state directory", "locked/state")
        self.assert_fails(self.tidecast("replay", "--orders", self.orders, "--config", config, "--state", folder), PERMISSION, "state directory", "locked")
        checked = self.tidecast("check", config)
        self.assertEqual(checked.code, PERMISSION)
        self.assertIn("locked/state", checked.out)
        self.assertIn("try: ", checked.out)
        self.assertEqual(self.tidecast("run", self.config, "--until-end").code, 0)

    def test_a_state_that_became_read_only_can_be_looked_at(self):
        folder = self.mount("disk", "size=64m")
        if not folder:
            self.skipTest("only root can mount")
        config = self.write_config(state=os.path.join(folder, "state"))
        done = self.tidecast("replay", "--orders", self.orders, "--config", config, "--state", os.path.join(folder, "state"))
        self.assertEqual(done.code, 0, done.err)
        self.remount(folder, "ro")
        self.assert_fails(self.tidecast("run", config, "--until-end"), PERMISSION, "disk/state")
        self.assertEqual(self.features_of_topic(config), self.expected(orders()))
        self.remount(folder, "rw")
        self.assertEqual(self.tidecast("run", config, "--until-end").code, 0)


class FullDiskTest(CommandLineTest):
    def assert_goes_on(self, state, *first_words, **how):
        """A replay into a full place stops with words; with room it goes on where it stopped, and the result is that of an
        undisturbed one."""
        words = ["replay", "--orders", self.orders, "--config", self.config, "--state", state]
        failed = self.tidecast(*words, **how)
        self.assert_fails(failed, IO, "the disk is full", state, "free some space")
        self.assertEqual(failed.out, "")
        return words

    def assert_result(self, words, state, fed=True):
        done = self.tidecast(*words)
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual("going on behind them" in done.err, fed)
        summary = json.loads(done.out)
        self.assertEqual((summary["events_read"], summary["events_accepted"], summary["too_late"]), (len(orders()),) * 2 + (0,))
        config = self.write_config("after.yaml", state=state)
        self.assertEqual(self.features_of_topic(config), self.expected(orders()))
        again = self.tidecast(*words)
        self.assertEqual(again.code, 0, again.err)
        self.assertEqual(json.loads(again.out)["events_read"], len(orders()), "a file that was fed is not fed again")
        self.assertEqual(self.features_of_topic(config), self.expected(orders()))

    def test_replay_on_a_small_disk(self):
        disk = self.mount("disk", "size=1250k")
        if not disk:
            self.skipTest("only root can make a small disk; the limit on file sizes below stands for it")
        state = os.path.join(disk, "state")
        words = self.assert_goes_on(state)
        self.assert_fails(self.tidecast(*words), IO, "the disk is full")  # and again, while there is no room
        self.remount(disk, "size=64m")
        self.assert_result(words, state)

    def test_replay_with_a_limit_on_file_sizes(self):
        state = self.path("limited")
        words = self.assert_goes_on(state, limit_file_bytes=1_050_000)
        self.assert_result(words, state)

    def test_replay_with_no_room_for_its_first_lines(self):
        state = self.path("limited")
        words = self.assert_goes_on(state, limit_file_bytes=400_000)
        self.assert_result(words, state, fed=False)

    def test_results_of_a_replay_that_goes_on_are_not_given_out_as_whole(self):
        state = self.path("limited")
        words = self.assert_goes_on(state, limit_file_bytes=1_050_000)
        self.assert_fails(self.tidecast(*words, "--out", self.path("out")), command_line.USAGE, "would not be whole", "without --out")
        self.assert_result(words, state)

    def post(self, url, rows):
        body = "\n".join(json.dumps(dict(zip(command_line.HEADER, row))) for row in rows).encode()
        request = urllib.request.Request(url + "v1/events/orders", data=body, headers={"Content-Type": "application/x-ndjson"})
        with urllib.request.urlopen(request, timeout=20) as reply:
            return json.load(reply)

    def read_so_far(self, config):
        done = self.tidecast("topics", "--config", config)
        self.assertEqual(done.code, 0, done.err)
        return int(re.search(r"shop\.orders +\d+ +(\d+)", done.out).group(1))

    def test_run_on_a_small_disk(self):
        disk = self.mount("disk", "size=1m")
        if not disk:
            self.skipTest("only root can make a small disk")
        state = os.path.join(disk, "state")
        config = self.write_config(state=state, server="true")
        rows = orders()
        process = self.start("run", config)
        url = self.wait_for(process, r"http://[0-9.:]+/").group(0)
        sent = 0
        problem = None
        while sent < len(rows):
            try:
                self.assertEqual(self.post(url, rows[sent:sent + 200])["accepted"], 200)
                sent += 200
            except urllib.error.HTTPError as error:
                problem = (error.code, json.load(error))
                break
            except OSError:
                break  # it ended before it could answer
            time.sleep(.05)
        self.assertLess(sent, len(rows), "the disk never was full")
        if problem:
            self.assertEqual(problem[0], 507, problem)
            self.assertIn("the disk is full", problem[1]["detail"])
        # The log refuses events; the engine itself ends at its next commit. With nothing to commit it lives on.
        try:
            process.wait(timeout=5)
        except command_line.subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
        if process.returncode != 0:
            self.assertEqual(process.returncode, IO, self.words_of(process))
            self.assertIn("the disk is full", self.words_of(process))
        self.remount(disk, "size=64m")
        # What was answered is there. A body that was not answered is there whole or not at all.
        there = self.read_so_far(config)
        self.assertIn(there, (sent, sent + 200))
        process = self.start("run", config)
        url = self.wait_for(process, r"http://[0-9.:]+/").group(0)
        for at in range(there, len(rows), 200):
            self.post(url, rows[at:at + 200])
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=60), 0, self.words_of(process))
        done = self.tidecast("run", config, "--until-end", "--no-server")
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(json.loads(done.out)["events_accepted"], len(rows))
        self.assertEqual(self.features_of_topic(config), self.expected(rows))


class SecondProcessTest(CommandLineTest):
    def test_it_is_told_who_is_there_and_the_first_goes_on(self):
        first = self.start("run", self.config)
        self.wait_for(first, "tidecast runs")
        for words in (["run", self.config], ["replay", "--orders", self.orders, "--config", self.config, "--state", self.path("state")]):
            second = self.tidecast(*words)
            self.assert_fails(second, IN_USE, "another process holds the state directory", "state")
            self.assertIn(f"process {first.pid}", second.err)
        self.assertEqual(self.tidecast("topics", "--config", self.config).code, 0, "looking is allowed")
        first.send_signal(signal.SIGTERM)
        self.assertEqual(first.wait(timeout=60), 0)
        done = self.tidecast("replay", "--orders", self.orders, "--config", self.config, "--state", self.path("state"))
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(self.features_of_topic(), self.expected(orders()))

    def test_a_state_that_is_none(self):
        self.assert_fails(self.tidecast("tap", "alerts", "--config", self.config), NO_INPUT, "no state directory", "tidecast run")
        self.write("state", "a file")
        for words in (["run", self.config], ["topics", "--config", self.config]):
            self.assert_fails(self.tidecast(*words), IO if words[0] == "run" else NO_INPUT, self.path("state"))


class ModelTest(CommandLineTest):
    def test_what_a_shop_has_learned_begins_another(self):
        config = self.write_config(model="lstm")
        done = self.tidecast("replay", "--orders", self.orders, "--config", config, "--state", self.path("state"))
        self.assertEqual(done.code, 0, done.err)
        listed = self.tidecast("model", "list", "--config", config, "--json")
        self.assertEqual(listed.code, 0, listed.err)
        (model,) = json.loads(listed.out)
        self.assertGreater(model["net"]["steps"], 0)
        self.assertGreater(model["rounds"], 0)
        self.assertEqual(model["net"]["versions"], [])
        self.assertIn("view sku: lstm", self.tidecast("model", "list", "--config", config).out)

        weights = self.path("shop.tcnw")
        self.assert_fails(self.tidecast("model", "export", "--config", config, "--view", "nobody", "--out", weights), NO_INPUT, "nobody", "sku")
        exported = self.tidecast("model", "export", "--config", config, "--out", weights)
        self.assertEqual(exported.code, 0, exported.err)
        warm = self.write_config("warm.yaml", state=self.path("warm"), model=f"{{kind: lstm, weights: {weights}}}")
        begun = self.tidecast("replay", "--orders", self.orders, "--config", warm, "--state", self.path("warm"), "--out", self.path("out-warm"))
        self.assertEqual(begun.code, 0, begun.err)
        cold = self.write_config("cold.yaml", state=self.path("cold"), model="lstm")
        self.assertEqual(self.tidecast("replay", "--orders", self.orders, "--config", cold, "--state", self.path("cold"), "--out", self.path("out-cold")).code, 0)
        with open(self.path("out-warm/forecasts.csv")) as a, open(self.path("out-cold/forecasts.csv")) as b:
            self.assertNotEqual(a.read(), b.read(), "the weights moved nothing")

        self.versions(config, weights)

        broken = self.write("broken.tcnw", "no weights")
        bad = self.write_config("bad.yaml", state=self.path("bad"), model=f"{{kind: lstm, weights: {broken}}}")
        ran = self.tidecast("run", bad, "--until-end")
        self.assertNotEqual(ran.code, 0)
        self.assertIn(broken, ran.err)
        checked = self.tidecast("check", bad)
        self.assertNotEqual(checked.code, 0)
        self.assertIn(broken, checked.out + checked.err)

    def versions(self, config, weights):
        """Weights are imported, and the net goes back to those before; after that the shop runs on."""

        def net():
            return json.loads(self.tidecast("model", "list", "--config", config, "--json").out)[0]["net"]

        def done(*words):
            outcome = self.tidecast("model", *words, "--config", config)
            self.assertEqual(outcome.code, 0, outcome.err)
            return outcome

        with open(weights, "rb") as file:
            torn = self.write("torn.tcnw", file.read()[:-100])
        self.assert_fails(self.tidecast("model", "import", torn, "--config", config), DATA, "torn.tcnw", "cut short")
        self.assertIn("version 2", done("import", weights).err)
        after = net()
        self.assertEqual([version["origin"] for version in after["versions"]], ["learned", "imported"])
        self.assertEqual((after["version"], after["moved"]), (2, False))
        self.assertIn("shop.tcnw", after["versions"][1]["from"])
        self.assertGreater(after["versions"][0]["loss"], 0)
        self.assert_fails(self.tidecast("model", "rollback", 7, "--config", config), NO_INPUT, "no version of this number: 7", "1, 2")
        self.assertIn("* version 1", done("rollback").out)
        first = self.start("run", config)
        self.wait_for(first, "tidecast runs")
        for words in (["import", weights], ["rollback", 2]):
            self.assert_fails(self.tidecast("model", *words, "--config", config), IN_USE, "another process holds the state directory")
        first.send_signal(signal.SIGTERM)
        self.assertEqual(first.wait(timeout=60), 0)
        self.assertEqual((net()["version"], len(net()["versions"])), (1, 2))

    def test_without_a_net_there_is_nothing_to_export(self):
        config = self.write_config(model="experts")
        self.assertEqual(self.tidecast("replay", "--orders", self.orders, "--config", config, "--state", self.path("state")).code, 0)
        (model,) = json.loads(self.tidecast("model", "list", "--config", config, "--json").out)
        self.assertNotIn("net", model)
        self.assertAlmostEqual(sum(model["experts"].values()), 1, 4)
        self.assert_fails(self.tidecast("model", "export", "--config", config, "--out", self.path("x.tcnw")), NO_INPUT, "no net")
        self.assert_fails(self.tidecast("model", "rollback", "--config", config), NO_INPUT, "no net")


class ExplainTest(CommandLineTest):
    def parts(self, explanation):
        self.assertAlmostEqual(sum(voice["weight"] for voice in explanation["experts"]), 1, 4)
        return sum(explanation[part] for part in ("level", "recent", "season", "net")) + sum(explanation["known"].values())

    def test_alerts_and_the_newest_forecasts_say_why(self):
        config = self.write_config(model="experts")
        rows = orders() + [["X1", "1", "SKU3", "2024-02-08T23:59:00", "5000", "2.50", "C1"]]
        path = self.write_orders("burst.csv", sorted(rows, key=lambda row: row[3]))
        self.assert_fails(self.tidecast("explain", "SKU3", "--config", config), NO_INPUT, "no state directory")
        done = self.tidecast("replay", "--orders", path, "--config", config, "--state", self.path("state"))
        self.assertEqual(done.code, 0, done.err)

        def tap(topic):
            return [json.loads(line) for line in self.tidecast("tap", topic, "--config", config).out.splitlines()]

        def explain(of):
            shown = self.tidecast("explain", of, "--config", config)
            self.assertEqual(shown.code, 0, shown.err)
            return json.loads(shown.out)

        fired = [alert for alert in tap("alerts") if alert["subject"] == "SKU3" and alert["data"]["ds"] == "2024-02-08"]
        self.assertEqual(len(fired), 1)
        data = fired[0]["data"]
        self.assertGreater(data["observed"], 5000)
        self.assertLess(data["explanation"]["level"], 100, "what came is in what was expected")
        self.assertAlmostEqual(self.parts(data["explanation"]), data["expected"], delta=.01 * data["expected"])
        self.assertEqual(explain(data["id"]), data)
        newest = [alert for alert in tap("alerts") if alert["data"]["fingerprint"] == data["fingerprint"]][-1]["data"]
        self.assertEqual(explain(data["fingerprint"]), newest)

        forecast = [found for found in tap("forecasts") if found["unique_id"] == "SKU3"][-1]
        for running in (False, True):
            if running:
                self.wait_for(self.start("run", config), "tidecast runs")
            (shown,) = explain("SKU3")
            self.assertEqual((shown["series"], shown["view"], shown["cutoff"]), ("SKU3", "sku", forecast["cutoff"]))
            self.assertEqual([step["ds"] for step in shown["steps"]], forecast["ds"])
            for step, mean in zip(shown["steps"], forecast["mean"], strict=True):
                self.assertAlmostEqual(step["mean"], mean, delta=1e-5 * mean)
                self.assertAlmostEqual(self.parts(step), mean, delta=.01 * mean)
        self.assert_fails(self.tidecast("explain", "SKU99", "--config", config), NO_INPUT, "SKU99")
        self.assert_fails(self.tidecast("explain", "0123456789abcdef/1", "--config", config), NO_INPUT, "no such alert")


if __name__ == "__main__":
    command_line.main()
