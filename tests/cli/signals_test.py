#!/usr/bin/env python3
"""Ctrl-C, SIGTERM and readers that go away: what was done is committed, and the exit code is what a shell expects."""
import json
import os
import signal
import subprocess
import time

import command_line
from command_line import IO, CommandLineTest, orders


class StopTest(CommandLineTest):
    def replay_words(self, *more):
        return ["replay", "--orders", self.orders, "--config", self.config, "--speed", "8d/s", *more]

    def test_a_replay_that_is_cut_short_goes_on_with_the_same_command(self):
        state = self.path("state")
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.start(*self.replay_words("--state", state))
            self.wait_for(process, "orders.csv: ts -> ts")
            time.sleep(1.0)
            process.send_signal(number)
            out, _ = process.communicate(timeout=60)
            self.assertEqual(process.returncode, -number, "ends by the signal, so that a shell's loop ends too")
            self.assertTrue(json.loads(out)["interrupted"])
            self.assertIn("goes on from", self.words_of(process))
        read = json.loads(out)["events_read"]
        self.assertGreater(read, 0)
        self.assertLess(read, len(orders()))
        done = self.tidecast("replay", "--orders", self.orders, "--config", self.config, "--state", state)
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(json.loads(done.out)["events_accepted"], len(orders()))
        self.assertNotIn("interrupted", done.out)
        self.assertEqual(self.features_of_topic(), self.expected(orders()))

    def test_result_files_of_a_replay_that_is_cut_short_say_so(self):
        process = self.start(*self.replay_words("--out", self.path("out")))
        self.wait_for(process, "orders.csv: ts -> ts")
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, -signal.SIGINT)
        with open(self.path("out/summary.json")) as file:
            self.assertTrue(json.load(file)["interrupted"])
        whole = self.expected(orders())
        rows = self.features_of(self.path("out"))
        self.assertTrue(rows.items() <= whole.items(), "closed days are right, the open one is not among them")

    def test_a_shell_sees_130(self):
        done = subprocess.run(["bash", "-c", f"{flags_of()} {' '.join(self.replay_words())} & p=$!; sleep 1.2; kill -INT $p; wait $p; echo code $?"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=self.folder, timeout=30)
        # A shell without job control starts its background jobs with SIGINT ignored; ours catches it all the same.
        self.assertIn("code 130", done.stdout)

    def test_run_ends_well_by_either_signal(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.start("run", self.config)
            self.wait_for(process, "tidecast runs")
            process.send_signal(number)
            out, _ = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0, self.words_of(process))
            self.assertEqual(json.loads(out)["events_read"], 0)

    def test_demo_ends_well_and_tells_what_it_did(self):
        process = self.start("demo", "--port", "0", "--model", "none", "--example", self.example())
        self.wait_for(process, "page +http")
        time.sleep(.5)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, self.words_of(process))
        self.assertIn("events: ", out)

    def example(self):
        os.makedirs(self.path("example"), exist_ok=True)
        self.write("example/orders.csv.gz", command_line.gzip.compress(open(self.orders, "rb").read()))
        self.write_config("example/tidecast.yaml", server="true")
        return self.path("example")

    def test_verbs_with_nothing_to_finish_end_at_once(self):
        series = self.write("series.csv", "unique_id,ds,y\n" + "".join(
            f"s{i},{2000 + d // 336}-{d % 336 // 28 + 1:02}-{d % 28 + 1:02},{(i * d) % 7}\n" for i in range(60) for d in range(1500)))
        process = self.start("backtest", "--series", series, "--model", "experts", "--out", self.path("o"), "--horizon", "14", "--warmup", "30")
        time.sleep(.7)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=5), -signal.SIGINT)


def flags_of():
    return command_line.flags.tidecast


class OutputTest(CommandLineTest):
    def filled(self):
        done = self.tidecast("replay", "--orders", self.orders, "--config", self.config, "--state", self.path("state"))
        self.assertEqual(done.code, 0, done.err)

    def pipe_into_head(self, *words):
        first = subprocess.Popen([command_line.flags.tidecast, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder)
        head = subprocess.Popen(["head", "-n", "3"], stdin=first.stdout, stdout=subprocess.PIPE, text=True)
        first.stdout.close()
        out, _ = head.communicate(timeout=60)
        _, err = first.communicate(timeout=60)
        return first.returncode, out, err.decode()

    def test_tap_into_head(self):
        # More than a pipe holds, so that it must notice.
        with open(self.config) as file:
            text = file.read()
        self.filled()
        code, out, err = self.pipe_into_head("tap", "orders", "--config", self.config)
        self.assertEqual(len(out.splitlines()), 3)
        self.assertEqual((code, err), (-signal.SIGPIPE, ""), "without a word, as `cat` ends")
        code, out, err = self.pipe_into_head("tap", "orders", "--follow", "--config", self.config)
        self.assertEqual(len(out.splitlines()), 3)
        self.assertEqual((code, err), (-signal.SIGPIPE, ""))

    def test_words_that_nobody_reads(self):
        with open(self.config, "a") as file:
            file.write("nonsense: 1\n")
        reader, writer = os.pipe()
        os.close(reader)
        try:
            done = subprocess.run([command_line.flags.tidecast, "check", self.config], stderr=writer, stdout=subprocess.DEVNULL, timeout=20)
        finally:
            os.close(writer)
        self.assertEqual(done.returncode, -signal.SIGPIPE)

    def test_an_output_that_is_full(self):
        self.filled()
        with open("/dev/full", "w") as full:
            for words in (["tap", "orders", "--config", self.config], ["topics", "--config", self.config], ["init"],
                          ["replay", "--orders", self.orders, "--config", self.config]):
                done = self.tidecast(*words, stdout=full)
                self.assert_fails(done, IO, "standard output", "No space left on device")


if __name__ == "__main__":
    command_line.main()
